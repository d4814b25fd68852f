#include "model/config.h"

#include <string.h>

/* Embedding, then attention and FFN of every layer, then the head. */
static bool transformer(const tvk_config *config, uint32_t index, tvk_block *out)
{
    uint32_t body = 2 * config->layers;
    if (index > body + 1) return false;
    if (index == 0) {
        *out = (tvk_block){TVK_BLOCK_EMBED, 0};
    } else if (index <= body) {
        *out = (tvk_block){index % 2 ? TVK_BLOCK_ATTENTION : TVK_BLOCK_FFN, (index - 1) / 2};
    } else {
        *out = (tvk_block){TVK_BLOCK_HEAD, 0};
    }
    return true;
}

static const tvk_arch archs[] = {
#define TVK_ARCH(id, graph, interleaved, relu2, b1, blocks)                                        \
    {id, graph, interleaved, relu2, b1, blocks},
#include "model/archs.def"
#undef TVK_ARCH
};

const tvk_arch *tvk_arch_find(const char *id)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        if (strcmp(archs[i].id, id) == 0) return &archs[i];
    }
    return NULL;
}
