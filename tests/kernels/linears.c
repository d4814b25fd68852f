/* Shapes of published models, for timing. */
#include "tests/kernels/rig.h"

/* QKV, O, gate and up, and down of 2B4T, of a 7B and of a model of 25 M parameters. */
static const struct {
    uint32_t n, k;
    bool add, sweep; /* sweep: with every number of rows */
} linears[] = {
    {3840, 2560, false, false},  {2560, 2560, true, false},   {13824, 2560, false, true},
    {2560, 6912, true, false},   {12288, 4096, false, false}, {4096, 4096, true, false},
    {22016, 4096, false, false}, {4096, 11008, true, true},   {1536, 512, false, false},
    {512, 512, true, false},     {3072, 512, false, true},    {512, 1536, true, false},
};
#define LINEARS ((uint32_t)(sizeof linears / sizeof *linears))
#define OF_2B4T 4u

/* Of a step: one session, sessions side by side, prompts. */
static const uint32_t few_rows[] = {1, 32, 512},
                      all_rows[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};
#define COUNT(a) ((uint32_t)(sizeof a / sizeof *a))

bool tvk_rig_linear_get(uint32_t index, bool few, tvk_rig_linear *out)
{
    for (uint32_t i = 0; i < (few ? OF_2B4T : LINEARS); i++) {
        const bool sweep = linears[i].sweep && !few;
        const uint32_t count = sweep ? COUNT(all_rows) : COUNT(few_rows);
        if (index < count) {
            *out = (tvk_rig_linear){linears[i].n, linears[i].k,
                                    (sweep ? all_rows : few_rows)[index], linears[i].add};
            return true;
        }
        index -= count;
    }
    return false;
}
