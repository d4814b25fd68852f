/* Runs a fuzz target without a fuzzer: every file of the corpus as it is and cut at every length,
 * what fuzzers found, and random mutations: so many of each file of the corpus, and as many of
 * files drawn from both. Fixed seed: a failure comes again. PROGRAM CORPUS FOUND.zip MUTATIONS exit
 * status 0, or a crash */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zip.h>

#include "target.h"

#define MAX_SECONDS 10 /* an input may take */
#define MAX_CUTS 4096  /* of one file; longer ones are cut at this many lengths */

typedef struct input {
    char name[256];
    unsigned char *data;
    size_t size;
} input;

static input *inputs;
static size_t input_count;
static uint64_t state = 0x9E3779B97F4A7C15u;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * below >> 32);
}

/* A block of exactly `size` bytes, so that the sanitizer sees reads past its end. */
static void run(const unsigned char *data, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    fuzz_require(copy != NULL, "memory");
    if (size) memcpy(copy, data, size);
    alarm(MAX_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    free(copy);
}

static input *add(const char *name, size_t size)
{
    input *in;
    inputs = realloc(inputs, (input_count + 1) * sizeof *inputs);
    fuzz_require(inputs != NULL, "memory");
    in = &inputs[input_count++];
    snprintf(in->name, sizeof in->name, "%.255s", name);
    in->size = size;
    in->data = malloc(size + 1);
    fuzz_require(in->data != NULL, "memory");
    return in;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const input *)a)->name, ((const input *)b)->name);
}

static void load(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    fuzz_require(dir != NULL, "the corpus can be opened");
    while ((entry = readdir(dir))) {
        char path[1024];
        input *in;
        FILE *f;
        long size = -1;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        f = fopen(path, "rb");
        fuzz_require(f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0, path);
        rewind(f);
        in = add(entry->d_name, (size_t)size);
        fuzz_require(fread(in->data, 1, in->size, f) == in->size, path);
        fclose(f);
    }
    closedir(dir);
    fuzz_require(input_count > 0, "the corpus has files");
    qsort(inputs, input_count, sizeof *inputs, by_name); /* the same order everywhere */
}

static void load_zip(const char *path)
{
    int code;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    fuzz_require(zip != NULL, path);
    for (zip_int64_t i = 0; i < zip_get_num_entries(zip, 0); i++) {
        zip_stat_t info;
        zip_file_t *f = zip_fopen_index(zip, (zip_uint64_t)i, 0);
        input *in;
        fuzz_require(f && zip_stat_index(zip, (zip_uint64_t)i, 0, &info) == 0, path);
        in = add(info.name, (size_t)info.size);
        fuzz_require(zip_fread(f, in->data, info.size) == (zip_int64_t)info.size, path);
        zip_fclose(f);
    }
    zip_discard(zip);
}

/* One change; *size stays within `room`. */
static void mutate(unsigned char *data, size_t *size, size_t room)
{
    static const uint64_t odd[] = {0,    1,      0x7f,       0x80,       0xff,           0xffff,
                                   1000, 0x8000, 0x7fffffff, 0xffffffff, 0x100000000ull, ~0ull};
    size_t at = *size ? draw((uint32_t)*size) : 0, n;
    switch (draw(8)) {
    case 0: /* a bit */
        if (*size) data[at] ^= (unsigned char)(1u << draw(8));
        break;
    case 1: /* a byte */
        if (*size) data[at] = (unsigned char)draw(256);
        break;
    case 2: /* a number that breaks programs, 1 to 8 bytes */
        n = (size_t)1 << draw(4);
        if (at + n <= *size) memcpy(data + at, &odd[draw(sizeof odd / sizeof *odd)], n);
        break;
    case 3: /* cut */
        *size = at;
        break;
    case 4: /* bytes taken out */
        n = draw(16);
        if (at + n <= *size) {
            memmove(data + at, data + at + n, *size - at - n);
            *size -= n;
        }
        break;
    case 5: /* bytes doubled */
        n = 1 + draw(32);
        if (at + n <= *size && *size + n <= room) {
            memmove(data + at + n, data + at, *size - at);
            *size += n;
        }
        break;
    case 6: { /* a piece of another file */
        const input *other = &inputs[draw((uint32_t)input_count)];
        size_t from = other->size ? draw((uint32_t)other->size) : 0;
        n = draw(64);
        if (from + n <= other->size && at + n <= *size) memcpy(data + at, other->data + from, n);
        break;
    }
    default: /* a number one up or down: counts and lengths, binary or in decimal */
        if (*size) data[at] = (unsigned char)(data[at] + (draw(2) ? 1 : 255));
    }
}

static void run_mutated(const input *in)
{
    size_t size = in->size, room = in->size + 1024;
    unsigned char *data = malloc(room);
    fuzz_require(data != NULL, "memory");
    memcpy(data, in->data, size);
    for (uint32_t n = 1 + draw(4); n > 0; n--) mutate(data, &size, room);
    run(data, size);
    free(data);
}

int main(int argc, char **argv)
{
    unsigned long mutations, done = 0, cuts = 0;
    size_t seeds;
    clock_t start = clock();
    if (argc != 4) {
        fprintf(stderr, "usage: %s CORPUS FOUND.zip MUTATIONS\n", argv[0]);
        return 2;
    }
    load(argv[1]);
    seeds = input_count;
    load_zip(argv[2]);
    mutations = strtoul(argv[3], NULL, 10);
    for (size_t i = 0; i < input_count; i++) {
        size_t step = 1 + inputs[i].size / MAX_CUTS;
        fprintf(stderr, "\r%-60.60s", inputs[i].name);
        run(inputs[i].data, inputs[i].size);
        for (size_t cut = 0; i < seeds && cut < inputs[i].size; cut += step, cuts++)
            run(inputs[i].data, cut);
    }
    for (size_t i = 0; i < seeds; i++, done += mutations)
        for (unsigned long m = 0; m < mutations; m++) run_mutated(&inputs[i]);
    for (unsigned long m = 0; m < mutations; m++, done++)
        run_mutated(&inputs[draw((uint32_t)input_count)]);
    fprintf(stderr, "\r%zu files, %lu cuts, %lu mutations: %.1f s of CPU time\n", input_count, cuts,
            done, (double)(clock() - start) / CLOCKS_PER_SEC);
    for (size_t i = 0; i < input_count; i++) free(inputs[i].data);
    free(inputs);
    return 0;
}
