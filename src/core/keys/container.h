/* SPDX-License-Identifier: Apache-2.0 */
/* One container being opened: what was asked, its bytes, and where answers go. Shared by the readers of this folder. */
#ifndef KEYS_CONTAINER_H
#define KEYS_CONTAINER_H

#include "keys/store.h"

struct container {
    const struct nacre_crypto *c;
    const char *name; /* how messages call it: the file in quotes, or "The key" */
    struct span bytes;
    const char *password; /* never NULL; "" is none */
    const char *subject;  /* never NULL; "*" is any */
    char *subject_out;
    size_t subject_size;
    bool public_only_will_do; /* a public key alone is an answer too */
    unsigned work_divisor;    /* at least 1 */
    struct buf *certificate;  /* where the DER of the certificate goes; NULL: nowhere */
    char *why;
    size_t why_size;
};

/* A reader gives the key in *out, or an error with the reason already told. */
enum nacre_error nacre_pem_read(struct container *k, struct key **out);
enum nacre_error nacre_pfx_read(struct container *k, struct key **out);
enum nacre_error nacre_der_read(struct container *k, struct key **out);
enum nacre_error nacre_openssh_read(struct container *k, struct key **out); /* k->bytes: one PEM block */
enum nacre_error nacre_ppk_read(struct container *k, struct key **out);
enum nacre_error nacre_xml_read(struct container *k, struct key **out);
enum nacre_error nacre_jwk_read(struct container *k, struct key **out);
enum nacre_error nacre_p7b_read(struct container *k, struct key **out);
bool nacre_p7b_is(struct span bytes); /* a PKCS#7 structure in DER */
enum nacre_error nacre_public_read(struct container *k,
                                   struct key **out); /* a certificate or a public key, PEM or DER */
enum nacre_error nacre_ssh_public_read(struct container *k, struct key **out);
enum nacre_error nacre_pkcs11_read(struct container *k, struct key **out); /* k->bytes: module, and URI behind ";" */
enum nacre_error nacre_user_store_read(struct container *k, struct key **out); /* k->bytes: the store's name */
enum nacre_error nacre_machine_store_read(struct container *k, struct key **out);

/* Says why in one sentence, "<name> <text>", and gives `code` back. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
enum nacre_error
nacre_container_fail(struct container *k, enum nacre_error code, const char *text, ...);

/* Makes a key of the library's EVP_PKEY (consumed, also on failure) and proves with a signature that its halves belong
 * together. */
enum nacre_error nacre_container_take(struct container *k, void *evp_pkey, struct key **out);

/* The same for a key that crypto has made already (consumed, also on failure). */
enum nacre_error nacre_container_give(struct container *k, struct key *key, struct key **out);

/* How well a name answers to the subject asked for. */
enum subject_rank {
    SUBJECT_OTHER,
    SUBJECT_PART,
    SUBJECT_EXACT
};
enum subject_rank nacre_container_rank(const struct container *k, const char *name);

/* "holds no certificate for ..." */
enum nacre_error nacre_container_absent(struct container *k);

/* Tells the subject of the certificate or the comment of the key. */
void nacre_container_subject(struct container *k, struct span text);

/* The name of an X509 certificate (void, see nacre_key_take) as the subject; false when it is not the one asked for. */
bool nacre_container_certificate(struct container *k, void *x509);

/* The key of a certificate, which has to be the one asked for. `evp_pkey` is consumed, also on failure; NULL: the
 * certificate's key is of no kind that is known here. */
enum nacre_error nacre_container_take_certified(struct container *k, void *evp_pkey, void *x509, struct key **out);

/* The X509 of the DER in `der`, of the library context of the container; NULL: it is none. To be freed. */
void *nacre_container_x509(const struct container *k, struct span der);

/* Does the same for a certificate that may belong to the key: one of another key is passed over, which is no failure.
 */
bool nacre_container_beside(struct container *k, const struct key *key, void *x509);

/* What the library asks for the password of something that has none: without it, it asks at the terminal. */
int nacre_no_password(char *at, int size, int writing, void *context);

/* The whole of a regular file, at most STORE_FILE_MAX bytes, appended to `out`; `name` need not end in NUL. */
enum nacre_error nacre_file_read(struct container *k, struct span name, struct buf *out);

/* Appends `in`, whole blocks, decrypted with a cipher of the library that needs no padding ("AES-256-CBC"). */
bool nacre_container_decrypt(const struct container *k, const char *cipher, const uint8_t *key, const uint8_t *iv,
                             struct span in, struct buf *out);

bool nacre_file_exists(struct span name);
bool nacre_file_is_module(const char *path); /* a library with PKCS#11's one entry; loads it to see */

/* Without the blanks around it and a byte order mark in front. */
struct span nacre_text_trim(struct span s);

/* Where `text` first stands in `in`, or NULL. */
const uint8_t *nacre_bytes_find(struct span in, const char *text);

/* Decodes base64 with blanks and line ends among it. False: something else is among it, or it does not fit. */
bool nacre_base64_read(struct span text, struct buf *out);

#endif
