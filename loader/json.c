#include "json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/disk.h"

#define INT64_DIGITS 19 /* an integer of as many digits or more may not fit int64 */

/* Behind the integer at `at`: *digits of them; 0 when a fraction or an exponent makes it a real. */
static size_t skip_integer(const char *text, size_t bytes, size_t at, size_t *digits)
{
    size_t begin = at;
    while (at < bytes && text[at] >= '0' && text[at] <= '9') at++;
    *digits = at < bytes && strchr(".eE", text[at]) && text[at] ? 0 : at - begin;
    while (at < bytes && strchr("0123456789.eE+-", text[at]) && text[at]) at++;
    return at;
}

/* Makes reals of long integers, of the same length: their last two digits, which a double of that
 * size does not hold, become the exponent 2. */
static void shorten_integers(char *text, size_t bytes)
{
    bool quoted = false;
    for (size_t at = 0; at < bytes;) {
        size_t digits = 0, begin = at;
        if (quoted && text[at] == '\\') {
            at += 2;
        } else if (text[at] == '"') {
            quoted = !quoted;
            at++;
        } else if (quoted || text[at] < '0' || text[at] > '9') {
            at++;
        } else {
            at = skip_integer(text, bytes, at, &digits);
            if (digits >= INT64_DIGITS) memcpy(text + begin + digits - 2, "e2", 2);
        }
    }
}

/* Writers of tokenizer_config.json say 10^30 for "no limit" (model_max_length), which Jansson
 * refuses. */
static tvk_status parse_long_integers(const void *text, size_t bytes, json_t **root,
                                      json_error_t *why, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char *copy = malloc(bytes);
    TVK_TRY_ALLOC(copy);
    memcpy(copy, text, bytes);
    shorten_integers(copy, bytes);
    *root = json_loadb(copy, bytes, JSON_REJECT_DUPLICATES, why);
fail:
    free(copy);
    return st;
}

tvk_status tvk_json_parse(const void *text, size_t bytes, const char *what, json_t **root,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    json_error_t why;
    *root = json_loadb(bytes ? text : "", bytes, JSON_REJECT_DUPLICATES, &why);
    if (!*root && json_error_code(&why) == json_error_numeric_overflow)
        TVK_TRY(parse_long_integers(text, bytes, root, &why, err));
    if (*root) return TVK_OK;
    /* only a failed allocation has no reason */
    if (!why.text[0]) TVK_TRY_ALLOC(*root);
    TVK_FAIL(TVK_ERR_FORMAT, "%.200s: line %d, column %d: %.160s", what, why.line, why.column,
             why.text);
fail:
    return st;
}

tvk_status tvk_json_open(const char *path, json_t **root, tvk_error *err)
{
    tvk_status st;
    tvk_mapping text = {0};
    *root = NULL;
    TVK_TRY(tvk_mapping_open(path, &text, err));
    TVK_TRY(tvk_json_parse(text.data, text.size, path, root, err));
fail:
    tvk_mapping_close(&text);
    return st;
}
