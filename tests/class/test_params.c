/* SPDX-License-Identifier: Apache-2.0 */
/* set_ssh_param and get_ssh_param: every type both ways, names and lists of types, send_ssh_packet. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "support/client.h"
#include "support/server.h"

struct payload {
    unsigned char bytes[4096];
    size_t len;
};

static int put(struct payload *p, const char *type, const char *value)
{
    size_t len = sizeof p->bytes;
    int e = nacre_set_ssh_param(p->bytes, p->len, type, value, p->bytes, &len);
    if (e == 0)
        p->len = len;
    return e;
}

static const struct {
    const char *type, *value, *list, *back; /* back NULL: as it was given */
    size_t bytes;
} fields[] = {
    {"s", "", "%s", NULL, 4},
    {"s", "grüezi", "%s", NULL, 11},
    {"sb", "A1B23C", "%sb", NULL, 7},
    {"sb", "a1b23c", "%sb", "A1B23C", 7},
    {"i", "1234", "%i", NULL, 4},
    {"i", "0x4D2", "%i", "1234", 4},
    {"i", "4294967295", "%i", NULL, 4},
    {"l", "18446744073709551615", "%l", NULL, 8},
    {"l", "0xffffffffffffffff", "%l", "18446744073709551615", 8},
    {"b", "123", "%b", NULL, 1},
    {"b", "0xff", "%b", "255", 1},
    {"f", "true", "%f", NULL, 1},
    {"f", "FALSE", "%f", "false", 1},
    {"m", "0", "%m", NULL, 4},
    {"m", "128", "%m", NULL, 6},
    {"m", "0x80", "%m", "128", 6},
    {"m", "340282366920938463463374607431768211456", "%m", NULL, 21},
    {"m", "0x100000000000000000000000000000000", "%m", "340282366920938463463374607431768211456", 21},
};

Test(class_params, every_type_goes_both_ways)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct payload p = {.len = 0};
        char text[256];
        cr_assert_eq(put(&p, fields[i].type, fields[i].value), 0, "%s %s", fields[i].type, fields[i].value);
        cr_expect_eq(p.len, fields[i].bytes, "%s %s: %zu bytes", fields[i].type, fields[i].value, p.len);
        cr_assert_eq(nacre_get_ssh_param(p.bytes, p.len, fields[i].list, text, sizeof text), 0, "%s", fields[i].value);
        cr_expect_str_eq(text, fields[i].back == NULL ? fields[i].value : fields[i].back);
    }
}

Test(class_params, what_does_not_fit_its_type_is_refused)
{
    static const char *const bad[][2] = {{"i", "4294967296"}, {"i", "-1"},
                                         {"i", "12x"},        {"i", ""},
                                         {"i", "0x"},         {"b", "256"},
                                         {"f", "yes"},        {"sb", "A"},
                                         {"sb", "GG"},        {"m", "-5"},
                                         {"m", "0xg"},        {"m", ""},
                                         {"q", "1"},          {"l", "18446744073709551616"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct payload p = {.len = 0};
        cr_expect_eq(put(&p, bad[i][0], bad[i][1]), NACRE_E_INVAL, "%s \"%s\"", bad[i][0], bad[i][1]);
        cr_expect_eq(p.len, 0);
    }
    size_t len = 3;
    unsigned char small[3];
    cr_expect_eq(nacre_set_ssh_param(NULL, 0, "i", "1", small, &len), NACRE_E_BUFFER_SIZE);
    cr_expect_eq(len, 4);
    cr_expect_eq(nacre_set_ssh_param(NULL, 0, "i", NULL, small, &len), NACRE_E_INVAL);
}

Test(class_params, the_parameters_of_a_channel_open_request_are_read_by_types)
{
    struct payload p = {.len = 0};
    char text[64];
    size_t len = sizeof text;
    put(&p, "s", "www.example.com");
    put(&p, "i", "8080");
    put(&p, "s", "192.0.2.1");
    put(&p, "i", "50000");
    static const char *const want[][2] = {
        {"%s", "www.example.com"}, {"%s,i", "8080"}, {"%s,i,s", "192.0.2.1"}, {"%s,i,s,i", "50000"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        cr_assert_eq(nacre_get_ssh_param(p.bytes, p.len, want[i][0], text, sizeof text), 0, "%s", want[i][0]);
        cr_expect_str_eq(text, want[i][1]);
    }
    cr_expect_eq(nacre_get_ssh_param(p.bytes, p.len, "%s,i,s,i,s", text, sizeof text), NACRE_E_PACKET);
    cr_expect_eq(nacre_get_ssh_param(p.bytes, p.len, "%z", text, sizeof text), NACRE_E_INVAL);
    cr_assert_eq(nacre_get_ssh_param_bytes(p.bytes, p.len, "%s,i", text, &len), 0);
    cr_expect_eq(len, 4);
    cr_expect_eq(memcmp(text, "\0\0\x1f\x90", 4), 0);
}

Test(class_params, a_request_is_read_by_names_and_by_the_wanted_type_first)
{
    struct payload p = {.len = 0};
    char text[64];
    put(&p, "i", "3");
    put(&p, "s", "x11-req");
    put(&p, "f", "true");
    put(&p, "f", "false");
    put(&p, "s", "MIT-MAGIC-COOKIE-1");
    put(&p, "s", "abcdef");
    put(&p, "i", "7");
    static const char *const want[][2] = {{"ChannelId", "3"},
                                          {"RequestType", "x11-req"},
                                          {"WantsReply", "true"},
                                          {"SingleConnection", "false"},
                                          {"X11AuthProtocol", "MIT-MAGIC-COOKIE-1"},
                                          {"X11AuthCookie", "abcdef"},
                                          {"x11screennumber", "7"},
                                          {"%s,f", "MIT-MAGIC-COOKIE-1"},
                                          {"%i,f,s,s", "7"},
                                          {"%i,s,f,f,s", "MIT-MAGIC-COOKIE-1"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        cr_assert_eq(nacre_get_ssh_param(p.bytes, p.len, want[i][0], text, sizeof text), 0, "%s", want[i][0]);
        cr_expect_str_eq(text, want[i][1]);
    }
    cr_expect_eq(nacre_get_ssh_param(p.bytes, p.len, "Command", text, sizeof text), NACRE_E_PACKET);
    cr_expect_eq(nacre_get_ssh_param(p.bytes, p.len, "NoSuchField", text, sizeof text), NACRE_E_INVAL);
}

/* ---- the well-known fields ------------------------------------------------------------------------------------- */

enum {
    PARTS_MAX = 7,
    NAMED_MAX = 6
};

struct part {
    const char *type, *value;
};

/* What belongs to a request as it is sent, and each of its fields by name; `before` are the types in front of it. */
static const struct {
    const char *request;
    struct part body[PARTS_MAX];
    struct {
        const char *name, *list;
    } named[NAMED_MAX];
} requests[] = {
    {"pty-req",
     {{"s", "vt100"}, {"i", "80"}, {"i", "24"}, {"i", "640"}, {"i", "480"}, {"sb", "0300000007800000000100"}},
     {{"TerminalType", "%s"},
      {"TerminalWidthCharacters", "%i,s"},
      {"TerminalHeightRows", "%i,s,i"},
      {"TerminalWidthPixels", "%i,s,i,i"},
      {"TerminalHeightPixels", "%i,s,i,i,i"},
      {"TerminalModes", "%sb,s,i,i,i,i"}}},
    {"window-change",
     {{"i", "132"}, {"i", "43"}, {"i", "1056"}, {"i", "860"}},
     {{"TerminalWidthCharacters", "%i"},
      {"TerminalHeightRows", "%i,i"},
      {"TerminalWidthPixels", "%i,i,i"},
      {"TerminalHeightPixels", "%i,i,i,i"}}},
    {"x11-req",
     {{"f", "true"}, {"s", "MIT-MAGIC-COOKIE-1"}, {"s", "00ff17"}, {"i", "10"}},
     {{"SingleConnection", "%f"},
      {"X11AuthProtocol", "%s,f"},
      {"X11AuthCookie", "%s,f,s"},
      {"X11ScreenNumber", "%i,f,s,s"}}},
    {"env", {{"s", "LC_ALL"}, {"s", "de_CH.UTF-8"}}, {{"VariableName", "%s"}, {"VariableValue", "%s,s"}}},
    {"exec", {{"s", "ls -l"}}, {{"Command", "%s"}}},
    {"subsystem", {{"s", "sftp"}}, {{"Subsystem", "%s"}}},
    {"xon-xoff", {{"f", "true"}}, {{"ClientCanDo", "%f"}}},
    {"signal", {{"s", "TERM"}}, {{"SignalName", "%s"}}},
};

/* The field alone, as SSH writes it. */
static size_t raw_field(const struct part *part, unsigned char *raw, size_t size)
{
    cr_assert_eq(nacre_set_ssh_param(NULL, 0, part->type, part->value, raw, &size), 0);
    bool is_string = part->type[0] == 's';
    if (is_string)
        memmove(raw, raw + 4, size - 4); /* without its length */
    return is_string ? size - 4 : size;
}

static void expect_field(const struct payload *p, const char *field, const struct part *want, const char *request)
{
    char text[256];
    unsigned char bytes[256], raw[256];
    size_t len = sizeof bytes, raw_len = raw_field(want, raw, sizeof raw);
    bool is_named_binary = strcmp(want->type, "sb") == 0 && field[0] != '%';
    cr_expect_eq(nacre_get_ssh_param(p->bytes, p->len, field, text, sizeof text), is_named_binary ? NACRE_E_PACKET : 0,
                 "%s %s", request, field);
    if (!is_named_binary)
        cr_expect_str_eq(text, want->value, "%s %s: \"%s\"", request, field, text);
    cr_assert_eq(nacre_get_ssh_param_bytes(p->bytes, p->len, field, bytes, &len), 0, "%s %s", request, field);
    cr_expect(len == raw_len && memcmp(bytes, raw, len) == 0, "%s %s: %zu bytes", request, field, len);
}

/* Every request cut off at each byte of a field does not have that field. */
static void expect_cut(const struct payload *p, size_t end, const char *name)
{
    unsigned char bytes[256];
    for (size_t len = 0; len < end; len++) {
        size_t room = sizeof bytes;
        cr_expect_eq(nacre_get_ssh_param_bytes(p->bytes, len, name, bytes, &room), NACRE_E_PACKET, "%s at %zu", name,
                     len);
    }
}

Test(class_params, every_well_known_field_of_every_request)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct payload p = {.len = 0};
        size_t ends[PARTS_MAX] = {0};
        put(&p, "i", "3");
        put(&p, "s", requests[i].request);
        put(&p, "f", "true");
        for (size_t k = 0; k < PARTS_MAX && requests[i].body[k].type != NULL; k++) {
            cr_assert_eq(put(&p, requests[i].body[k].type, requests[i].body[k].value), 0);
            ends[k] = p.len;
        }
        for (size_t k = 0; k < NAMED_MAX && requests[i].named[k].name != NULL; k++) {
            expect_field(&p, requests[i].named[k].name, &requests[i].body[k], requests[i].request);
            expect_field(&p, requests[i].named[k].list, &requests[i].body[k], requests[i].request);
            expect_cut(&p, ends[k], requests[i].named[k].name);
        }
    }
}

/* ---- send_ssh_packet ------------------------------------------------------------------------------------------- */

Test(class_params, a_packet_built_by_hand_reaches_the_client, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen opened;
    struct payload p = {.len = 0};
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int channel = client_open(&c, "session");
    cr_assert_geq(channel, 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    put(&p, "s", "hello");
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 94, p.bytes, p.len), 0, "%s",
                 nacre_last_error(s->nacre));
    cr_assert(client_wait_count(&c, &c.channels[channel].received, 5));
    p.len = 0;
    put(&p, "i", "1");
    put(&p, "s", "err");
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 95, p.bytes, p.len), 0);
    p.len = 0;
    put(&p, "s", "exit-status");
    put(&p, "f", "false");
    put(&p, "i", "42");
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 98, p.bytes, p.len), 0);
    p.len = 0;
    put(&p, "s", "for nobody");
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 2, p.bytes, p.len), 0);
    p.len = 0;
    put(&p, "s", "hello@nacre.example");
    put(&p, "f", "true");
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 80, p.bytes, p.len), 0);
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 96, NULL, 0), 0);
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 97, NULL, 0), 0);
    cr_assert(client_wait(&c, &c.channels[channel].closed));
    cr_expect_eq(c.channels[channel].exit_status, 42);
    cr_expect_eq(c.channels[channel].errors.len, 3);
    cr_expect(c.channels[channel].eof);
    client_free(&c);
    server_free(s);
}

/* Fails when send_ssh_packet does not count: the 65th is taken, and ends the connection. */
Test(class_params, global_requests_without_an_answer_are_bounded_and_cost_nothing_else, .timeout = 240)
{
    enum {
        MOST = 64
    };
    struct server *s = server_new();
    struct client c;
    struct server_seen opened;
    struct payload with = {.len = 0}, without = {.len = 0}, data = {.len = 0};
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int channel = client_open(&c, "session");
    cr_assert_geq(channel, 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    put(&with, "s", "hello@nacre.example");
    put(&with, "f", "true");
    put(&without, "s", "hello@nacre.example");
    put(&without, "f", "false");
    put(&data, "s", "hello");
    for (int i = 0; i < MOST; i++) /* the client answers when it gets a turn */
        cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 80, with.bytes, with.len), 0, "request %d", i);
    cr_expect_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 80, with.bytes, with.len), NACRE_E_WOULDBLOCK);
    cr_expect_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 80, without.bytes, without.len), 0);
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 94, data.bytes, data.len), 0);
    cr_assert(client_wait_count(&c, &c.channels[channel].received, 5), "%s", c.text);
    while (nacre_send_ssh_packet(s->nacre, opened.channel, 80, with.bytes, with.len) == NACRE_E_WOULDBLOCK)
        cr_assert(client_turn(&c, 10), "%s", c.text); /* its answers are on their way */
    cr_assert_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 94, data.bytes, data.len), 0);
    cr_assert(client_wait_count(&c, &c.channels[channel].received, 10), "%s", c.text);
    client_free(&c);
    server_free(s);
}

Test(class_params, a_packet_that_is_not_the_applications_to_send_is_refused, .timeout = 240)
{
    static const int others[] = {0, 1, 3, 5, 20, 21, 50, 52, 90, 91, 93, 99, 100, 255, 256, -1};
    struct server *s = server_new();
    struct client c;
    struct server_seen opened;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_geq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_eq(nacre_send_ssh_packet(s->nacre, opened.channel, others[i], NULL, 0), NACRE_E_INVAL, "%d",
                     others[i]);
    cr_expect_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 94, "ab", 2), NACRE_E_PACKET);
    cr_expect_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 98, "ab", 2), NACRE_E_PACKET);
    cr_expect_eq(nacre_send_ssh_packet(s->nacre, opened.channel, 96, "ab", 2), NACRE_E_PACKET);
    cr_expect_eq(nacre_send_ssh_packet(s->nacre, 12345, 94, NULL, 0), NACRE_E_CHANNEL_ID);
    client_free(&c);
    server_free(s);
}
