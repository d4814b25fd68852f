/* f = act(gate) * up; ReLU^2 or SiLU. GELU of two-matrix FFNs. */
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

/* x Phi(x); erfc by Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26. */
void tvk_ref_gelu(const float *x, uint32_t f, float *out)
{
    for (uint32_t i = 0; i < f; i++) {
        float z = (x[i] < 0.0f ? -x[i] : x[i]) * 0.70710677f;
        float t = tvk_ref_rcp(1.0f + z * 0.3275911f);
        float p = 1.0614054f;
        float tail;
        p = -1.4531521f + t * p;
        p = 1.4214138f + t * p;
        p = -0.28449672f + t * p;
        p = 0.2548296f + t * p;
        p = t * p;
        tail = (p * tvk_ref_exp(-(z * z))) * 0.5f;
        out[i] = x[i] * (x[i] < 0.0f ? tail : 1.0f - tail);
    }
}
