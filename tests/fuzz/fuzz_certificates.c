/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys and certificates as they come over the wire, and X.509 certificates as texts are made of them. */
#include "crypto/cert.h"
#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "keys/certificate.h"

static void look_at_certificate(const struct key_cert *cert)
{
    char names[128];
    struct span value;
    (void)nacre_cert_is_signed(fuzz_crypto(), cert);
    fuzz_must(!nacre_cert_names(cert, span_of(NULL, 0)) || cert->principals.len != 0, "R11: nobody is nobody");
    (void)nacre_cert_names(cert, span_str("user"));
    (void)nacre_cert_option(cert, "force-command", &value);
    (void)nacre_cert_option(cert, "source-address", &value);
    (void)nacre_cert_options_known(cert);
    nacre_cert_extensions(cert, names, sizeof names);
}

static void look_at_blob(struct span blob)
{
    struct key_cert cert;
    struct key *k = nacre_key_from_blob(fuzz_crypto(), blob);
    if (k != NULL && nacre_cert_read(blob, &cert))
        look_at_certificate(&cert);
    nacre_key_unref(k);
}

static void look_at_x509(struct span der)
{
    struct certificate texts;
    char name[128];
    if (nacre_certificate_read(fuzz_crypto(), der, fuzz_key(), &texts))
        nacre_certificate_clear(&texts);
    nacre_certificate_name(der, name, sizeof name);
    (void)nacre_certificate_fits(der, fuzz_key());
}

static void verify(struct span blob, struct span signature)
{
    static const char *const names[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256",
                                        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"};
    struct key *k = nacre_key_from_blob(fuzz_crypto(), blob);
    for (size_t i = 0; k != NULL && i < sizeof names / sizeof *names; i++) {
        const struct sig_alg *alg = nacre_sig_find(fuzz_crypto(), span_str(names[i]));
        if (alg != NULL)
            (void)nacre_key_verify(fuzz_crypto(), k, alg, span_str("signed"), signature);
    }
    nacre_key_unref(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    uint8_t how = input_u8(&in);
    struct span all = span_of(in.at, in.left);
    struct buf der;
    fuzz_restart_random();
    switch (how & 3) {
    case 0:
        look_at_blob(all);
        break;
    case 1:
        look_at_x509(all);
        break;
    case 2:
        nacre_buf_init(&der, 1 << 20);
        if (nacre_certificate_decode(all, &der))
            look_at_x509(buf_span(&der));
        nacre_buf_free(&der);
        break;
    default:
        verify(input_span(&in), span_of(in.at, in.left));
        break;
    }
    return 0;
}
