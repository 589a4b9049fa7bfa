/* SPDX-License-Identifier: Apache-2.0 */
/* Services, RFC 4253 section 10: ssh-userauth is asked for here; ssh-connection comes through authentication alone. */
#include "ssh/conn_priv.h"

static const char userauth[] = "ssh-userauth";

enum step nacre_on_service_request(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span service = rd_string(&r, NAME_MAX_LEN);

    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed SERVICE_REQUEST");
    if (!span_is(service, userauth))
        return nacre_conn_fail(c, NACRE_E_SERVICE, "only ssh-userauth can be asked for before login");
    return nacre_conn_ask(c, ASK_SERVICE, &(struct conn_event){.type = CONN_SERVICE_REQUEST, .service = service});
}

enum step nacre_resume_service(struct conn *c, const struct ask *ask, const struct conn_answer *answer)
{
    struct packet p;

    (void)ask;
    if (!answer->accept)
        return nacre_conn_fail(c, NACRE_E_SERVICE, "the service was refused");
    nacre_conn_enter(c, PHASE_AUTH);
    nacre_packet_open(c, &p, MSG_SERVICE_ACCEPT, 4 + sizeof userauth);
    wr_cstring(&p.w, userauth);
    return nacre_packet_close(c, &p);
}

enum step nacre_send_service_request(struct conn *c)
{
    struct packet p;

    nacre_packet_open(c, &p, MSG_SERVICE_REQUEST, 4 + sizeof userauth);
    wr_cstring(&p.w, userauth);
    return nacre_packet_close(c, &p);
}

enum step nacre_on_service_accept(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span service = rd_string(&r, NAME_MAX_LEN);

    if (!rd_end(&r) || !span_is(service, userauth))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed SERVICE_ACCEPT");
    nacre_conn_enter(c, PHASE_AUTH);
    nacre_conn_event(c, &(struct conn_event){.type = CONN_READY_FOR_AUTH});
    return STEP_NEXT;
}
