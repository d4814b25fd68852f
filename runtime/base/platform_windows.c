/* base/clock.h, base/thread.h and base/disk.h on Windows. Its narrow functions take paths in the
 * code page of the machine, so the wide ones are called throughout. */
#define WIN32_LEAN_AND_MEAN
#define _CRT_SECURE_NO_WARNINGS
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>
#include <windows.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/thread.h"

uint64_t tvk_clock_ns(void)
{
    LARGE_INTEGER ticks, rate;
    uint64_t seconds, rest;
    QueryPerformanceFrequency(&rate);
    QueryPerformanceCounter(&ticks);
    seconds = (uint64_t)ticks.QuadPart / (uint64_t)rate.QuadPart;
    rest = (uint64_t)ticks.QuadPart % (uint64_t)rate.QuadPart;
    return seconds * 1000000000u + rest * 1000000000u / (uint64_t)rate.QuadPart;
}

/* ---- threads ---- */

struct tvk_thread {
    HANDLE handle;
    void (*fn)(void *user);
    void *user;
};

static unsigned __stdcall run(void *thread)
{
    tvk_thread *t = thread;
    t->fn(t->user);
    return 0;
}

tvk_thread *tvk_thread_start(void (*fn)(void *user), void *user)
{
    tvk_thread *t = malloc(sizeof *t);
    if (!t) return NULL;
    t->fn = fn;
    t->user = user;
    t->handle = (HANDLE)_beginthreadex(NULL, 0, run, t, 0, NULL);
    if (t->handle) return t;
    free(t);
    return NULL;
}

void tvk_thread_join(tvk_thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
    free(thread);
}

void tvk_thread_rest(uint32_t us)
{
    Sleep((us + 999) / 1000);
}

struct tvk_lock {
    SRWLOCK lock;
};

tvk_lock *tvk_lock_create(void)
{
    tvk_lock *l = malloc(sizeof *l);
    if (l) InitializeSRWLock(&l->lock);
    return l;
}

void tvk_lock_take(tvk_lock *lock)
{
    AcquireSRWLockExclusive(&lock->lock);
}

void tvk_lock_give(tvk_lock *lock)
{
    ReleaseSRWLockExclusive(&lock->lock);
}

void tvk_lock_destroy(tvk_lock *lock)
{
    free(lock);
}

uint32_t tvk_processors(void)
{
    DWORD n = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return n > 0 ? (uint32_t)n : 1;
}

/* ---- files ---- */

/* GetLastError's reason as errno, which callers put into words. */
static void note_reason(void)
{
    static const struct {
        DWORD windows;
        int c;
    } reasons[] = {
        {ERROR_FILE_NOT_FOUND, ENOENT},      {ERROR_PATH_NOT_FOUND, ENOENT},
        {ERROR_INVALID_NAME, ENOENT},        {ERROR_BAD_NETPATH, ENOENT},
        {ERROR_ACCESS_DENIED, EACCES},       {ERROR_SHARING_VIOLATION, EACCES},
        {ERROR_LOCK_VIOLATION, EACCES},      {ERROR_USER_MAPPED_FILE, EACCES},
        {ERROR_WRITE_PROTECT, EROFS},        {ERROR_FILE_EXISTS, EEXIST},
        {ERROR_ALREADY_EXISTS, EEXIST},      {ERROR_DISK_FULL, ENOSPC},
        {ERROR_HANDLE_DISK_FULL, ENOSPC},    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
        {ERROR_COMMITMENT_LIMIT, ENOMEM},    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
        {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    };
    DWORD found = GetLastError();
    errno = EIO;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].windows == found) errno = reasons[i].c;
}

static wchar_t *widen(const char *path)
{
    int room = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *wide = room > 0 ? malloc((size_t)room * sizeof *wide) : NULL;
    if (wide) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, room);
    errno = room > 0 ? ENOMEM : EILSEQ; /* of interest where there is none */
    return wide;
}

/* A path as the wide functions want it, malloc'd. One that is too long for them (260 characters, 12
 * of them a folder's) becomes absolute with the prefix that lifts the limit. NULL: the reason is in
 * errno. */
static wchar_t *wide_path(const char *path)
{
    static const wchar_t prefix[] = L"\\\\?\\";
    enum { PREFIX = 4, SHORT = 248 };
    wchar_t *wide = widen(path), *whole;
    DWORD room;
    if (!wide || wcslen(wide) < SHORT || !wcsncmp(wide, L"\\\\", 2)) return wide;
    room = GetFullPathNameW(wide, 0, NULL, NULL);
    whole = room > 0 ? calloc(PREFIX + (size_t)room, sizeof *whole) : NULL;
    if (whole) {
        memcpy(whole, prefix, PREFIX * sizeof *whole);
        room = GetFullPathNameW(wide, room, whole + PREFIX, NULL);
    }
    if (room == 0) {
        note_reason();
        free(whole);
        whole = NULL;
    }
    free(wide);
    return whole;
}

tvk_path_kind tvk_path_look(const char *path)
{
    const DWORD other = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE;
    wchar_t *wide = wide_path(path);
    DWORD found = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    tvk_path_kind kind = found & other ? TVK_PATH_OTHER : TVK_PATH_FILE;
    if (found == INVALID_FILE_ATTRIBUTES) {
        if (wide) note_reason();
        kind = errno == ENOENT || errno == EILSEQ ? TVK_PATH_NONE : TVK_PATH_OTHER;
    }
    free(wide);
    return kind;
}

FILE *tvk_disk_open(const char *path, tvk_disk_mode mode)
{
    static const struct {
        int flags;
        const char *mode;
    } modes[] = {[TVK_DISK_READ] = {_O_RDONLY, "rb"},
                 [TVK_DISK_WRITE] = {_O_WRONLY | _O_CREAT | _O_TRUNC, "wb"},
                 [TVK_DISK_NEW] = {_O_WRONLY | _O_CREAT | _O_EXCL, "wb"}};
    wchar_t *wide = wide_path(path);
    FILE *f = NULL;
    int fd;
    if (!wide) return NULL;
    fd = _wopen(wide, modes[mode].flags | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
    if (fd >= 0) f = _fdopen(fd, modes[mode].mode);
    if (fd >= 0 && !f) _close(fd);
    free(wide);
    return f;
}

bool tvk_disk_sync(FILE *f)
{
    return fflush(f) == 0 && _commit(_fileno(f)) == 0;
}

tvk_status tvk_disk_replace(const char *from, const char *to, tvk_error *err)
{
    wchar_t *wide_from = wide_path(from), *wide_to = wide_path(to);
    bool done = false;
    if (wide_from && wide_to) {
        done = MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING) != 0;
        if (!done) note_reason();
    }
    free(wide_from);
    free(wide_to);
    if (done) return TVK_OK;
    return tvk_error_set(
        err, TVK_ERR_IO, __FILE__, __LINE__, "%.300s: cannot be written: %s%s", to, strerror(errno),
        errno == EACCES ? " (Windows replaces no file that is open: close what has "
                          "it open, or give another name)"
                        : "");
}

void tvk_disk_remove(const char *path)
{
    wchar_t *wide = wide_path(path);
    if (wide) (void)DeleteFileW(wide);
    free(wide);
}

void tvk_disk_folder(const char *path)
{
    wchar_t *wide = wide_path(path);
    if (wide) (void)CreateDirectoryW(wide, NULL); /* the user's folders are the user's alone */
    free(wide);
}

/* Open for reading, or INVALID_HANDLE_VALUE with the reason in errno. */
static HANDLE open_to_map(const char *path)
{
    HANDLE file = INVALID_HANDLE_VALUE;
    wchar_t *wide = wide_path(path);
    if (!wide) return file;
    file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) note_reason();
    free(wide);
    return file;
}

tvk_status tvk_mapping_open(const char *path, tvk_mapping *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    HANDLE file, section = NULL;
    LARGE_INTEGER size;
    memset(out, 0, sizeof *out);
    file = open_to_map(path);
    if (file == INVALID_HANDLE_VALUE)
        return tvk_error_set(err, TVK_ERR_IO, __FILE__, __LINE__, "%s: cannot be opened: %s", path,
                             strerror(errno));
    if (GetFileType(file) != FILE_TYPE_DISK)
        TVK_FAIL(TVK_ERR_IO, "%s: a regular file expected", path);
    if (!GetFileSizeEx(file, &size))
        TVK_FAIL(TVK_ERR_IO, "%s: its size cannot be read (system error %lu)", path,
                 GetLastError());
    if ((uint64_t)size.QuadPart > SIZE_MAX)
        TVK_FAIL(TVK_ERR_IO, "%s: larger than this machine's address space", path);
    if (size.QuadPart > 0) {
        section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
        if (section) out->data = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
        if (!out->data)
            TVK_FAIL(TVK_ERR_IO, "%s: cannot be mapped (system error %lu)", path, GetLastError());
        out->size = (size_t)size.QuadPart;
    }
fail:
    if (section) CloseHandle(section);
    CloseHandle(file);
    return st;
}

void tvk_mapping_close(tvk_mapping *mapping)
{
    if (mapping->data) UnmapViewOfFile(mapping->data);
    memset(mapping, 0, sizeof *mapping);
}

void tvk_mapping_drop(const void *data, size_t bytes)
{
    (void)data; /* Windows trims the working set by itself */
    (void)bytes;
}
