/* The platform's threads are known here alone. */
#define _POSIX_C_SOURCE 200809L
#include "base/crew.h"

#include <stdlib.h>

#define MAX_THREADS 16u
#define MAX_HELPERS 7u /* for copies: memory is the limit soon */

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <process.h>
#include <windows.h>

typedef HANDLE thread;
typedef CRITICAL_SECTION lock;
#define THREAD_FUNCTION unsigned __stdcall
#define THREAD_RESULT 0

static bool start(thread *t, unsigned(__stdcall *fn)(void *), void *user)
{
    *t = (HANDLE)_beginthreadex(NULL, 0, fn, user, 0, NULL);
    return *t != NULL;
}

static void join(thread t)
{
    WaitForSingleObject(t, INFINITE);
    CloseHandle(t);
}

static bool lock_init(lock *l)
{
    InitializeCriticalSection(l);
    return true;
}

#define lock_take(l) EnterCriticalSection(l)
#define lock_give(l) LeaveCriticalSection(l)
#define lock_fini(l) DeleteCriticalSection(l)

uint32_t tvk_crew_processors(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors > 0 ? (uint32_t)info.dwNumberOfProcessors : 1;
}

#else

#include <pthread.h>
#include <unistd.h>

typedef pthread_t thread;
typedef pthread_mutex_t lock;
#define THREAD_FUNCTION void *
#define THREAD_RESULT NULL

static bool start(thread *t, void *(*fn)(void *), void *user)
{
    return pthread_create(t, NULL, fn, user) == 0;
}

static void join(thread t)
{
    pthread_join(t, NULL);
}

static bool lock_init(lock *l)
{
    return pthread_mutex_init(l, NULL) == 0;
}

#define lock_take(l) pthread_mutex_lock(l)
#define lock_give(l) pthread_mutex_unlock(l)
#define lock_fini(l) pthread_mutex_destroy(l)

uint32_t tvk_crew_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

#endif

struct tvk_crew {
    lock lock; /* of `next` */
    uint32_t next, count;
    void (*fn)(void *user, uint32_t item);
    void *user;
    thread threads[MAX_THREADS];
    uint32_t started;
};

static void work(tvk_crew *c)
{
    for (;;) {
        uint32_t item;
        lock_take(&c->lock);
        item = c->next;
        if (item < c->count) c->next++;
        lock_give(&c->lock);
        if (item >= c->count) return;
        c->fn(c->user, item);
    }
}

static THREAD_FUNCTION run(void *crew)
{
    work(crew);
    return THREAD_RESULT;
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
    if (!lock_init(&c->lock)) TVK_FAIL(TVK_ERR_HOST_MEMORY, "no memory for a lock");
    while (c->started < threads && start(&c->threads[c->started], run, c)) c->started++;
    *out = c;
    c = NULL;
fail:
    free(c);
    return st;
}

void tvk_crew_join(tvk_crew **crew)
{
    tvk_crew *c = *crew;
    if (!c) return;
    work(c);
    for (uint32_t i = 0; i < c->started; i++) join(c->threads[i]);
    lock_fini(&c->lock);
    free(c);
    *crew = NULL;
}

void tvk_crew_run(uint32_t count, void (*fn)(void *user, uint32_t item), void *user)
{
    tvk_crew *c = NULL;
    uint32_t others = tvk_crew_processors() - 1;
    if (others >= count) others = count > 0 ? count - 1 : 0;
    if (others > MAX_HELPERS) others = MAX_HELPERS;
    if (others > 0 && tvk_crew_start(others, count, fn, user, &c, NULL) == TVK_OK)
        tvk_crew_join(&c);
    else
        for (uint32_t i = 0; i < count; i++) fn(user, i);
}
