/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes out of packets, RFC 4253 section 6: padding, MAC, encryption, all in the output block.
 *
 * Between our KEXINIT and our NEWKEYS only the key exchange and the transport's small fry may go out (RFC 4253
 * section 7.1); the rest is kept in conn.waiting, which is bounded (rules R14, R15). Channel data does not come here
 * meanwhile. */
#include "ssh/conn_priv.h"

/* Padding is inside the encryption and only has to differ from packet to packet, so it comes from a small generator
 * (splitmix64) that is seeded with each KEXINIT. In clear it is zero. */
static void fill_padding(struct conn *c, uint8_t *at, size_t len)
{
    if (c->out.keys.cipher == NULL) {
        nacre_wipe(at, len);
        return;
    }
    for (size_t i = 0; i < len; i += 8) {
        uint64_t z = c->padding += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        for (size_t j = i; j < len && j < i + 8; j++, z >>= 8)
            at[j] = (uint8_t)z;
    }
}

static bool encrypt(struct conn *c, uint8_t *at, size_t len)
{
    const struct keys *k = &c->out.keys;

    return k->cipher_alg->ops->seal(k->cipher, c->out.seq, at, len);
}

static bool add_mac(struct conn *c, uint8_t *at, size_t len)
{
    const struct keys *k = &c->out.keys;

    return k->mac_alg->ops->sum(k->mac, c->out.seq, at, len, at + len);
}

/* `end` bytes at `at` become a packet on the wire, their tag behind them. */
static bool protect(struct conn *c, uint8_t *at, size_t end)
{
    const struct keys *k = &c->out.keys;

    if (k->cipher == NULL)
        return true;
    if (k->cipher_alg->tag_len != 0)
        return encrypt(c, at, end - 4);
    if (keys_are_etm(k))
        return encrypt(c, at + 4, end - 4) && add_mac(c, at, end);
    return add_mac(c, at, end) && encrypt(c, at, end);
}

/* Seals the `len` payload bytes that lie PACKET_HEAD behind the used end of `b`. */
static enum step seal(struct conn *c, struct block *b, size_t len)
{
    const struct keys *k = &c->out.keys;
    uint8_t *at = b->at + b->start + b->len;
    size_t block_len = keys_block_len(k);
    size_t aligned = (keys_split_length(k) ? 1 : PACKET_HEAD) + len;
    size_t padding = block_len - aligned % block_len;

    if (padding < 4)
        padding += block_len;
    size_t end = PACKET_HEAD + len + padding;
    struct wr w = wr_over(at, PACKET_HEAD);
    wr_u32(&w, (uint32_t)(end - 4));
    wr_u8(&w, (uint8_t)padding);
    fill_padding(c, at + PACKET_HEAD + len, padding);
    if (!protect(c, at, end))
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "a packet could not be encrypted");
    end += keys_tag_len(k);
    nacre_output_add(c, b, end);
    c->out.seq++;
    c->out.packets++;
    c->out.bytes += end;
    /* A number used twice would be a nonce used twice. */
    if (c->out.packets > UINT32_MAX || (c->out.seq == 0 && c->kex_count == 0))
        return nacre_conn_fail(c, NACRE_E_INTERNAL, "too many packets without new keys");
    return STEP_NEXT;
}

static enum step seal_copy(struct conn *c, struct span payload)
{
    struct block *b = nacre_output_room(c, PACKET_HEAD + payload.len + PACKET_TAIL, 0);

    if (b == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a packet");
    struct wr w = wr_over(b->at + b->start + b->len + PACKET_HEAD, payload.len);
    wr_bytes(&w, payload.at, payload.len);
    return seal(c, b, payload.len);
}

/* A payload that was written aside: compresses it if need be, and seals it. */
static enum step send_aside(struct conn *c, struct span payload)
{
    const struct keys *k = &c->out.keys;
    struct buf deflated;

    if (k->comp == NULL)
        return seal_copy(c, payload);
    nacre_buf_init(&deflated, CONN_PACKET_MAX - PACKET_HEAD - PACKET_TAIL);
    enum step step = k->comp_alg->ops->run(k->comp, payload, &deflated)
                         ? seal_copy(c, buf_span(&deflated))
                         : nacre_conn_fail(c, NACRE_E_INTERNAL, "a packet could not be compressed");
    nacre_buf_wipe(&deflated);
    return step;
}

/* RFC 4253 section 7.1: what may go out between KEXINIT and NEWKEYS. */
static bool may_interrupt_kex(uint8_t type)
{
    return type < MSG_USERAUTH_REQUEST && type != MSG_SERVICE_REQUEST && type != MSG_SERVICE_ACCEPT &&
           type != MSG_EXT_INFO;
}

static bool has_to_wait(const struct conn *c, uint8_t type)
{
    return !may_interrupt_kex(type) && nacre_kex_is_out(c);
}

void nacre_packet_open_bulk(struct conn *c, struct packet *p, uint8_t type, size_t room, size_t more)
{
    *p = (struct packet){.type = type, .refused = conn_is_closing(c) && !c->last_words};
    p->w = wr_over(NULL, 0);
    nacre_buf_init(&p->aside, CONN_INFLATE_MAX);
    if (p->refused || room > CONN_PACKET_MAX)
        return;
    room += 1;
    if (has_to_wait(c, type) || c->out.keys.comp != NULL) {
        p->w = wr_over(nacre_buf_reserve(&p->aside, room), room);
    } else {
        p->block = nacre_output_room(c, PACKET_HEAD + room + PACKET_TAIL, more);
        if (p->block != NULL)
            p->w = wr_over(p->block->at + p->block->start + p->block->len + PACKET_HEAD, room);
    }
    wr_u8(&p->w, type);
}

void nacre_packet_open(struct conn *c, struct packet *p, uint8_t type, size_t room)
{
    nacre_packet_open_bulk(c, p, type, room, 0);
}

static enum step close_aside(struct conn *c, struct packet *p)
{
    struct span payload = wr_span(&p->w);

    if (!has_to_wait(c, p->type))
        return send_aside(c, payload);
    if (!nacre_lane_put(&c->waiting, WAITING_MAX, p->type, span_of(payload.at + 1, payload.len - 1)))
        return nacre_conn_fail(c, NACRE_E_TOO_MUCH_QUEUED, "too much is waiting for the key exchange");
    return STEP_NEXT;
}

enum step nacre_packet_close(struct conn *c, struct packet *p)
{
    enum step step;

    if (p->refused)
        return STEP_CLOSE;
    if (conn_logs(c, 2))
        nacre_conn_log_packet(c, "sent", wr_span(&p->w));
    if (!wr_done(&p->w))
        step = nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a packet");
    else if (p->block != NULL)
        step = seal(c, p->block, wr_len(&p->w));
    else
        step = close_aside(c, p);
    nacre_buf_wipe(&p->aside);
    return step;
}

bool nacre_packet_is_room(const struct conn *c, const struct block *b, size_t head)
{
    return c->out.keys.comp == NULL && block_is_sole(b) && b->start >= PACKET_HEAD + head &&
           b->size - b->start - b->len >= PACKET_TAIL;
}

enum step nacre_packet_seal(struct conn *c, struct block *b)
{
    struct span payload = span_of(b->at + b->start, b->len);

    if (conn_logs(c, 2))
        nacre_conn_log_packet(c, "sent", payload);
    b->start -= PACKET_HEAD;
    b->len = 0;
    nacre_output_append(c, b);
    return seal(c, b, payload.len);
}

enum step nacre_packet_empty(struct conn *c, uint8_t type)
{
    struct packet p;

    nacre_packet_open(c, &p, type, 0);
    return nacre_packet_close(c, &p);
}

enum step nacre_packet_payload(struct conn *c, struct span payload)
{
    struct packet p;

    nacre_packet_open(c, &p, payload.at[0], payload.len - 1);
    wr_bytes(&p.w, payload.at + 1, payload.len - 1);
    return nacre_packet_close(c, &p);
}

enum step nacre_packets_release(struct conn *c)
{
    struct lane waiting = c->waiting;
    struct span payload;
    enum step step = STEP_NEXT;

    /* Taken off the connection, since sending may fill the queue again when a rekey follows at once. */
    c->waiting = (struct lane){.first = NULL};
    while (step != STEP_CLOSE && nacre_lane_peek(&waiting, &payload)) {
        step = nacre_packet_payload(c, payload);
        nacre_lane_drop(&waiting);
    }
    nacre_lane_free(&waiting);
    return step;
}

bool nacre_packet_has_room(const struct conn *c)
{
    return c->waiting.bytes < WAITING_MAX / 2 && c->output.bytes < c->config->send_high + CONTROL_SLACK;
}
