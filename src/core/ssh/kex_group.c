/* SPDX-License-Identifier: Apache-2.0 */
/* diffie-hellman-group-exchange, RFC 4419: the client names sizes, the server gives a group, and the exchange goes on
 * in it. The sizes and the group enter the exchange hash between the host key and the public values. */
#include <stdlib.h>

#include "ssh/kex.h"

/* What our client asks for: about the strength of the 128-bit ciphers (RFC 4419 section 6.1 and NIST SP 800-57). */
enum {
    WANTED_BITS = 3072
};

static struct kex_asked *asked_new(struct conn *c)
{
    c->kex->asked = calloc(1, sizeof *c->kex->asked);
    return c->kex->asked;
}

bool nacre_kex_asked_write(const struct kex_asked *asked, struct buf *transcript)
{
    const size_t room = 12 + 2 * (4 + 1 + KEX_GROUP_MAX_BITS / 8);
    struct wr w = wr_over(nacre_buf_reserve(transcript, room), room);

    wr_u32(&w, asked->min);
    wr_u32(&w, asked->wanted);
    wr_u32(&w, asked->max);
    nacre_kex_group_write(&w, &asked->group);
    transcript->len += wr_done(&w) ? wr_len(&w) : 0;
    return wr_done(&w);
}

/* ---- server ------------------------------------------------------------------------------------------------- */

enum step nacre_on_kex_group_request(struct conn *c, struct span body)
{
    struct kex *kex = c->kex;
    struct rd r = rd_over(body);
    struct packet p;
    uint8_t pick;

    if (kex == NULL || kex->expect != EXPECT_METHOD || !kex->alg->asks_group || kex->asked != NULL)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "KEX_GROUP_REQUEST out of order");
    struct kex_asked *asked = asked_new(c);
    if (asked == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    asked->min = rd_u32(&r);
    asked->wanted = rd_u32(&r);
    asked->max = rd_u32(&r);
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed KEX_GROUP_REQUEST");
    /* Either will do; both in use means that breaking one is not worth as much. */
    if (!nacre_random(c->config->crypto, &pick, 1))
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "no random bytes for a key exchange");
    if (!nacre_kex_group_choose(c->config->crypto, pick % KEX_GROUP_SOURCES, asked->min, asked->wanted, asked->max,
                                &asked->group))
        return nacre_conn_fail(c, NACRE_E_KEX, "no group of the size that the client asks for");
    nacre_packet_open(c, &p, MSG_KEX_GROUP, 2 * (4 + 1 + KEX_GROUP_MAX_BITS / 8));
    nacre_kex_group_write(&p.w, &asked->group);
    return nacre_packet_close(c, &p);
}

/* ---- client ------------------------------------------------------------------------------------------------- */

enum step nacre_kex_ask_group(struct conn *c)
{
    struct kex_asked *asked = asked_new(c);
    struct packet p;

    if (asked == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    asked->min = KEX_GROUP_MIN_BITS;
    asked->wanted = WANTED_BITS;
    asked->max = KEX_GROUP_MAX_BITS;
    nacre_packet_open(c, &p, MSG_KEX_GROUP_REQUEST, 12);
    wr_u32(&p.w, asked->min);
    wr_u32(&p.w, asked->wanted);
    wr_u32(&p.w, asked->max);
    return nacre_packet_close(c, &p);
}

bool nacre_kex_read_group(struct kex_asked *asked, struct span body)
{
    struct rd r = rd_over(body);

    return asked->group.p_len == 0 && nacre_kex_group_read(&r, asked->min, asked->max, &asked->group) && rd_end(&r);
}
