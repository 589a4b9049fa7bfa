/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "wire/rd.h"
#include "wire/wr.h"

struct string_case {
    const char *what;
    uint8_t bytes[8];
    size_t len, max;
    bool good;
};

ParameterizedTestParameters(wire_rd, string)
{
    static struct string_case cases[] = {
        {"empty string", {0, 0, 0, 0}, 4, 16, true},
        {"fits exactly", {0, 0, 0, 2, 'h', 'i'}, 6, 16, true},
        {"length past the end", {0, 0, 0, 3, 'h', 'i'}, 6, 16, false},
        {"length field cut short", {0, 0, 0}, 3, 16, false},
        {"longer than the caller allows", {0, 0, 0, 2, 'h', 'i'}, 6, 1, false},
        {"huge length", {0xff, 0xff, 0xff, 0xff, 'h', 'i'}, 6, SIZE_MAX, false},
    };
    return cr_make_param_array(struct string_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct string_case *c, wire_rd, string)
{
    struct rd r = rd_over(span_of(c->bytes, c->len));
    rd_string(&r, c->max);
    cr_assert_eq(rd_end(&r), c->good, "%s", c->what);
}

Test(wire_rd, stays_bad_after_first_failure)
{
    struct rd r = rd_over((struct span){(const uint8_t[]){1, 2}, 2});
    rd_u32(&r);
    cr_assert_eq(rd_u8(&r), 0);
    cr_assert_eq(rd_left(&r), 0);
    cr_assert_eq(rd_rest(&r).len, 0);
    cr_assert_not(rd_end(&r));
}

Test(wire_rd, nothing_can_be_read_from_nothing)
{
    struct rd r = rd_over((struct span){NULL, 0});
    cr_assert(rd_end(&r));
    cr_assert_eq(rd_u8(&r), 0);
    cr_assert_not(rd_end(&r));
}

Test(wire_wr, what_is_written_reads_back)
{
    uint8_t bytes[64];
    struct wr w = wr_over(bytes, sizeof bytes);
    wr_u8(&w, 0xfe);
    wr_bool(&w, true);
    wr_u32(&w, 0x80000001U);
    wr_u64(&w, UINT64_C(0xfedcba9876543210));
    wr_cstring(&w, "hello");
    uint8_t *length = wr_string_open(&w);
    wr_cstring(&w, "in");
    wr_string_close(&w, length);
    wr_bytes(&w, "rest", 4);
    cr_assert(wr_done(&w));
    struct rd r = rd_over(wr_span(&w));
    cr_assert_eq(rd_u8(&r), 0xfe);
    cr_assert(rd_bool(&r));
    cr_assert_eq(rd_u32(&r), 0x80000001U);
    cr_assert_eq(rd_u64(&r), UINT64_C(0xfedcba9876543210));
    cr_assert(span_is(rd_string(&r, 5), "hello"));
    struct rd inner = rd_over(rd_string(&r, 100));
    cr_assert(span_is(rd_string(&inner, 2), "in"));
    cr_assert(rd_end(&inner));
    cr_assert_eq(rd_left(&r), 4);
    cr_assert(span_is(rd_rest(&r), "rest"));
    cr_assert(rd_end(&r));
}

Test(wire_wr, is_full_for_good_and_writes_nothing_past_the_end)
{
    uint8_t bytes[8];
    memset(bytes, 0xee, sizeof bytes);
    struct wr w = wr_over(bytes, 6);
    wr_u32(&w, 1);
    wr_u32(&w, 2);
    cr_assert_not(wr_done(&w));
    wr_u8(&w, 3);
    cr_assert_not(wr_done(&w));
    cr_assert_eq(wr_len(&w), 4);
    for (size_t i = 4; i < 8; i++)
        cr_assert_eq(bytes[i], 0xee);
}

Test(wire_wr, a_string_past_four_gibibytes_is_refused)
{
    uint8_t bytes[8];
    struct wr w = wr_over(bytes, sizeof bytes);
    wr_string(&w, (struct span){bytes, (size_t)UINT32_MAX + 1});
    cr_assert_not(wr_done(&w));
    cr_assert_eq(wr_len(&w), 0);
}
