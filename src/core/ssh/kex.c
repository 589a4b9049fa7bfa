/* SPDX-License-Identifier: Apache-2.0 */
/* The key exchange in its order: KEXINIT both ways, the method's two messages, NEWKEYS both ways; again whenever one
 * side wants.
 *
 * Two moments matter. From our KEXINIT to our NEWKEYS we send nothing else (packet_out.c keeps it back). From the
 * peer's KEXINIT to its NEWKEYS it may send nothing else (messages.c's rekey column). What it sent before its KEXINIT
 * is legal, also after ours. Authentication state is never touched here (rule R2). */
#include "ssh/kex.h"

#include <stdlib.h>
#include <string.h>

/* Among 2^32 blocks of 64 bits two are likely to be equal, which tells of the text in them (CVE-2016-2183); among the
 * 2^27 of 2^30 bytes once in 2,000 keys. No setting lets a key go on. */
enum {
    SHORT_BLOCK = 8,
    SHORT_BLOCKS_BYTES = 1 << 30,
};

void nacre_kex_free(struct conn *c)
{
    struct kex *kex = c->kex;

    if (kex == NULL)
        return;
    c->kex = NULL;
    nacre_buf_free(&kex->ours);
    nacre_buf_free(&kex->theirs);
    nacre_buf_free(&kex->transcript);
    nacre_buf_free(&kex->public_value);
    nacre_key_unref(kex->host_key);
    if (kex->computed != NULL)
        kex->computed->work.free(&kex->computed->work);
    if (kex->state != NULL)
        kex->alg->ops->free(kex->state);
    free(kex->asked);
    nacre_keys_free(&kex->next_in);
    nacre_keys_free(&kex->next_out);
    nacre_wipe(kex, sizeof *kex);
    free(kex);
}

bool nacre_kex_peer_busy(const struct conn *c)
{
    return c->kex != NULL && c->kex->expect != EXPECT_KEXINIT;
}

bool nacre_kex_is_out(const struct conn *c)
{
    return c->kex != NULL && c->kex->we_sent;
}

bool nacre_kex_skips_guess(struct conn *c)
{
    if (c->kex == NULL || !c->kex->skip_guess)
        return false;
    c->kex->skip_guess = false;
    return true;
}

static bool is_used_up(const struct conn *c, const struct direction *d)
{
    uint64_t packets = c->config->rekey_packets == 0 ? UINT64_C(1) << 31 : c->config->rekey_packets;
    bool short_blocks = d->keys.cipher_alg != NULL && d->keys.cipher_alg->iv_len == SHORT_BLOCK;

    return d->packets >= packets || (c->config->rekey_bytes != 0 && d->bytes >= c->config->rekey_bytes) ||
           (short_blocks && d->bytes >= SHORT_BLOCKS_BYTES);
}

bool nacre_kex_is_due(const struct conn *c)
{
    return c->kex == NULL && c->phase == PHASE_OPEN &&
           (c->now_ns >= c->rekey_due_ns || is_used_up(c, &c->in) || is_used_up(c, &c->out));
}

bool nacre_kex_holds_data(const struct conn *c)
{
    return c->kex != NULL && (c->kex->we_sent || is_used_up(c, &c->out));
}

static struct kex *kex_begin(struct conn *c)
{
    struct kex *kex = c->kex != NULL ? c->kex : calloc(1, sizeof *kex);

    if (kex == NULL || c->kex != NULL)
        return kex;
    nacre_buf_init(&kex->ours, CONN_PACKET_MAX);
    nacre_buf_init(&kex->theirs, CONN_PACKET_MAX);
    nacre_buf_init(&kex->transcript, KEX_TRANSCRIPT_MAX);
    nacre_buf_init(&kex->public_value, KEX_PUBLIC_MAX);
    c->kex = kex;
    if (c->kex_count != 0)
        c->kex_due_ns = due_after(c->now_ns, c->config->rekey_timeout_ns);
    return kex;
}

enum step nacre_kex_start(struct conn *c)
{
    struct kex *kex = kex_begin(c);

    if (kex == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    if (kex->we_sent)
        return STEP_NEXT;
    if (!nacre_kexinit_write(c, kex))
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "KEXINIT could not be made");
    if (nacre_packet_payload(c, buf_span(&kex->ours)) == STEP_CLOSE)
        return STEP_CLOSE;
    kex->we_sent = true;
    return STEP_NEXT;
}

enum nacre_error nacre_conn_rekey(struct conn *c, int64_t now_ns)
{
    if (c->phase != PHASE_OPEN)
        return NACRE_E_NOTCONN;
    /* Also between our NEWKEYS and the peer's: a second KEXINIT there would belong to no exchange. */
    if (c->kex != NULL)
        return NACRE_OK;
    c->now_ns = now_ns;
    return nacre_kex_start(c) == STEP_CLOSE ? NACRE_E_NOTCONN : NACRE_OK;
}

/* ---- KEXINIT ------------------------------------------------------------------------------------------------ */

static bool append_string(struct buf *b, struct span s)
{
    uint8_t length[4];
    struct wr w = wr_over(length, sizeof length);

    wr_u32(&w, (uint32_t)s.len);
    return nacre_buf_append(b, length, sizeof length) && nacre_buf_append(b, s.at, s.len);
}

/* What both sides said so far goes to the front of the exchange hash; the KEXINITs themselves are done with. */
static bool write_transcript(struct conn *c, struct kex *kex)
{
    struct span mine = span_str(c->config->version), peers = span_str(c->peer_version);
    bool server = conn_is_server(c);
    bool good = append_string(&kex->transcript, server ? peers : mine) &&
                append_string(&kex->transcript, server ? mine : peers) &&
                append_string(&kex->transcript, buf_span(server ? &kex->theirs : &kex->ours)) &&
                append_string(&kex->transcript, buf_span(server ? &kex->ours : &kex->theirs));

    nacre_buf_free(&kex->ours);
    nacre_buf_free(&kex->theirs);
    return good;
}

static enum step start_method(struct conn *c);

enum step nacre_on_kexinit(struct conn *c, struct span body)
{
    static const uint8_t number = MSG_KEXINIT;

    if (c->kex != NULL && c->kex->expect != EXPECT_KEXINIT)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "second KEXINIT in one key exchange");
    if (nacre_kex_start(c) == STEP_CLOSE)
        return STEP_CLOSE;
    struct kex *kex = c->kex;
    if (!nacre_buf_append(&kex->theirs, &number, 1) || !nacre_buf_append(&kex->theirs, body.at, body.len))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for KEXINIT");
    if (nacre_kexinit_negotiate(c, kex) == STEP_CLOSE)
        return STEP_CLOSE;
    if (!write_transcript(c, kex))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    kex->expect = EXPECT_METHOD;
    if (conn_is_server(c))
        return STEP_NEXT;
    return kex->alg->asks_group ? nacre_kex_ask_group(c) : start_method(c);
}

/* ---- the method: server ------------------------------------------------------------------------------------- */

static enum step key_up(struct conn *c, struct kex_work *w);

static enum step server_done(struct conn *c, struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);
    struct packet p;

    if (w->failure != NULL)
        return nacre_conn_fail(c, NACRE_E_KEX, w->failure);
    nacre_packet_open(c, &p, w->asked == NULL ? MSG_KEX_REPLY : MSG_KEX_GROUP_REPLY,
                      12 + w->host_blob.len + w->ours.len + w->signature.len);
    wr_string(&p.w, buf_span(&w->host_blob));
    wr_string(&p.w, buf_span(&w->ours));
    wr_string(&p.w, buf_span(&w->signature));
    return nacre_packet_close(c, &p) == STEP_CLOSE ? STEP_CLOSE : key_up(c, w);
}

static enum step on_init(struct conn *c, struct span body, bool of_group)
{
    struct kex *kex = c->kex;
    struct rd r = rd_over(body);
    struct span value = rd_string(&r, KEX_PUBLIC_MAX);

    if (kex == NULL || kex->expect != EXPECT_METHOD || of_group != (kex->asked != NULL) ||
        of_group != kex->alg->asks_group)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "KEX_INIT out of order");
    if (!rd_end(&r) || value.len == 0)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed KEX_INIT");
    struct kex_work *w = nacre_kex_work_new(c, kex, nacre_kex_run_server);
    if (w == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    w->work.slow = kex->alg->slow || kex->sig_alg->slow || nacre_key_is_slow(kex->host_key);
    w->host_key = nacre_key_ref(kex->host_key);
    w->asked = kex->asked;
    kex->asked = NULL;
    w->transcript = kex->transcript;
    nacre_buf_init(&kex->transcript, KEX_TRANSCRIPT_MAX);
    if (!nacre_buf_append(&w->theirs, value.at, value.len))
        w->failure = "out of memory for a key exchange";
    kex->expect = EXPECT_NEWKEYS;
    return nacre_conn_work(c, &w->work, server_done);
}

enum step nacre_on_kex_init(struct conn *c, struct span body)
{
    return on_init(c, body, false);
}

enum step nacre_on_kex_group_init(struct conn *c, struct span body)
{
    return on_init(c, body, true);
}

/* ---- the method: client ------------------------------------------------------------------------------------- */

static enum step start_done(struct conn *c, struct work *work);

static enum step start_method(struct conn *c)
{
    struct kex *kex = c->kex;
    struct kex_work *w = nacre_kex_work_new(c, kex, nacre_kex_run_start);

    if (w == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    w->asked = kex->asked;
    kex->asked = NULL;
    return nacre_conn_work(c, &w->work, start_done);
}

static enum step start_done(struct conn *c, struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);
    struct kex *kex = c->kex;
    struct packet p;

    if (w->failure != NULL)
        return nacre_conn_fail(c, NACRE_E_CRYPTO, w->failure);
    kex->state = w->state;
    w->state = NULL;
    kex->public_value = w->ours;
    nacre_buf_init(&w->ours, KEX_PUBLIC_MAX);
    kex->asked = w->asked;
    w->asked = NULL;
    nacre_packet_open(c, &p, kex->asked == NULL ? MSG_KEX_INIT : MSG_KEX_GROUP_INIT, 4 + kex->public_value.len);
    wr_string(&p.w, buf_span(&kex->public_value));
    return nacre_packet_close(c, &p);
}

static enum step client_done(struct conn *c, struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);

    if (w->failure != NULL)
        return nacre_conn_fail(c, w->signature_is_bad ? NACRE_E_HOST_KEY : NACRE_E_KEX, w->failure);
    struct kex_work *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    /* The work is freed by its owner; what it computed moves over. */
    *kept = *w;
    w->host_key = NULL;
    w->state = NULL;
    w->asked = NULL;
    nacre_buf_init(&w->transcript, 0);
    nacre_buf_init(&w->ours, 0);
    nacre_buf_init(&w->theirs, 0);
    nacre_buf_init(&w->host_blob, 0);
    nacre_buf_init(&w->signature, 0);
    c->kex->computed = kept;
    return nacre_conn_ask(c, ASK_HOST_KEY,
                          &(struct conn_event){.type = CONN_HOST_KEY,
                                               .data = buf_span(&kept->host_blob),
                                               .key_algorithm = span_str(kept->sig_alg->name)});
}

enum step nacre_resume_host_key(struct conn *c, const struct ask *ask, const struct conn_answer *answer)
{
    struct kex_work *w = c->kex->computed;

    (void)ask;
    if (!answer->accept)
        return nacre_conn_fail(c, NACRE_E_HOST_KEY, "the host key was not accepted");
    c->kex->computed = NULL;
    enum step step = key_up(c, w);
    w->work.free(&w->work);
    return step;
}

static enum step on_reply(struct conn *c, struct span body)
{
    struct kex *kex = c->kex;
    struct rd r = rd_over(body);
    struct span blob = rd_string(&r, KEY_BLOB_MAX);
    struct span value = rd_string(&r, KEX_PUBLIC_MAX);
    struct span signature = rd_string(&r, SIGNATURE_MAX);

    if (kex == NULL || kex->expect != EXPECT_METHOD || kex->state == NULL)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "KEX_REPLY out of order");
    if (!rd_end(&r) || value.len == 0)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed KEX_REPLY");
    struct kex_work *w = nacre_kex_work_new(c, kex, nacre_kex_run_client);
    if (w == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    w->state = kex->state;
    kex->state = NULL;
    w->asked = kex->asked;
    kex->asked = NULL;
    w->transcript = kex->transcript;
    nacre_buf_init(&kex->transcript, KEX_TRANSCRIPT_MAX);
    w->ours = kex->public_value;
    nacre_buf_init(&kex->public_value, KEX_PUBLIC_MAX);
    kex->expect = EXPECT_NEWKEYS;
    if (!nacre_buf_append(&w->host_blob, blob.at, blob.len) || !nacre_buf_append(&w->theirs, value.at, value.len) ||
        !nacre_buf_append(&w->signature, signature.at, signature.len)) {
        w->work.free(&w->work);
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a key exchange");
    }
    return nacre_conn_work(c, &w->work, client_done);
}

/* The number that is the reply of the other methods gives the group here. */
enum step nacre_on_kex_reply(struct conn *c, struct span body)
{
    struct kex *kex = c->kex;

    if (kex == NULL || kex->expect != EXPECT_METHOD || !kex->alg->asks_group)
        return on_reply(c, body);
    if (kex->asked == NULL || !nacre_kex_read_group(kex->asked, body))
        return nacre_conn_fail(c, NACRE_E_KEX, "the server's group is not acceptable");
    return start_method(c);
}

enum step nacre_on_kex_group_reply(struct conn *c, struct span body)
{
    if (c->kex == NULL || c->kex->asked == NULL)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "KEX_GROUP_REPLY out of order");
    return on_reply(c, body);
}

/* ---- keys --------------------------------------------------------------------------------------------------- */

static bool derive(struct conn *c, const struct kex_work *w, char letter, uint8_t *out, size_t need)
{
    return need == 0 || nacre_kdf(c->config->crypto, w->alg->hash, span_of(w->shared.bytes, w->shared.len),
                                  span_of(w->hash, nacre_hash_size(w->alg->hash)), letter,
                                  span_of(c->session_id, c->session_id_len), out, need);
}

/* RFC 4253 section 7.2: letters A, C, E belong to the client's direction, B, D, F to the server's. */
static bool open_keys(struct conn *c, const struct kex_work *w, struct keys *k, bool to_server, bool seals)
{
    uint8_t iv[SECRET_MAX], key[SECRET_MAX], mac[SECRET_MAX];
    char shift = to_server ? 0 : 1;
    size_t mac_len = k->mac_alg == NULL ? 0 : k->mac_alg->key_len;
    bool good = k->cipher_alg->iv_len <= sizeof iv && k->cipher_alg->key_len <= sizeof key && mac_len <= sizeof mac &&
                derive(c, w, (char)('A' + shift), iv, k->cipher_alg->iv_len) &&
                derive(c, w, (char)('C' + shift), key, k->cipher_alg->key_len) &&
                derive(c, w, (char)('E' + shift), mac, mac_len);

    if (good) {
        k->cipher = k->cipher_alg->ops->open(c->config->crypto, k->cipher_alg, key, iv, seals);
        k->mac = k->mac_alg == NULL ? NULL : k->mac_alg->ops->open(c->config->crypto, k->mac_alg, mac);
        good = k->cipher != NULL && (k->mac_alg == NULL || k->mac != NULL);
    }
    nacre_wipe(iv, sizeof iv);
    nacre_wipe(key, sizeof key);
    nacre_wipe(mac, sizeof mac);
    return good;
}

/* The secret is shared: makes both directions' keys, says NEWKEYS, and uses ours from then on. */
static enum step key_up(struct conn *c, struct kex_work *w)
{
    struct kex *kex = c->kex;
    bool server = conn_is_server(c);

    if (c->kex_count == 0) {
        c->session_id_len = (uint8_t)nacre_hash_size(w->alg->hash);
        memcpy(c->session_id, w->hash, c->session_id_len);
        c->host_key = nacre_key_ref(w->host_key);
    }
    if (!open_keys(c, w, &kex->next_in, server, false) || !open_keys(c, w, &kex->next_out, !server, true))
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "session keys could not be made");
    if (nacre_packet_empty(c, MSG_NEWKEYS) == STEP_CLOSE)
        return STEP_CLOSE;
    if (!nacre_keys_install(c, &c->out, &kex->next_out))
        return nacre_conn_fail(c, NACRE_E_INTERNAL, "compression could not be started");
    c->kex_alg = kex->alg;
    c->host_key_alg = kex->sig_alg;
    kex->we_sent = false;
    /* RFC 8308 section 2.4: right behind our first NEWKEYS. */
    if (c->kex_count == 0 && c->sends_ext_info && nacre_send_ext_info(c) == STEP_CLOSE)
        return STEP_CLOSE;
    return nacre_packets_release(c);
}

/* A first exchange leads to the service; a later one lets go on what waited. */
enum step nacre_on_newkeys(struct conn *c, struct span body)
{
    struct kex *kex = c->kex;

    if (kex == NULL || kex->expect != EXPECT_NEWKEYS || kex->we_sent || kex->next_in.cipher == NULL)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "NEWKEYS out of order");
    if (body.len != 0)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed NEWKEYS");
    if (!nacre_keys_install(c, &c->in, &kex->next_in))
        return nacre_conn_fail(c, NACRE_E_INTERNAL, "compression could not be started");
    nacre_kex_free(c);
    c->kex_count++;
    c->kex_due_ns = INT64_MAX;
    c->rekey_due_ns = due_after(c->now_ns, c->config->rekey_ns);
    nacre_conn_enter(c, PHASE_SERVICE);
    nacre_conn_status(c, "Keys are in use.");
    nacre_conn_event(c, &(struct conn_event){.type = CONN_KEX_DONE, .serial = c->kex_count});
    if (c->kex_count == 1 && !conn_is_server(c))
        return nacre_send_service_request(c);
    return STEP_NEXT;
}
