/* SPDX-License-Identifier: Apache-2.0 */
/* What nacred keeps about a connection, from on_connected to on_disconnected.
 *
 * Events of one connection never overlap, so its handlers use the peer without a lock. Other threads read `address` and
 * `user` for the log only: both are set before anything that other threads run belongs to the peer, and stay. */
#ifndef NACRED_PEERS_H
#define NACRED_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idmap.h"
#include "nacre/nacre.h"

struct agent;
struct key_options;
struct seats;
struct session;

/* What a client may ask for again and again: its log has the first refusal, and how many followed. */
enum refusal {
    REFUSED_SESSION,
    REFUSED_PROCESS,
    REFUSED_TUNNEL,
    REFUSALS,
};

struct peer {
    struct idmap_node node; /* by connection id */
    nacre_connection_id connection_id;
    char address[64]; /* "127.0.0.1:50000", "[::1]:50000" */
    char remote_host[48];
    int remote_port;
    char local_host[48];
    char *user;           /* once logged in */
    char *forced_command; /* by the certificate or key that let the client in; NULL: none */
    bool may_pty, may_tunnel, may_agent;
    const struct key_options *key_options; /* of the line that let the client in; NULL: none */
    char *prompted_user;      /* answered the keyboard-interactive prompt rightly, and is yet to be let in */
    struct session *sessions; /* linked by next_of_peer */
    struct seats *seats;      /* how many there are, with those whose programs still run; NULL: none yet */
    uint64_t refused[REFUSALS];
    struct agent *agent; /* NULL: the client forwards none */
};

/* NULL when out of memory. */
struct peer *nacred_peer_new(nacre_server *server, nacre_connection_id connection_id);
void nacred_peer_free(struct peer *peer);

/* What is wrong with that tunnel for who has logged in; NULL: nothing. */
const char *nacred_peer_tunnel_wrong(const struct peer *peer, const struct nacre_ssh_tunnel_requested *event);

/* Counts a refusal. True: it is the first of its kind, to be logged now. */
bool nacred_peer_refused(struct peer *peer, enum refusal what);

/* At the end: logs how many were not. */
void nacred_peer_log_refused(const struct peer *peer);

/* Keeps a copy of the name of who logged in. False when out of memory. */
bool nacred_peer_set_user(struct peer *peer, const char *user);

/* What the login permits: all, or, with a certificate, what stands in it, or what the options of its key leave (NULL:
 * it is by no such key). False when out of memory. */
bool nacred_peer_set_limits(struct peer *peer, const struct nacre_ssh_user_auth_request *event,
                            const struct key_options *options);

#endif
