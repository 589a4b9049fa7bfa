/* SPDX-License-Identifier: Apache-2.0 */
/* What an input of fuzz_session consists of: five bytes that choose algorithms and limits (fuzz_session.c: begin), then
 * acts, each a byte of twice the act, plus one when the server does it, and what the act reads. */
#ifndef FUZZ_SESSION_H
#define FUZZ_SESSION_H

enum session_act {
    SESSION_ACT, /* one of rig_act()'s, by the byte behind it */
    SESSION_LOG_IN,
    SESSION_OPEN,
    SESSION_SEAL,
    SESSION_DAMAGE,
    SESSION_FAIL_MEMORY,
    SESSION_FAIL_CRYPTO,
    SESSION_SAY, /* what this side answers from now on: bits of rig.c */
    SESSION_LOOK,
    SESSION_PROVE,
    SESSION_LONG,
    SESSION_CROSS,
    SESSION_HEAR,
    SESSION_AGAIN,
    SESSION_ACTS
};

#endif
