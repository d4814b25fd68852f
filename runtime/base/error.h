/* Errors inside the library: a function has one `fail:` label and these macros jump to it.
 *   tvk_status f(..., tvk_error *err)
 *   { tvk_status st = TVK_OK; TVK_TRY(g(err)); ... fail: ... return st; }
 * `st` and `err` are the names that the macros use. */
#ifndef TVK_BASE_ERROR_H
#define TVK_BASE_ERROR_H

#include "base/compiler.h"
#include "ternvk/base.h"

/* Fills *err (if not NULL) and returns status, so that `return tvk_error_set(...)` works too. */
tvk_status tvk_error_set(tvk_error *err, tvk_status status, const char *file, int line,
                         const char *fmt, ...) TVK_PRINTF(5, 6);

#define TVK_FAIL(status, ...)                                                                      \
    do {                                                                                           \
        st = tvk_error_set(err, (status), __FILE__, __LINE__, __VA_ARGS__);                        \
        goto fail;                                                                                 \
    } while (0)

#define TVK_TRY(expr)                                                                              \
    do {                                                                                           \
        st = (expr);                                                                               \
        if (st != TVK_OK) goto fail;                                                               \
    } while (0)

/* Allocation result check. */
#define TVK_TRY_ALLOC(ptr)                                                                         \
    do {                                                                                           \
        if (!(ptr)) TVK_FAIL(TVK_ERR_HOST_MEMORY, "out of host memory");                           \
    } while (0)

#endif
