/* SPDX-License-Identifier: Apache-2.0 */
/* Hostbased requests, RFC 4252 section 9: the key of the client's host signs that somebody is logged in there.
 *
 * The signature alone proves that the holder of that key said so. Whether the host may speak for that user, and whether
 * it is the one that its name says, is the application's to know: it gets the key, the name and the user, and is asked
 * only once the signature was found good (rule R6). */
#include "ssh/auth.h"

enum {
    CLIENT_HOST_MAX = 255
};

static bool msg_hostbased_read(struct rd *r, const uint8_t *start, struct auth_request *q)
{
    q->key_algorithm = rd_string(r, NAME_MAX_LEN);
    q->param = rd_string(r, KEY_BLOB_MAX);
    q->client_host = rd_string(r, CLIENT_HOST_MAX);
    q->client_user = rd_string(r, CONN_USER_MAX);
    q->signed_part = span_of(start, (size_t)(r->at - start));
    q->signature = rd_string(r, SIGNATURE_MAX);
    return rd_end(r);
}

static bool is_host_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == ':';
}

/* Full names end with the root's dot; lists of hosts have them without. Nothing in the name means anything to a list,
 * a pattern or a terminal. */
static bool take_client_host(struct span *host)
{
    if (host->len != 0 && host->at[host->len - 1] == '.')
        host->len--;
    for (size_t i = 0; i < host->len; i++) {
        if (!is_host_char(host->at[i]))
            return false;
    }
    return host->len != 0 && host->at[host->len - 1] != '.';
}

enum step nacre_auth_hostbased_request(struct conn *c, struct rd *r)
{
    struct auth_request *q = &c->auth->request;
    struct key_cert cert;

    if (!msg_hostbased_read(r, c->auth->copy.at, q))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed hostbased request");
    const struct sig_alg *alg = nacre_sig_find(c->config->crypto, q->key_algorithm);
    /* No authority is trusted to certify hosts. */
    if (!take_client_host(&q->client_host) || q->client_user.len == 0 || span_has_nul(q->client_user) ||
        nacre_cert_read(q->param, &cert))
        return nacre_auth_refuse(c, false);
    struct key *key = nacre_auth_key(c, alg);
    return key == NULL ? nacre_auth_refuse(c, false) : nacre_auth_verify(c, alg, key);
}
