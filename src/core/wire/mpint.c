/* SPDX-License-Identifier: Apache-2.0 */
/* mpint, RFC 4251 section 5: two's complement, big-endian, no needless leading bytes; zero is the empty string. */
#include "wire/mpint.h"

void nacre_wr_mpint(struct wr *w, struct span magnitude)
{
    while (magnitude.len != 0 && magnitude.at[0] == 0) {
        magnitude.at++;
        magnitude.len--;
    }
    bool pad = magnitude.len != 0 && (magnitude.at[0] & 0x80) != 0;
    if (magnitude.len > UINT32_MAX - 1) {
        w->full = true;
        return;
    }
    wr_u32(w, (uint32_t)(magnitude.len + pad));
    if (pad)
        wr_u8(w, 0);
    wr_bytes(w, magnitude.at, magnitude.len);
}

struct span nacre_rd_mpint(struct rd *r, size_t max)
{
    struct span none = {NULL, 0};
    struct span s = rd_string(r, max == SIZE_MAX ? max : max + 1);
    if (s.len == 0)
        return none;
    bool negative = (s.at[0] & 0x80) != 0;
    bool padded = s.at[0] == 0;
    bool minimal = !padded || (s.len > 1 && (s.at[1] & 0x80) != 0);
    if (padded) {
        s.at++;
        s.len--;
    }
    if (negative || !minimal || s.len > max) {
        r->bad = true;
        return none;
    }
    return s;
}
