/* SPDX-License-Identifier: Apache-2.0 */
/* See client.h. */
#include "support/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plat.h"
#include "support/net.h"
#include "support/sink.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    CHUNK = 32 * 1024,
    IN_MAX = 4 * 1024 * 1024,
    KEPT_MAX = 256 * 1024 * 1024
};

/* ---- what the connection tells --------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, struct span from)
{
    size_t len = from.len < size ? from.len : size - 1;
    if (len != 0)
        memcpy(to, from.at, len);
    to[len] = '\0';
}

static void told_data(struct client *c, const struct conn_event *e)
{
    struct client_channel *ch = &c->channels[e->channel];
    ch->received += e->data.len;
    if (!ch->kept_nothing)
        (void)nacre_buf_append(e->extended == 0 ? &ch->data : &ch->errors, e->data.at, e->data.len);
    if (c->echoes)
        (void)client_send(c, (int)e->channel, e->data.at, e->data.len);
    if (!ch->stalled)
        nacre_chan_consumed(c->conn, e->channel, e->data.len, nacre_clock_ns());
}

static void told_channel(struct client *c, const struct conn_event *e)
{
    if (e->channel >= CLIENT_CHANNELS)
        return;
    struct client_channel *ch = &c->channels[e->channel];
    ch->opened = ch->opened || e->type == CONN_CHANNEL_OPENED;
    ch->failed = ch->failed || e->type == CONN_CHANNEL_OPEN_FAILED;
    ch->eof = ch->eof || e->type == CONN_CHANNEL_EOF;
    ch->closed = ch->closed || e->type == CONN_CHANNEL_CLOSED;
    if (e->type == CONN_CHANNEL_OPENED && e->channel == c->their_channel)
        c->their_channel_opened = true;
    if (e->type == CONN_CHANNEL_OPEN_FAILED)
        ch->code = e->code;
    if (e->type == CONN_CHANNEL_REPLY) {
        ch->replies++;
        ch->granted += e->accepted;
    }
    if (e->type == CONN_CHANNEL_DATA)
        told_data(c, e);
}

static void told_prompts(struct client *c, const struct conn_event *e)
{
    c->prompted = true;
    c->prompt_rounds++;
    c->prompt_count = e->prompt_count;
    copy_text(c->instruction, sizeof c->instruction, e->text);
    for (size_t i = 0; i < e->prompt_count; i++) {
        copy_text(c->prompts[i], sizeof c->prompts[i], e->prompts[i].prompt);
        c->echo[i] = e->prompts[i].echo;
    }
}

static void told_failed(struct client *c, const struct conn_event *e)
{
    c->failures++;
    c->partial = e->accepted;
    copy_text(c->methods, sizeof c->methods, e->text);
}

static size_t copy_bytes(uint8_t *to, size_t size, struct span from)
{
    size_t len = from.len < size ? from.len : size;
    if (len != 0)
        memcpy(to, from.at, len);
    return len;
}

static void told_global_reply(struct client *c, const struct conn_event *e)
{
    c->global_replies++;
    c->global_granted += e->accepted;
    c->global_data_len = copy_bytes(c->global_data, sizeof c->global_data, e->data);
    nacre_buf_free(&c->global_reply);
    (void)nacre_buf_append(&c->global_reply, e->data.at, e->data.len);
}

static void on_event(void *context, const struct conn_event *e)
{
    struct client *c = context;
    told_channel(c, e);
    c->ready = c->ready || e->type == CONN_READY_FOR_AUTH;
    c->authenticated = c->authenticated || e->type == CONN_AUTHENTICATED;
    c->keys_done += e->type == CONN_KEX_DONE;
    c->key_oks += e->type == CONN_AUTH_KEY_OK;
    if (e->type == CONN_GLOBAL_REPLY)
        told_global_reply(c, e);
    if (e->type == CONN_AUTH_FAILED)
        told_failed(c, e);
    c->changes += e->type == CONN_AUTH_CHANGE;
    if (e->type == CONN_AUTH_CHANGE)
        copy_text(c->change_prompt, sizeof c->change_prompt, e->text);
    if (e->type == CONN_AUTH_PROMPTS)
        told_prompts(c, e);
    if (e->type == CONN_BANNER)
        copy_text(c->banner, sizeof c->banner, e->text);
    if (e->type == CONN_DISCONNECTED) {
        c->ended = true;
        c->error = e->error;
        copy_text(c->text, sizeof c->text, e->text);
    }
}

/* exit-status and exit-signal, RFC 4254 section 6.10. */
static void asked_request(struct client *c, const struct conn_event *q)
{
    struct client_channel *ch = &c->channels[q->channel % CLIENT_CHANNELS];
    struct rd r = rd_over(q->data);
    (void)rd_u32(&r);
    (void)rd_string(&r, SIZE_MAX);
    (void)rd_bool(&r);
    if (span_is(q->kind, "exit-status"))
        ch->exit_status = (int)rd_u32(&r);
    if (span_is(q->kind, "exit-signal"))
        copy_text(ch->exit_signal, sizeof ch->exit_signal, rd_string(&r, SIZE_MAX));
    ch->eof_before_status = ch->eof;
    ch->status_before_close = !ch->closed;
}

static bool on_ask(void *context, const struct conn_event *q, struct conn_answer *answer)
{
    struct client *c = context;
    *answer = (struct conn_answer){.accept = true};
    if (q->type == CONN_HOST_KEY) {
        c->host_key_seen = true;
        nacre_buf_free(&c->host_key);
        (void)nacre_buf_append(&c->host_key, q->data.at, q->data.len);
        answer->accept = !c->refuses_host_key;
    }
    if (q->type == CONN_GLOBAL_REQUEST && span_is(q->kind, "hostkeys-00@openssh.com")) {
        c->announcements++;
        nacre_buf_free(&c->host_keys);
        (void)nacre_buf_append(&c->host_keys, q->data.at, q->data.len);
    }
    if (q->type == CONN_CHANNEL_REQUEST)
        asked_request(c, q);
    if (q->type == CONN_CHANNEL_OPEN_REQUEST) {
        answer->accept = !c->refuses_opens;
        c->their_channel = q->channel;
        c->their_channel_opened = false;
        copy_text(c->their_kind, sizeof c->their_kind, q->kind);
        c->their_data_len = copy_bytes(c->their_data, sizeof c->their_data, q->data);
    }
    return true;
}

static const struct conn_sink sink = {.event = on_event, .ask = on_ask, .work = sink_works_at_once};

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static size_t may_send(const struct client *c, size_t len)
{
    if (c->send_limit == 0)
        return len;
    size_t left = c->send_limit > c->sent_bytes ? c->send_limit - c->sent_bytes : 0;
    return len < left ? len : left;
}

/* True when all is out. */
static bool flush(struct client *c)
{
    struct span s;
    while (nacre_conn_output(c->conn, &s, 1) != 0) {
        size_t len = may_send(c, s.len);
        int n = len == 0 ? 0 : net_send(c->fd, s.at, len);
        if (n <= 0) {
            c->fin = c->fin || n == NET_ERROR;
            return false;
        }
        if (c->records)
            (void)nacre_buf_append(&c->sent, s.at, (size_t)n);
        c->sent_bytes += (size_t)n;
        nacre_conn_output_take(c->conn, (size_t)n, nacre_clock_ns());
    }
    return true;
}

static void feed(struct client *c)
{
    size_t used = nacre_conn_feed(c->conn, c->in.at, c->in.len, NULL, nacre_clock_ns());
    nacre_buf_drop(&c->in, used);
}

static void receive(struct client *c)
{
    uint8_t *room = nacre_buf_reserve(&c->in, CHUNK);
    if (room == NULL)
        return;
    int n = net_receive(c->fd, room, CHUNK);
    if (n > 0) {
        c->in.len += (size_t)n;
        feed(c);
        return;
    }
    if (n == NET_LATER)
        return;
    c->fin = true;
    c->reset = n == NET_ERROR;
    nacre_conn_feed_eof(c->conn, nacre_clock_ns());
}

bool client_turn(struct client *c, int ms)
{
    if (c->fin)
        return false;
    bool all_out = flush(c);
    bool wants = nacre_conn_wants_input(c->conn) || c->ended;
    bool may = all_out || may_send(c, 1) != 0;
    if (net_wait(c->fd, wants, !all_out && may, ms))
        receive(c);
    if (nacre_conn_deadline(c->conn) <= nacre_clock_ns())
        nacre_conn_tick(c->conn, nacre_clock_ns());
    (void)flush(c);
    return !c->fin;
}

void client_pump(struct client *c, int ms)
{
    int64_t until = nacre_clock_ns() + ms * INT64_C(1000000);
    for (int64_t left; (left = until - nacre_clock_ns()) > 0;)
        if (!client_turn(c, (int)(left / 1000000) + 1 < 20 ? (int)(left / 1000000) + 1 : 20))
            return;
}

bool client_wait(struct client *c, const bool *flag)
{
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (!*flag && (!c->ended || flag == &c->fin) && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    return *flag;
}

bool client_wait_count(struct client *c, const size_t *count, size_t wanted)
{
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (*count < wanted && !c->ended && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    return *count >= wanted;
}

bool client_wait_unsigned(struct client *c, const unsigned *count, unsigned wanted)
{
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (*count < wanted && !c->ended && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    return *count >= wanted;
}

bool client_wait_end(struct client *c)
{
    return client_wait(c, &c->ended) || client_wait(c, &c->fin);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

void client_init(struct client *c)
{
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    client_init_with(c, crypto);
    nacre_crypto_unref(crypto);
}

void client_init_with(struct client *c, struct nacre_crypto *crypto)
{
    *c = (struct client){.fd = -1, .crypto = nacre_crypto_ref(crypto)};
    nacre_pool_init(&c->pool, 0);
    nacre_buf_init(&c->in, IN_MAX);
    nacre_buf_init(&c->sent, IN_MAX);
    nacre_buf_init(&c->host_key, KEY_BLOB_MAX);
    nacre_buf_init(&c->host_keys, CONN_PACKET_MAX);
    nacre_buf_init(&c->global_reply, CONN_PACKET_MAX);
    for (int i = 0; i < CLIENT_CHANNELS; i++) {
        nacre_buf_init(&c->channels[i].data, KEPT_MAX);
        nacre_buf_init(&c->channels[i].errors, KEPT_MAX);
        c->channels[i].exit_status = -1;
    }
    c->config = (struct conn_config){
        .role = CONN_CLIENT,
        .crypto = c->crypto,
        .algorithms = {.kex = "curve25519-sha256",
                       .host_key = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-256",
                       .cipher = "aes128-gcm@openssh.com,aes256-ctr",
                       .mac = "hmac-sha2-256",
                       .comp = "none",
                       .user_signature = "ssh-ed25519,ecdsa-sha2-nistp256"},
        .version = "SSH-2.0-nacre_test_client",
        .strict_kex = 1,
        .rekey_timeout_ns = INT64_C(60000000000),
        .max_channels = CLIENT_CHANNELS,
        .window_bytes = 1U << 20,
        .window_max = 1U << 20,
        .send_high = 256U << 10,
    };
}

int client_socket(const char *from, int port)
{
    return net_connect(from, port);
}

bool client_dial(struct client *c, const char *from, int port)
{
    c->fd = client_socket(from, port);
    if (c->fd < 0)
        return false;
    c->conn = nacre_conn_new(&c->config, &sink, c, &c->pool);
    nacre_conn_start(c->conn, nacre_clock_ns());
    return true;
}

bool client_connect(struct client *c, int port)
{
    return client_dial(c, NULL, port) && client_wait(c, &c->ready);
}

bool client_login(struct client *c, const char *user, const char *password)
{
    unsigned failures = c->failures;
    if (!nacre_conn_auth_password(c->conn, span_str(user), span_str(password)))
        return false;
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (!c->authenticated && c->failures == failures && !c->ended && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    return c->authenticated;
}

bool client_start(struct client *c, int port)
{
    client_init(c);
    return client_connect(c, port) && client_login(c, "user", "pw");
}

void client_disconnect(struct client *c)
{
    nacre_conn_close(c->conn, NACRE_E_BY_APPLICATION, "done", nacre_clock_ns());
    (void)flush(c);
    client_drop(c);
}

void client_drop(struct client *c)
{
    if (c->fd >= 0)
        net_close(c->fd);
    c->fd = -1;
    c->fin = true;
}

void client_reset(struct client *c)
{
    net_close_by_reset(c->fd);
    client_drop(c);
}

void client_free(struct client *c)
{
    client_drop(c);
    if (c->conn != NULL)
        nacre_conn_free(c->conn);
    c->conn = NULL;
    for (int i = 0; i < CLIENT_CHANNELS; i++) {
        nacre_buf_free(&c->channels[i].data);
        nacre_buf_free(&c->channels[i].errors);
    }
    nacre_buf_free(&c->in);
    nacre_buf_free(&c->sent);
    nacre_buf_free(&c->host_key);
    nacre_buf_free(&c->host_keys);
    nacre_buf_free(&c->global_reply);
    nacre_pool_destroy(&c->pool);
    nacre_crypto_unref(c->crypto);
}

/* ---- channels -------------------------------------------------------------------------------------------------- */

int client_open(struct client *c, const char *kind)
{
    uint32_t number;
    if (nacre_chan_open(c->conn, span_str(kind), span_of(NULL, 0), &number, nacre_clock_ns()) != NACRE_OK)
        return -1;
    struct client_channel *ch = &c->channels[number];
    ch->opened = ch->failed = ch->eof = ch->closed = false;
    int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
    while (!ch->opened && !ch->failed && !c->ended && nacre_clock_ns() < until)
        if (!client_turn(c, 20))
            break;
    return ch->opened ? (int)number : -1;
}

bool client_request(struct client *c, int channel, const char *kind, struct span data)
{
    struct client_channel *ch = &c->channels[channel];
    unsigned replies = ch->replies, granted = ch->granted;
    if (nacre_chan_request(c->conn, (uint32_t)channel, span_str(kind), true, data, nacre_clock_ns()) != NACRE_OK)
        return false;
    return client_wait_unsigned(c, &ch->replies, replies + 1) && ch->granted > granted;
}

bool client_exec(struct client *c, int channel, const char *command)
{
    uint8_t data[512];
    struct wr w = wr_over(data, sizeof data);
    wr_cstring(&w, command);
    return client_request(c, channel, "exec", span_of(data, wr_len(&w)));
}

bool client_send(struct client *c, int channel, const void *bytes, size_t len)
{
    while (len != 0) {
        size_t part = len < CHUNK ? len : CHUNK;
        struct block *b = nacre_chan_block(&c->pool, part);
        if (b == NULL)
            return false;
        memcpy(b->at + b->start, bytes, part);
        if (nacre_chan_send(c->conn, (uint32_t)channel, 0, b, nacre_clock_ns()) != NACRE_OK)
            return false;
        bytes = (const uint8_t *)bytes + part;
        len -= part;
    }
    return true;
}
