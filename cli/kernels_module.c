#include "kernels_module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glsl.h"
#include "out.h"
#include "spirv.h"

/* The macros that each row of the manifest is compiled with. */
static const char *const row_defines[] = {
#define TVK_SHADER(op, variant, path, defines, caps) defines,
#include "shaders/manifest.def"
#undef TVK_SHADER
};

/* The row of this name, UINT32_MAX: none. */
static uint32_t row_of(const char *name)
{
    for (uint32_t i = 0; i < tvk_shader_count(); i++)
        if (!strcmp(tvk_shader_get(i)->name, name)) return i;
    return UINT32_MAX;
}

int kernels_module_compile(const char *path, const char *row, const char *include,
                           kernels_module *out)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    char stem[64];
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", file);
    snprintf(stem, sizeof stem, "%.*s", (int)strcspn(file, "."), file);
    out->row = row_of(row ? row : stem);
    if (out->row == UINT32_MAX) {
        out_error(
            "%s: a row of the manifest that the kernel stands in for expected (ternvk devices "
            "-v lists them), '%s' found",
            row ? "--row" : "--kernel without --row", row ? row : stem);
        return 2;
    }
    return glsl_compile(path, row_defines[out->row], include, &out->words, &out->bytes);
}

static bool has(const spirv_facts *f, uint32_t capability)
{
    for (uint32_t i = 0; i < f->capability_count; i++)
        if (f->capabilities[i] == capability) return true;
    return false;
}

/* Does a row that this device runs ask for the capability too? */
static bool usual(const tvk_kernels *kernels, uint32_t capability)
{
    spirv_facts f;
    for (uint32_t i = 0; i < tvk_shader_count(); i++) {
        const tvk_shader_info *row = tvk_shader_get(i);
        if (tvk_kernels_eligible(kernels, i, NULL) &&
            spirv_read(row->spirv, *row->spirv_bytes / 4, &f) && has(&f, capability))
            return true;
    }
    return false;
}

static bool at_most(const kernels_module *m, const char *what, uint32_t most, const char *owner,
                    uint32_t found)
{
    if (found <= most) return true;
    out_error("%s: at most %u %s, as %s has, expected, %u found", m->name, most, what, owner,
              found);
    return false;
}

/* What the pipeline's layout, its workgroups and the device have room for. */
static bool has_room(const kernels_module *m, const tvk_device_info *device, const spirv_facts *f)
{
    const tvk_shader_info *row = tvk_shader_get(m->row);
    if (!f->group_constants) {
        out_error("%s: a workgroup of the specialization constants 0, 1 and 2 expected "
                  "(local_size_x_id and so on, as prelude.glsl has them), another found",
                  m->name);
        return false;
    }
    if (f->push_bytes == UINT32_MAX) {
        out_error("%s: push constants of numbers, vectors and arrays of a fixed length expected, "
                  "others found",
                  m->name);
        return false;
    }
    return at_most(m, "descriptor sets", 1, row->name, f->sets) &&
           at_most(m, "bindings", (uint32_t)strlen(tvk_op_access(row->op)), row->name,
                   f->bindings) &&
           at_most(m, "bytes of push constants", 4 * tvk_op_param_words(row->op), row->name,
                   f->push_bytes) &&
           at_most(m, "specialization constants", TVK_CONSTANTS, row->name, f->constants) &&
           at_most(m, "bytes of shared memory", device->max_shared_bytes, device->name,
                   f->shared_bytes);
}

bool kernels_module_fits(const kernels_module *m, const tvk_kernels *kernels)
{
    const tvk_shader_info *row = tvk_shader_get(m->row);
    const char *why;
    spirv_facts f;
    if (!tvk_kernels_eligible(kernels, m->row, &why)) {
        out_error("%s: this device cannot run the row it stands in for: %s", row->name, why);
        return false;
    }
    if (!spirv_read(m->words, m->bytes / 4, &f) || f.kernels != 1 || f.others != 0) {
        out_error("%s: a module with one compute kernel expected", m->name);
        return false;
    }
    for (uint32_t i = 0; i < f.capability_count; i++) {
        if (usual(kernels, f.capabilities[i])) continue;
        out_error(
            "%s: SPIR-V capability %u is needed, which ternvk uses on no kernel of this device",
            m->name, f.capabilities[i]);
        return false;
    }
    return has_room(m, tvk_device_get_info(tvk_kernels_device(kernels)), &f);
}

void kernels_module_free(kernels_module *module)
{
    free(module->words);
    memset(module, 0, sizeof *module);
}
