#include "gguf_types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_I2_S 36

static const struct {
    uint32_t number;
    const char *name;
    int dtype;
} types[] = {
#define TVK_GGUF_TENSOR(number, name, dtype) {number, name, dtype},
#include "gguf_types.def"
#undef TVK_GGUF_TENSOR
};

/* Numbers that bitnet.cpp took while ggml used them for something else, before or after. */
static const struct {
    uint32_t number;
    const char *fork, *ggml;
    uint32_t ggml_elems, ggml_bytes; /* a block of ggml's type */
    const char *why;                 /* the fork's type is not read */
} clashes[] = {
    {37, "I8_S", "IQ4_NL_4_8", 32, 18, ""},
    {38, "TL1", "IQ4_NL_8_8", 32, 18,
     "; the byte order of TL1 depends on kernel settings that the file does not hold: convert the "
     "model from its I2_S file or its original folder"},
    {39, "TL2", "MXFP4", 32, 17,
     "; the byte order of TL2 depends on kernel settings that the file does not hold: convert the "
     "model from its I2_S file or its original folder"},
};

tvk_status tvk_gguf_find_type(const char *tensor, uint32_t number, size_t at, tvk_dtype *out,
                              bool *found, tvk_error *err)
{
    const char *name = NULL;
    *found = false;
    for (size_t i = 0; i < sizeof clashes / sizeof *clashes; i++)
        if (clashes[i].number == number) return TVK_OK;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].number != number) continue;
        if (types[i].dtype >= 0) {
            *out = (tvk_dtype)types[i].dtype;
            *found = true;
            return TVK_OK;
        }
        name = types[i].name;
    }
    if (!name)
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "tensor '%.80s': unknown type number %" PRIu32 " at byte %zu", tensor,
                             number, at);
    return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                         "tensor '%.80s': type %s (number %" PRIu32
                         ", at byte %zu) is not read by ternvk",
                         tensor, name, number, at);
}

/* ---- two meanings ---- */

/* Bytes from a tensor's begin to the next one's, or to the end of the file. */
static uint64_t room_of(const tvk_gguf *g, const tvk_gguf_places *p, uint32_t index)
{
    uint64_t next = p->data_bytes;
    for (uint32_t i = 0; i < g->tensor_count; i++)
        if (p->offsets[i] > p->offsets[index] && p->offsets[i] < next) next = p->offsets[i];
    return next > p->offsets[index] ? next - p->offsets[index] : 0;
}

static bool is_bitnet(const tvk_gguf *g)
{
    const tvk_gguf_kv *kv = tvk_gguf_find(g, "general.architecture");
    return kv && kv->type == TVK_GGUF_STRING && strncmp(kv->str, "bitnet", 6) == 0;
}

tvk_status tvk_gguf_refuse_clash(const tvk_gguf *g, const tvk_gguf_places *places, uint32_t index,
                                 uint32_t number, tvk_error *err)
{
    const tvk_tensor *t = &g->tensors[index];
    uint64_t room = room_of(g, places, index), rows = t->dims[1] * t->dims[2] * t->dims[3], bytes;
    size_t i = 0;
    bool ggml;
    while (clashes[i].number != number) i++;
    /* sizes of ggml's types are exact but for the padding, those of the fork's are not known here;
     * a product that overflows is no size of either */
    bytes = t->dims[0] / clashes[i].ggml_elems * clashes[i].ggml_bytes * rows;
    ggml = !is_bitnet(g) && room >= bytes && room - bytes < places->alignment;
    return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                         "tensor '%.80s': type %s (number %" PRIu32
                         ", which is %s in %s) is not read by ternvk%s",
                         t->name, ggml ? clashes[i].ggml : clashes[i].fork, number,
                         ggml ? clashes[i].fork : clashes[i].ggml, ggml ? "bitnet.cpp" : "ggml",
                         ggml ? "" : clashes[i].why);
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Number 36 was IQ4_NL_4_4 in ggml before it was I2_S in bitnet.cpp; the room that a tensor has
 * tells them apart (2 bits a value, or 4.5). */
tvk_status tvk_gguf_check_i2_s(const tvk_gguf *g, const tvk_gguf_places *places, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t *sorted = malloc((g->tensor_count + (size_t)1) * sizeof *sorted);
    TVK_TRY_ALLOC(sorted);
    memcpy(sorted, places->offsets, g->tensor_count * sizeof *sorted);
    qsort(sorted, g->tensor_count, sizeof *sorted, compare_u64);
    for (uint32_t i = 0; i < g->tensor_count; i++) {
        const tvk_tensor *t = &g->tensors[i];
        uint32_t lo = 0, hi = g->tensor_count; /* first offset beyond this tensor's */
        uint64_t room;
        if (t->type != TVK_I2_S) continue;
        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;
            if (sorted[mid] <= places->offsets[i])
                lo = mid + 1;
            else
                hi = mid;
        }
        room = (lo < g->tensor_count ? sorted[lo] : places->data_bytes) - places->offsets[i];
        if (room < t->bytes || room - t->bytes > t->bytes + places->alignment)
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "tensor '%.80s': type number %d with room for %" PRIu64
                     " bytes is not I2_S, which needs %" PRIu64
                     " (older ggml files use the number for IQ4_NL_4_4)",
                     t->name, NUMBER_I2_S, room, t->bytes);
    }
fail:
    free(sorted);
    return st;
}
