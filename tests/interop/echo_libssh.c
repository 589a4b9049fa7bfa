/* SPDX-License-Identifier: Apache-2.0 */
/* libssh as a client of echo_server: PORT. Ends with 0 when what it sent came back. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/libssh.h>

enum {
    BYTES = 200 * 1000
};

static int all_comes_back(ssh_channel channel)
{
    static char out[BYTES], in[BYTES];
    size_t sent = 0, got = 0;
    for (size_t i = 0; i < BYTES; i++)
        out[i] = (char)(i * 2654435761U >> 13);
    while (got < BYTES) {
        if (sent < BYTES) {
            int n = ssh_channel_write(channel, out + sent, BYTES - sent < 30000 ? (uint32_t)(BYTES - sent) : 30000);
            if (n < 0)
                return 0;
            sent += (size_t)n;
        }
        int n = ssh_channel_read_timeout(channel, in + got, (uint32_t)(sent - got), 0, 20000);
        if (n <= 0)
            return 0;
        got += (size_t)n;
    }
    return memcmp(in, out, BYTES) == 0;
}

int main(int argc, char **argv)
{
    unsigned port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    long timeout = 30;
    bool no = false;
    ssh_session s = ssh_new();
    if (s == NULL || ssh_options_set(s, SSH_OPTIONS_HOST, "127.0.0.1") != 0 ||
        ssh_options_set(s, SSH_OPTIONS_PORT, &port) != 0 || ssh_options_set(s, SSH_OPTIONS_USER, "guest") != 0 ||
        ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &timeout) != 0 ||
        ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no) != 0 || ssh_connect(s) != SSH_OK ||
        ssh_userauth_password(s, NULL, "guest") != SSH_AUTH_SUCCESS)
        return 1;
    ssh_channel channel = ssh_channel_new(s);
    if (channel == NULL || ssh_channel_open_session(channel) != SSH_OK || ssh_channel_request_shell(channel) != SSH_OK)
        return 2;
    int good = all_comes_back(channel);
    ssh_channel_free(channel);
    ssh_disconnect(s);
    ssh_free(s);
    return good ? 0 : 3;
}
