/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "wire/mpint.h"

struct write_case {
    const char *what;
    uint8_t in[8];
    size_t in_len;
    uint8_t out[12];
    size_t out_len;
};

/* The first, second and third are RFC 4251 section 5's own examples. */
ParameterizedTestParameters(wire_mpint, write)
{
    static struct write_case cases[] = {
        {"zero is the empty string", {0}, 0, {0, 0, 0, 0}, 4},
        {"positive without high bit", {0x09, 0xa3, 0x78, 0xf9}, 4, {0, 0, 0, 4, 0x09, 0xa3, 0x78, 0xf9}, 8},
        {"high bit gets a zero in front", {0x80}, 1, {0, 0, 0, 2, 0, 0x80}, 6},
        {"zero bytes are zero", {0, 0, 0}, 3, {0, 0, 0, 0}, 4},
        {"leading zeros are dropped", {0, 0, 0x7f}, 3, {0, 0, 0, 1, 0x7f}, 5},
        {"one leading zero is needed, two are not", {0, 0, 0xff}, 3, {0, 0, 0, 2, 0, 0xff}, 6},
        {"inner zeros stay", {1, 0, 0}, 3, {0, 0, 0, 3, 1, 0, 0}, 7},
    };
    return cr_make_param_array(struct write_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct write_case *c, wire_mpint, write)
{
    uint8_t out[16];
    struct wr w = wr_over(out, sizeof out);
    nacre_wr_mpint(&w, span_of(c->in, c->in_len));
    cr_assert(wr_done(&w), "%s", c->what);
    cr_assert(span_eq(wr_span(&w), span_of(c->out, c->out_len)), "%s", c->what);
    for (size_t room = 0; room < c->out_len; room++) {
        struct wr tight = wr_over(out, room);
        nacre_wr_mpint(&tight, span_of(c->in, c->in_len));
        cr_assert_not(wr_done(&tight), "%s in %zu", c->what, room);
    }
}

struct read_case {
    const char *what;
    uint8_t in[12];
    size_t in_len, max;
    bool good;
    uint8_t out[8];
    size_t out_len;
};

ParameterizedTestParameters(wire_mpint, read)
{
    static struct read_case cases[] = {
        {"zero", {0, 0, 0, 0}, 4, 8, true, {0}, 0},
        {"one byte", {0, 0, 0, 1, 5}, 5, 8, true, {5}, 1},
        {"needed zero is taken off", {0, 0, 0, 2, 0, 0x80}, 6, 8, true, {0x80}, 1},
        {"needed zero does not count against the maximum", {0, 0, 0, 3, 0, 0x80, 1}, 7, 2, true, {0x80, 1}, 2},
        {"exactly the maximum", {0, 0, 0, 2, 0x7f, 1}, 6, 2, true, {0x7f, 1}, 2},
        {"one over the maximum without a zero", {0, 0, 0, 3, 0x7f, 1, 2}, 7, 2, false, {0}, 0},
        {"two over the maximum", {0, 0, 0, 4, 0, 0x80, 1, 2}, 8, 2, false, {0}, 0},
        {"negative", {0, 0, 0, 1, 0x80}, 5, 8, false, {0}, 0},
        {"minus one", {0, 0, 0, 2, 0xff, 0xff}, 6, 8, false, {0}, 0},
        {"zero written as a byte", {0, 0, 0, 1, 0}, 5, 8, false, {0}, 0},
        {"needless zero", {0, 0, 0, 2, 0, 0x7f}, 6, 8, false, {0}, 0},
        {"two zeros", {0, 0, 0, 3, 0, 0, 0x80}, 7, 8, false, {0}, 0},
        {"length past the end", {0, 0, 0, 3, 1, 2}, 6, 8, false, {0}, 0},
        {"length cut short", {0, 0, 0}, 3, 8, false, {0}, 0},
        {"huge length", {0xff, 0xff, 0xff, 0xff, 1}, 5, 8, false, {0}, 0},
    };
    return cr_make_param_array(struct read_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct read_case *c, wire_mpint, read)
{
    struct rd r = rd_over(span_of(c->in, c->in_len));
    struct span got = nacre_rd_mpint(&r, c->max);
    cr_assert_eq(rd_end(&r), c->good, "%s", c->what);
    cr_assert(span_eq(got, span_of(c->out, c->out_len)), "%s", c->what);
    for (size_t len = 0; c->good && len < c->in_len; len++) {
        struct rd cut = rd_over(span_of(c->in, len));
        nacre_rd_mpint(&cut, c->max);
        cr_assert_not(rd_end(&cut), "%s cut to %zu", c->what, len);
    }
}
