#ifndef _WIN32
#define _DEFAULT_SOURCE /* madvise: posix_madvise's DONTNEED does nothing in glibc */
#define _DARWIN_C_SOURCE
#endif
#include "bytes.h"

#include <errno.h>
#include <stdint.h>

#ifdef _WIN32
#include <windows.h>

tvk_status tvk_mapping_open(const char *path, tvk_mapping *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    HANDLE file, section = NULL;
    LARGE_INTEGER size;
    memset(out, 0, sizeof *out);
    file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return tvk_error_set(err, TVK_ERR_IO, __FILE__, __LINE__,
                             "%s: cannot be opened (system error %lu)", path, GetLastError());
    if (!GetFileSizeEx(file, &size) || (uint64_t)size.QuadPart > SIZE_MAX)
        TVK_FAIL(TVK_ERR_IO, "%s: its size cannot be read", path);
    if (size.QuadPart > 0) {
        section = CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 0, NULL);
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

#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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
#endif
