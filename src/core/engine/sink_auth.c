/* SPDX-License-Identifier: Apache-2.0 */
/* Login requests made into events: texts from the client's code page, and what a certificate restricts. */
#include <string.h>

#include "engine/access.h"
#include "engine/codepage.h"
#include "engine/outbox.h"
#include "engine/sink.h"

static void keep_certificate(struct event *e, const struct conn_event *v, const char *principals,
                             const char *extensions)
{
    struct span forced = {NULL, 0};
    bool is_forced = nacre_cert_option(v->cert, "force-command", &forced);
    e->certificate_id = nacre_event_keep(e, v->cert->key_id);
    e->certificate_principals = nacre_event_keep(e, span_str(principals));
    e->certificate_extensions = nacre_event_keep(e, span_str(extensions));
    e->certificate_authority =
        span_of((const uint8_t *)nacre_event_keep(e, v->cert->authority), v->cert->authority.len);
    e->certificate_serial = v->cert->serial;
    e->force_command = is_forced ? nacre_event_keep(e, forced) : NULL;
    e->certified = v->cert_trusted;
    e->accept = v->cert_trusted && !is_forced;
}

/* Room for what keep_certificate() keeps, each with a NUL behind it. */
static size_t certificate_room(const struct key_cert *cert, const char *principals, const char *extensions)
{
    struct span forced = {NULL, 0};
    (void)nacre_cert_option(cert, "force-command", &forced);
    return cert->key_id.len + 1 + strlen(principals) + 1 + strlen(extensions) + 1 + cert->authority.len + 1 +
           forced.len + 1;
}

static struct event *make_auth(struct connection *c, const struct conn_event *v)
{
    const struct span texts[] = {v->user, v->service, v->method, v->key_algorithm};
    char extensions[1024], principals[KEY_BLOB_MAX]; /* of a certificate */
    size_t extra = v->new_password.len + 1 + v->client_host.len + 1 + v->client_user.len + 1;
    if (v->cert != NULL) {
        nacre_cert_extensions(v->cert, extensions, sizeof extensions);
        nacre_cert_principals(v->cert, principals, sizeof principals);
        extra += certificate_room(v->cert, principals, extensions);
    }
    struct event *e =
        nacre_event_new(c->shard, EVENT_SSH_USER_AUTH_REQUEST, nacre_sink_room(texts, 4) + v->param.len + 1 + extra);
    if (e == NULL) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < 4; i++)
        e->text[i] = nacre_event_keep(e, texts[i]);
    e->data = (const uint8_t *)nacre_event_keep(e, v->param);
    e->data_len = v->param.len;
    if (v->new_password.at != NULL)
        e->new_password = nacre_event_keep(e, v->new_password);
    if (v->client_host.at != NULL) {
        e->client_host = nacre_event_keep(e, v->client_host);
        e->client_user = nacre_event_keep(e, v->client_user);
    }
    if (v->cert != NULL)
        keep_certificate(e, v, principals, extensions);
    e->secret = true;
    e->verified = v->verified;
    e->user_present = v->verified && v->key_user.present;
    e->user_verified = v->verified && v->key_user.verified;
    return e;
}

/* What people typed, from the code page that clients speak into UTF-8. */
struct decoded {
    struct buf user, param, new_password, client_user;
};

static void decoded_free(struct decoded *d)
{
    nacre_buf_free(&d->user);
    nacre_buf_free(&d->client_user);
    nacre_buf_wipe(&d->param);
    nacre_buf_wipe(&d->new_password);
}

static bool decode_one(int64_t page, struct span *text, struct buf *to)
{
    if (text->at == NULL)
        return true;
    if (!nacre_codepage_decode(page, *text, to) || span_has_nul(buf_span(to)))
        return false;
    *text = to->at == NULL ? span_of("", 0) : buf_span(to);
    return true;
}

/* False: it is no text of that code page, so it names nobody. */
static bool decode(const struct connection *c, struct conn_event *v, struct decoded *d)
{
    int64_t page = c->profile->settings.code_page.number;
    nacre_buf_init(&d->user, 4 * (size_t)CONN_USER_MAX);
    nacre_buf_init(&d->client_user, 4 * (size_t)CONN_USER_MAX);
    nacre_buf_init(&d->param, 8 * (size_t)CONN_PASSWORD_MAX);
    nacre_buf_init(&d->new_password, 8 * (size_t)CONN_PASSWORD_MAX);
    if (page == CODEPAGE_UTF8)
        return true;
    bool is_text = !span_is(v->method, "publickey") && !span_is(v->method, "hostbased");
    return decode_one(page, &v->user, &d->user) && decode_one(page, &v->client_user, &d->client_user) &&
           (!is_text || decode_one(page, &v->param, &d->param)) && decode_one(page, &v->new_password, &d->new_password);
}

/* What the protocol could not look at for want of a clock and an address (rule R7). */
static bool certificate_holds(const struct connection *c, const struct key_cert *cert)
{
    uint64_t now = (uint64_t)nacre_clock_unix();
    struct span addresses, forced;
    char list[1024];
    if (now < cert->valid_after || now >= cert->valid_before)
        return false;
    if (nacre_cert_option(cert, "force-command", &forced) && span_has_nul(forced))
        return false;
    if (!nacre_cert_option(cert, "source-address", &addresses))
        return true;
    if (addresses.len >= sizeof list || span_has_nul(addresses))
        return false;
    memcpy(list, addresses.at, addresses.len);
    list[addresses.len] = '\0';
    return nacre_access_match_blocks(list, c->remote_host);
}

bool nacre_sink_ask_auth(struct connection *c, const struct conn_event *v, struct conn_answer *answer)
{
    struct conn_event read = *v;
    struct decoded texts;
    *answer = (struct conn_answer){.accept = false};
    if (sink_handlers(c)->on_ssh_user_auth_request == NULL || (v->cert != NULL && !certificate_holds(c, v->cert)))
        return true;
    bool refused = !decode(c, &read, &texts) || nacre_sink_ask(c, make_auth(c, &read), v->serial, answer);
    decoded_free(&texts);
    return refused;
}

void nacre_sink_told_signature(struct connection *c, const struct conn_event *v)
{
    struct conn_event report = *v;
    if (c->profile->settings.fire_after_sig.number == 0 || sink_handlers(c)->on_ssh_user_auth_request == NULL)
        return;
    report.method = span_str("sigstatus");
    report.param = span_str(v->verified ? "1" : "0");
    struct event *e = make_auth(c, &report);
    if (e == NULL)
        return;
    e->serial = 0;
    e->connection_id = c->slot.id;
    nacre_outbox_add(c, e);
}
