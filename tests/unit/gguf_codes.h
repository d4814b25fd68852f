/* Ternary tensors of a GGUF, decoded apart from the loader. */
#ifndef TEST_GGUF_CODES_H
#define TEST_GGUF_CODES_H

#include "loader_files.h"

#include "base/half.h"
#include "ternvk/loader.h"

/* Code and scale of value i of a ternary tensor, a ".scale" beside it included: the layouts of
 * docs/formats.md, read value by value. */
static inline int gguf_code(const tvk_weight_source *s, const tvk_tensor *t, uint64_t i,
                            float *scale)
{
    static const unsigned pow3[5] = {1, 3, 9, 27, 81};
    const unsigned char *p = t->data, *b;
    unsigned j = (unsigned)(i % 256), at, digit;
    uint16_t d = 0;
    char name[96];
    const tvk_tensor *side;
    float f;
    int code;
    if (t->type == TVK_I2_S) {
        memcpy(scale, p + t->dims[0] * t->dims[1] / 4, 4);
        return (p[i / 128 * 32 + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3) - 1;
    }
    if (t->type == TVK_TQ2_0) {
        b = p + i / 256 * 66;
        code = (b[32 * (j / 128) + j % 32] >> (2 * (j % 128 / 32)) & 3) - 1;
        memcpy(&d, b + 64, 2);
    } else {
        assert_int_equal(t->type, TVK_TQ1_0);
        b = p + i / 256 * 54;
        if (j < 160)
            at = j % 32, digit = j / 32;
        else if (j < 240)
            at = 32 + j % 16, digit = (j - 160) / 16;
        else
            at = 48 + j % 4, digit = (j - 240) / 4;
        code = (int)((b[at] * pow3[digit] % 256) * 3 >> 8) - 1;
        memcpy(&d, b + 52, 2);
    }
    *scale = tvk_f16_to_f32(d);
    snprintf(name, sizeof name, "%.*sscale", (int)strlen(t->name) - 6, t->name);
    side = s->tensor(s->user, name);
    if (side) {
        assert_int_equal(side->type, TVK_F32);
        assert_int_equal(side->bytes, 4);
        assert_true(*scale == 1.0f); /* never two scales that differ from 1 */
        memcpy(&f, side->data, 4);
        *scale = f;
    }
    return code;
}

#endif
