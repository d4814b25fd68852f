/* A file of the full 2B4T shape loads: in I2_S and in TQ2_0, to the same logits, within a bound of
 * memory; says how fast.
 *   PROGRAM FOLDER [GB/s]     least speed from the page cache; files of 1.2 GB, removed again */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/big_model.h"
#include "support/device.h"
#include "ternvk/loader.h"
#include "ternvk/session.h"

#define HOST_BYTES                                                                                 \
    (300ull << 20) /* beyond the mapped file and what the device keeps on the host                 \
                    */
#define LOADS 4    /* the first may read the disk */

static const int32_t prompt[] = {128000, 5, 77, 300, 9000};

typedef struct run {
    const char *path;
    double best; /* seconds */
    uint64_t file_bytes, host_bytes;
    float *logits;
} run;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Memory of this process that belongs to no file, in bytes. */
static uint64_t host_now(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    unsigned long kb, sum = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %lu", &kb) == 1 || sscanf(line, "RssShmem: %lu", &kb) == 1)
            sum += kb;
    if (f) fclose(f);
    return (uint64_t)sum * 1024;
}

typedef struct watch {
    const tvk_device *device;
    uint64_t most;
} watch;

/* A CPU driver keeps the device's memory on the host: not ours to count. */
static bool look(void *user, const char *what, uint64_t done, uint64_t total)
{
    watch *w = user;
    uint64_t bytes = host_now(), device = 0;
    tvk_memory_use use;
    (void)what;
    (void)done;
    (void)total;
    tvk_device_memory(w->device, &use);
    if (tvk_device_get_info(w->device)->type == TVK_DEVICE_CPU)
        for (int p = 0; p < TVK_PURPOSE_COUNT; p++) device += use.by_purpose[p];
    bytes = bytes > device ? bytes - device : 0;
    if (bytes > w->most) w->most = bytes;
    return true;
}

static tvk_status load(tvk_device *device, run *r, bool last, tvk_error *err)
{
    watch w = {device, 0};
    const tvk_model_params params = {
        .context = 128, .batch = 16, .exact = true, .progress = {look, &w}};
    tvk_file *file = NULL;
    tvk_model *model = NULL;
    tvk_session *session = NULL;
    tvk_tokenizer *tokenizer = NULL;
    double start = now(), seconds;
    tvk_status st = tvk_file_open(r->path, &file, err);
    if (st == TVK_OK) st = tvk_model_create(device, tvk_file_source(file), &params, &model, err);
    seconds = now() - start;
    if (st == TVK_OK && seconds < r->best) r->best = seconds;
    if (st == TVK_OK && last) {
        tvk_batch_item item = {.tokens = prompt, .count = 5, .logits = r->logits};
        r->file_bytes = tvk_file_bytes(file);
        st = tvk_session_create(model, &session, err);
        item.session = session;
        if (st == TVK_OK) st = tvk_eval(model, &item, 1, err);
        if (st == TVK_OK) st = tvk_tokenizer_create(file, &tokenizer, err);
    }
    look(&w, "", 0, 0);
    r->host_bytes = w.most;
    tvk_tokenizer_destroy(&tokenizer);
    tvk_session_destroy(&session);
    tvk_model_destroy(&model);
    tvk_file_close(&file);
    return st;
}

static int check(tvk_device *device, run *r, tvk_dtype type, double least)
{
    tvk_error err = {0};
    tvk_status st = big_model_write(r->path, type, &err);
    double rate;
    r->best = 1e9;
    for (int i = 0; i < LOADS && st == TVK_OK; i++) st = load(device, r, i == LOADS - 1, &err);
    remove(r->path);
    if (st != TVK_OK) {
        fprintf(stderr, "FAIL: %s\n", err.text);
        return 1;
    }
    rate = (double)r->file_bytes / r->best * 1e-9;
    printf("%-6s %.2f GB in %.3f s: %.2f GB/s; %.0f MB of the host's memory beside the file\n",
           tvk_dtype_name(type), (double)r->file_bytes * 1e-9, r->best, rate,
           (double)r->host_bytes * 1e-6);
    if (r->host_bytes > HOST_BYTES) fprintf(stderr, "FAIL: more than %llu bytes\n", HOST_BYTES);
    if (rate < least) fprintf(stderr, "FAIL: less than %.2f GB/s\n", least);
    return r->host_bytes > HOST_BYTES || rate < least;
}

int main(int argc, char **argv)
{
    static const tvk_dtype types[2] = {TVK_I2_S, TVK_TQ2_0};
    tvk_device *device;
    run runs[2] = {0};
    char path[512];
    const size_t count = 5 * (size_t)BIG_VOCAB;
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [GB/s]\n", argv[0]);
        return 2;
    }
    device = test_device_create(NULL);
    if (!device) return test_no_device_code();
    snprintf(path, sizeof path, "%s/ternvk-big.gguf", argv[1]);
    for (int i = 0; i < 2; i++) {
        runs[i].path = path;
        runs[i].logits = calloc(count, sizeof(float));
        if (!runs[i].logits) return 1;
        failed |= check(device, &runs[i], types[i], argc > 2 ? atof(argv[2]) : 0);
    }
    if (!failed && (memcmp(runs[0].logits, runs[1].logits, count * sizeof(float)) ||
                    runs[0].logits[0] == runs[0].logits[1])) {
        fprintf(stderr, "FAIL: the two types give other logits, or none\n");
        failed = 1;
    }
    for (int i = 0; i < 2; i++) free(runs[i].logits);
    failed |= test_device_messages(device);
    tvk_device_destroy(&device);
    return failed;
}
