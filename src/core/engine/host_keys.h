/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of all slots together: what clients are offered, and whether that is enough. The server's lock is held. */
#ifndef ENGINE_HOST_KEYS_H
#define ENGINE_HOST_KEYS_H

#include "engine/cert.h"

/* The private keys, each again in its certificates; all referenced. Returns how many. */
size_t nacre_host_keys_collect(const struct nacre_server *server, struct key *keys[PROFILE_KEYS_MAX]);

/* NO_CERTIFICATE and the reason when the server cannot listen with its keys. */
enum nacre_error nacre_host_keys_check(const struct nacre_server *server, char *why, size_t why_size);

/* SSHPublicKeyAlgorithms, and before each name its certified form where one of the keys has an OpenSSH certificate, or
 * where there are keys yet to come (`more`). To be freed; NULL: out of memory. */
char *nacre_host_keys_algorithms(const struct nacre_crypto *crypto, const char *names, struct key *const *keys,
                                 size_t count, bool more);

/* Sets the subject, or the certificate in DER, of a slot. A failure drops the key of the slot, as the class has it; but
 * while listening, a key is only ever replaced by one that serves. New connections get the new keys. */
enum nacre_error nacre_host_key_choose(struct nacre_server *server, struct cert *c, const char *subject, char *why,
                                       size_t why_size);
enum nacre_error nacre_host_key_choose_encoded(struct nacre_server *server, struct cert *c, struct span der, char *why,
                                               size_t why_size);

/* AltSSHCertCount; the slots behind it are emptied. */
enum nacre_error nacre_host_keys_resize(struct nacre_server *server, int count, char *why, size_t why_size);

/* Takes an OpenSSH host certificate: the text, the name of its file, or "" for none. `index` of the slot, or -1: the
 * one whose key it is for. KEY with the reason when it is not a good one now. */
enum nacre_error nacre_host_certificate_set(struct nacre_server *server, int index, const char *value, char *why,
                                            size_t why_size);

/* `key` in the host certificate `value` (as above). KEY with the reason when it is for another or never a good one; its
 * time is not looked at. Any thread, without the lock. */
enum nacre_error nacre_host_certificate_read(const struct nacre_crypto *crypto, const char *value,
                                             const struct key *key, struct key **out, char *why, size_t why_size);

#endif
