/* A Hugging Face folder of the smallest model, built from the loader's own table of names. */
#ifndef TVK_TESTS_HF_FOLDER_H
#define TVK_TESTS_HF_FOLDER_H

#include <stddef.h>

#define HF_LAYERS 1
#define HF_HIDDEN 16
#define HF_FFN 32
#define HF_VOCAB 8

/* config.json of a BitNet model whose weights are latent floats. Static storage. */
const char *hf_folder_config(void);
/* model.safetensors for it, all F32. malloc'd; NULL when there is no memory. */
unsigned char *hf_folder_safetensors(size_t *bytes);

#endif
