/* What convert needs to know of byte-level BPE. */
#ifndef TVK_LOADER_BPE_H
#define TVK_LOADER_BPE_H

#include "tokenizer.h"

/* Writes the one or two bytes of UTF-8 of the character that stands for a byte. */
size_t tvk_bpe_byte_text(unsigned char byte, char *out);

/* Whether a value of tokenizer.ggml.pre is known, and whether it skips merges for whole words. */
bool tvk_bpe_pre_known(const char *name, bool *ignore_merges);

#endif
