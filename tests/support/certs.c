/* SPDX-License-Identifier: Apache-2.0 */
#include "support/certs.h"

#include "crypto/algs.h"
#include "wire/rd.h"
#include "wire/wr.h"

static void put_option(struct wr *w, const char *name, const char *value)
{
    if (name == NULL)
        return;
    wr_cstring(w, name);
    uint8_t *inside = wr_string_open(w);
    if (value != NULL)
        wr_cstring(w, value);
    wr_string_close(w, inside);
}

size_t cert_make(const struct nacre_crypto *crypto, const struct key *user, const struct key *ca,
                 const struct cert_plan *plan, uint8_t blob[KEY_BLOB_MAX])
{
    struct buf signature;
    struct rd fields = rd_over(nacre_key_blob(user));
    (void)rd_string(&fields, 64);
    struct wr w = wr_over(blob, KEY_BLOB_MAX);
    wr_cstring(&w, plan->type);
    wr_cstring(&w, "0123456789abcdef0123456789abcdef");
    wr_bytes(&w, fields.at, (size_t)(fields.end - fields.at));
    wr_u64(&w, 77);
    wr_u32(&w, plan->kind);
    wr_cstring(&w, "an id");
    uint8_t *inside = wr_string_open(&w);
    for (size_t i = 0; i < 3 && plan->principals[i] != NULL; i++)
        wr_cstring(&w, plan->principals[i]);
    wr_string_close(&w, inside);
    wr_u64(&w, plan->valid_before == 0 ? 1000 : plan->valid_after);
    wr_u64(&w, plan->valid_before == 0 ? 2000 : plan->valid_before);
    inside = wr_string_open(&w);
    put_option(&w, plan->option, plan->value);
    put_option(&w, plan->option2, "x");
    wr_string_close(&w, inside);
    inside = wr_string_open(&w);
    wr_cstring(&w, "permit-pty");
    wr_cstring(&w, "");
    wr_cstring(&w, "permit,comma");
    wr_cstring(&w, "");
    wr_cstring(&w, "permit-port-forwarding");
    wr_cstring(&w, "");
    put_option(&w, plan->extension, NULL);
    wr_string_close(&w, inside);
    wr_cstring(&w, "");
    wr_string(&w, nacre_key_blob(ca));
    nacre_buf_init(&signature, SIGNATURE_MAX);
    (void)nacre_key_sign(crypto, ca, nacre_sig_find(crypto, span_str(plan->ca_alg)), wr_span(&w), &signature);
    wr_string(&w, buf_span(&signature));
    nacre_buf_free(&signature);
    return wr_len(&w);
}
