/* SPDX-License-Identifier: Apache-2.0 */
/* EXT_INFO, RFC 8308: which signatures a server takes from users, and OpenSSH's announcement of its ping. */
#include "ssh/kex.h"

enum {
    EXT_INFO_MAX = 4096,
    EXTENSIONS_MAX = 64
};

static const char ping[] = "ping@openssh.com";
static const char server_sig_algs[] = "server-sig-algs";

enum step nacre_send_ext_info(struct conn *c)
{
    struct packet p;

    nacre_packet_open(c, &p, MSG_EXT_INFO, EXT_INFO_MAX);
    wr_u32(&p.w, conn_is_server(c) ? 2 : 1);
    if (conn_is_server(c)) {
        wr_cstring(&p.w, server_sig_algs);
        uint8_t *length = wr_string_open(&p.w);
        (void)nacre_names_usable_signatures(c, &p.w, c->config->algorithms.user_signature);
        wr_string_close(&p.w, length);
    }
    wr_cstring(&p.w, ping);
    wr_cstring(&p.w, "0");
    return nacre_packet_close(c, &p);
}

/* Right after NEWKEYS the numbers of the direction tell; during authentication the next message has to be the success.
 */
static bool is_in_place(struct conn *c)
{
    if (c->phase == PHASE_SERVICE)
        return c->in.packets == 1;
    c->success_is_next = true;
    return true;
}

enum step nacre_on_ext_info(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    uint32_t count = rd_u32(&r);

    if (!is_in_place(c) || c->ext_infos >= EXT_INFO_ALLOWED)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "EXT_INFO out of order");
    c->ext_infos++;
    if (r.bad || count > EXTENSIONS_MAX)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed EXT_INFO");
    while (count-- > 0 && !r.bad) {
        struct span name = rd_string(&r, CONN_PACKET_MAX);
        struct span value = rd_string(&r, CONN_PACKET_MAX);

        if (r.bad)
            break;
        if (span_is(name, ping) && span_is(value, "0"))
            c->peer_pings = true;
        else if (span_is(name, server_sig_algs) && !conn_is_server(c))
            nacre_client_server_sig_algs(c, value);
    }
    return rd_end(&r) ? STEP_NEXT : nacre_conn_fail(c, NACRE_E_PACKET, "malformed EXT_INFO");
}
