#include "glsl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "platform.h"
#include "prompt.h"
#include "texts.h"

/* The part of shaderc's C interface (shaderc/shaderc.h, version 1 since 2016) that is called. */
typedef struct included {
    const char *name;
    size_t name_bytes;
    const char *text; /* or why there is none, and then no name */
    size_t text_bytes;
    void *user;
} included;
typedef included *resolve_fn(void *user, const char *wanted, int type, const char *by,
                             size_t depth);
typedef void release_fn(void *user, included *result);
enum { KIND_COMPUTE = 2, TARGET_VULKAN = 0, VULKAN_1_1 = 1 << 22 | 1 << 12, FOR_SPEED = 2 };
enum { GLSL_VERSION = 450, NO_PROFILE = 0 };

typedef struct shaderc {
    platform_library *library;
    void *(*compiler_initialize)(void);
    void (*compiler_release)(void *);
    void *(*compile_options_initialize)(void);
    void (*compile_options_release)(void *);
    void (*compile_options_add_macro_definition)(void *, const char *, size_t, const char *,
                                                 size_t);
    void (*compile_options_set_target_env)(void *, int, uint32_t);
    void (*compile_options_set_optimization_level)(void *, int);
    void (*compile_options_set_forced_version_profile)(void *, int, int);
    void (*compile_options_set_include_callbacks)(void *, resolve_fn *, release_fn *, void *);
    void *(*compile_into_spv)(void *, const char *, size_t, int, const char *, const char *,
                              void *);
    void (*result_release)(void *);
    size_t (*result_get_length)(void *);
    const char *(*result_get_bytes)(void *);
    int (*result_get_compilation_status)(void *);
    const char *(*result_get_error_message)(void *);
} shaderc;

static int open_shaderc(shaderc *s)
{
    static const char *const names[] = {
        "libshaderc.so.1",           "libshaderc_shared.so.1", "libshaderc_shared.so",
        "libshaderc_shared.1.dylib", "shaderc_shared.dll",
    };
    for (size_t i = 0; !s->library && i < sizeof names / sizeof *names; i++)
        s->library = platform_library_open(names[i]);
    if (!s->library) {
        out_error("--kernel: %s expected to compile with, not found (package libshaderc1)",
                  names[0]);
        return 1;
    }
#define NEED(name)                                                                                 \
    if (!platform_library_symbol(s->library, "shaderc_" #name, &s->name, sizeof s->name)) {        \
        out_error("--kernel: shaderc_" #name " expected in libshaderc, not found");                \
        return 1;                                                                                  \
    }
    NEED(compiler_initialize)
    NEED(compiler_release)
    NEED(compile_options_initialize)
    NEED(compile_options_release)
    NEED(compile_options_add_macro_definition)
    NEED(compile_options_set_target_env)
    NEED(compile_options_set_optimization_level)
    NEED(compile_options_set_forced_version_profile)
    NEED(compile_options_set_include_callbacks)
    NEED(compile_into_spv)
    NEED(result_release)
    NEED(result_get_length)
    NEED(result_get_bytes)
    NEED(result_get_compilation_status)
    NEED(result_get_error_message)
#undef NEED
    return 0;
}

/* ---- includes ---- */

typedef struct places {
    const char *path; /* of the kernel */
    const char *include;
    included nothing; /* where there is no memory for another one */
} places;

/* A copy of dir/name's text; dir: `bytes` characters. */
static char *read_beside(const char *dir, size_t bytes, const char *name, size_t *size)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%.*s%s", (int)bytes, dir, name);
    return n > 0 && (size_t)n < sizeof path ? prompt_read_file(path, size) : NULL;
}

static char *copy_of(const char *name, size_t *size)
{
    const char *text = text_find(name, size);
    char *copy = text ? malloc(*size + 1) : NULL;
    if (copy) memcpy(copy, text, *size + 1);
    return copy;
}

static included *resolve(void *user, const char *wanted, int type, const char *by, size_t depth)
{
    places *p = user;
    const char *slash = strrchr(p->path, '/');
    const size_t folder = slash ? (size_t)(slash - p->path) + 1 : 0;
    included *r = calloc(1, sizeof *r + strlen(wanted) + 1);
    char *text, dir[4096];
    (void)type;
    (void)by;
    (void)depth;
    if (!r) return &p->nothing;
    text = read_beside(folder ? p->path : "./", folder ? folder : 2, wanted, &r->text_bytes);
    if (!text && p->include) {
        snprintf(dir, sizeof dir, "%s/", p->include);
        text = read_beside(dir, strlen(dir), wanted, &r->text_bytes);
    }
    if (!text) text = copy_of(wanted, &r->text_bytes);
    r->user = text;
    r->text = text ? text : "no such file beside the kernel, in --include or in the program";
    if (!text) {
        r->text_bytes = strlen(r->text);
        r->name = "";
        return r;
    }
    r->name = strcpy((char *)(r + 1), wanted);
    r->name_bytes = strlen(wanted);
    return r;
}

static void release(void *user, included *r)
{
    if (r == &((places *)user)->nothing) return;
    free(r->user);
    free(r);
}

/* ---- compiling ---- */

/* "-DA -DB=1" */
static void add_macros(const shaderc *s, void *options, const char *defines)
{
    for (const char *at = defines; (at = strstr(at, "-D")) != NULL;) {
        const size_t length = strcspn(at += 2, " "), name = strcspn(at, "= ");
        const char *value = name < length ? at + name + 1 : "";
        s->compile_options_add_macro_definition(options, at, name, value,
                                                name < length ? length - name - 1 : 0);
        at += length;
    }
}

static int take(const shaderc *s, void *result, uint32_t **out, size_t *bytes)
{
    const char *text = result ? s->result_get_error_message(result) : NULL;
    if (!result || s->result_get_compilation_status(result) != 0) {
        if (text) fputs(text, stderr);
        out_error("--kernel: the kernel could not be compiled");
        return 1;
    }
    *bytes = s->result_get_length(result);
    *out = malloc(*bytes ? *bytes : 1);
    if (!*out) return out_error("--kernel: no memory for %zu bytes", *bytes), 1;
    memcpy(*out, s->result_get_bytes(result), *bytes);
    return 0;
}

int glsl_compile(const char *path, const char *defines, const char *include, uint32_t **out,
                 size_t *bytes)
{
    places where = {path, include, {"", 0, "out of memory", 13, NULL}};
    shaderc s = {0};
    void *compiler = NULL, *options = NULL, *result = NULL;
    size_t size = 0;
    char *text = prompt_read_file(path, &size);
    int status = 0;
    *out = NULL;
    if (!text) {
        out_error("--kernel: %s cannot be read", path);
        return 1;
    }
    status = open_shaderc(&s);
    if (!status) {
        compiler = s.compiler_initialize();
        options = s.compile_options_initialize();
        if (!compiler || !options) {
            out_error("--kernel: libshaderc cannot be set up");
            status = 1;
        }
    }
    if (!status) {
        s.compile_options_set_target_env(options, TARGET_VULKAN, VULKAN_1_1);
        s.compile_options_set_optimization_level(options, FOR_SPEED);
        /* without a version glslang prints its own built-in functions */
        s.compile_options_set_forced_version_profile(options, GLSL_VERSION, NO_PROFILE);
        s.compile_options_set_include_callbacks(options, resolve, release, &where);
        add_macros(&s, options, defines);
        result = s.compile_into_spv(compiler, text, size, KIND_COMPUTE, path, "main", options);
        status = take(&s, result, out, bytes);
    }
    if (result) s.result_release(result);
    if (options) s.compile_options_release(options);
    if (compiler) s.compiler_release(compiler);
    platform_library_close(s.library);
    free(text);
    return status;
}
