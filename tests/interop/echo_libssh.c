/* SPDX-License-Identifier: Apache-2.0 */
/* libssh as a client: PORT USER PASSWORD COMMAND BYTES [FILE]. Ends with 0 when so many bytes came back from the
 * command, and when they came back from the file that it has written by SFTP. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/libssh.h>
#include <libssh/sftp.h>

enum {
    PART = 32000,
    AHEAD = 1 << 20, /* bytes on their way */
};

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 2654435761U >> 13);
}

static void fill(unsigned char *part, size_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        part[i] = byte_at(at + i);
}

static bool is_filled(const unsigned char *part, size_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (part[i] != byte_at(at + i))
            return false;
    return true;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool all_comes_back(ssh_channel channel, size_t bytes)
{
    static unsigned char part[PART];
    size_t sent = 0, got = 0;
    while (got < bytes) {
        size_t len = smaller(bytes - sent, PART);
        if (len > 0 && sent - got < AHEAD) {
            fill(part, sent, len);
            int n = ssh_channel_write(channel, part, (uint32_t)len);
            if (n < 0)
                return false;
            sent += (size_t)n;
        }
        bool must_wait = sent == bytes || sent - got >= AHEAD;
        int n = ssh_channel_read_timeout(channel, part, PART, 0, must_wait ? 60000 : 0);
        if (n < 0 || (n == 0 && must_wait) || !is_filled(part, got, (size_t)n))
            return false;
        got += (size_t)n;
    }
    return true;
}

static bool put(sftp_session f, const char *path, size_t bytes)
{
    static unsigned char part[PART];
    sftp_file file = sftp_open(f, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool good = file != NULL;
    for (size_t at = 0; good && at < bytes; at += PART) {
        size_t len = smaller(bytes - at, PART);
        fill(part, at, len);
        good = sftp_write(file, part, len) == (ssize_t)len;
    }
    return file != NULL && sftp_close(file) == SSH_OK && good;
}

static bool get(sftp_session f, const char *path, size_t bytes)
{
    static unsigned char part[PART];
    sftp_file file = sftp_open(f, path, O_RDONLY, 0);
    size_t at = 0;
    while (file != NULL) {
        ssize_t n = sftp_read(file, part, PART);
        if (n <= 0 || !is_filled(part, at, (size_t)n))
            break;
        at += (size_t)n;
    }
    return file != NULL && sftp_close(file) == SSH_OK && at == bytes;
}

static bool transfers(ssh_session s, const char *path, size_t bytes)
{
    sftp_session f = sftp_new(s);
    bool good =
        f != NULL && sftp_init(f) == SSH_OK && put(f, path, bytes) && get(f, path, bytes) && sftp_unlink(f, path) == 0;
    if (f != NULL)
        sftp_free(f);
    return good;
}

static ssh_session log_in(const char *port_text, const char *user, const char *password)
{
    unsigned port = (unsigned)strtoul(port_text, NULL, 10);
    long timeout = 60;
    bool no = false;
    ssh_session s = ssh_new();
    if (s == NULL || ssh_options_set(s, SSH_OPTIONS_HOST, "127.0.0.1") != 0 ||
        ssh_options_set(s, SSH_OPTIONS_PORT, &port) != 0 || ssh_options_set(s, SSH_OPTIONS_USER, user) != 0 ||
        ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &timeout) != 0 ||
        ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no) != 0 || ssh_connect(s) != SSH_OK ||
        ssh_userauth_password(s, NULL, password) != SSH_AUTH_SUCCESS)
        return NULL;
    return s;
}

int main(int argc, char **argv)
{
    ssh_session s = argc >= 6 ? log_in(argv[1], argv[2], argv[3]) : NULL;
    if (s == NULL)
        return 1;
    size_t bytes = strtoul(argv[5], NULL, 10);
    ssh_channel channel = ssh_channel_new(s);
    if (channel == NULL || ssh_channel_open_session(channel) != SSH_OK ||
        ssh_channel_request_exec(channel, argv[4]) != SSH_OK)
        return 2;
    if (!all_comes_back(channel, bytes))
        return 3;
    ssh_channel_free(channel);
    if (argc > 6 && !transfers(s, argv[6], bytes))
        return 4;
    ssh_disconnect(s);
    ssh_free(s);
    return 0;
}
