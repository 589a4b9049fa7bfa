/* SPDX-License-Identifier: Apache-2.0 */
/* PuTTY's private key files (PPK), versions 2 and 3, as PuTTY's manual describes them in its appendix C. Lines with
 * names come in one order; ppk_unlock.c makes the keys from the password. */
#include "keys/ppk.h"

#include <openssl/evp.h>

#include "base/secret.h"
#include "keys/numbers.h"
#include "wire/mpint.h"

enum {
    LINE_COUNT_MAX = 4096,
    ED25519_SEED = 32,
    BLOCK = 16
};

/* The file as it is read: the rest of it, and whether everything so far was as it should be. */
struct lines {
    struct span rest;
    bool bad;
};

static struct span next_line(struct lines *l)
{
    size_t n = 0;
    if (l->rest.len == 0)
        l->bad = true;
    while (n < l->rest.len && l->rest.at[n] != '\n' && l->rest.at[n] != '\r')
        n++;
    struct span line = span_of(l->rest.at, n);
    if (n < l->rest.len)
        n += l->rest.at[n] == '\r' && n + 1 < l->rest.len && l->rest.at[n + 1] == '\n' ? 2 : 1;
    l->rest = span_of(l->rest.at + n, l->rest.len - n);
    return line;
}

/* The value of the line "name: value", which must be the next one. */
static struct span value_of(struct lines *l, const char *name)
{
    struct span line = next_line(l);
    size_t len = strlen(name);
    if (line.len < len + 2 || memcmp(line.at, name, len) != 0 || memcmp(line.at + len, ": ", 2) != 0) {
        l->bad = true;
        return span_of("", 0);
    }
    return span_of(line.at + len + 2, line.len - len - 2);
}

static uint32_t number_of(struct lines *l, const char *name)
{
    struct span s = value_of(l, name);
    uint32_t n = 0;
    l->bad = l->bad || s.len == 0 || s.len > 9;
    for (size_t i = 0; i < s.len && !l->bad; i++) {
        l->bad = s.at[i] < '0' || s.at[i] > '9';
        n = n * 10 + (uint32_t)(s.at[i] - '0');
    }
    return l->bad ? 0 : n;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t hex_of(struct lines *l, const char *name, uint8_t *out, size_t size)
{
    struct span s = value_of(l, name);
    l->bad = l->bad || s.len == 0 || s.len % 2 != 0 || s.len / 2 > size;
    for (size_t i = 0; i + 1 < s.len && !l->bad; i += 2) {
        int high = hex_digit(s.at[i]), low = hex_digit(s.at[i + 1]);
        l->bad = high < 0 || low < 0;
        out[i / 2] = (uint8_t)(l->bad ? 0 : high << 4 | low);
    }
    return l->bad ? 0 : s.len / 2;
}

/* Base64 over the number of lines that the line `name` gives. */
static void blob_of(struct lines *l, const char *name, struct buf *out)
{
    uint32_t count = number_of(l, name);
    const uint8_t *start = l->rest.at;
    l->bad = l->bad || count == 0 || count > LINE_COUNT_MAX;
    for (uint32_t i = 0; i < count && !l->bad; i++)
        (void)next_line(l);
    if (!l->bad)
        l->bad = !nacre_base64_read(span_of(start, (size_t)(l->rest.at - start)), out);
}

static bool blank(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != ' ' && s.at[i] != '\r' && s.at[i] != '\n')
            return false;
    }
    return true;
}

/* The names that a locked file of version 3 has in the middle. */
static void read_kdf(struct lines *l, struct ppk *f)
{
    f->kdf = value_of(l, "Key-Derivation");
    f->memory = number_of(l, "Argon2-Memory");
    f->passes = number_of(l, "Argon2-Passes");
    f->lanes = number_of(l, "Argon2-Parallelism");
    f->salt_len = hex_of(l, "Argon2-Salt", f->salt, sizeof f->salt);
}

static enum nacre_error read_version(struct container *k, struct span text, struct ppk *f)
{
    static const char start[] = "PuTTY-User-Key-File-";
    const size_t len = sizeof start - 1;
    if (text.len < len + 1 || memcmp(text.at, start, len) != 0)
        return nacre_container_fail(k, NACRE_E_KEY, "is not PPK.");
    uint8_t digit = text.at[len];
    if (digit != '2' && digit != '3')
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "is PPK of a version other than 2 and 3.");
    f->version = (unsigned)(digit - '0');
    return NACRE_OK;
}

static enum nacre_error read_lines(struct container *k, struct ppk *f, struct buf *public, struct buf *private)
{
    struct lines l = {.rest = nacre_text_trim(k->bytes)};
    enum nacre_error e = read_version(k, l.rest, f);
    if (e != NACRE_OK)
        return e;
    f->algorithm = value_of(&l, f->version == 3 ? "PuTTY-User-Key-File-3" : "PuTTY-User-Key-File-2");
    f->encryption = value_of(&l, "Encryption");
    f->comment = value_of(&l, "Comment");
    blob_of(&l, "Public-Lines", public);
    f->locked = !span_is(f->encryption, "none");
    if (f->version == 3 && f->locked)
        read_kdf(&l, f);
    blob_of(&l, "Private-Lines", private);
    f->mac_len = hex_of(&l, "Private-MAC", f->mac, sizeof f->mac);
    if (l.bad || !blank(l.rest) || f->mac_len != (f->version == 3 ? 32U : 20U))
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its lines are not those of a PPK file.");
    if (f->locked && !span_is(f->encryption, "aes256-cbc"))
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "is locked with the cipher %.*s, which cannot be used here.",
                                    (int)f->encryption.len, (const char *)f->encryption.at);
    if (f->locked && private->len % BLOCK != 0)
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its private part is cut.");
    return NACRE_OK;
}

/* The MAC covers the private part in clear, its padding included, and everything that is public. */
static bool mac_right(const struct container *k, const struct ppk *f, const struct ppk_keys *keys, struct span public,
                      struct span private)
{
    const struct span parts[] = {f->algorithm, f->encryption, f->comment, public, private};
    uint8_t sum[EVP_MAX_MD_SIZE];
    size_t need = 0, len = 0;
    struct buf all;
    for (size_t i = 0; i < 5; i++)
        need += 4 + parts[i].len;
    nacre_buf_init(&all, 2 * STORE_FILE_MAX);
    uint8_t *at = nacre_buf_reserve(&all, need);
    struct wr w = wr_over(at, at == NULL ? 0 : need);
    for (size_t i = 0; i < 5; i++)
        wr_string(&w, parts[i]);
    all.len = wr_done(&w) ? need : 0;
    bool ok = wr_done(&w) &&
              EVP_Q_mac(k->c->lib, "HMAC", NULL, f->version == 3 ? "SHA256" : "SHA1", NULL, keys->mac, keys->mac_len,
                        all.at, all.len, sum, sizeof sum, &len) != NULL &&
              len == f->mac_len && nacre_secret_eq(sum, f->mac, len);
    nacre_buf_wipe(&all);
    return ok;
}

static EVP_PKEY *read_ed25519(const struct container *k, struct rd *r)
{
    uint8_t seed[ED25519_SEED] = {0};
    struct span s = rd_string(r, sizeof seed); /* lowest byte first, zeros at its end left out */
    if (s.len != 0)
        memcpy(seed, s.at, s.len);
    EVP_PKEY *pkey = r->bad ? NULL : nacre_numbers_ed25519(k->c, span_of(seed, sizeof seed));
    nacre_wipe(seed, sizeof seed);
    return pkey;
}

static EVP_PKEY *read_rsa(const struct container *k, struct rd *public, struct rd *r)
{
    struct rsa_numbers n = {.e = nacre_rd_mpint(public, NUMBER_MAX)};
    n.n = nacre_rd_mpint(public, NUMBER_MAX);
    n.d = nacre_rd_mpint(r, NUMBER_MAX);
    n.p = nacre_rd_mpint(r, NUMBER_MAX);
    n.q = nacre_rd_mpint(r, NUMBER_MAX);
    n.iqmp = nacre_rd_mpint(r, NUMBER_MAX);
    return public->bad || r->bad ? NULL : nacre_numbers_rsa(k->c, &n);
}

static EVP_PKEY *read_dsa(const struct container *k, struct rd *public, struct rd *r)
{
    struct dsa_numbers n = {.p = nacre_rd_mpint(public, NUMBER_MAX)};
    n.q = nacre_rd_mpint(public, NUMBER_MAX);
    n.g = nacre_rd_mpint(public, NUMBER_MAX);
    n.y = nacre_rd_mpint(public, NUMBER_MAX);
    n.x = nacre_rd_mpint(r, NUMBER_MAX);
    return public->bad || r->bad ? NULL : nacre_numbers_dsa(k->c, &n);
}

static EVP_PKEY *read_ecdsa(const struct container *k, const struct key_type *t, struct rd *public, struct rd *r)
{
    struct span curve = rd_string(public, 64);
    struct span point = rd_string(public, NUMBER_MAX);
    struct span d = nacre_rd_mpint(r, NUMBER_MAX);
    bool ok = !public->bad && !r->bad && span_is(curve, t->curve);
    return ok ? nacre_numbers_ec(k->c, t, point, &d) : NULL;
}

static EVP_PKEY *read_numbers(const struct container *k, const struct key_type *t, struct rd *public, struct rd *r)
{
    if (strcmp(t->library, "ED25519") == 0)
        return read_ed25519(k, r);
    if (strcmp(t->library, "EC") == 0)
        return read_ecdsa(k, t, public, r);
    return strcmp(t->library, "DSA") == 0 ? read_dsa(k, public, r) : read_rsa(k, public, r);
}

static enum nacre_error read_key(struct container *k, const struct ppk *f, struct span public, struct span private,
                                 struct key **out)
{
    struct rd outside = rd_over(public), inside = rd_over(private);
    struct key *key = NULL;
    const struct key_type *t = nacre_keytype_find(f->algorithm);
    if (t == NULL || t->plain != NULL) /* certificates and security keys are none of a server's */
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a key of type %.*s, which cannot be used here.",
                                    (int)f->algorithm.len, (const char *)f->algorithm.at);
    bool same = span_eq(rd_string(&outside, 64), f->algorithm);
    EVP_PKEY *pkey = same ? read_numbers(k, t, &outside, &inside) : NULL;
    if (pkey == NULL || rd_left(&inside) >= (f->locked ? BLOCK : 1U)) {
        EVP_PKEY_free(pkey);
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its private part cannot be read.");
    }
    enum nacre_error e = nacre_container_take(k, pkey, &key);
    if (e != NACRE_OK)
        return e;
    if (!span_eq(nacre_key_blob(key), public)) {
        nacre_key_unref(key);
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: it names another public key than its own.");
    }
    nacre_container_subject(k, f->comment);
    *out = key;
    return NACRE_OK;
}

/* `private` as the file has it. */
static enum nacre_error unlock(struct container *k, const struct ppk *f, struct span public, struct span private,
                               struct key **out)
{
    struct ppk_keys keys;
    struct buf plain;
    if (f->locked && k->password[0] == 0)
        return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "is locked and no password was given.");
    nacre_buf_init(&plain, STORE_FILE_MAX + BLOCK);
    enum nacre_error e = nacre_ppk_derive(k, f, &keys);
    if (e == NACRE_OK && f->locked && !nacre_container_decrypt(k, "AES-256-CBC", keys.key, keys.iv, private, &plain))
        e = nacre_container_fail(k, NACRE_E_KEY, "could not be unlocked.");
    struct span clear = f->locked ? buf_span(&plain) : private;
    if (e == NACRE_OK && !mac_right(k, f, &keys, public, clear))
        e = f->locked ? nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "does not open with the password given.")
                      : nacre_container_fail(k, NACRE_E_KEY, "is damaged: its checksum is another.");
    if (e == NACRE_OK)
        e = read_key(k, f, public, clear, out);
    nacre_wipe(&keys, sizeof keys);
    nacre_buf_wipe(&plain);
    return e;
}

enum nacre_error nacre_ppk_read(struct container *k, struct key **out)
{
    struct ppk f = {.version = 0};
    struct buf public, private;
    nacre_buf_init(&public, STORE_FILE_MAX + 16);
    nacre_buf_init(&private, STORE_FILE_MAX + 16);
    enum nacre_error e = read_lines(k, &f, &public, &private);
    if (e == NACRE_OK)
        e = unlock(k, &f, buf_span(&public), buf_span(&private), out);
    nacre_buf_free(&public);
    nacre_buf_wipe(&private);
    return e;
}
