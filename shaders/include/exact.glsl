// The bit-defined functions of docs/numerics.md. `precise` on every result keeps a compiler from
// contracting; constants are literals because folding may happen in double.
#ifndef TVK_EXACT_GLSL
#define TVK_EXACT_GLSL

// 1 / x, x normal and positive
float tvk_rcp(float x)
{
    precise float y = uintBitsToFloat(0x7EF311C7u - floatBitsToUint(x));
    y = y * (2.0 - x * y);
    y = y * (2.0 - x * y);
    y = y * (2.0 - x * y);
    y = y * (2.0 - x * y);
    return y;
}

// 1 / sqrt(x), x normal and positive
float tvk_rsqrt(float x)
{
    precise float h = 0.5 * x;
    precise float y = uintBitsToFloat(0x5F3759DFu - (floatBitsToUint(x) >> 1));
    y = y * (1.5 - (h * y) * y);
    y = y * (1.5 - (h * y) * y);
    y = y * (1.5 - (h * y) * y);
    y = y * (1.5 - (h * y) * y);
    return y;
}

// a / b, b > 0: the quotient by reciprocal, corrected by its residual (product split after Dekker)
float tvk_div(float a, float b)
{
    precise float i = tvk_rcp(b);
    precise float q = a * i;
    precise float cq = 4097.0 * q;
    precise float qh = cq - (cq - q);
    precise float ql = q - qh;
    precise float cb = 4097.0 * b;
    precise float bh = cb - (cb - b);
    precise float bl = b - bh;
    precise float p = q * b;
    precise float err = (((qh * bh - p) + qh * bl) + ql * bh) + ql * bl;
    precise float e = (a - p) - err;
    precise float r = q + e * i;
    return r;
}

// e^x; 0 below -60, as 60 above
float tvk_exp(float x)
{
    precise float c = min(x, 60.0);
    precise float n = roundEven(c * 1.44269504);
    precise float r = (c - n * 0.693145751953125) - n * 1.42860677e-6;
    precise float y = 0.008333334 + r * 0.0013888889;
    y = 0.041666668 + r * y;
    y = 0.16666667 + r * y;
    y = 0.5 + r * y;
    y = 1.0 + r * y;
    y = 1.0 + r * y;
    // far below -60 the exponent would wrap, but that value is not taken
    y = y * uintBitsToFloat(uint(int(max(n, -126.0)) + 127) << 23);
    return x < -60.0 ? 0.0 : y;
}

float tvk_sigmoid(float v)
{
    precise float e = 1.0 + tvk_exp(-v);
    return tvk_rcp(e);
}

// x Phi(x); the tail of the normal distribution by Abramowitz and Stegun 7.1.26
float tvk_gelu(float x)
{
    precise float z = abs(x) * 0.70710677;
    precise float b = 1.0 + z * 0.3275911;
    precise float t = tvk_rcp(b);
    precise float y = -1.4531521 + t * 1.0614054;
    y = 1.4214138 + t * y;
    y = -0.28449672 + t * y;
    y = 0.2548296 + t * y;
    y = t * y;
    precise float square = z * z;
    precise float tail = (y * tvk_exp(-square)) * 0.5;
    precise float phi = x < 0.0 ? tail : 1.0 - tail;
    precise float g = x * phi;
    return g;
}

float tvk_dot4(vec4 a, vec4 b)
{
    precise vec4 p = a * b;
    precise float s = (p.x + p.y) + (p.z + p.w);
    return s;
}

#endif
