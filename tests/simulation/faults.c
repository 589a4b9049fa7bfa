/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations and calls of the cryptographic library that fail on the engine's threads (rules R32 and R33). The linker
 * hands the engine's own calls over to the functions here (--wrap). Randomness is the world's. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the one way to replace the randomness of every library context */

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "simulation/sim.h"
#include "support/failing_calls.h"

static uint32_t allocations_one_in, crypto_one_in;
static uint64_t made;

static bool fails(uint32_t one_in)
{
    if (one_in == 0 || !sim_is_engine() || !sim_one_in(one_in))
        return false;
    made++;
    return true;
}

void sim_faults(uint32_t allocations, uint32_t crypto)
{
    allocations_one_in = allocations;
    crypto_one_in = crypto;
}

uint64_t sim_faults_made(void)
{
    return made;
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

bool failing_allocation(void)
{
    return fails(allocations_one_in);
}

/* libcrypto loses a little of its own where an allocation in its midst fails: no leak is looked for in such a world. */
static bool library_failed;

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
    return library_failed ? 1 : 0;
}

static bool library_fails(void)
{
    bool failing = fails(crypto_one_in);
    library_failed = library_failed || failing;
    return failing;
}

static void *library_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return library_fails() ? NULL : __real_malloc(size);
}

static void *library_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return library_fails() ? NULL : __real_realloc(at, size);
}

static void library_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

/* ---- cryptography ----------------------------------------------------------------------------------------------- */

bool failing_crypto(void)
{
    return fails(crypto_one_in);
}

/* ---- randomness ------------------------------------------------------------------------------------------------- */

static int random_bytes(unsigned char *at, int len)
{
    for (int i = 0; i < len; i++)
        at[i] = (unsigned char)sim_random();
    return 1;
}

static int random_status(void)
{
    return 1;
}

void sim_faults_prepare(void)
{
    static const RAND_METHOD method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};
    (void)CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free);
    (void)RAND_set_rand_method(&method);
}
