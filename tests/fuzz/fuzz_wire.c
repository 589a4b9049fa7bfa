/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4251's values: what was read and written again is what stood there. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "wire/mpint.h"
#include "wire/namelist.h"

static void check_names(struct span list)
{
    struct span rest = list, name;
    size_t all = 0;
    bool valid = nacre_names_valid(list);
    while (nacre_names_next(&rest, &name)) {
        fuzz_must(all + name.len <= list.len, "names lie in their list");
        all += name.len;
        fuzz_must(!valid || nacre_names_has(list, name), "a name of a list is in it");
        if (valid)
            fuzz_must(nacre_names_choose(name, list).len == name.len, "a name both have is chosen");
    }
}

static void check_glob(struct span s)
{
    char pattern[64];
    if (s.at == NULL)
        return;
    size_t half = s.len / 2 < sizeof pattern - 1 ? s.len / 2 : sizeof pattern - 1;
    if (half != 0)
        memcpy(pattern, s.at, half);
    pattern[half] = '\0';
    (void)nacre_glob(pattern, span_of(s.at + half, s.len - half), true);
    (void)nacre_glob(pattern, span_of(s.at + half, s.len - half), false);
}

static void check_mpint(struct rd *r)
{
    const uint8_t *from = r->at;
    struct span magnitude = nacre_rd_mpint(r, 64);
    uint8_t again[80];
    struct wr w = wr_over(again, sizeof again);
    if (r->bad)
        return;
    nacre_wr_mpint(&w, magnitude);
    fuzz_must(wr_done(&w) && wr_len(&w) == (size_t)(r->at - from) && memcmp(again, from, wr_len(&w)) == 0,
              "an mpint has one form");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    struct span script = input_take(&in, input_u8(&in));
    struct rd r = rd_over(span_of(in.at, in.left));
    uint64_t sum = 0;
    for (size_t i = 0; i < script.len; i++) {
        size_t left = rd_left(&r);
        switch (script.at[i] % 8) {
        case 0:
            sum += rd_u8(&r);
            break;
        case 1:
            sum += rd_u32(&r);
            break;
        case 2:
            sum += rd_u64(&r);
            break;
        case 3:
            sum += rd_bool(&r);
            break;
        case 4:
            check_names(rd_string(&r, 4096));
            break;
        case 5:
            check_mpint(&r);
            break;
        case 6:
            check_glob(rd_string(&r, 256));
            break;
        default:
            sum += rd_string(&r, script.at[i]).len;
            break;
        }
        fuzz_must(rd_left(&r) <= left, "reading never goes back");
    }
    fuzz_must(!(r.bad && rd_end(&r)), "what is bad does not end well");
    fuzz_must(sum != UINT64_MAX || len != 0, "nothing sums to nothing");
    return 0;
}
