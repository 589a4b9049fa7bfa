/* SPDX-License-Identifier: Apache-2.0 */
/* The context that the tests of this folder work in: a suite names both functions, and each test has one of its own. */
#ifndef TESTS_UNIT_CRYPTO_FIXTURE_H
#define TESTS_UNIT_CRYPTO_FIXTURE_H

#include "crypto/algs.h"

extern struct nacre_crypto *crypto;

void crypto_set_up(void);
void crypto_tear_down(void);

#endif
