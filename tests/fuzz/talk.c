/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/talk.h"

int fuzz_talk(const uint8_t *bytes, size_t len, void (*begin)(struct rig_side *s))
{
    struct input in = input_over(bytes, len);
    struct rig rig;
    uint8_t room[CONN_PAYLOAD_MAX];
    rig_init(&rig, &in);
    struct rig_side *s = (input_u8(&in) & 1) != 0 ? &rig.client : &rig.server;
    rig_start(&rig, s);
    begin(s);
    while (in.left != 0 && !s->ended) {
        uint8_t next = input_u8(&in);
        if (next < ACTIONS_FROM)
            rig_feed_payload(s, rig_payload(&rig, next, room, sizeof room));
        else
            rig_act(s, next);
        s->out.len = 0;
    }
    rig_free(&rig);
    return 0;
}
