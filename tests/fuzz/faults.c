/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations and calls of the cryptographic library that fail where the input says so (rules R32 and R33). */
#include "fuzz/faults.h"

#include <openssl/evp.h>
#include <stdlib.h>

static unsigned memory_left, crypto_left; /* calls until one fails; 0: none will */
static bool inside;

void fuzz_faults_inside(bool on)
{
    inside = on;
}

void fuzz_fail_memory(unsigned nth)
{
    memory_left = nth;
}

void fuzz_fail_crypto(unsigned nth)
{
    crypto_left = nth;
}

static bool fails(unsigned *left)
{
    return inside && *left != 0 && --*left == 0;
}

/* The linker's names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails(&memory_left) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(&memory_left) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return fails(&memory_left) ? NULL : __real_realloc(at, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails(&memory_left) ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails(&memory_left) ? NULL : __real_strdup(text);
}

#define FAILING(name, parameters, arguments)                                                                           \
    int __real_##name parameters;                                                                                      \
    int __wrap_##name parameters;                                                                                      \
    int __wrap_##name parameters                                                                                       \
    {                                                                                                                  \
        return fails(&crypto_left) ? 0 : __real_##name arguments;                                                      \
    }

#include "support/failing_calls.h"
