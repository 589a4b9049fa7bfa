/* SPDX-License-Identifier: Apache-2.0 */
/* Whole conversations as fuzz_session takes them, and for the other fuzzers every message that is cut short or longer
 * than it should be, at every moment at which it may come. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/rig.h"
#include "fuzz/seeds.h"
#include "fuzz/session.h"
#include "wire/wr.h"

enum {
    SCRIPT = 8192,
    CLIENT = 0,
    SERVER = 1,
    NO_LOGIN = 128, /* of the fifth byte */
    ALL_KEYS = 2,
    LATER = 2 /* what a side says: rig.c */
};

static uint8_t room[SCRIPT];
static struct wr w;

static void begin(const char how[5])
{
    w = wr_over(room, sizeof room);
    wr_bytes(&w, how, 5);
}

static void end(void)
{
    fuzz_must(wr_done(&w), "a script fits");
    seed_write("session", wr_span(&w));
}

static void act(unsigned who, enum session_act what)
{
    wr_u8(&w, (uint8_t)(2 * (unsigned)what + who));
}

static void act1(unsigned who, enum session_act what, unsigned byte)
{
    act(who, what);
    wr_u8(&w, (uint8_t)byte);
}

static void act2(unsigned who, enum session_act what, unsigned byte, unsigned second)
{
    act1(who, what, byte);
    wr_u8(&w, (uint8_t)second);
}

static void rig(unsigned who, enum rig_action what)
{
    act1(who, SESSION_ACT, (unsigned)what);
}

static void rig1(unsigned who, enum rig_action what, unsigned byte)
{
    rig(who, what);
    wr_u8(&w, (uint8_t)byte);
}

static void rig2(unsigned who, enum rig_action what, unsigned byte, unsigned second)
{
    rig1(who, what, byte);
    wr_u8(&w, (uint8_t)second);
}

/* ---- logins ----------------------------------------------------------------------------------------------------- */

/* Every way in, with what the server says to it, and once more when it is over. */
static void logins(void)
{
    static const uint8_t answers[] = {0, 1, 4 | 1, 8 | 1, 1 | 4 | 16, 1 | 8 | 16, LATER, 32};
    for (unsigned how = 0; how < 8; how++)
        for (unsigned which = 0; which < 16; which += how < 5 ? 15 : 1)
            for (size_t i = 0; i < sizeof answers; i++) {
                begin((const char[]){0, 0, 0, 0, (char)(NO_LOGIN | ALL_KEYS)});
                act1(SERVER, SESSION_SAY, answers[i]);
                act2(CLIENT, SESSION_LOG_IN, how, which);
                act2(CLIENT, SESSION_LOG_IN, how == 3 ? 4 : how, how == 3 ? 2 : which);
                rig(SERVER, RIG_WORK);
                rig1(SERVER, RIG_ANSWER, i % 2);
                for (unsigned more = 0; more < 7; more++)
                    act2(CLIENT, SESSION_LOG_IN, how, which);
                act(SERVER, SESSION_LOOK);
                end();
            }
    for (unsigned failed = 1; failed < 40; failed++)
        for (unsigned how = 1; how < 8; how++) {
            begin((const char[]){0, 0, 0, 0, (char)(NO_LOGIN | ALL_KEYS)});
            act1(SERVER, failed % 2 == 0 ? SESSION_FAIL_MEMORY : SESSION_FAIL_CRYPTO, (failed + 1) / 2);
            act2(CLIENT, SESSION_LOG_IN, how, 1);
            act2(CLIENT, SESSION_LOG_IN, 4, 2);
            end();
        }
}

/* ---- algorithms and limits -------------------------------------------------------------------------------------- */

static void exchange(unsigned by, unsigned more, unsigned limits, unsigned others, unsigned rest)
{
    begin((const char[]){(char)by, (char)more, (char)limits, (char)others, (char)rest});
    act1(CLIENT, SESSION_OPEN, 0);
    rig2(CLIENT, RIG_SEND_MUCH, 0, 40);
    rig(CLIENT, RIG_REKEY);
    rig2(CLIENT, RIG_SEND, 0, 9);
    rig1(SERVER, RIG_READ, 0);
    act1(CLIENT, SESSION_PROVE, 7);
    act1(CLIENT, SESSION_PROVE, 15);
    act1(CLIENT, SESSION_PROVE, 17);
    act1(CLIENT, SESSION_PROVE, 33);
    rig(SERVER, RIG_REKEY);
    act(SERVER, SESSION_LOOK);
    act(CLIENT, SESSION_LOOK);
    act2(SERVER, SESSION_DAMAGE, 0, 77);
    end();
}

static void exchanges(void)
{
    for (unsigned by = 0; by < 256; by += 3)
        exchange(by, by % 8 < 5 ? (by >> 3 & 3) : by, 0, 0, ALL_KEYS);
    for (unsigned more = 0; more < 256; more++)
        exchange(more & 0x18, more, 0, 0, ALL_KEYS);
    for (unsigned bit = 0; bit < 8; bit++) {
        exchange(0, 0, 1U << bit, 0, ALL_KEYS);
        exchange(24, 1, 0, 1U << bit, ALL_KEYS);
    }
    for (unsigned limits = 0; limits < 4; limits++)
        exchange(0, 0, limits, 0, ALL_KEYS);
    /* The first key exchange with an allocation that fails. */
    for (unsigned nth = 0; nth < 16; nth++)
        exchange(2, 1, 0, 0, 64 | nth << 2 | ALL_KEYS);
}

/* ---- channels --------------------------------------------------------------------------------------------------- */

static void talk(unsigned who, unsigned other, unsigned says)
{
    act1(other, SESSION_SAY, says);
    act1(who, SESSION_OPEN, says & 3);
    rig1(other, RIG_ANSWER, 0);
    rig1(who, RIG_REQUEST, 0);
    rig1(who, RIG_REQUEST, 0);
    rig2(who, RIG_SEND, 0, 100);
    rig2(who, RIG_SEND, 1, 100);
    rig1(other, RIG_ANSWER, 0);
    rig1(other, RIG_ANSWER, 1);
    rig2(who, RIG_SEND_MUCH, 0, 60);
    rig1(other, RIG_READ, 0);
    rig2(who, RIG_SEND_MUCH, 0, 60);
    rig1(other, RIG_READ, 0);
    rig2(who, RIG_SEND_MUCH, 0, 255);
    rig1(other, RIG_READ, 0);
    rig(who, RIG_GLOBAL);
    rig(who, RIG_GLOBAL);
    rig1(other, RIG_ANSWER, 0);
    rig1(other, RIG_ANSWER, 0);
    rig(who, RIG_PING);
    rig1(who, RIG_EOF, 0);
    rig2(who, RIG_SEND, 0, 3);
    rig2(other, RIG_SEND, 0, 3);
    rig1(other, RIG_CLOSE, 0);
    rig1(who, RIG_CLOSE, 0);
}

static void channels(void)
{
    static const uint8_t says[] = {0, 1, LATER, LATER | 16, 16, 17};
    for (unsigned who = CLIENT; who <= SERVER; who++)
        for (size_t i = 0; i < sizeof says; i++)
            for (unsigned limits = 0; limits < 2; limits++) {
                begin((const char[]){0, 0, 0, (char)(limits * 0x81), ALL_KEYS});
                talk(who, 1 - who, says[i]);
                end();
            }
    for (unsigned nth = 1; nth < 30; nth++)
        for (unsigned who = CLIENT; who <= SERVER; who++) {
            begin((const char[]){0, (char)(nth & 1), 0, 0, ALL_KEYS});
            act1(who, SESSION_OPEN, 0);
            act1(who, nth % 3 == 0 ? SESSION_FAIL_CRYPTO : SESSION_FAIL_MEMORY, 1 + nth / 3);
            talk(who, 1 - who, nth % 2 == 0 ? 0 : LATER);
            end();
        }
}

/* What fills up when the other side is deaf, or answers nothing. */
static void fill(void)
{
    for (unsigned who = CLIENT; who <= SERVER; who++)
        for (unsigned how = 0; how < 4; how++) {
            begin((const char[]){0, 0, 0, (char)(how & 1), ALL_KEYS});
            act1(who, SESSION_OPEN, 0);
            act1(1 - who, SESSION_SAY, LATER);
            rig(who, how < 2 ? RIG_DEAF : RIG_HEAR);
            act1(who, SESSION_AGAIN, 80);
            for (unsigned i = 0; i < 40; i++)
                act2(who, SESSION_LONG, how, 200);
            rig(who, RIG_HEAR);
            rig(who, RIG_REKEY);
            end();
        }
    for (unsigned type = 0; type < 256; type += type < 110 ? 1 : 20) {
        begin((const char[]){0, 0, 0, 0, ALL_KEYS});
        act1(CLIENT, SESSION_OPEN, 0);
        act2(type & 1, SESSION_LONG, 3, type);
        act1(type & 1, SESSION_LONG, 1 | 4);
        wr_u8(&w, 250);
        end();
    }
}

/* ---- time and ends ---------------------------------------------------------------------------------------------- */

static void times(void)
{
    for (unsigned who = CLIENT; who <= SERVER; who++)
        for (unsigned how = 0; how < 8; how++) {
            begin((const char[]){0, 0, 0, (char)((how & 1) * 64), (char)((how & 4) * 32 | ALL_KEYS)});
            act1(1 - who, SESSION_SAY, LATER);
            act(who, (how & 2) != 0 ? SESSION_CROSS : SESSION_LOOK);
            act1(who, SESSION_OPEN, 0);
            rig(who, RIG_GLOBAL);
            if ((how & 1) != 0)
                rig(who, RIG_REKEY);
            for (unsigned i = 0; i < 8; i++) {
                rig1(who, RIG_WAIT, 11);
                rig1(1 - who, RIG_WAIT, 20);
            }
            rig1(who, RIG_WAIT, 200);
            rig(who, how < 4 ? RIG_FIN : RIG_LEAVE);
            end();
        }
    /* Both re-key at once, and what is said meanwhile waits. */
    for (unsigned more = 0; more < 3; more++) {
        begin((const char[]){0, (char)more, 0, 0, ALL_KEYS});
        act1(CLIENT, SESSION_OPEN, 0);
        act(CLIENT, SESSION_CROSS);
        rig(CLIENT, RIG_REKEY);
        rig(SERVER, RIG_REKEY);
        for (unsigned i = 0; i < 6 + more * 150; i++) {
            act2(CLIENT, SESSION_LONG, 0, 30);
            rig2(SERVER, RIG_SEND, 0, 30);
        }
        act(CLIENT, SESSION_HEAR);
        rig2(CLIENT, RIG_SEND, 0, 30);
        end();
    }
}

/* ---- messages that are not whole -------------------------------------------------------------------------------- */

static const uint8_t numbers[] = {1,  2,  3,  4,  5,  6,  7,  20, 21, 30, 31, 32, 33, 34, 50, 51,  52,  53,
                                  60, 61, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 192, 193};

static void put(uint8_t number, const char *body, size_t len)
{
    wr_u8(&w, number);
    wr_u8(&w, (uint8_t)(len >> 8));
    wr_u8(&w, (uint8_t)len);
    wr_bytes(&w, body, len);
}

static void broken_of(const char *target, const char *method, uint8_t role, uint8_t number, const char *body,
                      size_t len)
{
    w = wr_over(room, sizeof room);
    wr_u8(&w, role);
    if (strcmp(target, "login") == 0) {
        put(5, "\0\0\0\14ssh-userauth", 16);
        wr_u8(&w, 0);
    }
    if (strcmp(target, "channels") == 0) {
        put(90, "\0\0\0\7session\0\0\0\0\0\1\0\0\0\0\200\0", 23);
        wr_u8(&w, 0);
    }
    if (method != NULL) {
        wr_u8(&w, number);
        uint8_t *length = wr_take(&w, 2);
        wr_cstring(&w, "user");
        wr_cstring(&w, "ssh-connection");
        wr_cstring(&w, method);
        wr_bytes(&w, body, len);
        length[0] = 0;
        length[1] = (uint8_t)((size_t)(w.at - length) - 2);
    } else {
        put(number, body, len);
    }
    fuzz_must(wr_done(&w), "a script fits");
    seed_write(target, wr_span(&w));
}

static void broken(void)
{
    static const char *const targets[] = {"plain", "login", "channels"};
    static const char *const methods[] = {
        "none", "password", "publickey", "publickey-hostbound-v00@openssh.com", "keyboard-interactive", "hostbased"};
    static const char body[] = "\0\0\0\0\0\0\0\1x\0\0\0\1y\0\0\0\0\0\0\0\0\377\377\377\377\377\377\377\377";
    static const uint8_t lengths[] = {0, 4, 8, 9, 14, 22, 30};
    for (size_t t = 0; t < 3; t++)
        for (uint8_t role = 0; role < 2; role++)
            for (size_t n = 0; n < sizeof numbers; n++)
                for (size_t i = 0; i < sizeof lengths; i++)
                    broken_of(targets[t], NULL, role, numbers[n], body, lengths[i]);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        for (size_t i = 0; i < sizeof lengths; i++)
            broken_of("login", methods[m], 0, 50, body, lengths[i]);
}

void seeds_session(void)
{
    logins();
    exchanges();
    channels();
    fill();
    times();
    broken();
}
