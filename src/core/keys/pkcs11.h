/* SPDX-License-Identifier: Apache-2.0 */
/* Modules of PKCS#11, loaded once in a process however many keys come from them: a module has one state a process, and
 * closing it would end the sessions of all. */
#ifndef KEYS_PKCS11_H
#define KEYS_PKCS11_H

#include "keys/container.h"

enum {
    TOKEN_ATTRIBUTE_MAX = 128,
    TOKEN_ID_MAX = 64
};

/* What a pkcs11: URI (RFC 7512) asks for; "" is anything. */
struct token_wanted {
    char token[TOKEN_ATTRIBUTE_MAX], serial[TOKEN_ATTRIBUTE_MAX], manufacturer[TOKEN_ATTRIBUTE_MAX],
        model[TOKEN_ATTRIBUTE_MAX], object[TOKEN_ATTRIBUTE_MAX];
    uint8_t id[TOKEN_ID_MAX];
    size_t id_len;
};

/* Reads "pkcs11:token=...;object=...". False: malformed, or an attribute that is not known here. */
bool nacre_token_parse(struct span uri, struct token_wanted *out);

struct token_module;

/* Takes and gives back the lock over all modules. Everything below is called with it held. */
bool nacre_modules_lock(void);
void nacre_modules_unlock(void);

/* The module of that file, loaded if it is not yet; counted. NULL: told why. */
struct token_module *nacre_module_open(struct container *k, const char *path);
void nacre_module_close(struct token_module *m);

/* The slot (a PKCS11_SLOT) of the token asked for, with the PIN given to it. */
enum nacre_error nacre_module_slot(struct container *k, struct token_module *m, const struct token_wanted *wanted,
                                   void **slot);

#endif
