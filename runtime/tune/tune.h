/* Measures kernels on a device: which of two ways is faster, and from where on. */
#ifndef TVK_TUNE_TUNE_H
#define TVK_TUNE_TUNE_H

#include "kernels/kernel.h"
#include "ternvk/tuning.h"

/* Fills the times of an entry whose kind, n, k and copies are given: mean of one matrix when
 * `copies` different ones follow each other (fewer where they would take more than 48 MiB, on a
 * GPU 384: entry->copies says how many were read). Weights are synthetic. Time stamps where the
 * device has them, else submission to fence. Fewer rounds where the deadline (tvk_clock_ns()) ends
 * them; *done false: there was no time to compile what it takes. Errors: TVK_ERR_DEVICE_MEMORY,
 * TVK_ERR_UNSUPPORTED (a row does not fit the device's limits). */
tvk_status tvk_tune_measure(tvk_kernels *kernels, tvk_tuning_entry *entry, uint64_t deadline_ns,
                            bool *done, tvk_error *err);

/* tuning.c: one choice more. */
void tvk_tuning_add(tvk_tuning *tuning, const tvk_tuning_choice *choice);
/* The kernels prefer what a record (may be NULL) says; what this device cannot run stays unknown.
 */
void tvk_tuning_apply(const tvk_tuning *tuning, bool exact, tvk_kernels *kernels);

#endif
