/* SPDX-License-Identifier: Apache-2.0 */
/* Message numbers, and the one table that says which of them the peer may send at which moment.
 *
 * A role's rules are what that role accepts. What it may send is what the other role's rules accept. */
#ifndef SSH_MESSAGES_H
#define SSH_MESSAGES_H

#include "base/span.h"

struct conn;

/* RFC 4250 section 4.1.2, RFC 8308, RFC 5656, RFC 4256; 192 and 193 are OpenSSH's ping. */
enum message {
    MSG_DISCONNECT = 1,
    MSG_IGNORE = 2,
    MSG_UNIMPLEMENTED = 3,
    MSG_DEBUG = 4,
    MSG_SERVICE_REQUEST = 5,
    MSG_SERVICE_ACCEPT = 6,
    MSG_EXT_INFO = 7,
    MSG_KEXINIT = 20,
    MSG_NEWKEYS = 21,
    MSG_KEX_FIRST = 30, /* 30 to 49 belong to the method that was agreed on */
    MSG_KEX_INIT = 30,
    MSG_KEX_REPLY = 31,
    MSG_KEX_GROUP = 31, /* RFC 4419 section 5 has its own numbers */
    MSG_KEX_GROUP_INIT = 32,
    MSG_KEX_GROUP_REPLY = 33,
    MSG_KEX_GROUP_REQUEST = 34,
    MSG_KEX_LAST = 49,
    MSG_USERAUTH_REQUEST = 50,
    MSG_USERAUTH_FAILURE = 51,
    MSG_USERAUTH_SUCCESS = 52,
    MSG_USERAUTH_BANNER = 53,
    MSG_USERAUTH_60 = 60, /* PK_OK, PASSWD_CHANGEREQ or INFO_REQUEST: the method under way decides */
    MSG_USERAUTH_INFO_RESPONSE = 61,
    MSG_USERAUTH_LAST = 79,
    MSG_GLOBAL_REQUEST = 80,
    MSG_REQUEST_SUCCESS = 81,
    MSG_REQUEST_FAILURE = 82,
    MSG_CHANNEL_OPEN = 90,
    MSG_CHANNEL_OPEN_CONFIRMATION = 91,
    MSG_CHANNEL_OPEN_FAILURE = 92,
    MSG_CHANNEL_WINDOW_ADJUST = 93,
    MSG_CHANNEL_DATA = 94,
    MSG_CHANNEL_EXTENDED_DATA = 95,
    MSG_CHANNEL_EOF = 96,
    MSG_CHANNEL_CLOSE = 97,
    MSG_CHANNEL_REQUEST = 98,
    MSG_CHANNEL_SUCCESS = 99,
    MSG_CHANNEL_FAILURE = 100,
    MSG_PING = 192,
    MSG_PONG = 193,
};

/* What the peer is allowed to say right now. */
enum moment {
    M_KEX1,        /* first key exchange, strict-kex not agreed (yet)    */
    M_KEX1_STRICT, /* first key exchange, strict-kex agreed              */
    M_SERVICE,     /* keyed; no service yet                              */
    M_AUTH,        /* authenticating                                     */
    M_OPEN,        /* authenticated                                      */
    M_REKEY,       /* between the peer's later KEXINIT and its NEWKEYS   */
    MOMENTS
};

enum step {
    STEP_NEXT,  /* handled; look at the next packet                         */
    STEP_WAIT,  /* a question or work is out; what it holds waits           */
    STEP_CLOSE, /* the connection is closing; why has been recorded         */
};

struct msg_rule {
    const char *name;                                      /* NULL: a message we do not know */
    uint8_t moments;                                       /* bit per enum moment */
    enum step (*handle)(struct conn *c, struct span body); /* body: the payload behind the message number */
};

extern const struct msg_rule nacre_server_rules[256];
extern const struct msg_rule nacre_client_rules[256];

static inline bool msg_is_legal(const struct msg_rule *rule, enum moment moment)
{
    return (rule->moments >> moment & 1) != 0;
}

#endif
