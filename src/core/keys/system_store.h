/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys of Windows' certificate stores: the handle that such a key has, as the signer of one of ours. */
#ifndef KEYS_SYSTEM_STORE_H
#define KEYS_SYSTEM_STORE_H

#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <wincrypt.h>

#include <ncrypt.h>

#include "crypto/key.h"

struct system_key {
    HCRYPTPROV_OR_NCRYPT_KEY_HANDLE handle;
    DWORD spec;             /* CERT_NCRYPT_KEY_SPEC, or which key of the provider */
    PCCERT_CONTEXT context; /* held, for a handle that is the certificate's */
    BOOL ours;              /* the handle is to be given back */
    bool rsa;               /* else ECDSA */
};

/* The private key of the certificate, without asking anybody at a screen. NULL: there is none for this process;
 * GetLastError() says why. */
struct system_key *nacre_system_key_open(PCCERT_CONTEXT certificate);
void nacre_system_key_close(void *key);

/* Signs as struct key_token says. */
bool nacre_system_key_sign(void *key, enum hash_id hash, struct span digest, uint8_t *out, size_t *len);

#endif
