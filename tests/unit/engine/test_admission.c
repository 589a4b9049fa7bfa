/* SPDX-License-Identifier: Apache-2.0 */
/* Early drop by its curve, penalties by the clock, and tables that stay within their bounds. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admission.h"

static const int64_t second = INT64_C(1000000000);

static struct source v4(uint32_t number)
{
    uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    return nacre_source_of(bytes, 4, 32);
}

/* ---- sources --------------------------------------------------------------------------------------------------- */

Test(engine_admission, a_block_is_one_source)
{
    static const uint8_t a[16] = {0x20, 1, 0xd, 0xb8, 0, 1, 0, 0x80, 1}, b[16] = {0x20, 1, 0xd, 0xb8, 0, 1, 0, 0x8f, 9};
    static const uint64_t seed[2] = {1, 2};
    struct source x = nacre_source_of(a, 16, 60), y = nacre_source_of(b, 16, 60);
    cr_expect(nacre_source_eq(&x, &y));
    cr_expect_eq(nacre_source_hash(&x, seed), nacre_source_hash(&y, seed));
    x = nacre_source_of(a, 16, 61);
    y = nacre_source_of(b, 16, 61);
    cr_expect_not(nacre_source_eq(&x, &y));
    x = nacre_source_of(a, 16, 0);
    y = nacre_source_of(a, 4, 0);
    cr_expect_not(nacre_source_eq(&x, &y), "families apart");
}

/* The test vectors of SipHash-2-4's paper are for byte strings; ours are 17 bytes with the size last: 00 01 .. 0f 10
 * under the key 00 .. 0f is the vector for 17 bytes. */
Test(engine_admission, the_hash_is_siphash)
{
    struct source s = {.size = 16};
    uint64_t seed[2];
    uint8_t key[16];
    for (unsigned i = 0; i < 16; i++)
        s.bytes[i] = key[i] = (uint8_t)i;
    memcpy(seed, key, sizeof seed);
    static const uint8_t vector[8] = {0x94, 0x47, 0xbe, 0x2c, 0xf5, 0xe9, 0x9a, 0x69};
    uint64_t want, have = nacre_source_hash(&s, seed);
    memcpy(&want, vector, sizeof want);
    cr_expect_eq(have, want, "%llx", (unsigned long long)have);
}

/* ---- MaxStartups ----------------------------------------------------------------------------------------------- */

static unsigned percent(const struct startup_rules *r, unsigned count)
{
    unsigned dropped = 0;
    for (uint32_t dice = 0; dice < 10000; dice++)
        dropped += nacre_startups_drop(r, count, dice);
    return dropped / 100;
}

Test(engine_admission, early_drop_grows_from_rate_to_certainty)
{
    struct startup_rules r;
    cr_assert(nacre_startups_parse("10:30:60", 1000, &r));
    cr_expect_eq(percent(&r, 0), 0);
    cr_expect_eq(percent(&r, 9), 0);
    cr_expect_eq(percent(&r, 10), 30);
    cr_expect_eq(percent(&r, 35), 65);
    cr_expect_eq(percent(&r, 59), 98);
    cr_expect_eq(percent(&r, 60), 100);
    cr_expect_eq(percent(&r, 1000000), 100);
}

Test(engine_admission, shares_are_of_max_connections_and_at_least_100)
{
    struct startup_rules r;
    cr_assert(nacre_startups_parse("90%:30:100%", 1000, &r));
    cr_expect(r.start == 900 && r.full == 1000);
    cr_assert(nacre_startups_parse("90%:30:100%", 2, &r));
    cr_expect(r.start == 100 && r.full == 100);
    cr_assert(nacre_startups_parse("7", 2, &r));
    cr_expect(r.start == 7 && r.full == 7);
    cr_assert(nacre_startups_parse("none", 2, &r));
    cr_expect_eq(percent(&r, 100000), 0);
}

/* ---- penalties ------------------------------------------------------------------------------------------------- */

static struct penalty_rules rules_of(const char *text)
{
    struct penalty_rules r;
    cr_assert(nacre_penalties_parse(text, &r), "%s", text);
    return r;
}

Test(engine_admission, times_have_units)
{
    struct penalty_rules r = rules_of("authfail:90,noauth:2m  protocol:1h grace-exceeded:1d max:2d min:0");
    cr_expect_eq(r.ns[OFFENCE_AUTHFAIL], 90 * second);
    cr_expect_eq(r.ns[OFFENCE_NOAUTH], 120 * second);
    cr_expect_eq(r.ns[OFFENCE_PROTOCOL], 3600 * second);
    cr_expect_eq(r.ns[OFFENCE_GRACE], 86400 * second);
    cr_expect_eq(r.max_ns, 2 * 86400 * second);
    cr_expect_not(rules_of("no").on);
    cr_expect(rules_of("yes").on && rules_of("dry-run").dry_run);
}

Test(engine_admission, penalties_add_up_and_pass)
{
    struct penalty_rules r = rules_of("authfail:5s min:12s max:20s");
    struct penalties p = {.sets = NULL};
    struct source who = v4(1), other = v4(2);
    cr_expect_not(nacre_penalties_add(&p, &r, 64, &who, 1, OFFENCE_AUTHFAIL, 0));
    cr_expect_not(nacre_penalties_add(&p, &r, 64, &who, 1, OFFENCE_AUTHFAIL, 0));
    cr_expect_eq(nacre_penalties_left(&p, &who, 1, 0), 0, "below the minimum");
    cr_expect(nacre_penalties_add(&p, &r, 64, &who, 1, OFFENCE_AUTHFAIL, 0));
    cr_expect_eq(nacre_penalties_left(&p, &who, 1, 0), 15 * second);
    cr_expect_eq(nacre_penalties_left(&p, &other, 1, 0), 0);
    cr_expect_eq(nacre_penalties_left(&p, &who, 1, 14 * second), 1 * second, "the minimum is for reaching it");
    cr_expect_eq(nacre_penalties_left(&p, &who, 1, 15 * second), 0);
    for (int i = 0; i < 100; i++)
        (void)nacre_penalties_add(&p, &r, 64, &who, 1, OFFENCE_AUTHFAIL, 30 * second);
    cr_expect_eq(nacre_penalties_left(&p, &who, 1, 30 * second), 20 * second, "the maximum");
    nacre_penalties_free(&p);
}

/* A million offenders in a table for 64: it neither grows nor forgets the one with the longest time. */
Test(engine_admission, the_table_of_offenders_is_bounded)
{
    struct penalty_rules r = rules_of("authfail:10m noauth:1s min:0 max:1h");
    struct penalties p = {.sets = NULL};
    static const uint64_t seed[2] = {3, 4};
    struct source worst = v4(0);
    uint64_t worst_hash = nacre_source_hash(&worst, seed);
    (void)nacre_penalties_add(&p, &r, 64, &worst, worst_hash, OFFENCE_AUTHFAIL, 0);
    for (uint32_t i = 1; i < 1000000; i++) {
        struct source s = v4(i);
        (void)nacre_penalties_add(&p, &r, 64, &s, nacre_source_hash(&s, seed), OFFENCE_NOAUTH, 0);
    }
    cr_expect_eq(p.set_count, 8);
    cr_expect_eq(nacre_penalties_left(&p, &worst, worst_hash, 0), 600 * second);
    nacre_penalties_free(&p);
}

/* ---- sources that have connections ----------------------------------------------------------------------------- */

static struct admission door;

Test(engine_admission, every_place_comes_back)
{
    struct admission_rules rules = {.per_source = 3};
    struct admitted in[300], none;
    nacre_admission_init(&door);
    for (uint32_t i = 0; i < 300; i++) {
        struct source s = v4(i / 3);
        cr_assert_eq(nacre_admission_enter(&door, &rules, &s, false, 0, &in[i]), REFUSED_NOT);
    }
    struct source first = v4(0);
    cr_expect_eq(nacre_admission_enter(&door, &rules, &first, false, 0, &none), REFUSED_PER_SOURCE);
    cr_expect_eq(nacre_admission_enter(&door, &rules, &first, true, 0, &none), REFUSED_NOT, "exempt");
    nacre_admission_leave(&door, &none);
    nacre_admission_logged_in(&door, &in[0]);
    cr_expect_eq(atomic_load(&door.startups), 299);
    nacre_admission_leave(&door, &in[0]);
    nacre_admission_leave(&door, &in[0]); /* twice is once */
    cr_expect_eq(nacre_admission_enter(&door, &rules, &first, false, 0, &in[0]), REFUSED_NOT);
    for (int i = 0; i < 300; i++)
        nacre_admission_leave(&door, &in[i]);
    cr_expect_eq(atomic_load(&door.startups), 0);
    for (unsigned i = 0; i < ADMISSION_STRIPES; i++) {
        const struct source_stripe *s = &door.stripes[i];
        for (unsigned n = 0; s->chains != NULL && n < 256; n++)
            cr_expect_null(s->chains[n]);
    }
    nacre_admission_destroy(&door);
}
