#include "sampling.h"

#include <math.h>
#include <time.h>

tvk_sampler_params sampling_given;
bool sampling_seed_given;

const arg_option sampling_options[] = {
    {ARG_F32, "--temp", "T", &sampling_given.temperature,
     "temperature, 0: always the best token (0.8)", 0, 1e6, NULL},
    {ARG_U32, "--top-k", "K", &sampling_given.top_k, "draw from the best K, 0: off (40)", 0,
     INFINITY, NULL},
    {ARG_F32, "--top-p", "P", &sampling_given.top_p,
     "draw from the best with this much in sum (0.95)", 0, 1, NULL},
    {ARG_F32, "--min-p", "P", &sampling_given.min_p,
     "drop what is less likely than P of the best (0.05)", 0, 1, NULL},
    {ARG_F32, "--repeat-penalty", "R", &sampling_given.repeat_penalty,
     "of the last 64 tokens, 1: off (1)", 0.01, 100, NULL},
    {ARG_U64, "-s, --seed", "SEED", &sampling_given.seed, "the same seed, the same text", 0, 0,
     &sampling_seed_given},
    {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};

void sampling_defaults(void)
{
    sampling_given = (tvk_sampler_params){.temperature = 0.8f,
                                          .top_k = 40,
                                          .top_p = 0.95f,
                                          .min_p = 0.05f,
                                          .repeat_penalty = 1.0f,
                                          .seed = (uint64_t)time(NULL)};
}
