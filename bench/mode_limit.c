/* SPDX-License-Identifier: Apache-2.0 */
/* The mode limit: needs no server. The report is one object of its own, since nothing in it is about connections to a
 * target. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit.h"
#include "measured.h"
#include "system.h"

enum {
    SHARES = 16 /* measurements that divide the time among them */
};

struct limit {
    struct limit_crypto crypto;
    struct limit_tcp tcp;
};

static void print_text(const struct options *o, const struct limit *l)
{
    const struct limit_crypto *c = &l->crypto;
    printf("nacre-bench limit: CPU time on this machine without SSH\n");
    printf("x25519         generate %.2f us, derive %.2f us\n", c->x25519_keygen * 1e6, c->x25519_derive * 1e6);
    printf("ed25519        sign %.2f us, verify %.2f us\n", c->ed25519_sign * 1e6, c->ed25519_verify * 1e6);
    if (is_measured(c->sodium_sign))
        printf("  by libsodium sign %.2f us, verify %.2f us\n", c->sodium_sign * 1e6, c->sodium_verify * 1e6);
    printf("a login        %.2f us with a password, %.2f us with a key; by the faster library %.2f and %.2f us\n",
           c->login_password * 1e6, c->login_key * 1e6, c->least_password * 1e6, c->least_key * 1e6);
    for (unsigned i = 0; i < LIMIT_CIPHERS; i++)
        printf("%-30s seal %.3f s, open %.3f s a GiB\n", c->ciphers[i].name, c->ciphers[i].seal,
               c->ciphers[i].open_packet);
    printf("TCP echo       %.2f us a round trip of %zu bytes, %u connections\n", l->tcp.echo * 1e6, o->size,
           o->connections);
    printf("TCP bulk       in %.3f s, out %.3f s a GiB\n", l->tcp.in, l->tcp.out);
    printf("TCP login      %.2f us\n", l->tcp.login * 1e6);
}

static void put(FILE *f, const char *name, double value, const char *end)
{
    if (!is_measured(value))
        fprintf(f, "\"%s\": null%s\n", name, end);
    else
        fprintf(f, "\"%s\": %.9g%s\n", name, value, end);
}

static void write_json(FILE *f, const struct options *o, const struct limit *l)
{
    const struct limit_crypto *c = &l->crypto;
    fprintf(f, "{\n\"version\": \"%s\",\n\"settings\": {\"mode\": \"limit\", \"connections\": %u, \"size\": %zu},\n",
            NACRE_BENCH_VERSION, o->connections, o->size);
    put(f, "x25519_generate_seconds", c->x25519_keygen, ",");
    put(f, "x25519_derive_seconds", c->x25519_derive, ",");
    put(f, "ed25519_sign_seconds", c->ed25519_sign, ",");
    put(f, "ed25519_verify_seconds", c->ed25519_verify, ",");
    put(f, "ed25519_sign_sodium_seconds", c->sodium_sign, ",");
    put(f, "ed25519_verify_sodium_seconds", c->sodium_verify, ",");
    put(f, "login_password_seconds", c->login_password, ",");
    put(f, "login_key_seconds", c->login_key, ",");
    put(f, "login_password_least_seconds", c->least_password, ",");
    put(f, "login_key_least_seconds", c->least_key, ",");
    fprintf(f, "\"ciphers\": {\n");
    for (unsigned i = 0; i < LIMIT_CIPHERS; i++) {
        fprintf(f, "\"%s\": {", c->ciphers[i].name);
        put(f, "seal_seconds_per_gib", c->ciphers[i].seal, ",");
        put(f, "open_seconds_per_gib", c->ciphers[i].open_packet, i + 1 < LIMIT_CIPHERS ? "}," : "}");
    }
    fprintf(f, "},\n");
    put(f, "tcp_echo_seconds", l->tcp.echo, ",");
    put(f, "tcp_in_seconds_per_gib", l->tcp.in, ",");
    put(f, "tcp_out_seconds_per_gib", l->tcp.out, ",");
    put(f, "tcp_login_seconds", l->tcp.login, "");
    fprintf(f, "}\n");
}

static bool report_json(const struct options *o, const struct limit *l)
{
    bool to_stdout = strcmp(o->json_file, "-") == 0;
    FILE *f = to_stdout ? stdout : bench_system_create(o->json_file);
    if (f == NULL) {
        fprintf(stderr, "nacre-bench: %s: %s\n", o->json_file, strerror(errno));
        return false;
    }
    write_json(f, o, l);
    bool ok = ferror(f) == 0;
    if ((to_stdout ? fflush(f) : fclose(f)) == 0 && ok)
        return true;
    fprintf(stderr, "nacre-bench: %s: not written in full\n", o->json_file);
    return false;
}

int bench_limit_run(const struct options *o)
{
    struct limit l;
    double share = (double)o->seconds / (double)SHARES;
    bench_limit_crypto(share, &l.crypto);
    bench_limit_tcp(o, share, &l.tcp);
    if (o->json_file == NULL || strcmp(o->json_file, "-") != 0)
        print_text(o, &l);
    bool measured = is_measured(l.crypto.login_key) && is_measured(l.tcp.echo) && is_measured(l.tcp.in) &&
                    is_measured(l.tcp.out) && is_measured(l.tcp.login);
    if (!measured)
        fprintf(stderr, "nacre-bench: not everything could be measured\n");
    bool written = o->json_file == NULL || report_json(o, &l);
    return measured && written ? EXIT_SUCCESS : EXIT_FAILURE;
}
