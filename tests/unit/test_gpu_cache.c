/* The device layer: compiled programs as bytes, kept and given back. */
#include "gpu_fixture.h"

#define TAG 0x123456789abcdef0u

static tvk_device *open(const char *clamps)
{
    tvk_device_params p = params(clamps);
    tvk_device *d = NULL;
    tvk_error err = {0};
    ok(tvk_device_create(&p, &d, &err), &err);
    return d;
}

static void compile(tvk_device *d, uint32_t add)
{
    tvk_program *p = axpb(d, add);
    tvk_program_destroy(&p);
}

/* A driver that keeps nothing gives its header. */
static unsigned char *kept(tvk_device *d, size_t *size)
{
    void *bytes;
    tvk_error err = {0};
    ok(tvk_device_programs_get(d, TAG, &bytes, size, &err), &err);
    assert_true((bytes != NULL) == (*size > 0));
    return bytes;
}

static void refused(tvk_device *d, const void *bytes, size_t size, uint64_t tag, const char *why)
{
    tvk_error err = {0};
    assert_int_equal(tvk_device_programs_put(d, bytes, size, tag, &err), TVK_ERR_FORMAT);
    if (!strstr(err.text, why)) fail_msg("'%s' expected, '%s' found", why, err.text);
}

void programs_are_kept(void **state)
{
    tvk_device *d = open(((fixture *)*state)->clamps);
    unsigned char *bytes, *more;
    size_t size, again;
    tvk_error err = {0};
    compile(d, 200);
    bytes = kept(d, &size);
    assert_non_null(bytes);
    assert_null(kept(d, &again)); /* and nothing since */
    tvk_device_destroy(&d);

    d = open(((fixture *)*state)->clamps);
    ok(tvk_device_programs_put(d, bytes, size, TAG, &err), &err);
    compile(d, 200);
    more = kept(d, &again);
    if (more && again <= size) fail_msg("%zu bytes became %zu", size, again);
    free(more);
    free(bytes);
    tvk_device_destroy(&d);
}

/* What is damaged is refused with a reason, and the device compiles as before. */
void damaged_programs(void **state)
{
    tvk_device *d = open(((fixture *)*state)->clamps);
    unsigned char *bytes, *copy;
    size_t size;
    compile(d, 201);
    bytes = kept(d, &size);
    assert_non_null(bytes);
    copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    refused(d, copy, size, TAG + 1, "another device, driver or version");
    for (size_t i = 0; i < size; i += i < 200 ? 1 : size / 50 + 1) {
        refused(d, copy, i, TAG, i < 80 ? "too short" : "cut");
        copy[i] ^= 0x10;
        refused(d, copy, size, TAG, "");
        copy[i] ^= 0x10;
    }
    copy[size] = 0;
    refused(d, copy, size + 1, TAG, "longer");
    copy[size - 1] ^= 1;
    refused(d, copy, size, TAG, "damaged");
    memset(copy, 0, size);
    refused(d, copy, size, TAG, "not a file");
    free(copy);
    compile(d, 202);
    free(bytes);
    tvk_device_destroy(&d);
}
