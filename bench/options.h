/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of nacre-bench. An option that is unknown, or that the chosen mode does not use, is refused by name.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/sock_sys.h"

enum bench_mode {
    MODE_HANDSHAKE,
    MODE_ECHO,
    MODE_BULK,
    MODE_IDLE,
    MODE_STORM,
    MODE_LIMIT,
    MODE_ATTACK,
    MODES
};

enum bench_direction {
    DIRECTION_IN,
    DIRECTION_OUT,
    DIRECTION_BOTH
}; /* as the server sees it */

enum bench_attack_kind {
    ATTACK_SILENT,
    ATTACK_VERSION,
    ATTACK_KEXINIT,
    ATTACK_AUTH,
    ATTACK_GUESS,
    ATTACK_KILL,
    ATTACK_REKEY,
    ATTACK_PING,
    ATTACK_GLOBAL,
    ATTACK_IGNORE,
    ATTACK_DEBUG,
    ATTACK_BOMB,
    ATTACK_WINDOW,
    ATTACK_CHANNELS,
    ATTACK_TUNNELS,
    ATTACK_DEAF,
    ATTACK_UNREAD,
    BENCH_ATTACKS
};

enum {
    LIMIT_SIZE_MAX = 65536 /* of limit's messages */
};

struct options {
    enum bench_mode mode;
    const char *target; /* as given */
    struct sockaddr_storage address;
    sock_len address_len;
    const char *user;
    const char *password; /* NULL: log in with the key */
    const char *key_file; /* NULL: log in with the password */
    const char *key_password;
    unsigned connections;
    uint64_t total;   /* handshakes, or bytes over all connections; 0: `seconds` decides */
    unsigned seconds; /* 0: `total` decides */
    unsigned processes;
    const char *kex, *cipher, *mac, *host_key, *comp; /* NULL: everything the library has */
    size_t size;
    enum bench_direction direction;
    const char *command; /* as given, or the mode's own */
    bool exec_late;      /* idle: the command starts only when the connections are checked */
    bool verify;
    unsigned source_addresses;
    int32_t server_pid; /* 0: not measured */
    uint64_t rekey_bytes;
    const char *kind; /* attack: as given */
    enum bench_attack_kind attack;
    unsigned rate;    /* round trips or acts a second over all connections, acts at most; 0: no limit */
    unsigned storm;   /* storm: connections that log in at once, in a process of their own */
    unsigned logins;  /* logins under way at once in each process, where logins are not what is measured */
    unsigned timeout; /* seconds without progress after which a connection has failed */
    const char *json_file;
    bool progress;
};

/* Name and meaning of each. */
extern const char *const bench_attack_texts[BENCH_ATTACKS][2];

enum options_result {
    OPTIONS_RUN,
    OPTIONS_DONE,
    OPTIONS_WRONG
};

/* Fills `o` from the command line. DONE: help or version was printed. WRONG: the reason was printed to standard error.
 */
enum options_result bench_options_read(struct options *o, int argc, char **argv);

const char *bench_mode_name(enum bench_mode mode);
const char *bench_direction_name(enum bench_direction direction);

#endif
