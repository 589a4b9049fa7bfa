/* SPDX-License-Identifier: Apache-2.0 */
/* The door: limits that a new connection has to pass before anything is made for it, and what becomes of a peer that
 * does not. It is told in one packet right behind our version line, which every client can read, since packets are
 * plain until keys are agreed on (RFC 4253 section 6). Nothing is waited for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/connection.h"
#include "engine/memory.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/sock.h"
#include "ssh/messages.h"
#include "wire/wr.h"

enum {
    DISCONNECT_TOO_MANY = 12, /* SSH_DISCONNECT_TOO_MANY_CONNECTIONS, RFC 4253 section 11.1 */
    FAREWELL_MAX = 512,
    PAD_LEAST = 4,
};

static const int64_t farewell_ns = INT64_C(1000000000);

/* clang-format off */
static const struct {
    const char *to_peer;
    const char *to_us;
} reasons[REFUSALS] = {
    [REFUSED_MAX_CONNECTIONS] = {"The server has as many connections as it may have. Try again later.",
                                 "MaxConnections are there"},
    [REFUSED_MAX_STARTUPS]    = {"Too many clients are logging in at this moment. Try again later.",
                                 "MaxStartups: too many connections have not logged in"},
    [REFUSED_PER_SOURCE]      = {"Too many connections from your address.",
                                 "MaxConnectionsPerSource are there from its address"},
    [REFUSED_PENALTY]         = {"Your address is kept out for a while after what came from it. Try again later.",
                                 "PerSourcePenalties: its address is kept out for a while"},
    [REFUSED_MEMORY]          = {"The server has no memory left for more connections. Try again later.",
                                 "MemoryLimit is near"},
};
/* clang-format on */

void nacre_report(struct shard *s, enum nacre_error error, const char *what)
{
    if (s->server->handlers.on_error == NULL)
        return;
    size_t len = strlen(what);
    struct event *e = nacre_event_new(s, EVENT_ERROR, len + 1);
    if (e == NULL)
        return;
    e->code = (int)error;
    e->text[0] = nacre_event_keep(e, span_of(what, len));
    nacre_outbox_add_own(s, e);
}

/* ---- refusing -------------------------------------------------------------------------------------------------- */

/* Our version line and DISCONNECT in a plain packet, RFC 4253 sections 4.2, 6 and 11.1. */
static size_t write_farewell(uint8_t *at, size_t room, const char *version, const char *text)
{
    struct wr w = wr_over(at, room);
    size_t payload = 1 + 4 + 4 + strlen(text) + 4;
    size_t pad = PAD_LEAST + (8 - (5 + payload + PAD_LEAST) % 8) % 8;
    wr_bytes(&w, version, strlen(version));
    wr_bytes(&w, "\r\n", 2);
    wr_u32(&w, (uint32_t)(1 + payload + pad));
    wr_u8(&w, (uint8_t)pad);
    wr_u8(&w, MSG_DISCONNECT);
    wr_u32(&w, DISCONNECT_TOO_MANY);
    wr_cstring(&w, text);
    wr_cstring(&w, "");
    static const uint8_t zeros[PAD_LEAST + 8];
    wr_bytes(&w, zeros, pad);
    return w.full ? 0 : wr_len(&w);
}

static void close_first(struct farewells *f)
{
    nacre_sock_close(f->socket[f->first]);
    f->first = (f->first + 1) % FAREWELLS;
    f->count--;
}

static void keep_farewell(struct shard *s, io_socket socket)
{
    struct farewells *f = &s->farewells;
    if (f->count == FAREWELLS)
        close_first(f);
    unsigned at = (f->first + f->count++) % FAREWELLS;
    f->socket[at] = socket;
    f->due_ns[at] = s->now_ns + farewell_ns;
}

void nacre_admit_turn(struct shard *s)
{
    struct farewells *f = &s->farewells;
    while (f->count != 0 && (s->stopping || f->due_ns[f->first] <= s->now_ns))
        close_first(f);
}

int64_t nacre_admit_sleep(const struct shard *s, int64_t until_ns)
{
    const struct farewells *f = &s->farewells;
    return f->count != 0 && f->due_ns[f->first] < until_ns ? f->due_ns[f->first] : until_ns;
}

static void refuse(struct shard *s, io_socket socket, enum refusal why, const struct source *source)
{
    uint8_t words[FAREWELL_MAX];
    char line[256], more[64] = "", host[SOCK_ADDRESS_MAX], local[SOCK_ADDRESS_MAX];
    int port;
    uint64_t unsaid;
    if (nacre_admission_refused(&s->server->admission, why, source, s->now_ns, &unsaid)) {
        (void)nacre_sock_addresses(socket, host, sizeof host, &port, local, sizeof local);
        if (unsaid != 0)
            (void)snprintf(more, sizeof more, " (%" PRIu64 " more were refused since the last report)", unsaid);
        (void)snprintf(line, sizeof line, "A connection from %s was refused: %s.%s", host[0] == '\0' ? "?" : host,
                       reasons[why].to_us, more);
        nacre_report(s, NACRE_E_TOO_MANY_CONNECTIONS, line);
    }
    size_t len = write_farewell(words, sizeof words, s->profile->settings.version.text, reasons[why].to_peer);
    nacre_sock_farewell(socket, words, len);
    keep_farewell(s, socket);
}

/* ---- coming in ------------------------------------------------------------------------------------------------- */

static struct source source_of(const struct profile *p, const uint8_t *address, unsigned size)
{
    const struct block_rules *blocks = &p->admission.blocks;
    return nacre_source_of(address, size, size == 4 ? blocks->bits4 : blocks->bits6);
}

static struct source source_of_socket(const struct shard *s, io_socket socket)
{
    uint8_t address[16];
    return source_of(s->profile, address, nacre_sock_peer(socket, address));
}

/* PerSourceExemptList: how those who look after the server get in when others have filled it. */
static bool is_exempt(const struct profile *p, const char *host)
{
    return nacre_access_match(p->settings.source_exempt.text, host);
}

static bool socket_is_exempt(const struct shard *s, io_socket socket)
{
    char host[SOCK_ADDRESS_MAX], local[SOCK_ADDRESS_MAX];
    int port;
    if (s->profile->settings.source_exempt.text[0] == '\0')
        return false;
    (void)nacre_sock_addresses(socket, host, sizeof host, &port, local, sizeof local);
    return is_exempt(s->profile, host);
}

void nacre_admit_full(struct shard *s, io_socket socket)
{
    struct source source = source_of_socket(s, socket);
    refuse(s, socket, REFUSED_MAX_CONNECTIONS, &source);
}

bool nacre_admit(struct shard *s, io_socket socket, struct admitted *out)
{
    const struct admission_rules *rules = &s->profile->admission;
    struct source source = {.size = 0};
    if (admission_needs_source(rules))
        source = source_of_socket(s, socket);
    *out = (struct admitted){.node = NULL};
    bool exempt = socket_is_exempt(s, socket);
    enum refusal why = nacre_memory_keeps_out(s, exempt)
                           ? REFUSED_MEMORY
                           : nacre_admission_enter(&s->server->admission, rules, &source, exempt, s->now_ns, out);
    if (why == REFUSED_NOT)
        return true;
    if (source.size == 0)
        source = source_of_socket(s, socket);
    refuse(s, socket, why, &source);
    return false;
}

void nacre_admit_leave(struct shard *s, struct admitted *in)
{
    nacre_admission_leave(&s->server->admission, in);
}

void nacre_admit_logged_in(struct connection *c)
{
    c->logged_in = true;
    nacre_admission_logged_in(&c->shard->server->admission, &c->admitted);
}

/* ---- offences -------------------------------------------------------------------------------------------------- */

/* What the end of a connection that never logged in says about its peer; OFFENCES: nothing. */
static enum offence offence_of(enum nacre_error why, bool has_failed)
{
    enum nacre_error_class class = nacre_error_class((int)why);
    if (why == NACRE_E_TIMEOUT_LOGIN)
        return OFFENCE_GRACE;
    if (why == NACRE_E_AUTHENTICATION)
        return OFFENCE_AUTHFAIL;
    /* An honest old client has no algorithm in common either. */
    bool left = why == NACRE_OK || why == NACRE_E_PEER_DISCONNECTED || why == NACRE_E_NO_COMMON_ALGORITHM ||
                class == NACRE_CLASS_IO;
    if (left)
        return has_failed ? OFFENCE_AUTHFAIL : OFFENCE_NOAUTH;
    return class == NACRE_CLASS_PEER || why == NACRE_E_LOGIN_LIMIT ? OFFENCE_PROTOCOL : OFFENCES;
}

void nacre_admit_ended(struct connection *c, enum nacre_error why)
{
    const struct profile *p = c->shard->profile; /* the present rules, not those of when it came */
    struct conn_info info = {.login_failures = 0};
    uint8_t address[16];
    char line[160];
    if (c->logged_in || !p->admission.penalties.on || c->conn == NULL || is_exempt(p, c->remote_host))
        return;
    nacre_conn_info(c->conn, &info);
    enum offence offence = offence_of(why, info.login_failures != 0);
    if (offence == OFFENCES)
        return;
    struct source source = source_of(p, address, nacre_sock_parse_address(c->remote_host, address));
    if (!nacre_admission_offend(&c->shard->server->admission, &p->admission.penalties, &source, offence,
                                c->shard->now_ns))
        return;
    (void)snprintf(line, sizeof line, "PerSourcePenalties: %s is kept out for a while%s", c->remote_host,
                   p->admission.penalties.dry_run ? " (not really: dry-run)" : "");
    nacre_connection_log(c, 1, line);
}
