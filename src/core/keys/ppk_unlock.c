/* SPDX-License-Identifier: Apache-2.0 */
/* The password of a PPK file: SHA-1 in version 2, Argon2 (RFC 9106) in version 3.
 *
 * Version 3 without a password needs no Argon2, so a build without libargon2 still reads such files. */
#include "keys/ppk.h"

#ifdef NACRE_HAVE_LIBARGON2
#include <argon2.h>
#endif

#include "base/secret.h"
#include "crypto/crypto.h"

enum {
    SHA1_LEN = 20,
    ARGON2_MEMORY_MAX = 1 << 20, /* KiB */
    ARGON2_WORK_MAX = 1 << 24    /* KiB times passes; PuTTY's own choice is about a hundredth */
};

/* Version 2: SHA-1 over a counter and the password, twice; the IV is zero. */
static bool derive_sha1(const struct container *k, const struct ppk *f, struct ppk_keys *out)
{
    static const uint8_t counter[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 1}};
    uint8_t sum[2][HASH_MAX], mac[HASH_MAX];
    const struct span password = f->locked ? span_str(k->password) : span_of(NULL, 0);
    const struct span first[] = {span_of(counter[0], 4), password};
    const struct span second[] = {span_of(counter[1], 4), password};
    const struct span third[] = {span_str("putty-private-key-file-mac-key"), password};
    bool ok = nacre_hash(k->c, HASH_SHA1, first, 2, sum[0]) && nacre_hash(k->c, HASH_SHA1, second, 2, sum[1]) &&
              nacre_hash(k->c, HASH_SHA1, third, 2, mac);
    if (ok) {
        memcpy(out->key, sum[0], SHA1_LEN);
        memcpy(out->key + SHA1_LEN, sum[1], PPK_KEY - SHA1_LEN);
        memcpy(out->mac, mac, SHA1_LEN);
        out->mac_len = SHA1_LEN;
    }
    nacre_wipe(sum, sizeof sum);
    nacre_wipe(mac, sizeof mac);
    return ok;
}

#ifdef NACRE_HAVE_LIBARGON2

static bool argon2_type_of(struct span name, argon2_type *type)
{
    if (span_is(name, "Argon2id"))
        *type = Argon2_id;
    else if (span_is(name, "Argon2i"))
        *type = Argon2_i;
    else if (span_is(name, "Argon2d"))
        *type = Argon2_d;
    else
        return false;
    return true;
}

/* Cipher key, IV and MAC key are cut from one output, in this order. */
static bool run_argon2(const struct container *k, const struct ppk *f, argon2_type type, struct ppk_keys *out)
{
    uint8_t made[PPK_KEY + PPK_IV + PPK_MAC_KEY_MAX];
    argon2_context x = {
        .out = made,
        .outlen = sizeof made,
        .pwd = (uint8_t *)(uintptr_t)k->password, /* only read: no flag asks to clear it */
        .pwdlen = (uint32_t)strlen(k->password),
        .salt = (uint8_t *)(uintptr_t)f->salt,
        .saltlen = (uint32_t)f->salt_len,
        .t_cost = f->passes,
        .m_cost = f->memory,
        .lanes = f->lanes,
        .threads = 1, /* the same result, on this thread alone */
        .version = ARGON2_VERSION_13,
    };
    bool ok = argon2_ctx(&x, type) == ARGON2_OK;
    memcpy(out->key, made, PPK_KEY);
    memcpy(out->iv, made + PPK_KEY, PPK_IV);
    memcpy(out->mac, made + PPK_KEY + PPK_IV, PPK_MAC_KEY_MAX);
    out->mac_len = PPK_MAC_KEY_MAX;
    nacre_wipe(made, sizeof made);
    return ok;
}

static enum nacre_error derive_argon2(struct container *k, const struct ppk *f, struct ppk_keys *out)
{
    argon2_type type;
    if (!argon2_type_of(f->kdf, &type))
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "is locked by %.*s, which cannot be used here.",
                                    (int)f->kdf.len, (const char *)f->kdf.at);
    if (f->memory > ARGON2_MEMORY_MAX || (uint64_t)f->memory * f->passes > ARGON2_WORK_MAX / k->work_divisor)
        return nacre_container_fail(k, NACRE_E_KEY, "is locked with more passes or memory of Argon2 than accepted.");
    if (run_argon2(k, f, type, out))
        return NACRE_OK;
    return nacre_container_fail(k, NACRE_E_KEY, "could not be unlocked: its parameters of Argon2 are out of range.");
}

#else

static enum nacre_error derive_argon2(struct container *k, const struct ppk *f, struct ppk_keys *out)
{
    (void)f;
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is locked by Argon2, and this build is without libargon2.");
}

#endif

enum nacre_error nacre_ppk_derive(struct container *k, const struct ppk *f, struct ppk_keys *out)
{
    *out = (struct ppk_keys){.mac_len = 0};
    if (f->version == 3)
        return f->locked ? derive_argon2(k, f, out) : NACRE_OK; /* the MAC's key is empty */
    if (derive_sha1(k, f, out))
        return NACRE_OK;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "needs SHA-1, which the library does not give here.");
}
