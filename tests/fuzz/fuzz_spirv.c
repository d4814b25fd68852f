/* A module that a compiler of the user's made, as `ternvk kernels --kernel` looks through it. */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "spirv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t count = size / 4;
    uint32_t *words = malloc(count ? 4 * count : 1);
    spirv_facts f;
    fuzz_require(words != NULL, "memory");
    memcpy(words, data, 4 * count);
    if (spirv_read(words, count, &f)) {
        fuzz_require(f.capability_count <= SPIRV_CAPABILITIES, "the list holds its capabilities");
        fuzz_require(f.kernels + f.others <= count, "an entry point is an instruction");
    }
    free(words);
    return 0;
}
