#include "names.h"

#include <stdlib.h>
#include <string.h>

const tvk_name_row tvk_names_model[] = {
    {.hf = "model.embed_tokens.weight",
     .gguf = "token_embd.weight",
     .role = TVK_ROLE_EMBEDDING,
     .n = TVK_DIM_VOCAB,
     .k = TVK_DIM_HIDDEN},
    {.hf = "model.norm.weight",
     .gguf = "output_norm.weight",
     .role = TVK_ROLE_NORM,
     .k = TVK_DIM_HIDDEN},
    {.hf = "lm_head.weight",
     .gguf = "output.weight",
     .role = TVK_ROLE_EMBEDDING,
     .n = TVK_DIM_VOCAB,
     .k = TVK_DIM_HIDDEN,
     .head = true},
    {0},
};

const tvk_name_row tvk_names_layer[] = {
    {.hf = "input_layernorm.weight",
     .gguf = "attn_norm.weight",
     .role = TVK_ROLE_NORM,
     .k = TVK_DIM_HIDDEN,
     .not_b1 = true},
    {.hf = "self_attn.q_proj.weight",
     .gguf = "attn_q.weight",
     .fused = 1,
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_Q,
     .k = TVK_DIM_HIDDEN,
     .permute = TVK_DIM_Q},
    {.hf = "self_attn.k_proj.weight",
     .gguf = "attn_k.weight",
     .fused = 1,
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_KV,
     .k = TVK_DIM_HIDDEN,
     .permute = TVK_DIM_KV},
    {.hf = "self_attn.v_proj.weight",
     .gguf = "attn_v.weight",
     .fused = 1,
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_KV,
     .k = TVK_DIM_HIDDEN},
    {.hf = "self_attn.attn_sub_norm.weight",
     .hf_other = "self_attn.inner_attn_ln.weight",
     .gguf = "attn_sub_norm.weight",
     .role = TVK_ROLE_NORM,
     .k = TVK_DIM_Q,
     .sub_norm = true},
    {.hf = "self_attn.o_proj.weight",
     .gguf = "attn_output.weight",
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_HIDDEN,
     .k = TVK_DIM_Q,
     .columns = true},
    {.hf = "post_attention_layernorm.weight",
     .gguf = "ffn_norm.weight",
     .role = TVK_ROLE_NORM,
     .k = TVK_DIM_HIDDEN,
     .not_b1 = true},
    {.hf = "mlp.gate_proj.weight",
     .gguf = "ffn_gate.weight",
     .fused = 2,
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_FFN,
     .k = TVK_DIM_HIDDEN,
     .not_b1 = true},
    {.hf = "mlp.up_proj.weight",
     .gguf = "ffn_up.weight",
     .fused = 2,
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_FFN,
     .k = TVK_DIM_HIDDEN},
    {.hf = "mlp.ffn_sub_norm.weight",
     .hf_other = "mlp.ffn_layernorm.weight",
     .gguf = "ffn_sub_norm.weight",
     .role = TVK_ROLE_NORM,
     .k = TVK_DIM_FFN,
     .sub_norm = true},
    {.hf = "mlp.down_proj.weight",
     .gguf = "ffn_down.weight",
     .role = TVK_ROLE_LINEAR,
     .n = TVK_DIM_HIDDEN,
     .k = TVK_DIM_FFN,
     .columns = true},
    {0},
};

bool tvk_names_role(const char *gguf, tvk_role *role)
{
    const tvk_name_row *row = tvk_names_model;
    if (strncmp(gguf, "blk.", 4) == 0) {
        char *end;
        (void)strtoul(gguf + 4, &end, 10);
        if (end == gguf + 4 || *end != '.') return false;
        gguf = end + 1;
        row = tvk_names_layer;
    }
    for (; row->hf; row++) {
        if (strcmp(row->gguf, gguf) != 0) continue;
        *role = row->role;
        return true;
    }
    return false;
}
