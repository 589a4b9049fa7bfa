/* SPDX-License-Identifier: Apache-2.0 */
/* The n-th allocation inside the library fails, for every n: an operation may fail then, but never say yes to what is
 * wrong, and never leave anything behind. A plain program: under Criterion the library has allocated before main(), and
 * from then on its allocator cannot be replaced. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypto/algs.h"
#include "keys/container.h"
#include "keys/numbers.h"

static void check(bool holds, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold\n", __FILE__, line);
    exit(EXIT_FAILURE);
}

static long countdown = -1; /* allocations until one fails; below 0: none does */
static bool failed;

static bool fails_now(void)
{
    if (countdown < 0 || countdown-- != 0)
        return false;
    failed = true;
    return true;
}

static void *faulty_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *faulty_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(at, size);
}

static const char *needle; /* that no memory may hold when the library frees it; NULL: none */
static bool found;

static void plain_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    if (at != NULL && needle != NULL)
        found = found || nacre_bytes_find(span_of(at, malloc_usable_size(at)), needle) != NULL;
    free(at);
}

static struct nacre_crypto *crypto;

static void setup(void)
{
    check(CRYPTO_set_mem_functions(faulty_malloc, faulty_realloc, plain_free) == 1, __LINE__);
    crypto = nacre_crypto_open(true);
    check(crypto != NULL, __LINE__);
}

static void teardown(void)
{
    countdown = -1;
    nacre_crypto_unref(crypto);
}

/* Runs `attempt` with the first, second, ... allocation failing until none fails any more. */
static void for_every_failure(void (*attempt)(void))
{
    attempt(); /* what is made once is made */
    for (long n = 0; n < 2000; n++) {
        countdown = n;
        failed = false;
        attempt();
        countdown = -1;
        if (!failed)
            return;
    }
    check(false, __LINE__); /* never without a failure */
}

static const struct sig_alg *alg;
static struct key *key;
static struct buf good, bad;

static void verify_bad(void)
{
    struct key *k = nacre_key_from_blob(crypto, nacre_key_blob(key));
    check(k == NULL || !nacre_key_verify(crypto, k, alg, span_str("text"), buf_span(&bad)), __LINE__);
    bool yes = k != NULL && nacre_key_verify(crypto, k, alg, span_str("text"), buf_span(&good));
    check(yes || failed, __LINE__);
    nacre_key_unref(k);
}

static void r33_a_failed_allocation_never_admits_a_signature(void)
{
    static const char *const names[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "ssh-rsa", "ssh-dss"};
    for (size_t i = 0; i < 5; i++) {
        alg = nacre_sig_find(crypto, span_str(names[i]));
        key = nacre_key_generate(crypto, alg->key_name, i == 4 ? 1024 : 2048);
        nacre_buf_init(&good, SIGNATURE_MAX);
        nacre_buf_init(&bad, SIGNATURE_MAX);
        check(nacre_key_sign(crypto, key, alg, span_str("text"), &good), __LINE__);
        check(nacre_key_sign(crypto, key, alg, span_str("another"), &bad), __LINE__);
        for_every_failure(verify_bad);
        nacre_buf_free(&good);
        nacre_buf_free(&bad);
        nacre_key_unref(key);
    }
}

static void take_again(void)
{
    EVP_PKEY *native = nacre_key_native(key);
    struct key *k = EVP_PKEY_up_ref(native) == 1 ? nacre_key_take(crypto, native) : NULL;
    check(k != NULL || failed, __LINE__);
    check(k == NULL || span_eq(nacre_key_blob(k), nacre_key_blob(key)), __LINE__);
    nacre_key_unref(k);
}

static void a_failed_allocation_never_makes_a_key_of_another_type(void)
{
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"};
    for (size_t i = 0; i < 3; i++) {
        key = nacre_key_generate(crypto, types[i], 2048);
        for_every_failure(take_again);
        nacre_key_unref(key);
    }
}

static void make_of_numbers(void)
{
    static const uint8_t one[] = {1};
    const struct span n = span_of(one, sizeof one);
    const struct dsa_numbers numbers = {.p = n, .q = n, .g = n, .y = n, .x = n};
    EVP_PKEY_free(nacre_numbers_dsa(crypto, &numbers));
}

/* The sanitizer counts at the end. */
static void a_failed_allocation_leaves_no_number_behind(void)
{
    for_every_failure(make_of_numbers);
}

static void what_is_read_from_base64_is_not_left_behind(void)
{
    static const char text[] = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                               "c2VjcmV0IG51bWJlciBvZiBhIGtleQ==\n";
    struct buf out;
    nacre_buf_init(&out, 2 * sizeof text);
    needle = "c2VjcmV0IG51bWJlciBvZiBhIGtleQ";
    check(nacre_base64_read(span_str(text), &out) && out.len != 0, __LINE__);
    needle = NULL;
    check(!found, __LINE__);
    nacre_buf_free(&out);
}

static const struct cipher_alg *cipher;
static const struct mac_alg *mac;

static void open_forged(void)
{
    static const uint8_t secret[64] = {1}, iv[16] = {2};
    uint8_t packet[4 + 32 + 16] = {0, 0, 0, 32};
    struct cipher *x = cipher->ops->open(crypto, cipher, secret, iv, false);
    check(x != NULL || failed, __LINE__);
    if (x == NULL)
        return;
    check(!cipher->ops->open_packet(x, 0, packet, 32), __LINE__);
    cipher->ops->close(x);
}

static void seal_twice(void)
{
    static const uint8_t secret[64] = {1}, iv[16] = {2};
    uint8_t packet[4 + 32 + 16] = {0, 0, 0, 32}, tag[MAC_MAX];
    struct cipher *x = cipher->ops->open(crypto, cipher, secret, iv, true);
    struct mac *m = mac->ops->open(crypto, mac, secret);
    check((x != NULL && m != NULL) || failed, __LINE__);
    if (x != NULL)
        check(cipher->ops->seal(x, 0, packet, 32) || failed, __LINE__);
    if (m != NULL)
        check(mac->ops->sum(m, 0, packet, 32, tag) || failed, __LINE__);
    cipher->ops->close(x);
    mac->ops->close(m);
}

static void r32_a_failed_allocation_never_admits_a_forged_packet(void)
{
    static const char *const names[] = {"chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com"};
    mac = nacre_mac_find(crypto, span_str("hmac-sha2-256"));
    for (size_t i = 0; i < 2; i++) {
        cipher = nacre_cipher_find(crypto, span_str(names[i]));
        for_every_failure(open_forged);
        for_every_failure(seal_twice);
    }
    static const char *const others[][2] = {{"aes256-cbc", "hmac-sha1"}, {"3des-ctr", "hmac-md5-96"}};
    for (size_t i = 0; i < 2; i++) {
        cipher = nacre_cipher_find(crypto, span_str(others[i][0]));
        mac = nacre_mac_find(crypto, span_str(others[i][1]));
        for_every_failure(seal_twice);
    }
}

static const struct kex_alg *kex;
static struct kex_group group;

static void exchange(void)
{
    static struct kex_shared one, two;
    struct buf a, b;
    nacre_buf_init(&a, KEX_PUBLIC_MAX);
    nacre_buf_init(&b, KEX_PUBLIC_MAX);
    struct kex_state *first = kex->ops->start(crypto, kex, kex->asks_group ? &group : NULL, &a);
    struct kex_state *second = kex->ops->start(crypto, kex, kex->asks_group ? &group : NULL, &b);
    bool ok = first != NULL && second != NULL && kex->ops->finish(first, buf_span(&b), &one) &&
              kex->ops->finish(second, buf_span(&a), &two);
    check(ok || failed, __LINE__);
    check(!ok || (one.len == two.len && memcmp(one.bytes, two.bytes, one.len) == 0), __LINE__);
    kex->ops->free(first);
    kex->ops->free(second);
    nacre_buf_free(&a);
    nacre_buf_free(&b);
}

static void r32_a_failed_allocation_never_gives_two_secrets(void)
{
    static const char *const names[] = {"curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256",
                                        "diffie-hellman-group-exchange-sha256"};
    check(nacre_kex_group_choose(crypto, KEX_GROUP_RFC3526, 2048, 2048, 2048, &group), __LINE__);
    for (size_t i = 0; i < 4; i++) {
        kex = nacre_kex_find(crypto, span_str(names[i]));
        for_every_failure(exchange);
    }
}

int main(void)
{
    setup();
    r32_a_failed_allocation_never_admits_a_forged_packet();
    r32_a_failed_allocation_never_gives_two_secrets();
    r33_a_failed_allocation_never_admits_a_signature();
    a_failed_allocation_never_makes_a_key_of_another_type();
    a_failed_allocation_leaves_no_number_behind();
    what_is_read_from_base64_is_not_left_behind();
    teardown();
    return EXIT_SUCCESS;
}
