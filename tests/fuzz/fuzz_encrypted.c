/* SPDX-License-Identifier: Apache-2.0 */
/* Two connections with real keys between them. The input's payloads are sealed by one and opened by the other, so that
 * what is fuzzed lies behind the integrity check; or a byte on the wire changes, which must never be taken. */
#include "fuzz/fuzz.h"
#include "fuzz/rig.h"
#include "ssh/conn_priv.h"

static void set_algorithms(struct rig *r, uint8_t by)
{
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr",
                                          "aes128-cbc"};
    static const char *const macs[] = {"hmac-sha2-256", "hmac-sha2-256-etm@openssh.com"};
    static const char *const comps[] = {"none", "zlib@openssh.com"};
    r->client.config.algorithms.kex = "curve25519-sha256";
    r->client.config.algorithms.cipher = ciphers[by & 3];
    r->client.config.algorithms.mac = macs[by >> 2 & 1];
    r->client.config.algorithms.comp = comps[by >> 3 & 1];
}

/* Logs in with answers that are not the input's. */
static void begin(struct rig *r, uint8_t how)
{
    struct input yes = input_over(NULL, 0), *in = r->in;
    r->in = &yes;
    set_algorithms(r, how);
    rig_start(r, &r->server);
    rig_start(r, &r->client);
    rig_join(r);
    if ((how & 0x10) == 0) {
        fuzz_must(nacre_conn_auth_password(r->client.conn, span_str("user"), span_str("pw")), "a client may log in");
        rig_join(r);
        fuzz_must(r->client.logged_in && r->server.logged_in, "a password logs in");
    }
    r->in = in;
}

static void seal(struct rig *r, uint8_t number, bool from_server)
{
    uint8_t room[CONN_PAYLOAD_MAX];
    struct rig_side *from = from_server ? &r->server : &r->client;
    struct span payload = rig_payload(r, number, room, sizeof room);
    if (!from->ended && !nacre_kex_is_out(from->conn))
        (void)nacre_packet_payload(from->conn, payload);
    rig_join(r);
}

/* Something is on the wire, and one bit of it turns over. */
static void damage(struct rig *r, bool from_server)
{
    struct rig_side *from = from_server ? &r->server : &r->client, *to = from_server ? &r->client : &r->server;
    size_t place = input_u16(r->in);
    (void)nacre_conn_global_request(from->conn, span_str("damaged"), false, span_of(NULL, 0), r->now_ns);
    rig_drain(from);
    if (from->out.len == 0 || from->ended || to->ended)
        return;
    from->out.at[place % from->out.len] ^= (uint8_t)(1U << (place & 7));
    rig_join(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    struct rig rig;
    rig_init(&rig, &in);
    begin(&rig, input_u8(&in));
    while (in.left != 0 && (!rig.server.ended || !rig.client.ended)) {
        uint8_t next = input_u8(&in);
        bool from_server = (input_u8(&in) & 1) != 0;
        struct rig_side *acting = from_server ? &rig.server : &rig.client;
        if (next == 0)
            damage(&rig, from_server);
        else if (next < ACTIONS_FROM)
            seal(&rig, next, from_server);
        else
            rig_act(acting, next);
        rig_join(&rig);
    }
    rig_free(&rig);
    return 0;
}
