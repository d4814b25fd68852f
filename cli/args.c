#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "platform.h"

/* Is `word` one of the names in "-n, --predict"? */
static bool has_name(const char *names, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = names; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (!strncmp(at, word, length) && (at[length] == '\0' || at[length] == ',')) return true;
    }
    return false;
}

static const arg_option *find(const arg_option *table, const char *word)
{
    for (; table->kind != ARG_END; table++) {
        if (table->kind == ARG_INCLUDE) {
            const arg_option *inner = find(table->target, word);
            if (inner) return inner;
        } else if (has_name(table->names, word)) {
            return table;
        }
    }
    return NULL;
}

static void print_options(const arg_option *table)
{
    for (; table->kind != ARG_END; table++) {
        char left[80];
        if (table->kind == ARG_INCLUDE) {
            print_options(table->target);
            continue;
        }
        snprintf(left, sizeof left, "%s%s%s", table->names, table->value ? " " : "",
                 table->value ? table->value : "");
        printf("  %-28s %s\n", left, table->help);
    }
}

static void print_help(const arg_command *command)
{
    printf("ternvk %s: %s\n\nusage: ternvk %s %s\n\n", command->name, command->summary,
           command->name, command->usage);
    print_options(command->options);
    printf("  %-28s %s\n", "-h, --help", "this text");
}

static bool in_range(const arg_option *o, double v)
{
    return (o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max);
}

/* The range in words: " of at least 1" */
static const char *range_text(const arg_option *o, char *text, size_t bytes)
{
    text[0] = '\0';
    if (o->min == 0 && o->max == 0) return text;
    if (isinf(o->max))
        snprintf(text, bytes, " of at least %g", o->min);
    else
        snprintf(text, bytes, " from %g to %g", o->min, o->max);
    return text;
}

static bool store(const arg_option *o, const char *name, const char *value)
{
    char range[64];
    char *end = NULL;
    bool ok = *value != '\0';
    range_text(o, range, sizeof range);
    errno = 0;
    switch (o->kind) {
    case ARG_TEXT:
        *(const char **)o->target = value;
        return true;
    case ARG_F32: {
        double v = strtod(value, &end);
        if (ok && !*end && isfinite(v) && in_range(o, v)) {
            *(float *)o->target = (float)v;
            return true;
        }
        out_error("%s: a number%s expected, '%s' found", name, range, value);
        return false;
    }
    case ARG_I32: {
        long v = strtol(value, &end, 10);
        if (ok && !*end && !errno && v >= INT32_MIN && v <= INT32_MAX && in_range(o, (double)v)) {
            *(int32_t *)o->target = (int32_t)v;
            return true;
        }
        break;
    }
    default: {
        unsigned long long v = strtoull(value, &end, 10);
        bool narrow = o->kind != ARG_U64;
        ok = ok && strchr(value, '-') == NULL && !*end && !errno && !(narrow && v > UINT32_MAX);
        if (ok && in_range(o, (double)v)) {
            if (narrow)
                *(uint32_t *)o->target = (uint32_t)v;
            else
                *(uint64_t *)o->target = v;
            return true;
        }
    }
    }
    out_error("%s: a whole number%s expected, '%s' found", name, range, value);
    return false;
}

int args_parse(const arg_command *command, int argc, char **argv)
{
    int words = 0;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        char name[64];
        const char *value = NULL;
        const char *equals = strchr(argv[i], '=');
        const arg_option *o;
        if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (words == command->positional_max) {
                out_error("%s: '%s' is one word too many (ternvk %s -h)", command->name, argv[i],
                          command->name);
                return 2;
            }
            command->positional[words++] = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            only_words = true;
            continue;
        }
        if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
            print_help(command);
            return 0;
        }
        snprintf(name, sizeof name, "%s", argv[i]);
        if (!strncmp(argv[i], "--", 2) && equals && (size_t)(equals - argv[i]) < sizeof name) {
            name[equals - argv[i]] = '\0';
            value = equals + 1;
        }
        o = find(command->options, name);
        if (!o) {
            out_error("%s: unknown option '%s' (ternvk %s -h)", command->name, name, command->name);
            return 2;
        }
        if (o->given) *o->given = true;
        if (o->kind == ARG_FLAG || o->kind == ARG_COUNT) {
            if (value) {
                out_error("%s takes no value", name);
                return 2;
            }
            if (o->kind == ARG_FLAG)
                *(bool *)o->target = true;
            else
                ++*(uint32_t *)o->target;
            continue;
        }
        if (!value && i + 1 < argc) value = argv[++i];
        if (!value) {
            out_error("%s: %s expected after it", name, o->value);
            return 2;
        }
        if (!store(o, name, value)) return 2;
    }
    if (words < command->positional_min) {
        out_error("usage: ternvk %s %s", command->name, command->usage);
        return 2;
    }
    return -1;
}

/* A folder that is no absolute path is passed over: it would depend on where the program runs. */
static const char *find_cache(void)
{
    static char path[2048];
    for (const platform_cache_root *r = platform_cache_roots; r->variable; r++) {
        const char *root = platform_environment(r->variable);
        if (root && platform_is_absolute(root) &&
            snprintf(path, sizeof path, "%s%s", root, r->below) < (int)sizeof path)
            return path;
    }
    return NULL;
}

const arg_environment *args_environment(void)
{
    static arg_environment environment; /* the same at every call */
    static bool asked;
    const char *color, *term;
    if (asked) return &environment;
    color = platform_environment("NO_COLOR");
    term = platform_environment("TERM");
    environment.device = platform_environment("TERNVK_DEVICE");
    environment.models = platform_environment("TERNVK_MODELS");
    environment.cache = find_cache();
    environment.plain = (color && *color) || (term && !strcmp(term, "dumb"));
    asked = true;
    return &environment;
}
