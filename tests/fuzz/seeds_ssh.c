/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations as the fuzzers of connections take them: a role, then message numbers with bodies, and actions. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/rig.h"
#include "fuzz/seeds.h"
#include "ssh/messages.h"
#include "wire/wr.h"

enum {
    SCRIPT = 16384,
    TO_SERVER = 0,
    TO_CLIENT = 1
};

struct script {
    const char *target;
    uint8_t room[SCRIPT];
    struct wr w;
    uint8_t *length;
    bool sealed; /* a message number is followed by who sends it */
};

static void begin(struct script *s, const char *target, uint8_t role)
{
    *s = (struct script){.target = target};
    s->w = wr_over(s->room, sizeof s->room);
    wr_u8(&s->w, role);
}

/* A message: its body is written to the writer that comes back, up to done(). */
static struct wr *message(struct script *s, uint8_t number)
{
    wr_u8(&s->w, number);
    if (s->sealed)
        wr_u8(&s->w, 0);
    s->length = wr_take(&s->w, 2);
    return &s->w;
}

static void done(struct script *s)
{
    size_t len = (size_t)(s->w.at - s->length) - 2;
    s->length[0] = (uint8_t)(len >> 8);
    s->length[1] = (uint8_t)len;
}

/* The application's answer to the question that the message asks: yes. */
static void yes(struct script *s)
{
    wr_u8(&s->w, 0);
}

static void end(struct script *s)
{
    fuzz_must(wr_done(&s->w), "a script fits");
    seed_write(s->target, wr_span(&s->w));
}

static void simple(struct script *s, uint8_t number, const char *first, const char *second)
{
    struct wr *w = message(s, number);
    if (first != NULL)
        wr_cstring(w, first);
    if (second != NULL)
        wr_cstring(w, second);
    done(s);
}

/* ---- login ------------------------------------------------------------------------------------------------------ */

static struct wr *login(struct script *s, const char *method)
{
    struct wr *w = message(s, 50);
    wr_cstring(w, "user");
    wr_cstring(w, "ssh-connection");
    wr_cstring(w, method);
    return w;
}

static void password(struct script *s, bool change)
{
    struct wr *w = login(s, "password");
    wr_bool(w, change);
    wr_cstring(w, "pw");
    if (change)
        wr_cstring(w, "new");
    done(s);
}

static void publickey(struct script *s, const char *method, bool signed_too)
{
    struct wr *w = login(s, method);
    wr_bool(w, signed_too);
    wr_cstring(w, "ssh-ed25519");
    wr_string(w, nacre_key_blob(fuzz_key()));
    if (strcmp(method, "publickey") != 0)
        wr_string(w, nacre_key_blob(fuzz_key()));
    if (signed_too)
        wr_cstring(w, "\0\0\0\13ssh-ed25519");
    done(s);
}

static void login_to_server(void)
{
    static const char *const methods[] = {
        "none",     "password", "change", "publickey", "publickey-hostbound-v00@openssh.com", "keyboard-interactive",
        "hostbased"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct script s;
        begin(&s, "login", TO_SERVER);
        simple(&s, 5, "ssh-userauth", NULL);
        yes(&s);
        if (i == 0) {
            login(&s, "none");
            done(&s);
        } else if (i < 3) {
            password(&s, i == 2);
        } else if (i < 5) {
            publickey(&s, methods[i], false);
            publickey(&s, methods[i], true);
        } else if (i == 5) {
            struct wr *w = login(&s, methods[i]);
            wr_u64(w, 0);
            done(&s);
            w = message(&s, 61);
            wr_u32(w, 2);
            wr_cstring(w, "1");
            wr_cstring(w, "2");
            done(&s);
        } else {
            struct wr *w = login(&s, methods[i]);
            wr_cstring(w, "ssh-ed25519");
            wr_string(w, nacre_key_blob(fuzz_key()));
            wr_cstring(w, "host.example.");
            wr_cstring(w, "user");
            wr_cstring(w, "signature");
            done(&s);
        }
        end(&s);
    }
}

static void login_to_client(void)
{
    static const uint8_t ways[] = {0, 1, 2, 3, 4};
    for (size_t i = 0; i < sizeof ways; i++) {
        struct script s;
        begin(&s, "login", TO_CLIENT);
        struct wr *w = message(&s, 7);
        wr_u32(w, 1);
        wr_cstring(w, "server-sig-algs");
        wr_cstring(w, "ssh-ed25519,rsa-sha2-256");
        done(&s);
        simple(&s, 6, "ssh-userauth", NULL);
        wr_u8(&s.w, ACTIONS_FROM + 15); /* logs in */
        wr_u8(&s.w, ways[i]);
        simple(&s, 53, "a banner", "");
        w = message(&s, 60);
        wr_cstring(w, i == 4 ? "name" : "ssh-ed25519");
        wr_cstring(w, "text");
        wr_u64(w, 1);
        done(&s);
        w = message(&s, 51);
        wr_cstring(w, "password,publickey");
        wr_bool(w, false);
        done(&s);
        message(&s, 52);
        done(&s);
        end(&s);
    }
}

/* ---- channels --------------------------------------------------------------------------------------------------- */

static void open_channel(struct script *s, const char *kind)
{
    struct wr *w = message(s, 90);
    wr_cstring(w, kind);
    wr_u32(w, 0);
    wr_u32(w, 65536);
    wr_u32(w, 32768);
    if (strcmp(kind, "session") != 0) {
        wr_cstring(w, "127.0.0.1");
        wr_u32(w, 80);
        wr_cstring(w, "127.0.0.1");
        wr_u32(w, 4000);
    }
    done(s);
    yes(s);
}

static void request(struct script *s, const char *kind, const char *text)
{
    struct wr *w = message(s, 98);
    wr_u32(w, 0);
    wr_cstring(w, kind);
    wr_bool(w, true);
    if (text != NULL)
        wr_cstring(w, text);
    done(s);
    yes(s);
}

static void data(struct script *s, uint8_t number)
{
    struct wr *w = message(s, number);
    wr_u32(w, 0);
    if (number == 95)
        wr_u32(w, 1);
    wr_cstring(w, "some data");
    done(s);
}

static void of_channel(struct script *s, uint8_t number)
{
    wr_u32(message(s, number), 0);
    if (number == 93)
        wr_u32(&s->w, 100000);
    if (number == 91) {
        wr_u32(&s->w, 0);
        wr_u32(&s->w, 65536);
        wr_u32(&s->w, 32768);
    }
    done(s);
}

static void talk(struct script *s)
{
    request(s, "exec", "command");
    data(s, 94);
    data(s, 95);
    wr_u8(&s->w, ACTIONS_FROM + 6); /* sends much on channel 0 */
    wr_u8(&s->w, 0);
    wr_u8(&s->w, 200);
    wr_u8(&s->w, ACTIONS_FROM + 2); /* reads */
    wr_u8(&s->w, 0);
    of_channel(s, 93);
    of_channel(s, 96);
    of_channel(s, 99);
    of_channel(s, 97);
}

static void channels_of(uint8_t role)
{
    static const char *const kinds[] = {"session", "direct-tcpip", "forwarded-tcpip"};
    struct script s;
    for (size_t i = 0; i < 3; i++) {
        begin(&s, "channels", role);
        open_channel(&s, kinds[i]);
        talk(&s);
        end(&s);
    }
    begin(&s, "channels", role);
    wr_u8(&s.w, ACTIONS_FROM + 4); /* opens one itself */
    of_channel(&s, 91);
    talk(&s);
    end(&s);
    begin(&s, "channels", role);
    struct wr *w = message(&s, 80);
    wr_cstring(w, "tcpip-forward");
    wr_bool(w, true);
    wr_cstring(w, "localhost");
    wr_u32(w, 0);
    done(&s);
    w = message(&s, 80);
    wr_cstring(w, role == TO_SERVER ? "hostkeys-prove-00@openssh.com" : "hostkeys-00@openssh.com");
    wr_bool(w, role == TO_SERVER);
    wr_string(w, nacre_key_blob(fuzz_key()));
    done(&s);
    simple(&s, 192, "ping", NULL);
    wr_u8(&s.w, ACTIONS_FROM + 11); /* rekeys */
    end(&s);
}

/* ---- key exchange ----------------------------------------------------------------------------------------------- */

static void kexinit(struct script *s, const char *kex)
{
    static const char *const lists[] = {"ssh-ed25519",
                                        "aes128-gcm@openssh.com,aes256-ctr",
                                        "aes128-gcm@openssh.com,aes256-ctr",
                                        "hmac-sha2-256",
                                        "hmac-sha2-256",
                                        "none",
                                        "none",
                                        "",
                                        ""};
    struct wr *w = message(s, 20);
    wr_u64(w, 1);
    wr_u64(w, 2);
    wr_cstring(w, kex);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        wr_cstring(w, lists[i]);
    wr_bool(w, false);
    wr_u32(w, 0);
    done(s);
}

static void key_exchange(uint8_t role)
{
    static const char *const names[] = {"curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256",
                                        "diffie-hellman-group-exchange-sha256",
                                        "curve25519-sha256,kex-strict-c-v00@openssh.com,ext-info-c"};
    static const char point[33] = "0123456789abcdef0123456789abcdef";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct script s;
        begin(&s, "plain", role);
        kexinit(&s, names[i]);
        if (i == 3) {
            struct wr *w = message(&s, 34);
            wr_u32(w, 2048);
            wr_u32(w, 2048);
            wr_u32(w, 8192);
            done(&s);
        }
        uint8_t number = (uint8_t)(i == 3 ? 32 : 30);
        if (role == TO_CLIENT) {
            struct wr *w = message(&s, (uint8_t)(number + 1));
            wr_string(w, nacre_key_blob(fuzz_key()));
            wr_cstring(w, point);
            wr_cstring(w, "signature");
            done(&s);
        } else {
            simple(&s, number, point, NULL);
        }
        message(&s, 21);
        done(&s);
        simple(&s, 5, "ssh-userauth", NULL);
        end(&s);
    }
}

static void versions(void)
{
    static const char *const lines[] = {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
                                        "SSH-1.99-x\n",
                                        "SSH-1.5-x\r\n",
                                        "hello\r\nSSH-2.0-x y z\r\n",
                                        "SSH-2.0-",
                                        "\r\n\r\n",
                                        "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (uint8_t how = 0; how < 4; how++) {
            struct script s;
            begin(&s, "version", how);
            wr_bytes(&s.w, lines[i], strlen(lines[i]));
            wr_bytes(&s.w, "\0\0\0\014\012\002\0\0\0\0\0\0\0\0\0\0", 16);
            end(&s);
        }
}

/* ---- behind real keys ------------------------------------------------------------------------------------------- */

static void encrypted(void)
{
    for (uint8_t how = 0; how < 32; how += 3) {
        struct script s;
        begin(&s, "encrypted", how);
        s.sealed = true;
        open_channel(&s, "session");
        request(&s, "shell", NULL);
        data(&s, 94);
        wr_u8(&s.w, ACTIONS_FROM + 11); /* the server rekeys */
        wr_u8(&s.w, 1);
        data(&s, 94);
        wr_u8(&s.w, 0); /* a damaged byte */
        wr_u8(&s.w, 0);
        wr_u8(&s.w, 0);
        wr_u8(&s.w, 17);
        end(&s);
    }
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

static void setting(const char *name, const char *value)
{
    uint8_t room[512];
    char text[256];
    int len = snprintf(text, sizeof text, "%s=%s", name, value);
    struct wr w = wr_over(room, sizeof room);
    wr_u8(&w, 0);
    wr_u8(&w, (uint8_t)len);
    wr_bytes(&w, text, (size_t)len);
    seed_write("settings", wr_span(&w));
}

static void settings(void)
{
#define S(Name, member, type, default_value, low, high, when, reach) setting(#Name, default_value);
#include "engine/settings.def"
#undef S
    setting("MaxStartups", "10:30:60");
    setting("PerSourcePenalties", "authfail:5s noauth:1s min:15s max:10m");
    setting("PerSourceExemptList", "10.0.0.0/8,::1");
    setting("AllowedClients", "10.*,fe80::/10,*.example");
    setting("AlgorithmProfile", "modern");
    setting("AltSSHCertCount", "1");
}

static void params(void)
{
    static const char *const fields[] = {"Command", "TerminalType", "%s,i,s", "%s,f", "sb", "m", "l"};
    struct script s;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        begin(&s, "params", (uint8_t)strlen(fields[i]));
        wr_bytes(&s.w, fields[i], strlen(fields[i]));
        wr_bytes(&s.w, "\1s\5value", 8);
        wr_u8(&s.w, 98);
        wr_u32(&s.w, 0);
        wr_cstring(&s.w, i % 2 == 0 ? "exec" : "pty-req");
        wr_bool(&s.w, true);
        wr_cstring(&s.w, "xterm");
        for (int n = 0; n < 4; n++)
            wr_u32(&s.w, 80);
        wr_cstring(&s.w, "\1");
        end(&s);
    }
}

static void wire(void)
{
    struct script s;
    begin(&s, "wire", 8);
    wr_bytes(&s.w, "\0\1\2\3\4\5\6\7", 8);
    wr_u8(&s.w, 1);
    wr_u32(&s.w, 2);
    wr_u64(&s.w, 3);
    wr_bool(&s.w, true);
    wr_cstring(&s.w, "one,two@example.com,three");
    wr_cstring(&s.w, "\1\2\3");
    wr_cstring(&s.w, "*a?b*xxaybzz");
    wr_cstring(&s.w, "");
    end(&s);
}

void seeds_ssh(void)
{
    versions();
    for (uint8_t role = TO_SERVER; role <= TO_CLIENT; role++) {
        key_exchange(role);
        channels_of(role);
    }
    login_to_server();
    login_to_client();
    encrypted();
    settings();
    params();
    wire();
}
