/* SPDX-License-Identifier: Apache-2.0 */
/* See fuzz.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the one way to replace the randomness of every library context */

#include "fuzz/fuzz.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/certs.h"

static uint64_t state;

/* splitmix64: the whole period from any start. */
static uint64_t next_random(void)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int random_bytes(unsigned char *at, int len)
{
    for (int i = 0; i < len; i++)
        at[i] = (unsigned char)next_random();
    return 1;
}

static int random_status(void)
{
    return 1;
}

void fuzz_restart_random(void)
{
    static const RAND_METHOD method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};
    state = 1;
    if (RAND_get_rand_method() != &method)
        (void)RAND_set_rand_method(&method);
}

const struct nacre_crypto *fuzz_crypto(void)
{
    static struct nacre_crypto *crypto;
    if (crypto == NULL) {
        fuzz_restart_random();
        crypto = nacre_crypto_open(true);
    }
    fuzz_must(crypto != NULL, "the cryptographic library opens");
    return crypto;
}

struct key *fuzz_key(void)
{
    static struct key *key;
    if (key == NULL) {
        const struct nacre_crypto *crypto = fuzz_crypto();
        fuzz_restart_random();
        key = nacre_key_generate(crypto, "ssh-ed25519", 0);
    }
    fuzz_must(key != NULL, "a key can be made");
    return key;
}

static struct key *certified(void)
{
    static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
    const struct cert_plan plan = {.type = type,
                                   .ca_alg = "ssh-ed25519",
                                   .kind = CERT_USER,
                                   .principals = {"user"},
                                   .option = "source-address",
                                   .value = "127.0.0.1/32",
                                   .valid_after = 0,
                                   .valid_before = UINT64_MAX};
    static uint8_t blob[KEY_BLOB_MAX];
    size_t len = cert_make(fuzz_crypto(), fuzz_key(), fuzz_key(), &plan, blob);
    return nacre_cert_attach(fuzz_crypto(), fuzz_key(), span_of(blob, len));
}

struct key *fuzz_key_of(enum fuzz_key_kind kind)
{
    static struct key *keys[FUZZ_KEYS];
    const struct nacre_crypto *crypto = fuzz_crypto();
    if (keys[kind] != NULL)
        return keys[kind];
    fuzz_restart_random();
    if (kind == FUZZ_ED25519)
        keys[kind] = fuzz_key();
    else if (kind == FUZZ_RSA)
        keys[kind] = nacre_key_generate(crypto, "ssh-rsa", 2048);
    else if (kind == FUZZ_ECDSA)
        keys[kind] = nacre_key_generate(crypto, "ecdsa-sha2-nistp256", 0);
    else
        keys[kind] = certified();
    fuzz_must(keys[kind] != NULL, "a key can be made");
    return keys[kind];
}

void fuzz_must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}
