#define _POSIX_C_SOURCE 200809L
#include "support/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_log(void *user, tvk_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "  log: %s\n", text);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 65536);
    if (f && text) text[fread(text, 1, 65535, f)] = 0;
    if (f) fclose(f);
    return text;
}

static tvk_device *create(const char *clamps, uint32_t submit_ms)
{
    const char *validate = getenv("TERNVK_VALIDATE"), *file = getenv("TERNVK_CLAMPS");
    char *text = !clamps && file ? read_text(file) : NULL;
    tvk_device_params params = {.select = getenv("TERNVK_DEVICE"),
                                .clamps = clamps ? clamps : text,
                                .submit_ms = submit_ms,
                                .log = {.fn = print_log, .level = TVK_LOG_WARN},
                                .validate = !validate || strcmp(validate, "0") != 0};
    tvk_device *device = NULL;
    tvk_error err = {0};
    if (tvk_device_create(&params, &device, &err) != TVK_OK) {
        fprintf(stderr, "NO DEVICE: %s\n", err.text);
    }
    free(text);
    return device;
}

tvk_device *test_device_create(const char *clamps)
{
    return create(clamps, 0);
}

tvk_device *test_device_create_bounded(uint32_t submit_ms)
{
    return create(NULL, submit_ms);
}

int test_no_device_code(void)
{
    const char *require = getenv("TVK_REQUIRE_DEVICE");
    return require && strcmp(require, "0") != 0 ? 1 : TEST_SKIP;
}

int test_device_messages(const tvk_device *device)
{
    uint32_t n = tvk_device_validation_messages(device);
    if (n > 0) fprintf(stderr, "the validation layer gave %u messages\n", n);
    return n > 0;
}

const char *test_temp_path(char *buf, size_t bytes, const char *name)
{
    const char *dir = getenv("TMPDIR");
    snprintf(buf, bytes, "%s/ternvk-test-%ld-%s", dir ? dir : "/tmp", (long)getpid(), name);
    return buf;
}
