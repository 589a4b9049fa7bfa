/* SPDX-License-Identifier: Apache-2.0 */
/* KEXINIT, RFC 4253 section 7.1: what we offer, and what both agree on.
 *
 * The markers of strict-kex and of RFC 8308 travel in the list of kex methods of the first KEXINIT. They are no
 * algorithms: they are added when writing and looked up by name when reading, and are never among what can be chosen.
 */
#include <stdio.h>
#include <string.h>

#include "ssh/hostkeys.h"
#include "ssh/kex.h"
#include "wire/namelist.h"

enum {
    KEXINIT_MAX = 8192
};

/* ---- the offer ---------------------------------------------------------------------------------------------- */

static bool can_sign_as_host(const struct conn *c, const struct sig_alg *alg, struct key **which)
{
    for (size_t i = 0; i < c->host_key_count; i++) {
        if (nacre_key_can_sign(c->host_keys[i], alg)) {
            *which = c->host_keys[i];
            return true;
        }
    }
    return false;
}

static bool is_known(const struct nacre_crypto *crypto, enum alg_kind kind, struct span name)
{
    switch (kind) {
    case ALG_KEX:
        return nacre_kex_find(crypto, name) != NULL;
    case ALG_KEY:
        return nacre_sig_find(crypto, name) != NULL;
    case ALG_CIPHER:
        return nacre_cipher_find(crypto, name) != NULL;
    case ALG_MAC:
        return nacre_mac_find(crypto, name) != NULL;
    case ALG_COMP:
        return nacre_comp_find(crypto, name) != NULL;
    case ALG_KINDS:
        break;
    }
    return false;
}

void nacre_names_keep_usable(const struct nacre_crypto *crypto, enum alg_kind kind, char *names)
{
    struct span list = span_str(names), name;
    size_t len = 0;

    while (nacre_names_next(&list, &name)) {
        if (!is_known(crypto, kind, name))
            continue;
        if (len != 0)
            names[len++] = ',';
        memmove(names + len, name.at, name.len);
        len += name.len;
    }
    names[len] = '\0';
}

/* Appends the names that can be used, of host keys those that we have a key for. */
static void write_usable(const struct conn *c, struct wr *w, enum alg_kind kind, const char *names, bool as_host)
{
    const struct nacre_crypto *crypto = c->config->crypto;
    struct span list = span_str(names), name;
    struct key *key;
    bool any = false;

    if (c->config->algorithms.all_usable && !as_host) {
        wr_bytes(w, list.at, list.len);
        return;
    }
    while (nacre_names_next(&list, &name)) {
        if (!is_known(crypto, kind, name) || (as_host && !can_sign_as_host(c, nacre_sig_find(crypto, name), &key)))
            continue;
        if (any)
            wr_u8(w, ',');
        wr_bytes(w, name.at, name.len);
        any = true;
    }
}

void nacre_names_usable_signatures(const struct conn *c, struct wr *w, const char *names)
{
    write_usable(c, w, ALG_KEY, names, false);
}

static const char *ext_info_marker(bool of_server)
{
    return of_server ? "ext-info-s" : "ext-info-c";
}

static const char *strict_marker(bool of_server)
{
    return of_server ? "kex-strict-s-v00@openssh.com" : "kex-strict-c-v00@openssh.com";
}

static void write_kex_list(const struct conn *c, struct wr *w)
{
    uint8_t *length = wr_string_open(w);

    write_usable(c, w, ALG_KEX, c->config->algorithms.kex, false);
    if (c->kex_count == 0) {
        wr_u8(w, ',');
        wr_bytes(w, ext_info_marker(conn_is_server(c)), strlen(ext_info_marker(conn_is_server(c))));
    }
    if (c->kex_count == 0 && c->config->strict_kex != 0) {
        wr_u8(w, ',');
        wr_bytes(w, strict_marker(conn_is_server(c)), strlen(strict_marker(conn_is_server(c))));
    }
    wr_string_close(w, length);
}

static void write_list(const struct conn *c, struct wr *w, enum alg_kind kind, const char *names, int times)
{
    while (times-- > 0) {
        uint8_t *length = wr_string_open(w);
        write_usable(c, w, kind, names, kind == ALG_KEY && conn_is_server(c));
        wr_string_close(w, length);
    }
}

/* With it comes what the next padding starts from: a draw of its own would take as long as a packet. */
static bool write_cookie(struct conn *c, struct wr *w)
{
    uint8_t drawn[KEX_COOKIE + sizeof c->padding], *cookie = wr_take(w, KEX_COOKIE);

    if (cookie == NULL || !nacre_random(c->config->crypto, drawn, sizeof drawn))
        return false;
    memcpy(cookie, drawn, KEX_COOKIE);
    memcpy(&c->padding, drawn + KEX_COOKIE, sizeof c->padding);
    return true;
}

bool nacre_kexinit_write(struct conn *c, struct kex *kex)
{
    const struct conn_algorithms *a = &c->config->algorithms;
    uint8_t *at = nacre_buf_reserve(&kex->ours, KEXINIT_MAX);
    struct wr w = wr_over(at, KEXINIT_MAX);

    wr_u8(&w, MSG_KEXINIT);
    if (!write_cookie(c, &w))
        return false;
    write_kex_list(c, &w);
    write_list(c, &w, ALG_KEY, a->host_key, 1);
    write_list(c, &w, ALG_CIPHER, a->cipher, 2);
    write_list(c, &w, ALG_MAC, a->mac, 2);
    write_list(c, &w, ALG_COMP, a->comp, 2);
    wr_cstring(&w, "");
    wr_cstring(&w, "");
    wr_bool(&w, false);
    wr_u32(&w, 0);
    kex->ours.len = wr_done(&w) ? wr_len(&w) : 0;
    return wr_done(&w);
}

/* ---- the choice --------------------------------------------------------------------------------------------- */

static bool msg_kexinit_read(struct span payload, struct kexinit *m)
{
    struct rd r = rd_over(payload);

    (void)rd_u8(&r);
    (void)rd_take(&r, KEX_COOKIE);
    for (int i = 0; i < KEX_LISTS; i++)
        m->lists[i] = rd_string(&r, CONN_PACKET_MAX);
    m->guess_follows = rd_bool(&r);
    (void)rd_u32(&r);
    return rd_end(&r);
}

static struct span first_name(struct span list)
{
    struct span name = {NULL, 0};

    return nacre_names_next(&list, &name) ? name : span_of(NULL, 0);
}

/* Markers come last in our own list, so cutting it at the first one leaves the algorithms. */
static struct span without_markers(struct span list)
{
    struct span rest = list, name;

    while (nacre_names_next(&rest, &name)) {
        if (span_is(name, "ext-info-s") || span_is(name, "ext-info-c") || span_is(name, strict_marker(true)) ||
            span_is(name, strict_marker(false)))
            return name.at == list.at ? span_of(NULL, 0) : span_of(list.at, (size_t)(name.at - list.at) - 1);
    }
    return list;
}

static struct span choose(const struct conn *c, const struct kexinit *ours, const struct kexinit *theirs,
                          enum kex_list which)
{
    struct span own = which == LIST_KEX ? without_markers(ours->lists[which]) : ours->lists[which];

    return conn_is_server(c) ? nacre_names_choose(theirs->lists[which], own)
                             : nacre_names_choose(own, theirs->lists[which]);
}

static enum step no_common(struct conn *c, const char *what)
{
    char why[80];

    (void)snprintf(why, sizeof why, "no %s in common", what);
    return nacre_conn_fail(c, NACRE_E_NO_COMMON_ALGORITHM, why);
}

/* CVE-2023-48795: without strict-kex, these let a prefix of the stream be cut away. */
static bool is_truncatable(const struct keys *k)
{
    return strncmp(k->cipher_alg->name, "chacha20-poly1305", 17) == 0 || (k->cipher_alg->cbc && keys_are_etm(k));
}

static enum step choose_keys(struct conn *c, const struct kexinit *ours, const struct kexinit *theirs, bool to_server,
                             struct keys *k)
{
    const struct nacre_crypto *crypto = c->config->crypto;
    int shift = to_server ? 0 : 1;

    k->cipher_alg = nacre_cipher_find(crypto, choose(c, ours, theirs, LIST_CIPHER_TO_SERVER + (unsigned)shift));
    if (k->cipher_alg == NULL)
        return no_common(c, "cipher");
    /* Rule R36: an AEAD has no MAC; anything else must have one. */
    if (k->cipher_alg->tag_len == 0) {
        k->mac_alg = nacre_mac_find(crypto, choose(c, ours, theirs, LIST_MAC_TO_SERVER + (unsigned)shift));
        if (k->mac_alg == NULL)
            return no_common(c, "MAC");
    }
    k->comp_alg = nacre_comp_find(crypto, choose(c, ours, theirs, LIST_COMP_TO_SERVER + (unsigned)shift));
    if (k->comp_alg == NULL)
        return no_common(c, "compression");
    if (c->config->strict_kex == 2 && !c->strict && is_truncatable(k))
        return nacre_conn_fail(c, NACRE_E_NO_COMMON_ALGORITHM,
                               "the agreed cipher is not safe without strict key exchange");
    return STEP_NEXT;
}

static enum step choose_host_key(struct conn *c, struct kex *kex, const struct kexinit *ours,
                                 const struct kexinit *theirs)
{
    struct key *key = NULL;

    nacre_hostkeys_heard(c, theirs->lists[LIST_HOST_KEY]);
    kex->sig_alg = nacre_sig_find(c->config->crypto, choose(c, ours, theirs, LIST_HOST_KEY));
    if (kex->sig_alg == NULL || (conn_is_server(c) && !can_sign_as_host(c, kex->sig_alg, &key)))
        return no_common(c, "host key algorithm");
    kex->host_key = key == NULL ? NULL : nacre_key_ref(key);
    return STEP_NEXT;
}

/* Markers count in the first KEXINIT only. */
static enum step read_markers(struct conn *c, const struct kexinit *theirs)
{
    bool peer_is_server = !conn_is_server(c);

    if (c->kex_count != 0)
        return STEP_NEXT;
    c->sends_ext_info = nacre_names_has(theirs->lists[LIST_KEX], span_str(ext_info_marker(peer_is_server)));
    c->strict =
        c->config->strict_kex != 0 && nacre_names_has(theirs->lists[LIST_KEX], span_str(strict_marker(peer_is_server)));
    if (c->config->strict_kex == 3 && !c->strict)
        return nacre_conn_fail(c, NACRE_E_KEX, "the peer does not offer strict key exchange");
    /* Rule R3: with strict-kex the peer's first packet has to be its KEXINIT. */
    if (c->strict && c->in.seq != 1)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "message before KEXINIT in strict key exchange");
    return STEP_NEXT;
}

enum step nacre_kexinit_negotiate(struct conn *c, struct kex *kex)
{
    struct kexinit ours, theirs;
    struct keys *to_server = conn_is_server(c) ? &kex->next_in : &kex->next_out;
    struct keys *to_client = conn_is_server(c) ? &kex->next_out : &kex->next_in;

    if (!msg_kexinit_read(buf_span(&kex->ours), &ours) || !msg_kexinit_read(buf_span(&kex->theirs), &theirs))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed KEXINIT");
    if (read_markers(c, &theirs) == STEP_CLOSE)
        return STEP_CLOSE;
    kex->alg = nacre_kex_find(c->config->crypto, choose(c, &ours, &theirs, LIST_KEX));
    if (kex->alg == NULL)
        return no_common(c, "key exchange method");
    if (choose_host_key(c, kex, &ours, &theirs) == STEP_CLOSE ||
        choose_keys(c, &ours, &theirs, true, to_server) == STEP_CLOSE ||
        choose_keys(c, &ours, &theirs, false, to_client) == STEP_CLOSE)
        return STEP_CLOSE;
    /* RFC 4253 section 7: a guess is right when both sides prefer the same method and host key algorithm. */
    kex->skip_guess = theirs.guess_follows &&
                      (!span_eq(first_name(ours.lists[LIST_KEX]), first_name(theirs.lists[LIST_KEX])) ||
                       !span_eq(first_name(ours.lists[LIST_HOST_KEY]), first_name(theirs.lists[LIST_HOST_KEY])));
    return STEP_NEXT;
}
