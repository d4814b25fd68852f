/* The tables: ops from kernels.def, modules from shaders/manifest.def with their embedded SPIR-V
 * (the build writes spirv_table.inc, one line a manifest row). */
#include "kernels/internal.h"

#define TVK_SPV(name)                                                                              \
    extern const uint32_t tvk_spv_##name[];                                                        \
    extern const size_t tvk_spv_##name##_bytes;
#define TVK_SPV_ABSENT(name)                                                                       \
    static const uint32_t tvk_spv_##name[1] = {0};                                                 \
    static const size_t tvk_spv_##name##_bytes = 0;
#include "spirv_table.inc"
#undef TVK_SPV
#undef TVK_SPV_ABSENT

/* A module is called op for the variant `base` and op_variant else: IS_BASE(variant) is 1 or 0. */
#define IS_base ~, 1
#define SECOND(a, b, ...) b
#define IS_BASE_OF(...) SECOND(__VA_ARGS__, 0, 0)
#define IS_BASE(variant) IS_BASE_OF(IS_##variant)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define MODULE_1(op, variant) op
#define MODULE_0(op, variant) op##_##variant
#define MODULE(op, variant) JOIN(MODULE_, IS_BASE(variant))(op, variant)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static const tvk_shader_info shaders[] = {
#define TVK_SHADER(op, variant, path, defines, caps)                                               \
    {TEXT(MODULE(op, variant)),                                                                    \
     #variant,                                                                                     \
     TVK_OP_##op,                                                                                  \
     (uint32_t)(caps),                                                                             \
     JOIN(tvk_spv_, MODULE(op, variant)),                                                          \
     &JOIN(JOIN(tvk_spv_, MODULE(op, variant)), _bytes)},
#include "shaders/manifest.def"
#undef TVK_SHADER
};

typedef struct op_info {
    const char *name, *access;
    uint32_t param_words, fixed_words;
} op_info;

static const op_info ops[] = {
#define WORDS(params) ((uint32_t)sizeof(struct tvk_##params##_params) / 4)
#define ALL UINT32_MAX
#define FIXED(params, fixed) ((fixed) == ALL ? WORDS(params) : (fixed))
#define TVK_KERNEL(op, access, params, fixed) {#op, access, WORDS(params), FIXED(params, fixed)},
#include "kernels/kernels.def"
#undef TVK_KERNEL
};

_Static_assert(TVK_FIXED_ID == TVK_MAX_CONSTANTS &&
                   TVK_CONSTANTS == TVK_MAX_CONSTANTS + TVK_MAX_FIXED,
               "fixed words and the one that says whether they count stand behind the constants");
#define TVK_KERNEL(op, access, params, fixed)                                                      \
    _Static_assert(WORDS(params) <= TVK_MAX_PARAMS && FIXED(params, fixed) <= WORDS(params) &&     \
                       FIXED(params, fixed) <= TVK_FIXED_WORDS,                                    \
                   #op);
#include "kernels/kernels.def"
#undef TVK_KERNEL

uint32_t tvk_shader_count(void)
{
    return (uint32_t)(sizeof shaders / sizeof shaders[0]);
}

const tvk_shader_info *tvk_shader_get(uint32_t index)
{
    return index < tvk_shader_count() ? &shaders[index] : NULL;
}

const char *tvk_op_name(tvk_op op)
{
    return ops[op].name;
}

const char *tvk_op_access(tvk_op op)
{
    return ops[op].access;
}

uint32_t tvk_op_param_words(tvk_op op)
{
    return ops[op].param_words;
}

uint32_t tvk_op_fixed_words(tvk_op op)
{
    return ops[op].fixed_words;
}

/* FNV-1a, a word at a time */
static void add(uint64_t *hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) *hash = (*hash ^ words[i]) * 1099511628211u;
}

uint64_t tvk_kernels_version(void)
{
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < tvk_shader_count(); i++)
        add(&hash, shaders[i].spirv, *shaders[i].spirv_bytes / 4);
    for (uint32_t row = 0; row < tvk_shader_count(); row++) {
        uint32_t count;
        const tvk_config *configs = tvk_config_table(&shaders[row], &count);
        for (uint32_t i = 0; i < count; i++) {
            add(&hash, &configs[i].group, 1);
            add(&hash, configs[i].tile, sizeof configs[i].tile / 4);
        }
    }
    return hash;
}
