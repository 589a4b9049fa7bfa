/* SPDX-License-Identifier: Apache-2.0 */
#include "support/security_key.h"

#include <criterion/criterion.h>

#include "crypto/crypto.h"
#include "ssh/conn_priv.h"
#include "wire/rd.h"
#include "wire/wr.h"

struct key *sk_public(const struct nacre_crypto *crypto, const struct key *plain, const char *type,
                      const char *application)
{
    uint8_t blob[512];
    struct wr w = wr_over(blob, sizeof blob);
    struct rd fields = rd_over(nacre_key_blob(plain));

    (void)rd_string(&fields, 64);
    wr_cstring(&w, type);
    wr_bytes(&w, fields.at, (size_t)(fields.end - fields.at));
    wr_cstring(&w, application);
    return nacre_key_from_blob(crypto, wr_span(&w));
}

void sk_sign(const struct nacre_crypto *crypto, const struct key *plain, const struct sk_says *says, struct span data,
             struct buf *out)
{
    uint8_t hash[HASH_MAX], signed_data[69], blob[512];
    struct span application = span_str(says->application);
    struct buf plain_signature;
    struct wr w = wr_over(signed_data, sizeof signed_data);

    cr_assert(nacre_hash(crypto, HASH_SHA256, &application, 1, hash));
    wr_bytes(&w, hash, 32);
    wr_u8(&w, says->flags);
    wr_u32(&w, 5);
    cr_assert(nacre_hash(crypto, HASH_SHA256, &data, 1, hash));
    wr_bytes(&w, hash, 32);
    nacre_buf_init(&plain_signature, SIGNATURE_MAX);
    const struct sig_alg *row = nacre_sig_find(crypto, span_str(nacre_key_type(plain)));
    cr_assert(nacre_key_sign(crypto, plain, row, wr_span(&w), &plain_signature));
    struct rd r = rd_over(buf_span(&plain_signature));
    (void)rd_string(&r, 64);
    struct wr b = wr_over(blob, sizeof blob);
    wr_cstring(&b, says->alg);
    wr_string(&b, rd_string(&r, 256));
    wr_u8(&b, says->flags);
    wr_u32(&b, 5);
    out->len = 0;
    cr_assert(nacre_buf_append(out, blob, wr_len(&b)));
    nacre_buf_free(&plain_signature);
}

void sk_log_in(struct conn *c, const struct key *plain, const char *alg, struct span blob, const struct sk_says *says)
{
    static uint8_t request[16384], data[16384];
    struct wr w = wr_over(request, sizeof request), d = wr_over(data, sizeof data);
    struct buf signature;

    wr_u8(&w, MSG_USERAUTH_REQUEST);
    wr_cstring(&w, "anna");
    wr_cstring(&w, "ssh-connection");
    wr_cstring(&w, "publickey");
    wr_bool(&w, true);
    wr_cstring(&w, alg);
    wr_string(&w, blob);
    wr_string(&d, span_of(c->session_id, c->session_id_len));
    wr_bytes(&d, request, wr_len(&w));
    nacre_buf_init(&signature, SIGNATURE_MAX);
    sk_sign(c->config->crypto, plain, says, wr_span(&d), &signature);
    wr_string(&w, buf_span(&signature));
    nacre_buf_free(&signature);
    cr_assert(wr_done(&w) && wr_done(&d));
    (void)nacre_packet_payload(c, wr_span(&w));
}
