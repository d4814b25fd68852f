#include "support/hf_folder.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

#define MAX_HEADER 8192

const char *hf_folder_config(void)
{
    return "{\"architectures\": [\"BitNetForCausalLM\"], \"hidden_size\": 16, "
           "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"num_key_value_heads\": 1, "
           "\"intermediate_size\": 32, \"vocab_size\": 8, \"tie_word_embeddings\": true, "
           "\"quantization_config\": {\"quant_method\": \"bitnet\", \"linear_class\": "
           "\"autobitlinear\", \"quantization_mode\": \"online\"}}";
}

static size_t size_of(tvk_dim dim)
{
    static const size_t sizes[TVK_DIM_COUNT] = {
        [TVK_DIM_ONE] = 1,          [TVK_DIM_HIDDEN] = HF_HIDDEN, [TVK_DIM_FFN] = HF_FFN,
        [TVK_DIM_VOCAB] = HF_VOCAB, [TVK_DIM_Q] = HF_HIDDEN,      [TVK_DIM_KV] = HF_HIDDEN / 2};
    return sizes[dim];
}

typedef struct header {
    char text[MAX_HEADER];
    size_t at, data;
} header;

static void add(header *h, const char *prefix, const tvk_name_row *row)
{
    size_t n = size_of(row->n), k = size_of(row->k);
    size_t bytes = 4 * k * (row->role == TVK_ROLE_NORM ? 1 : n);
    char shape[48];
    if (row->role == TVK_ROLE_NORM)
        snprintf(shape, sizeof shape, "%zu", k);
    else
        snprintf(shape, sizeof shape, "%zu,%zu", n, k);
    h->at +=
        (size_t)snprintf(h->text + h->at, sizeof h->text - h->at,
                         "%s\"%s%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                         h->at > 1 ? "," : "", prefix, row->hf, shape, h->data, h->data + bytes);
    h->data += bytes;
}

unsigned char *hf_folder_safetensors(size_t *bytes)
{
    header h = {.text = "{", .at = 1};
    unsigned char *out;
    for (const tvk_name_row *row = tvk_names_model; row->hf; row++)
        if (!row->head) add(&h, "", row);
    for (const tvk_name_row *row = tvk_names_layer; row->hf; row++) add(&h, "model.layers.0.", row);
    h.text[h.at++] = '}';
    while (h.at % 8) h.text[h.at++] = ' ';
    *bytes = 8 + h.at + h.data;
    out = calloc(1, *bytes);
    if (!out) return NULL;
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(h.at >> (8 * i));
    memcpy(out + 8, h.text, h.at);
    for (size_t i = 0; i < h.data / 4; i++) { /* -0.5, 0, 0.5 ... */
        const float v = 0.5f * (float)((int)(i * 7 % 11 % 3) - 1);
        memcpy(out + 8 + h.at + 4 * i, &v, 4);
    }
    return out;
}
