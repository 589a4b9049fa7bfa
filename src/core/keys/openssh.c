/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's own private key format, OpenSSH PROTOCOL.key. openssh_unlock.c opens the private part of locked keys. */
#include "keys/openssh.h"

#include "keys/numbers.h"
#include "wire/mpint.h"

enum {
    COMMENT_MAX = 8192,
    ED25519_SEED = 32
};

static bool sealed_read(struct span bytes, struct sealed *s)
{
    static const char magic[] = "openssh-key-v1"; /* its NUL included */
    struct rd r = rd_over(bytes);
    bool known = span_eq(rd_take(&r, sizeof magic), span_of(magic, sizeof magic));
    s->cipher = rd_string(&r, 64);
    s->kdf = rd_string(&r, 64);
    s->kdf_options = rd_string(&r, 256);
    bool one = rd_u32(&r) == 1;
    s->public = rd_string(&r, KEY_BLOB_MAX);
    s->private = rd_string(&r, STORE_FILE_MAX);
    s->tag = rd_rest(&r);
    return known && one && rd_end(&r);
}

static EVP_PKEY *read_ed25519(const struct container *k, struct rd *r)
{
    struct span public = rd_string(r, ED25519_SEED);
    struct span pair = rd_string(r, 2 * ED25519_SEED);
    if (public.len != ED25519_SEED || pair.len != 2 * ED25519_SEED)
        return NULL;
    return nacre_numbers_ed25519(k->c, span_of(pair.at, ED25519_SEED));
}

static EVP_PKEY *read_ecdsa(const struct container *k, const struct key_type *t, struct rd *r)
{
    struct span curve = rd_string(r, 64);
    struct span point = rd_string(r, NUMBER_MAX);
    struct span d = nacre_rd_mpint(r, NUMBER_MAX);
    return r->bad || !span_is(curve, t->curve) ? NULL : nacre_numbers_ec(k->c, t, point, &d);
}

static EVP_PKEY *read_rsa(const struct container *k, struct rd *r)
{
    struct rsa_numbers n = {.n = nacre_rd_mpint(r, NUMBER_MAX)};
    n.e = nacre_rd_mpint(r, NUMBER_MAX);
    n.d = nacre_rd_mpint(r, NUMBER_MAX);
    n.iqmp = nacre_rd_mpint(r, NUMBER_MAX);
    n.p = nacre_rd_mpint(r, NUMBER_MAX);
    n.q = nacre_rd_mpint(r, NUMBER_MAX);
    return r->bad ? NULL : nacre_numbers_rsa(k->c, &n);
}

static EVP_PKEY *read_dsa(const struct container *k, struct rd *r)
{
    struct dsa_numbers n = {.p = nacre_rd_mpint(r, NUMBER_MAX)};
    n.q = nacre_rd_mpint(r, NUMBER_MAX);
    n.g = nacre_rd_mpint(r, NUMBER_MAX);
    n.y = nacre_rd_mpint(r, NUMBER_MAX);
    n.x = nacre_rd_mpint(r, NUMBER_MAX);
    return r->bad ? NULL : nacre_numbers_dsa(k->c, &n);
}

static EVP_PKEY *read_numbers(const struct container *k, const struct key_type *t, struct rd *r)
{
    if (strcmp(t->library, "ED25519") == 0)
        return read_ed25519(k, r);
    if (strcmp(t->library, "EC") == 0)
        return read_ecdsa(k, t, r);
    return strcmp(t->library, "DSA") == 0 ? read_dsa(k, r) : read_rsa(k, r);
}

/* The padding behind the comment counts 1, 2, 3 ... up to the cipher's block. */
static bool padding_right(struct rd *r)
{
    for (uint8_t expect = 1; rd_left(r) != 0; expect++) {
        if (rd_u8(r) != expect || expect > 16)
            return false;
    }
    return !r->bad;
}

/* The private part in clear, behind its check numbers. */
static enum nacre_error read_private(struct container *k, const struct sealed *s, struct rd *r, struct key **out)
{
    struct span name = rd_string(r, 256);
    const struct key_type *t = nacre_keytype_find(name);
    if (t == NULL || t->plain != NULL) /* certificates and security keys are none of a server's */
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a key of type %.*s, which cannot be used here.",
                                    (int)name.len, name.len == 0 ? "" : (const char *)name.at);
    EVP_PKEY *pkey = read_numbers(k, t, r);
    struct span comment = rd_string(r, COMMENT_MAX);
    if (pkey == NULL || !padding_right(r)) {
        EVP_PKEY_free(pkey);
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its private part cannot be read.");
    }
    struct key *key = NULL;
    enum nacre_error e = nacre_container_take(k, pkey, &key);
    if (e != NACRE_OK)
        return e;
    if (!span_eq(nacre_key_blob(key), s->public)) {
        nacre_key_unref(key);
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: it names another public key than its own.");
    }
    nacre_container_subject(k, comment);
    *out = key;
    return NACRE_OK;
}

/* Two equal numbers stand in front of the private part: a wrong password makes them differ. */
static enum nacre_error read_sealed(struct container *k, const struct sealed *s, struct key **out)
{
    struct buf plain;
    const bool locked = !span_is(s->cipher, "none");
    nacre_buf_init(&plain, STORE_FILE_MAX);
    enum nacre_error e = NACRE_OK;
    if (!locked && s->tag.len != 0)
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: something follows its private part.");
    if (locked && k->password[0] == 0)
        return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "is locked and no password was given.");
    if (locked)
        e = nacre_openssh_unlock(k, s, &plain);
    struct rd r = rd_over(locked ? buf_span(&plain) : s->private);
    if (e == NACRE_OK && (rd_u32(&r) != rd_u32(&r) || r.bad))
        e = locked ? nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "does not open with the password given.")
                   : nacre_container_fail(k, NACRE_E_KEY, "is damaged: its check numbers differ.");
    if (e == NACRE_OK)
        e = read_private(k, s, &r, out);
    nacre_buf_wipe(&plain);
    return e;
}

/* k->bytes is one complete block, BEGIN and END lines included. */
enum nacre_error nacre_openssh_read(struct container *k, struct key **out)
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
    static const char end[] = "-----END OPENSSH PRIVATE KEY-----";
    enum nacre_error e;
    struct sealed s;
    struct buf bytes;
    const size_t armour = sizeof begin - 1 + sizeof end - 1;
    nacre_buf_init(&bytes, STORE_FILE_MAX + 16);
    if (k->bytes.len < armour ||
        !nacre_base64_read(span_of(k->bytes.at + sizeof begin - 1, k->bytes.len - armour), &bytes) ||
        !sealed_read(buf_span(&bytes), &s))
        e = nacre_container_fail(k, NACRE_E_KEY, "is damaged: its OpenSSH private key cannot be read.");
    else
        e = read_sealed(k, &s, out);
    nacre_buf_wipe(&bytes);
    return e;
}
