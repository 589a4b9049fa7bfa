/* SPDX-License-Identifier: Apache-2.0 */
/* Unlocking private keys of OpenSSH's format through libssh, which has their key derivation. Without libssh in the
 * build a locked key is refused with the remedy. */
#include "keys/container.h"

#include "base/secret.h"

#ifdef NACRE_HAVE_LIBSSH

#include <libssh/libssh.h>

/* libssh would ask on the terminal without this. */
static int no_prompt(const char *prompt, char *at, size_t size, int echo, int verify, void *context)
{
    (void)prompt;
    (void)at;
    (void)size;
    (void)echo;
    (void)verify;
    (void)context;
    return -1;
}

static bool unlock(const char *armoured, const char *password, struct buf *out)
{
    ssh_key key = NULL;
    char *text = NULL;
    bool ok = ssh_pki_import_privkey_base64(armoured, password, no_prompt, NULL, &key) == SSH_OK &&
              ssh_pki_export_privkey_base64(key, NULL, no_prompt, NULL, &text) == SSH_OK && text != NULL &&
              nacre_buf_append(out, text, strlen(text));
    if (text != NULL)
        nacre_wipe(text, strlen(text));
    ssh_string_free_char(text);
    ssh_key_free(key);
    return ok;
}

enum nacre_error nacre_openssh_unlock(struct container *k, struct span armoured, struct buf *out)
{
    struct buf text;
    nacre_buf_init(&text, STORE_FILE_MAX + 2);
    bool ok = ssh_init() == SSH_OK;
    if (ok) {
        ok = nacre_buf_append(&text, armoured.at, armoured.len) && nacre_buf_append(&text, "\n", 2) &&
             unlock((const char *)text.at, k->password, out);
        ssh_finalize();
    }
    nacre_buf_wipe(&text);
    if (ok)
        return NACRE_OK;
    return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "does not open with the password given.");
}

#else

enum nacre_error nacre_openssh_unlock(struct container *k, struct span armoured, struct buf *out)
{
    (void)armoured;
    (void)out;
    return nacre_container_fail(
        k, NACRE_E_NOT_SUPPORTED,
        "is a locked key in OpenSSH's own format, which needs a build with libssh; \"ssh-keygen "
        "-p -m PKCS8\" rewrites it.");
}

#endif
