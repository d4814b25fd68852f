/* Files made by hand for the loader's tests: a byte writer of its own, apart from loader/'s. */
#ifndef TEST_LOADER_FILES_H
#define TEST_LOADER_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct buf {
    unsigned char *data;
    size_t size, room;
} buf;

static inline void put(buf *b, const void *data, size_t bytes)
{
    if (b->size + bytes > b->room) {
        b->room = (b->size + bytes) * 2;
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    if (bytes) memcpy(b->data + b->size, data, bytes);
    b->size += bytes;
}

static inline void put_le(buf *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)(v >> (8 * i) & 255);
        put(b, &c, 1);
    }
}

static inline void put_f32(buf *b, float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    put_le(b, u, 4);
}

static inline void put_str(buf *b, const char *s)
{
    put_le(b, strlen(s), 8);
    put(b, s, strlen(s));
}

static inline void put_pad(buf *b, size_t align)
{
    while (b->size % align) put_le(b, 0, 1);
}

static inline void put_header(buf *b, uint32_t version, uint64_t tensors, uint64_t kvs)
{
    put(b, "GGUF", 4);
    put_le(b, version, 4);
    put_le(b, tensors, 8);
    put_le(b, kvs, 8);
}

static inline void put_kv_str(buf *b, const char *key, const char *value)
{
    put_str(b, key);
    put_le(b, 8, 4);
    put_str(b, value);
}

static inline void put_kv_u32(buf *b, const char *key, uint32_t value)
{
    put_str(b, key);
    put_le(b, 4, 4);
    put_le(b, value, 4);
}

static inline void put_kv_strings(buf *b, const char *key, const char *const *s, uint32_t count)
{
    put_str(b, key);
    put_le(b, 9, 4);
    put_le(b, 8, 4);
    put_le(b, count, 8);
    for (uint32_t i = 0; i < count; i++) put_str(b, s[i]);
}

static inline void put_kv_i32s(buf *b, const char *key, const int32_t *v, uint32_t count)
{
    put_str(b, key);
    put_le(b, 9, 4);
    put_le(b, 5, 4);
    put_le(b, count, 8);
    for (uint32_t i = 0; i < count; i++) put_le(b, (uint32_t)v[i], 4);
}

static inline void put_tensor(buf *b, const char *name, uint32_t type, uint64_t k, uint64_t n,
                              uint64_t offset)
{
    put_str(b, name);
    put_le(b, n ? 2 : 1, 4);
    put_le(b, k, 8);
    if (n) put_le(b, n, 8);
    put_le(b, type, 4);
    put_le(b, offset, 8);
}

static inline void free_buf(buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

/* A path in the folder where the test runs. */
static inline const char *temp_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s.%s", TEST_NAME, name);
    return p;
}

static inline void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

/* NULL when it cannot be opened. */
static inline unsigned char *read_whole(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    unsigned char *data;
    long size;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    fseek(f, 0, SEEK_SET);
    data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    data[size] = 0;
    fclose(f);
    *bytes = (size_t)size;
    return data;
}

/* Path of a file of the shared test data; skips the test, loudly, where it is absent. */
static inline const char *shared(const char *name)
{
    static char paths[8][512];
    static int next;
    char *p = paths[next++ % 8];
    FILE *f = NULL;
#ifdef TVK_SHARED_DIR
    snprintf(p, sizeof paths[0], "%s/data/%.200s", TVK_SHARED_DIR, name);
    f = fopen(p, "rb");
#endif
    if (!f) {
        printf("SKIPPED: the shared test data has no %s\n", name);
        skip();
    }
    fclose(f);
    return p;
}

/* Copies `data` to a heap block of exactly its size, so that a sanitizer sees reads past the end.
 */
static inline unsigned char *exact_copy(const void *data, size_t bytes)
{
    unsigned char *p = malloc(bytes ? bytes : 1);
    assert_non_null(p);
    memcpy(p, data, bytes);
    return p;
}

/* The pattern of the golden values. */
static inline int8_t pattern(uint64_t i)
{
    return (int8_t)((7 * i + 3) % 11 % 3) - 1;
}

static inline uint32_t random_u32(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static inline void fill_random(uint64_t seed, int8_t *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) codes[i] = (int8_t)(random_u32(&seed) % 3) - 1;
}

#endif
