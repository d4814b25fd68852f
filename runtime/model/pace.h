/* Submissions of bounded time (tvk_device_params.submit_ms). */
#ifndef TVK_MODEL_PACE_H
#define TVK_MODEL_PACE_H

#include "model/model.h"

/* What a command buffer of several dispatches is filled up to: half the bound; 0: no bound. */
double tvk_pace_most_ns(const tvk_model *model);

/* Measures the steps [TVK_STEP_COUNT], whose programs are compiled: step->ns. *changed: some
 * dispatch takes too long, and what can be done about it is in the kernels and the layout: the
 * steps are to be built anew. Nothing may be in flight, no session open; slots and cached positions
 * are overwritten. */
tvk_status tvk_pace_steps(tvk_model *model, tvk_step *steps, bool *changed, tvk_error *err);

#endif
