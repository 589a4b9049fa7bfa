/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphers and HMACs that lose their contexts to others and get them back: more of them than a thread has contexts. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/keyed.h"
#include "unit/crypto/fixture.h"

enum {
    BODY = 48,
    PACKET = 4 + BODY + 16,
    ROUNDS = 3,
    MANY = KEYED_SEATS / 2 + 100 /* pairs */
};

TestSuite(keyed, .init = crypto_set_up, .fini = crypto_tear_down);

static const char *const names[] = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr"};

static const struct cipher_alg *find(const char *name)
{
    const struct cipher_alg *alg = nacre_cipher_find(crypto, span_str(name));
    cr_assert_not_null(alg, "%s", name);
    return alg;
}

/* Everybody's key is another one, and the counters are about to run over. */
static struct cipher *open_nth(const struct cipher_alg *alg, size_t n, bool seal)
{
    uint8_t key[64] = {1, (uint8_t)n, (uint8_t)(n >> 8)}, iv[16];
    memset(iv, 0xff, sizeof iv);
    struct cipher *x = alg->ops->open(crypto, alg, key, iv, seal);
    cr_assert_not_null(x);
    return x;
}

static void plain_packet(uint8_t packet[PACKET], size_t n)
{
    memset(packet, 0, PACKET);
    packet[3] = BODY;
    memset(packet + 4, (int)(n & 0x7f), BODY);
}

/* Ciphers without a tag get what is behind the length. */
static uint8_t *text_of(const struct cipher_alg *alg, uint8_t *packet)
{
    return alg->tag_len != 0 ? packet : packet + 4;
}

static bool seal(const struct cipher_alg *alg, struct cipher *x, uint8_t *packet)
{
    return alg->ops->seal(x, 0, text_of(alg, packet), BODY);
}

static bool open_packet(const struct cipher_alg *alg, struct cipher *x, uint8_t *packet)
{
    return alg->ops->open_packet(x, 0, text_of(alg, packet), BODY);
}

static bool is_plain(const uint8_t *packet, size_t n)
{
    uint8_t want[PACKET];
    plain_packet(want, n);
    return memcmp(packet, want, 4 + BODY) == 0;
}

struct pair {
    const struct cipher_alg *alg;
    struct cipher *out, *in;
};

static void pair_open(struct pair *p, size_t n)
{
    p->alg = find(names[n % 3]);
    p->out = open_nth(p->alg, n, true);
    p->in = open_nth(p->alg, n, false);
}

static void pair_close(struct pair *p)
{
    p->alg->ops->close(p->out);
    p->alg->ops->close(p->in);
}

static void pair_talk(struct pair *p, size_t n)
{
    uint8_t packet[PACKET];
    plain_packet(packet, n);
    cr_assert(seal(p->alg, p->out, packet), "%s %zu", p->alg->name, n);
    cr_assert_not(is_plain(packet, n));
    cr_assert(open_packet(p->alg, p->in, packet), "%s %zu", p->alg->name, n);
    cr_assert(is_plain(packet, n), "%s %zu", p->alg->name, n);
}

Test(keyed, streams_go_on_when_their_contexts_went_to_others)
{
    struct pair *pairs = calloc(MANY, sizeof *pairs);
    cr_assert_not_null(pairs);
    for (size_t i = 0; i < MANY; i++)
        pair_open(&pairs[i], i);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < MANY; i++)
            pair_talk(&pairs[i], i);
        cr_assert_eq(nacre_keyed_count(), KEYED_SEATS);
    }
    for (size_t i = 0; i < MANY; i++)
        pair_close(&pairs[i]);
    cr_assert_eq(nacre_keyed_count(), 0, "who is gone leaves no key");
    free(pairs);
}

/* Takes every context of this thread away from whoever had one. */
static void crowd_out(void)
{
    const struct cipher_alg *alg = find("aes128-ctr");
    struct cipher **crowd = calloc(KEYED_SEATS * 2, sizeof *crowd);
    uint8_t packet[PACKET];
    cr_assert_not_null(crowd);
    for (size_t i = 0; i < KEYED_SEATS * 2; i++) {
        crowd[i] = open_nth(alg, i, true);
        plain_packet(packet, i);
        cr_assert(seal(alg, crowd[i], packet));
    }
    for (size_t i = 0; i < KEYED_SEATS * 2; i++)
        alg->ops->close(crowd[i]);
    free(crowd);
    cr_assert_eq(nacre_keyed_count(), 0);
}

static struct mac *mac_nth(const struct mac_alg *alg, size_t n)
{
    uint8_t key[64] = {1, (uint8_t)n, (uint8_t)(n >> 8)};
    struct mac *m = alg->ops->open(crypto, alg, key);
    cr_assert_not_null(m);
    return m;
}

/* As crowd_out(), by HMACs: contexts go from the one kind to the other. */
static void crowd_out_by_macs(void)
{
    const struct mac_alg *alg = nacre_mac_find(crypto, span_str("hmac-sha2-512"));
    struct mac **crowd = calloc(KEYED_SEATS * 2, sizeof *crowd);
    uint8_t tag[64];
    cr_assert(alg != NULL && crowd != NULL);
    for (size_t i = 0; i < KEYED_SEATS * 2; i++) {
        crowd[i] = mac_nth(alg, i);
        cr_assert(alg->ops->sum(crowd[i], 0, tag, 0, tag));
    }
    for (size_t i = 0; i < KEYED_SEATS * 2; i++)
        alg->ops->close(crowd[i]);
    free(crowd);
    cr_assert_eq(nacre_keyed_count(), 0);
}

/* The sums are those of an HMAC that keeps its states. */
Test(keyed, an_hmac_whose_states_were_lost_gives_the_same_sums)
{
    static const char *const macs[] = {"hmac-sha2-256", "hmac-sha2-512", "hmac-sha1", "hmac-sha1-96"};
    for (size_t i = 0; i < sizeof macs / sizeof *macs; i++) {
        const struct mac_alg *alg = nacre_mac_find(crypto, span_str(macs[i]));
        cr_assert_not_null(alg, "%s", macs[i]);
        struct mac *steady = mac_nth(alg, 7), *dropped = mac_nth(alg, 7);
        uint8_t packet[PACKET], want[ROUNDS][64] = {{0}}, tag[64] = {0};
        plain_packet(packet, 3);
        for (uint32_t n = 0; n < ROUNDS; n++)
            cr_assert(alg->ops->sum(steady, n, packet, PACKET, want[n]));
        for (uint32_t n = 0; n < ROUNDS; n++) {
            cr_assert(alg->ops->sum(dropped, n, packet, PACKET, tag));
            cr_assert(memcmp(tag, want[n], sizeof tag) == 0, "%s %u", macs[i], n);
            if (n % 2 == 0)
                crowd_out();
            else
                crowd_out_by_macs();
        }
        alg->ops->close(steady);
        alg->ops->close(dropped);
    }
}

/* The bytes are those of a cipher that keeps its context. */
Test(keyed, a_context_that_was_lost_changes_no_byte)
{
    for (size_t i = 0; i < 3; i++) {
        const struct cipher_alg *alg = find(names[i]);
        struct cipher *steady = open_nth(alg, 7, true), *dropped = open_nth(alg, 7, true);
        uint8_t want[ROUNDS][PACKET], packet[PACKET];
        for (size_t n = 0; n < ROUNDS; n++) {
            plain_packet(want[n], n);
            cr_assert(seal(alg, steady, want[n]));
        }
        for (size_t n = 0; n < ROUNDS; n++) {
            plain_packet(packet, n);
            cr_assert(seal(alg, dropped, packet));
            cr_assert(memcmp(packet, want[n], PACKET) == 0, "%s %zu", alg->name, n);
            if (n % 2 == 0)
                crowd_out();
            else
                crowd_out_by_macs();
        }
        alg->ops->close(steady);
        alg->ops->close(dropped);
    }
}

/* New keys after the context of the old ones was lost: the old ones' packets are refused, the new ones' opened. */
Test(keyed, keys_may_be_exchanged_while_there_is_no_context)
{
    const struct cipher_alg *alg = find(names[1]);
    struct cipher *out = open_nth(alg, 1, true), *in = open_nth(alg, 1, false);
    uint8_t old[PACKET], young[PACKET];
    plain_packet(old, 1);
    cr_assert(seal(alg, out, old));
    crowd_out();
    alg->ops->close(in);
    in = open_nth(alg, 2, false);
    cr_assert_not(open_packet(alg, in, old));
    alg->ops->close(in);
    alg->ops->close(out);

    out = open_nth(alg, 2, true);
    in = open_nth(alg, 2, false);
    crowd_out();
    plain_packet(young, 2);
    cr_assert(seal(alg, out, young));
    cr_assert(open_packet(alg, in, young));
    cr_assert(is_plain(young, 2));
    alg->ops->close(out);
    alg->ops->close(in);
}

/* A forged packet is refused with a context that was just loaded as with one that was there. */
Test(keyed, a_forged_packet_is_refused_after_the_context_was_lost)
{
    const struct cipher_alg *alg = find(names[0]);
    struct cipher *out = open_nth(alg, 1, true), *in = open_nth(alg, 1, false);
    uint8_t packet[PACKET];
    plain_packet(packet, 1);
    cr_assert(seal(alg, out, packet) && open_packet(alg, in, packet));
    crowd_out();
    plain_packet(packet, 1);
    cr_assert(seal(alg, out, packet));
    packet[PACKET - 1] ^= 1;
    cr_assert_not(open_packet(alg, in, packet));
    alg->ops->close(out);
    alg->ops->close(in);
}

static void *talk_elsewhere(void *at)
{
    pair_talk(at, 5);
    pair_talk(at, 6);
    cr_assert_eq(nacre_keyed_count(), 2);
    return NULL;
}

static void *close_elsewhere(void *at)
{
    pair_close(at);
    return NULL;
}

static void on_a_thread(void *(*run)(void *), void *at)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run, at), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(keyed, ciphers_move_between_threads_and_outlive_them)
{
    struct pair p;
    pair_open(&p, 1);
    pair_talk(&p, 1);
    cr_assert_eq(nacre_keyed_count(), 2);
    on_a_thread(talk_elsewhere, &p);
    cr_assert_eq(nacre_keyed_count(), 0, "they took their keys along");
    pair_talk(&p, 2);
    cr_assert_eq(nacre_keyed_count(), 2);
    on_a_thread(close_elsewhere, &p);
    cr_assert_eq(nacre_keyed_count(), 0);
}

struct stranger {
    struct pair *pairs;
    size_t count;
};

static void *close_all(void *at)
{
    struct stranger *s = at;
    for (size_t i = 0; i < s->count; i++)
        pair_close(&s->pairs[i]);
    return NULL;
}

/* What another thread closes and what this one takes away meet at the same contexts. */
Test(keyed, closing_beside_a_thread_that_is_busy)
{
    enum {
        CLOSED = MANY / 2
    };
    struct pair *pairs = calloc(MANY, sizeof *pairs);
    cr_assert_not_null(pairs);
    for (size_t i = 0; i < MANY; i++) {
        pair_open(&pairs[i], i);
        pair_talk(&pairs[i], i);
    }
    struct stranger s = {.pairs = pairs, .count = CLOSED};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, close_all, &s), 0);
    for (size_t i = CLOSED; i < MANY; i++)
        pair_talk(&pairs[i], i);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    for (size_t i = CLOSED; i < MANY; i++) {
        pair_talk(&pairs[i], i);
        pair_close(&pairs[i]);
    }
    cr_assert_eq(nacre_keyed_count(), 0);
    free(pairs);
}
