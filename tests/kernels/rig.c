#include "tests/kernels/rig.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define GUARD_BYTES 256u /* a multiple of every storage alignment that Vulkan allows */
#define GUARD_WORDS (GUARD_BYTES / 4u)

tvk_status tvk_rig_array(tvk_rig *rig, const char *name, uint64_t count, uint32_t row, bool output,
                         tvk_array **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_array *a;
    uint64_t whole = count + 2 * GUARD_WORDS;
    *out = NULL;
    if (rig->array_count == TVK_RIG_ARRAYS) TVK_FAIL(TVK_ERR_INTERNAL, "too many arrays in a case");
    if (count * 4 > tvk_gpu_plan(rig->device)->max_storage_bytes)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s takes %llu bytes, one binding of this device %llu", name,
                 (unsigned long long)count * 4,
                 (unsigned long long)tvk_gpu_plan(rig->device)->max_storage_bytes);
    a = &rig->arrays[rig->array_count];
    a->name = name;
    a->count = count;
    a->row = row ? row : (uint32_t)count;
    a->words = tvk_arena_alloc(&rig->arena, (size_t)whole, 4);
    TVK_TRY_ALLOC(a->words);
    for (uint64_t i = 0; i < whole; i++) a->words[i] = TVK_POISON;
    if (output) {
        a->want = tvk_arena_alloc(&rig->arena, (size_t)whole, 4);
        TVK_TRY_ALLOC(a->want);
        memcpy(a->want, a->words, (size_t)whole * 4);
        a->want += GUARD_WORDS;
    }
    a->words += GUARD_WORDS;
    TVK_TRY(tvk_buffer_create(rig->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, whole * 4, name,
                              &a->buffer, err));
    a->span = tvk_span_sub(tvk_buffer_span(a->buffer), GUARD_BYTES, count * 4);
    rig->array_count++;
    *out = a;
fail:
    return st;
}

uint32_t tvk_rig_pieces(const tvk_rig *rig, uint32_t wanted, uint64_t bytes)
{
    /* one more than it takes, for pieces that are a row larger than others */
    uint64_t limit = tvk_gpu_plan(rig->device)->max_storage_bytes;
    uint64_t needed = bytes > limit ? bytes / limit + 2 : 1;
    if (needed > TVK_MAX_PIECES) needed = TVK_MAX_PIECES;
    return needed > wanted ? (uint32_t)needed : wanted;
}

tvk_status tvk_rig_skip_all(tvk_rig *rig, tvk_array *array, tvk_error *err)
{
    tvk_status st = TVK_OK;
    array->skip = tvk_arena_alloc(&rig->arena, (size_t)array->count, 1);
    TVK_TRY_ALLOC(array->skip);
    memset(array->skip, 1, (size_t)array->count);
fail:
    return st;
}

void tvk_rig_compare(tvk_array *array, uint64_t first, uint64_t count)
{
    if (array->skip) memset(array->skip + first, 0, (size_t)count);
}

tvk_status tvk_rig_state(tvk_rig *rig, const tvk_rig_layout *shape, const tvk_rig_row *rows,
                         uint32_t count, bool output, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_rig_layout *l = &rig->layout;
    uint32_t *words;
    *l = *shape;
    l->outs_word = TVK_STATE_ROWS + l->batch * TVK_ROW_WORDS;
    l->pages_word = l->outs_word + l->max_outs * TVK_OUT_WORDS;
    l->slots_word = l->pages_word + l->slots * l->max_pages;
    l->history_word = l->slots_word + l->slots * TVK_SLOT_WORDS;
    l->words = l->history_word + l->slots * l->context;
    TVK_TRY(tvk_rig_array(rig, "state", l->words, 0, output, &rig->state, err));
    words = rig->state->words;
    rig->rows = count;
    rig->outs = rig->chunks = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *row = words + TVK_STATE_ROWS + i * TVK_ROW_WORDS;
        uint32_t chunks = rows[i].position / TVK_CHUNK + 1;
        row[0] = rows[i].slot;
        row[1] = rows[i].position;
        row[2] = rows[i].token;
        row[3] = TVK_NO_OUTPUT;
        if (chunks > rig->chunks) rig->chunks = chunks;
        if (rows[i].flags & TVK_REQUEST_OUTPUT) {
            uint32_t *out = words + l->outs_word + rig->outs * TVK_OUT_WORDS;
            out[0] = i;
            out[1] = rows[i].flags;
            row[3] = rig->outs++;
        }
    }
    words[TVK_STATE_COUNT] = rig->rows;
    words[TVK_STATE_OUTS] = rig->outs;
    words[TVK_STATE_CHUNKS] = rig->chunks;
    words[TVK_STATE_SEQ] = 3;
    for (uint32_t s = 0; s < l->slots; s++) {
        for (uint32_t p = 0; p < l->max_pages; p++)
            words[l->pages_word + s * l->max_pages + p] = tvk_rig_page(l, s, p);
    }
    if (output) memcpy(rig->state->want, words, (size_t)l->words * 4);
fail:
    return st;
}

uint32_t tvk_rig_page(const tvk_rig_layout *layout, uint32_t slot, uint32_t page)
{
    static const uint32_t steps[] = {7, 11, 13, 17, 19, 23};
    uint32_t pages = layout->slots * layout->max_pages;
    size_t i = 0;
    while (pages % steps[i] == 0) i++; /* a prime that does not divide: every page once */
    return pages - 1 - (slot * layout->max_pages + page) * steps[i] % pages;
}

uint32_t tvk_rig_hash(uint32_t seed, uint32_t i)
{
    uint32_t x = i * 0x9E3779B1u + seed * 0x85EBCA77u + 0x27D4EB2Fu;
    x = (x ^ x >> 15) * 0x2C1B3C6Du;
    x = (x ^ x >> 12) * 0x297A2D39u;
    return x ^ x >> 15;
}

float tvk_rig_float(uint32_t seed, uint32_t i)
{
    return (float)((int32_t)(tvk_rig_hash(seed, i) >> 8) - 8388608) * 1.1920928955078125e-7f;
}

void tvk_rig_fill(uint32_t *words, uint64_t count, uint32_t seed, float size)
{
    for (uint64_t i = 0; i < count; i++)
        words[i] = tvk_f32_bits(size * tvk_rig_float(seed, (uint32_t)i));
}

const char *tvk_rig_cache_name(uint32_t type)
{
    static const char *const names[] = {"f16", "f32", "q8", "q4", "q3"};
    return names[type];
}

void tvk_rig_types(tvk_cache_types types, char *text, size_t bytes)
{
    const char *k = tvk_rig_cache_name(types.k), *v = tvk_rig_cache_name(types.v);
    if (types.q)
        snprintf(text, bytes, "%s %s %s", k, v, tvk_rig_cache_name(types.q));
    else
        snprintf(text, bytes, types.k == types.v ? "%s" : "%s %s", k, v);
}

uint32_t tvk_rig_cache_pack(tvk_cache_types types, bool v, uint32_t position, const float *x,
                            uint32_t d, uint32_t *words, uint16_t *scale)
{
    uint32_t type = v ? types.v : types.k;
    if (type == TVK_CACHE_Q3 && position == 0) type = TVK_CACHE_Q4;
    tvk_ref_kv_pack(type, x, d, words, scale);
    return type;
}

uint64_t tvk_rig_cache_word(tvk_cache_types types, bool v, uint32_t kv_heads, uint32_t d,
                            uint32_t position, uint32_t g, uint32_t w)
{
    uint32_t type = v ? types.v : types.k, words = TVK_CACHE_ROW_WORDS(type, d);
    uint64_t j = position % TVK_CHUNK, at = v ? TVK_CACHE_V(types.k, kv_heads, d) : 0;
    if (type == TVK_CACHE_Q3 && position == 0) {
        return (v ? TVK_CACHE_FIRST_V(types.k, types.v, kv_heads, d)
                  : TVK_CACHE_FIRST_K(types.k, types.v, kv_heads, d)) +
               g * TVK_CACHE_ROW_WORDS(TVK_CACHE_Q4, d) + w;
    }
    if (!v && TVK_CACHE_PACKED(type)) return at + ((uint64_t)g * words + w) * TVK_CHUNK + j;
    return at + (g * TVK_CHUNK + j) * words + w;
}

uint32_t tvk_rig_t2_pad(uint32_t word, uint32_t w, uint32_t k)
{
    for (uint32_t v = 0; v < 16; v++) {
        uint32_t shift = 8 * (v % 4) + 2 * (v / 4);
        if (16 * w + v >= k) word = (word & ~(3u << shift)) | 1u << shift;
    }
    return word;
}

uint32_t tvk_rig_t2_word(uint32_t row, uint32_t w, uint32_t k)
{
    uint32_t bits = tvk_rig_hash(row, w); /* two random bits a code, 3 becomes 1 */
    uint32_t threes = bits & bits >> 1 & 0x55555555u;
    return tvk_rig_t2_pad(bits ^ threes << 1, w, k);
}
