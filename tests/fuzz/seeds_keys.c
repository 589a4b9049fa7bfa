/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys, certificates and signatures over the wire. Containers lie in corpus/keys as other programs write them.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/seeds.h"
#include "keys/store.h"
#include "support/certs.h"
#include "wire/wr.h"

enum {
    ROOM = 16384
};

static void write_with(const char *target, uint8_t how, struct span bytes)
{
    static uint8_t room[ROOM];
    struct wr w = wr_over(room, sizeof room);
    wr_u8(&w, how);
    wr_bytes(&w, bytes.at, bytes.len);
    fuzz_must(wr_done(&w), "a seed fits");
    seed_write(target, wr_span(&w));
}

static void write_signature(const struct key *k, const char *alg)
{
    static uint8_t room[ROOM];
    struct wr w = wr_over(room, sizeof room);
    struct buf signature;
    struct span blob = nacre_key_blob(k);
    nacre_buf_init(&signature, SIGNATURE_MAX);
    fuzz_must(
        nacre_key_sign(fuzz_crypto(), k, nacre_sig_find(fuzz_crypto(), span_str(alg)), span_str("signed"), &signature),
        "a key signs");
    wr_u8(&w, (uint8_t)(blob.len >> 8));
    wr_u8(&w, (uint8_t)blob.len);
    wr_bytes(&w, blob.at, blob.len);
    wr_bytes(&w, signature.at, signature.len);
    write_with("certificates", 3, wr_span(&w));
    nacre_buf_free(&signature);
}

static void write_certificate(const struct key *k, const char *type)
{
    static uint8_t blob[KEY_BLOB_MAX];
    const struct cert_plan plan = {.type = type,
                                   .ca_alg = "ssh-ed25519",
                                   .kind = CERT_USER,
                                   .principals = {"user", "other"},
                                   .option = "source-address",
                                   .value = "127.0.0.1/32",
                                   .option2 = "force-command"};
    size_t len = cert_make(fuzz_crypto(), k, fuzz_key(), &plan, blob);
    write_with("certificates", 0, span_of(blob, len));
}

void seeds_keys(void)
{
    static const char *const types[][3] = {
        {"ssh-ed25519", "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"},
        {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com"},
        {"ssh-rsa", "rsa-sha2-256", "ssh-rsa-cert-v01@openssh.com"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct key *k = nacre_key_generate(fuzz_crypto(), types[i][0], 2048);
        struct buf pem;
        fuzz_must(k != NULL, "a key can be made");
        nacre_buf_init(&pem, STORE_FILE_MAX);
        write_with("certificates", 0, nacre_key_blob(k));
        write_signature(k, types[i][1]);
        write_certificate(k, types[i][2]);
        fuzz_must(nacre_store_write_pem(k, &pem), "a key can be written");
        write_with("keys", 2, buf_span(&pem));
        nacre_buf_wipe(&pem);
        nacre_key_unref(k);
    }
}
