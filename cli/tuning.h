/* The tuning record of a device, kept in the user's cache folder. */
#ifndef TVK_CLI_TUNING_H
#define TVK_CLI_TUNING_H

#include <jansson.h>

#include "ternvk/device.h"
#include "ternvk/model.h"

/* The record as text (JSON), with the device, driver and kernels that it holds for. malloc'd; NULL:
 * no memory. */
char *tuning_text(const tvk_device_info *device, uint64_t version, const tvk_tuning *tuning);
/* Its choices alone, as the record has them; a new reference. */
json_t *tuning_choices(const tvk_tuning *tuning);
/* Back from text. false: *out is empty and why says in a few words what is wrong with it. */
bool tuning_parse(const char *text, size_t bytes, const tvk_device_info *device, uint64_t version,
                  tvk_tuning *out, char *why, size_t why_bytes);

/* Reads the record; empty when there is none or it cannot be used, which is said at -v. */
void tuning_load(const tvk_device_info *device, tvk_tuning *out);
/* What the model asks about zeros is measured and kept, then *out goes to tvk_model_params.
 * Failures are said at -v; the record then holds what is known. */
void tuning_prepare(tvk_device *device, const tvk_weight_source *source,
                    const tvk_model_params *params, tvk_tuning *out);

/* The shapes of the model that *tuning knew nothing of are measured, used and kept: as many as
 * there is time for, which is more where `thorough` is what the user wants. */
void tuning_finish(tvk_device *device, tvk_model *model, bool thorough, tvk_tuning *tuning);

/* What was chosen for shapes on this device, as the record has it; a new reference. */
json_t *tuning_json(const tvk_device_info *device);
/* The record's entries as lines, indented. */
void tuning_print(const tvk_device_info *device);
/* What a step of one row leaves out, on stderr: one line; with reasons at -v. */
void tuning_banner(const tvk_model_info *info);

#endif
