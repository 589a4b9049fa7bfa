/* SPDX-License-Identifier: Apache-2.0 */
/* One certificate slot of the server: the class's certificate properties, and the key they led to. The server's lock is
 * held. */
#ifndef ENGINE_CERT_H
#define ENGINE_CERT_H

#include "engine/server.h"

/* What a slot holds besides its settings, to be put in place of what it has. */
struct cert_found {
    struct key *key;
    struct key *host_certificate;
    struct buf certificate;
    char *subject;
};

enum nacre_error nacre_cert_set_store(struct cert *c, const void *store, size_t len);
enum nacre_error nacre_cert_set_password(struct cert *c, const char *password);

/* Opens the slot's container; "" finds nothing, successfully. Containers that are there for public keys may give one.
 * The slot does not change. On failure *out is empty and needs no freeing. */
enum nacre_error nacre_cert_find(const struct cert *c, const struct nacre_crypto *crypto, const char *subject,
                                 struct cert_found *out, char *why, size_t why_size);

/* As nacre_cert_find(), for the certificate (DER; empty finds nothing) and its private key in the container. */
enum nacre_error nacre_cert_find_encoded(const struct cert *c, const struct nacre_crypto *crypto, struct span der,
                                         struct cert_found *out, char *why, size_t why_size);

/* Each gets what the other had. An OpenSSH certificate stays with the slot as long as it is for the key in it. */
void nacre_cert_swap(struct cert *c, const struct nacre_crypto *crypto, struct cert_found *found);
void nacre_cert_found_free(struct cert_found *found);

/* One of the class's CertStoreTypes. */
bool nacre_cert_is_type(int type);

#endif
