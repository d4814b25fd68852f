/* Chat templates: recognising a file's, and messages -> tokens. The templates: chat_templates.def
 */
#include "ternvk/chat.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

enum {
    CHAT_BOS = 1,  /* a conversation begins with BOS, whatever the file says of other texts */
    CHAT_TRIM = 2, /* content without the white space around it */
    CHAT_APART = 4 /* role, content and end are tokenized each by itself */
};
#define MAX_PARTS 2
#define MAX_STOPS 3

struct tvk_chat_template {
    const char *name;
    unsigned flags;
    const char *parts[MAX_PARTS];  /* NULL: no template text is this one */
    const char *never;             /* NULL: nothing */
    const char *begin[3], *end[3]; /* by role */
    const char *stops[MAX_STOPS];
};
static const tvk_chat_template rows[] = {
#define TVK_CHAT(name, flags, part0, part1, never, system, user, assistant, end_system, end_user,  \
                 end_assistant, ...)                                                               \
    {name,                                                                                         \
     flags,                                                                                        \
     {part0, part1},                                                                               \
     never,                                                                                        \
     {system, user, assistant},                                                                    \
     {end_system, end_user, end_assistant},                                                        \
     {__VA_ARGS__}},
#include "chat_templates.def"
#undef TVK_CHAT
};
#define ROWS (sizeof rows / sizeof *rows)
#define NAMES "bitnet, llama3, chatml, falcon3, none"

const tvk_chat_template *tvk_chat_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

const char *tvk_chat_name(const tvk_chat_template *chat)
{
    return chat->name;
}

const char *tvk_chat_names(void)
{
    return NAMES;
}

/* ---- which template ---- */

/* Where part stands first; NULL: nowhere. */
static const char *find(const char *text, size_t bytes, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= bytes; i++)
        if (memcmp(text + i, part, length) == 0) return text + i;
    return NULL;
}

/* Whether an expression of the template holds first, and never between it and the closing "}}". */
static bool expressed(const char *text, size_t bytes, const char *first, const char *never)
{
    const char *end = text + bytes;
    while ((text = find(text, (size_t)(end - text), first))) {
        const char *close = find(text, (size_t)(end - text), "}}");
        if (find(text, (size_t)((close ? close : end) - text), never)) return true;
        text += strlen(first);
    }
    return false;
}

const tvk_chat_template *tvk_chat_detect(const char *text, size_t bytes)
{
    for (size_t i = 0; i < ROWS; i++) {
        const char *const *parts = rows[i].parts, *never = rows[i].never;
        if (parts[0] && find(text, bytes, parts[0]) && find(text, bytes, parts[1]) &&
            !(never && expressed(text, bytes, parts[0], never)))
            return &rows[i];
    }
    return NULL;
}

static int32_t special(const tvk_tokenizer *t, const char *name)
{
    size_t bytes = strlen(name);
    int32_t id = bytes ? tvk_special_at(t, name, bytes, TVK_PARSE_ALL) : -1;
    return id >= 0 && t->tokens[id].text_bytes == bytes ? id : -1;
}

/* Without a template text: a vocabulary that has a template's marks was made for it. */
static const struct {
    const char *template, *mark, *other, *why;
    bool bitnet; /* of an architecture of this name only */
} marks[] = {
    {"bitnet", "<|eot_id|>", "<|end_of_text|>",
     "the architecture, and <|eot_id|> in the vocabulary", true},
    {"chatml", "<|im_start|>", "<|im_end|>", "<|im_start|> in the vocabulary", false},
    {"llama3", "<|start_header_id|>", "<|end_header_id|>", "<|start_header_id|> in the vocabulary",
     false},
    {"falcon3", "<|user|>", "<|assistant|>", "<|user|> in the vocabulary", false},
};

static const tvk_chat_template *by_vocabulary(const tvk_file *file, const tvk_tokenizer *t,
                                              const char **why)
{
    const tvk_gguf_kv *arch = tvk_file_find(file, "general.architecture");
    bool bitnet = arch && arch->type == TVK_GGUF_STRING && strncmp(arch->str, "bitnet", 6) == 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if ((marks[i].bitnet && !bitnet) || special(t, marks[i].mark) < 0 ||
            special(t, marks[i].other) < 0)
            continue;
        *why = marks[i].why;
        return tvk_chat_find(marks[i].template);
    }
    *why = "neither the file nor its vocabulary has one";
    return tvk_chat_find("none");
}

tvk_status tvk_chat_choose(const tvk_file *file, const tvk_tokenizer *t, const char *name,
                           const tvk_chat_template **out, const char **why, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_gguf_kv *kv = tvk_file_find(file, "tokenizer.chat_template");
    const char *reason = "asked for";
    *out = NULL;
    if (name) {
        *out = tvk_chat_find(name);
        if (!*out)
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "chat template: one of " NAMES " expected, '%.60s' found",
                     name);
    } else if (kv) {
        if (kv->type != TVK_GGUF_STRING)
            TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.chat_template: a string expected, %s found",
                     tvk_gguf_type_name(kv->type));
        reason = "the file's template";
        *out = tvk_chat_detect(kv->str, strlen(kv->str));
        if (!*out)
            TVK_FAIL(
                TVK_ERR_UNSUPPORTED,
                "tokenizer.chat_template is not known; --chat-template says which fits: " NAMES);
    } else {
        *out = by_vocabulary(file, t, &reason);
    }
    if (why) *why = reason;
fail:
    return st;
}

/* ---- messages to tokens ---- */

/* Text collects until a control token of the template ends it: BPE cuts words across the seam of
 * role and content as it would in one text. */
typedef struct renderer {
    const tvk_tokenizer *t;
    tvk_parse parse; /* of the collected text */
    char *run;
    size_t bytes;
    tvk_ids ids;
} renderer;

static tvk_status flush(renderer *r, tvk_error *err)
{
    tvk_status st = tvk_encode(r->t, r->run, r->bytes, r->parse, &r->ids, err);
    r->bytes = 0;
    return st;
}

static void put_text(renderer *r, const char *s, size_t bytes)
{
    if (bytes) memcpy(r->run + r->bytes, s, bytes);
    r->bytes += bytes;
}

/* A text of the template. */
static tvk_status put_marks(renderer *r, const char *s, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (size_t left = strlen(s); left > 0;) {
        int32_t id = tvk_special_at(r->t, s, left, TVK_PARSE_ALL);
        size_t bytes = id >= 0 ? r->t->tokens[id].text_bytes : 1;
        if (id >= 0) {
            TVK_TRY(flush(r, err));
            TVK_TRY(tvk_ids_push(&r->ids, id, err));
        } else {
            put_text(r, s, bytes);
        }
        s += bytes;
        left -= bytes;
    }
fail:
    return st;
}

static bool user_defined(const tvk_tokenizer *t, const char *s)
{
    for (size_t left = strlen(s); left > 0; s++, left--)
        if (tvk_special_at(t, s, left, TVK_PARSE_USER) >= 0) return true;
    return false;
}

/* User-defined tokens count in content, unless a mark of the template is one of them. */
static tvk_parse content_parse(const tvk_chat_template *chat, const tvk_tokenizer *t)
{
    bool found = false;
    for (int role = 0; role < 3; role++)
        found = found || user_defined(t, chat->begin[role]) || user_defined(t, chat->end[role]);
    for (int i = 0; i < MAX_STOPS; i++)
        found = found || (chat->stops[i] && user_defined(t, chat->stops[i]));
    return found ? TVK_PARSE_NONE : TVK_PARSE_USER;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const tvk_chat_template *chat, const char **s, size_t *bytes)
{
    if (!(chat->flags & CHAT_TRIM)) return;
    while (*bytes > 0 && is_space((*s)[*bytes - 1])) --*bytes;
    while (*bytes > 0 && is_space(**s)) {
        ++*s;
        --*bytes;
    }
}

/* Any of begin, content and end may be NULL. */
static tvk_status render(const tvk_chat_template *chat, const tvk_tokenizer *t, const char *begin,
                         const char *content, size_t bytes, const char *end, int32_t **ids,
                         uint32_t *count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool apart = chat->flags & CHAT_APART;
    renderer r = {.t = t, .parse = content_parse(chat, t)};
    *ids = NULL;
    *count = 0;
    if (content) trim(chat, &content, &bytes);
    if (bytes > TVK_TEXT_BYTES_MAX / 2)
        TVK_FAIL(TVK_ERR_ARG, "a message of at most %zu bytes expected, %zu found",
                 TVK_TEXT_BYTES_MAX / 2, bytes);
    r.run = malloc(bytes + (begin ? strlen(begin) : 0) + (end ? strlen(end) : 0) + 1);
    TVK_TRY_ALLOC(r.run);
    if (begin) TVK_TRY(put_marks(&r, begin, err));
    if (apart) TVK_TRY(flush(&r, err));
    if (content) put_text(&r, content, bytes);
    if (apart) TVK_TRY(flush(&r, err));
    if (end) TVK_TRY(put_marks(&r, end, err));
    TVK_TRY(flush(&r, err));
    TVK_TRY(tvk_ids_give(&r.ids, ids, count, err));
fail:
    free(r.run);
    free(r.ids.ids);
    return st;
}

tvk_status tvk_chat_begin(const tvk_chat_template *chat, const tvk_tokenizer *t, int32_t **ids,
                          uint32_t *count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_ids out = {0};
    *ids = NULL;
    *count = 0;
    if (t->bos >= 0 && (t->add_bos || (chat->flags & CHAT_BOS)))
        TVK_TRY(tvk_ids_push(&out, t->bos, err));
    TVK_TRY(tvk_ids_give(&out, ids, count, err));
fail:
    free(out.ids);
    return st;
}

tvk_status tvk_chat_message(const tvk_chat_template *chat, const tvk_tokenizer *t,
                            tvk_chat_role role, const char *content, size_t bytes, int32_t **ids,
                            uint32_t *count, tvk_error *err)
{
    return render(chat, t, chat->begin[role], content, bytes, chat->end[role], ids, count, err);
}

tvk_status tvk_chat_answer(const tvk_chat_template *chat, const tvk_tokenizer *t, int32_t **ids,
                           uint32_t *count, tvk_error *err)
{
    return render(chat, t, chat->begin[TVK_CHAT_ASSISTANT], NULL, 0, NULL, ids, count, err);
}

tvk_status tvk_chat_answer_end(const tvk_chat_template *chat, const tvk_tokenizer *t, int32_t **ids,
                               uint32_t *count, tvk_error *err)
{
    return render(chat, t, NULL, NULL, 0, chat->end[TVK_CHAT_ASSISTANT], ids, count, err);
}

uint32_t tvk_chat_stops(const tvk_chat_template *chat, const tvk_tokenizer *t,
                        int32_t stops[TVK_CHAT_STOPS])
{
    uint32_t count = tvk_tokenizer_stops(t, stops);
    for (int i = 0; i < MAX_STOPS; i++) {
        int32_t id = chat->stops[i] ? special(t, chat->stops[i]) : -1;
        bool known = id < 0;
        for (uint32_t j = 0; j < count; j++) known = known || stops[j] == id;
        if (!known) stops[count++] = id;
    }
    return count;
}

size_t tvk_chat_text(const tvk_chat_template *chat, tvk_chat_role role, const char *content,
                     size_t bytes, char *out, size_t room)
{
    const char *begin = chat->begin[role], *end = chat->end[role];
    size_t n = 0;
    trim(chat, &content, &bytes);
    {
        const char *const pieces[] = {begin, content, end};
        const size_t sizes[] = {strlen(begin), bytes, strlen(end)};
        for (int i = 0; i < 3; i++) {
            size_t fits = n < room ? (room - n < sizes[i] ? room - n : sizes[i]) : 0;
            if (fits) memcpy(out + n, pieces[i], fits);
            n += sizes[i];
        }
    }
    return n;
}
