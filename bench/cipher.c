/* SPDX-License-Identifier: Apache-2.0 */
/* nacre-bench-cipher: CPU time a byte of sealing and opening whole packets, beside what the library itself takes for
 * the same primitive in the manner of `openssl speed -evp`: one buffer, one key, no nonce, no tag, no packets, over and
 * over.
 *
 * Both run in turns of a few milliseconds in one process, so that a machine which others use slows both down. Times are
 * of CPU, and the median turn counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "base/secret.h"
#include "crypto/algs.h"

enum {
    LENGTH_LEN = 4,
    BATCH = 8, /* packets of a turn's part: sealed apart, then opened */
    TURNS_MAX = 100000,
    EXIT_USAGE = 2
};

struct options {
    size_t size; /* of a packet without its length and tag */
    double seconds;
    double least; /* of the library's speed, in percent, that every row has to reach */
    const char *cipher, *mac;
};

/* What is timed: `BATCH` packets, or as many buffers of the library's. */
struct subject {
    bool (*run)(struct subject *s);
    bool (*prepare)(struct subject *s); /* before each run, not timed; NULL: nothing */
    struct bench *bench;
    double *turns; /* seconds a byte */
    size_t count;
};

struct bench {
    struct nacre_crypto *crypto;
    OSSL_LIB_CTX *library;
    const struct options *options;
    const struct cipher_alg *cipher;
    const struct mac_alg *mac; /* NULL: an AEAD */
    struct cipher *seal, *open;
    struct mac *seal_mac, *open_mac;
    uint32_t seal_seq, open_seq;
    EVP_CIPHER_CTX *evp;
    EVP_MAC_CTX *evp_mac;
    uint8_t *packets, *buffer;
    size_t stride;
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint8_t *packet_at(const struct bench *b, size_t i)
{
    return b->packets + i * b->stride;
}

/* ---- ours: what the packet layer does, RFC 4253 section 6 ------------------------------------------------------- */

static bool is_etm(const struct bench *b)
{
    return b->mac != NULL && b->mac->etm;
}

static bool seal_packet(struct bench *b, uint8_t *at)
{
    size_t size = b->options->size, end = LENGTH_LEN + size;
    const struct cipher_ops *ops = b->cipher->ops;
    uint32_t seq = b->seal_seq++;
    if (b->mac == NULL)
        return ops->seal(b->seal, seq, at, size);
    if (is_etm(b))
        return ops->seal(b->seal, seq, at + LENGTH_LEN, size) && b->mac->ops->sum(b->seal_mac, seq, at, end, at + end);
    return b->mac->ops->sum(b->seal_mac, seq, at, end, at + end) && ops->seal(b->seal, seq, at, end);
}

static bool tag_fits(struct bench *b, uint32_t seq, const uint8_t *at)
{
    uint8_t tag[MAC_MAX];
    size_t end = LENGTH_LEN + b->options->size;
    return b->mac->ops->sum(b->open_mac, seq, at, end, tag) && nacre_secret_eq(tag, at + end, b->mac->tag_len);
}

static bool open_packet(struct bench *b, uint8_t *at)
{
    size_t size = b->options->size;
    const struct cipher_ops *ops = b->cipher->ops;
    uint32_t seq = b->open_seq++, length = 0;
    if (b->mac == NULL)
        return ops->length(b->open, seq, at, &length) && length == size && ops->open_packet(b->open, seq, at, size);
    if (is_etm(b))
        return tag_fits(b, seq, at) && ops->open_packet(b->open, seq, at + LENGTH_LEN, size);
    return ops->open_packet(b->open, seq, at, LENGTH_LEN + size) && tag_fits(b, seq, at);
}

/* The length is written anew: ChaCha20-Poly1305 encrypts it, and others with the text. */
static void write_lengths(struct bench *b)
{
    uint32_t size = (uint32_t)b->options->size;
    for (size_t i = 0; i < BATCH; i++) {
        const uint8_t length[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
        memcpy(packet_at(b, i), length, sizeof length);
    }
}

static bool seal_batch(struct subject *s)
{
    for (size_t i = 0; i < BATCH; i++) {
        if (!seal_packet(s->bench, packet_at(s->bench, i)))
            return false;
    }
    return true;
}

static bool prepare_seal(struct subject *s)
{
    write_lengths(s->bench);
    s->bench->open_seq += BATCH; /* these are not opened */
    return true;
}

static bool open_batch(struct subject *s)
{
    for (size_t i = 0; i < BATCH; i++) {
        if (!open_packet(s->bench, packet_at(s->bench, i)))
            return false;
    }
    return true;
}

static bool prepare_open(struct subject *s)
{
    write_lengths(s->bench);
    return seal_batch(s);
}

/* ---- the library's: EVP in a loop ------------------------------------------------------------------------------ */

static bool library_batch(struct subject *s)
{
    struct bench *b = s->bench;
    uint8_t tag[EVP_MAX_MD_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < BATCH; i++) {
        int done = 0;
        if (EVP_CipherUpdate(b->evp, b->buffer, &done, b->buffer, (int)b->options->size) != 1)
            return false;
        if (b->evp_mac != NULL && (EVP_MAC_init(b->evp_mac, NULL, 0, NULL) != 1 ||
                                   EVP_MAC_update(b->evp_mac, b->buffer, b->options->size) != 1 ||
                                   EVP_MAC_final(b->evp_mac, tag, &n, sizeof tag) != 1))
            return false;
    }
    return true;
}

/* ChaCha20-Poly1305 is one primitive to the library; the rows of crypto/algs.c name its stream cipher. */
static const char *library_name(const struct cipher_alg *alg)
{
    return strcmp(alg->fetch, "ChaCha20") == 0 ? "ChaCha20-Poly1305" : alg->fetch;
}

static bool library_cipher(struct bench *b, bool encrypt)
{
    static const uint8_t key[64] = {1}, iv[16] = {2};
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(b->library, library_name(b->cipher), NULL);
    b->evp = EVP_CIPHER_CTX_new();
    bool ok =
        cipher != NULL && b->evp != NULL && EVP_CipherInit_ex2(b->evp, cipher, NULL, NULL, encrypt ? 1 : 0, NULL) == 1;
    if (ok && b->cipher->ops->length == NULL && EVP_CIPHER_get_key_length(cipher) != (int)b->cipher->key_len)
        ok = EVP_CIPHER_CTX_set_key_length(b->evp, (int)b->cipher->key_len) == 1;
    ok = ok && EVP_CIPHER_CTX_set_padding(b->evp, 0) >= 0 &&
         EVP_CipherInit_ex2(b->evp, NULL, key, iv, encrypt ? 1 : 0, NULL) == 1;
    EVP_CIPHER_free(cipher);
    return ok;
}

static bool library_mac(struct bench *b)
{
    static const char *const names[] = {
        [HASH_SHA1] = "SHA1",     [HASH_SHA256] = "SHA256", [HASH_SHA384] = "SHA384",
        [HASH_SHA512] = "SHA512", [HASH_MD5] = "MD5",       [HASH_RIPEMD160] = "RIPEMD160"};
    static const uint8_t key[64] = {3};
    if (b->mac == NULL)
        return true;
    char name[16];
    snprintf(name, sizeof name, "%s", names[b->mac->hash]);
    EVP_MAC *mac = EVP_MAC_fetch(b->library, "HMAC", NULL);
    b->evp_mac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    bool ok = b->evp_mac != NULL && EVP_MAC_init(b->evp_mac, key, b->mac->key_len, p) == 1;
    EVP_MAC_free(mac);
    return ok;
}

/* ---- one row ---------------------------------------------------------------------------------------------------- */

static bool turn(struct subject *s)
{
    double used = 0, bytes = 0;
    do {
        if (s->prepare != NULL && !s->prepare(s))
            return false;
        double before = cpu_seconds(), start = cpu_seconds();
        if (!s->run(s))
            return false;
        used += cpu_seconds() - start - (start - before); /* less what asking for the time takes */
        bytes += (double)BATCH * (double)s->bench->options->size;
    } while (used < 0.002);
    if (s->count < TURNS_MAX)
        s->turns[s->count++] = used / bytes;
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(struct subject *s)
{
    qsort(s->turns, s->count, sizeof *s->turns, compare_doubles);
    return s->turns[s->count / 2];
}

static void close_row(struct bench *b)
{
    if (b->seal != NULL)
        b->cipher->ops->close(b->seal);
    if (b->open != NULL)
        b->cipher->ops->close(b->open);
    if (b->seal_mac != NULL)
        b->mac->ops->close(b->seal_mac);
    if (b->open_mac != NULL)
        b->mac->ops->close(b->open_mac);
    EVP_CIPHER_CTX_free(b->evp);
    EVP_MAC_CTX_free(b->evp_mac);
    free(b->packets);
    free(b->buffer);
}

static bool open_row(struct bench *b, bool sealing)
{
    static const uint8_t key[64] = {1}, iv[16] = {2}, mac_key[64] = {3};
    b->stride = (LENGTH_LEN + b->options->size + MAC_MAX + 63) / 64 * 64;
    b->packets = calloc(BATCH, b->stride);
    b->buffer = calloc(1, b->options->size);
    b->seal = b->cipher->ops->open(b->crypto, b->cipher, key, iv, true);
    b->open = b->cipher->ops->open(b->crypto, b->cipher, key, iv, false);
    if (b->mac != NULL) {
        b->seal_mac = b->mac->ops->open(b->crypto, b->mac, mac_key);
        b->open_mac = b->mac->ops->open(b->crypto, b->mac, mac_key);
    }
    return b->packets != NULL && b->buffer != NULL && b->seal != NULL && b->open != NULL &&
           (b->mac == NULL || (b->seal_mac != NULL && b->open_mac != NULL)) && library_cipher(b, sealing) &&
           library_mac(b);
}

static bool measure(struct bench *b, bool sealing, double *ours, double *theirs)
{
    static double turns[2][TURNS_MAX];
    struct subject own = {.run = sealing ? seal_batch : open_batch,
                          .prepare = sealing ? prepare_seal : prepare_open,
                          .bench = b,
                          .turns = turns[0]};
    struct subject library = {.run = library_batch, .bench = b, .turns = turns[1]};
    double end = cpu_seconds() + b->options->seconds;
    do {
        if (!turn(&own) || !turn(&library))
            return false;
    } while (cpu_seconds() < end);
    *ours = median(&own);
    *theirs = median(&library);
    return true;
}

/* False: something failed, or the row is slower than it may be. */
static bool run_row(const struct bench *like, const struct cipher_alg *cipher, const struct mac_alg *mac)
{
    bool well = true;
    for (int i = 0; i < 2; i++) {
        struct bench b = *like;
        double ours = 0, theirs = 0;
        b.cipher = cipher;
        b.mac = mac;
        bool ok = open_row(&b, i == 0) && measure(&b, i == 0, &ours, &theirs);
        close_row(&b);
        if (!ok) {
            printf("%-30s %-30s %-5s failed\n", cipher->name, mac == NULL ? "" : mac->name, i == 0 ? "seal" : "open");
            well = false;
            continue;
        }
        double percent = 100 * theirs / ours;
        printf("%-30s %-30s %-5s %9.3f %9.3f %7.1f%%%s\n", cipher->name, mac == NULL ? "" : mac->name,
               i == 0 ? "seal" : "open", ours * 1e9, theirs * 1e9, percent,
               percent < like->options->least ? "  too slow" : "");
        well = well && percent >= like->options->least;
        fflush(stdout);
    }
    return well;
}

/* Takes the next of several comma-separated names. */
static bool next_name(const char **list, struct span *name)
{
    size_t len = strcspn(*list, ",");
    bool is_one = **list != '\0';
    *name = span_of(*list, len);
    *list += len + ((*list)[len] == ',');
    return is_one;
}

static bool run_macs(const struct bench *b, const struct cipher_alg *cipher)
{
    const char *macs = b->options->mac;
    struct span name;
    bool well = true;
    while (next_name(&macs, &name)) {
        const struct mac_alg *mac = nacre_mac_find(b->crypto, name);
        /* UMAC is not the library's: there is nothing to compare with. */
        if (mac == NULL || mac->hash == HASH_COUNT) {
            printf("%-30s %.*s: not there, or not the library's\n", cipher->name, (int)name.len, (const char *)name.at);
            well = false;
            continue;
        }
        well = run_row(b, cipher, mac) && well;
    }
    return well;
}

static bool run_all(const struct bench *b)
{
    const char *ciphers = b->options->cipher == NULL ? nacre_algs_usable(b->crypto, ALG_CIPHER) : b->options->cipher;
    struct span name;
    bool well = true;
    printf("%-30s %-30s %-5s %9s %9s %8s\n", "cipher", "MAC", "", "ours", "library", "ratio");
    printf("%-30s %-30s %-5s %9s %9s %8s\n", "", "", "", "ns/byte", "ns/byte", "");
    while (next_name(&ciphers, &name)) {
        const struct cipher_alg *cipher = nacre_cipher_find(b->crypto, name);
        if (cipher == NULL) {
            printf("%.*s: not there\n", (int)name.len, (const char *)name.at);
            well = false;
        } else {
            well = (cipher->tag_len != 0 ? run_row(b, cipher, NULL) : run_macs(b, cipher)) && well;
        }
    }
    return well;
}

/* ---- the command line ------------------------------------------------------------------------------------------- */

static int usage(FILE *to, int status)
{
    fprintf(to,
            "Usage: nacre-bench-cipher [--cipher LIST] [--mac LIST] [--size BYTES] [--seconds S] [--least PERCENT]\n\n"
            "CPU time a byte of sealing and opening packets, beside the library's own for the same primitive.\n"
            "  --cipher LIST    ciphers (all)\n"
            "  --mac LIST       MACs for those that need one (hmac-sha2-256-etm@openssh.com)\n"
            "  --size BYTES     of a packet, a multiple of 16 (32768)\n"
            "  --seconds S      of CPU time for each line (0.5)\n"
            "  --least PERCENT  of the library's speed that every line has to reach (0)\n\n"
            "Exit status: 0 all well, 1 something failed or was slower than --least, 2 wrong usage.\n");
    return status;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        char *end = NULL;
        if (value == NULL || *value == '\0')
            return false;
        if (strcmp(name, "--cipher") == 0)
            o->cipher = value;
        else if (strcmp(name, "--mac") == 0)
            o->mac = value;
        else if (strcmp(name, "--size") == 0)
            o->size = strtoul(value, &end, 10);
        else if (strcmp(name, "--seconds") == 0)
            o->seconds = strtod(value, &end);
        else if (strcmp(name, "--least") == 0)
            o->least = strtod(value, &end);
        else
            return false;
        if (end != NULL && (end == value || *end != '\0'))
            return false;
    }
    return o->size >= 16 && o->size <= 1 << 20 && o->size % 16 == 0 && o->seconds > 0 && o->seconds <= 60 &&
           o->least >= 0;
}

int main(int argc, char **argv)
{
    struct options o = {.size = 32768, .seconds = 0.5, .mac = "hmac-sha2-256-etm@openssh.com"};
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, EXIT_SUCCESS);
    if (!read_options(&o, argc, argv))
        return usage(stderr, EXIT_USAGE);
    struct bench b = {.options = &o, .crypto = nacre_crypto_open(true), .library = OSSL_LIB_CTX_new()};
    if (b.crypto == NULL || b.library == NULL) {
        fprintf(stderr, "nacre-bench-cipher: the cryptographic library does not start\n");
        return EXIT_FAILURE;
    }
    OSSL_PROVIDER *standard = OSSL_PROVIDER_load(b.library, "default");
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(b.library, "legacy");
    bool well = run_all(&b);
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(standard);
    OSSL_LIB_CTX_free(b.library);
    nacre_crypto_unref(b.crypto);
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
