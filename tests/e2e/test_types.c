/* A device matrix that is made of tensors of different float types gives the bits of one whose
 * tensors are all F32. Files have such: bf16 tensors of a checkpoint are kept in f16 where that is
 * exact. */
#include "e2e/model_fixture.h"

#include "base/half.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WIDE 32
#define VOCAB 131
#define TOKENS 20

/* A file of which tensors with one of these names in theirs are F32. */
typedef struct widened {
    const tvk_weight_source *file;
    const char *const *names;
    tvk_tensor made[MAX_WIDE];
    uint32_t count;
} widened;

static const tvk_tensor *tensor(void *user, const char *name)
{
    widened *w = user;
    const tvk_tensor *t = w->file->tensor(w->file->user, name);
    bool wide = false;
    uint64_t count;
    float *data;
    for (uint32_t i = 0; w->names[i]; i++) wide = wide || strstr(name, w->names[i]);
    if (!t || !wide || t->type != TVK_F16) return t;
    for (uint32_t i = 0; i < w->count; i++)
        if (!strcmp(w->made[i].name, t->name)) return &w->made[i];
    assert_true(w->count < MAX_WIDE);
    count = t->bytes / 2;
    data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (uint64_t i = 0; i < count; i++) data[i] = tvk_f16_to_f32(((const uint16_t *)t->data)[i]);
    w->made[w->count] = *t;
    w->made[w->count].type = TVK_F32;
    w->made[w->count].data = data;
    w->made[w->count].bytes = count * 4;
    return &w->made[w->count++];
}

static uint32_t count_of(void *user)
{
    const widened *w = user;
    return w->file->tensor_count(w->file->user);
}

static const tvk_tensor *at(void *user, uint32_t i)
{
    const widened *w = user;
    return tensor(user, w->file->tensor_at(w->file->user, i)->name);
}

static bool get_u64(void *user, const char *key, uint64_t *out, tvk_error *err)
{
    const widened *w = user;
    return w->file->get_u64(w->file->user, key, out, err);
}

static bool get_f64(void *user, const char *key, double *out, tvk_error *err)
{
    const widened *w = user;
    return w->file->get_f64(w->file->user, key, out, err);
}

static bool get_bool(void *user, const char *key, bool *out, tvk_error *err)
{
    const widened *w = user;
    return w->file->get_bool(w->file->user, key, out, err);
}

static bool get_str(void *user, const char *key, const char **out, tvk_error *err)
{
    const widened *w = user;
    return w->file->get_str(w->file->user, key, out, err);
}

static uint64_t array_count(void *user, const char *key)
{
    const widened *w = user;
    return w->file->array_count(w->file->user, key);
}

static void logits(const tvk_file *file, const char *const *names, float *out)
{
    widened w = {.file = tvk_file_source(file), .names = names};
    const tvk_weight_source source = {&w,      w.file->name, tensor,   count_of, at,
                                      get_u64, get_f64,      get_bool, get_str,  array_count};
    const tvk_model_params params = {.exact = true, .batch = 16, .max_outputs = 4};
    int32_t ids[TOKENS];
    tvk_model *model = NULL;
    tvk_session *session = NULL;
    tvk_batch_item item = {NULL, ids, TOKENS, out};
    tvk_error err = {0};
    for (int32_t i = 0; i < TOKENS; i++) ids[i] = i * 29 % VOCAB;
    require_ok(tvk_model_create(device, &source, &params, &model, &err), &err);
    require_ok(tvk_session_create(model, &session, &err), &err);
    item.session = session;
    require_ok(tvk_eval(model, &item, 1, &err), &err);
    tvk_session_destroy(&session);
    tvk_model_destroy(&model);
    for (uint32_t i = 0; i < w.count; i++) free((void *)(uintptr_t)w.made[i].data);
}

static void mixed_equals_wide(void **state)
{
    static const char *const all[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_", NULL};
    static const char *const some[] = {"attn_k", "attn_output", "ffn_gate", "ffn_down", NULL};
    const tiny_spec spec = {.name = "types",
                            .arch = "llama",
                            .layers = 2,
                            .hidden = 96,
                            .ffn = 172,
                            .heads = 2,
                            .kv_heads = 2,
                            .head_size = 48,
                            .vocab = VOCAB,
                            .context = 64,
                            .linear = TVK_F16,
                            .embedding = TVK_F16,
                            .seed = 5};
    static float wide[TOKENS * VOCAB], mixed[TOKENS * VOCAB];
    tvk_file *file = tiny_file(&spec);
    (void)state;
    logits(file, all, wide);
    logits(file, some, mixed);
    assert_memory_equal(wide, mixed, sizeof wide);
    assert_true(wide[0] != wide[1]);
    tvk_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_equals_wide),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
