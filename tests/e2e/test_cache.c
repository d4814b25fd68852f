/* What the KV cache takes on the device: by what is allocated, and as a model's facts say it. */
#include "e2e/model_fixture.h"

/* A small model with the attention that is asked for. */
static tiny_spec with_attention(uint32_t layers, uint32_t heads, uint32_t kv_heads, uint32_t d)
{
    return (tiny_spec){.name = "cache",
                       .arch = "bitnet",
                       .layers = layers,
                       .hidden = 256,
                       .ffn = 256,
                       .heads = heads,
                       .kv_heads = kv_heads,
                       .head_size = d,
                       .vocab = 64,
                       .context = 4096,
                       .linear = TVK_TQ2_0,
                       .embedding = TVK_F16,
                       .sub_norms = true,
                       .tied = true,
                       .seed = 1};
}

/* Bytes that buffers of the cache hold while a session of so many positions is open. */
static uint64_t allocated(const tvk_file *file, tvk_kv_type type, uint32_t positions)
{
    const tvk_model_params params = {
        .kv_k = type, .kv_v = type, .context = positions, .batch = 16, .max_outputs = 1};
    tvk_model *model = NULL;
    tvk_session *session = NULL;
    tvk_memory_use before, use;
    tvk_error err = {0};
    tvk_device_memory(device, &before);
    assert_int_equal(before.by_purpose[TVK_PURPOSE_KV], 0);
    require_ok(tvk_model_create(device, tvk_file_source(file), &params, &model, &err), &err);
    require_ok(tvk_session_create(model, &session, &err), &err);
    assert_int_equal(tvk_model_get_info(model)->context, positions);
    tvk_device_memory(device, &use);
    tvk_session_destroy(&session);
    tvk_model_destroy(&model);
    return use.by_purpose[TVK_PURPOSE_KV];
}

/* The memory of 1,280 positions (ten pages) in f16 holds 4.7 times as many in q3 at head size 64,
 * 4.9 times at 128. */
static void q3_holds_more_positions(void **state)
{
    static const struct {
        uint32_t head_size, q3_positions;
    } sizes[] = {{64, 1280 * 47 / 10}, {128, 1280 * 49 / 10}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t d = sizes[i].head_size;
        const tiny_spec spec = with_attention(2, 4, 2, d);
        tvk_file *file = tiny_file(&spec);
        uint64_t f16 = allocated(file, TVK_KV_F16, 1280);
        uint64_t q3 = allocated(file, TVK_KV_Q3, sizes[i].q3_positions);
        /* two layers of two heads, keys and values */
        assert_int_equal(f16, 2ull * 2 * 2 * 1280 * d * 2);
        if (q3 > f16)
            fail_msg("head size %u: %u positions of q3 take %llu bytes, 1280 of f16 %llu", d,
                     sizes[i].q3_positions, (unsigned long long)q3, (unsigned long long)f16);
        tvk_file_close(&file);
    }
}

/* The attention of BitNet b1.58 2B4T: 30 layers, 5 KV heads of 128. 38,400 values a position and
 * 300 scales of two bytes; under q3 a page has rows at four bits for a position 0: 30 * 10 * 64 /
 * 128 bytes a position more. */
static void bytes_a_position_of_2b4t(void **state)
{
    const tiny_spec spec = with_attention(30, 20, 5, 128);
    static const struct {
        tvk_kv_type k, v;
        uint64_t bytes;
    } types[] = {
        {TVK_KV_F32, TVK_KV_F32, 153600},          {TVK_KV_F16, TVK_KV_F16, 76800},
        {TVK_KV_Q8, TVK_KV_Q8, 38400 + 600},       {TVK_KV_Q4, TVK_KV_Q4, 19200 + 600},
        {TVK_KV_Q3, TVK_KV_Q3, 14400 + 600 + 150}, {TVK_KV_Q4, TVK_KV_Q3, 9600 + 7200 + 600 + 75},
    };
    tvk_file *file = tiny_file(&spec);
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const tvk_model_params params = {.kv_k = types[i].k, .kv_v = types[i].v};
        tvk_model_info info;
        tvk_error err = {0};
        require_ok(tvk_model_describe(tvk_file_source(file), &params, &info, &err), &err);
        assert_int_equal(info.kv_bytes_per_position, types[i].bytes);
    }
    /* and a page of it, 128 positions, takes what was said */
    assert_int_equal(allocated(file, TVK_KV_Q3, 128), 128 * 15150);
    tvk_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q3_holds_more_positions),
        cmocka_unit_test(bytes_a_position_of_2b4t),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
