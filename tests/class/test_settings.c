/* SPDX-License-Identifier: Apache-2.0 */
/* What settings do: code pages, library contexts, host names, logs, time limits, sigstatus, reset. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/plat.h"
#include "crypto/key.h"
#include "support/client.h"
#include "support/server.h"

static int get(nacre_server *n, const char *name, char value[4096])
{
    value[0] = '\0';
    return nacre_config(n, name, value, 4096);
}

/* ---- code pages ------------------------------------------------------------------------------------------------ */

static char last_user[256], last_password[256];

static void keep_login(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)snprintf(last_user, sizeof last_user, "%s", e->user);
    (void)snprintf(last_password, sizeof last_password, "%s", e->auth_param);
    server_on_ssh_user_auth_request(n, e, context); /* takes and leaves the lock that server_wait() takes */
    e->accept = true;
}

Test(class_settings, texts_are_in_the_code_page_that_clients_speak, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen opened;
    s->handlers.on_ssh_user_auth_request = keep_login;
    server_set(s, "CodePage=1252");
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert(client_login(&c, "J\xFCrg", "p\x80")); /* 0x80 is the euro sign there */
    cr_assert(server_wait(s, EVENT_SSH_USER_AUTH_REQUEST, 0, NULL));
    cr_expect_str_eq(last_user, "J\xC3\xBCrg");
    cr_expect_str_eq(last_password, "p\xE2\x82\xAC");
    int channel = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    cr_assert_eq(nacre_send_text(s->nacre, opened.channel, "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC"), 0);
    cr_assert(client_wait_count(&c, &c.channels[channel].received, 6));
    cr_expect_eq(memcmp(c.channels[channel].data.at, "gr\xFC\xDF \x80", 6), 0);
    cr_expect_eq(nacre_send_text(s->nacre, opened.channel, "\xE6\x97\xA5"), NACRE_E_INVAL);
    client_free(&c);
    server_free(s);
}

Test(class_settings, a_code_page_that_is_unknown_is_refused_clearly)
{
    static const char *const good[] = {"37", "437", "932", "1200", "12001", "28605", "20866", "65001"};
    char value[4096], setting[64];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        (void)snprintf(setting, sizeof setting, "CodePage=%s", good[i]);
        cr_expect_eq(nacre_config(n, setting, NULL, 0), 0, "%s: %s", setting, nacre_last_error(n));
        cr_expect_eq(get(n, "CodePage", value), 0);
        cr_expect_str_eq(value, good[i]);
    }
    cr_expect_eq(nacre_config(n, "CodePage=4711", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(n, "CodePage=latin", NULL, 0), NACRE_E_SETTING_VALUE);
    get(n, "CodePage", value);
    cr_expect_str_eq(value, "65001");
    nacre_free(n);
}

/* ---- library contexts ------------------------------------------------------------------------------------------ */

Test(class_settings, the_library_may_be_our_own_context, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    char before[128], after[128], value[4096];
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, before, sizeof before), 0);
    server_set(s, "UseInternalSecurityAPI=True");
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, after, sizeof after), 0);
    cr_expect_str_eq(before, after);
    get(s->nacre, "UseInternalSecurityAPI", value);
    cr_expect_str_eq(value, "True");
    server_start(s, 1);
    cr_expect_eq(nacre_config(s->nacre, "UseInternalSecurityAPI=False", NULL, 0), NACRE_E_SETTING_LATE);
    cr_assert(client_start(&c, s->port));
    client_free(&c);
    server_free(s);
}

Test(class_settings, fips_is_there_or_refused_with_the_remedy)
{
    char value[4096];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    int e = nacre_config(n, "UseFIPSCompliantAPI=True", NULL, 0);
    get(n, "UseFIPSCompliantAPI", value);
    if (e == 0) {
        cr_expect_str_eq(value, "True");
    } else {
        cr_expect_eq(e, NACRE_E_NOT_SUPPORTED);
        e = nacre_config(n, "UseFIPSCompliantAPI=True", NULL, 0);
        cr_expect_not_null(strstr(nacre_last_error(n), "FIPS provider"));
        cr_expect_str_eq(value, "False");
    }
    cr_expect_eq(nacre_config(n, "UseFIPSCompliantAPI=False", NULL, 0), 0);
    cr_expect_eq(nacre_config(n, "UseFIPSCompliantAPI=maybe", NULL, 0), NACRE_E_SETTING_VALUE);
    nacre_free(n);
}

/* ---- who may connect ------------------------------------------------------------------------------------------- */

Test(class_settings, client_lists_take_host_names, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    server_set(s, "BlockedClients=10.0.0.0/8, localhost");
    server_start(s, 1);
    client_init(&c);
    cr_expect_not(client_connect(&c, s->port));
    client_free(&c);
    server_set(s, "BlockedClients=");
    server_set(s, "AllowedClients=localhost");
    client_init(&c);
    cr_expect(client_connect(&c, s->port));
    client_free(&c);
    server_free(s);
}

Test(class_settings, a_name_nobody_knows_is_refused_when_it_is_set, .timeout = 240)
{
    char value[4096];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    int e = nacre_config(n, "BlockedClients=no-such-host.invalid", NULL, 0);
    cr_expect(e == NACRE_E_HOST_NOT_FOUND || e == NACRE_E_TRY_AGAIN || e == NACRE_E_NO_RECOVERY || e == NACRE_E_NO_DATA,
              "%d", e);
    cr_expect_eq(nacre_config(n, "BlockedClients=*.example.com", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(n, "BlockedClients=under$core", NULL, 0), NACRE_E_SETTING_VALUE);
    get(n, "BlockedClients", value);
    cr_expect_str_eq(value, "");
    nacre_free(n);
}

/* ---- logs ------------------------------------------------------------------------------------------------------ */

static bool log_has(struct server *s, int level, const char *text)
{
    struct server_seen e;
    for (size_t i = 0; i < server_count(s, EVENT_LOG); i++)
        if (server_wait(s, EVENT_LOG, i, &e) && e.code == level && strstr(e.text, text) != NULL)
            return true;
    return false;
}

static char logged[1 << 20];
static size_t logged_len;

static void keep_log(nacre_server *n, struct nacre_log *e, void *context)
{
    struct server *s = context;
    (void)n;
    size_t len = strlen(e->message);
    server_note(s, (struct server_seen){.type = EVENT_LOG, .code = e->log_level, .connection = e->connection_id});
    pthread_mutex_lock(&s->lock);
    if (logged_len + len + 2 < sizeof logged) {
        memcpy(logged + logged_len, e->message, len + 1);
        logged_len += len;
        logged[logged_len++] = '\n';
        logged[logged_len] = '\0';
    }
    pthread_mutex_unlock(&s->lock);
}

static void visit(struct server *s, const char *password)
{
    struct client c;
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    (void)client_login(&c, "user", password);
    client_disconnect(&c);
    client_free(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
}

Test(class_settings, log_level_0_is_silent_and_1_tells_what_matters, .timeout = 240)
{
    struct server *s = server_new();
    server_set(s, "LogLevel=0");
    server_start(s, 1);
    visit(s, "pw");
    cr_expect_eq(server_count(s, EVENT_LOG), 0);
    server_free(s);
    s = server_new();
    server_start(s, 1);
    visit(s, "pw");
    cr_expect(log_has(s, 1, "logged in by password"));
    cr_expect_not(log_has(s, 2, ""));
    server_free(s);
}

Test(class_settings, log_level_2_has_a_line_a_packet, .timeout = 240)
{
    struct server *s = server_new();
    server_set(s, "LogLevel=2");
    server_start(s, 1);
    visit(s, "pw");
    cr_expect(log_has(s, 2, "KEXINIT"));
    cr_expect(log_has(s, 2, "USERAUTH_REQUEST"));
    cr_expect_not(log_has(s, 3, ""));
    server_free(s);
}

/* "masked-password" in hexadecimal. */
static const char password_hex[] = "6d61736b65642d70617373776f7264";

static bool logs_password(const char *mask)
{
    struct server *s = server_new();
    s->handlers.on_log = keep_log;
    server_set(s, "LogLevel=3");
    server_set(s, mask);
    server_start(s, 1);
    visit(s, "masked-password");
    server_free(s);
    cr_expect_not_null(strstr(logged, "received payload: 32"), "a request to log in");
    cr_expect_not_null(strstr(logged, "sent payload: 14"), "our KEXINIT");
    return strstr(logged, password_hex) != NULL;
}

Test(class_settings, log_level_3_masks_passwords, .timeout = 240)
{
    cr_expect_not(logs_password("MaskSensitive=True"));
    cr_expect_not_null(strstr(logged, "(masked)"));
}

Test(class_settings, log_level_3_shows_passwords_when_told_to, .timeout = 240)
{
    cr_expect(logs_password("MaskSensitive=False"));
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

Test(class_settings, a_silent_client_is_dropped_while_keys_are_exchanged, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    server_set(s, "DefaultConnectionTimeout=1");
    server_start(s, 1);
    int64_t begun_ns = nacre_clock_ns();
    int fd = client_socket(NULL, s->port);
    cr_assert_geq(fd, 0);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_TIMEDOUT, "%d %s", e.code, e.text);
    cr_expect_geq(nacre_clock_ns() - begun_ns, INT64_C(900000000));
    close(fd);
    /* With keys it does not apply any more. */
    bool keyed = false;
    for (int i = 0; i < 20 && !keyed; i++) { /* a machine that stops for a second may have it dropped before */
        if (i != 0)
            client_free(&c);
        client_init(&c);
        keyed = client_connect(&c, s->port);
    }
    cr_assert(keyed);
    client_pump(&c, 1600);
    cr_expect_not(c.ended);
    client_free(&c);
    server_free(s);
}

Test(class_settings, an_idle_client_is_dropped_on_time, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    cr_assert_eq(nacre_set_default_idle_timeout(s->nacre, 3), 0);
    server_start(s, 1);
    int64_t begun_ns = nacre_clock_ns();
    cr_assert(client_start(&c, s->port));
    cr_assert(client_wait_end(&c));
    cr_expect_geq(nacre_clock_ns() - begun_ns, INT64_C(2990000000));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_TIMEOUT_IDLE);
    client_free(&c);
    server_free(s);
}

Test(class_settings, a_short_read_time_loses_nothing, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    static unsigned char bytes[1 << 20];
    s->echo = true;
    s->records_data = false;
    server_set(s, "MaxReadTime=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int channel = client_open(&c, "session");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 251);
    for (int i = 0; i < 4; i++)
        cr_assert(client_send(&c, channel, bytes, sizeof bytes));
    cr_assert(client_wait_count(&c, &c.channels[channel].received, 4 * sizeof bytes));
    cr_expect_eq(memcmp(c.channels[channel].data.at, bytes, sizeof bytes), 0);
    client_free(&c);
    server_free(s);
}

/* ---- sigstatus ------------------------------------------------------------------------------------------------- */

static char sigstatus[8];
static bool refuses_reports;

static void keep_status(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    if (strcmp(e->auth_method, "sigstatus") == 0) {
        (void)snprintf(sigstatus, sizeof sigstatus, "%s", e->auth_param);
        e->accept = !refuses_reports; /* not looked at */
        cr_expect_eq(nacre_defer(&e->event).serial, 0);
    }
}

static bool by_key(struct client *c)
{
    struct key *key = nacre_key_generate(c->crypto, "ssh-ed25519", 0);
    unsigned failures = c->failures;
    cr_assert(nacre_conn_auth_publickey(c->conn, span_str("user"), key, NULL));
    while (!c->authenticated && c->failures == failures && !c->ended && client_turn(c, 20))
        ;
    nacre_key_unref(key);
    return c->authenticated;
}

Test(class_settings, a_checked_signature_is_reported, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    s->handlers.on_ssh_user_auth_request = keep_status;
    refuses_reports = true;
    server_set(s, "FireAuthRequestAfterSig=True");
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert(by_key(&c));
    /* The client may know that it is in before the handler has returned. */
    cr_assert(server_wait(s, EVENT_SSH_USER_AUTH_REQUEST, 1, &e));
    cr_expect_str_eq(e.more, "sigstatus");
    server_join(s);
    cr_expect_str_eq(sigstatus, "1");
    client_free(&c);
    server_free(s);
}

Test(class_settings, without_the_setting_no_signature_is_reported, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_user_auth_request = keep_status;
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_assert(by_key(&c));
    cr_expect_str_eq(sigstatus, "");
    client_free(&c);
    server_free(s);
}

/* ---- of one connection ----------------------------------------------------------------------------------------- */

Test(class_settings, settings_of_a_connection_are_read_back, .timeout = 240)
{
    struct server *s = server_new();
    struct client a, b;
    struct server_seen first, second;
    char name[128], value[4096], uid[4096], number[24];
    server_start(s, 1);
    cr_assert(client_start(&a, s->port));
    cr_assert(client_start(&b, s->port));
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &first));
    cr_assert(server_wait(s, EVENT_CONNECTED, 1, &second));
    long long id = (long long)first.connection;
    (void)snprintf(name, sizeof name, "UserAuthBanner[%lld]", id);
    cr_expect_eq(get(s->nacre, name, value), 0);
    cr_expect_str_eq(value, "");
    (void)snprintf(name, sizeof name, "UserAuthBanner[%lld]=hello", id);
    server_set(s, name);
    (void)snprintf(name, sizeof name, "UserAuthBanner[%lld]", id);
    get(s->nacre, name, value);
    cr_expect_str_eq(value, "hello");
    (void)snprintf(name, sizeof name, "KeyboardInteractivePrompts[%lld]=Code,echo=false", id);
    server_set(s, name);
    (void)snprintf(name, sizeof name, "KeyboardInteractivePrompts[%lld]", id);
    get(s->nacre, name, value);
    cr_expect_str_eq(value, "Code,echo=false");
    (void)snprintf(name, sizeof name, "ConnectionUID[%lld]", id);
    cr_expect_eq(get(s->nacre, name, uid), 0);
    (void)snprintf(number, sizeof number, "%lld", id);
    cr_expect_str_neq(uid, number);
    (void)snprintf(name, sizeof name, "ConnectionUID[%lld]", (long long)second.connection);
    get(s->nacre, name, value);
    cr_expect_str_neq(uid, value);
    (void)snprintf(name, sizeof name, "NegotiatedStrictKex[%lld]", id);
    get(s->nacre, name, value);
    cr_expect_str_eq(value, "True");
    (void)snprintf(name, sizeof name, "ClientSSHVersionString[%lld]", id);
    get(s->nacre, name, value);
    cr_expect_eq(strncmp(value, "SSH-2.0-", 8), 0);
    cr_expect_eq(get(s->nacre, "ConnectionUID[1]", value), NACRE_E_CONNECTION_ID);
    client_free(&a);
    client_free(&b);
    server_free(s);
}

Test(class_settings, structs_tell_what_the_getters_tell, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    struct nacre_connection connection;
    struct nacre_channel channel;
    struct nacre_prompt prompt = {.echo = true, .prompt = "Code: "};
    char number[24];
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_geq(client_open(&c, "session"), 0);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_READY_TO_SEND, 0, &e));
    cr_assert_eq(nacre_get_connection(s->nacre, e.connection, &connection), 0);
    (void)snprintf(number, sizeof number, "%lld", (long long)e.connection);
    cr_expect(connection.connected);
    cr_expect_str_eq(connection.connection_id, number);
    cr_expect_str_eq(connection.remote_host, "127.0.0.1");
    cr_expect_str_eq(connection.local_address, "127.0.0.1");
    cr_expect_gt(connection.remote_port, 0);
    cr_expect_eq(connection.timeout, 60);
    cr_assert_eq(nacre_change_record_length(s->nacre, e.channel, 9), 0);
    cr_assert_eq(nacre_send_bytes(s->nacre, e.channel, "abc", 3), 0);
    cr_assert_eq(nacre_get_channel(s->nacre, e.channel, &channel), 0);
    (void)snprintf(number, sizeof number, "%lld", (long long)e.channel);
    cr_expect_str_eq(channel.channel_id, number);
    cr_expect_str_eq(channel.service, "session");
    cr_expect_eq(channel.record_length, 9);
    cr_expect_eq(channel.bytes_sent, 3);
    cr_expect(channel.ready_to_send);
    cr_expect_eq(nacre_get_channel(s->nacre, e.connection, &channel), NACRE_E_CHANNEL_ID);
    cr_expect_eq(nacre_get_connection(s->nacre, e.channel, &connection), NACRE_E_CONNECTION_ID);
    cr_expect_eq(nacre_set_prompt(s->nacre, 0, &prompt), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(s->nacre, 1), 0);
    cr_assert_eq(nacre_set_prompt(s->nacre, 0, &prompt), 0);
    prompt = (struct nacre_prompt){.echo = false};
    cr_assert_eq(nacre_get_prompt(s->nacre, 0, &prompt), 0);
    cr_expect(prompt.echo);
    cr_expect_str_eq(prompt.prompt, "Code: ");
    client_free(&c);
    server_free(s);
}

/* ---- reset ----------------------------------------------------------------------------------------------------- */

Test(class_settings, reset_ends_everything_and_brings_defaults_back, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct nacre_certificate certificate;
    char value[4096];
    int number;
    bool listening;
    server_set(s, "LogLevel=3");
    server_set(s, "AllowedClients=127.0.0.1");
    server_set(s, "UseInternalSecurityAPI=True");
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 5), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(s->nacre, 2), 0);
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(nacre_reset(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_assert(client_wait_end(&c));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
    nacre_get_listening(s->nacre, &listening);
    cr_expect_not(listening);
    static const char *const defaults[][2] = {
        {"LogLevel", "1"}, {"AllowedClients", "*"}, {"UseInternalSecurityAPI", "False"}, {"CodePage", "65001"}};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        get(s->nacre, defaults[i][0], value);
        cr_expect_str_eq(value, defaults[i][1], "%s", defaults[i][0]);
    }
    nacre_get_default_timeout(s->nacre, &number);
    cr_expect_eq(number, 60);
    nacre_get_local_port(s->nacre, &number);
    cr_expect_eq(number, 22);
    nacre_get_keyboard_interactive_prompt_count(s->nacre, &number);
    cr_expect_eq(number, 0);
    cr_assert_eq(nacre_get_certificate(s->nacre, 0, &certificate), 0);
    cr_expect_not(certificate.private_key_available);
    nacre_certificate_free(&certificate);
    client_free(&c);
    server_free(s);
}
