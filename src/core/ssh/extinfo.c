/* SPDX-License-Identifier: Apache-2.0 */
/* EXT_INFO, RFC 8308: which signatures a server takes from users, and of OpenSSH's PROTOCOL: its ping, logins by keys
 * that are bound to the host key, and for clients a second EXT_INFO when the server knows who logs in; ours would be
 * the same as the first. */
#include "ssh/kex.h"

enum {
    EXT_INFO_MAX = 4096,
    EXTENSIONS_MAX = 64
};

static const char ping[] = "ping@openssh.com";
static const char server_sig_algs[] = "server-sig-algs";
static const char hostbound[] = "publickey-hostbound@openssh.com";
static const char in_auth[] = "ext-info-in-auth@openssh.com";

static void write_server_sig_algs(struct conn *c, struct wr *w)
{
    wr_cstring(w, server_sig_algs);
    uint8_t *length = wr_string_open(w);
    nacre_names_usable_signatures(c, w, c->config->algorithms.user_signature);
    wr_string_close(w, length);
}

enum step nacre_send_ext_info(struct conn *c)
{
    struct packet p;
    bool server = conn_is_server(c);

    nacre_packet_open(c, &p, MSG_EXT_INFO, EXT_INFO_MAX);
    wr_u32(&p.w, server ? 3 : 2);
    if (server)
        write_server_sig_algs(c, &p.w);
    wr_cstring(&p.w, server ? hostbound : in_auth);
    wr_cstring(&p.w, "0");
    wr_cstring(&p.w, ping);
    wr_cstring(&p.w, "0");
    return nacre_packet_close(c, &p);
}

/* Right after NEWKEYS the numbers of the direction tell. During authentication it comes after our first request when we
 * have announced that we take it there; else the next message has to be the success. */
static bool is_in_place(struct conn *c)
{
    if (c->phase == PHASE_SERVICE)
        return c->in.packets == 1;
    c->success_is_next = !c->sends_ext_info || !nacre_client_has_asked(c);
    return true;
}

static void take(struct conn *c, struct span name, struct span value)
{
    bool is_version_0 = span_is(value, "0");

    if (span_is(name, ping))
        c->peer_pings = c->peer_pings || is_version_0;
    else if (!conn_is_server(c) && span_is(name, server_sig_algs))
        nacre_client_server_sig_algs(c, value);
    else if (!conn_is_server(c) && span_is(name, hostbound) && is_version_0)
        nacre_client_hostbound(c);
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

        if (!r.bad)
            take(c, name, value);
    }
    return rd_end(&r) ? STEP_NEXT : nacre_conn_fail(c, NACRE_E_PACKET, "malformed EXT_INFO");
}
