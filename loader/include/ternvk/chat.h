/* ternvk: chat templates. How the messages of a conversation become tokens. */
#ifndef TERNVK_CHAT_H
#define TERNVK_CHAT_H

#include "ternvk/base.h"
#include "ternvk/loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One of the templates that ternvk knows: "bitnet" (2B4T), "llama3", "chatml" (Falcon-E),
 * "falcon3", "none" (the text as it is). Constant data; NULL is none of them. */
typedef struct tvk_chat_template tvk_chat_template;

/* NULL: no template of this name. Since: 0.1 */
TVK_API const tvk_chat_template *tvk_chat_find(const char *name);
TVK_API const char *tvk_chat_name(const tvk_chat_template *chat);
/* All names, ", " between them. */
TVK_API const char *tvk_chat_names(void);

/* The template that a file's template text (tokenizer.chat_template, a Jinja program of any bytes)
 * stands for; it is recognised by its parts, not run. NULL: another one. Since: 0.1 */
TVK_API const tvk_chat_template *tvk_chat_detect(const char *text, size_t bytes);

/* The template called `name`, or when it is NULL the file's: by its template text, else by its
 * architecture and the control tokens of its vocabulary, else "none". why (may be NULL): what
 * decided. Errors: TVK_ERR_UNSUPPORTED when the name or the file's text is not known; the message
 * lists the names. Since: 0.1 */
TVK_API tvk_status tvk_chat_choose(const tvk_file *file, const tvk_tokenizer *tokenizer,
                                   const char *name, const tvk_chat_template **out,
                                   const char **why, tvk_error *err);

typedef enum tvk_chat_role {
    TVK_CHAT_SYSTEM = 0,
    TVK_CHAT_USER = 1,
    TVK_CHAT_ASSISTANT = 2
} tvk_chat_role;

/* Parts of a conversation as tokens: BOS where the model wants one, then messages, then the
 * beginning of an answer. Names of control tokens in `content` (any bytes) stay text, so that a
 * message cannot end itself; user-defined tokens count unless they are marks of the template.
 * *ids is malloc'd, also when *count is 0; release with free(). Since: 0.1 */
TVK_API tvk_status tvk_chat_begin(const tvk_chat_template *chat, const tvk_tokenizer *tokenizer,
                                  int32_t **ids, uint32_t *count, tvk_error *err);
TVK_API tvk_status tvk_chat_message(const tvk_chat_template *chat, const tvk_tokenizer *tokenizer,
                                    tvk_chat_role role, const char *content, size_t bytes,
                                    int32_t **ids, uint32_t *count, tvk_error *err);
TVK_API tvk_status tvk_chat_answer(const tvk_chat_template *chat, const tvk_tokenizer *tokenizer,
                                   int32_t **ids, uint32_t *count, tvk_error *err);
/* What follows an answer's tokens, its stop token included: the end of an assistant's message. */
TVK_API tvk_status tvk_chat_answer_end(const tvk_chat_template *chat,
                                       const tvk_tokenizer *tokenizer, int32_t **ids,
                                       uint32_t *count, tvk_error *err);

/* Writes the tokens that end an answer (of the template and of the file) and returns how many.
 * Since: 0.1 */
#define TVK_CHAT_STOPS 8
TVK_API uint32_t tvk_chat_stops(const tvk_chat_template *chat, const tvk_tokenizer *tokenizer,
                                int32_t stops[TVK_CHAT_STOPS]);

/* A message as text, without a tokenizer: names stand for control tokens. Writes at most `room`
 * bytes and returns how many the message has. Since: 0.1 */
TVK_API size_t tvk_chat_text(const tvk_chat_template *chat, tvk_chat_role role, const char *content,
                             size_t bytes, char *out, size_t room);

#ifdef __cplusplus
}
#endif
#endif
