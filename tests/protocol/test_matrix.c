/* SPDX-License-Identifier: Apache-2.0 */
/* Every cipher with every MAC and every compression, and what a cipher without a MAC has to hide. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include <openssl/opensslv.h>

#include "ssh/conn_priv.h"
#include "support/pair.h"
#include "wire/namelist.h"

static const char *why(const struct side *s)
{
    const struct conn_event *e = side_event(s, CONN_DISCONNECTED, 0);
    return e == NULL ? "" : (const char *)e->text.at;
}

static void name_of(struct span name, char text[80])
{
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
}

static void check_cell(const char *cipher, const char *mac, const char *comp)
{
    static uint8_t bytes[20000];
    struct pair *p = pair_new();

    p->client.config.algorithms.cipher = cipher;
    p->client.config.algorithms.mac = mac;
    p->client.config.algorithms.comp = p->server.config.algorithms.comp = comp;
    p->server.echoes = true;
    pair_login(p);
    uint32_t channel = pair_open(p);
    for (size_t len = 1; len <= sizeof bytes; len = len * 7 + 3)
        cr_assert_eq(pair_send(&p->client, channel, 0, bytes, len), NACRE_OK);
    pair_run(p);
    uint64_t before = p->client.data_bytes;
    cr_assert_neq(before, 0, "%s %s %s: %s / %s", cipher, mac, comp, why(&p->server), why(&p->client));
    cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
    pair_run(p);
    cr_assert_eq(pair_send(&p->client, channel, 0, bytes, sizeof bytes), NACRE_OK);
    pair_run(p);
    cr_assert_eq(p->client.data_bytes - before, sizeof bytes, "%s %s %s after a rekey", cipher, mac, comp);
    cr_assert_eq(side_count(&p->server, CONN_KEX_DONE), 2);
    pair_free(p);
}

/* One row of the matrix a test, so that they run side by side. */
static void check_row(const char *mac)
{
    static const char *const comps[] = {"none", "zlib", "zlib@openssh.com"};
    struct nacre_crypto *crypto = nacre_crypto_open(true);
    struct span list = span_str(nacre_algs_usable(crypto, ALG_CIPHER)), name;
    char cipher[80];

    while (nacre_names_next(&list, &name)) {
        name_of(name, cipher);
        for (size_t i = 0; i < 3; i++)
            check_cell(cipher, mac, comps[i]);
    }
    nacre_crypto_unref(crypto);
}

static void check_rows(size_t first, size_t step)
{
    struct nacre_crypto *crypto = nacre_crypto_open(true);
    struct span list = span_str(nacre_algs_usable(crypto, ALG_MAC)), name;
    char mac[80];

    for (size_t i = 0; nacre_names_next(&list, &name); i++) {
        name_of(name, mac);
        if (i % step == first)
            check_row(mac);
    }
    nacre_crypto_unref(crypto);
}

Test(matrix, r36_every_cipher_mac_and_compression_even_macs)
{
    check_rows(0, 2);
}

Test(matrix, r36_every_cipher_mac_and_compression_odd_macs)
{
    check_rows(1, 2);
}

Test(matrix, r36_no_mac_in_common_ends_a_cipher_that_needs_one)
{
    struct pair *p = pair_new();

    p->client.config.algorithms.cipher = "aes128-cbc";
    p->client.config.algorithms.mac = "hmac-sha1";
    p->server.config.algorithms.mac = "hmac-sha2-256";
    pair_login(p);
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_NO_COMMON_ALGORITHM);
    pair_free(p);
}

static size_t kex_names(const struct nacre_crypto *crypto, char names[32][80])
{
    static const char *const expected[] = {"diffie-hellman-group-exchange-sha256", "diffie-hellman-group-exchange-sha1",
                                           "diffie-hellman-group1-sha1", "diffie-hellman-group18-sha512",
                                           "ecdh-sha2-nistp521"};
    struct span all = span_str(nacre_algs_usable(crypto, ALG_KEX)), list = all, name;
    size_t count = 0;

    while (nacre_names_next(&list, &name))
        name_of(name, names[count++]);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_assert(nacre_names_has(all, span_str(expected[i])), "%s", expected[i]);
    cr_assert_eq(nacre_names_has(all, span_str("mlkem768x25519-sha256")), OPENSSL_VERSION_NUMBER >= 0x30500000L);
    bool libgcrypt = strstr(nacre_crypto_versions(), "without libgcrypt") == NULL;
    cr_assert_eq(nacre_names_has(all, span_str("sntrup761x25519-sha512")), libgcrypt);
    cr_assert_eq(nacre_names_has(all, span_str("sntrup761x25519-sha512@openssh.com")), libgcrypt);
    return count;
}

/* Rule R34: the hash of the second exchange is longer, shorter or the same, its session id stays the first one's. */
Test(matrix, r34_rekey_across_every_ordered_pair_of_methods)
{
    struct pair *p = pair_new();
    static char names[32][80];
    static bool seen[32][32]; /* from, to */
    size_t count = kex_names(p->crypto, names), done = 1, last = 0;

    p->client.config.algorithms.kex = names[0];
    p->server.echoes = true;
    pair_login(p);
    uint32_t channel = pair_open(p);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < 2 * count; j++, done++) {
            size_t next = j % 2 == 0 ? i : j / 2;
            p->client.config.algorithms.kex = names[next];
            cr_assert_eq(nacre_conn_rekey(p->client.conn, p->now_ns), NACRE_OK);
            cr_assert_eq(pair_send(&p->client, channel, 0, "through", 7), NACRE_OK);
            pair_run(p);
            cr_assert_eq(p->client.data_bytes, 7 * done, "%s to %s: %s / %s", names[last], names[next], why(&p->server),
                         why(&p->client));
            seen[last][next] = true;
            last = next;
        }
    }
    cr_assert_eq(side_count(&p->server, CONN_KEX_DONE), done);
    for (size_t i = 0; i < count * count; i++)
        cr_assert(seen[i / count][i % count], "%s to %s", names[i / count], names[i % count]);
    pair_free(p);
}

/* What the server says to messages of RFC 4419 out of their order. */
Test(matrix, group_exchange_keeps_its_order)
{
    static const uint8_t request[] = {34, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 32, 0};
    static const uint8_t impossible[] = {34, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0};
    static const uint8_t init[] = {32, 0, 0, 0, 1, 2};
    static const uint8_t plain[] = {30, 0, 0, 0, 1, 2};
    static const struct {
        const char *kex;
        struct span first, second;
    } cases[] = {
        {"diffie-hellman-group-exchange-sha256", {init, sizeof init}, {NULL, 0}},
        {"diffie-hellman-group-exchange-sha256", {plain, sizeof plain}, {NULL, 0}},
        {"diffie-hellman-group-exchange-sha256", {impossible, sizeof impossible}, {NULL, 0}},
        {"diffie-hellman-group-exchange-sha256", {request, 9}, {NULL, 0}},
        {"diffie-hellman-group-exchange-sha256", {request, sizeof request}, {request, sizeof request}},
        {"diffie-hellman-group-exchange-sha256", {request, sizeof request}, {plain, sizeof plain}},
        {"diffie-hellman-group14-sha256", {request, sizeof request}, {NULL, 0}},
        {"diffie-hellman-group14-sha256", {init, sizeof init}, {NULL, 0}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair *p = pair_new();
        p->client.config.algorithms.kex = cases[i].kex;
        pair_login(p);
        p->server.defers_work = true;
        (void)nacre_conn_rekey(p->client.conn, p->now_ns);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        (void)nacre_packet_payload(p->client.conn, cases[i].first);
        if (cases[i].second.len != 0)
            (void)nacre_packet_payload(p->client.conn, cases[i].second);
        pair_carry(&p->client, &p->server);
        pair_feed(&p->server);
        cr_expect_eq(side_count(&p->server, CONN_DISCONNECTED), 1, "case %zu", i);
        pair_free(p);
    }
}

/* What the client has sealed is changed at `at`; returns how many more bytes the server takes before it closes. */
static size_t bytes_until_closed(const char *cipher, const char *mac, size_t at)
{
    static uint8_t junk[200000];
    struct pair *p = pair_new();
    size_t taken = 0;

    p->client.config.algorithms.cipher = cipher;
    p->client.config.algorithms.mac = mac;
    pair_login(p);
    cr_assert_eq(side_count(&p->server, CONN_AUTHENTICATED), 1, "%s", why(&p->server));
    (void)nacre_conn_ping(p->client.conn, span_str("some text to be changed on its way"), p->now_ns);
    pair_carry(&p->client, &p->server);
    p->server.inbox[at] ^= 0x80;
    for (; side_count(&p->server, CONN_DISCONNECTED) == 0 && taken < sizeof junk; taken++) {
        size_t before = p->server.inbox_len;
        pair_feed(&p->server);
        if (side_count(&p->server, CONN_DISCONNECTED) != 0)
            break;
        p->server.inbox = realloc(p->server.inbox, before + 1);
        p->server.inbox_room = before + 1;
        p->server.inbox[p->server.inbox_len++] = junk[taken];
    }
    cr_assert_eq(side_event(&p->server, CONN_DISCONNECTED, 0)->error, NACRE_E_MAC, "%s %s", cipher, mac);
    pair_free(p);
    return taken;
}

/* Whether the first block was a bad length or the MAC was wrong, the end comes after the same number of bytes. */
Test(matrix, cbc_does_not_tell_a_bad_length_from_a_bad_mac)
{
    static const char *const ciphers[] = {"aes256-cbc", "3des-cbc"};

    for (size_t i = 0; i < 2; i++) {
        size_t length = bytes_until_closed(ciphers[i], "hmac-sha1", 0);
        size_t text = bytes_until_closed(ciphers[i], "hmac-sha1", 30);
        cr_expect_eq(length, text, "%s: %zu and %zu", ciphers[i], length, text);
        cr_expect_gt(length, 30000);
        cr_expect_eq(bytes_until_closed(ciphers[i], "hmac-sha2-256-etm@openssh.com", 30), 0);
    }
    cr_expect_eq(bytes_until_closed("aes256-ctr", "hmac-sha1", 30), 0);
}

/* CVE-2023-48795: CBC with encrypt-then-MAC and ChaCha20-Poly1305 need strict key exchange, the rest does not. */
Test(matrix, r03_truncatable_modes_need_strict_kex)
{
    static const struct {
        const char *cipher, *mac;
        bool good;
    } cells[] = {{"aes128-cbc", "hmac-sha2-256-etm@openssh.com", false},
                 {"aes128-cbc", "hmac-sha2-256", true},
                 {"aes128-ctr", "hmac-sha2-256-etm@openssh.com", true},
                 {"arcfour256", "hmac-sha2-256-etm@openssh.com", true},
                 {"chacha20-poly1305@openssh.com", "hmac-sha2-256", false},
                 {"aes128-gcm@openssh.com", "hmac-sha2-256", true}};

    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        for (unsigned client_strict = 0; client_strict < 2; client_strict++) {
            struct pair *p = pair_new();
            if (nacre_cipher_find(p->crypto, span_str(cells[i].cipher)) == NULL) {
                pair_free(p); /* arcfour: not without the library's legacy provider */
                continue;
            }
            p->client.config.strict_kex = client_strict;
            p->server.config.strict_kex = 2;
            p->client.config.algorithms.cipher = cells[i].cipher;
            p->client.config.algorithms.mac = cells[i].mac;
            pair_login(p);
            cr_expect_eq(side_count(&p->server, CONN_AUTHENTICATED), cells[i].good || client_strict != 0 ? 1 : 0,
                         "%s %s %u", cells[i].cipher, cells[i].mac, client_strict);
            pair_free(p);
        }
    }
}
