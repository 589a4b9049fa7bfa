/* SPDX-License-Identifier: Apache-2.0 */
/* See rig.h. */
#include "fuzz/rig.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/faults.h"
#include "ssh/conn_priv.h"

static const int64_t second_ns = 1000 * 1000 * 1000;

/* ---- life ------------------------------------------------------------------------------------------------------- */

/* Two keys, of which the second signs certificates. */
static struct span authorities(void)
{
    static uint8_t room[2 * KEY_BLOB_MAX];
    struct wr w = wr_over(room, sizeof room);
    wr_cstring(&w, "another");
    wr_string(&w, nacre_key_blob(fuzz_key()));
    return wr_span(&w);
}

static void configure(struct rig *r, struct rig_side *s, enum conn_role role)
{
    const struct nacre_crypto *c = fuzz_crypto();
    s->rig = r;
    s->config = (struct conn_config){
        .role = role,
        .crypto = c,
        .algorithms = {.kex = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256",
                       .host_key = "ssh-ed25519",
                       .cipher = "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-cbc",
                       .mac = "hmac-sha2-256,hmac-sha2-256-etm@openssh.com",
                       .comp = "none,zlib@openssh.com,zlib",
                       .user_signature = nacre_algs_usable(c, ALG_KEY)},
        .version = role == CONN_SERVER ? "SSH-2.0-nacre_fuzz" : "SSH-2.0-nacre_fuzz_client",
        .strict_kex = 1,
        .rekey_bytes = 1 << 20,
        .rekey_timeout_ns = 60 * second_ns,
        .login_grace_ns = 120 * second_ns,
        .answer_timeout_ns = 30 * second_ns,
        .keepalive_ns = 10 * second_ns,
        .keepalive_max = 3,
        .max_auth_attempts = 6,
        .auth_methods = "password,publickey,keyboard-interactive,hostbased",
        .announce_host_keys = true,
        .max_channels = RIG_CHANNELS,
        .window_bytes = 64U << 10,
        .window_max = 256U << 10,
        .windows_max = 1U << 20,
        .send_high = 64U << 10,
        .log_level = 3,
        .status = true,
    };
    if (role == CONN_SERVER)
        s->config.user_authorities = authorities();
    nacre_buf_init(&s->out, RIG_WIRE_MAX);
    nacre_buf_init(&s->wanted, RIG_WIRE_MAX);
}

void rig_init(struct rig *r, struct input *in)
{
    *r = (struct rig){.in = in, .now_ns = second_ns};
    fuzz_restart_random();
    nacre_pool_init(&r->pool, 64U << 20);
    r->host_keys[0] = fuzz_key();
    r->host_key_count = 1;
    configure(r, &r->server, CONN_SERVER);
    configure(r, &r->client, CONN_CLIENT);
}

static void free_side(struct rig_side *s)
{
    nacre_conn_free(s->conn);
    if (s->work != NULL)
        nacre_work_drop(s->work);
    nacre_buf_free(&s->out);
    nacre_buf_free(&s->wanted);
}

void rig_free(struct rig *r)
{
    free_side(&r->server);
    free_side(&r->client);
    fuzz_must(r->pool.used == 0, "every block has come back");
    nacre_pool_destroy(&r->pool);
}

void rig_start(struct rig *r, struct rig_side *s)
{
    static const struct conn_prompt prompts[] = {{.prompt = {(const uint8_t *)"one", 3}},
                                                 {.prompt = {(const uint8_t *)"two", 3}, .echo = true}};
    s->conn = nacre_conn_new(&s->config, &rig_sink, s, &r->pool);
    fuzz_must(s->conn != NULL, "there is memory");
    if (s->config.role == CONN_SERVER) {
        (void)nacre_conn_set_host_keys(s->conn, r->host_keys, r->host_key_count);
        (void)nacre_conn_set_prompts(s->conn, span_str("say"), prompts, 2);
        (void)nacre_conn_set_banner(s->conn, "hello\n");
    }
    nacre_conn_start(s->conn, r->now_ns);
    rig_drain(s);
}

void rig_skip_kex(struct rig_side *s)
{
    struct conn *c = s->conn;
    nacre_kex_free(c);
    c->kex_count = 1;
    c->session_id_len = 32;
    c->host_key = nacre_key_ref(fuzz_key());
    c->host_key_alg = nacre_sig_find(c->config->crypto, span_str("ssh-ed25519"));
    c->peer_version = strdup("SSH-2.0-OpenSSH_9.2");
    nacre_conn_enter(c, PHASE_SERVICE);
}

void rig_skip_login(struct rig_side *s)
{
    rig_skip_kex(s);
    nacre_conn_enter(s->conn, PHASE_AUTH);
    s->said_yes = true;
    (void)nacre_conn_authenticated(s->conn, span_str("user"), span_str("password"));
    rig_discard(s);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

void rig_drain(struct rig_side *s)
{
    struct span out;
    while (!s->is_deaf && nacre_conn_output(s->conn, &out, 1) != 0) {
        fuzz_must(nacre_buf_append(&s->out, out.at, out.len), "output has a bound");
        nacre_conn_output_take(s->conn, out.len, s->rig->now_ns);
    }
}

void rig_discard(struct rig_side *s)
{
    rig_drain(s);
    s->out.len = 0;
}

void rig_feed(struct rig_side *s, struct span bytes)
{
    uint8_t *copy = malloc(bytes.len + 1);
    fuzz_must(copy != NULL, "there is memory");
    if (bytes.len != 0)
        memcpy(copy, bytes.at, bytes.len);
    for (size_t at = 0, used = 1; at < bytes.len && used != 0; at += used) {
        fuzz_faults_inside(true);
        used = nacre_conn_feed(s->conn, copy + at, bytes.len - at, NULL, s->rig->now_ns);
        fuzz_faults_inside(false);
        fuzz_must(used <= bytes.len - at, "no more is used than there is");
        rig_drain(s);
    }
    free(copy);
}

void rig_feed_payload(struct rig_side *s, struct span payload)
{
    uint8_t packet[CONN_PACKET_MAX + 64] = {0};
    size_t padding = 8 - (5 + payload.len) % 8;
    padding += padding < 4 ? 8 : 0;
    struct wr w = wr_over(packet, sizeof packet);
    wr_u32(&w, (uint32_t)(1 + payload.len + padding));
    wr_u8(&w, (uint8_t)padding);
    wr_bytes(&w, payload.at, payload.len);
    if (wr_take(&w, padding) != NULL)
        rig_feed(s, wr_span(&w));
}

/* What one side does not take yet is offered again with what follows it. */
static bool hear(struct rig_side *s, struct rig_side *from)
{
    size_t before = from->out.len;
    fuzz_faults_inside(true);
    size_t used = before == 0 ? 0 : nacre_conn_feed(s->conn, from->out.at, before, NULL, s->rig->now_ns);
    fuzz_faults_inside(false);
    if (before != 0)
        nacre_buf_drop(&from->out, used);
    rig_drain(s);
    return from->out.len != before;
}

void rig_join(struct rig *r)
{
    bool moved = true;
    rig_drain(&r->server);
    rig_drain(&r->client);
    while (moved) {
        bool there = hear(&r->server, &r->client), back = hear(&r->client, &r->server);
        moved = there || back;
    }
}

struct span rig_payload(struct rig *r, uint8_t number, uint8_t *room, size_t size)
{
    struct span body = input_span(r->in);
    struct wr w = wr_over(room, size);
    wr_u8(&w, number);
    wr_bytes(&w, body.at, body.len < size - 1 ? body.len : size - 1);
    return wr_span(&w);
}
