/* config.json of a Hugging Face folder. */
#include "target.h"

#include "hf_config.h"

static void ignore(void *user, tvk_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fuzz_require(fuzz_is_reason(text), "a message is one line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const tvk_log log = {ignore, NULL, TVK_LOG_DEBUG};
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    tvk_hf_config config;
    tvk_error err = {0};
    if (!root) return 0;
    if (tvk_hf_config_read(root, &log, &config, &err) == TVK_OK) {
        const tvk_shape *s = &config.shape;
        fuzz_require(s->layers && s->hidden && s->ffn && s->heads && s->kv_heads && s->vocab,
                     "sizes are above 0");
        fuzz_require(s->heads % s->kv_heads == 0 && s->activation, "heads divide");
    } else {
        fuzz_require(fuzz_is_reason(err.text), "a failure has a reason of one line");
    }
    json_decref(root);
    return 0;
}
