/* SPDX-License-Identifier: Apache-2.0 */
/* Every truncation of a good message ends the connection, and nobody hears of the message. */
#include <criterion/criterion.h>

#include "protocol/places.h"
#include "ssh/conn_priv.h"
#include "ssh/kex.h"

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                                \
    }

struct message_case {
    const char *name;
    enum conn_role role; /* who hears it */
    enum place place;
    struct span payload;
    void (*prepare)(struct pair *p); /* what has to be under way; NULL: nothing */
    const char *kex;
};

/* ---- what has to be under way ------------------------------------------------------------------------------------ */

static void open_channel(struct pair *p)
{
    cr_assert_eq(pair_open(p), 0);
}

/* The client's channel 0 waits for the server's answer. */
static void ask_for_channel(struct pair *p)
{
    uint32_t channel;

    p->server.leaves_open[CONN_CHANNEL_OPEN_REQUEST] = true;
    cr_assert_eq(nacre_chan_open(p->client.conn, span_str("session"), span_of(NULL, 0), &channel, p->now_ns), NACRE_OK);
    cr_assert_eq(channel, 0);
    pair_run(p);
}

/* So does the client's request in the channel. */
static void ask_in_channel(struct pair *p)
{
    open_channel(p);
    p->server.leaves_open[CONN_CHANNEL_REQUEST] = true;
    (void)nacre_chan_request(p->client.conn, 0, span_str("shell"), true, span_of(NULL, 0), p->now_ns);
    pair_run(p);
}

static void ask_password(struct pair *p)
{
    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("secret"));
    pair_run(p);
}

static void ask_key(struct pair *p)
{
    struct key *key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);

    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    (void)nacre_conn_auth_query(p->client.conn, span_str("anna"), key, NULL);
    pair_run(p);
    nacre_key_unref(key);
}

static void begin_prompts(struct pair *p)
{
    const struct conn_prompt prompt = {span_str("One: "), false};

    cr_assert(nacre_conn_set_prompts(p->server.conn, span_str("Hello."), &prompt, 1));
    (void)nacre_conn_auth_kbdint(p->client.conn, span_str("anna"));
}

/* The server has asked its prompt. */
static void be_prompted(struct pair *p)
{
    begin_prompts(p);
    pair_run(p);
}

/* The server has not yet. */
static void ask_for_prompts(struct pair *p)
{
    p->server.leaves_open[CONN_AUTH_REQUEST] = true;
    be_prompted(p);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

#define ANNA "\0\0\0\4anna\0\0\0\016ssh-connection"
#define BLOB "\0\0\0\063\0\0\0\013ssh-ed25519\0\0\0\040abcdefghijklmnopqrstuvwxyz012345"

static const struct message_case server_hears[] = {
    {"UNIMPLEMENTED", CONN_SERVER, LOGGED_IN, TEXT("\3\0\0\0\1"), NULL, NULL},
    {"SERVICE_REQUEST", CONN_SERVER, SERVICE, TEXT("\5\0\0\0\014ssh-userauth"), NULL, NULL},
    {"EXT_INFO", CONN_SERVER, SERVICE,
     TEXT("\7\0\0\0\1\0\0\0\016ext-info-in-aa\0\0\0\1"
          "0"),
     NULL, NULL},
    {"KEX_INIT", CONN_SERVER, STRICT_KEX, TEXT("\036\0\0\0\040abcdefghijklmnopqrstuvwxyz012345"), NULL,
     "curve25519-sha256"},
    {"KEX_GROUP_REQUEST", CONN_SERVER, STRICT_KEX, TEXT("\042\0\0\x08\0\0\0\x0c\0\0\0\x20\0"), NULL,
     "diffie-hellman-group-exchange-sha256"},
    {"none", CONN_SERVER, LOGIN, TEXT("\062" ANNA "\0\0\0\4none"), NULL, NULL},
    {"password", CONN_SERVER, LOGIN, TEXT("\062" ANNA "\0\0\0\010password\0\0\0\0\6secret"), NULL, NULL},
    {"new password", CONN_SERVER, LOGIN, TEXT("\062" ANNA "\0\0\0\010password\1\0\0\0\6secret\0\0\0\3new"), NULL, NULL},
    {"publickey", CONN_SERVER, LOGIN, TEXT("\062" ANNA "\0\0\0\011publickey\0\0\0\0\013ssh-ed25519" BLOB), NULL, NULL},
    {"signed", CONN_SERVER, LOGIN, TEXT("\062" ANNA "\0\0\0\011publickey\1\0\0\0\013ssh-ed25519" BLOB "\0\0\0\4sign"),
     NULL, NULL},
    {"keyboard-interactive", CONN_SERVER, LOGIN, TEXT("\062" ANNA "\0\0\0\024keyboard-interactive\0\0\0\0\0\0\0\2pw"),
     NULL, NULL},
    {"INFO_RESPONSE", CONN_SERVER, LOGIN, TEXT("\075\0\0\0\1\0\0\0\3one"), be_prompted, NULL},
    {"GLOBAL_REQUEST", CONN_SERVER, LOGGED_IN, TEXT("\120\0\0\0\7unknown\1"), NULL, NULL},
    {"CHANNEL_OPEN", CONN_SERVER, LOGGED_IN, TEXT("\132\0\0\0\7session\0\0\0\1\0\1\0\0\0\0\200\0"), NULL, NULL},
    {"WINDOW_ADJUST", CONN_SERVER, LOGGED_IN, TEXT("\135\0\0\0\0\0\0\0\1"), open_channel, NULL},
    {"DATA", CONN_SERVER, LOGGED_IN, TEXT("\136\0\0\0\0\0\0\0\4data"), open_channel, NULL},
    {"EXTENDED_DATA", CONN_SERVER, LOGGED_IN, TEXT("\137\0\0\0\0\0\0\0\1\0\0\0\4data"), open_channel, NULL},
    {"EOF", CONN_SERVER, LOGGED_IN, TEXT("\140\0\0\0\0"), open_channel, NULL},
    {"CLOSE", CONN_SERVER, LOGGED_IN, TEXT("\141\0\0\0\0"), open_channel, NULL},
    {"CHANNEL_REQUEST", CONN_SERVER, LOGGED_IN, TEXT("\142\0\0\0\0\0\0\0\5shell\1"), open_channel, NULL},
    {"PING", CONN_SERVER, LOGGED_IN, TEXT("\300\0\0\0\2hi"), NULL, NULL},
};

/* OPEN_FAILURE is without its language tag, which some peers leave out. */
static const struct message_case client_hears[] = {
    {"SERVICE_ACCEPT", CONN_CLIENT, SERVICE, TEXT("\6\0\0\0\014ssh-userauth"), NULL, NULL},
    {"EXT_INFO", CONN_CLIENT, LOGIN, TEXT("\7\0\0\0\1\0\0\0\017server-sig-algs\0\0\0\013ssh-ed25519"), ask_password,
     NULL},
    {"KEX_REPLY", CONN_CLIENT, STRICT_KEX,
     TEXT("\037" BLOB "\0\0\0\040abcdefghijklmnopqrstuvwxyz012345\0\0\0\027\0\0\0\013ssh-ed25519\0\0\0\4sign"), NULL,
     "curve25519-sha256"},
    {"KEX_GROUP", CONN_CLIENT, STRICT_KEX, TEXT("\037\0\0\0\4\177abc\0\0\0\1\2"), NULL,
     "diffie-hellman-group-exchange-sha256"},
    {"FAILURE", CONN_CLIENT, LOGIN, TEXT("\063\0\0\0\010password\0"), ask_password, NULL},
    {"BANNER", CONN_CLIENT, LOGIN, TEXT("\065\0\0\0\2hi\0\0\0\2en"), ask_password, NULL},
    {"PASSWD_CHANGEREQ", CONN_CLIENT, LOGIN, TEXT("\074\0\0\0\3new\0\0\0\2en"), ask_password, NULL},
    {"PK_OK", CONN_CLIENT, LOGIN, TEXT("\074\0\0\0\013ssh-ed25519" BLOB), ask_key, NULL},
    {"INFO_REQUEST", CONN_CLIENT, LOGIN, TEXT("\074\0\0\0\1n\0\0\0\1i\0\0\0\0\0\0\0\1\0\0\0\3One\1"), ask_for_prompts,
     NULL},
    {"OPEN_CONFIRMATION", CONN_CLIENT, LOGGED_IN, TEXT("\133\0\0\0\0\0\0\0\7\0\1\0\0\0\0\200\0"), ask_for_channel,
     NULL},
    {"OPEN_FAILURE", CONN_CLIENT, LOGGED_IN, TEXT("\134\0\0\0\0\0\0\0\1\0\0\0\2no"), ask_for_channel, NULL},
    {"CHANNEL_SUCCESS", CONN_CLIENT, LOGGED_IN, TEXT("\143\0\0\0\0"), ask_in_channel, NULL},
    {"CHANNEL_FAILURE", CONN_CLIENT, LOGGED_IN, TEXT("\144\0\0\0\0"), ask_in_channel, NULL},
    {"PONG", CONN_CLIENT, LOGGED_IN, TEXT("\301\0\0\0\2hi"), NULL, NULL},
};

/* The end that this brings to who hears it; NULL: none. */
static const struct conn_event *hear(const struct message_case *m, struct pair *p, size_t len)
{
    struct side *s = side_of(p, m->role);

    if (m->prepare != NULL)
        m->prepare(p);
    pair_carry(s, other_side(p, m->role)); /* what is on its way comes after */
    side_forget(s);
    say(p, m->role, m->place, span_of(m->payload.at, len));
    return side_event(s, CONN_DISCONNECTED, 0);
}

static void expect_refused_when_cut(const struct message_case *m)
{
    /* A group that cannot be read is one that is not acceptable. */
    enum nacre_error error = strcmp(m->name, "KEX_GROUP") == 0 ? NACRE_E_KEX : NACRE_E_PACKET;

    for (size_t len = 1; len <= m->payload.len; len++) {
        struct pair *p = pair_at(m->role, m->place, m->kex);
        const struct conn_event *end = hear(m, p, len);
        if (len < m->payload.len) {
            cr_assert_not_null(end, "%s, %zu bytes: goes on", m->name, len);
            cr_expect_eq(end->error, error, "%s, %zu bytes: %d", m->name, len, end->error);
            cr_expect_eq(side_of(p, m->role)->seen_count, 1, "%s, %zu bytes: an event", m->name, len);
        } else {
            cr_expect(end == NULL || end->error != NACRE_E_PACKET, "%s is not a good one", m->name);
        }
        pair_free(p);
    }
}

Test(cut, r16_a_server_takes_no_message_that_is_cut)
{
    for (size_t i = 0; i < sizeof server_hears / sizeof *server_hears; i++)
        expect_refused_when_cut(&server_hears[i]);
}

Test(cut, r16_a_client_takes_no_message_that_is_cut)
{
    for (size_t i = 0; i < sizeof client_hears / sizeof *client_hears; i++)
        expect_refused_when_cut(&client_hears[i]);
}

/* Each hears what the other would have said. */
static void cut_kexinit(enum conn_role role)
{
    uint8_t good[4000];
    struct pair *p = pair_at(role, BEFORE_KEXINIT, NULL);
    struct span kexinit = buf_span(&other_side(p, role)->conn->kex->ours);
    struct message_case m = {"KEXINIT", role, BEFORE_KEXINIT, {good, kexinit.len}, NULL, NULL};

    cr_assert(kexinit.len != 0 && kexinit.len <= sizeof good);
    memcpy(good, kexinit.at, kexinit.len);
    pair_free(p);
    expect_refused_when_cut(&m);
}

Test(cut, r16_a_server_takes_no_kexinit_that_is_cut)
{
    cut_kexinit(CONN_SERVER);
}

Test(cut, r16_a_client_takes_no_kexinit_that_is_cut)
{
    cut_kexinit(CONN_CLIENT);
}
