/* A few threads that work through the items of one task. */
#ifndef TVK_BASE_CREW_H
#define TVK_BASE_CREW_H

#include "base/error.h"

/* One thread starts a crew and joins it. */
typedef struct tvk_crew tvk_crew;

/* Calls fn(user, i) for i = 0 .. count - 1, each once, handed out in this order to at most
 * `threads` threads of its own. Where a thread cannot be started there are fewer: tvk_crew_join
 * does what is left. Errors: TVK_ERR_HOST_MEMORY, and nothing was called. */
tvk_status tvk_crew_start(uint32_t threads, uint32_t count, void (*fn)(void *user, uint32_t item),
                          void *user, tvk_crew **out, tvk_error *err);
/* Waits until all are done, false: or until it is so late (tvk_clock_ns()) and the crew goes on.
 * Takes no item, unless no thread could be started. */
bool tvk_crew_done_by(tvk_crew *crew, uint64_t until_ns);
/* Takes items too, then waits until all are done. NULL-safe. */
void tvk_crew_join(tvk_crew **crew);

/* All of it now, by the caller and as many threads as help; by the caller alone where there are no
 * others. */
void tvk_crew_run(uint32_t count, void (*fn)(void *user, uint32_t item), void *user);

#endif
