/* What `inspect` found out, and its two forms. */
#ifndef TVK_CLI_INSPECT_H
#define TVK_CLI_INSPECT_H

#include "engine.h"
#include "ternvk/chat.h"

typedef struct inspection {
    const char *path;
    const tvk_file *file;
    const tvk_tokenizer *tokenizer; /* NULL: tokenizer_why */
    const char *tokenizer_why;
    const tvk_chat_template *chat; /* NULL: chat_error, where there is a tokenizer */
    const char *chat_why;
    tvk_error chat_error;
    tvk_model_info model;
    tvk_error model_error; /* status TVK_OK: the model can be run */
    tvk_device_info device;
    tvk_error device_error;         /* status TVK_OK: there is a device */
    const tvk_model_params *params; /* as the options say */
} inspection;

/* Of `context` positions of one session with keys and values of one type; 0 when the model cannot
 * be described so. */
uint64_t inspect_kv_bytes(const inspection *i, tvk_kv_type type, uint64_t *a_position);
/* Weights, the cache of -c positions, scratch. */
uint64_t inspect_needed(const inspection *i);

void inspect_print(const inspection *i);
/* Returns an exit status. */
int inspect_print_json(const inspection *i);

#endif
