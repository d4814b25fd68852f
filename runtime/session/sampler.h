#ifndef TVK_SESSION_SAMPLER_H
#define TVK_SESSION_SAMPLER_H

#include "ternvk/session.h"

/* Can the device draw with these parameters? */
bool tvk_sampler_on_device(const tvk_sampler_params *params);
/* Does generation stop after this token? */
bool tvk_sampler_stops(const tvk_sampler_params *params, int32_t token);

#endif
