/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to open what PKCS#5 and PKCS#12 lock: a file says itself how often its password is hashed, and one that
 * says too much would hold up whoever opens it for hours. */
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

/* The same for a private key in PKCS#8: the structure in DER, or the block in PEM. */
bool nacre_pbe_pays_pkcs8(struct container *k, struct span bytes);

#endif
