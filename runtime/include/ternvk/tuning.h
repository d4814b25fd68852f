/* ternvk: what was measured on a device. Plain data that a caller may keep and give back; it holds
 * for one device, driver, clamps and tvk_tuning_version(). */
#ifndef TERNVK_TUNING_H
#define TERNVK_TUNING_H

#include "ternvk/base.h"
#include "ternvk/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ways to leave zeros out of a step of one row. */
typedef enum tvk_tuning_kind {
    TVK_TUNING_INPUTS = 0, /* mat-vec [n, k] that reads the weights of non-zero inputs */
    TVK_TUNING_UP_I8 = 1,  /* gate, then up [n, k] at open gates; byte records */
    TVK_TUNING_UP_I4 = 2,  /* the same with INT4 records */
    TVK_TUNING_UP_FP4 = 3  /* the same with E2M1 records */
} tvk_tuning_kind;

/* Fractions of zeros at which skipping is timed: 0.3, 0.6, 0.9. */
#define TVK_TUNING_POINTS 3u

typedef struct tvk_tuning_entry {
    tvk_tuning_kind kind;
    uint32_t n, k;
    uint32_t copies;                   /* matrices of this shape that were read in turn */
    double dense_ns;                   /* of one matrix; > 0 */
    double skip_ns[TVK_TUNING_POINTS]; /* likewise */
} tvk_tuning_entry;

#define TVK_TUNING_MAX 256u

/* What was fastest for a kernel of N outputs and K inputs in steps with room for `rows` rows (0: it
 * has none). */
typedef struct tvk_tuning_choice {
    uint32_t row, config; /* of this build's tables: tvk_tuning_choice_text() says their names */
    uint32_t n, k, rows;
    bool exact;                   /* measured among rows that give the same bits on every driver */
    double default_ns, chosen_ns; /* of one dispatch: what runs untuned, and this one; > 0 */
} tvk_tuning_choice;

/* All zero: nothing is known. */
typedef struct tvk_tuning {
    uint32_t count, choice_count;
    tvk_tuning_entry entries[TVK_TUNING_MAX];
    tvk_tuning_choice choices[TVK_TUNING_MAX];
} tvk_tuning;

/* What a device reaches with small kernels of ours, a second: of a buffer many times its caches,
 * and of long chains of multiplications and additions. What else a kernel is compared with. */
typedef struct tvk_peaks {
    double read_bytes;
    double copy_bytes; /* read and written */
    /* of codes: packed dot products where the device has them, else 16-bit halves of integers */
    double int_ops;
    double float_ops; /* f32, each rounded: what exact kernels can use */
    /* cooperative matrices of bytes, of f16 with sums in f32; 0: none on this device */
    double matrix_ops, half_ops;
    const char *int_row; /* manifest row that int_ops is of; static */
} tvk_peaks;

/* Measures them: a second or less, up to 2 GiB of device memory for the time of the call.
 * Errors: TVK_ERR_INTERNAL when a result is wrong. Since: 0.1 */
TVK_API tvk_status tvk_device_peaks(tvk_device *device, tvk_peaks *out, tvk_error *err);

/* Names the kernels of this build: what was measured with others does not hold. Since: 0.1 */
TVK_API uint64_t tvk_tuning_version(void);

/* Are the entry's numbers such that a measurement can give them? For records from outside. */
TVK_API bool tvk_tuning_valid(const tvk_tuning_entry *entry);

/* The same of a choice: a row and a configuration of this build, times that can be. */
TVK_API bool tvk_tuning_choice_valid(const tvk_tuning_choice *choice);
/* "gemv_t2_i8_mix[64,16,2]": row, workgroup size, tile; text is returned. Since: 0.1 */
TVK_API const char *tvk_tuning_choice_text(const tvk_tuning_choice *choice, char *text,
                                           size_t bytes);

/* Fraction of zeros from which skipping is faster: where the line through the three times meets the
 * dense time. 0: always, 2: never. Since: 0.1 */
TVK_API float tvk_tuning_break_even(const tvk_tuning_entry *entry);

#ifdef __cplusplus
}
#endif
#endif
