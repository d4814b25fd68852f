#include "support/alloc_faults.h"

#include <stddef.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __wrap_free(void *block);

static uint64_t left;
static bool fail_all, failed;
static int64_t live;

void alloc_fail_at(uint64_t n, bool all)
{
    left = n;
    fail_all = all;
    failed = false;
}

bool alloc_failed(void)
{
    return failed;
}

int64_t alloc_live(void)
{
    return live;
}

static bool fails(void)
{
    if (failed && fail_all) return true;
    if (left == 0 || --left > 0) return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    void *block = fails() ? NULL : __real_malloc(bytes);
    live += block != NULL;
    return block;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    void *block = fails() ? NULL : __real_calloc(count, bytes);
    live += block != NULL;
    return block;
}

void *__wrap_realloc(void *block, size_t bytes)
{
    void *moved = fails() ? NULL : __real_realloc(block, bytes);
    live += moved && !block;
    return moved;
}

void __wrap_free(void *block)
{
    live -= block != NULL;
    __real_free(block);
}
