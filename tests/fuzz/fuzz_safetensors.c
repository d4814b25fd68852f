/* safetensors: the header, and every tensor's bytes. */
#include "target.h"

#include "safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tvk_safetensors *s = NULL;
    tvk_error err = {0};
    if (tvk_safetensors_parse(data, size, &s, &err) != TVK_OK) {
        fuzz_require(!s && fuzz_is_reason(err.text), "a failure has a reason and no file");
        return 0;
    }
    for (uint32_t i = 0; i < s->tensor_count; i++) {
        const tvk_st_tensor *t = &s->tensors[i];
        const volatile unsigned char *bytes = t->data;
        fuzz_require(t->end - t->begin == t->elems * tvk_st_type_bytes(t->type), "sizes agree");
        if (t->end > t->begin) (void)(bytes[0] + bytes[t->end - t->begin - 1]);
    }
    tvk_safetensors_destroy(&s);
    return 0;
}
