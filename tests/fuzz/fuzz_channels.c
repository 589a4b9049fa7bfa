/* SPDX-License-Identifier: Apache-2.0 */
/* The connection protocol, as sequences of payloads to either role behind a login, among what an application does. */
#include "fuzz/fuzz.h"
#include "fuzz/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    struct rig rig;
    uint8_t room[CONN_PAYLOAD_MAX];
    rig_init(&rig, &in);
    struct rig_side *s = (input_u8(&in) & 1) != 0 ? &rig.client : &rig.server;
    rig_start(&rig, s);
    rig_skip_login(s);
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
