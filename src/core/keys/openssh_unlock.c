/* SPDX-License-Identifier: Apache-2.0 */
/* Unlocking the private part of a key in OpenSSH's format, OpenSSH PROTOCOL.key: bcrypt_pbkdf gives key and IV of the
 * named cipher. */
#include "keys/openssh.h"

#include "base/secret.h"
#include "keys/blowfish.h"

struct lock {
    const char *name, *fetch;
    size_t key_len, iv_len, block;
};

static const struct lock locks[] = {
    {"aes256-ctr", "AES-256-CTR", 32, 16, 16}, {"aes256-cbc", "AES-256-CBC", 32, 16, 16},
    {"aes192-ctr", "AES-192-CTR", 24, 16, 16}, {"aes192-cbc", "AES-192-CBC", 24, 16, 16},
    {"aes128-ctr", "AES-128-CTR", 16, 16, 16}, {"aes128-cbc", "AES-128-CBC", 16, 16, 16},
};

static const struct lock *lock_of(struct span name)
{
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        if (span_is(name, locks[i].name))
            return &locks[i];
    }
    return NULL;
}

enum nacre_error nacre_openssh_unlock(struct container *k, const struct sealed *s, struct buf *out)
{
    uint8_t key[BCRYPT_OUT_MAX];
    const struct lock *lock = lock_of(s->cipher);
    if (lock == NULL)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "is locked with the cipher %.*s, which cannot be used here.",
                                    (int)s->cipher.len, s->cipher.len == 0 ? "" : (const char *)s->cipher.at);
    struct rd r = rd_over(s->kdf_options);
    struct span salt = rd_string(&r, 64);
    uint32_t rounds = rd_u32(&r);
    if (!span_is(s->kdf, "bcrypt") || !rd_end(&r) || s->tag.len != 0 || s->private.len == 0 ||
        s->private.len % lock->block != 0)
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its lock cannot be read.");
    if (rounds > BCRYPT_ROUNDS_MAX / k->work_divisor)
        return nacre_container_fail(k, NACRE_E_KEY, "is locked with %u rounds of bcrypt; at most %u are accepted.",
                                    (unsigned)rounds, BCRYPT_ROUNDS_MAX / k->work_divisor);
    bool ok = nacre_bcrypt_pbkdf(k->c, span_str(k->password), salt, rounds, key, lock->key_len + lock->iv_len) &&
              nacre_container_decrypt(k, lock->fetch, key, key + lock->key_len, s->private, out);
    nacre_wipe(key, sizeof key);
    if (ok)
        return NACRE_OK;
    return nacre_container_fail(k, NACRE_E_KEY, "could not be unlocked.");
}
