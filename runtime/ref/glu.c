/* f = act(gate) * up; ReLU^2 or SiLU. */
#include "ref/ref.h"

void tvk_ref_glu(const float *gate_up, uint32_t f, bool relu2, float *out)
{
    const float *gate = gate_up, *up = gate_up + f;
    for (uint32_t i = 0; i < f; i++) {
        float a = gate[i];
        if (relu2) {
            float m = a > 0.0f ? a : 0.0f;
            out[i] = (m * m) * up[i];
        } else {
            out[i] = (a * tvk_ref_rcp(1.0f + tvk_ref_exp(-a))) * up[i];
        }
    }
}
