/* ternvk: status values, errors, logging, element types. Included by every other header.
 *
 * Library rules that hold everywhere:
 *  - a fallible function returns tvk_status, sets its out-parameter to NULL first, fills it
 *    last, and writes the reason into *err when err is not NULL;
 *  - the library never prints, never exits and never reads the environment;
 *  - a handle is used by one thread at a time unless its comment says otherwise; different handles
 *    of different devices are independent. */
#ifndef TERNVK_BASE_H
#define TERNVK_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVK_VERSION_MAJOR 0
#define TVK_VERSION_MINOR 1
#define TVK_VERSION_PATCH 0
#define TVK_VERSION_STRING "0.1.0"

#if defined(_WIN32)
#define TVK_API
#elif defined(__GNUC__)
#define TVK_API __attribute__((visibility("default")))
#else
#define TVK_API
#endif

/* Version of the library that runs, "major.minor.patch". Static storage. Since: 0.1 */
TVK_API const char *tvk_version(void);

/* What the caller may do next. Values are pinned; new ones are only appended. */
typedef enum tvk_status {
    TVK_OK = 0,
    TVK_ERR_ARG = 1,           /* the call is wrong                                  */
    TVK_ERR_HOST_MEMORY = 2,   /* malloc failed                                      */
    TVK_ERR_DEVICE_MEMORY = 3, /* does not fit on the device                         */
    TVK_ERR_IO = 4,            /* a file cannot be opened, read or written           */
    TVK_ERR_FORMAT = 5,        /* the file is broken                                 */
    TVK_ERR_UNSUPPORTED = 6,   /* valid, but not by this build or this device        */
    TVK_ERR_NO_DEVICE = 7,     /* no Vulkan loader, no driver or no matching device  */
    TVK_ERR_DEVICE_LOST = 8,   /* sticky: every later call on the device returns it  */
    TVK_ERR_INTERNAL = 9,      /* a driver or our own code broke a promise           */
    TVK_ERR_CANCELLED = 10     /* a progress callback asked to stop                  */
} tvk_status;

/* Reason of a failure: expected and found, and where. file and line name our source. */
typedef struct tvk_error {
    tvk_status status;
    const char *file;
    int line;
    char text[512];
} tvk_error;

/* Short name of a status ("no device"). Static storage. Since: 0.1 */
TVK_API const char *tvk_status_name(tvk_status status);

typedef enum tvk_log_level {
    TVK_LOG_ERROR = 0,
    TVK_LOG_WARN = 1,
    TVK_LOG_INFO = 2,
    TVK_LOG_DEBUG = 3
} tvk_log_level;

/* Where messages go. All-zero: nowhere. fn may be called from the thread that calls the library
 * only; text has no newline and lives until fn returns. */
typedef struct tvk_log {
    void (*fn)(void *user, tvk_log_level level, const char *text);
    void *user;
    tvk_log_level level; /* messages above it are not made */
} tvk_log;

/* Long work reports itself: done of total bytes. Returning false cancels (TVK_ERR_CANCELLED). */
typedef struct tvk_progress {
    bool (*fn)(void *user, const char *what, uint64_t done, uint64_t total);
    void *user;
} tvk_progress;

/* Element types of files and of weights. Rows: base/dtype.def. */
typedef enum tvk_dtype {
    TVK_F32 = 0,
    TVK_F16 = 1,
    TVK_BF16 = 2,
    TVK_Q8_0 = 3,  /* GGML: 32 values, f16 scale                                  */
    TVK_TQ1_0 = 4, /* GGML: 256 ternary values in 54 bytes, f16 scale             */
    TVK_TQ2_0 = 5, /* GGML: 256 ternary values in 66 bytes, f16 scale             */
    TVK_I2_S = 6,  /* bitnet.cpp: 128 ternary values in 32 bytes, one f32 scale   */
    TVK_I8 = 7,    /* bytes; of a bitnet-b1 matrix eight signs each               */
    TVK_Q4_0 = 8,  /* GGML: 32 values of 4 bits, f16 scale                        */
    TVK_Q6_K = 9,  /* GGML: 256 values of 6 bits, 16 scales of 8 bits, f16 scale  */
    TVK_DTYPE_COUNT
} tvk_dtype;

/* "F32", "TQ2_0", ... Static storage. Since: 0.1 */
TVK_API const char *tvk_dtype_name(tvk_dtype type);

#ifdef __cplusplus
}
#endif
#endif
