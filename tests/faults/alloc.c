/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The names that --wrap makes; no header has them. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *at);
void *plain_malloc(size_t size);
void *plain_calloc(size_t count, size_t size);
void *plain_realloc(void *at, size_t size);

static _Atomic long countdown = -1;
static _Atomic unsigned one_in;
static _Atomic uint64_t state;
static atomic_bool failed;
static _Atomic long live;

void alloc_fail_nth(long n)
{
    atomic_store(&failed, false);
    atomic_store(&countdown, n);
}

void alloc_fail_one_in(unsigned rate, unsigned seed)
{
    atomic_store(&failed, false);
    atomic_store(&state, (uint64_t)seed << 32);
    atomic_store(&one_in, rate);
}

bool alloc_fail_none(void)
{
    atomic_store(&countdown, -1);
    atomic_store(&one_in, 0);
    return atomic_load(&failed);
}

long alloc_live(void)
{
    return atomic_load(&live);
}

/* splitmix64 of a count: threads need no generator each. */
static bool has_bad_luck(unsigned rate)
{
    uint64_t z = atomic_fetch_add(&state, 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % rate == 0;
}

static bool fails_now(void)
{
    unsigned rate = atomic_load(&one_in);
    bool fails = rate != 0 && has_bad_luck(rate);
    if (atomic_load(&countdown) >= 0)
        fails = atomic_fetch_sub(&countdown, 1) == 0;
    if (fails)
        atomic_store(&failed, true);
    return fails;
}

static void *count(void *at)
{
    atomic_fetch_add(&live, at != NULL ? 1 : 0);
    return at;
}

void *plain_malloc(size_t size)
{
    return count(__real_malloc(size));
}

void *plain_calloc(size_t n, size_t size)
{
    return count(__real_calloc(n, size));
}

void *plain_realloc(void *at, size_t size)
{
    void *moved = __real_realloc(at, size);
    return at == NULL ? count(moved) : moved;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : plain_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : plain_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return fails_now() ? NULL : plain_realloc(at, size);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

void __wrap_free(void *at)
{
    atomic_fetch_sub(&live, at != NULL ? 1 : 0);
    __real_free(at);
}
