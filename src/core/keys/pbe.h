/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to open what PKCS#5 and PKCS#12 lock: a file says itself how often its password is hashed, and one that
 * says too much would hold up whoever opens it for hours. So does a key with large numbers, locked or not. */
#ifndef KEYS_PBE_H
#define KEYS_PBE_H

#include <openssl/pkcs12.h>

#include "keys/container.h"

/* How many rounds a whole file may take. */
uint64_t nacre_pbe_rounds(const struct container *k);

/* Takes the rounds of that lock from *left. False, and the reason told: there are not so many left. What is no lock
 * that is known here costs nothing: the library will not open it either. */
bool nacre_pbe_pays(struct container *k, const X509_ALGOR *lock, uint64_t *left);

/* The same for the integrity of a PFX. */
bool nacre_pbe_pays_mac(struct container *k, const PKCS12 *p, uint64_t *left);

/* Says why a lock did not open, as far as the library has said it since the lock was paid for. */
enum nacre_error nacre_pbe_fail(struct container *k);

/* The key in a structure that is open. NULL: it is damaged, of a kind that the library does not know, or so large that
 * only opening it would take long: of DSA keys the public number is not in there, and the library works it out, with
 * numbers of any size, before it says how large they are. */
EVP_PKEY *nacre_pkcs8_key(const struct container *k, const PKCS8_PRIV_KEY_INFO *p8);

#endif
