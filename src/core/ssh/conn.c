/* SPDX-License-Identifier: Apache-2.0 */
/* The pump of a connection: birth, bytes in, dispatch, time, end. What a message means is in the file of its family. */
#include "ssh/conn_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/prefetch.h"
#include "ssh/auth.h"
#include "ssh/chan.h"
#include "ssh/errors.h"

enum {
    INFLATED_AS_ONE = 16 /* bytes that come out of inflating take as long as one of small packets */
};

struct conn *nacre_conn_new(const struct conn_config *config, const struct conn_sink *sink, void *context,
                            struct pool *pool)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->config = config;
    c->sink = sink;
    c->context = context;
    c->pool = pool;
    c->next_serial = 1;
    c->grace_due_ns = c->kex_due_ns = c->rekey_due_ns = c->keepalive_due_ns = INT64_MAX;
    list_init(&c->asks);
    list_init(&c->ready);
    nacre_buf_init(&c->inflated, CONN_INFLATE_MAX);
    return c;
}

bool nacre_conn_set_host_keys(struct conn *c, struct key *const *keys, size_t count)
{
    struct key **copy = calloc(count == 0 ? 1 : count, sizeof *copy);

    if (copy == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        copy[i] = nacre_key_ref(keys[i]);
    for (size_t i = 0; i < c->host_key_count; i++)
        nacre_key_unref(c->host_keys[i]);
    free(c->host_keys);
    c->host_keys = copy;
    c->host_key_count = count;
    return true;
}

void nacre_conn_start(struct conn *c, int64_t now_ns)
{
    if (c->phase != PHASE_NEW)
        return;
    c->now_ns = c->heard_ns = now_ns;
    c->grace_due_ns = due_after(now_ns, c->config->login_grace_ns);
    nacre_conn_enter(c, PHASE_VERSION);
    /* RFC 4253 section 4.2: both sides speak first; our KEXINIT need not wait for the peer's line either. */
    if (nacre_version_send(c) != STEP_CLOSE)
        (void)nacre_kex_start(c);
}

void nacre_conn_free(struct conn *c)
{
    if (c == NULL)
        return;
    nacre_asks_free(c);
    nacre_chans_free(c);
    nacre_kex_free(c);
    nacre_auth_free(c);
    nacre_client_free(c);
    nacre_key_unref(c->host_key);
    nacre_keys_free(&c->in.keys);
    nacre_keys_free(&c->out.keys);
    nacre_output_free(c);
    nacre_lane_free(&c->waiting);
    nacre_buf_wipe(&c->inflated);
    nacre_lane_free(&c->global_lane);
    for (size_t i = 0; i < c->host_key_count; i++)
        nacre_key_unref(c->host_keys[i]);
    free(c->host_keys);
    free(c->peer_version);
    free(c->user);
    nacre_wipe(c, sizeof *c);
    free(c);
}

/* ---- where we are ------------------------------------------------------------------------------------------- */

/* Phases only go forward. */
void nacre_conn_enter(struct conn *c, enum phase phase)
{
    if (phase > c->phase)
        c->phase = phase;
}

enum moment nacre_conn_moment(const struct conn *c)
{
    if (c->phase <= PHASE_KEX)
        return c->strict ? M_KEX1_STRICT : M_KEX1;
    if (nacre_kex_peer_busy(c))
        return M_REKEY;
    if (c->phase == PHASE_SERVICE)
        return M_SERVICE;
    return c->phase == PHASE_AUTH ? M_AUTH : M_OPEN;
}

bool nacre_conn_is_closing(const struct conn *c)
{
    return conn_is_closing(c);
}

/* False: it is not for the peer to change that nothing is read. More global requests would wait behind the rest of
 * them, which has a bound that ends the connection. */
static bool hears(const struct conn *c)
{
    return c->holds == 0 && !c->global_rest && c->lanes_bytes < conn_lanes_max(c);
}

bool nacre_conn_wants_input(const struct conn *c)
{
    return c->phase != PHASE_NEW && !conn_is_closing(c) && hears(c) &&
           c->output.bytes < c->config->send_high + CONTROL_SLACK;
}

/* ---- bytes in ----------------------------------------------------------------------------------------------- */

static void hear(struct conn *c)
{
    c->heard_ns = c->now_ns;
    c->keepalives_out = 0;
}

static size_t take_one(struct conn *c, uint8_t *bytes, size_t len)
{
    struct span payload = {NULL, 0};
    size_t used = 0;

    if (c->phase == PHASE_VERSION)
        return nacre_version_feed(c, bytes, len);
    if (nacre_packet_take(c, bytes, len, &used, &payload) == STEP_NEXT && payload.len != 0)
        (void)nacre_conn_dispatch(c, payload);
    return used;
}

size_t nacre_conn_feed(struct conn *c, uint8_t *bytes, size_t len, struct block *block, int64_t now_ns)
{
    return nacre_conn_feed_some(c, bytes, len, SIZE_MAX, block, now_ns);
}

size_t nacre_conn_feed_some(struct conn *c, uint8_t *bytes, size_t len, size_t most, struct block *block,
                            int64_t now_ns)
{
    size_t used = 0;
    size_t counted = 0;

    c->now_ns = now_ns;
    if (conn_is_closing(c))
        return len;
    if (len != 0)
        hear(c);
    c->block = block;
    while (used < len && counted < most && nacre_conn_wants_input(c)) {
        size_t n = take_one(c, bytes + used, len - used);
        if (n == 0)
            break;
        used += n;
        counted += n + c->inflated.len / INFLATED_AS_ONE;
        c->bytes_in += n;
    }
    c->block = NULL;
    nacre_buf_wipe(&c->inflated); /* an idle connection owns no buffer */
    nacre_conn_settle(c);
    return conn_is_closing(c) ? len : used;
}

size_t nacre_conn_packet_bytes(const struct conn *c)
{
    return c->partial.length == 0 ? 0 : 4 + (size_t)c->partial.length + keys_tag_len(&c->in.keys);
}

static const struct msg_rule *rule_of(const struct conn *c, uint8_t type)
{
    return conn_is_server(c) ? &nacre_server_rules[type] : &nacre_client_rules[type];
}

enum step nacre_conn_handle(struct conn *c, struct span payload)
{
    return rule_of(c, payload.at[0])->handle(c, span_of(payload.at + 1, payload.len - 1));
}

/* Nobody needs many packets to log in; who sends more is after something else, and is not known yet. */
static bool login_goes_on(struct conn *c)
{
    const struct conn_config *config = c->config;

    if (c->phase >= PHASE_OPEN || !conn_is_server(c))
        return true;
    c->login_packets++;
    return (config->login_packets_max == 0 || c->login_packets <= config->login_packets_max) &&
           (config->login_bytes_max == 0 || c->bytes_in + c->bytes_out <= config->login_bytes_max);
}

static enum step not_now(struct conn *c, const struct msg_rule *rule)
{
    char why[80];

    (void)snprintf(why, sizeof why, "%s is not allowed at this moment", rule->name);
    return nacre_conn_fail(c, NACRE_E_UNEXPECTED, why);
}

enum step nacre_conn_dispatch(struct conn *c, struct span payload)
{
    uint8_t type = payload.at[0];
    const struct msg_rule *rule = rule_of(c, type);
    enum moment moment = nacre_conn_moment(c);

    if (conn_logs(c, 2))
        nacre_conn_log_packet(c, "received", payload);
    if (!login_goes_on(c))
        return nacre_conn_fail(c, NACRE_E_LOGIN_LIMIT, "too much was sent before login");
    if (type >= MSG_KEX_FIRST && type <= MSG_KEX_LAST && nacre_kex_skips_guess(c))
        return STEP_NEXT;
    if (rule->handle == NULL) {
        return moment == M_KEX1_STRICT
                   ? nacre_conn_fail(c, NACRE_E_UNEXPECTED, "unknown message in strict key exchange")
                   : nacre_send_unimplemented(c, c->in.seq - 1);
    }
    if (!msg_is_legal(rule, moment))
        return not_now(c, rule);
    /* RFC 8308 section 2.4: an EXT_INFO during authentication stands right before USERAUTH_SUCCESS. */
    if (c->success_is_next && type != MSG_USERAUTH_SUCCESS)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "message between EXT_INFO and USERAUTH_SUCCESS");
    return nacre_conn_handle(c, payload);
}

void nacre_conn_feed_eof(struct conn *c, int64_t now_ns)
{
    c->now_ns = now_ns;
    /* After login a FIN without DISCONNECT is how most clients leave. */
    if (c->phase == PHASE_OPEN)
        (void)nacre_conn_end(c, NACRE_OK, span_str("The peer closed the connection."));
    else
        (void)nacre_conn_end(c, NACRE_E_PEER_DISCONNECTED, span_str("The peer closed the connection before login."));
}

void nacre_conn_settle(struct conn *c)
{
    if (c->phase != PHASE_OPEN)
        return;
    if (nacre_kex_is_due(c) && nacre_kex_start(c) == STEP_CLOSE)
        return;
    nacre_chans_flush(c);
}

/* ---- time --------------------------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void nacre_conn_excuse(struct conn *c, int64_t now_ns)
{
    c->now_ns = now_ns;
    hear(c);
    if (c->kex_due_ns != INT64_MAX)
        c->kex_due_ns = due_after(now_ns, c->config->rekey_timeout_ns);
}

/* Silence is measured from the peer's last byte and our last keep-alive. A key exchange has a timer of its own. */
static int64_t keepalive_due(const struct conn *c)
{
    int64_t since_heard = due_after(c->heard_ns, c->config->keepalive_ns);

    if (c->phase != PHASE_OPEN || c->config->keepalive_ns <= 0 || c->kex != NULL)
        return INT64_MAX;
    return c->keepalives_out == 0 || c->keepalive_due_ns < since_heard ? since_heard : c->keepalive_due_ns;
}

int64_t nacre_conn_deadline(const struct conn *c)
{
    int64_t due = earlier(c->grace_due_ns, c->kex_due_ns);

    if (c->phase == PHASE_NEW || conn_is_closing(c))
        return INT64_MAX;
    due = earlier(due, keepalive_due(c));
    due = earlier(due, nacre_asks_due(c));
    if (c->phase == PHASE_OPEN && c->kex == NULL)
        due = earlier(due, c->rekey_due_ns);
    return due;
}

static void tick_keepalive(struct conn *c)
{
    unsigned max = c->config->keepalive_max;

    if (max != 0 && c->keepalives_out >= max) {
        (void)nacre_conn_fail(c, NACRE_E_TIMEOUT_KEEPALIVE, "keep-alive requests were not answered");
        return;
    }
    c->keepalives_out++;
    c->keepalive_due_ns = due_after(c->now_ns, c->config->keepalive_ns);
    (void)nacre_send_keepalive(c);
}

void nacre_conn_tick(struct conn *c, int64_t now_ns)
{
    c->now_ns = now_ns;
    if (c->phase == PHASE_NEW || conn_is_closing(c))
        return;
    if (now_ns >= c->grace_due_ns) {
        (void)nacre_conn_fail(c, NACRE_E_TIMEOUT_LOGIN, "login took too long");
        return;
    }
    if (!hears(c))
        nacre_conn_excuse(c, now_ns);
    if (now_ns >= c->kex_due_ns) {
        (void)nacre_conn_fail(c, NACRE_E_TIMEOUT_REKEY, "key re-exchange took too long");
        return;
    }
    if (now_ns >= keepalive_due(c))
        tick_keepalive(c);
    nacre_asks_expire(c);
    nacre_conn_settle(c);
}

bool nacre_conn_has_rest(const struct conn *c)
{
    return (c->lanes_rest || c->global_rest) && !conn_is_closing(c);
}

void nacre_conn_go_on(struct conn *c, int64_t now_ns)
{
    c->now_ns = now_ns;
    if (!nacre_conn_has_rest(c))
        return;
    if (c->global_rest)
        (void)nacre_globals_run(c);
    if (c->lanes_rest && !conn_is_closing(c))
        nacre_chans_run_lanes(c);
    nacre_conn_settle(c);
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

enum step nacre_conn_end(struct conn *c, enum nacre_error code, struct span text)
{
    if (conn_is_closing(c))
        return STEP_CLOSE;
    nacre_conn_enter(c, PHASE_CLOSING);
    nacre_conn_event(c, &(struct conn_event){.type = CONN_DISCONNECTED, .error = code, .text = text});
    return STEP_CLOSE;
}

/* Says DISCONNECT while packets can still be sealed, then ends. */
static enum step leave(struct conn *c, enum nacre_error code, const char *why)
{
    uint32_t disconnect = nacre_error_disconnect_code(code);
    bool started = c->phase != PHASE_NEW;

    if (conn_is_closing(c))
        return STEP_CLOSE;
    nacre_conn_enter(c, PHASE_CLOSING);
    if (started && disconnect != 0) {
        c->last_words = true;
        nacre_send_disconnect(c, disconnect, why);
        c->last_words = false;
    }
    nacre_conn_event(c, &(struct conn_event){.type = CONN_DISCONNECTED, .error = code, .text = span_str(why)});
    return STEP_CLOSE;
}

enum step nacre_conn_fail(struct conn *c, enum nacre_error code, const char *why)
{
    if (!conn_is_closing(c))
        nacre_conn_log(c, 1, why);
    return leave(c, code, why);
}

void nacre_conn_close(struct conn *c, enum nacre_error why, const char *text, int64_t now_ns)
{
    c->now_ns = now_ns;
    (void)leave(c, why, text == NULL ? "" : text);
}

/* ---- what is told ------------------------------------------------------------------------------------------- */

void nacre_conn_event(struct conn *c, const struct conn_event *event)
{
    /* Nothing follows CONN_DISCONNECTED. */
    if (conn_is_closing(c) && event->type != CONN_DISCONNECTED)
        return;
    c->sink->event(c->context, event);
}

void nacre_conn_status(struct conn *c, const char *text)
{
    if (c->config->status)
        nacre_conn_event(c, &(struct conn_event){.type = CONN_STATUS, .text = span_str(text)});
}

void nacre_conn_log(struct conn *c, unsigned level, const char *text)
{
    if (conn_logs(c, level))
        nacre_conn_event(c, &(struct conn_event){.type = CONN_LOG, .level = level, .text = span_str(text)});
}

void nacre_conn_log_packet(struct conn *c, const char *direction, struct span payload)
{
    uint8_t type = payload.len == 0 ? 0 : payload.at[0];
    const char *name = nacre_server_rules[type].name;
    char line[80];

    if (name == NULL)
        name = nacre_client_rules[type].name;
    (void)snprintf(line, sizeof line, "%s %s (%u), %zu bytes", direction, name == NULL ? "unknown" : name, type,
                   payload.len);
    nacre_conn_log(c, 2, line);
    if (conn_logs(c, 3))
        nacre_conn_log_payload(c, direction, payload);
}

static const char *cipher_name(const struct keys *k)
{
    return k->cipher_alg == NULL ? "" : k->cipher_alg->name;
}

static const char *mac_name(const struct keys *k)
{
    return k->mac_alg == NULL ? "" : k->mac_alg->name;
}

static const char *comp_name(const struct keys *k)
{
    return k->comp_alg == NULL ? "" : k->comp_alg->name;
}

/* About what zlib allocates for its windows and tables, zconf.h. */
enum {
    INFLATE_BYTES = 48 * 1024,
    DEFLATE_BYTES = 272 * 1024,
    KEX_BYTES = 16 * 1024
};

enum {
    CIPHER_BYTES = 128 /* of a cipher or more: its key, and where its context is */
};

void nacre_conn_prefetch(const struct conn *c)
{
    prefetch(c, sizeof *c);
}

/* Most have one channel. */
void nacre_conn_prefetch_parts(const struct conn *c)
{
    if (c == NULL)
        return;
    prefetch(c->in.keys.cipher, CIPHER_BYTES);
    prefetch(c->out.keys.cipher, CIPHER_BYTES);
    if (c->chan_room != 0)
        prefetch(c->chans[0], sizeof *c->chans[0]);
}

size_t nacre_conn_memory(const struct conn *c)
{
    size_t bytes = sizeof *c + c->chan_count * (sizeof(struct chan) + sizeof(struct chan *));

    bytes += c->lanes_room + c->waiting.room + c->global_lane.room + c->inflated.room;
    bytes += c->in.keys.comp == NULL ? 0 : INFLATE_BYTES;
    bytes += c->out.keys.comp == NULL ? 0 : DEFLATE_BYTES;
    bytes += c->kex == NULL ? 0 : KEX_BYTES;
    bytes += c->auth == NULL ? 0 : sizeof *c->auth + c->auth->copy.room + c->auth->prompt_text.room;
    return bytes;
}

size_t nacre_conn_queued(const struct conn *c)
{
    size_t bytes = c->output.bytes;

    for (uint32_t i = 0; i < c->chan_room; i++)
        bytes += c->chans[i] == NULL ? 0 : c->chans[i]->queue_room;
    return bytes;
}

void nacre_conn_drop_queued(struct conn *c)
{
    for (uint32_t i = 0; i < c->chan_room; i++)
        if (c->chans[i] != NULL)
            nacre_chan_drop_queue(c->chans[i]);
}

void nacre_conn_info(const struct conn *c, struct conn_info *info)
{
    *info = (struct conn_info){
        .peer_version = c->peer_version == NULL ? "" : c->peer_version,
        .user = c->user == NULL ? "" : c->user,
        .kex = c->kex_alg == NULL ? "" : c->kex_alg->name,
        .host_key = c->host_key_alg == NULL ? "" : c->host_key_alg->name,
        .cipher_in = cipher_name(&c->in.keys),
        .cipher_out = cipher_name(&c->out.keys),
        .mac_in = mac_name(&c->in.keys),
        .mac_out = mac_name(&c->out.keys),
        .comp_in = comp_name(&c->in.keys),
        .comp_out = comp_name(&c->out.keys),
        .strict_kex = c->strict,
        .authenticated = c->user != NULL,
        .keyed = c->kex_count != 0,
        .login_failures = c->auth == NULL ? 0 : c->auth->failures,
        .rekeys = c->kex_count == 0 ? 0 : c->kex_count - 1,
        .bytes_in = c->bytes_in,
        .bytes_out = c->bytes_out,
    };
}
