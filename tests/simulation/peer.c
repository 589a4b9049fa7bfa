/* SPDX-License-Identifier: Apache-2.0 */
/* See peer.h. */
#include "simulation/peer.h"

#include <string.h>

#include "base/plat.h"
#include "support/sink.h"

enum {
    PIECE_MAX = 40000,
    IN_MAX = 4 << 20,
    STREAM_MAX = 300000,
};

static const int64_t ms_ns = 1000 * 1000;

/* ---- what it hears ---------------------------------------------------------------------------------------------- */

static struct peer_channel *channel_of(struct peer *p, uint32_t number)
{
    sim_must(number < PEER_CHANNELS && p->channels[number].used, "R37: an event is about a channel that there is");
    return &p->channels[number];
}

static void on_channel(struct peer *p, const struct conn_event *e)
{
    struct peer_channel *ch = channel_of(p, e->channel);
    switch ((int)e->type) {
    case CONN_CHANNEL_OPENED:
        ch->opened = true;
        break;
    case CONN_CHANNEL_OPEN_FAILED:
        ch->used = false;
        break;
    case CONN_CHANNEL_DATA:
        sim_must(!ch->got_eof, "R46: data follows the end");
        stream_take(&ch->in, e->data.at, e->data.len, "client");
        nacre_chan_consumed(p->conn, e->channel, e->data.len, nacre_clock_ns());
        break;
    case CONN_CHANNEL_EOF:
        sim_must(stream_is_whole(&ch->in), "R46: the client was told the end after %llu of %llu bytes",
                 (unsigned long long)ch->in.at, (unsigned long long)ch->in.len + STREAM_HEAD);
        ch->got_eof = true;
        break;
    case CONN_CHANNEL_CLOSED:
        *ch = (struct peer_channel){.used = false};
        break;
    default:
        break;
    }
}

static void on_event(void *context, const struct conn_event *e)
{
    struct peer *p = context;
    sim_must(!p->ended, "nothing follows CONN_DISCONNECTED");
    switch ((int)e->type) {
    case CONN_READY_FOR_AUTH:
        p->ready = true;
        break;
    case CONN_AUTHENTICATED:
        sim_must(p->knows_password, "R33: somebody without the password has logged in");
        p->authenticated = true;
        break;
    case CONN_AUTH_FAILED:
        p->asking = false;
        break;
    case CONN_DISCONNECTED:
        p->ended = true;
        sim_tell("client %p: ended, %d, %.*s", (void *)p->far, (int)e->error, (int)e->text.len,
                 (const char *)e->text.at);
        break;
    case CONN_CHANNEL_OPENED:
    case CONN_CHANNEL_OPEN_FAILED:
    case CONN_CHANNEL_DATA:
    case CONN_CHANNEL_EOF:
    case CONN_CHANNEL_CLOSED:
        on_channel(p, e);
        break;
    default:
        break;
    }
}

static const struct conn_sink sink = {.event = on_event, .ask = sink_says_yes, .work = sink_works_at_once};

/* ---- life ------------------------------------------------------------------------------------------------------- */

void peer_begin(struct peer *p, io_socket listener)
{
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"};
    static const char *const comps[] = {"none", "none", "zlib@openssh.com"};
    static const char *const kexes[] = {"curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"};
    *p = (struct peer){.used = true, .crypto = nacre_crypto_open(false), .knows_password = !sim_one_in(5)};
    nacre_pool_init(&p->pool, 0);
    nacre_buf_init(&p->in, IN_MAX);
    p->config = (struct conn_config){
        .role = CONN_CLIENT,
        .crypto = p->crypto,
        .algorithms = {.kex = kexes[sim_one_in(8) ? 2 : sim_below(2)],
                       .host_key = "ssh-ed25519",
                       .cipher = ciphers[sim_below(3)],
                       .mac = "hmac-sha2-256",
                       .comp = comps[sim_below(3)],
                       .user_signature = "ssh-ed25519"},
        .version = "SSH-2.0-nacre_simulation",
        .strict_kex = 1,
        .rekey_bytes = sim_one_in(3) ? 20000 + sim_below(100000) : 0,
        .max_channels = PEER_CHANNELS,
        .window_bytes = 32768U << sim_below(4),
        .window_max = 1U << 20,
        .send_high = 256U << 10,
    };
    p->far = fake_dial(listener);
    if (sim_one_in(3))
        fake_limit(p->far, 1 + sim_below(3000), 1 + sim_below(3000));
    if (sim_one_in(4))
        fake_room(p->far, 1 + sim_below(20000));
    p->conn = nacre_conn_new(&p->config, &sink, p, &p->pool);
    nacre_conn_start(p->conn, nacre_clock_ns());
}

bool peer_is_over(const struct peer *p)
{
    return p->leaves || (fake_is_closed(p->far) || (p->ended && fake_got_fin(p->far)));
}

void peer_end(struct peer *p)
{
    fake_cut(p->far, NACRE_E_CONNRESET);
    nacre_conn_free(p->conn);
    nacre_buf_free(&p->in);
    sim_must(p->pool.used == 0, "the client's blocks have come back");
    nacre_pool_destroy(&p->pool);
    nacre_crypto_unref(p->crypto);
    p->used = false;
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static void carry_out(struct peer *p)
{
    struct span s;
    if (nacre_conn_output(p->conn, &s, 1) == 0)
        return;
    size_t len = sim_one_in(3) ? s.len : 1 + sim_below((uint32_t)s.len);
    if (fake_feed(p->far, s.at, len))
        nacre_conn_output_take(p->conn, len, nacre_clock_ns());
}

static void carry_in(struct peer *p)
{
    static uint8_t room[PIECE_MAX];
    if (p->deaf_until_ns > nacre_clock_ns() || !nacre_conn_wants_input(p->conn))
        return;
    size_t n = fake_take(p->far, room, sim_one_in(3) ? sizeof room : 1 + sim_below(2000));
    sim_must(nacre_buf_append(&p->in, room, n), "the world has memory");
    nacre_buf_drop(&p->in, nacre_conn_feed(p->conn, p->in.at, p->in.len, NULL, nacre_clock_ns()));
    if (fake_got_fin(p->far) && !p->ended)
        nacre_conn_feed_eof(p->conn, nacre_clock_ns());
}

static void ask_in(struct peer *p)
{
    const char *password = p->knows_password ? "pw" : "wrong";
    if (p->asking || !nacre_conn_auth_password(p->conn, span_str("user"), span_str(password)))
        return;
    p->asking = true;
}

static void open_one(struct peer *p)
{
    uint32_t number;
    if (nacre_chan_open(p->conn, span_str("session"), span_of(NULL, 0), &number, nacre_clock_ns()) != NACRE_OK)
        return;
    sim_must(number < PEER_CHANNELS, "channel numbers stay below the limit");
    p->channels[number] =
        (struct peer_channel){.used = true, .out = {.key = sim_random(), .len = sim_below(STREAM_MAX)}};
}

static void send_some(struct peer *p, uint32_t number)
{
    struct peer_channel *ch = &p->channels[number];
    size_t left = (size_t)stream_left(&ch->out), len = 1 + sim_below(sim_one_in(4) ? 30000 : 200);
    len = len < left ? len : left;
    if (len == 0 || nacre_chan_queued(p->conn, number) > (size_t)STREAM_MAX)
        return;
    struct block *b = nacre_chan_block(&p->pool, len);
    sim_must(b != NULL, "the world has memory");
    stream_fill(&ch->out, b->at + b->start, len);
    if (nacre_chan_send(p->conn, number, 0, b, nacre_clock_ns()) == NACRE_OK)
        ch->out.at += len;
}

static void act_on_channel(struct peer *p, uint32_t number)
{
    struct peer_channel *ch = &p->channels[number];
    if (!ch->opened)
        return;
    if (!ch->sent_eof)
        send_some(p, number);
    if (!ch->sent_eof && stream_left(&ch->out) == 0) {
        ch->sent_eof = nacre_chan_send_eof(p->conn, number, nacre_clock_ns()) == NACRE_OK;
        return;
    }
    if (sim_one_in(200) || (ch->sent_eof && ch->got_eof && sim_one_in(4)))
        (void)nacre_chan_close(p->conn, number, nacre_clock_ns());
    else if (sim_one_in(60))
        (void)nacre_chan_request(p->conn, number, span_str("exec"), true, span_str(""), nacre_clock_ns());
}

static void act(struct peer *p)
{
    uint32_t number = sim_below(PEER_CHANNELS);
    if (p->ready && !p->authenticated && sim_one_in(3))
        ask_in(p);
    if (!p->authenticated)
        return;
    if (!p->channels[number].used && sim_one_in(4))
        open_one(p);
    else if (p->channels[number].used)
        act_on_channel(p, number);
    if (sim_one_in(150))
        (void)nacre_conn_rekey(p->conn, nacre_clock_ns());
    if (sim_one_in(150))
        (void)nacre_conn_global_request(p->conn, span_str("unknown@example.com"), true, span_of(NULL, 0),
                                        nacre_clock_ns());
    if (sim_one_in(300))
        p->deaf_until_ns = nacre_clock_ns() + (int64_t)sim_below(20000) * ms_ns;
}

void peer_leave(struct peer *p)
{
    uint32_t how = sim_below(3);
    p->leaves = true;
    if (how == 0)
        nacre_conn_close(p->conn, NACRE_E_BY_APPLICATION, "leaving", nacre_clock_ns());
    if (how == 0)
        carry_out(p);
    if (how == 2)
        fake_cut(p->far, NACRE_E_CONNRESET);
    else
        fake_fin(p->far);
    sim_tell("client %p leaves by %u", (void *)p->far, how);
}

void peer_step(struct peer *p)
{
    if (p->leaves)
        return;
    if (nacre_conn_deadline(p->conn) <= nacre_clock_ns())
        nacre_conn_tick(p->conn, nacre_clock_ns());
    switch (sim_below(3)) {
    case 0:
        carry_out(p);
        break;
    case 1:
        carry_in(p);
        break;
    default:
        if (!p->ended)
            act(p);
        break;
    }
    if (sim_one_in(3000))
        peer_leave(p);
}
