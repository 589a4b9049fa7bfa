/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the first inputs of every fuzzer and the dictionary into the folder named, which is new. */
#include "fuzz/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"
#include "ssh/messages.h"

static const char *root;

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return f;
}

void seed_write(const char *target, struct span bytes)
{
    static unsigned number;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, target);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof path, "%s/%s/%04u", root, target, number++);
    FILE *f = create(path);
    (void)fwrite(bytes.at, 1, bytes.len, f);
    (void)fclose(f);
}

/* ---- the dictionary --------------------------------------------------------------------------------------------- */

static void write_word(FILE *f, struct span word)
{
    (void)fputc('"', f);
    for (size_t i = 0; i < word.len; i++)
        (void)fprintf(f, "\\x%02x", word.at[i]);
    (void)fputs("\"\n", f);
}

/* As it stands, and as RFC 4251's string. */
static void write_name(FILE *f, struct span name)
{
    uint8_t string[128] = {0};
    if (name.len > sizeof string - 4)
        return;
    string[3] = (uint8_t)name.len;
    memcpy(string + 4, name.at, name.len);
    write_word(f, name);
    write_word(f, span_of(string, 4 + name.len));
}

/* A message number followed by the two bytes of a body's length, as fuzzers take it. */
static void write_messages(FILE *f)
{
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t number[3] = {(uint8_t)i, 0, 16};
        if (nacre_server_rules[i].name == NULL && nacre_client_rules[i].name == NULL)
            continue;
        (void)fprintf(f, "# %s\n",
                      nacre_server_rules[i].name != NULL ? nacre_server_rules[i].name : nacre_client_rules[i].name);
        write_word(f, span_of(number, sizeof number));
    }
}

static void write_algorithms(FILE *f)
{
    for (int kind = ALG_KEX; kind < ALG_KINDS; kind++) {
        const char *names = nacre_algs_usable(fuzz_crypto(), (enum alg_kind)kind);
        for (const char *at = names; at != NULL && *at != '\0';) {
            size_t len = strcspn(at, ",");
            write_name(f, span_of((const uint8_t *)at, len));
            at += len + (at[len] == ',' ? 1 : 0);
        }
    }
}

static void write_dictionary(void)
{
    static const char *const names[] = {"ssh-userauth",
                                        "ssh-connection",
                                        "none",
                                        "password",
                                        "publickey",
                                        "keyboard-interactive",
                                        "hostbased",
                                        "publickey-hostbound-v00@openssh.com",
                                        "server-sig-algs",
                                        "ext-info-c",
                                        "ext-info-s",
                                        "ext-info-in-auth@openssh.com",
                                        "ping@openssh.com",
                                        "kex-strict-c-v00@openssh.com",
                                        "kex-strict-s-v00@openssh.com",
                                        "session",
                                        "direct-tcpip",
                                        "forwarded-tcpip",
                                        "x11",
                                        "tcpip-forward",
                                        "cancel-tcpip-forward",
                                        "direct-streamlocal@openssh.com",
                                        "pty-req",
                                        "shell",
                                        "exec",
                                        "subsystem",
                                        "env",
                                        "signal",
                                        "exit-status",
                                        "exit-signal",
                                        "window-change",
                                        "xon-xoff",
                                        "break",
                                        "eow@openssh.com",
                                        "keepalive@openssh.com",
                                        "hostkeys-00@openssh.com",
                                        "hostkeys-prove-00@openssh.com",
                                        "no-more-sessions@openssh.com",
                                        "auth-agent-req@openssh.com",
                                        "SSH-2.0-",
                                        "SSH-1.99-",
                                        "SSH-1.5-",
                                        "force-command",
                                        "source-address",
                                        "verify-required",
                                        "permit-pty"};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/messages.dict", root);
    FILE *f = create(path);
    write_messages(f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_name(f, span_str(names[i]));
    write_algorithms(f);
    (void)fclose(f);
}

int main(int count, char **arguments)
{
    if (count != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
        return EXIT_FAILURE;
    }
    root = arguments[1];
    (void)mkdir(root, 0755);
    seeds_ssh();
    seeds_session();
    seeds_keys();
    write_dictionary();
    return EXIT_SUCCESS;
}
