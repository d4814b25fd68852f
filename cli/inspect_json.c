#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect.h"
#include "out.h"

/* Text of a file: what is not UTF-8 is replaced. NULL only without memory. */
static json_t *text_of(const char *s)
{
    json_t *v = json_string(s);
    return v ? v : json_string("(not UTF-8)");
}

static json_t *metadata_of(const tvk_file *file)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < tvk_file_meta_count(file); i++) {
        const char *key;
        char type[32], value[128];
        tvk_file_meta(file, i, &key, type, sizeof type, value, sizeof value);
        json_array_append_new(list, json_pack("{so ss so}", "key", text_of(key), "type", type,
                                              "value", text_of(value)));
    }
    return list;
}

static json_t *tensors_of(const tvk_weight_source *source)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < source->tensor_count(source->user); i++) {
        const tvk_tensor *t = source->tensor_at(source->user, i);
        json_t *shape = json_array();
        for (uint32_t d = t->dim_count; d-- > 0;)
            json_array_append_new(shape, json_integer((json_int_t)t->dims[d]));
        json_array_append_new(list, json_pack("{so ss so sI}", "name", text_of(t->name), "type",
                                              tvk_dtype_name(t->type), "shape", shape, "bytes",
                                              (json_int_t)t->bytes));
    }
    return list;
}

static json_t *tokenizer_of(const inspection *i)
{
    const tvk_tokenizer *t = i->tokenizer;
    if (!t) return json_pack("{so}", "error", text_of(i->tokenizer_why));
    return json_pack("{si si si sb ss*}", "tokens", (int)tvk_tokenizer_vocab(t), "bos",
                     (int)tvk_tokenizer_bos(t), "eos", (int)tvk_tokenizer_eos(t), "adds_bos",
                     tvk_tokenizer_adds_bos(t), "chat_template",
                     i->chat ? tvk_chat_name(i->chat) : NULL);
}

static json_t *model_of(const inspection *i)
{
    const tvk_model_info *m = &i->model;
    if (i->model_error.status != TVK_OK)
        return json_pack("{so}", "error", text_of(i->model_error.text));
    return json_pack(
        "{so so ss ss so ss so sb sb sb si si si si si si si si sf sf sI so}", "architecture",
        text_of(m->architecture), "name", text_of(m->name), "graph", m->graph, "activation",
        m->activation, "activation_why", text_of(m->activation_why), "act_quant", m->act_quant,
        "act_quant_file", text_of(m->act_quant_file), "sub_norms", m->sub_norms, "tied_head",
        m->tied_head, "rope_interleaved", m->rope_interleaved, "layers", (int)m->layers, "hidden",
        (int)m->hidden, "ffn", (int)m->ffn, "heads", (int)m->heads, "kv_heads", (int)m->kv_heads,
        "head_size", (int)m->head_size, "vocab", (int)m->vocab, "weight_groups",
        (int)m->weight_groups, "rope_theta", (double)m->rope_theta, "norm_eps", (double)m->norm_eps,
        "parameters", (json_int_t)m->parameters, "unusual", text_of(m->odd));
}

static json_t *memory_of(const inspection *i)
{
    const tvk_model_info *m = &i->model;
    if (i->model_error.status != TVK_OK) return json_null();
    return json_pack("{si sI ss ss sI sI sI}", "context", (int)m->context, "weight_bytes",
                     (json_int_t)m->weight_bytes, "kv_k", engine_kv_name(m->kv_k), "kv_v",
                     engine_kv_name(m->kv_v), "kv_bytes_per_position",
                     (json_int_t)m->kv_bytes_per_position, "scratch_bytes",
                     (json_int_t)m->scratch_bytes, "needed_bytes", (json_int_t)inspect_needed(i));
}

static json_t *device_of(const inspection *i)
{
    if (i->device_error.status != TVK_OK)
        return json_pack("{so}", "error", text_of(i->device_error.text));
    return json_pack("{so so sI sI sb}", "name", text_of(i->device.name), "driver",
                     text_of(i->device.driver), "device_bytes", (json_int_t)i->device.device_bytes,
                     "available_bytes", (json_int_t)i->device.available_bytes, "fits",
                     i->model_error.status == TVK_OK &&
                         inspect_needed(i) <= i->device.available_bytes);
}

int inspect_print_json(const inspection *i)
{
    json_t *o = json_pack(
        "{so si sI so so so so so so}", "file", text_of(i->path), "gguf_version",
        (int)tvk_file_version(i->file), "bytes", (json_int_t)tvk_file_bytes(i->file), "model",
        model_of(i), "memory", memory_of(i), "device", device_of(i), "tokenizer", tokenizer_of(i),
        "metadata", metadata_of(i->file), "tensors", tensors_of(tvk_file_source(i->file)));
    char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
    if (text)
        puts(text);
    else
        out_error("inspect: no memory for the output");
    free(text);
    json_decref(o);
    return text ? 0 : 1;
}
