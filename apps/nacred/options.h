/* SPDX-License-Identifier: Apache-2.0 */
/* nacred's command line. Reading it prints nothing and opens only the files that it names. */
#ifndef NACRED_OPTIONS_H
#define NACRED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "log.h"
#include "users.h"

enum {
    OPTIONS_ERROR_MAX = 512
};

/* Strings given once for each use of an option; pointers into argv unless said otherwise. */
struct strings {
    char **list;
    size_t count;
};

struct options {
    char host[256]; /* without the brackets of an IPv6 address */
    int port;
    struct strings host_keys;
    struct strings host_certificates; /* files, one OpenSSH certificate each */
    struct users users;
    struct strings key_files;     /* [NAME:]FILE */
    struct strings user_cas;      /* files of authorities for users' certificates */
    struct strings trusted_hosts; /* files of hosts that speak for their users */
    const char *demo_user;        /* NULL: none */
    bool keyboard_interactive;
    bool exec;
    bool shell;
    bool tunnels;
    bool agent_forwarding;
    bool bench;
    const char *sftp_server; /* NULL: none; with sftp_root NULL too there is no sftp subsystem */
    const char *sftp_root;   /* NULL: nacred itself serves no files */
    int max_sessions;        /* of a connection */
    int max_processes;       /* of all; 0: no limit */
    struct strings accept_env;
    struct strings settings; /* copies: they may hold passwords, which are wiped from argv */
    enum log_format log;
    enum log_level log_level;
    int threads;
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_WRONG, /* `error` says why */
};

/* Fills *options, which must be freed in every case. Passwords are overwritten in argv, where other processes could
 * read them. */
enum options_result nacred_options_read(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_MAX]);
void nacred_options_free(struct options *options);

/* What --help prints. */
extern const char nacred_help[];

#endif
