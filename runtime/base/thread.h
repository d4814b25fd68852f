/* Threads and locks of the operating system: platform_posix.c, platform_windows.c. */
#ifndef TVK_BASE_THREAD_H
#define TVK_BASE_THREAD_H

#include <stdint.h>

typedef struct tvk_thread tvk_thread;
typedef struct tvk_lock tvk_lock;

/* Runs fn(user) beside the caller; NULL: no thread can be had. Every thread is joined once. */
tvk_thread *tvk_thread_start(void (*fn)(void *user), void *user);
void tvk_thread_join(tvk_thread *thread);
/* The caller sleeps for about so long. */
void tvk_thread_rest(uint32_t us);

/* NULL: no memory. */
tvk_lock *tvk_lock_create(void);
void tvk_lock_take(tvk_lock *lock);
void tvk_lock_give(tvk_lock *lock);
/* NULL-safe. */
void tvk_lock_destroy(tvk_lock *lock);

/* Processors that may run at the same time; at least 1. */
uint32_t tvk_processors(void);

#endif
