/* SPDX-License-Identifier: Apache-2.0 */
/* libssh2, each algorithm alone; arguments and lines as in matrix_cells.h. What this libssh2 does not have is left out.
 */
#include <libssh2.h>

#include "matrix_cells.h"

struct login {
    int socket;
    LIBSSH2_SESSION *session;
};

struct want {
    int first, second; /* methods; the same twice where there is but one */
    const char *name;
    const char *mac_cipher; /* NULL: any */
    const char *key;        /* file in the folder */
};

static bool failed(struct cells *c, struct login *l, const char *what)
{
    char *text = NULL;

    libssh2_session_last_error(l->session, &text, NULL, 0);
    return cells_why(c, what, text);
}

static bool prefer(struct cells *c, struct login *l, const struct want *w)
{
    bool ok = w->name == NULL || (libssh2_session_method_pref(l->session, w->first, w->name) == 0 &&
                                  libssh2_session_method_pref(l->session, w->second, w->name) == 0);

    if (ok && w->mac_cipher != NULL)
        ok = libssh2_session_method_pref(l->session, LIBSSH2_METHOD_CRYPT_CS, w->mac_cipher) == 0 &&
             libssh2_session_method_pref(l->session, LIBSSH2_METHOD_CRYPT_SC, w->mac_cipher) == 0;
    return ok || failed(c, l, "preference");
}

static bool authenticate(struct cells *c, struct login *l, const char *key)
{
    char private[4096], public[4096];

    snprintf(public, sizeof public, "%s/%s.pub", c->folder, key);
    if (!cells_path(c, key, private, sizeof private))
        return false;
    return libssh2_userauth_publickey_fromfile_ex(l->session, c->user, (unsigned)strlen(c->user), public, private,
                                                  NULL) == 0 ||
           failed(c, l, "login");
}

static bool send_all(struct cells *c, struct login *l, LIBSSH2_CHANNEL *channel)
{
    for (size_t done = 0; done < c->some_len;) {
        ssize_t n = libssh2_channel_write(channel, c->some + done, c->some_len - done);
        if (n <= 0)
            return failed(c, l, "write");
        done += (size_t)n;
    }
    return libssh2_channel_send_eof(channel) == 0 || failed(c, l, "EOF");
}

static bool receive_all(struct cells *c, struct login *l, LIBSSH2_CHANNEL *channel)
{
    c->got_len = 0;
    while (c->got_len < CELLS_FILE_MAX) {
        ssize_t n = libssh2_channel_read(channel, c->got + c->got_len, CELLS_FILE_MAX - c->got_len);
        if (n < 0)
            return failed(c, l, "read");
        if (n == 0)
            break;
        c->got_len += (size_t)n;
    }
    return cells_same(c);
}

static bool through_cat(struct cells *c, struct login *l, const struct want *w)
{
    if (!prefer(c, l, w))
        return false;
    if (libssh2_session_handshake(l->session, l->socket) != 0)
        return failed(c, l, "handshake");
    if (w->name != NULL && strcmp(libssh2_session_methods(l->session, w->first), w->name) != 0)
        return cells_why(c, "agreed on", libssh2_session_methods(l->session, w->first));
    if (!authenticate(c, l, w->key))
        return false;
    LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(l->session);
    if (channel == NULL)
        return failed(c, l, "channel");
    bool ok = (libssh2_channel_exec(channel, "cat") == 0 || failed(c, l, "exec")) && send_all(c, l, channel) &&
              receive_all(c, l, channel);
    libssh2_channel_free(channel);
    return ok;
}

static bool cell(struct cells *c, const struct want *w)
{
    struct login l = {.socket = cells_connect(c)};
    bool ok;

    if (l.socket < 0)
        return cells_why(c, "connect", "no connection");
    l.session = libssh2_session_init();
    if (l.session == NULL) {
        close(l.socket);
        return cells_why(c, "session", "out of memory");
    }
    libssh2_session_set_timeout(l.session, CELLS_TIMEOUT * 1000);
    libssh2_session_flag(l.session, LIBSSH2_FLAG_COMPRESS, 1);
    ok = through_cat(c, &l, w);
    if (ok)
        libssh2_session_disconnect(l.session, "done");
    libssh2_session_free(l.session);
    close(l.socket);
    return ok;
}

/* Whether this libssh2 was built with it. */
static bool has(int method, const char *name)
{
    LIBSSH2_SESSION *session = libssh2_session_init();
    const char **names = NULL;
    bool found = false;

    libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, 1);
    int n = libssh2_session_supported_algs(session, method, &names);
    for (int i = 0; i < n; i++)
        found = found || strcmp(names[i], name) == 0;
    if (n > 0)
        libssh2_free(session, names);
    libssh2_session_free(session);
    return found;
}

static void row(struct cells *c, const char *kind, const char *list, struct want like)
{
    char name[CELLS_NAME_MAX];

    while (cells_next(&list, name)) {
        if (!has(like.first, name))
            continue;
        like.name = name;
        cells_report(c, kind, name, cell(c, &like));
    }
}

/* The key's file and the name under which it signs; libssh2 before 1.11 has no other for RSA than ssh-rsa. */
static void user_keys(struct cells *c)
{
    static const char *const keys[][2] = {{"ed25519", "ssh-ed25519"},
                                          {"ecdsa256", "ecdsa-sha2-nistp256"},
                                          {"ecdsa384", "ecdsa-sha2-nistp384"},
                                          {"ecdsa521", "ecdsa-sha2-nistp521"},
                                          {"rsa", LIBSSH2_VERSION_NUM < 0x010b00 ? "ssh-rsa" : "rsa-sha2-512"}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct want w = {.key = keys[i][0]};
        cells_report(c, "user-key", keys[i][1], cell(c, &w));
    }
}

int main(int argc, char **argv)
{
    struct cells c;

    if (!cells_open(&c, "libssh2", argc, argv) || libssh2_init(0) != 0)
        return 2;
    row(&c, "kex", c.kex, (struct want){LIBSSH2_METHOD_KEX, LIBSSH2_METHOD_KEX, NULL, NULL, "ed25519"});
    row(&c, "cipher", c.ciphers,
        (struct want){LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC, NULL, NULL, "ed25519"});
    row(&c, "mac", c.macs, (struct want){LIBSSH2_METHOD_MAC_CS, LIBSSH2_METHOD_MAC_SC, NULL, "aes128-ctr", "ed25519"});
    row(&c, "mac+cbc", c.macs,
        (struct want){LIBSSH2_METHOD_MAC_CS, LIBSSH2_METHOD_MAC_SC, NULL, "aes128-cbc", "ed25519"});
    row(&c, "comp", c.comps, (struct want){LIBSSH2_METHOD_COMP_CS, LIBSSH2_METHOD_COMP_SC, NULL, NULL, "ed25519"});
    row(&c, "host-key", c.host_keys,
        (struct want){LIBSSH2_METHOD_HOSTKEY, LIBSSH2_METHOD_HOSTKEY, NULL, NULL, "ed25519"});
    user_keys(&c);
    libssh2_exit();
    return cells_close(&c);
}
