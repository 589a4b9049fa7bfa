/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: message by moment (rule R1). A message that is known but has no 1 in the present column ends the
 * connection; one that has no row is answered with UNIMPLEMENTED. The order inside a key exchange is kex.c's, the order
 * inside an authentication method is that method's. */
#include "ssh/messages.h"

#include "ssh/conn_priv.h"

#define MOMENTS_OF(lax, strict, service, auth, open, rekey)                                                            \
    ((lax) << M_KEX1 | (strict) << M_KEX1_STRICT | (service) << M_SERVICE | (auth) << M_AUTH | (open) << M_OPEN |      \
     (rekey) << M_REKEY)
#define MSG(number, text, lax, strict, service, auth, open, rekey, handler)                                            \
    [number] = {text, MOMENTS_OF(lax, strict, service, auth, open, rekey), nacre_on_##handler}

/* What both roles accept: the transport's small fry and the connection protocol, RFC 4254.
 * PING is let through where it is not answered (rule R14). A KEXINIT before authentication is only the first one (rule
 * R2). */
/* clang-format off */
#define RULES_OF_BOTH                                                                                                      \
    /*   num  message                   first kex      not rekeying       rekey                                          \
     *                                  lax  strict    service auth open         handler */                              \
    MSG(   1, "DISCONNECT",              1,  1,        1,   1,   1,       1,     disconnect),                            \
    MSG(   2, "IGNORE",                  1,  0,        1,   1,   1,       1,     ignore),                                \
    MSG(   3, "UNIMPLEMENTED",           1,  0,        1,   1,   1,       1,     unimplemented),                         \
    MSG(   4, "DEBUG",                   1,  0,        1,   1,   1,       1,     debug),                                 \
    MSG(  20, "KEXINIT",                 1,  0,        0,   0,   1,       0,     kexinit),                               \
    MSG(  21, "NEWKEYS",                 1,  1,        0,   0,   0,       1,     newkeys),                               \
    MSG(  80, "GLOBAL_REQUEST",          0,  0,        0,   0,   1,       0,     global_request),                        \
    MSG(  81, "REQUEST_SUCCESS",         0,  0,        0,   0,   1,       0,     request_success),                       \
    MSG(  82, "REQUEST_FAILURE",         0,  0,        0,   0,   1,       0,     request_failure),                       \
    MSG(  90, "CHANNEL_OPEN",            0,  0,        0,   0,   1,       0,     channel_open),                          \
    MSG(  91, "CHANNEL_OPEN_CONFIRMATION",0, 0,        0,   0,   1,       0,     channel_open_confirmation),             \
    MSG(  92, "CHANNEL_OPEN_FAILURE",    0,  0,        0,   0,   1,       0,     channel_open_failure),                  \
    MSG(  93, "CHANNEL_WINDOW_ADJUST",   0,  0,        0,   0,   1,       0,     channel_window_adjust),                 \
    MSG(  94, "CHANNEL_DATA",            0,  0,        0,   0,   1,       0,     channel_data),                          \
    MSG(  95, "CHANNEL_EXTENDED_DATA",   0,  0,        0,   0,   1,       0,     channel_extended_data),                 \
    MSG(  96, "CHANNEL_EOF",             0,  0,        0,   0,   1,       0,     channel_eof),                           \
    MSG(  97, "CHANNEL_CLOSE",           0,  0,        0,   0,   1,       0,     channel_close),                         \
    MSG(  98, "CHANNEL_REQUEST",         0,  0,        0,   0,   1,       0,     channel_request),                       \
    MSG(  99, "CHANNEL_SUCCESS",         0,  0,        0,   0,   1,       0,     channel_success),                       \
    MSG( 100, "CHANNEL_FAILURE",         0,  0,        0,   0,   1,       0,     channel_failure),                       \
    MSG( 192, "PING",                    1,  0,        1,   1,   1,       1,     ping),                                  \
    MSG( 193, "PONG",                    0,  0,        0,   0,   1,       0,     pong)

const struct msg_rule nacre_server_rules[256] = {
    RULES_OF_BOTH,
    /*   num  message                   lax  strict    service auth open  rekey  handler */
    MSG(   5, "SERVICE_REQUEST",         0,  0,        1,   1,   0,       0,     service_request),
    MSG(   7, "EXT_INFO",                0,  0,        1,   0,   0,       0,     ext_info),
    MSG(  30, "KEX_INIT",                1,  1,        0,   0,   0,       1,     kex_init),
    MSG(  32, "KEX_GROUP_INIT",          1,  1,        0,   0,   0,       1,     kex_group_init),
    MSG(  34, "KEX_GROUP_REQUEST",       1,  1,        0,   0,   0,       1,     kex_group_request),
    MSG(  50, "USERAUTH_REQUEST",        0,  0,        0,   1,   1,       0,     userauth_request), /* late: ignored */
    MSG(  61, "USERAUTH_INFO_RESPONSE",  0,  0,        0,   1,   0,       0,     userauth_info_response),
};

const struct msg_rule nacre_client_rules[256] = {
    RULES_OF_BOTH,
    /*   num  message                   lax  strict    service auth open  rekey  handler */
    MSG(   6, "SERVICE_ACCEPT",          0,  0,        1,   0,   0,       0,     service_accept),
    MSG(   7, "EXT_INFO",                0,  0,        1,   1,   0,       0,     ext_info),
    MSG(  31, "KEX_REPLY",               1,  1,        0,   0,   0,       1,     kex_reply),
    MSG(  33, "KEX_GROUP_REPLY",         1,  1,        0,   0,   0,       1,     kex_group_reply),
    MSG(  51, "USERAUTH_FAILURE",        0,  0,        0,   1,   0,       0,     userauth_failure),
    MSG(  52, "USERAUTH_SUCCESS",        0,  0,        0,   1,   0,       0,     userauth_success),
    MSG(  53, "USERAUTH_BANNER",         0,  0,        0,   1,   0,       0,     userauth_banner),
    MSG(  60, "USERAUTH_60",             0,  0,        0,   1,   0,       0,     userauth_60),
};
/* clang-format on */
