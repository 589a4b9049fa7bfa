/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzzer's input, taken from its front. What is not there reads as zeros, so a shorter input is always a good one. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "base/span.h"

struct input {
    const uint8_t *at;
    size_t left;
};

static inline struct input input_over(const uint8_t *bytes, size_t len)
{
    return (struct input){bytes, len};
}

static inline uint8_t input_u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static inline struct span input_take(struct input *in, size_t len)
{
    struct span s = span_of(in->at, len < in->left ? len : in->left);
    in->at += s.len;
    in->left -= s.len;
    return s;
}

static inline uint16_t input_u16(struct input *in)
{
    unsigned high = input_u8(in);
    return (uint16_t)(high << 8 | input_u8(in));
}

/* Bytes behind their length of two bytes. */
static inline struct span input_span(struct input *in)
{
    return input_take(in, input_u16(in));
}

#endif
