/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that sign and verify: host keys and user keys, RFC 4253 section 6.6, RFC 5656, RFC 6187, RFC 8332, RFC 8709.
 *
 * A key is immutable and counted; any thread may sign and verify with it. */
#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H

#include "base/buf.h"
#include "crypto/crypto.h"

struct key;

enum {
    KEY_BLOB_MAX = 8192,     /* public key blob on the wire */
    SIGNATURE_MAX = 2200,    /* signature blob on the wire: RSA 16384 and its name */
    KEY_RSA_MIN_BITS = 2048, /* rule R25 */
    KEY_RSA_MAX_BITS = 16384,
    KEY_TEXT_MAX = 64 + (KEY_BLOB_MAX + 2) / 3 * 4 + 2, /* nacre_key_text() */
    KEY_CERTIFIED_MAX = 3,                              /* types of X.509 certificate that one key can have */
};

struct sig_alg {
    const char *name;     /* signature algorithm: "rsa-sha2-256" */
    const char *key_name; /* name inside the key blob: "ssh-rsa" */
    const char *sig_name; /* name inside the signature blob; for most algorithms their own */
    enum hash_id hash;
    const char *curve;         /* the library's curve name; NULL when not ECDSA */
    bool slow;                 /* signing belongs on the offload pool */
    const struct sig_ops *ops; /* crypto's own */
};

/* Parses a public key blob ("string name ..."). NULL: malformed, of an unknown type, or outside the size limits. */
struct key *nacre_key_from_blob(const struct nacre_crypto *c, struct span blob);

/* Takes a private or public key of the library (an EVP_PKEY, given as void so that only crypto and keys need its
 * header); the reference is consumed also on failure. NULL: a type or size that SSH does not know, or a private key
 * that the library signs with in no way. */
struct key *nacre_key_take(const struct nacre_crypto *c, void *evp_pkey);

/* The private key `k` as a key of `type` ("x509v3-ssh-rsa", "x509v3-sign-rsa" ...), its blob made of the certificate
 * chain, leaf first, each in DER. NULL: the leaf is no certificate of this key, or unfit for the type. */
struct key *nacre_key_certified(const struct nacre_crypto *c, const struct key *k, const char *type,
                                const struct span *chain, size_t count);

/* All of them that `k` and its chain make; each is the caller's. Returns how many, at most KEY_CERTIFIED_MAX. */
size_t nacre_key_certified_all(const struct nacre_crypto *c, const struct key *k, const struct span *chain,
                               size_t count, struct key *out[KEY_CERTIFIED_MAX]);

/* A private half that stays where it is: in a token, or in a key store of the system. Any thread may sign. */
struct key_token {
    /* Signs a digest made with `hash`; *len is the room at `out` and then what was written: RSA with PKCS#1 v1.5, as
     * long as the modulus; ECDSA as DER. NULL: the EVP_PKEY does it by itself. */
    bool (*sign)(void *held, enum hash_id hash, struct span digest, uint8_t *out, size_t *len);
    void (*release)(void *held); /* when the last user of the EVP_PKEY is gone */
    void *held;
};

/* Says of an EVP_PKEY, before it is taken, that its private half stays in a token: it is private though it has no
 * private numbers, and signing with it belongs on the offload pool. False: out of memory; `held` is then the caller's
 * still. */
bool nacre_key_mark_token(void *evp_pkey, const struct key_token *token);

/* Signing takes longer than the algorithm says: a token does it. */
bool nacre_key_is_slow(const struct key *k);

/* The EVP_PKEY inside, borrowed, for the keys layer. */
void *nacre_key_native(const struct key *k);

struct key *nacre_key_ref(struct key *k);
void nacre_key_unref(struct key *k); /* NULL is allowed */

/* Who frees tokens' keys whose last use ends on this thread: a thread that does not see the process's descriptors must
 * not call the module that does. `take` is given the key and passes it to nacre_key_free() elsewhere, or lets it be.
 * NULL: they are freed where they are. */
struct key_undertaker {
    void (*take)(void *context, struct key *k);
    void *context;
};

void nacre_key_set_undertaker(const struct key_undertaker *undertaker);

/* For an undertaker: frees what has no user. */
void nacre_key_free(struct key *k);

bool nacre_key_is_private(const struct key *k);

/* The public key blob as sent on the wire; lives as long as the key. */
struct span nacre_key_blob(const struct key *k);

/* "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa": the name in the blob; x509v3-sign-* have none there and yet one
 * here. */
const char *nacre_key_type(const struct key *k);
unsigned nacre_key_bits(const struct key *k);

/* No certificate and no security key around it. */
bool nacre_key_is_plain(const struct key *k);

/* True when `alg` is a way to sign with this key. */
bool nacre_key_fits(const struct key *k, const struct sig_alg *alg);

/* True when it fits, the private half is here, and the library signs so: SHA-1 may be good for verifying alone. */
bool nacre_key_can_sign(const struct key *k, const struct sig_alg *alg);

/* Appends a signature blob ("string alg, string signature") over `data`. False: the library failed or the key cannot
 * sign so. */
bool nacre_key_sign(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg, struct span data,
                    struct buf *out);

/* True only when `signature` is a well-formed blob by exactly `alg` and verifies over `data`. Of a security key, also
 * only when somebody touched it. */
bool nacre_key_verify(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg, struct span data,
                      struct span signature);

/* What a security key says of whoever it signed for; of other keys both are true. */
struct key_user {
    bool present;  /* touched the device */
    bool verified; /* by PIN or fingerprint */
};

/* The same, also for a security key that nobody touched: *user is the caller's to judge (rule R10). */
bool nacre_key_verify_user(const struct nacre_crypto *c, const struct key *k, const struct sig_alg *alg,
                           struct span data, struct span signature, struct key_user *user);

/* "SHA256:" and base64 without padding, NUL-terminated, as ssh-keygen -l prints it. `out` has room for 64 bytes. */
bool nacre_key_fingerprint(const struct nacre_crypto *c, struct span blob, char out[64]);

/* "ssh-ed25519 AAAA...", the line that public key files have. False: it does not fit. */
bool nacre_key_text(const struct key *k, char *out, size_t size);

/* A fresh key pair: "ssh-ed25519", "ecdsa-sha2-nistp256/384/521", "ssh-dss", or "ssh-rsa" with `bits`. */
struct key *nacre_key_generate(const struct nacre_crypto *c, const char *type, unsigned bits);

#endif
