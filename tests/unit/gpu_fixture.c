#include "gpu_fixture.h"

static const uint32_t axpb_spirv[] = {
#include "axpb.spv.inc"
};

/* The layer of Debian 12 leaks and is then unloaded, so that no suppression can name it: sanitizer
 * runs do without. */
#if defined(__SANITIZE_ADDRESS__)
#define VALIDATE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VALIDATE false
#endif
#endif
#ifndef VALIDATE
#define VALIDATE true
#endif

int messages;

static void log_line(void *user, tvk_log_level level, const char *text)
{
    /* Also those of destruction, which no device is left to count. */
    if (!strncmp(text, "validation:", 11)) ++*(int *)user;
    if (level <= TVK_LOG_WARN) fprintf(stderr, "  log: %s\n", text);
}

tvk_device_params params(const char *clamps)
{
    return (tvk_device_params){.select = getenv("TVK_TEST_DEVICE"),
                               .clamps = clamps,
                               .log = {.fn = log_line, .user = &messages, .level = TVK_LOG_DEBUG},
                               .validate = VALIDATE};
}

void ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK)
        fail_msg("%s: %s (%s:%d)", tvk_status_name(st), err->text, err->file, err->line);
}

tvk_buffer *buffer(tvk_device *d, uint64_t bytes)
{
    tvk_error err = {0};
    tvk_buffer *b = NULL;
    ok(tvk_buffer_create(d, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, bytes, "test", &b, &err), &err);
    assert_int_equal(tvk_buffer_bytes(b), bytes);
    return b;
}

void write_all(tvk_buffer *b, tvk_device *d, const void *data)
{
    tvk_error err = {0};
    ok(tvk_gpu_write(d, tvk_buffer_span(b), data, &err), &err);
}

void read_all(tvk_buffer *b, tvk_device *d, void *data)
{
    tvk_error err = {0};
    ok(tvk_gpu_read(d, tvk_buffer_span(b), data, &err), &err);
}

tvk_program_desc axpb_desc(uint32_t add)
{
    return (tvk_program_desc){.name = "axpb",
                              .spirv = axpb_spirv,
                              .spirv_bytes = sizeof axpb_spirv,
                              .binding_count = 2,
                              .push_bytes = 8,
                              .constant_count = 4,
                              .constants = {WIDTH, 1, 1, add}};
}

tvk_program *axpb(tvk_device *d, uint32_t add)
{
    const tvk_program_desc desc = axpb_desc(add);
    tvk_error err = {0};
    tvk_program *p = NULL;
    ok(tvk_program_create(d, &desc, &p, &err), &err);
    return p;
}

tvk_commands *commands(tvk_device *d, uint32_t dispatches, uint32_t bindings, uint32_t stamps)
{
    tvk_error err = {0};
    tvk_commands *c = NULL;
    ok(tvk_commands_create(d, dispatches, bindings, stamps, "test", &c, &err), &err);
    return c;
}

void record_axpb(tvk_commands *c, tvk_program *p, tvk_span x, tvk_span y, uint32_t n, uint32_t a)
{
    const uint32_t push[2] = {n, a}, count[3] = {(n + WIDTH - 1) / WIDTH, 1, 1};
    const tvk_span bindings[2] = {x, y};
    tvk_error err = {0};
    ok(tvk_commands_dispatch(c, p, bindings, push, count, &err), &err);
}

bool computes(void)
{
    return getenv("TVK_TEST_NO_RESULTS") == NULL;
}

uint64_t live_bytes(tvk_device *d)
{
    tvk_memory_use use;
    tvk_device_memory(d, &use);
    return use.by_purpose[TVK_PURPOSE_WEIGHTS] + use.by_purpose[TVK_PURPOSE_KV] +
           use.by_purpose[TVK_PURPOSE_SCRATCH] + use.by_purpose[TVK_PURPOSE_STATE];
}
