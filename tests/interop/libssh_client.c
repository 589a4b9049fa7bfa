/* SPDX-License-Identifier: Apache-2.0 */
/* libssh against a server: PORT USER PASSWORD FOLDER (with keys, a file "megabyte", a folder "remote").
 *
 * Prints a line "ok" or "FAILED" for each check; scripted.sh counts them. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/libssh.h>
#include <libssh/sftp.h>

enum {
    MEGABYTE = 1048576,
    CHUNK = 32768
};

static const char *user, *password, *folder;
static unsigned port;
static char *megabyte;
static int failed;

static void report(const char *what, bool good)
{
    printf("%s %s\n", good ? "ok     " : "FAILED ", what);
    fflush(stdout);
    failed += !good;
}

static ssh_session connected(const char *as)
{
    ssh_session s = ssh_new();
    long timeout = 200;
    bool no = false;
    ssh_options_set(s, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(s, SSH_OPTIONS_PORT, &port);
    ssh_options_set(s, SSH_OPTIONS_USER, as);
    ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &timeout);
    ssh_options_set(s, SSH_OPTIONS_SSH_DIR, folder);
    ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no);
    if (ssh_connect(s) == SSH_OK)
        return s;
    printf("connect: %s\n", ssh_get_error(s));
    ssh_free(s);
    return NULL;
}

static void ended(ssh_session s)
{
    if (s == NULL)
        return;
    ssh_disconnect(s);
    ssh_free(s);
}

static bool login_key(ssh_session s, const char *name)
{
    char path[4096];
    ssh_key key = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) != SSH_OK)
        return false;
    bool in = ssh_userauth_publickey(s, NULL, key) == SSH_AUTH_SUCCESS;
    ssh_key_free(key);
    return in;
}

static bool login_interactive(ssh_session s)
{
    int state = ssh_userauth_kbdint(s, NULL, NULL);
    while (state == SSH_AUTH_INFO) {
        for (int i = 0; i < ssh_userauth_kbdint_getnprompts(s); i++)
            ssh_userauth_kbdint_setanswer(s, (unsigned)i, password);
        state = ssh_userauth_kbdint(s, NULL, NULL);
    }
    return state == SSH_AUTH_SUCCESS;
}

/* kbdint_server's two questions, one of which is echoed. */
static bool answers_two(ssh_session s, const char *const replies[2])
{
    static const char *const prompts[2] = {"First colour: ", "Second colour: "};
    char echo;
    int state = ssh_userauth_kbdint(s, NULL, NULL);
    if (state != SSH_AUTH_INFO || ssh_userauth_kbdint_getnprompts(s) != 2 ||
        strcmp(ssh_userauth_kbdint_getinstruction(s), "Two colours, please.") != 0)
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (strcmp(ssh_userauth_kbdint_getprompt(s, i, &echo), prompts[i]) != 0 || echo != (i == 0) ||
            ssh_userauth_kbdint_setanswer(s, i, replies[i]) != 0)
            return false;
    state = ssh_userauth_kbdint(s, NULL, NULL);
    while (state == SSH_AUTH_INFO)
        state = ssh_userauth_kbdint(s, NULL, NULL);
    return state == SSH_AUTH_SUCCESS;
}

static ssh_session ready(void)
{
    ssh_session s = connected(user);
    if (s != NULL && !login_key(s, "ed25519")) {
        ended(s);
        return NULL;
    }
    return s;
}

static ssh_channel executing(ssh_session s, const char *command)
{
    ssh_channel c = s == NULL ? NULL : ssh_channel_new(s);
    if (c == NULL)
        return NULL;
    if (ssh_channel_open_session(c) == SSH_OK && ssh_channel_request_exec(c, command) == SSH_OK)
        return c;
    ssh_channel_free(c);
    return NULL;
}

/* All of a stream, up to `size` bytes; how many came. */
static size_t read_all(ssh_channel c, bool err, char *to, size_t size)
{
    size_t used = 0;
    while (used < size) {
        int n = ssh_channel_read_timeout(c, to + used, (uint32_t)(size - used), err, 200000);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    return used;
}

static int exit_status(ssh_channel channel)
{
#if LIBSSH_VERSION_INT >= SSH_VERSION_INT(0, 11, 0)
    uint32_t status = 0;

    return ssh_channel_get_exit_state(channel, &status, NULL, NULL) == SSH_OK ? (int)status : -1;
#else
    return ssh_channel_get_exit_status(channel);
#endif
}

static bool says_hello(ssh_session s)
{
    char got[64];
    ssh_channel c = executing(s, "echo hello; echo err >&2; exit 7");
    if (c == NULL)
        return false;
    size_t n = read_all(c, false, got, sizeof got);
    bool good = n == 6 && memcmp(got, "hello\n", 6) == 0;
    n = read_all(c, true, got, sizeof got);
    good = good && n == 4 && memcmp(got, "err\n", 4) == 0 && exit_status(c) == 7;
    ssh_channel_close(c);
    ssh_channel_free(c);
    return good;
}

static bool through_cat(ssh_session s)
{
    char *got = malloc(MEGABYTE + 1);
    ssh_channel c = executing(s, "cat");
    size_t sent = 0, back = 0;
    while (c != NULL && got != NULL && sent < MEGABYTE) {
        int n = ssh_channel_write(c, megabyte + sent, CHUNK);
        if (n <= 0)
            break;
        sent += (size_t)n;
        n = ssh_channel_read_nonblocking(c, got + back, (uint32_t)(MEGABYTE - back), 0);
        back += n > 0 ? (size_t)n : 0;
    }
    bool good = false;
    if (sent == MEGABYTE && ssh_channel_send_eof(c) == SSH_OK) {
        back += read_all(c, false, got + back, MEGABYTE + 1 - back);
        good = back == MEGABYTE && memcmp(got, megabyte, MEGABYTE) == 0;
    }
    if (c != NULL)
        ssh_channel_free(c);
    free(got);
    return good;
}

static bool put(sftp_session f, const char *path)
{
    sftp_file file = sftp_open(f, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool good = file != NULL;
    for (size_t at = 0; good && at < MEGABYTE; at += CHUNK)
        good = sftp_write(file, megabyte + at, CHUNK) == CHUNK;
    return file != NULL && sftp_close(file) == SSH_OK && good;
}

static bool get(sftp_session f, const char *path)
{
    char part[CHUNK];
    sftp_file file = sftp_open(f, path, O_RDONLY, 0);
    size_t at = 0;
    bool good = file != NULL;
    while (good) {
        ssize_t n = sftp_read(file, part, sizeof part);
        if (n <= 0)
            break;
        good = at + (size_t)n <= MEGABYTE && memcmp(part, megabyte + at, (size_t)n) == 0;
        at += (size_t)n;
    }
    return file != NULL && sftp_close(file) == SSH_OK && good && at == MEGABYTE;
}

static bool transfers(ssh_session s)
{
    char path[4096];
    sftp_session f = s == NULL ? NULL : sftp_new(s);
    snprintf(path, sizeof path, "%s/remote/from-libssh", folder);
    bool good = f != NULL && sftp_init(f) == SSH_OK && put(f, path) && get(f, path);
    if (f != NULL)
        sftp_free(f);
    return good;
}

static void check_logins(void)
{
    static const char *const keys[] = {"ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"};
    char what[64];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ssh_session s = connected(user);
        snprintf(what, sizeof what, "publickey %s", keys[i]);
        report(what, s != NULL && login_key(s, keys[i]) && says_hello(s));
        ended(s);
    }
    ssh_session s = connected(user);
    report("password", s != NULL && ssh_userauth_password(s, NULL, password) == SSH_AUTH_SUCCESS && says_hello(s));
    ended(s);
    s = connected(user);
    report("keyboard-interactive", s != NULL && login_interactive(s) && says_hello(s));
    ended(s);
}

static void check_refusals(void)
{
    ssh_session s = connected(user);
    report("wrong password is refused", s != NULL && ssh_userauth_password(s, NULL, "wrong") == SSH_AUTH_DENIED);
    report("unknown key is refused", s != NULL && !login_key(s, "stranger"));
    report("the right password after that", s != NULL && ssh_userauth_password(s, NULL, password) == SSH_AUTH_SUCCESS);
    ended(s);
    s = connected("mallory");
    report("unknown user is refused", s != NULL && ssh_userauth_password(s, NULL, password) == SSH_AUTH_DENIED);
    ended(s);
}

static void check_transfers(void)
{
    ssh_session s = ready();
    report("1 MiB through cat", through_cat(s));
    report("sftp put and get", transfers(s));
    report("another command on the same connection", says_hello(s));
    ended(s);
}

static bool load_megabyte(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/megabyte", folder);
    FILE *f = fopen(path, "rb");
    megabyte = malloc(MEGABYTE);
    bool whole = f != NULL && megabyte != NULL && fread(megabyte, 1, MEGABYTE, f) == MEGABYTE;
    if (f != NULL)
        fclose(f);
    return whole;
}

/* "kbdint" PORT FIRST SECOND: status 0 when both answers let in. */
static int log_in_with_two(char **argv)
{
    const char *const replies[2] = {argv[3], argv[4]};
    port = (unsigned)strtoul(argv[2], NULL, 10);
    ssh_session s = connected("alice");
    bool in = s != NULL && answers_two(s, replies);
    ended(s);
    return in ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    if (strcmp(argv[1], "kbdint") == 0)
        return log_in_with_two(argv);
    port = (unsigned)strtoul(argv[1], NULL, 10);
    user = argv[2];
    password = argv[3];
    folder = argv[4];
    if (!load_megabyte())
        return 2;
    check_logins();
    check_refusals();
    check_transfers();
    free(megabyte);
    return failed != 0;
}
