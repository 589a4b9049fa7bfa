/* SPDX-License-Identifier: Apache-2.0 */
/* AltSSHCert* and HostCertificate: the keys that a server has beside its first, and what vouches for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/cert.h"
#include "engine/config.h"
#include "engine/host_keys.h"
#include "keys/store.h"

int nacre_config_alt_count(struct config_request *r)
{
    nacre_server *server = r->server;
    char text[16];
    char *end = NULL;
    long count = r->set == NULL ? 0 : strtol(r->set, &end, 10);
    if (r->set != NULL && (end == r->set || *end != '\0' || count < 0 || count > ALT_CERTS_MAX))
        return nacre_config_refuse(r, NACRE_E_SETTING_VALUE, "0 to 15");
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = r->set == NULL ? NACRE_OK : nacre_host_keys_resize(server, (int)count, r->why, sizeof r->why);
    (void)snprintf(text, sizeof text, "%d", server->alt_count);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_config_answer(r, text) : nacre_fail(e, r->why);
}

static enum nacre_error set_alt_type(struct cert *c, const char *text)
{
    char *end;
    long type = strtol(text, &end, 10);
    if (end == text || *end != '\0' || type < 0 || type > 99 || !nacre_cert_is_type((int)type))
        return NACRE_E_SETTING_VALUE;
    c->type = (int)type;
    return NACRE_OK;
}

static enum nacre_error set_alt_field(struct config_request *r, struct cert *c)
{
    if (strcasecmp(r->name, "AltSSHCertStore") == 0)
        return nacre_cert_set_store(c, r->set, strlen(r->set));
    if (strcasecmp(r->name, "AltSSHCertStorePassword") == 0)
        return nacre_cert_set_password(c, r->set);
    if (strcasecmp(r->name, "AltSSHCertStoreType") == 0)
        return set_alt_type(c, r->set);
    return nacre_host_key_choose(r->server, c, r->set, r->why, sizeof r->why);
}

static int get_alt_field(struct config_request *r, const struct cert *c)
{
    char number[16];
    if (strcasecmp(r->name, "AltSSHCertStore") == 0)
        return nacre_config_answer(r, c->store == NULL ? "MY" : c->store);
    if (strcasecmp(r->name, "AltSSHCertStorePassword") == 0)
        return nacre_config_answer(r, c->password == NULL || c->password[0] == '\0' ? "" : "********");
    if (strcasecmp(r->name, "AltSSHCertStoreType") == 0) {
        (void)snprintf(number, sizeof number, "%d", c->type);
        return nacre_config_answer(r, number);
    }
    return nacre_config_answer(r, c->subject == NULL ? "" : c->subject);
}

int nacre_config_alt_field(struct config_request *r)
{
    nacre_server *server = r->server;
    nacre_mutex_lock(&server->lock);
    enum nacre_error e =
        !r->indexed || r->index < 0 || r->index >= server->alt_count ? NACRE_E_SETTING_VALUE : NACRE_OK;
    if (e != NACRE_OK)
        (void)snprintf(r->why, sizeof r->why, "%s[i]: i is not below AltSSHCertCount.", r->name);
    if (e == NACRE_OK && r->set != NULL)
        e = set_alt_field(r, &server->certs[1 + r->index]);
    int result = e == NACRE_OK ? get_alt_field(r, &server->certs[1 + r->index]) : nacre_fail(e, r->why);
    nacre_mutex_unlock(&server->lock);
    return result;
}

/* One line of text, as its file has it, without comment. */
static int get_host_certificate(struct config_request *r, const struct cert *c)
{
    char line[KEY_TEXT_MAX] = "";
    if (c->host_certificate != NULL && !nacre_key_text(c->host_certificate, line, sizeof line))
        return nacre_fail(NACRE_E_NOBUFS, NULL);
    return nacre_config_answer(r, line);
}

/* HostCertificate[i], and without an index when setting: i is found by the key. */
int nacre_config_host_certificate(struct config_request *r)
{
    nacre_server *server = r->server;
    nacre_mutex_lock(&server->lock);
    bool named = r->indexed && r->index >= 0 && r->index <= server->alt_count;
    enum nacre_error e =
        named || (!r->indexed && r->set != NULL && r->set[0] != '\0') ? NACRE_OK : NACRE_E_SETTING_VALUE;
    if (e != NACRE_OK)
        (void)snprintf(r->why, sizeof r->why, "HostCertificate[i]: i is 0 for ssh_cert, or 1 to AltSSHCertCount.");
    if (e == NACRE_OK && r->set != NULL)
        e = nacre_host_certificate_set(server, named ? (int)r->index : -1, r->set, r->why, sizeof r->why);
    int result = e != NACRE_OK ? nacre_fail(e, r->why)
                 : named       ? get_host_certificate(r, &server->certs[r->index])
                               : nacre_config_answer(r, r->set);
    nacre_mutex_unlock(&server->lock);
    return result;
}
