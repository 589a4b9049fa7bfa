/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels (RFC 4254 section 7; OpenSSH's PROTOCOL sections 2.4 for unix sockets): relays between a channel and a
 * socket that run wholly inside the worker, and the listeners of reverse tunnels. Shard thread only.
 *
 * Back pressure both ways: the channel's window is given back when the socket has taken the bytes; the socket is read
 * only while little waits for the channel. Bytes are neither copied nor shown to the application on their way, but for
 * small ones that are gathered. */
#ifndef ENGINE_TUNNEL_H
#define ENGINE_TUNNEL_H

#include "engine/connection.h"
#include "engine/sock.h"

enum tunnel_direction {
    TUNNEL_FORWARD = 0,
    TUNNEL_REVERSE = 1
};

enum tunnel_stage {
    TUNNEL_RESOLVING,  /* the name is being looked up                           */
    TUNNEL_CONNECTING, /* the back end connects                                 */
    TUNNEL_OPENING,    /* reverse: the client has not confirmed the channel yet */
    TUNNEL_OPEN,
    TUNNEL_DRAINING, /* the channel is gone; what it brought still goes out   */
    TUNNEL_DETACHED, /* waiting for IO_GONE                                   */
};

/* Bytes from the channel on their way to the socket. */
struct piece {
    struct piece *next;
    struct block *block; /* one reference */
    const uint8_t *at;
    size_t len;
    size_t room; /* left behind the bytes in a block of our own */
};

struct tunnel {
    struct slot slot;
    struct shard *shard;
    struct connection *connection; /* NULL: it has let go */
    int64_t drains_for;            /* the connection that counts it among its drains */
    struct list sibling;           /* of the connection's tunnels */
    enum tunnel_stage stage;
    enum tunnel_direction direction;
    uint32_t number;  /* the conn's channel */
    uint64_t serial;  /* forward: the channel open request that waits for the connection */
    io_socket socket; /* while it is not attached */
    uint32_t io_slot;
    bool attached, receiving, sending, shut, failed;
    bool socket_eof, channel_eof;
    struct piece *first, **last;
    size_t queued;
    struct command *lookup;           /* will say how it ended; while resolving */
    struct sock_addresses *addresses; /* while connecting */
    unsigned next_address;
    struct timer timer; /* gives up connecting and draining */
    int port;
    char *address;
};

/* A listener that a client has asked for. */
struct forward {
    struct slot slot;
    struct shard *shard;
    struct connection *connection;
    struct list sibling; /* of the connection's forwards */
    bool is_unix, detached;
    io_socket socket;
    uint32_t io_slot;
    int port;      /* as the client knows it: asked for, or bound when that was 0 */
    char *address; /* as the client named it; a path */
};

/* True when a channel that a client opens with this type asks for a tunnel. */
bool nacre_tunnel_is_kind(struct span kind);

/* A channel open request or global request for a tunnel goes to on_ssh_tunnel_requested. As conn_sink.ask. */
bool nacre_tunnel_ask(struct connection *c, const struct conn_event *v, struct conn_answer *answer);

/* The application has decided. `e` is the question's event; NULL: it is still out, and this is a refusal. */
void nacre_tunnel_decided(struct connection *c, const struct question *q, const struct event *e, bool accept, int port);

/* The name has been looked up. */
void nacre_tunnel_resolved(struct tunnel *t, enum nacre_error error, const struct sock_addresses *addresses);

/* Cancels the forward that the client names so; false: there is none. */
bool nacre_forward_cancel(struct connection *c, bool is_unix, const char *address, int port);

/* Closes the listening socket and removes its path: one that stayed would be refused ever after as one that exists. */
void nacre_forward_close(const struct forward *f);

/* Takes a connection of a forward's listener. */
void nacre_forward_accepted(struct forward *f, io_socket socket);
void nacre_forward_gone(struct forward *f);

/* Starts the relay of a channel that the client has confirmed, or ends it when it was refused. */
void nacre_tunnel_opened(struct tunnel *t, bool opened);

/* From the conn's side. */
void nacre_tunnel_data(struct tunnel *t, const struct conn_event *v);
void nacre_tunnel_room(struct tunnel *t);
void nacre_tunnel_channel_eof(struct tunnel *t);
void nacre_tunnel_channel_closed(struct tunnel *t);

/* From the socket's side. */
void nacre_tunnel_connected(struct tunnel *t, enum nacre_error error);
void nacre_tunnel_received(struct tunnel *t, struct block *block, size_t len);
void nacre_tunnel_sent(struct tunnel *t, size_t len);
void nacre_tunnel_failed(struct tunnel *t, enum nacre_error error);
void nacre_tunnel_gone(struct tunnel *t);

/* The server stops: what a closed channel has left has a second. */
void nacre_tunnel_hurry(struct tunnel *t);

/* Nothing refers to it any more: the slot goes back now, or with IO_GONE when it has a socket. */
void nacre_tunnel_let_go(struct tunnel *t);

/* Whether there may be another socket for tunnels: not when that would take what newcomers have been promised. */
bool nacre_tunnel_may_open(const struct shard *s);

/* A new tunnel of the connection; takes the socket (or IO_NO_SOCKET). NULL: out of memory, and the socket is the
 * caller's. */
struct tunnel *nacre_tunnel_new(struct connection *c, enum tunnel_direction direction, io_socket socket,
                                const char *address, int port);

/* The tunnel of a channel number, or NULL. */
struct tunnel *nacre_tunnel_of(struct connection *c, uint32_t number);

/* The connection has ended: reports and lets go of all its tunnels and forwards. */
void nacre_tunnel_end_all(struct connection *c);

/* Owner values of sockets that are not connections'. */
uint64_t nacre_tunnel_owner(const struct slot *slot);
struct tunnel *nacre_tunnel_by_owner(struct shard *s, uint64_t owner);
struct forward *nacre_forward_by_owner(struct shard *s, uint64_t owner);

/* on_error with what could not be forwarded and why. */
void nacre_tunnel_error(struct connection *c, enum nacre_error error, const char *address, int port, const char *why);

#endif
