/* GGUF writer: metadata and a tensor table are collected, then the file is written in one pass;
 * tensor data comes from callbacks. */
#ifndef TVK_LOADER_GGUF_WRITE_H
#define TVK_LOADER_GGUF_WRITE_H

#include "gguf.h"

typedef struct tvk_gguf_writer tvk_gguf_writer;
typedef struct tvk_gguf_sink tvk_gguf_sink;

/* Hands on the bytes of one tensor, in as many tvk_gguf_emit() calls as it likes. */
typedef tvk_status (*tvk_gguf_source)(void *user, tvk_gguf_sink *sink, tvk_error *err);
tvk_status tvk_gguf_emit(tvk_gguf_sink *sink, const void *bytes, size_t count, tvk_error *err);

/* NULL when malloc fails. */
tvk_gguf_writer *tvk_gguf_writer_create(void);
void tvk_gguf_writer_destroy(tvk_gguf_writer **writer);

/* Metadata. A failed allocation or a key that is there already is kept and reported by the write.
 */
void tvk_gguf_put_str(tvk_gguf_writer *w, const char *key, const char *value);
void tvk_gguf_put_u32(tvk_gguf_writer *w, const char *key, uint32_t value);
void tvk_gguf_put_f32(tvk_gguf_writer *w, const char *key, float value);
void tvk_gguf_put_bool(tvk_gguf_writer *w, const char *key, bool value);
/* Any value in the file's own encoding; elem and count: of an array. */
void tvk_gguf_put_raw(tvk_gguf_writer *w, const char *key, tvk_gguf_type type, tvk_gguf_type elem,
                      uint64_t count, const void *data, size_t bytes);
/* An array of strings is begun, then gets exactly `count` elements. */
void tvk_gguf_begin_strings(tvk_gguf_writer *w, const char *key, uint64_t count);
void tvk_gguf_put_element(tvk_gguf_writer *w, const char *s, size_t bytes);
void tvk_gguf_put_i32s(tvk_gguf_writer *w, const char *key, const int32_t *v, uint64_t count);
void tvk_gguf_put_f32s(tvk_gguf_writer *w, const char *key, const float *v, uint64_t count);

/* name is copied; user is borrowed until the write. dims[0] is the contiguous one. */
tvk_status tvk_gguf_add_tensor(tvk_gguf_writer *w, const char *name, tvk_dtype type,
                               uint32_t dim_count, const uint64_t *dims, tvk_gguf_source source,
                               void *user, tvk_error *err);

/* Errors: TVK_ERR_ARG when PATH exists and overwrite is false or it is no regular file; when
 * PATH.part exists. */
tvk_status tvk_gguf_check_output(const char *path, bool overwrite, tvk_error *err);
/* Writes PATH.part, flushes it to the disk and renames it. When something fails, PATH.part is
 * removed and what was at PATH stays. Errors: as tvk_gguf_check_output(); TVK_ERR_IO; whatever a
 * source returns. */
tvk_status tvk_gguf_write(tvk_gguf_writer *w, const char *path, bool overwrite,
                          const tvk_progress *progress, tvk_error *err);

#endif
