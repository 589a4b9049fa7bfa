/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/places.h"

#include <criterion/criterion.h>

#include "ssh/conn_priv.h"
#include "ssh/kex.h"

size_t clear_packet(uint8_t *out, struct span payload)
{
    size_t padding = 8 - (5 + payload.len) % 8;

    if (padding < 4)
        padding += 8;
    struct wr w = wr_over(out, payload.len + 64);
    wr_u32(&w, (uint32_t)(1 + payload.len + padding));
    wr_u8(&w, (uint8_t)padding);
    wr_bytes(&w, payload.at, payload.len);
    memset(wr_take(&w, padding), 0, padding);
    return wr_len(&w);
}

struct side *side_of(struct pair *p, enum conn_role role)
{
    return role == CONN_SERVER ? &p->server : &p->client;
}

struct side *other_side(struct pair *p, enum conn_role role)
{
    return role == CONN_SERVER ? &p->client : &p->server;
}

void say_in_clear(struct side *to, bool with_version, struct span payload)
{
    uint8_t bytes[4096];
    static const char version[] = "SSH-2.0-x\r\n";
    size_t len = with_version ? sizeof version - 1 : 0;

    memcpy(bytes, version, len);
    len += clear_packet(bytes + len, payload);
    (void)nacre_conn_feed(to->conn, bytes, len, NULL, to->pair->now_ns);
}

void say_sealed(struct side *from, struct side *to, struct span payload)
{
    (void)nacre_packet_payload(from->conn, payload);
    pair_carry(from, to);
    pair_feed(to);
}

void say(struct pair *p, enum conn_role role, enum place place, struct span payload)
{
    if (place <= STRICT_KEX)
        say_in_clear(side_of(p, role), place == BEFORE_KEXINIT, payload);
    else
        say_sealed(other_side(p, role), side_of(p, role), payload);
}

/* The server is keyed once the client's NEWKEYS is in, and the client has nothing else on its way; the client while the
 * server thinks about the service. */
static void go_to_service(struct pair *p, enum conn_role role)
{
    struct conn_answer yes = {.accept = true};

    p->client.leaves_open[CONN_HOST_KEY] = role == CONN_SERVER;
    p->server.leaves_open[CONN_SERVICE_REQUEST] = role == CONN_CLIENT;
    pair_start(p);
    pair_run(p);
    if (role == CONN_CLIENT)
        return;
    p->client.conn->sends_ext_info = false;
    (void)nacre_conn_answer(p->client.conn, side_event(&p->client, CONN_HOST_KEY, 0)->serial, &yes, p->now_ns);
    pair_carry(&p->client, &p->server);
    pair_feed(&p->server);
}

static void go_to_rekey(struct pair *p, enum conn_role role)
{
    struct side *from = other_side(p, role), *to = side_of(p, role);

    pair_login(p);
    (void)nacre_conn_rekey(from->conn, p->now_ns);
    pair_carry(from, to);
    pair_feed(to);
    from->conn->kex->we_sent = false; /* it does not hold anything back */
}

struct pair *pair_at(enum conn_role role, enum place place, const char *kex)
{
    struct pair *p = pair_new();

    p->server.config.strict_kex = place != LAX_KEX;
    if (kex != NULL)
        p->client.config.algorithms.kex = kex;
    if (place == SERVICE || place == REKEYING) {
        (place == SERVICE ? go_to_service : go_to_rekey)(p, role);
        return p;
    }
    if (place == LOGGED_IN) {
        pair_login(p);
        return p;
    }
    pair_start(p);
    if (place == LOGIN)
        pair_run(p);
    if (place == LAX_KEX || place == STRICT_KEX) {
        pair_carry(other_side(p, role), side_of(p, role));
        pair_feed(side_of(p, role));
    }
    return p;
}
