/* JSON texts of files. */
#ifndef TVK_LOADER_JSON_H
#define TVK_LOADER_JSON_H

#include <jansson.h>

#include "base/error.h"

/* *root: release with json_decref(). Keys that come twice are errors. what: stands for the text in
 * messages. Integers beyond int64 become reals. Errors: TVK_ERR_FORMAT with line and column,
 * TVK_ERR_HOST_MEMORY. Jansson's lexer does not look at each allocation: without memory it may also
 * misread the text. */
tvk_status tvk_json_parse(const void *text, size_t bytes, const char *what, json_t **root,
                          tvk_error *err);
/* The same of a whole file; TVK_ERR_IO too. */
tvk_status tvk_json_open(const char *path, json_t **root, tvk_error *err);

#endif
