#include "base/crew.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"

#define MAX_THREADS 16u
#define MAX_HELPERS 7u /* for copies: memory is the limit soon */
#define POLL_US 500u

struct tvk_crew {
    tvk_lock *lock; /* of `next` and `done` */
    uint32_t next, done, count;
    void (*fn)(void *user, uint32_t item);
    void *user;
    tvk_thread *threads[MAX_THREADS];
    uint32_t started;
};

static void work(void *crew)
{
    tvk_crew *c = crew;
    for (uint32_t mine = 0;; mine = 1) {
        uint32_t item;
        tvk_lock_take(c->lock);
        c->done += mine;
        item = c->next;
        if (item < c->count) c->next++;
        tvk_lock_give(c->lock);
        if (item >= c->count) return;
        c->fn(c->user, item);
    }
}

tvk_status tvk_crew_start(uint32_t threads, uint32_t count, void (*fn)(void *user, uint32_t item),
                          void *user, tvk_crew **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_crew *c = calloc(1, sizeof *c);
    *out = NULL;
    TVK_TRY_ALLOC(c);
    c->fn = fn;
    c->user = user;
    c->count = count;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    if (threads > count) threads = count;
    c->lock = tvk_lock_create();
    TVK_TRY_ALLOC(c->lock);
    while (c->started < threads && (c->threads[c->started] = tvk_thread_start(work, c)) != NULL)
        c->started++;
    *out = c;
    c = NULL;
fail:
    free(c);
    return st;
}

bool tvk_crew_done_by(tvk_crew *c, uint64_t until_ns)
{
    bool done;
    if (c->started == 0) work(c);
    for (;;) {
        tvk_lock_take(c->lock);
        done = c->done == c->count;
        tvk_lock_give(c->lock);
        if (done || tvk_clock_ns() >= until_ns) return done;
        tvk_thread_rest(POLL_US);
    }
}

void tvk_crew_join(tvk_crew **crew)
{
    tvk_crew *c = *crew;
    if (!c) return;
    work(c);
    for (uint32_t i = 0; i < c->started; i++) tvk_thread_join(c->threads[i]);
    tvk_lock_destroy(c->lock);
    free(c);
    *crew = NULL;
}

void tvk_crew_run(uint32_t count, void (*fn)(void *user, uint32_t item), void *user)
{
    tvk_crew *c = NULL;
    uint32_t others = tvk_processors() - 1;
    if (others >= count) others = count > 0 ? count - 1 : 0;
    if (others > MAX_HELPERS) others = MAX_HELPERS;
    if (others > 0 && tvk_crew_start(others, count, fn, user, &c, NULL) == TVK_OK)
        tvk_crew_join(&c);
    else
        for (uint32_t i = 0; i < count; i++) fn(user, i);
}
