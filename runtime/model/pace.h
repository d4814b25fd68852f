/* Submissions of bounded time (tvk_device_params.submit_ms). */
#ifndef TVK_MODEL_PACE_H
#define TVK_MODEL_PACE_H

#include "model/model.h"

/* What a command buffer of several dispatches is filled up to: half the bound; 0: no bound. */
double tvk_pace_most_ns(const tvk_model *model);

/* Measures the steps [TVK_STEP_COUNT], whose programs are compiled: step->ns. Nothing may be in
 * flight, no session open; slots and cached positions are overwritten. */
tvk_status tvk_pace_measure(tvk_model *model, tvk_step *steps, tvk_error *err);

/* Does what can be done about dispatches of measured steps that take too long, in the kernels and
 * the layout. True: something, and the steps are to be built anew. */
bool tvk_pace_shorten(tvk_model *model, const tvk_step *steps);

#endif
