/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations and calls of the cryptographic library that fail where the input says so (rules R32 and R33). */
#include "fuzz/faults.h"
#include "support/failing_calls.h"

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

bool failing_allocation(void)
{
    return fails(&memory_left);
}

bool failing_crypto(void)
{
    return fails(&crypto_left);
}
