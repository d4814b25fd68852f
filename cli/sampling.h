/* How the next token is chosen: options that the commands which write text share. */
#ifndef TVK_CLI_SAMPLING_H
#define TVK_CLI_SAMPLING_H

#include "args.h"
#include "ternvk/session.h"

/* For ARG_INCLUDE; writes to the one sampling_given of the process. */
extern const arg_option sampling_options[];
extern tvk_sampler_params sampling_given;
extern bool sampling_seed_given;

/* Sets the defaults; before args_parse. */
void sampling_defaults(void);

#endif
