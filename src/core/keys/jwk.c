/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Keys, RFC 7517, RFC 7518 section 6 and RFC 8037: one key, or one of a set, a private one first.
 *
 * jansson parses, within its own limit of nesting. Its strings hold the private numbers: they are wiped before they are
 * freed. */
#include "keys/container.h"

#ifdef NACRE_HAVE_JANSSON

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "keys/certificate.h"
#include "keys/numbers.h"

enum {
    SET_MAX = 256,   /* keys looked at */
    TREE_DEPTH = 4,  /* document, set, key, list of certificates */
    FIELD_MAX = 66,  /* bytes of a coordinate of P-521 */
    MEMBERS_MAX = 8, /* numbers of one key */
    DER_MAX = 1 << 16,
    SUBJECT_MAX = 512
};

static void wipe_tree(json_t *j, int depth)
{
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_string(j))
        nacre_wipe((char *)(uintptr_t)json_string_value(j), json_string_length(j));
    if (depth == 0)
        return;
    json_object_foreach(j, name, member) wipe_tree(member, depth - 1);
    json_array_foreach(j, i, member) wipe_tree(member, depth - 1);
}

static const char *text_of(const json_t *key, const char *name)
{
    const char *text = json_string_value(json_object_get(key, name));
    return text == NULL ? "" : text;
}

/* RFC 7515 section 2: base64 with two other characters and no padding. */
static bool base64url(const char *text, struct buf *out)
{
    struct buf plain;
    size_t len = strlen(text);
    bool ok = len != 0 && len <= 2 * NUMBER_MAX &&
              strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                           "0123456789-_") == len;
    nacre_buf_init(&plain, 2 * NUMBER_MAX + 4);
    uint8_t *at = ok ? nacre_buf_reserve(&plain, len + 3) : NULL;
    for (size_t i = 0; at != NULL && i < len; i++)
        at[plain.len++] = (uint8_t)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    while (at != NULL && plain.len % 4 != 0)
        at[plain.len++] = '=';
    ok = at != NULL && nacre_base64_read(buf_span(&plain), out);
    nacre_buf_wipe(&plain);
    return ok;
}

/* The numbers of one key, decoded. */
struct members {
    struct buf bytes[MEMBERS_MAX];
    size_t count;
};

static struct span member(struct members *m, const json_t *key, const char *name)
{
    if (m->count == MEMBERS_MAX)
        return span_of(NULL, 0);
    struct buf *b = &m->bytes[m->count++];
    nacre_buf_init(b, 2 * NUMBER_MAX);
    return base64url(text_of(key, name), b) ? buf_span(b) : span_of(NULL, 0);
}

/* RFC 7518: every kind of private key has a "d". */
static bool is_public(const json_t *j)
{
    return json_object_get(j, "d") == NULL;
}

static EVP_PKEY *read_rsa(const struct container *k, const json_t *j, struct members *m)
{
    if (is_public(j)) {
        const struct rsa_numbers open = {.n = member(m, j, "n"), .e = member(m, j, "e"), .public = true};
        return nacre_numbers_rsa(k->c, &open);
    }
    const struct rsa_numbers n = {.n = member(m, j, "n"),
                                  .e = member(m, j, "e"),
                                  .d = member(m, j, "d"),
                                  .p = member(m, j, "p"),
                                  .q = member(m, j, "q"),
                                  .iqmp = member(m, j, "qi")};
    bool more_primes = json_object_get(j, "oth") != NULL;
    return more_primes ? NULL : nacre_numbers_rsa(k->c, &n);
}

/* A coordinate, or the private number, with the zeros in front that some writers leave out. */
static bool pad(struct span s, size_t size, uint8_t *at)
{
    if (s.len == 0 || s.len > size)
        return false;
    memset(at, 0, size - s.len);
    memcpy(at + size - s.len, s.at, s.len);
    return true;
}

static EVP_PKEY *read_ec(const struct container *k, const json_t *j, struct members *m)
{
    static const struct {
        const char *name, *type;
        size_t size;
    } curves[] = {{"P-256", "ecdsa-sha2-nistp256", 32},
                  {"P-384", "ecdsa-sha2-nistp384", 48},
                  {"P-521", "ecdsa-sha2-nistp521", 66}};
    uint8_t point[1 + 2 * FIELD_MAX] = {4}; /* uncompressed */
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        const size_t size = curves[i].size;
        if (strcmp(text_of(j, "crv"), curves[i].name) != 0)
            continue;
        const struct key_type *t = nacre_keytype_find(span_str(curves[i].type));
        bool ok =
            t != NULL && pad(member(m, j, "x"), size, point + 1) && pad(member(m, j, "y"), size, point + 1 + size);
        const struct span d = is_public(j) ? span_of(NULL, 0) : member(m, j, "d");
        return ok ? nacre_numbers_ec(k->c, t, span_of(point, 1 + 2 * size), is_public(j) ? NULL : &d) : NULL;
    }
    return NULL;
}

static EVP_PKEY *read_okp(const struct container *k, const json_t *j, struct members *m)
{
    uint8_t public[32];
    size_t len = sizeof public;
    struct span x = member(m, j, "x");
    if (strcmp(text_of(j, "crv"), "Ed25519") != 0)
        return NULL;
    if (is_public(j))
        return nacre_numbers_ed25519_public(k->c, x);
    EVP_PKEY *pkey = nacre_numbers_ed25519(k->c, member(m, j, "d"));
    if (pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, public, &len) == 1 && span_eq(x, span_of(public, len)))
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

static EVP_PKEY *read_numbers(const struct container *k, const json_t *j)
{
    struct members m = {.count = 0};
    EVP_PKEY *pkey = NULL;
    if (strcmp(text_of(j, "kty"), "RSA") == 0)
        pkey = read_rsa(k, j, &m);
    else if (strcmp(text_of(j, "kty"), "EC") == 0)
        pkey = read_ec(k, j, &m);
    else if (strcmp(text_of(j, "kty"), "OKP") == 0)
        pkey = read_okp(k, j, &m);
    for (size_t i = 0; i < m.count; i++)
        nacre_buf_wipe(&m.bytes[i]);
    return pkey;
}

/* RFC 7517 section 4.7: certificates in base64, that of the key first. NULL: there is none. To be freed. */
static X509 *certificate_of(const struct container *k, const json_t *j)
{
    const char *text = json_string_value(json_array_get(json_object_get(j, "x5c"), 0));
    struct buf der;
    nacre_buf_init(&der, DER_MAX);
    X509 *x = text != NULL && nacre_base64_read(span_str(text), &der) ? nacre_container_x509(k, buf_span(&der)) : NULL;
    nacre_buf_free(&der);
    return x;
}

/* A key that its id was asked for by needs no other name. */
static bool certificate_fits(struct container *k, const json_t *j, const struct key *key)
{
    struct container beside = *k;
    X509 *x = certificate_of(k, j);
    if (nacre_container_rank(k, text_of(j, "kid")) != SUBJECT_OTHER)
        beside.subject = "*";
    bool fits = nacre_container_beside(&beside, key, x);
    X509_free(x);
    return fits;
}

static enum nacre_error read_key(struct container *k, const json_t *j, struct key **out)
{
    static const char *const types[] = {"RSA", "EC", "OKP"};
    const char *type = text_of(j, "kty");
    struct key *key = NULL;
    bool known = false;
    for (size_t i = 0; i < 3; i++)
        known = known || strcmp(type, types[i]) == 0;
    if (!known)
        return nacre_container_fail(k, NACRE_E_KEY_TYPE, "holds a key of type \"%.40s\", which cannot be used here.",
                                    type);
    EVP_PKEY *pkey = read_numbers(k, j);
    if (pkey == NULL)
        return nacre_container_fail(
            k, NACRE_E_KEY, "holds a key of type %s that is damaged or of a kind that cannot be used here.", type);
    enum nacre_error e = nacre_container_take(k, pkey, &key);
    if (e != NACRE_OK)
        return e;
    nacre_container_subject(k, span_str(text_of(j, "kid")));
    if (!certificate_fits(k, j, key)) {
        nacre_key_unref(key);
        return nacre_container_absent(k);
    }
    *out = key;
    return NACRE_OK;
}

static bool is_wanted(const json_t *j, bool public)
{
    return public ? is_public(j) && json_is_string(json_object_get(j, "kty")) : json_is_string(json_object_get(j, "d"));
}

/* By its id or by its certificate, whichever answers better. */
static enum subject_rank rank_of(const struct container *k, const json_t *j)
{
    char name[SUBJECT_MAX] = "";
    enum subject_rank by_id = nacre_container_rank(k, text_of(j, "kid"));
    X509 *x = by_id == SUBJECT_EXACT ? NULL : certificate_of(k, j);
    if (x == NULL)
        return by_id;
    (void)nacre_certificate_subject(x, name, sizeof name); /* a name too long to tell is none */
    X509_free(x);
    enum subject_rank by_name = nacre_container_rank(k, name);
    return by_name > by_id ? by_name : by_id;
}

/* The key of a set, private or public, whose id or certificate answers best to the subject. A single one needs no name.
 */
static const json_t *choose(const struct container *k, const json_t *keys, bool public)
{
    const json_t *best = NULL, *only = NULL;
    enum subject_rank best_rank = SUBJECT_OTHER;
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(keys) && i < SET_MAX; i++) {
        const json_t *j = json_array_get(keys, i);
        if (!is_wanted(j, public))
            continue;
        enum subject_rank rank = rank_of(k, j);
        if (rank > best_rank) {
            best = j;
            best_rank = rank;
        }
        only = j;
        count++;
    }
    return count == 1 ? only : best;
}

static enum nacre_error read_document(struct container *k, const json_t *document, struct key **out)
{
    const json_t *keys = json_is_array(document) ? document : json_object_get(document, "keys");
    const json_t *j = keys == NULL ? document : choose(k, keys, false);
    if (j == NULL && k->public_only_will_do)
        j = choose(k, keys, true);
    if (json_object_get(document, "ciphertext") != NULL)
        return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is an encrypted JWK (JWE), which cannot be read here.");
    if (keys == NULL && !json_is_string(json_object_get(document, "kty")))
        return nacre_container_fail(k, NACRE_E_KEY, "is JSON, but no JWK.");
    if (j != NULL && (is_wanted(j, false) || (k->public_only_will_do && is_wanted(j, true))))
        return read_key(k, j, out);
    if (j == NULL && k->subject[0] != 0 && strcmp(k->subject, "*") != 0)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key for \"%s\".", k->subject);
    return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
}

enum nacre_error nacre_jwk_read(struct container *k, struct key **out)
{
    json_error_t error;
    const struct span text = nacre_text_trim(k->bytes);
    json_t *document = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL)
        return nacre_container_fail(k, NACRE_E_KEY, "is not JSON: line %d is wrong.", error.line);
    enum nacre_error e = read_document(k, document, out);
    wipe_tree(document, TREE_DEPTH);
    json_decref(document);
    return e;
}

#else

enum nacre_error nacre_jwk_read(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type JWK, and this build is without jansson.");
}

#endif
