/* SPDX-License-Identifier: Apache-2.0 */
/* What the connection says: login, the session channel with its command, and ends. Any host key is taken: the load
 * carries no secret but its own login, and the tests that matter here are of speed. */
#include "client_events.h"

#include <stdio.h>
#include <string.h>

#include "base/plat.h"
#include "wire/rd.h"
#include "wire/wr.h"

enum {
    COMMAND_MAX = 4096,
    REQUEST_KIND_MAX = 64,
    DETAIL_MAX = 80
};

static void put_text(char *out, size_t size, struct span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = text.at[i] >= ' ' && text.at[i] < 127 ? (char)text.at[i] : ' ';
    out[len] = '\0';
}

static void fail_with(struct client *c, enum failure kind, const char *what, struct span detail)
{
    char reason[REASON_MAX], text[DETAIL_MAX];
    put_text(text, sizeof text, detail);
    snprintf(reason, sizeof reason, "%s%s%s%s%s", what, text[0] == '\0' ? "" : ": ", text,
             c->complaint[0] == '\0' ? "" : "; the server says: ", c->complaint);
    bench_client_fail(c, kind, reason);
}

/* ---- login ----------------------------------------------------------------------------------------------------- */

static void log_in(struct client *c)
{
    const struct options *o = c->shared->options;
    struct span user = span_str(o->user);
    c->stage = CLIENT_LOGIN;
    if (c->shared->ops->ready != NULL && !c->shared->ops->ready(c))
        return;
    bool ok = c->shared->key != NULL ? nacre_conn_auth_publickey(c->conn, user, c->shared->key, NULL)
                                     : nacre_conn_auth_password(c->conn, user, span_str(o->password));
    if (!ok)
        bench_client_fail(c, FAILED_LOGIN, "the login could not be sent");
}

static void take_agreed(struct client *c)
{
    struct agreed *a = &c->shared->tally->agreed;
    struct conn_info i;
    if (a->peer_version[0] != '\0')
        return;
    nacre_conn_info(c->conn, &i);
    snprintf(a->peer_version, sizeof a->peer_version, "%s", i.peer_version);
    snprintf(a->kex, sizeof a->kex, "%s", i.kex);
    snprintf(a->host_key, sizeof a->host_key, "%s", i.host_key);
    snprintf(a->cipher, sizeof a->cipher, "%s", i.cipher_out);
    snprintf(a->mac, sizeof a->mac, "%s", i.mac_out);
    snprintf(a->comp, sizeof a->comp, "%s", i.comp_out);
}

static void on_authenticated(struct client *c)
{
    struct tally *t = c->shared->tally;
    c->stage = CLIENT_READY;
    c->counted = true;
    tally_add(&t->open, 1);
    t->logins++;
    bench_histogram_add(&t->login, (uint64_t)(nacre_clock_ns() - c->started_ns));
    take_agreed(c);
    if (c->shared->ops->logged_in != NULL)
        c->shared->ops->logged_in(c);
}

void bench_client_record(struct client *c)
{
    struct conn_info i;
    if (c->counted) {
        tally_add(&c->shared->tally->open, UINT64_MAX);
        nacre_conn_info(c->conn, &i);
        c->shared->tally->rekeys += i.rekeys;
    }
    c->counted = false;
}

/* ---- channel --------------------------------------------------------------------------------------------------- */

void bench_client_open(struct client *c)
{
    bench_client_expect(c, true);
    enum nacre_error e =
        nacre_chan_open(c->conn, span_str("session"), span_of(NULL, 0), &c->channel, c->shared->loop.now_ns);
    if (e != NACRE_OK)
        bench_client_fail(c, FAILED_CHANNEL, "the channel could not be opened");
}

/* RFC 4254 section 6.5. */
void bench_client_exec(struct client *c, const char *command)
{
    uint8_t data[COMMAND_MAX];
    struct wr w = wr_over(data, sizeof data);
    wr_cstring(&w, command);
    bench_client_expect(c, true);
    if (!wr_done(&w) || nacre_chan_request(c->conn, c->channel, span_str("exec"), true, wr_span(&w),
                                           c->shared->loop.now_ns) != NACRE_OK)
        bench_client_fail(c, FAILED_CHANNEL, "the command could not be sent");
}

void bench_client_send(struct client *c, struct block *block)
{
    if (nacre_chan_send(c->conn, c->channel, 0, block, c->shared->loop.now_ns) != NACRE_OK)
        bench_client_fail(c, FAILED_CHANNEL, "the channel takes no data any more");
}

void bench_client_send_eof(struct client *c)
{
    if (nacre_chan_send_eof(c->conn, c->channel, c->shared->loop.now_ns) != NACRE_OK)
        bench_client_fail(c, FAILED_CHANNEL, "the channel takes no end of data");
}

struct block *bench_client_block(struct client *c, size_t size)
{
    struct block *b = nacre_chan_block(&c->shared->pool, size);
    if (b == NULL)
        bench_client_fail(c, FAILED_LOCAL, "out of memory for data to send");
    return b;
}

static void on_data(struct client *c, const struct conn_event *e)
{
    if (e->channel != c->channel)
        return;
    if (e->extended != 0)
        put_text(c->complaint, sizeof c->complaint, e->data);
    else if (c->shared->ops->data != NULL)
        c->shared->ops->data(c, e->data);
    nacre_chan_consumed(c->conn, e->channel, e->data.len, c->shared->loop.now_ns);
}

/* RFC 4254 section 6.10; e->data begins with the channel number. */
static void on_request(struct client *c, const struct conn_event *e)
{
    struct rd r = rd_over(e->data);
    rd_u32(&r);
    rd_string(&r, REQUEST_KIND_MAX);
    rd_bool(&r);
    if (span_is(e->kind, "exit-status")) {
        uint32_t status = rd_u32(&r);
        c->exit_status = r.bad || status > 255 ? 255 : (int)status;
    } else if (span_is(e->kind, "exit-signal")) {
        c->exit_status = 255;
    }
}

/* ---- the sink -------------------------------------------------------------------------------------------------- */

static bool on_ask(void *context, const struct conn_event *e, struct conn_answer *answer)
{
    struct client *c = context;
    memset(answer, 0, sizeof *answer);
    if (e->type == CONN_CHANNEL_REQUEST)
        on_request(c, e);
    answer->accept = e->type == CONN_HOST_KEY;
    return true;
}

/* The process has nothing better to do meanwhile: it has one thread, and its processor. */
static enum work_fate on_work(void *context, struct work *work)
{
    (void)context;
    work->run(work);
    return WORK_DONE;
}

static void on_disconnected(struct client *c, const struct conn_event *e)
{
    if (c->finishing || c->failure != FAILED_NONE)
        return;
    char what[48];
    snprintf(what, sizeof what, "connection ended (error %d)", (int)e->error);
    fail_with(c, bench_client_failure(c), what, e->text);
}

static void on_ended(struct client *c, const struct conn_event *e)
{
    if (e->channel != c->channel)
        return;
    c->closed = c->closed || e->type == CONN_CHANNEL_CLOSED;
    if (c->shared->ops->ended != NULL)
        c->shared->ops->ended(c);
}

static void on_reply(struct client *c, const struct conn_event *e)
{
    if (!e->accepted)
        bench_client_fail(c, FAILED_CHANNEL, "the server refused the command");
    else if (c->shared->ops->running != NULL)
        c->shared->ops->running(c);
}

static bool is_progress(const struct conn_event *e)
{
    switch ((unsigned)e->type) {
    case CONN_KEX_DONE:
    case CONN_CHANNEL_OPENED:
    case CONN_CHANNEL_OPEN_FAILED:
    case CONN_CHANNEL_DATA:
    case CONN_CHANNEL_SENT:
    case CONN_CHANNEL_EOF:
    case CONN_CHANNEL_CLOSED:
    case CONN_CHANNEL_REPLY:
        return true;
    default:
        return false;
    }
}

static void on_event(void *context, const struct conn_event *e)
{
    struct client *c = context;
    const struct client_ops *ops = c->shared->ops;
    if (is_progress(e))
        c->progress_ns = c->shared->loop.now_ns;
    if (ops->heard != NULL && ops->heard(c, e))
        return;
    switch ((unsigned)e->type) { /* most of what can happen does not concern the load */
    case CONN_READY_FOR_AUTH:
        log_in(c);
        break;
    case CONN_AUTH_FAILED:
        fail_with(c, FAILED_LOGIN, "refused; the server would take", e->text);
        break;
    case CONN_AUTH_CHANGE:
        fail_with(c, FAILED_LOGIN, "the server wants a new password", e->text);
        break;
    case CONN_AUTHENTICATED:
        on_authenticated(c);
        break;
    case CONN_CHANNEL_OPENED:
        if (ops->opened != NULL)
            ops->opened(c);
        break;
    case CONN_CHANNEL_OPEN_FAILED:
        fail_with(c, FAILED_CHANNEL, "channel refused", e->text);
        break;
    case CONN_CHANNEL_REPLY:
        on_reply(c, e);
        break;
    case CONN_CHANNEL_DATA:
        on_data(c, e);
        break;
    case CONN_CHANNEL_SENT:
        if (ops->sent != NULL)
            ops->sent(c, e->bytes);
        break;
    case CONN_CHANNEL_EOF:
    case CONN_CHANNEL_CLOSED:
        on_ended(c, e);
        break;
    case CONN_DISCONNECTED:
        on_disconnected(c, e);
        break;
    default:
        break;
    }
}

const struct conn_sink bench_client_sink = {.event = on_event, .ask = on_ask, .work = on_work};
