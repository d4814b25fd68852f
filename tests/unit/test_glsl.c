/* Kernels of a user's own on their way through a compiler: a stand-in for libshaderc does what the
 * real one may do and what it should not, and the test is a caller that gives odd files. */
#include "support/device.h"

#include "cli/glsl.h"
#include "cli/out.h"
#include "cli/platform.h"
#include "cli/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- what glsl.c calls ---- */

static char error[16384];
static unsigned errors;

void out_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error, sizeof error, fmt, args);
    va_end(args);
    errors++;
}

const char *text_find(const char *name, size_t *bytes)
{
    static const char text[] = "carried";
    if (strcmp(name, "carried.glsl") != 0) return NULL;
    *bytes = sizeof text - 1;
    return text;
}

/* ---- a compiler: `#include "NAME"` lines are replaced, the rest is the module ---- */

/* As shaderc_include_result of shaderc/shaderc.h. */
typedef struct include_result {
    const char *name;
    size_t name_bytes;
    const char *text;
    size_t text_bytes;
    void *user;
} include_result;
typedef include_result *resolve_fn(void *user, const char *wanted, int type, const char *by,
                                   size_t depth);
typedef void release_fn(void *user, include_result *result);

static struct compiler {
    const char *absent; /* a function that the library has not; "": no library */
    const char *wanted; /* an include that is asked for before the text is read */
    bool no_result, fails;
    int held; /* objects of the library that were not released */
    char macros[256];
    char module[4096], reason[256];
    size_t module_bytes;
    resolve_fn *resolve;
    release_fn *release;
    void *user;
} lib;

static void *make(void)
{
    lib.held++;
    return &lib;
}

static void drop(void *object)
{
    assert_ptr_equal(object, &lib);
    lib.held--;
}

static void add_macro(void *options, const char *name, size_t name_bytes, const char *value,
                      size_t value_bytes)
{
    size_t used = strlen(lib.macros);
    (void)options;
    snprintf(lib.macros + used, sizeof lib.macros - used, "%.*s=%.*s;", (int)name_bytes, name,
             (int)value_bytes, value);
}

static void set_env(void *options, int target, uint32_t version)
{
    (void)options;
    assert_int_equal(target, 0);
    assert_int_equal(version, 1 << 22 | 1 << 12); /* Vulkan 1.1 */
}

static void set_level(void *options, int level)
{
    (void)options;
    (void)level;
}

static void set_version(void *options, int version, int profile)
{
    (void)options;
    assert_int_equal(version, 450);
    assert_int_equal(profile, 0);
}

static void set_callbacks(void *options, resolve_fn *resolve, release_fn *release, void *user)
{
    (void)options;
    lib.resolve = resolve;
    lib.release = release;
    lib.user = user;
}

static void put(const char *text, size_t bytes)
{
    assert_true(lib.module_bytes + bytes <= sizeof lib.module);
    memcpy(lib.module + lib.module_bytes, text, bytes);
    lib.module_bytes += bytes;
}

static void include(const char *wanted)
{
    include_result *r = lib.resolve(lib.user, wanted, 0, "kernel", 1);
    assert_non_null(r);
    assert_int_equal(strlen(r->name), r->name_bytes);
    if (r->name_bytes > 0) {
        assert_string_equal(r->name, wanted);
        put(r->text, r->text_bytes);
    } else {
        snprintf(lib.reason, sizeof lib.reason, "%.*s", (int)r->text_bytes, r->text);
    }
    lib.release(lib.user, r);
}

static void *compile(void *compiler, const char *text, size_t bytes, int kind, const char *path,
                     const char *entry, void *options)
{
    const char *end = text + bytes;
    (void)compiler;
    (void)options;
    (void)path;
    assert_int_equal(kind, 2); /* compute */
    assert_string_equal(entry, "main");
    if (lib.no_result) return NULL;
    if (lib.wanted) include(lib.wanted);
    while (text < end) {
        const char *line = memchr(text, '\n', (size_t)(end - text));
        char name[256];
        size_t length = (size_t)((line ? line + 1 : end) - text);
        if (sscanf(text, "#include \"%255[^\"\n]\"", name) == 1)
            include(name);
        else
            put(text, length);
        text += length;
    }
    return make();
}

static size_t get_length(void *result)
{
    (void)result;
    return lib.module_bytes;
}

static const char *get_bytes(void *result)
{
    (void)result;
    return lib.module;
}

static int get_status(void *result)
{
    (void)result;
    return lib.fails ? 2 : 0;
}

static const char *get_message(void *result)
{
    (void)result;
    return lib.fails ? "" : NULL;
}

static const struct {
    const char *name;
    void (*function)(void);
} functions[] = {
#define FUNCTION(name, function)                                                                   \
    {                                                                                              \
        "shaderc_" #name, (void (*)(void))(function)                                               \
    }
    FUNCTION(compiler_initialize, make),
    FUNCTION(compiler_release, drop),
    FUNCTION(compile_options_initialize, make),
    FUNCTION(compile_options_release, drop),
    FUNCTION(compile_options_add_macro_definition, add_macro),
    FUNCTION(compile_options_set_target_env, set_env),
    FUNCTION(compile_options_set_optimization_level, set_level),
    FUNCTION(compile_options_set_forced_version_profile, set_version),
    FUNCTION(compile_options_set_include_callbacks, set_callbacks),
    FUNCTION(compile_into_spv, compile),
    FUNCTION(result_release, drop),
    FUNCTION(result_get_length, get_length),
    FUNCTION(result_get_bytes, get_bytes),
    FUNCTION(result_get_compilation_status, get_status),
    FUNCTION(result_get_error_message, get_message),
};
#define FUNCTIONS (sizeof functions / sizeof *functions)

platform_library *platform_library_open(const char *name)
{
    assert_non_null(name);
    if (lib.absent && !*lib.absent) return NULL;
    lib.held++;
    return (platform_library *)&lib;
}

bool platform_library_symbol(platform_library *l, const char *name, void *to, size_t bytes)
{
    assert_ptr_equal(l, &lib);
    if (lib.absent && !strcmp(name, lib.absent)) return false;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(name, functions[i].name) != 0) continue;
        assert_int_equal(bytes, sizeof functions[i].function);
        memcpy(to, &functions[i].function, bytes);
        return true;
    }
    return false;
}

void platform_library_close(platform_library *l)
{
    if (l) lib.held--;
}

/* ---- the caller ---- */

static char folder[256]; /* files of the test are FOLDER-NAME */

static const char *path_of(const char *name)
{
    static char path[2][300];
    static unsigned turn;
    char *out = path[turn++ % 2];
    snprintf(out, sizeof *path, "%s-%s", folder, name);
    return out;
}

static const char *write_file(const char *name, const void *data, size_t bytes)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* Compiles; what it gives, and that nothing is left behind. */
static int run(const char *path, const char *defines, const char *include_dir, uint32_t **words,
               size_t *bytes)
{
    int status;
    *words = NULL;
    *bytes = 0;
    errors = 0;
    lib.held = 0;
    lib.module_bytes = 0;
    lib.macros[0] = lib.reason[0] = '\0';
    status = glsl_compile(path, defines, include_dir, words, bytes);
    assert_int_equal(lib.held, 0);
    assert_int_equal(errors, status != 0);
    assert_true(status == 0 || (status == 1 && !*words));
    return status;
}

static void refused(const char *path, const char *words_of_error)
{
    uint32_t *words;
    size_t bytes;
    assert_int_equal(run(path, "", NULL, &words, &bytes), 1);
    if (!strstr(error, words_of_error)) fail_msg("'%s': no '%s'", error, words_of_error);
}

static void gives(const char *path, const char *include_dir, const char *module, size_t count)
{
    uint32_t *words;
    size_t bytes;
    assert_int_equal(run(path, "", include_dir, &words, &bytes), 0);
    assert_int_equal(bytes, count);
    assert_memory_equal(words, module, count);
    free(words);
}

static void no_compiler(void **state)
{
    const char *path = write_file("k.comp", "x", 1);
    (void)state;
    lib = (struct compiler){.absent = ""};
    refused(path, "libshaderc.so.1 expected to compile with, not found");
    for (size_t i = 0; i < FUNCTIONS; i++) {
        lib = (struct compiler){.absent = functions[i].name};
        refused(path, functions[i].name);
    }
    lib = (struct compiler){.no_result = true};
    refused(path, "could not be compiled");
    lib = (struct compiler){.fails = true};
    refused(path, "could not be compiled");
    remove(path);
}

static void odd_files(void **state)
{
    static const char zeros[] = "\0\0#include\0\"x\"\0";
    char *deep = malloc(8192);
    (void)state;
    lib = (struct compiler){0};
    refused(path_of("nowhere"), "nowhere cannot be read");
    refused("/", "/ cannot be read");
    assert_non_null(deep);
    memset(deep, 'a', 8191);
    deep[8191] = '\0';
    refused(deep, "cannot be read");
    free(deep);
    gives(write_file("k.comp", "", 0), NULL, "", 0);
    gives(write_file("k.comp", zeros, sizeof zeros), NULL, zeros, sizeof zeros);
    remove(path_of("k.comp"));
}

static void macros(void **state)
{
    const char *path = write_file("k.comp", "x", 1);
    static const char *const cases[][2] = {{"", ""},
                                           {"-DA", "A=;"},
                                           {"-DA -DB=1 -DLONG=2u", "A=;B=1;LONG=2u;"},
                                           {"-DA=b=c", "A=b=c;"},
                                           {"-D", "=;"},
                                           {"-DA=", "A=;"}};
    (void)state;
    lib = (struct compiler){0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t *words;
        size_t bytes;
        assert_int_equal(run(path, cases[i][0], NULL, &words, &bytes), 0);
        assert_string_equal(lib.macros, cases[i][1]);
        free(words);
    }
    remove(path);
}

/* Beside the kernel, then in the folder, then the program's own. */
static void includes(void **state)
{
    static char far[5000];
    char text[600];
    const char *kernel, *beside = strrchr(folder, '/') + 1;
    static const char *const odd[] = {"", "-", "/", ".", "..", "../..", "no such", "\x1b[31m", far};
    (void)state;
    lib = (struct compiler){0};
    write_file("near.glsl", "near", 4);
    snprintf(text, sizeof text, "a\n#include \"%s-near.glsl\"\n#include \"carried.glsl\"\nb",
             beside);
    kernel = write_file("k.comp", text, strlen(text));
    gives(kernel, NULL, "a\nnearcarriedb", 14);
    /* the folder of --include ends where the file's name begins */
    snprintf(text, sizeof text, "#include \"%s-near.glsl\"", beside);
    write_file("k.comp", text, strlen(text));
    snprintf(text, sizeof text, "%.*s", (int)(beside - folder), folder);
    gives(kernel, text, "near", 4);
    write_file("k.comp", "x", 1);
    memset(far, 'b', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        lib = (struct compiler){.wanted = odd[i]};
        gives(kernel, far, "x", 1);
        assert_string_equal(lib.reason,
                            "no such file beside the kernel, in --include or in the program");
    }
    remove(path_of("near.glsl"));
    remove(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_compiler),
        cmocka_unit_test(odd_files),
        cmocka_unit_test(macros),
        cmocka_unit_test(includes),
    };
    test_temp_path(folder, sizeof folder, "glsl");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
