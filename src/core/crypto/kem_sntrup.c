/* SPDX-License-Identifier: Apache-2.0 */
/* Streamlined NTRU Prime, sntrup761. libgcrypt has it since 1.11, and is left out where it is not installed.
 *
 * Every run of bytes of the right length is a public key of sntrup761 and a ciphertext for any key, so the library
 * refuses neither: who sends a wrong one gets a secret that only one side has, and fails at the signature over it. */
#include "crypto/kem.h"

#ifdef NACRE_HAVE_LIBGCRYPT

#include <stdlib.h>

#include <gcrypt.h>
#include <openssl/crypto.h>

#include "base/secret.h"
#include "crypto/context.h"

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static bool ready; /* set once, then only read */

/* The application, or another library in it, may have begun with libgcrypt and chosen its ways: then nothing of that is
 * touched. Else nobody has, and we take what suits a library: no locked memory, which would drop privileges, and random
 * bytes straight from the system, since its own generator takes longer to give those of one key than the key takes. */
static void make_ready(void)
{
    bool ours = !gcry_control(GCRYCTL_ANY_INITIALIZATION_P);
    if (ours)
        gcry_control(GCRYCTL_SET_PREFERRED_RNG_TYPE, GCRY_RNG_TYPE_SYSTEM);
    ready = gcry_check_version("1.11.0") != NULL;
    if (ours && ready) {
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
}

/* Where FIPS is demanded, of us or of libgcrypt, there is no sntrup761. */
static bool sntrup_usable(const struct nacre_crypto *c)
{
    return !c->fips && CRYPTO_THREAD_run_once(&once, make_ready) == 1 && ready && !gcry_fips_mode_active();
}

static void sntrup_free(void *private)
{
    nacre_wipe(private, GCRY_KEM_SNTRUP761_SECKEY_LEN);
    free(private);
}

static void *sntrup_generate(const struct nacre_crypto *c, uint8_t *public)
{
    (void)c;
    void *private = malloc(GCRY_KEM_SNTRUP761_SECKEY_LEN);
    if (private == NULL)
        return NULL;
    if (gcry_kem_keypair(GCRY_KEM_SNTRUP761, public, GCRY_KEM_SNTRUP761_PUBKEY_LEN, private,
                         GCRY_KEM_SNTRUP761_SECKEY_LEN) == 0)
        return private;
    sntrup_free(private);
    return NULL;
}

static bool sntrup_encapsulate(const struct nacre_crypto *c, const uint8_t *public, uint8_t *ciphertext,
                               uint8_t *secret)
{
    (void)c;
    return gcry_kem_encap(GCRY_KEM_SNTRUP761, public, GCRY_KEM_SNTRUP761_PUBKEY_LEN, ciphertext,
                          GCRY_KEM_SNTRUP761_CIPHER_LEN, secret, GCRY_KEM_SNTRUP761_SHARED_LEN, NULL, 0) == 0;
}

static bool sntrup_decapsulate(const struct nacre_crypto *c, void *private, const uint8_t *ciphertext, uint8_t *secret)
{
    (void)c;
    return gcry_kem_decap(GCRY_KEM_SNTRUP761, private, GCRY_KEM_SNTRUP761_SECKEY_LEN, ciphertext,
                          GCRY_KEM_SNTRUP761_CIPHER_LEN, secret, GCRY_KEM_SNTRUP761_SHARED_LEN, NULL, 0) == 0;
}

_Static_assert(GCRY_KEM_SNTRUP761_PUBKEY_LEN <= KEM_PUBLIC_MAX && GCRY_KEM_SNTRUP761_CIPHER_LEN <= KEM_CIPHERTEXT_MAX &&
                   GCRY_KEM_SNTRUP761_SHARED_LEN == KEM_SECRET,
               "what the library writes fits");

const struct kem nacre_kem_sntrup = {.public_len = GCRY_KEM_SNTRUP761_PUBKEY_LEN,
                                     .ciphertext_len = GCRY_KEM_SNTRUP761_CIPHER_LEN,
                                     .usable = sntrup_usable,
                                     .generate = sntrup_generate,
                                     .free = sntrup_free,
                                     .encapsulate = sntrup_encapsulate,
                                     .decapsulate = sntrup_decapsulate};

#else

static bool sntrup_usable(const struct nacre_crypto *c)
{
    (void)c;
    return false;
}

const struct kem nacre_kem_sntrup = {.usable = sntrup_usable};

#endif
