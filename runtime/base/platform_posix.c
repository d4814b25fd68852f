/* base/clock.h, base/thread.h and base/disk.h on Linux, Android, macOS and their like: with
 * platform_windows.c the only file of the libraries that sees the operating system. */
#define _DEFAULT_SOURCE /* madvise: posix_madvise's DONTNEED does nothing in glibc */
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/thread.h"

uint64_t tvk_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- threads ---- */

struct tvk_thread {
    pthread_t id;
    void (*fn)(void *user);
    void *user;
};

static void *run(void *thread)
{
    tvk_thread *t = thread;
    t->fn(t->user);
    return NULL;
}

tvk_thread *tvk_thread_start(void (*fn)(void *user), void *user)
{
    tvk_thread *t = malloc(sizeof *t);
    if (!t) return NULL;
    t->fn = fn;
    t->user = user;
    if (pthread_create(&t->id, NULL, run, t) == 0) return t;
    free(t);
    return NULL;
}

void tvk_thread_join(tvk_thread *thread)
{
    pthread_join(thread->id, NULL);
    free(thread);
}

void tvk_thread_rest(uint32_t us)
{
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

struct tvk_lock {
    pthread_mutex_t mutex;
};

tvk_lock *tvk_lock_create(void)
{
    tvk_lock *l = malloc(sizeof *l);
    if (l && pthread_mutex_init(&l->mutex, NULL) == 0) return l;
    free(l);
    return NULL;
}

void tvk_lock_take(tvk_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

void tvk_lock_give(tvk_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

void tvk_lock_destroy(tvk_lock *lock)
{
    if (lock) pthread_mutex_destroy(&lock->mutex);
    free(lock);
}

uint32_t tvk_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

/* ---- files ---- */

tvk_path_kind tvk_path_look(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR ? TVK_PATH_NONE : TVK_PATH_OTHER;
    return S_ISREG(info.st_mode) ? TVK_PATH_FILE : TVK_PATH_OTHER;
}

FILE *tvk_disk_open(const char *path, tvk_disk_mode mode)
{
    static const char *const modes[] = {
        [TVK_DISK_READ] = "rb", [TVK_DISK_WRITE] = "wb", [TVK_DISK_NEW] = "wbx"};
    return fopen(path, modes[mode]);
}

bool tvk_disk_sync(FILE *f)
{
    if (fflush(f) != 0) return false;
#ifdef F_FULLFSYNC /* macOS: fsync alone leaves it in the disk's own cache */
    if (fcntl(fileno(f), F_FULLFSYNC) == 0) return true;
#endif
    return fsync(fileno(f)) == 0;
}

tvk_status tvk_disk_replace(const char *from, const char *to, tvk_error *err)
{
    if (rename(from, to) == 0) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_IO, __FILE__, __LINE__, "%.300s: cannot be written: %s", to,
                         strerror(errno));
}

void tvk_disk_remove(const char *path)
{
    (void)unlink(path);
}

void tvk_disk_folder(const char *path)
{
    (void)mkdir(path, 0700);
}

tvk_status tvk_mapping_open(const char *path, tvk_mapping *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    struct stat info;
    void *data;
    int fd;
    memset(out, 0, sizeof *out);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for its writer */
    if (fd < 0)
        return tvk_error_set(err, TVK_ERR_IO, __FILE__, __LINE__, "%s: cannot be opened: %s", path,
                             strerror(errno));
    if (fstat(fd, &info) != 0)
        TVK_FAIL(TVK_ERR_IO, "%s: its size cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) TVK_FAIL(TVK_ERR_IO, "%s: a regular file expected", path);
    if ((uint64_t)info.st_size > SIZE_MAX)
        TVK_FAIL(TVK_ERR_IO, "%s: larger than this machine's address space", path);
    if (info.st_size > 0) {
        data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            TVK_FAIL(TVK_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        out->data = data;
        out->size = (size_t)info.st_size;
    }
fail:
    close(fd);
    return st;
}

void tvk_mapping_close(tvk_mapping *mapping)
{
    if (mapping->data) munmap((void *)(uintptr_t)mapping->data, mapping->size);
    memset(mapping, 0, sizeof *mapping);
}

void tvk_mapping_drop(const void *data, size_t bytes)
{
    /* whole pages inside the range only: its ends may be another tensor's */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + bytes) / page * page;
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
