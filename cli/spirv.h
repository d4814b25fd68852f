/* What a SPIR-V module asks of the pipeline that it is made into. */
#ifndef TVK_CLI_SPIRV_H
#define TVK_CLI_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPIRV_CAPABILITIES 32u

typedef struct spirv_facts {
    uint32_t capabilities[SPIRV_CAPABILITIES], capability_count;
    uint32_t kernels;      /* entry points of compute */
    uint32_t others;       /* entry points of anything else */
    uint32_t bindings;     /* one more than the largest */
    uint32_t sets;         /* likewise */
    uint32_t push_bytes;   /* of push constants; UINT32_MAX: not known, as of matrices */
    uint32_t constants;    /* of specialization: one more than the largest number */
    uint32_t shared_bytes; /* of workgroup memory, at least: without padding, and an array whose
                            * length is a specialization constant as one element */
    bool group_constants;  /* the workgroup's sides are the specialization constants 0, 1 and 2 */
} spirv_facts;

/* False: not a module, one of more capabilities than that, or no memory. */
bool spirv_read(const uint32_t *words, size_t count, spirv_facts *out);

#endif
