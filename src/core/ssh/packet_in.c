/* SPDX-License-Identifier: Apache-2.0 */
/* Packets out of bytes, RFC 4253 section 6, in place.
 *
 * The caller keeps an incomplete packet and feeds it again, so struct partial remembers what has been done to its
 * front.
 *
 * With CBC and a MAC over the plain text, the moment at which we close would tell an attacker what the first block
 * decrypts to: a bad length would end the connection sooner than a bad MAC. There we swallow a whole maximum packet
 * before either failure shows, as OpenSSH does. The other modes do not turn one cipher block into a chosen length and
 * fail at once. */
#include "ssh/conn_priv.h"

static bool hides_failures(const struct keys *k)
{
    return k->cipher_alg != NULL && k->cipher_alg->cbc && !keys_are_etm(k);
}

static enum step packet_is_broken(struct conn *c, size_t seen, const char *why)
{
    if (!hides_failures(&c->in.keys))
        return nacre_conn_fail(c, c->in.keys.cipher == NULL ? NACRE_E_PACKET : NACRE_E_MAC, why);
    c->partial = (struct partial){.discard = (uint32_t)(seen < CONN_PACKET_MAX ? CONN_PACKET_MAX - seen : 1)};
    return STEP_NEXT;
}

static size_t swallow(struct conn *c, size_t len)
{
    size_t n = len < c->partial.discard ? len : c->partial.discard;

    c->partial.discard -= (uint32_t)n;
    if (c->partial.discard == 0)
        (void)nacre_conn_fail(c, NACRE_E_MAC, "a packet failed its integrity check");
    return n;
}

static bool length_is_good(const struct keys *k, uint32_t length)
{
    size_t aligned = keys_split_length(k) ? length : (size_t)length + 4;

    return length >= 1 + 4 && length <= CONN_PACKET_MAX - 4 && aligned % keys_block_len(k) == 0;
}

/* Finds partial.length once enough bytes are there. False: more are needed or the library failed. */
static bool find_length(struct conn *c, uint8_t *bytes, size_t len)
{
    const struct keys *k = &c->in.keys;
    bool is_encrypted = k->cipher != NULL && !keys_split_length(k);
    size_t need = is_encrypted ? keys_block_len(k) : 4;
    struct rd r = rd_over(span_of(bytes, 4));

    if (len < need)
        return false;
    if (k->cipher != NULL && k->cipher_alg->tag_len != 0) {
        if (!k->cipher_alg->ops->length(k->cipher, c->in.seq, bytes, &c->partial.length)) {
            (void)nacre_conn_fail(c, NACRE_E_CRYPTO, "the length of a packet could not be decrypted");
            return false;
        }
        return true;
    }
    if (is_encrypted) {
        if (!k->cipher_alg->ops->open_packet(k->cipher, c->in.seq, bytes, need)) {
            (void)nacre_conn_fail(c, NACRE_E_CRYPTO, "a packet could not be decrypted");
            return false;
        }
        c->partial.opened = (uint32_t)need;
    }
    c->partial.length = rd_u32(&r);
    return true;
}

static enum step check_mac(struct conn *c, const uint8_t *bytes, size_t covered)
{
    const struct keys *k = &c->in.keys;
    uint8_t tag[MAC_MAX];

    if (!k->mac_alg->ops->sum(k->mac, c->in.seq, bytes, covered, tag))
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "a MAC could not be computed");
    if (!nacre_secret_eq(tag, bytes + covered, k->mac_alg->tag_len))
        return packet_is_broken(c, covered + k->mac_alg->tag_len, "a packet failed its integrity check");
    return STEP_NEXT;
}

static enum step decrypt(struct conn *c, uint8_t *bytes, size_t from, size_t to)
{
    const struct keys *k = &c->in.keys;

    if (from < to && !k->cipher_alg->ops->open_packet(k->cipher, c->in.seq, bytes + from, to - from))
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "a packet could not be decrypted");
    return STEP_NEXT;
}

/* Checks and decrypts the whole packet. */
static enum step open_packet(struct conn *c, uint8_t *bytes)
{
    const struct keys *k = &c->in.keys;
    size_t end = 4 + (size_t)c->partial.length;

    if (k->cipher == NULL)
        return STEP_NEXT;
    if (k->cipher_alg->tag_len != 0) {
        return k->cipher_alg->ops->open_packet(k->cipher, c->in.seq, bytes, c->partial.length)
                   ? STEP_NEXT
                   : nacre_conn_fail(c, NACRE_E_MAC, "a packet failed its integrity check");
    }
    if (keys_are_etm(k)) {
        if (check_mac(c, bytes, end) == STEP_CLOSE)
            return STEP_CLOSE;
        return decrypt(c, bytes, 4, end);
    }
    if (decrypt(c, bytes, c->partial.opened, end) == STEP_CLOSE)
        return STEP_CLOSE;
    return check_mac(c, bytes, end);
}

/* Counts the packet; a number that is used up would repeat a nonce or let a handshake be truncated (rule R3). */
static enum step count_packet(struct conn *c, size_t size)
{
    c->in.seq++;
    c->in.packets++;
    c->in.bytes += size;
    if (c->in.packets > UINT32_MAX || (c->in.seq == 0 && c->kex_count == 0))
        return nacre_conn_fail(c, NACRE_E_PACKET, "too many packets without new keys");
    return STEP_NEXT;
}

static enum step inflate_payload(struct conn *c, struct span *payload)
{
    const struct keys *k = &c->in.keys;

    if (k->comp == NULL)
        return STEP_NEXT;
    c->inflated.len = 0;
    if (!k->comp_alg->ops->run(k->comp, *payload, &c->inflated) || c->inflated.len == 0)
        return nacre_conn_fail(c, NACRE_E_COMPRESSION, "a packet could not be decompressed");
    *payload = buf_span(&c->inflated);
    return STEP_NEXT;
}

enum step nacre_packet_take(struct conn *c, uint8_t *bytes, size_t len, size_t *used, struct span *payload)
{
    *used = 0;
    *payload = span_of(NULL, 0);
    if (c->partial.discard != 0) {
        *used = swallow(c, len);
        return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
    }
    if (c->partial.length == 0) {
        if (!find_length(c, bytes, len))
            return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
        if (!length_is_good(&c->in.keys, c->partial.length)) {
            if (packet_is_broken(c, 0, "the length of a packet is not possible") == STEP_CLOSE)
                return STEP_CLOSE;
            *used = swallow(c, len);
            return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
        }
    }
    size_t size = 4 + (size_t)c->partial.length + keys_tag_len(&c->in.keys);
    if (len < size)
        return STEP_NEXT;
    if (open_packet(c, bytes) == STEP_CLOSE)
        return STEP_CLOSE;
    *used = size;
    if (c->partial.discard != 0)
        return STEP_NEXT;

    uint32_t length = c->partial.length;
    size_t padding = bytes[4];
    c->partial = (struct partial){.length = 0};
    if (padding < 4 || padding + 2 > length)
        return nacre_conn_fail(c, NACRE_E_PACKET, "the padding of a packet is not possible");
    *payload = span_of(bytes + 5, length - 1 - padding);
    if (count_packet(c, size) == STEP_CLOSE)
        return STEP_CLOSE;
    return inflate_payload(c, payload);
}
