/* SPDX-License-Identifier: Apache-2.0 */
/* Raw bytes from the first one on: identification lines, and what stands behind them, in pieces. */
#include "fuzz/fuzz.h"
#include "fuzz/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    struct rig rig;
    uint8_t first = input_u8(&in);
    rig_init(&rig, &in);
    struct rig_side *s = (first & 1) != 0 ? &rig.client : &rig.server;
    rig_start(&rig, s);
    size_t piece = (first & 2) != 0 ? 1 + (first >> 2) : len;
    struct buf kept;
    nacre_buf_init(&kept, RIG_WIRE_MAX);
    while (in.left != 0 && !s->ended) {
        struct span more = input_take(&in, piece);
        fuzz_must(nacre_buf_append(&kept, more.at, more.len), "there is memory");
        nacre_buf_drop(&kept, nacre_conn_feed(s->conn, kept.at, kept.len, NULL, rig.now_ns));
        rig_discard(s);
    }
    nacre_buf_free(&kept);
    rig_free(&rig);
    return 0;
}
