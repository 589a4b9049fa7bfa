/* SPDX-License-Identifier: Apache-2.0 */
/* See twist.h: what is to happen, for every kind of call. */
#include "calls/twist.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

static struct {
    atomic_int number;
    atomic_uint left; /* calls that fail yet; UINT_MAX: all */
    atomic_uint failed, shortened;
} calls[TWIST_CALLS];

static atomic_uint seed, dice;

void twist_fail_some(enum twist_call call, int number, unsigned times)
{
    atomic_store(&calls[call].left, times);
    atomic_store(&calls[call].number, number);
}

void twist_fail(enum twist_call call, int number)
{
    twist_fail_some(call, number, UINT_MAX);
}

void twist_by(unsigned new_seed)
{
    atomic_store(&dice, 0);
    atomic_store(&seed, new_seed);
}

bool twist_is_on(void)
{
    return atomic_load(&seed) != 0;
}

unsigned twist_failed(enum twist_call call)
{
    return atomic_load(&calls[call].failed);
}

unsigned twist_shortened(enum twist_call call)
{
    return atomic_load(&calls[call].shortened);
}

unsigned twist_draw(void)
{
    uint64_t x = (uint64_t)atomic_load(&seed) << 32 | atomic_fetch_add(&dice, 1);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)(x >> 33);
}

static bool is_one_of_some(enum twist_call call)
{
    unsigned left = atomic_load(&calls[call].left);
    while (left != 0 && left != UINT_MAX)
        if (atomic_compare_exchange_weak(&calls[call].left, &left, left - 1))
            return true;
    return left != 0;
}

static int drawn(enum twist_call call)
{
    if (!twist_is_on() || (call != TWIST_SEND && call != TWIST_RECEIVE && call != TWIST_WAIT))
        return 0;
    unsigned throw = twist_draw() % 8;
    if (throw == 0)
        return EINTR;
    return throw == 1 && call != TWIST_WAIT ? EAGAIN : 0;
}

int twist_number(enum twist_call call)
{
    int number = atomic_load(&calls[call].number);
    if (number == 0 || !is_one_of_some(call))
        number = drawn(call);
    if (number != 0)
        atomic_fetch_add(&calls[call].failed, 1);
    return number;
}

size_t twist_share(enum twist_call call, size_t len)
{
    if (!twist_is_on() || len < 2)
        return len;
    unsigned throw = twist_draw() % 8;
    size_t most = throw < 2 ? 16 : throw < 6 ? 700 : len;
    size_t share = throw < 6 ? 1 + twist_draw() % most : len;
    if (share >= len)
        return len;
    atomic_fetch_add(&calls[call].shortened, 1);
    return share;
}
