// The gated unit of gate a and up b: ReLU^2 (max(a,0)^2) b, SiLU (a sigmoid(a)) b. Needs exact.glsl.
#ifndef TVK_GATE_GLSL
#define TVK_GATE_GLSL

// gate: TVK_GATE_RELU2 or TVK_GATE_SILU, a constant
float tvk_gated(uint gate, float a, float b)
{
    if (gate == TVK_GATE_RELU2) {
        float m = max(a, 0.0);
        precise float v = (m * m) * b;
        return v;
    }
    precise float v = (a * tvk_sigmoid(a)) * b;
    return v;
}

#endif
