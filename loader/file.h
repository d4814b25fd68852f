/* What the other files of loader/ see of an opened model file. */
#ifndef TVK_LOADER_FILE_H
#define TVK_LOADER_FILE_H

#include "gguf.h"
#include "ternvk/loader.h"

/* NULL when absent. Of a split file: the first part's metadata. */
const tvk_gguf_kv *tvk_file_find(const tvk_file *file, const char *key);
uint32_t tvk_file_kv_count(const tvk_file *file);
const tvk_gguf_kv *tvk_file_kv(const tvk_file *file, uint32_t i);

#endif
