/* SPDX-License-Identifier: Apache-2.0 */
/* See pair.h. */
#include "support/pair.h"

#include <stdlib.h>
#include <string.h>

enum {
    SECOND = 1000000000
};

static struct span keep(uint8_t **at, struct span s)
{
    struct span copy = span_of(*at, s.len);

    if (s.len != 0)
        memcpy(*at, s.at, s.len);
    *at += s.len;
    return copy;
}

static void remember(struct side *s, const struct conn_event *e)
{
    const struct conn_event *x = e;
    size_t size = x->user.len + x->service.len + x->method.len + x->param.len + x->new_password.len +
                  x->key_algorithm.len + x->client_host.len + x->client_user.len + x->kind.len + x->data.len +
                  x->text.len;

    if (s->seen_count == PAIR_EVENTS)
        return;
    struct seen *seen = &s->seen[s->seen_count++];
    uint8_t *at = seen->bytes = malloc(size + 1);
    seen->event = *e;
    seen->event.user = keep(&at, x->user);
    seen->event.service = keep(&at, x->service);
    seen->event.method = keep(&at, x->method);
    seen->event.param = keep(&at, x->param);
    seen->event.new_password = keep(&at, x->new_password);
    seen->event.key_algorithm = keep(&at, x->key_algorithm);
    seen->event.client_host = keep(&at, x->client_host);
    seen->event.client_user = keep(&at, x->client_user);
    seen->event.kind = keep(&at, x->kind);
    seen->event.data = keep(&at, x->data);
    seen->event.text = keep(&at, x->text);
    seen->event.prompts = NULL;
    seen->event.block = NULL;
}

static void on_event(void *context, const struct conn_event *e)
{
    struct side *s = context;

    if ((e->type != CONN_LOG || s->keeps_logs) && e->type != CONN_CHANNEL_SENT && e->type != CONN_CHANNEL_WINDOW)
        remember(s, e);
    if (e->type != CONN_CHANNEL_DATA)
        return;
    s->data_bytes += e->data.len;
    if (s->echoes)
        (void)pair_send(s, e->channel, e->extended, e->data.at, e->data.len);
    if (s->consumes)
        nacre_chan_consumed(s->conn, e->channel, e->data.len, s->pair->now_ns);
}

static bool on_ask(void *context, const struct conn_event *q, struct conn_answer *answer)
{
    struct side *s = context;

    remember(s, q);
    *answer = s->answer;
    answer->accept = !s->refuses[q->type];
    return !s->leaves_open[q->type];
}

static enum work_fate on_work(void *context, struct work *work)
{
    struct side *s = context;

    if (s->refuses_work)
        return WORK_REFUSED;
    if (s->defers_work) {
        s->work = work;
        return WORK_OUT;
    }
    work->run(work);
    return WORK_DONE;
}

static const struct conn_sink sink = {.event = on_event, .ask = on_ask, .work = on_work};

static void configure(struct pair *p, struct side *s, enum conn_role role)
{
    const struct nacre_crypto *c = p->crypto;

    s->pair = p;
    s->consumes = true;
    s->config = (struct conn_config){
        .role = role,
        .crypto = c,
        .algorithms = {.kex = nacre_algs_usable(c, ALG_KEX),
                       .host_key = nacre_algs_usable(c, ALG_KEY),
                       .cipher = nacre_algs_usable(c, ALG_CIPHER),
                       .mac = nacre_algs_usable(c, ALG_MAC),
                       .comp = "none",
                       .user_signature = nacre_algs_usable(c, ALG_KEY)},
        .version = role == CONN_SERVER ? "SSH-2.0-nacre_test" : "SSH-2.0-nacre_test_client",
        .strict_kex = 1,
        .rekey_timeout_ns = INT64_C(60) * SECOND,
        .login_grace_ns = INT64_C(60) * SECOND,
        .max_auth_attempts = 6,
        .auth_methods = "password,publickey,keyboard-interactive",
        .max_channels = 10,
        .window_bytes = 2U << 20,
        .window_max = 8U << 20,
        .send_high = 1U << 20,
    };
}

struct pair *pair_new(void)
{
    struct pair *p = calloc(1, sizeof *p);

    nacre_pool_init(&p->pool, 0);
    p->crypto = nacre_crypto_open(true);
    p->host_key = nacre_key_generate(p->crypto, "ssh-ed25519", 0);
    p->now_ns = SECOND;
    configure(p, &p->server, CONN_SERVER);
    configure(p, &p->client, CONN_CLIENT);
    return p;
}

void pair_start(struct pair *p)
{
    p->server.conn = nacre_conn_new(&p->server.config, &sink, &p->server, &p->pool);
    p->client.conn = nacre_conn_new(&p->client.config, &sink, &p->client, &p->pool);
    struct key *keys[5] = {p->host_key};
    for (size_t i = 0; i < p->more_count; i++)
        keys[1 + i] = p->more_keys[i];
    (void)nacre_conn_set_host_keys(p->server.conn, keys, 1 + p->more_count);
    nacre_conn_start(p->server.conn, p->now_ns);
    nacre_conn_start(p->client.conn, p->now_ns);
}

void side_forget(struct side *s)
{
    for (size_t i = 0; i < s->seen_count; i++)
        free(s->seen[i].bytes);
    s->seen_count = 0;
}

static void side_free(struct side *s)
{
    nacre_conn_free(s->conn);
    nacre_work_drop(s->work);
    side_forget(s);
    free(s->inbox);
}

void pair_free(struct pair *p)
{
    side_free(&p->server);
    side_free(&p->client);
    nacre_key_unref(p->host_key);
    for (size_t i = 0; i < p->more_count; i++)
        nacre_key_unref(p->more_keys[i]);
    nacre_crypto_unref(p->crypto);
    nacre_pool_destroy(&p->pool);
    free(p);
}

void pair_carry(struct side *from, struct side *to)
{
    struct span spans[8];
    size_t count;

    while ((count = nacre_conn_output(from->conn, spans, 8)) != 0) {
        size_t total = 0;
        for (size_t i = 0; i < count; i++) {
            if (to->inbox_room - to->inbox_len < spans[i].len) {
                to->inbox_room = 2 * (to->inbox_len + spans[i].len);
                to->inbox = realloc(to->inbox, to->inbox_room);
            }
            memcpy(to->inbox + to->inbox_len, spans[i].at, spans[i].len);
            to->inbox_len += spans[i].len;
            total += spans[i].len;
        }
        nacre_conn_output_take(from->conn, total, from->pair->now_ns);
    }
}

/* As a back end with small reads: `chunk` more bytes each time, the unused ones fed again in front of them. */
void pair_feed(struct side *to)
{
    size_t chunk = to->pair->chunk, seen = 0;

    for (;;) {
        seen = chunk == 0 || to->inbox_len - seen < chunk ? to->inbox_len : seen + chunk;
        if (seen == 0 || !nacre_conn_wants_input(to->conn))
            return;
        size_t used = nacre_conn_feed(to->conn, to->inbox, seen, NULL, to->pair->now_ns);
        memmove(to->inbox, to->inbox + used, to->inbox_len - used);
        to->inbox_len -= used;
        seen -= used;
        if (used == 0 && seen == to->inbox_len)
            return;
    }
}

void pair_run(struct pair *p)
{
    for (;;) {
        size_t before = p->server.inbox_len + p->client.inbox_len;
        bool carries = nacre_conn_output_bytes(p->server.conn) + nacre_conn_output_bytes(p->client.conn) != 0;
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        pair_carry(&p->server, &p->client);
        pair_feed(&p->client);
        if (!carries && before == p->server.inbox_len + p->client.inbox_len)
            return;
    }
}

void pair_login(struct pair *p)
{
    pair_start(p);
    pair_run(p);
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("secret"));
    pair_run(p);
}

uint32_t pair_open(struct pair *p)
{
    uint32_t channel = UINT32_MAX;

    (void)nacre_chan_open(p->client.conn, span_str("session"), span_of(NULL, 0), &channel, p->now_ns);
    pair_run(p);
    return channel;
}

enum nacre_error pair_send(struct side *s, uint32_t channel, unsigned extended, const void *bytes, size_t len)
{
    struct block *b = nacre_chan_block(&s->pair->pool, len);

    if (b == NULL)
        return NACRE_E_NOBUFS;
    memcpy(b->at + b->start, bytes, len);
    return nacre_chan_send(s->conn, channel, extended, b, s->pair->now_ns);
}

const struct conn_event *side_event(const struct side *s, enum conn_event_type type, size_t n)
{
    for (size_t i = 0; i < s->seen_count; i++) {
        if (s->seen[i].event.type == type && n-- == 0)
            return &s->seen[i].event;
    }
    return NULL;
}

size_t side_count(const struct side *s, enum conn_event_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < s->seen_count; i++)
        count += s->seen[i].event.type == type ? 1 : 0;
    return count;
}
