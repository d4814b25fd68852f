#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "out.h"

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

/* What the types of the cache cost, keys and values alike. */
static void print_kv(const tvk_weight_source *source, const tvk_model_info *m)
{
    static const tvk_kv_type types[] = {TVK_KV_F32, TVK_KV_F16, TVK_KV_Q8, TVK_KV_Q4, TVK_KV_Q3};
    char text[32];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const tvk_model_params params = {.kv_k = types[i], .kv_v = types[i]};
        tvk_model_info info;
        tvk_error err;
        if (tvk_model_describe(source, &params, &info, &err) != TVK_OK) return;
        printf("  %-20s %3s %" PRIu64 " bytes a position, %s for %u%s\n", i ? "" : "KV cache",
               engine_kv_name(types[i]), info.kv_bytes_per_position,
               out_bytes(info.kv_bytes_per_position * m->context, text, sizeof text), m->context,
               types[i] == m->kv_k ? " (default)" : "");
    }
}

static void print_model(const tvk_weight_source *source, const tvk_model_info *m)
{
    char text[32];
    printf("\nmodel\n");
    printf("  %-24s %s (%s)\n", "architecture", m->architecture, m->name);
    printf("  %-24s %s, %s, %s head\n", "graph", m->graph,
           m->layer_norm  ? "sign weights, LayerNorm inside each linear"
           : m->sub_norms ? "sub-norms"
                          : "no sub-norms",
           m->tied_head ? "tied" : "separate");
    printf("  %-24s %s: %s\n", "activation function", m->activation, m->activation_why);
    printf("  %-24s %s%s%s\n", "activations", m->act_quant,
           m->act_quant_file[0] ? "; the file asks for " : "", m->act_quant_file);
    if (m->weight_groups > 1) printf("  %-24s %u\n", "weight groups", m->weight_groups);
    if (strcmp(m->act_quant, "none") != 0 && m->skip[TVK_SKIP_DOWN].zeros > 0)
        printf("  %-24s %.0f %% of the attention output's inputs, %.0f %% of the gates, %.0f %% of "
               "down's inputs\n",
               "zeros expected", 100 * (double)m->skip[TVK_SKIP_O].zeros,
               100 * (double)m->skip[TVK_SKIP_UP].zeros,
               100 * (double)m->skip[TVK_SKIP_DOWN].zeros);
    printf("  %-24s %u layers, %u wide, FFN %u\n", "size", m->layers, m->hidden, m->ffn);
    printf("  %-24s %u heads of %u, %u KV heads\n", "attention", m->heads, m->head_size,
           m->kv_heads);
    printf("  %-24s %s (-ctq f32, q8 or q4)\n", "queries in the scores", engine_q_name(m->q));
    printf("  %-24s theta %g, %s pairs; norm epsilon %g\n", "rotation", m->rope_theta,
           m->rope_interleaved ? "interleaved" : "half-split", m->norm_eps);
    printf("  %-24s %u tokens, %u positions\n", "vocabulary, context", m->vocab, m->context);
    printf("  %-24s %" PRIu64 "\n", "parameters", m->parameters);
    printf("\nmemory on the device\n");
    printf("  %-24s %s\n", "weights", out_bytes(m->weight_bytes, text, sizeof text));
    print_kv(source, m);
    printf("  %-24s %s\n", "scratch", out_bytes(m->scratch_bytes, text, sizeof text));
    if (m->odd[0]) printf("\nunusual: %s\n", m->odd);
}

int cmd_inspect(int argc, char **argv)
{
    const char *path = NULL;
    const arg_option options[] = {
        {ARG_INCLUDE, NULL, NULL, (void *)engine_file_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "inspect", "[FILE]", "metadata, tensors, memory, and what ternvk does with the file",
        options,   &path,    0,
        1};
    engine e = {0};
    tvk_model_info info;
    tvk_error err;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (path) engine_given.model = path;
    status = engine_open_file(&e);
    if (!status) {
        print_metadata(e.file);
        print_tensors(tvk_file_source(e.file));
        if (e.tokenizer)
            printf("\ntokenizer\n  %u tokens, begin %d%s, end %d\n",
                   tvk_tokenizer_vocab(e.tokenizer), tvk_tokenizer_bos(e.tokenizer),
                   tvk_tokenizer_adds_bos(e.tokenizer) ? " (added)" : "",
                   tvk_tokenizer_eos(e.tokenizer));
        else
            printf("\ntokenizer\n  none to use: %s\n", e.tokenizer_error.text);
        fflush(stdout);
        if (tvk_model_describe(tvk_file_source(e.file), NULL, &info, &err) == TVK_OK)
            print_model(tvk_file_source(e.file), &info);
        else
            status = out_failed(&err);
    }
    engine_close(&e);
    return status;
}
