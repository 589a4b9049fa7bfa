/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of authentication: enough to log into any server by none, password, publickey, hostbased and
 * keyboard-interactive. One request is out at a time. Shared by auth_client.c and auth_client_sign.c. */
#ifndef SSH_AUTH_CLIENT_H
#define SSH_AUTH_CLIENT_H

#include "ssh/conn_priv.h"

enum {
    SERVER_SIG_ALGS_MAX = 4096
};

enum client_method {
    CLIENT_IDLE,
    CLIENT_NONE,
    CLIENT_PASSWORD,
    CLIENT_PUBKEY,
    CLIENT_QUERY,
    CLIENT_KBDINT,
    CLIENT_HOSTBASED
};

struct client {
    enum client_method method; /* of the request that is out */
    bool asked;                /* a request went out */
    bool prompted;             /* INFO_REQUEST waits for responses */
    bool hostbound;            /* the server takes requests that are bound to its host key */
    struct buf user;
    struct buf server_sig_algs;
};

/* Made on first use; NULL: out of memory. */
struct client *nacre_client_get(struct conn *c);

/* True when a request may go out now; notes whose it is. */
bool nacre_client_begin(struct conn *c, enum client_method method, struct span user);

/* The front of an unsigned request, up to the method's name; `room` bytes follow. */
void nacre_client_open_request(struct conn *c, struct packet *p, size_t room);

#endif
