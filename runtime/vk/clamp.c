#include <ctype.h>
#include <string.h>

#include "vk/plan.h"

typedef enum clamp_kind { KIND_U32, KIND_U64, KIND_BITS, KIND_BOOL } clamp_kind;

static const struct clamp_key {
    const char *key;
    clamp_kind kind;
    size_t offset;
} keys[] = {
#define TVK_CLAMP(key, kind, field) {key, KIND_##kind, offsetof(tvk_caps, field)},
#include "vk/clamp.def"
};

/* Where a message points at. */
typedef struct clamp_line {
    const char *name, *key;
    unsigned line;
    int key_len;
    const char *value;
    int value_len;
} clamp_line;

#define AT "%s:%u: "

static bool is_key(const clamp_line *at, const char *key)
{
    return strlen(key) == (size_t)at->key_len && !memcmp(key, at->key, (size_t)at->key_len);
}

static tvk_status parse_u64(const clamp_line *at, uint64_t *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t v = 0;
    *out = 0;
    for (int i = 0; i < at->value_len; i++) {
        unsigned digit = (unsigned)(at->value[i] - '0');
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            TVK_FAIL(TVK_ERR_ARG, AT "%.*s: a whole number needed, '%.*s' found", at->name,
                     at->line, at->key_len, at->key, at->value_len, at->value);
        v = v * 10 + digit;
    }
    if (at->value_len == 0)
        TVK_FAIL(TVK_ERR_ARG, AT "%.*s: a whole number needed, nothing found", at->name, at->line,
                 at->key_len, at->key);
    *out = v;
fail:
    return st;
}

static tvk_status above(const clamp_line *at, uint64_t value, uint64_t own, tvk_error *err)
{
    return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                         AT "%.*s %llu is above the device's own %llu", at->name, at->line,
                         at->key_len, at->key, (unsigned long long)value, (unsigned long long)own);
}

static tvk_status lower_field(tvk_caps *caps, const struct clamp_key *k, const clamp_line *at,
                              tvk_error *err)
{
    unsigned char *field = (unsigned char *)caps + k->offset;
    tvk_status st = TVK_OK;
    uint64_t value, own = 0;
    TVK_TRY(parse_u64(at, &value, err));
    switch (k->kind) {
    case KIND_U32:
    case KIND_BITS: {
        uint32_t v;
        memcpy(&v, field, sizeof v);
        own = v;
        break;
    }
    case KIND_U64:
        memcpy(&own, field, sizeof own);
        break;
    case KIND_BOOL: {
        bool v;
        memcpy(&v, field, sizeof v);
        own = v;
        break;
    }
    }
    if (k->kind == KIND_BITS ? (value & ~own) != 0 : value > own) return above(at, value, own, err);
    if (k->kind == KIND_U64) {
        memcpy(field, &value, sizeof value);
    } else if (k->kind == KIND_BOOL) {
        bool v = value != 0;
        memcpy(field, &v, sizeof v);
    } else {
        uint32_t v = (uint32_t)value;
        memcpy(field, &v, sizeof v);
    }
fail:
    return st;
}

/* "1.1" into the version encoding of Vulkan. */
static tvk_status lower_version(tvk_caps *caps, const clamp_line *at, tvk_error *err)
{
    uint32_t v;
    if (at->value_len != 3 || at->value[0] != '1' || at->value[1] != '.' ||
        !isdigit((unsigned char)at->value[2]))
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             AT "api_version: 1.0 to 1.9 needed, '%.*s' found", at->name, at->line,
                             at->value_len, at->value);
    v = 1u << 22 | (uint32_t)(at->value[2] - '0') << 12;
    if (v > caps->api_version)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             AT "api_version %.*s is above the device's own %u.%u", at->name,
                             at->line, at->value_len, at->value, caps->api_version >> 22 & 0x7f,
                             caps->api_version >> 12 & 0x3ff);
    caps->api_version = v;
    return TVK_OK;
}

/* Keys that are no single field. */
static tvk_status lower_special(tvk_caps *caps, const clamp_line *at, bool *known, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t value, own = 0;
    *known = true;
    if (is_key(at, "api_version")) {
        st = lower_version(caps, at, err);
    } else if (is_key(at, "device_bytes")) {
        TVK_TRY(parse_u64(at, &value, err));
        for (uint32_t i = 0; i < caps->heap_count; i++)
            if (caps->heaps[i].device_local && caps->heaps[i].bytes > own)
                own = caps->heaps[i].bytes;
        if (value > own) return above(at, value, own, err);
        for (uint32_t i = 0; i < caps->heap_count; i++)
            if (caps->heaps[i].device_local && caps->heaps[i].bytes > value)
                caps->heaps[i].bytes = value;
    } else if (is_key(at, "timestamps")) {
        TVK_TRY(parse_u64(at, &value, err));
        own = caps->timestamp_period_ns > 0;
        if (value > own) return above(at, value, own, err);
        if (value == 0) caps->timestamp_period_ns = 0;
    } else if (is_key(at, "unified_memory")) {
        TVK_TRY(parse_u64(at, &value, err));
        if (value > 1) return above(at, value, 1, err);
        if (value == 0) caps->hide_unified = true;
    } else {
        *known = false;
    }
fail:
    return st;
}

/* Which of faults.def the line asks for; TVK_FAULT_COUNT: none. */
static int fault_of(const clamp_line *at)
{
    static const char *const names[] = {
#define TVK_FAULT(key, call, result) key,
#include "vk/faults.def"
    };
    int i = 0;
    while (i < TVK_FAULT_COUNT && !is_key(at, names[i])) i++;
    return i;
}

static tvk_status set_fault(uint32_t *fault, const clamp_line *at, tvk_error *err)
{
    uint64_t value;
    tvk_status st = parse_u64(at, &value, err);
    if (st != TVK_OK) return st;
    if (value >= UINT32_MAX)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             AT "%.*s: a count below %u needed, %llu found", at->name, at->line,
                             at->key_len, at->key, UINT32_MAX, (unsigned long long)value);
    *fault = (uint32_t)value + 1;
    return TVK_OK;
}

static tvk_status clamp_one(tvk_caps *caps, const clamp_line *at, tvk_error *err)
{
    bool known;
    tvk_status st;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (is_key(at, keys[i].key)) return lower_field(caps, &keys[i], at, err);
    st = lower_special(caps, at, &known, err);
    if (!known)
        st = tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__, AT "unknown key '%.*s'", at->name,
                           at->line, at->key_len, at->key);
    return st;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Length of the word at s. */
static int word(const char *s, const char *end)
{
    int n = 0;
    while (s + n < end && !blank(s[n])) n++;
    return n;
}

/* FNV-1a of a word and what ends it */
static uint64_t hash_word(uint64_t hash, const char *word, int length)
{
    for (int i = 0; i < length; i++) hash = (hash ^ (unsigned char)word[i]) * 1099511628211u;
    return (hash ^ '\n') * 1099511628211u;
}

tvk_status tvk_caps_clamp(tvk_caps *caps, const char *text, const char *name, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_caps lowered = *caps; /* all or nothing */
    clamp_line at = {.name = name ? name : "clamps", .line = 1};
    for (const char *s = text; s && *s; at.line++) {
        const char *end = s + strcspn(s, "\n"), *next = *end ? end + 1 : end;
        const char *hash = memchr(s, '#', (size_t)(end - s)), *rest;
        if (hash) end = hash;
        while (s < end && blank(*s)) s++;
        at.key = s;
        at.key_len = word(s, end);
        s += at.key_len;
        while (s < end && blank(*s)) s++;
        at.value = s;
        at.value_len = word(s, end);
        rest = s + at.value_len;
        while (rest < end && blank(*rest)) rest++;
        s = next;
        if (at.key_len == 0) continue;
        if (rest < end)
            TVK_FAIL(TVK_ERR_ARG, AT "%.*s: one value needed, '%.*s' follows it", at.name, at.line,
                     at.key_len, at.key, word(rest, end), rest);
        if (fault_of(&at) < TVK_FAULT_COUNT) { /* the device is the same one */
            TVK_TRY(set_fault(&lowered.faults[fault_of(&at)], &at, err));
            continue;
        }
        TVK_TRY(clamp_one(&lowered, &at, err));
        if (lowered.clamps == 0) lowered.clamps = 14695981039346656037u;
        lowered.clamps = hash_word(lowered.clamps, at.key, at.key_len);
        lowered.clamps = hash_word(lowered.clamps, at.value, at.value_len);
    }
    *caps = lowered;
fail:
    return st;
}
