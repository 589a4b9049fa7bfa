/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of containers share: a folder of their own, commands that make files in it, and checks. */
#ifndef TESTS_KEYS_SUPPORT_H
#define TESTS_KEYS_SUPPORT_H

#include <criterion/criterion.h>

#include "keys/store.h"

extern struct nacre_crypto *crypto;
extern char why[512], subject[256]; /* of the last store opened */

void keys_setup(void); /* makes the folder and goes there */
void keys_teardown(void);

/* Runs a shell command that must succeed; the test is skipped where ssh-keygen or openssl is not installed. */
__attribute__((format(printf, 1, 2))) void run(const char *format, ...);

/* Makes the private key k, as OpenSSH 10 no longer does: 1024 bits, in PEM of its own kind. */
void make_dsa(void);

/* Skips the test where `program` is not installed. */
void need(const char *program);

/* Whether the build has `library`; skips the test where it has not. */
bool has_library(const char *library);
void need_library(const char *library);

enum nacre_error open_as(enum store_type type, struct span store, const char *password, struct key **out);

/* Opens the file and checks the fingerprint of its public half as ssh-keygen tells it of the file `public`. */
void check_opens(enum store_type type, const char *file, const char *password, const char *public);
void check_opens_blob(enum store_type type, struct span store, const char *password, const char *public);
/* Checks the fingerprint of a private key. */
void check_print(struct key *k, const char *name, const char *public);

void check_fails(enum store_type type, struct span store, const char *password, enum nacre_error want);

/* Cuts the blob everywhere and changes every byte of it: one clear error, or the key that is in it. */
void check_damage(enum store_type type, struct span blob, const char *password);

/* The file, at most `size` bytes of it. */
size_t slurp(const char *file, uint8_t *at, size_t size);

#endif
