/* SPDX-License-Identifier: Apache-2.0 */
/* A whole conversation: both roles, real keys, every way to log in, and what either application does, in any order. The
 * input chooses algorithms and limits, who does what, what is answered, what is damaged on the wire, and which
 * allocation or cryptographic call fails. */
#include <string.h>

#include "fuzz/faults.h"
#include "fuzz/rig.h"
#include "fuzz/session.h"
#include "ssh/conn_priv.h"

struct session {
    struct rig rig;
    struct budget budget;
    bool crosses; /* what the sides say crosses on its way: nobody hears before SESSION_HEAR */
};

/* ---- how it begins ---------------------------------------------------------------------------------------------- */

static void set_algorithms(struct session *x, uint8_t by, uint8_t more)
{
    static const char *const kexes[] = {"curve25519-sha256",
                                        "ecdh-sha2-nistp256",
                                        "diffie-hellman-group-exchange-sha256",
                                        "mlkem768x25519-sha256,curve25519-sha256",
                                        "diffie-hellman-group14-sha256,curve25519-sha256",
                                        "unheard-of@example.com",
                                        "curve25519-sha256,unheard-of@example.com",
                                        "sntrup761x25519-sha512,ecdh-sha2-nistp256,curve25519-sha256"};
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr",
                                          "aes128-cbc"};
    static const char *const macs[] = {"hmac-sha2-256", "hmac-sha2-256-etm@openssh.com", "unheard-of", ""};
    static const char *const comps[] = {"none", "zlib@openssh.com", "zlib", "unheard-of"};
    static const char *const host_keys[] = {"ssh-ed25519",
                                            "rsa-sha2-256",
                                            "ecdsa-sha2-nistp256",
                                            "unheard-of",
                                            "ssh-rsa",
                                            "rsa-sha2-512,ssh-ed25519",
                                            "ssh-ed25519,rsa-sha2-256",
                                            "x"};
    struct conn_algorithms *ours = &x->rig.client.config.algorithms, *theirs = &x->rig.server.config.algorithms;
    ours->kex = kexes[by & 7];
    ours->cipher = ciphers[by >> 3 & 3];
    ours->mac = macs[by >> 5 & 3];
    ours->comp = comps[more & 3];
    ours->host_key = host_keys[more >> 2 & 7];
    theirs->kex = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256,"
                  "diffie-hellman-group14-sha256,mlkem768x25519-sha256,sntrup761x25519-sha512";
    theirs->host_key = "ssh-ed25519,rsa-sha2-256,rsa-sha2-512,ssh-rsa,ecdsa-sha2-nistp256";
    x->rig.client.config.strict_kex = more >> 5 & 3;
    x->rig.server.config.strict_kex = (more >> 7) * 3U;
}

static void set_limits(struct session *x, uint8_t by, uint8_t more)
{
    static const char *const versions[] = {"SSH-2.0-fuzz", "SSH-2.0-TTSSH/2.70 Win32", "SSH-2.0-TTSSH/3.1 Win32",
                                           "SSH-2.0-Cisco-1.25"};
    struct conn_config *server = &x->rig.server.config, *client = &x->rig.client.config;
    client->version = versions[by & 3];
    server->login_bytes_max = (by & 4) != 0 ? 3000 : 0;
    server->login_packets_max = (by & 8) != 0 ? 5 : 0;
    server->max_auth_attempts = (by & 16) != 0 ? 1 : 6;
    server->rekey_bytes = (by & 32) != 0 ? 2000 : 1 << 20;
    client->rekey_packets = (by & 64) != 0 ? 20 : 0;
    client->window_bytes = client->window_max = (by & 128) != 0 ? 1 : 64U << 10;
    server->send_high = (more & 1) != 0 ? 512 : 64U << 10;
    server->announce_host_keys = (more & 2) == 0;
    server->log_level = client->log_level = (more & 4) != 0 ? 0 : 3;
    server->log_secrets = (more & 8) != 0;
    server->version_pattern = (more & 16) != 0 ? "SSH-2.0-OpenSSH*" : NULL;
    server->max_channels = client->max_channels = (more & 32) != 0 ? 2 : RIG_CHANNELS;
    server->rekey_ns = (more & 64) != 0 ? INT64_C(5000000000) : 0;
    nacre_budget_init(&x->budget, (more & 128) != 0 ? 1U << 20 : 0);
    x->rig.pool.budget = &x->budget;
}

static void begin(struct session *x, struct input *in)
{
    uint8_t how[5];
    for (size_t i = 0; i < sizeof how; i++)
        how[i] = input_u8(in);
    rig_init(&x->rig, in);
    for (unsigned kind = FUZZ_ED25519; kind < FUZZ_CERTIFIED; kind++)
        x->rig.host_keys[kind] = fuzz_key_of((enum fuzz_key_kind)kind);
    x->rig.host_key_count = 1 + how[4] % 3;
    set_algorithms(x, how[0], how[1]);
    set_limits(x, how[2], how[3]);
    fuzz_fail_memory((how[4] & 64) != 0 ? 1U + how[4] / 4 % 16 : 0);
    fuzz_fail_crypto(0);
    x->rig.server.own_mind = x->rig.client.own_mind = true;
    rig_start(&x->rig, &x->rig.server);
    rig_start(&x->rig, &x->rig.client);
    rig_join(&x->rig);
    if ((how[4] & 128) != 0 || x->rig.client.ended)
        return;
    (void)nacre_conn_auth_password(x->rig.client.conn, span_str("user"), span_str("pw"));
    rig_join(&x->rig);
}

/* ---- what is done ----------------------------------------------------------------------------------------------- */

static void log_in(struct session *x, struct rig_side *s)
{
    static const char *const algorithms[] = {NULL, "rsa-sha2-256", "ssh-rsa", "unheard-of"};
    struct conn *c = x->rig.client.conn;
    struct span user = span_str("user"), word = span_str("pw"), responses[20] = {word, word};
    uint8_t how = input_u8(x->rig.in), which = input_u8(x->rig.in);
    struct key *key = fuzz_key_of((enum fuzz_key_kind)(which % FUZZ_KEYS));
    (void)s;
    switch (how % 8) {
    case 0:
        (void)nacre_conn_auth_none(c, user);
        break;
    case 1:
        (void)nacre_conn_auth_password(c, which == 0 ? user : span_str("another"), word);
        break;
    case 2:
        (void)nacre_conn_auth_change(c, user, word, span_str("new"));
        break;
    case 3:
        (void)nacre_conn_auth_kbdint(c, user);
        break;
    case 4:
        (void)nacre_conn_auth_responses(c, responses, which % 20);
        break;
    case 5:
        (void)nacre_conn_auth_publickey(c, user, key, algorithms[which >> 2 & 3]);
        break;
    case 6:
        (void)nacre_conn_auth_query(c, user, key, algorithms[which >> 2 & 3]);
        break;
    default:
        (void)nacre_conn_auth_hostbased(c, user, key, NULL, span_str("host.example."), user);
        break;
    }
}

static void open_channel(struct session *x, struct rig_side *s)
{
    static const char *const kinds[] = {"session", "direct-tcpip", "forwarded-tcpip", "x11"};
    uint32_t number;
    uint8_t kind = input_u8(x->rig.in);
    if (nacre_chan_open(s->conn, span_str(kinds[kind & 3]), span_str("data"), &number, x->rig.now_ns) != NACRE_OK)
        return;
    fuzz_must(number < RIG_CHANNELS && !s->live[number], "a channel that is opened was not there");
    s->asked[number] = true;
    s->unread[number] = 0;
}

/* As a peer does that keeps to the packets and to nothing else. */
static void seal_payload(struct session *x, struct rig_side *s)
{
    uint8_t room[CONN_PAYLOAD_MAX];
    struct span payload = rig_payload(&x->rig, input_u8(x->rig.in), room, sizeof room);
    if (!s->ended && !nacre_kex_is_out(s->conn))
        (void)nacre_packet_payload(s->conn, payload);
}

static void damage(struct session *x, struct rig_side *s)
{
    size_t place = input_u16(x->rig.in);
    (void)nacre_conn_global_request(s->conn, span_str("damaged"), false, span_of(NULL, 0), x->rig.now_ns);
    fuzz_faults_inside(false);
    rig_drain(s);
    if (s->out.len != 0)
        s->out.at[place % s->out.len] ^= (uint8_t)(1U << (place & 7));
}

static void fail_memory(struct session *x, struct rig_side *s)
{
    (void)s;
    fuzz_fail_memory(input_u8(x->rig.in));
}

static void fail_crypto(struct session *x, struct rig_side *s)
{
    (void)s;
    fuzz_fail_crypto(input_u8(x->rig.in));
}

static void set_mind(struct session *x, struct rig_side *s)
{
    s->says = input_u8(x->rig.in);
    s->own_mind = (s->says & 0x80) == 0;
}

static void look(struct session *x, struct rig_side *s)
{
    struct conn_info info;
    (void)x;
    nacre_conn_info(s->conn, &info);
    s->sum += strlen(info.user) + strlen(info.cipher_in) + strlen(info.mac_out) + strlen(info.comp_in) +
              nacre_conn_memory(s->conn) + nacre_conn_output_bytes(s->conn);
    fuzz_must(nacre_conn_deadline(s->conn) >= 0, "a deadline is a time");
    for (uint32_t n = 0; n < RIG_CHANNELS; n++)
        fuzz_must(nacre_chan_queued(s->conn, n) <= (size_t)32 << 20, "R30: what a channel queues has a bound");
}

static void prove(struct session *x, struct rig_side *s)
{
    uint8_t which = input_u8(x->rig.in), room[4 * KEY_BLOB_MAX];
    struct wr w = wr_over(room, sizeof room);
    for (unsigned kind = FUZZ_ED25519; kind < FUZZ_CERTIFIED; kind++)
        if ((which >> kind & 1) != 0)
            wr_string(&w, nacre_key_blob(fuzz_key_of((enum fuzz_key_kind)kind)));
    if ((which & 8) != 0) /* once more */
        wr_string(&w, nacre_key_blob(fuzz_key()));
    if ((which & 16) != 0)
        wr_u32(&w, 77);
    struct span blobs = wr_span(&w);
    fuzz_faults_inside(false);
    s->wanted.len = 0;
    fuzz_must(blobs.len == 0 || nacre_buf_append(&s->wanted, blobs.at, blobs.len), "there is memory");
    (void)nacre_conn_global_request(s->conn, span_str("hostkeys-prove-00@openssh.com"), (which & 32) == 0, blobs,
                                    x->rig.now_ns);
}

static void do_long(struct session *x, struct rig_side *s)
{
    static uint8_t junk[CONN_PAYLOAD_MAX];
    uint8_t how = input_u8(x->rig.in), of = input_u8(x->rig.in);
    struct span data = span_of(junk, (size_t)of * 128);
    int64_t now = x->rig.now_ns;
    switch (how % 4) {
    case 0:
        (void)nacre_conn_global_request(s->conn, span_str("x"), (how & 4) != 0, data, now);
        break;
    case 1:
        (void)nacre_chan_request(s->conn, how >> 4 & 3, span_str("exec"), (how & 4) != 0, data, now);
        break;
    case 2:
        (void)nacre_conn_ping(s->conn, data, now);
        break;
    default:
        junk[0] = of;
        (void)nacre_conn_send_payload(s->conn, span_of(junk, 40), now);
        junk[0] = 0;
        break;
    }
}

static void cross(struct session *x, struct rig_side *s)
{
    (void)s;
    x->crosses = true;
}

static void hear(struct session *x, struct rig_side *s)
{
    (void)s;
    x->crosses = false;
}

static void act(struct session *x, struct rig_side *s)
{
    rig_act(s, (uint8_t)(ACTIONS_FROM + input_u8(x->rig.in) % RIG_ACTIONS));
}

static void again(struct session *x, struct rig_side *s)
{
    unsigned times = input_u8(x->rig.in);
    for (unsigned i = 0; i < times && !s->ended; i++)
        (void)nacre_conn_global_request(s->conn, span_str("again"), true, span_of(NULL, 0), x->rig.now_ns);
}

static void (*const acts[SESSION_ACTS])(struct session *, struct rig_side *) = {
    [SESSION_ACT] = act,
    [SESSION_LOG_IN] = log_in,
    [SESSION_OPEN] = open_channel,
    [SESSION_SEAL] = seal_payload,
    [SESSION_DAMAGE] = damage,
    [SESSION_FAIL_MEMORY] = fail_memory,
    [SESSION_FAIL_CRYPTO] = fail_crypto,
    [SESSION_SAY] = set_mind,
    [SESSION_LOOK] = look,
    [SESSION_PROVE] = prove,
    [SESSION_LONG] = do_long,
    [SESSION_CROSS] = cross,
    [SESSION_HEAR] = hear,
    [SESSION_AGAIN] = again,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    static struct session x;
    memset(&x, 0, sizeof x);
    begin(&x, &in);
    while (in.left != 0 && (!x.rig.server.ended || !x.rig.client.ended)) {
        uint8_t next = input_u8(&in);
        struct rig_side *s = (next & 1) != 0 ? &x.rig.server : &x.rig.client;
        fuzz_faults_inside(true);
        acts[(next >> 1) % SESSION_ACTS](&x, s);
        fuzz_faults_inside(false);
        if (x.crosses)
            rig_drain(s);
        else
            rig_join(&x.rig);
    }
    fuzz_fail_memory(0);
    fuzz_fail_crypto(0);
    rig_free(&x.rig);
    return 0;
}
