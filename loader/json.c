#include "json.h"

#include "bytes.h"

tvk_status tvk_json_parse(const void *text, size_t bytes, const char *what, json_t **root,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    json_error_t why;
    *root = json_loadb(bytes ? text : "", bytes, JSON_REJECT_DUPLICATES, &why);
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
