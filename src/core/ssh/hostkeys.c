/* SPDX-License-Identifier: Apache-2.0 */
/* Host keys told to clients and proved to them, OpenSSH's PROTOCOL section 2.5: after login the server names the keys
 * it has, a client asks for signatures by those it does not know yet, and so learns new keys and drops old ones.
 *
 * Proofs cost a signature a key. They are a work of their own beside the one that may hold the connection, since a key
 * re-exchange can be under way meanwhile; global requests wait for it, because replies have no number. */
#include "ssh/hostkeys.h"

#include <stdlib.h>
#include <string.h>

#include "wire/namelist.h"

enum {
    PROOF_REQUESTS_MAX = 4, /* of a connection: a client has one reason to ask, and each answer costs signatures */
    ANNOUNCEMENT_MAX = CONN_PAYLOAD_MAX - 128,
    REPLY_MAX = CONN_PAYLOAD_MAX - 128
};

/* What the client's list of host key algorithms has of RSA. */
enum peer_rsa {
    RSA_NOT_NAMED,
    RSA_SHA2_512,
    RSA_SHA2_256,
    RSA_SHA1
};

static const char announcement[] = "hostkeys-00@openssh.com";
static const char proof[] = "hostkeys-prove-00@openssh.com";

/* ---- the announcement --------------------------------------------------------------------------------------- */

/* Clients that fail over a global request they do not know; OpenSSH's server spares them as well. */
static bool peer_chokes(const struct conn *c)
{
    static const char *const versions[] = {"SSH-*-TTSSH/1.5.*", "SSH-*-TTSSH/2.1*",    "SSH-*-TTSSH/2.2*",
                                           "SSH-*-TTSSH/2.3*",  "SSH-*-TTSSH/2.4*",    "SSH-*-TTSSH/2.5*",
                                           "SSH-*-TTSSH/2.6*",  "SSH-*-TTSSH/2.70*",   "SSH-*-TTSSH/2.71*",
                                           "SSH-*-TTSSH/2.72*", "SSH-*-TeraTerm SSH*", "SSH-*-Cisco-1.*"};
    struct span peer = span_str(c->peer_version);

    /* All others are through with one look. */
    if (strstr(c->peer_version, "-TTSSH/") == NULL && strstr(c->peer_version, "-TeraTerm SSH") == NULL &&
        strstr(c->peer_version, "-Cisco-1.") == NULL)
        return false;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (nacre_glob(versions[i], peer, false))
            return true;
    }
    return false;
}

/* A plain key that an algorithm on offer signs with: one that could be met in a key exchange. */
static bool is_offered(const struct conn *c, const struct key *key)
{
    struct span list = span_str(c->config->algorithms.host_key), name;

    while (nacre_key_is_plain(key) && nacre_names_next(&list, &name)) {
        const struct sig_alg *alg = nacre_sig_find(c->config->crypto, name);
        if (alg != NULL && nacre_key_can_sign(key, alg))
            return true;
    }
    return false;
}

enum step nacre_hostkeys_announce(struct conn *c)
{
    struct packet p;
    size_t size = 0;

    if (!c->config->announce_host_keys || conn_is_closing(c) || peer_chokes(c))
        return STEP_NEXT;
    for (size_t i = 0; i < c->host_key_count; i++) {
        if (is_offered(c, c->host_keys[i]))
            size += 4 + nacre_key_blob(c->host_keys[i]).len;
    }
    if (size == 0 || size > ANNOUNCEMENT_MAX)
        return STEP_NEXT;
    nacre_packet_open(c, &p, MSG_GLOBAL_REQUEST, 5 + sizeof announcement + size);
    wr_cstring(&p.w, announcement);
    wr_bool(&p.w, false);
    for (size_t i = 0; i < c->host_key_count; i++) {
        if (is_offered(c, c->host_keys[i]))
            wr_string(&p.w, nacre_key_blob(c->host_keys[i]));
    }
    return nacre_packet_close(c, &p);
}

/* ---- how RSA keys sign -------------------------------------------------------------------------------------- */

void nacre_hostkeys_heard(struct conn *c, struct span algorithms)
{
    static const struct {
        const char *name;
        enum peer_rsa means;
    } rows[] = {{"rsa-sha2-512", RSA_SHA2_512},
                {"rsa-sha2-512-cert-v01@openssh.com", RSA_SHA2_512},
                {"rsa-sha2-256", RSA_SHA2_256},
                {"rsa-sha2-256-cert-v01@openssh.com", RSA_SHA2_256},
                {"ssh-rsa", RSA_SHA1}};

    c->peer_rsa = RSA_NOT_NAMED;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && c->peer_rsa == RSA_NOT_NAMED; i++) {
        if (nacre_names_has(algorithms, span_str(rows[i].name)))
            c->peer_rsa = (uint8_t)rows[i].means;
    }
}

static const char *negotiated_rsa(const struct conn *c)
{
    const struct sig_alg *alg = c->host_key_alg;
    bool is_rsa = alg != NULL &&
                  (strcmp(alg->key_name, "ssh-rsa") == 0 || strcmp(alg->key_name, "ssh-rsa-cert-v01@openssh.com") == 0);

    return is_rsa ? alg->sig_name : NULL;
}

/* Clients expect the algorithm of the key exchange where that was RSA's; else the best that they name. */
static const char *rsa_name(const struct conn *c)
{
    const char *name = negotiated_rsa(c);

    if (name != NULL)
        return name;
    if (c->peer_rsa == RSA_SHA2_256)
        return "rsa-sha2-256";
    bool has_sha1 = nacre_names_has(span_str(c->config->algorithms.host_key), span_str("ssh-rsa"));
    return c->peer_rsa == RSA_SHA1 && has_sha1 ? "ssh-rsa" : "rsa-sha2-512";
}

/* How a plain key signs; NULL: the library under us cannot. */
static const struct sig_alg *algorithm_of(const struct conn *c, const struct key *key)
{
    const char *type = nacre_key_type(key);

    return nacre_sig_find(c->config->crypto, span_str(strcmp(type, "ssh-rsa") == 0 ? rsa_name(c) : type));
}

/* ---- server: the proof -------------------------------------------------------------------------------------- */

struct proof_work {
    struct work work;
    const struct nacre_crypto *crypto;
    struct buf session;    /* the session identifier */
    struct buf signatures; /* "string signature" each, in the order asked */
    bool failed;
    size_t count;
    struct {
        struct key *key;
        const struct sig_alg *alg;
    } parts[];
};

static struct proof_work *proof_work_of(struct work *work)
{
    return CONTAINER_OF(work, struct proof_work, work);
}

/* What is signed: name, session identifier, key. */
static bool write_signed(struct buf *out, struct span session, struct span blob)
{
    size_t size = 12 + sizeof proof + session.len + blob.len;
    uint8_t *at = nacre_buf_reserve(out, size);
    struct wr w = wr_over(at, at == NULL ? 0 : size);

    wr_cstring(&w, proof);
    wr_string(&w, session);
    wr_string(&w, blob);
    out->len = wr_done(&w) ? wr_len(&w) : 0;
    return wr_done(&w);
}

static bool sign_one(struct proof_work *w, size_t i)
{
    struct buf data, signature;
    uint8_t length[4];

    nacre_buf_init(&data, KEY_BLOB_MAX + 256);
    nacre_buf_init(&signature, SIGNATURE_MAX);
    bool good = write_signed(&data, buf_span(&w->session), nacre_key_blob(w->parts[i].key)) &&
                nacre_key_sign(w->crypto, w->parts[i].key, w->parts[i].alg, buf_span(&data), &signature);
    struct wr l = wr_over(length, sizeof length);
    wr_u32(&l, (uint32_t)signature.len);
    good = good && nacre_buf_append(&w->signatures, length, sizeof length) &&
           nacre_buf_append(&w->signatures, signature.at, signature.len);
    nacre_buf_free(&data);
    nacre_buf_free(&signature);
    return good;
}

static void run_proof(struct work *work)
{
    struct proof_work *w = proof_work_of(work);

    for (size_t i = 0; i < w->count && !w->failed; i++)
        w->failed = !sign_one(w, i);
}

static void free_proof(struct work *work)
{
    struct proof_work *w = proof_work_of(work);

    for (size_t i = 0; i < w->count; i++)
        nacre_key_unref(w->parts[i].key);
    nacre_buf_free(&w->session);
    nacre_buf_free(&w->signatures);
    free(w);
}

/* Each key once, and only ours; false: another one is among them. */
static bool add_part(struct conn *c, struct proof_work *w, struct span blob)
{
    for (size_t i = 0; i < w->count; i++) {
        if (span_eq(nacre_key_blob(w->parts[i].key), blob))
            return false;
    }
    for (size_t i = 0; i < c->host_key_count; i++) {
        struct key *key = c->host_keys[i];
        if (!nacre_key_is_plain(key) || !span_eq(nacre_key_blob(key), blob))
            continue;
        const struct sig_alg *alg = algorithm_of(c, key);
        if (alg == NULL)
            return false;
        w->parts[w->count].alg = alg;
        w->parts[w->count++].key = nacre_key_ref(key);
        w->work.slow = w->work.slow || alg->slow || nacre_key_is_slow(key);
        return true;
    }
    return false;
}

/* NULL: malformed, not ours, twice, none, or out of memory. */
static struct proof_work *proof_work_new(struct conn *c, struct span blobs)
{
    struct proof_work *w = calloc(1, sizeof *w + c->host_key_count * sizeof w->parts[0]);
    struct rd r = rd_over(blobs);

    if (w == NULL)
        return NULL;
    w->work = (struct work){.run = run_proof, .free = free_proof};
    w->crypto = c->config->crypto;
    nacre_buf_init(&w->session, HASH_MAX);
    nacre_buf_init(&w->signatures, REPLY_MAX);
    bool good = nacre_buf_append(&w->session, c->session_id, c->session_id_len);
    while (good && rd_left(&r) != 0) {
        struct span blob = rd_string(&r, KEY_BLOB_MAX);
        good = !r.bad && add_part(c, w, blob);
    }
    if (good && w->count != 0)
        return w;
    free_proof(&w->work);
    return NULL;
}

static enum step refuse(struct conn *c, bool want_reply)
{
    return want_reply ? nacre_packet_empty(c, MSG_REQUEST_FAILURE) : STEP_NEXT;
}

bool nacre_hostkeys_is_request(const struct conn *c, struct span kind)
{
    return conn_is_server(c) && c->config->announce_host_keys && span_is(kind, proof);
}

enum step nacre_hostkeys_prove(struct conn *c, bool want_reply, struct span blobs)
{
    struct proof_work *w;

    if (!want_reply || c->proofs >= PROOF_REQUESTS_MAX)
        return refuse(c, want_reply);
    c->proofs++;
    w = proof_work_new(c, blobs);
    if (w == NULL)
        return refuse(c, want_reply);
    w->work.serial = c->next_serial++;
    c->proof = &w->work;
    c->global_held = true;
    enum work_fate fate = c->sink->work(c->context, &w->work);
    if (fate == WORK_REFUSED)
        w->failed = true;
    if (fate != WORK_OUT)
        nacre_conn_work_done(c, &w->work, c->now_ns);
    return conn_is_closing(c) ? STEP_CLOSE : STEP_NEXT;
}

void nacre_hostkeys_proved(struct conn *c, struct work *work)
{
    struct proof_work *w = proof_work_of(work);
    struct packet p;

    c->global_held = false;
    if (w->failed) {
        (void)refuse(c, true);
    } else {
        nacre_packet_open(c, &p, MSG_REQUEST_SUCCESS, w->signatures.len);
        wr_bytes(&p.w, w->signatures.at, w->signatures.len);
        (void)nacre_packet_close(c, &p);
    }
    if (!conn_is_closing(c))
        (void)nacre_globals_run(c);
}

/* ---- client ------------------------------------------------------------------------------------------------- */

/* An RSA key proves itself as agreed in the key exchange, or by SHA-2. */
static const struct sig_alg *algorithm_in(const struct conn *c, const struct key *key, struct span signature)
{
    struct rd r = rd_over(signature);
    struct span name = rd_string(&r, NAME_MAX_LEN);
    const char *agreed = negotiated_rsa(c);

    if (strcmp(nacre_key_type(key), "ssh-rsa") != 0)
        return nacre_sig_find(c->config->crypto, span_str(nacre_key_type(key)));
    if (agreed != NULL ? !span_is(name, agreed) : span_is(name, "ssh-rsa"))
        return NULL;
    return nacre_sig_find(c->config->crypto, name);
}

static bool check_one(const struct conn *c, struct span blob, struct span signature)
{
    struct key *key = nacre_key_from_blob(c->config->crypto, blob);
    const struct sig_alg *alg = key == NULL || !nacre_key_is_plain(key) ? NULL : algorithm_in(c, key, signature);
    struct buf data;

    nacre_buf_init(&data, KEY_BLOB_MAX + 256);
    bool good = alg != NULL && nacre_key_fits(key, alg) &&
                write_signed(&data, span_of(c->session_id, c->session_id_len), blob) &&
                nacre_key_verify(c->config->crypto, key, alg, buf_span(&data), signature);
    nacre_buf_free(&data);
    nacre_key_unref(key);
    return good;
}

bool nacre_conn_proof_holds(const struct conn *c, struct span blobs, struct span signatures)
{
    struct rd keys = rd_over(blobs), proofs = rd_over(signatures);
    bool good = rd_left(&keys) != 0;

    while (good && rd_left(&keys) != 0) {
        struct span blob = rd_string(&keys, KEY_BLOB_MAX);
        struct span signature = rd_string(&proofs, SIGNATURE_MAX);
        good = !keys.bad && !proofs.bad && check_one(c, blob, signature);
    }
    return good && rd_end(&keys) && rd_end(&proofs);
}
