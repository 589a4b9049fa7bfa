/* SPDX-License-Identifier: Apache-2.0 */
/* libssh, each algorithm alone; arguments and lines as in matrix_cells.h. What this libssh does not have is left out.
 */
#include <libssh/libssh.h>

#include "matrix_cells.h"

struct want {
    enum ssh_options_e first, second; /* the same twice where there is but one */
    const char *name;
    const char *cipher; /* for a MAC; NULL: any */
    const char *key;    /* file in the folder */
    const char *signature;
};

static bool failed(struct cells *c, ssh_session s, const char *what)
{
    return cells_why(c, what, ssh_get_error(s));
}

static bool set_common(const struct cells *c, ssh_session s)
{
    long timeout = CELLS_TIMEOUT;
    bool no = false;
    int quiet = SSH_LOG_NOLOG;

    return ssh_options_set(s, SSH_OPTIONS_HOST, "127.0.0.1") == 0 &&
           ssh_options_set(s, SSH_OPTIONS_PORT, &c->port) == 0 && ssh_options_set(s, SSH_OPTIONS_USER, c->user) == 0 &&
           ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &timeout) == 0 &&
           ssh_options_set(s, SSH_OPTIONS_SSH_DIR, c->folder) == 0 &&
           ssh_options_set(s, SSH_OPTIONS_LOG_VERBOSITY, &quiet) == 0 &&
           ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no) == 0;
}

/* False for an algorithm that this libssh was built without. */
static bool set_names(ssh_session s, const struct want *w)
{
    if (w->name != NULL && (ssh_options_set(s, w->first, w->name) != 0 || ssh_options_set(s, w->second, w->name) != 0))
        return false;
    if (w->cipher != NULL && (ssh_options_set(s, SSH_OPTIONS_CIPHERS_C_S, w->cipher) != 0 ||
                              ssh_options_set(s, SSH_OPTIONS_CIPHERS_S_C, w->cipher) != 0))
        return false;
    return w->signature == NULL || ssh_options_set(s, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, w->signature) == 0;
}

/* What libssh says it uses is what was asked for. Of group exchange it says nothing. */
static bool agreed(struct cells *c, ssh_session s, const struct want *w)
{
    const char *got = w->name;

    if (w->first == SSH_OPTIONS_KEY_EXCHANGE)
        got = ssh_get_kex_algo(s);
    else if (w->first == SSH_OPTIONS_CIPHERS_C_S)
        got = ssh_get_cipher_out(s);
    else if (w->first == SSH_OPTIONS_HMAC_C_S)
        got = ssh_get_hmac_out(s);
    if (w->name == NULL || got == NULL || strcmp(got, w->name) == 0)
        return true;
    return cells_why(c, "agreed on", got);
}

static bool authenticate(struct cells *c, ssh_session s, const char *name)
{
    char path[4096];
    ssh_key key = NULL;

    if (!cells_path(c, name, path, sizeof path) || ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) != SSH_OK)
        return cells_why(c, "key", name);
    bool in = ssh_userauth_publickey(s, NULL, key) == SSH_AUTH_SUCCESS;
    ssh_key_free(key);
    return in || failed(c, s, "login");
}

static bool receive_all(struct cells *c, ssh_session s, ssh_channel channel)
{
    c->got_len = 0;
    while (c->got_len < CELLS_FILE_MAX) {
        int n = ssh_channel_read_timeout(channel, c->got + c->got_len, (uint32_t)(CELLS_FILE_MAX - c->got_len), 0,
                                         CELLS_TIMEOUT * 1000);
        if (n < 0)
            return failed(c, s, "read");
        if (n == 0)
            break;
        c->got_len += (size_t)n;
    }
    return cells_same(c);
}

static bool run_cat(struct cells *c, ssh_channel channel)
{
    return ssh_channel_open_session(channel) == SSH_OK && ssh_channel_request_exec(channel, "cat") == SSH_OK &&
           ssh_channel_write(channel, c->some, (uint32_t)c->some_len) == (int)c->some_len &&
           ssh_channel_send_eof(channel) == SSH_OK;
}

static bool through_cat(struct cells *c, ssh_session s, const struct want *w)
{
    if (ssh_connect(s) != SSH_OK)
        return failed(c, s, "connect");
    if (!agreed(c, s, w) || !authenticate(c, s, w->key))
        return false;
    ssh_channel channel = ssh_channel_new(s);
    if (channel == NULL)
        return failed(c, s, "channel");
    bool ok = run_cat(c, channel) ? receive_all(c, s, channel) : failed(c, s, "cat");
    ssh_channel_free(channel);
    return ok;
}

static void cell(struct cells *c, const char *kind, const char *shown, const struct want *w)
{
    ssh_session s = ssh_new();

    if (s == NULL || !set_common(c, s)) {
        cells_why(c, "session", "options");
        cells_report(c, kind, shown, false);
    } else if (set_names(s, w)) {
        cells_report(c, kind, shown, through_cat(c, s, w));
    }
    ssh_disconnect(s);
    ssh_free(s);
}

static void row(struct cells *c, const char *kind, const char *list, struct want like)
{
    char name[CELLS_NAME_MAX];

    while (cells_next(&list, name)) {
        like.name = name;
        cell(c, kind, name, &like);
    }
}

static void user_keys(struct cells *c)
{
    static const char *const keys[][2] = {{"ed25519", "ssh-ed25519"},
                                          {"ecdsa256", "ecdsa-sha2-nistp256"},
                                          {"ecdsa384", "ecdsa-sha2-nistp384"},
                                          {"ecdsa521", "ecdsa-sha2-nistp521"},
                                          {"rsa", "rsa-sha2-256"},
                                          {"rsa", "rsa-sha2-512"},
                                          {"rsa", "ssh-rsa"}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct want w = {.first = SSH_OPTIONS_HOST, .key = keys[i][0], .signature = keys[i][1]};
        cell(c, "user-key", keys[i][1], &w);
    }
}

int main(int argc, char **argv)
{
    struct cells c;

    if (!cells_open(&c, "libssh", argc, argv))
        return 2;
    row(&c, "kex", c.kex,
        (struct want){SSH_OPTIONS_KEY_EXCHANGE, SSH_OPTIONS_KEY_EXCHANGE, NULL, NULL, "ed25519", NULL});
    row(&c, "cipher", c.ciphers,
        (struct want){SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C, NULL, NULL, "ed25519", NULL});
    row(&c, "mac", c.macs,
        (struct want){SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C, NULL, "aes128-ctr", "ed25519", NULL});
    row(&c, "mac+cbc", c.macs,
        (struct want){SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C, NULL, "aes128-cbc", "ed25519", NULL});
    row(&c, "comp", c.comps,
        (struct want){SSH_OPTIONS_COMPRESSION_C_S, SSH_OPTIONS_COMPRESSION_S_C, NULL, NULL, "ed25519", NULL});
    row(&c, "host-key", c.host_keys,
        (struct want){SSH_OPTIONS_HOSTKEYS, SSH_OPTIONS_HOSTKEYS, NULL, NULL, "ed25519", NULL});
    user_keys(&c);
    return cells_close(&c);
}
