/* SPDX-License-Identifier: Apache-2.0 */
/* Keys whose private half stays in a token. What they need is attached to the library's key, because several of our
 * keys may share that one (a key and its certificates). */
#include "crypto/keytype.h"

#include <stdlib.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int mark_index = -1; /* set once, then only read */

/* The library's last step of freeing a key. */
static void mark_free(void *parent, void *at, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
    struct key_token *token = at;
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    if (token == NULL)
        return;
    token->release(token->held);
    free(token);
}

static void make_index(void)
{
    mark_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL, NULL, NULL, mark_free);
}

bool nacre_key_mark_token(void *evp_pkey, const struct key_token *token)
{
    if (CRYPTO_THREAD_run_once(&once, make_index) != 1 || mark_index < 0)
        return false;
    struct key_token *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return false;
    *kept = *token;
    if (EVP_PKEY_set_ex_data(evp_pkey, mark_index, kept) == 1)
        return true;
    free(kept);
    return false;
}

const struct key_token *nacre_key_token(const EVP_PKEY *pkey)
{
    /* Before the first mark there is no index, and no key with a mark. */
    return CRYPTO_THREAD_run_once(&once, make_index) == 1 && mark_index >= 0 ? EVP_PKEY_get_ex_data(pkey, mark_index)
                                                                             : NULL;
}
