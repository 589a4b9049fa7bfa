/* SPDX-License-Identifier: Apache-2.0 */
/* One certificate slot of the server. The server's lock is held. */
#ifndef ENGINE_CERT_H
#define ENGINE_CERT_H

#include "engine/server.h"

enum nacre_error nacre_cert_set_store(struct cert *c, const void *store, size_t len);
enum nacre_error nacre_cert_set_password(struct cert *c, const char *password);

/* Opens the container. On failure there is no key and the subject is empty, as the class has it. "" drops the key. */
enum nacre_error nacre_cert_set_subject(struct cert *c, const struct nacre_crypto *crypto, const char *subject,
                                        char *why, size_t why_size);

/* Takes the certificate (DER) and looks in the store for its private key; on failure as above. Empty drops the key. */
enum nacre_error nacre_cert_set_encoded(struct cert *c, const struct nacre_crypto *crypto, struct span der, char *why,
                                        size_t why_size);

/* One of the class's CertStoreTypes. */
bool nacre_cert_is_type(int type);

#endif
