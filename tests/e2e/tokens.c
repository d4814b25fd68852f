/* What test_llama3.sh asks of the tokenizer.
 *
 *   tokens check VOCABULARY TEXT IDS    the ids of a file's bytes are those of IDS ("-": any), and
 *                                       give the bytes back
 *   tokens classes OUT                  one letter a code point: what Llama 3's split takes it for,
 *                                       L letter, N number, S space, O other; U: other because this
 *                                       PCRE2 does not know it as assigned
 */
#define TEST_NAME "tokens"
#include "unit/loader_files.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "ternvk/loader.h"
#include "utf8.h"

static tvk_tokenizer *open_vocabulary(const char *path)
{
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    if (tvk_file_open(path, &file, &err) != TVK_OK ||
        tvk_tokenizer_create(file, &t, &err) != TVK_OK)
        fprintf(stderr, "%s\n", err.text);
    tvk_file_close(&file);
    return t;
}

/* ---- check ---- */

static int compare_ids(const char *name, const int32_t *ids, uint32_t count, const char *expected)
{
    for (uint32_t i = 0; i <= count; i++) {
        char *after;
        long id = strtol(expected, &after, 10);
        if (after == expected) id = -1; /* the end */
        if (id != (i < count ? ids[i] : -1)) {
            fprintf(stderr, "%s, token %u: %ld expected, %d found\n", name, i, id,
                    i < count ? ids[i] : -1);
            return 1;
        }
        expected = after;
    }
    return 0;
}

static int check(const char *vocabulary, const char *text_path, const char *ids_path)
{
    tvk_tokenizer *t = open_vocabulary(vocabulary);
    size_t bytes = 0, ids_bytes = 0, at = 0, n;
    char *text = (char *)read_whole(text_path, &bytes), *expected = NULL;
    int32_t *ids = NULL;
    uint32_t count = 0;
    int failed = 0;
    if (!t || !text || tvk_tokenize(t, text, bytes, false, true, &ids, &count, NULL) != TVK_OK)
        return 1;
    if (strcmp(ids_path, "-") != 0) {
        expected = (char *)read_whole(ids_path, &ids_bytes);
        failed = !expected || compare_ids(text_path, ids, count, expected);
    }
    for (uint32_t i = 0; i < count && !failed; i++) {
        const char *s;
        tvk_token_bytes(t, ids[i], i == 0, true, &s, &n);
        failed = n > bytes - at || memcmp(s, text + at, n) != 0;
        at += n;
    }
    if (failed || at != bytes)
        fprintf(stderr, "%s: no round trip, at byte %zu of %zu\n", text_path, at, bytes);
    printf("%s: %zu bytes, %u tokens\n", text_path, bytes, count);
    failed = failed || at != bytes;
    free(text);
    free(expected);
    free(ids);
    tvk_tokenizer_destroy(&t);
    return failed;
}

/* ---- classes ---- */

/* One token a byte, and merges of z and ! with any byte beside them: which bytes merged shows where
 * the split cut. */
static const char probes[2] = {'z', '!'};

static void put_byte_char(char *out, unsigned byte)
{
    unsigned code = 0, next = 0x100;
    for (unsigned b = 0; b <= byte; b++) {
        bool printable = (b > 32 && b < 127) || (b > 160 && b != 173);
        code = printable ? b : next++;
    }
    out[tvk_utf8_encode(code, out)] = '\0';
}

static tvk_tokenizer *probe_tokenizer(void)
{
    enum { TOKENS = 256 * 5, MERGES = 256 * 4 };
    static char texts[TOKENS][8], merges[MERGES][8];
    static const char *token_list[TOKENS], *merge_list[MERGES];
    buf b = {0};
    tvk_tokenizer *t;
    uint32_t n = 0, m = 0;
    for (unsigned byte = 0; byte < 256; byte++) put_byte_char(texts[n++], byte);
    for (int p = 0; p < 2; p++)
        for (unsigned byte = 0; byte < 256; byte++) {
            snprintf(texts[n++], sizeof texts[0], "%c%.4s", probes[p], texts[byte]);
            snprintf(merges[m++], sizeof merges[0], "%c %.4s", probes[p], texts[byte]);
            snprintf(texts[n++], sizeof texts[0], "%.4s%c", texts[byte], probes[p]);
            snprintf(merges[m++], sizeof merges[0], "%.4s %c", texts[byte], probes[p]);
        }
    for (uint32_t i = 0; i < TOKENS; i++) token_list[i] = texts[i];
    for (uint32_t i = 0; i < MERGES; i++) merge_list[i] = merges[i];
    put_header(&b, 3, 0, 6);
    put_kv_str(&b, "general.architecture", "llama");
    put_kv_str(&b, "tokenizer.ggml.model", "gpt2");
    put_kv_str(&b, "tokenizer.ggml.pre", "llama-bpe");
    put_str(&b, "tokenizer.ggml.ignore_merges");
    put_le(&b, 7, 4);
    put_le(&b, 0, 1);
    put_kv_strings(&b, "tokenizer.ggml.tokens", token_list, TOKENS);
    put_kv_strings(&b, "tokenizer.ggml.merges", merge_list, MERGES);
    write_file(temp_path("probe.gguf"), b.data, b.size);
    free_buf(&b);
    t = open_vocabulary(temp_path("probe.gguf"));
    remove(temp_path("probe.gguf"));
    return t;
}

/* Which of the probes around the character joined it: 1 the left one, 2 the right one. */
static int joined(const tvk_tokenizer *t, char probe, const char *character, int length)
{
    char text[8];
    int32_t *ids = NULL;
    uint32_t count = 0;
    int result;
    text[0] = probe;
    memcpy(text + 1, character, (size_t)length);
    text[length + 1] = probe;
    if (tvk_tokenize(t, text, (size_t)length + 2, false, false, &ids, &count, NULL) != TVK_OK)
        abort();
    result = (ids[0] >= 256 ? 1 : 0) | (ids[count - 1] >= 256 ? 2 : 0);
    free(ids);
    return result;
}

static char class_of(const tvk_tokenizer *t, const pcre2_code *unassigned, pcre2_match_data *match,
                     uint32_t code)
{
    char character[4];
    int length = tvk_utf8_encode(code, character), letters;
    if (length == 1) return '-'; /* ASCII merges with itself in other ways: it is in the texts */
    letters = joined(t, 'z', character, length);
    if (letters & 1) return 'L'; /* one word with the letters */
    if (letters == 0) return 'N';
    if (!(joined(t, '!', character, length) & 1)) return 'S';
    return pcre2_match(unassigned, (PCRE2_SPTR)character, (size_t)length, 0, 0, match, NULL) >= 0
               ? 'U'
               : 'O';
}

static int classes(const char *path)
{
    tvk_tokenizer *t = probe_tokenizer();
    FILE *f = fopen(path, "wb");
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *unassigned = pcre2_compile((PCRE2_SPTR) "\\p{Cn}", PCRE2_ZERO_TERMINATED,
                                           PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    if (!t || !f || !unassigned || !match) return 1;
    for (uint32_t c = 0; c < 0x110000; c++)
        fputc(c >= 0xd800 && c < 0xe000 ? '-' : class_of(t, unassigned, match, c), f);
    pcre2_match_data_free(match);
    pcre2_code_free(unassigned);
    tvk_tokenizer_destroy(&t);
    return fclose(f) != 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "check") == 0) return check(argv[2], argv[3], argv[4]);
    if (argc == 3 && strcmp(argv[1], "classes") == 0) return classes(argv[2]);
    return 2;
}
