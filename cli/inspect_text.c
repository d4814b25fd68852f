#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inspect.h"
#include "out.h"

#define KEY "  %-24s "

static void print_metadata(const tvk_file *file)
{
    printf("metadata (GGUF version %u)\n", tvk_file_version(file));
    for (uint32_t i = 0; i < tvk_file_meta_count(file); i++) {
        const char *key;
        char type[32], value[128];
        tvk_file_meta(file, i, &key, type, sizeof type, value, sizeof value);
        printf("  %-44s %-12s %s\n", key, type, value);
    }
}

static void print_tensors(const tvk_weight_source *source)
{
    uint64_t by_type[TVK_DTYPE_COUNT] = {0}, all = 0;
    uint32_t count = source->tensor_count(source->user);
    char text[32];
    printf("\ntensors\n");
    for (uint32_t i = 0; i < count; i++) {
        const tvk_tensor *t = source->tensor_at(source->user, i);
        char shape[96];
        int at = 0;
        /* our order: rows first, the contiguous axis last */
        for (uint32_t d = t->dim_count; d-- > 0;)
            at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%" PRIu64, at ? ", " : "",
                           t->dims[d]);
        printf("  %-32s %-6s [%s]  %s\n", t->name, tvk_dtype_name(t->type), shape,
               out_bytes(t->bytes, text, sizeof text));
        if ((uint32_t)t->type < TVK_DTYPE_COUNT) by_type[t->type] += t->bytes;
        all += t->bytes;
    }
    printf("  %u tensors, %s:", count, out_bytes(all, text, sizeof text));
    for (int t = 0; t < TVK_DTYPE_COUNT; t++)
        if (by_type[t])
            printf(" %s %s", tvk_dtype_name((tvk_dtype)t),
                   out_bytes(by_type[t], text, sizeof text));
    putchar('\n');
}

static void print_tokenizer(const inspection *i)
{
    const tvk_tokenizer *t = i->tokenizer;
    printf("\ntokenizer\n");
    if (!t)
        printf("  none to use: %s\n", i->tokenizer_why);
    else
        printf("  %u tokens, begin %d%s, end %d\n", tvk_tokenizer_vocab(t), tvk_tokenizer_bos(t),
               tvk_tokenizer_adds_bos(t) ? " (added)" : "", tvk_tokenizer_eos(t));
    if (i->chat) printf("  chat template %s (%s)\n", tvk_chat_name(i->chat), i->chat_why);
    if (t && !i->chat) printf("  chat template: %s\n", i->chat_error.text);
}

static void print_model(const tvk_model_info *m)
{
    printf("\nmodel\n");
    printf(KEY "%s (%s)\n", "architecture", m->architecture, m->name);
    printf(KEY "%s, %s, %s head\n", "graph", m->graph,
           m->layer_norm  ? "sign weights, LayerNorm inside each linear"
           : m->sub_norms ? "sub-norms"
                          : "no sub-norms",
           m->tied_head ? "tied" : "separate");
    printf(KEY "%s: %s\n", "activation function", m->activation, m->activation_why);
    printf(KEY "%s%s%s\n", "activations", m->act_quant,
           m->act_quant_file[0] ? "; the file asks for " : "", m->act_quant_file);
    if (m->weight_groups > 1) printf(KEY "%u\n", "weight groups", m->weight_groups);
    if (strcmp(m->act_quant, "none") != 0 && m->skip[TVK_SKIP_DOWN].zeros > 0)
        printf(KEY "%.0f %% of the attention output's inputs, %.0f %% of the gates, %.0f %% of "
                   "down's inputs\n",
               "zeros expected", 100 * (double)m->skip[TVK_SKIP_O].zeros,
               100 * (double)m->skip[TVK_SKIP_UP].zeros,
               100 * (double)m->skip[TVK_SKIP_DOWN].zeros);
    printf(KEY "%u layers, %u wide, FFN %u\n", "size", m->layers, m->hidden, m->ffn);
    printf(KEY "%u heads of %u, %u KV heads\n", "attention", m->heads, m->head_size, m->kv_heads);
    printf(KEY "%s (-ctq f32, q8 or q4)\n", "queries in the scores", engine_q_name(m->q));
    printf(KEY "theta %g, %s pairs; norm epsilon %g\n", "rotation", (double)m->rope_theta,
           m->rope_interleaved ? "interleaved" : "half-split", (double)m->norm_eps);
    printf(KEY "%u tokens, %u positions\n", "vocabulary, context", m->vocab, m->context);
    printf(KEY "%" PRIu64 "\n", "parameters", m->parameters);
}

static void print_memory(const inspection *i)
{
    static const tvk_kv_type types[] = {TVK_KV_F32, TVK_KV_F16, TVK_KV_Q8, TVK_KV_Q4, TVK_KV_Q3};
    const tvk_model_info *m = &i->model;
    uint64_t needed = inspect_needed(i);
    char text[32], other[32];
    printf("\nmemory on the device, one session of %u positions (-c)\n", m->context);
    printf(KEY "%s\n", "weights", out_bytes(m->weight_bytes, text, sizeof text));
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        uint64_t a_position, all = inspect_kv_bytes(i, types[t], &a_position);
        if (all == 0) continue;
        printf(KEY "%3s %" PRIu64 " bytes a position, %s%s\n", t ? "" : "KV cache",
               engine_kv_name(types[t]), a_position, out_bytes(all, text, sizeof text),
               types[t] == m->kv_k && types[t] == m->kv_v ? " (chosen)" : "");
    }
    printf(KEY "%s\n", "scratch", out_bytes(m->scratch_bytes, text, sizeof text));
    printf(KEY "%s\n", "in all", out_bytes(needed, text, sizeof text));
    if (i->device_error.status != TVK_OK)
        printf(KEY "none here: %s\n", "device", i->device_error.text);
    else
        printf(KEY "%s: %s of %s free: %s\n", "device", i->device.name,
               out_bytes(i->device.available_bytes, text, sizeof text),
               out_bytes(i->device.device_bytes, other, sizeof other),
               needed <= i->device.available_bytes ? "it fits" : "IT DOES NOT FIT");
}

void inspect_print(const inspection *i)
{
    print_metadata(i->file);
    print_tensors(tvk_file_source(i->file));
    print_tokenizer(i);
    if (i->model_error.status == TVK_OK) {
        print_model(&i->model);
        print_memory(i);
        if (i->model.odd[0]) printf("\nunusual: %s\n", i->model.odd);
    }
    fflush(stdout);
}
