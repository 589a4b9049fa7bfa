/* SPDX-License-Identifier: Apache-2.0 */
/* Every property and setting by its name: default, round trip, bounds, and the codes of refusal. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

#include "support/client.h"
#include "support/server.h"

/* ---- numbers of the server ------------------------------------------------------------------------------------- */

struct number_case {
    const char *name;
    int (*get)(nacre_server *, int *);
    int (*set)(nacre_server *, int);
    int initial, good, below, above;
};

static const struct number_case numbers[] = {
    {"local_port", nacre_get_local_port, nacre_set_local_port, 22, 65535, -1, 65536},
    {"connection_backlog", nacre_get_connection_backlog, nacre_set_connection_backlog, 5, 128, 0, 65536},
    {"default_idle_timeout", nacre_get_default_idle_timeout, nacre_set_default_idle_timeout, 0, 30, -1, 31536001},
    {"default_timeout", nacre_get_default_timeout, nacre_set_default_timeout, 60, 0, -1, 31536001},
    {"keyboard_interactive_prompt_count", nacre_get_keyboard_interactive_prompt_count,
     nacre_set_keyboard_interactive_prompt_count, 0, 16, -1, 17},
};

Test(class_properties, numbers_have_their_default_and_keep_to_their_bounds)
{
    nacre_server *n;
    int value = -7;
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number_case *c = &numbers[i];
        cr_assert_eq(c->get(n, &value), 0, "%s", c->name);
        cr_assert_eq(value, c->initial, "%s: default %d", c->name, value);
        cr_assert_eq(c->set(n, c->good), 0, "%s: %s", c->name, nacre_last_error(n));
        cr_assert_neq(c->set(n, c->below), 0, "%s", c->name);
        cr_assert_neq(c->set(n, c->above), 0, "%s", c->name);
        cr_assert_eq(c->get(n, &value), 0);
        cr_assert_eq(value, c->good, "%s: a refused value changed it to %d", c->name, value);
        cr_assert_eq(c->get(n, NULL), NACRE_E_INVAL, "%s", c->name);
        cr_assert_eq(c->get(NULL, &value), NACRE_E_INVAL, "%s", c->name);
        cr_assert_eq(c->set(NULL, 1), NACRE_E_INVAL, "%s", c->name);
    }
    nacre_free(n);
}

/* ---- texts of the server --------------------------------------------------------------------------------------- */

struct text_case {
    const char *name;
    int (*get)(nacre_server *, char *, size_t);
    int (*set)(nacre_server *, const char *);
    const char *initial, *good, *bad;
};

static const struct text_case texts[] = {
    {"local_host", nacre_get_local_host, nacre_set_local_host, "", "127.0.0.1", NULL},
    {"default_auth_methods", nacre_get_default_auth_methods, nacre_set_default_auth_methods, "password,publickey",
     "none,keyboard-interactive", "telepathy"},
    {"keyboard_interactive_message", nacre_get_keyboard_interactive_message, nacre_set_keyboard_interactive_message, "",
     "Say it.", NULL},
    {"ssh_compression_algorithms", nacre_get_ssh_compression_algorithms, nacre_set_ssh_compression_algorithms,
     "none,zlib", "none,zlib@openssh.com", "lz4"},
    {"ssh_encryption_algorithms", nacre_get_ssh_encryption_algorithms, nacre_set_ssh_encryption_algorithms, NULL,
     "aes256-gcm@openssh.com", "rot13"},
    {"ssh_cert_store_password", nacre_get_ssh_cert_store_password, nacre_set_ssh_cert_store_password, "", NULL, NULL},
    {"ssh_cert_subject", nacre_get_ssh_cert_subject, nacre_set_ssh_cert_subject, "", NULL, NULL},
};

Test(class_properties, texts_have_their_default_and_come_back_as_set)
{
    nacre_server *n;
    char value[2048];
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text_case *c = &texts[i];
        cr_assert_eq(c->get(n, value, sizeof value), 0, "%s", c->name);
        if (c->initial != NULL)
            cr_assert_str_eq(value, c->initial, "%s", c->name);
        cr_assert_eq(c->set(n, NULL), NACRE_E_INVAL, "%s", c->name);
        if (c->good == NULL)
            continue;
        cr_assert_eq(c->set(n, c->good), 0, "%s: %s", c->name, nacre_last_error(n));
        if (c->bad != NULL)
            cr_assert_eq(c->set(n, c->bad), NACRE_E_SETTING_VALUE, "%s", c->name);
        memset(value, 'x', sizeof value);
        cr_assert_eq(c->get(n, value, strlen(c->good)), NACRE_E_BUFFER_SIZE, "%s", c->name);
        cr_assert_eq(value[0], 'x', "%s wrote although it does not fit", c->name);
        cr_assert_eq(c->get(n, value, strlen(c->good) + 1), 0, "%s", c->name);
        cr_assert_str_eq(value, c->good, "%s", c->name);
    }
    nacre_free(n);
}

Test(class_properties, the_default_ciphers_are_the_class_lists_first_ones)
{
    nacre_server *n;
    char value[2048];
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_get_ssh_encryption_algorithms(n, value, sizeof value), 0);
    cr_assert(strncmp(value, "aes256-ctr,aes192-ctr,aes128-ctr", 32) == 0, "%s", value);
    cr_assert(strstr(value, "chacha20-poly1305@openssh.com") != NULL);
    nacre_free(n);
}

Test(class_properties, the_store_defaults_to_my_and_type_user)
{
    nacre_server *n;
    char store[8];
    size_t len = sizeof store;
    int type = -1;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_get_ssh_cert_store(n, store, &len), 0);
    cr_assert_eq(len, 2);
    cr_assert_arr_eq(store, "MY", 2);
    cr_assert_eq(nacre_get_ssh_cert_store_type(n, &type), 0);
    cr_assert_eq(type, 0);
    len = 1;
    cr_assert_eq(nacre_get_ssh_cert_store(n, store, &len), NACRE_E_BUFFER_SIZE);
    cr_assert_eq(len, 2, "the room needed");
    cr_assert_neq(nacre_set_ssh_cert_store_type(n, 20), 0, "there is no type 20");
    cr_assert_neq(nacre_set_ssh_cert_store_type(n, -1), 0);
    nacre_free(n);
}

/* As the class has it: not found, the subject becomes empty and no certificate is selected. */
Test(class_properties, a_store_without_a_key_refuses_its_subject_and_selects_none)
{
    struct server *s = server_new();
    char text[128];
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, text, sizeof text), 0);
    cr_assert_eq(strncmp(text, "SHA256:", 7), 0);
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 1, text, sizeof text), NACRE_E_NO_CERTIFICATE);
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, text, 5), NACRE_E_BUFFER_SIZE);
    cr_assert_eq(nacre_set_ssh_cert_store(s->nacre, "no key", 6), 0);
    cr_assert_neq(nacre_set_ssh_cert_subject(s->nacre, "*"), 0);
    cr_assert_eq(nacre_get_ssh_cert_subject(s->nacre, text, sizeof text), 0);
    cr_assert_str_eq(text, "");
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, text, sizeof text), NACRE_E_NO_CERTIFICATE);
    cr_assert_eq(nacre_start_listening(s->nacre), 1301);
    server_free(s);
}

Test(class_properties, the_password_is_never_told)
{
    struct server *s = server_new();
    char value[64];
    cr_assert_eq(nacre_set_ssh_cert_store_password(s->nacre, "sesame"), 0);
    cr_assert_eq(nacre_get_ssh_cert_store_password(s->nacre, value, sizeof value), 0);
    cr_assert(strstr(value, "sesame") == NULL);
    server_free(s);
}

Test(class_properties, prompts_are_there_up_to_their_count)
{
    nacre_server *n;
    char text[64];
    bool echo = true;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_prompt(n, 0, text, sizeof text), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(n, 2), 0);
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_prompt(n, 1, text, sizeof text), 0);
    cr_assert_str_eq(text, "");
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_echo(n, 1, &echo), 0);
    cr_assert_not(echo);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_prompt(n, 1, "PIN:"), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_echo(n, 1, true), 0);
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_prompt(n, 1, text, sizeof text), 0);
    cr_assert_str_eq(text, "PIN:");
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_echo(n, 1, &echo), 0);
    cr_assert(echo);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_prompt(n, 2, "x"), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_echo(n, -1, true), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_prompt(n, 0, NULL), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(n, 1), 0);
    cr_assert_eq(nacre_set_keyboard_interactive_prompt_count(n, 2), 0);
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_prompt(n, 1, text, sizeof text), 0);
    cr_assert_str_eq(text, "", "a prompt that went is forgotten");
    nacre_free(n);
}

/* ---- connections and channels ---------------------------------------------------------------------------------- */

Test(class_properties, connections_and_channels_tell_what_they_are, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e, opened;
    char text[256];
    int number = -1;
    bool flag = false;
    size_t bytes = 9;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(server_wait(s, EVENT_CONNECTED, 0, &e));
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &opened));
    nacre_server *n = s->nacre;
    cr_assert_eq(nacre_get_ssh_connection_count(n, &number), 0);
    cr_assert_eq(number, 1);
    cr_assert_eq(nacre_get_ssh_channel_count(n, &number), 0);
    cr_assert_eq(number, 1);
    cr_assert_eq(nacre_get_ssh_connection_connected(n, e.connection, &flag), 0);
    cr_assert(flag);
    cr_assert_eq(nacre_get_ssh_connection_local_address(n, e.connection, text, sizeof text), 0);
    cr_assert_str_eq(text, "127.0.0.1");
    cr_assert_eq(nacre_get_ssh_connection_remote_host(n, e.connection, text, sizeof text), 0);
    cr_assert_str_eq(text, "127.0.0.1");
    cr_assert_eq(nacre_get_ssh_connection_remote_host(n, e.connection, text, 9), NACRE_E_BUFFER_SIZE);
    cr_assert_eq(nacre_get_ssh_connection_remote_port(n, e.connection, &number), 0);
    cr_assert_gt(number, 0);
    cr_assert_eq(nacre_get_ssh_connection_timeout(n, e.connection, &number), 0);
    cr_assert_eq(number, 60, "default_timeout");
    cr_assert_eq(nacre_set_ssh_connection_timeout(n, e.connection, 5), 0);
    cr_assert_eq(nacre_get_ssh_connection_timeout(n, e.connection, &number), 0);
    cr_assert_eq(number, 5);
    cr_assert_eq(nacre_set_ssh_connection_timeout(n, e.connection, -1), NACRE_E_INVAL);
    cr_assert_eq(nacre_get_service(n, opened.channel, text, sizeof text), 0);
    cr_assert_str_eq(text, "session");
    cr_assert_eq(nacre_get_channel_id(n, opened.channel, text, sizeof text), 0);
    cr_assert_eq(strtoll(text, NULL, 10), opened.channel);
    cr_assert_eq(nacre_get_ready_to_send(n, opened.channel, &flag), 0);
    cr_assert(flag);
    cr_assert_eq(nacre_get_bytes_sent(n, opened.channel, &bytes), 0);
    cr_assert_eq(bytes, 0);
    cr_assert_eq(nacre_get_record_length(n, opened.channel, &number), 0);
    cr_assert_eq(number, 0);
    cr_assert_eq(nacre_set_record_length(n, opened.channel, 16777217), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_record_length(n, opened.channel, -1), NACRE_E_INVAL);
    cr_assert_eq(nacre_set_record_length(n, opened.channel, 100), 0);
    cr_assert_eq(nacre_get_record_length(n, opened.channel, &number), 0);
    cr_assert_eq(number, 100);
    cr_assert_eq(nacre_set_data_to_send(n, opened.channel, "abc", 3), 0);
    cr_assert_eq(nacre_get_bytes_sent(n, opened.channel, &bytes), 0);
    cr_assert_eq(bytes, 3);
    cr_assert_eq(nacre_send_channel_data(n, opened.channel, "def", 3), 0);
    cr_assert_eq(nacre_send_text(n, opened.channel, "ghi"), 0);
    cr_assert_eq(nacre_send_stderr(n, opened.channel, "err", 3), 0);
    cr_assert(client_wait_count(&c, &c.channels[ch].received, 12));
    cr_assert_arr_eq(c.channels[ch].data.at, "abcdefghi", 9);
    cr_assert_arr_eq(c.channels[ch].errors.at, "err", 3);
    (void)snprintf(text, sizeof text, "ClientSSHVersionString[%lld]", (long long)e.connection);
    char value[256];
    cr_assert_eq(nacre_config(n, text, value, sizeof value), 0, "%s", nacre_last_error(n));
    cr_assert_str_eq(value, "SSH-2.0-nacre_test_client");
    (void)snprintf(text, sizeof text, "NegotiatedStrictKex[%lld]", (long long)e.connection);
    cr_assert_eq(nacre_config(n, text, value, sizeof value), 0);
    cr_assert_str_eq(value, "True");
    cr_assert_eq(nacre_config(n, "NegotiatedStrictKex[77]", value, sizeof value), 126);
    cr_assert_eq(nacre_config(n, "KeyboardInteractivePrompts[77]=a,echo=true", NULL, 0), 126);
    cr_assert_eq(nacre_config(n, "UserAuthBanner[77]=hi", NULL, 0), 126);
    client_free(&c);
    server_free(s);
}

/* ---- nacre_config ---------------------------------------------------------------------------------------------- */

struct config_case {
    char what[120];
    int error;
    char value[120];
};

ParameterizedTestParameters(class_properties, settings_by_name)
{
    static struct config_case cases[] = {
        {"KeyRenegotiationThreshold", 0, "1073741824"},
        {"LogLevel", 0, "1"},
        {"SSHKeepAliveCountMax", 0, "5"},
        {"SSHKeepAliveInterval", 0, "0"},
        {"SSHVersionPattern", 0, "*SSH-1.99-*,*SSH-2.0-*"},
        {"UseStrictKeyExchange", 0, "1"},
        {"AllowedClients", 0, "*"},
        {"BlockedClients", 0, ""},
        {"BindExclusively", 0, "True"},
        {"MaxConnections", 0, "1000"},
        {"MaxAuthAttempts", 0, "6"},
        {"TcpNoDelay", 0, "False"},
        {"UseIOCP", 0, "False"},
        {"UseIPv6", 0, "0"},
        {"MaskSensitive", 0, "True"},
        {"ProcessIdleEvents", 0, "True"},
        {"SelectWaitMillis", 0, "20"},
        {"UseWindowsMessages", 0, "False"},
        {"AltSSHCertCount", 0, "0"},
        {"maxconnections", 0, "1000"},
        {"LogLevel=3", 0, "3"},
        {"loglevel=2", 0, "2"},
        {"LogLevel=4", NACRE_E_SETTING_VALUE, ""},
        {"LogLevel=-1", NACRE_E_SETTING_VALUE, ""},
        {"LogLevel=", NACRE_E_SETTING_VALUE, ""},
        {"LogLevel=1x", NACRE_E_SETTING_VALUE, ""},
        {"LogLevel= 1", NACRE_E_SETTING_VALUE, ""},
        {"LogLevel=99999999999999999999", NACRE_E_SETTING_VALUE, ""},
        {"MaxConnections=100000", 0, "100000"},
        {"MaxConnections=100001", NACRE_E_SETTING_VALUE, ""},
        {"MaxConnections=0", NACRE_E_SETTING_VALUE, ""},
        {"TcpNoDelay=true", 0, "True"},
        {"TcpNoDelay=maybe", NACRE_E_SETTING_VALUE, ""},
        {"ServerSSHVersionString=SSH-2.0-mine", 0, "SSH-2.0-mine"},
        {"ServerSSHVersionString=SSH-1.99-mine", NACRE_E_SETTING_VALUE, ""},
        {"ServerSSHVersionString=SSH-2.0-a\nb", NACRE_E_SETTING_VALUE, ""},
        {"ServerSSHVersionString=SSH-2.0-", NACRE_E_SETTING_VALUE, ""},
        {"SSHMacAlgorithms=hmac-sha2-256,none", NACRE_E_SETTING_VALUE, ""},
        {"SSHMacAlgorithms=", NACRE_E_SETTING_VALUE, ""},
        {"SSHMacAlgorithms=hmac-sha2-256,,hmac-sha2-512", NACRE_E_SETTING_VALUE, ""},
        {"SSHKeyExchangeAlgorithms=curve25519-sha256", 0, "curve25519-sha256"},
        {"AllowedClients=10.0.0.0/8,127.*", 0, "10.0.0.0/8,127.*"},
        {"BlockedClients=10.0.0.0/33", NACRE_E_SETTING_VALUE, ""},
        {"BlockedClients=10.0.0.0/", NACRE_E_SETTING_VALUE, ""},
        {"BlockedClients=10.*/8", NACRE_E_SETTING_VALUE, ""},
        {"BlockedClients=fd00::/129", NACRE_E_SETTING_VALUE, ""},
        {"AllowedClients=::1, fd00::/8, 10.1.?.*", 0, "::1, fd00::/8, 10.1.?.*"},
        {"NoSuchSetting", NACRE_E_SETTING_UNKNOWN, ""},
        {"NoSuchSetting=1", NACRE_E_SETTING_UNKNOWN, ""},
        {"", NACRE_E_SETTING_UNKNOWN, ""},
        {"=1", NACRE_E_SETTING_UNKNOWN, ""},
        {"LogLevel[0]=1", NACRE_E_SETTING_UNKNOWN, ""},
        {"LogLevel[0", NACRE_E_SETTING_UNKNOWN, ""},
        {"LocalPort=1", NACRE_E_SETTING_UNKNOWN, ""},
        {"UseIOCP=False", 0, "False"},
        {"AltSSHCertCount=2", 0, "2"},
        {"AltSSHCertCount =1", 0, "1"}, /* as the class's documents write it */
        {" AltSSHCertCount ", 0, "0"},
        {"AltSSHCertStore [0] =x", NACRE_E_SETTING_VALUE, ""},
        {"Log Level=1", NACRE_E_SETTING_UNKNOWN, ""},
        {"UserAuthBanner= keep ", 0, " keep "},
        {"AltSSHCertCount=99", NACRE_E_SETTING_VALUE, ""},
        {"AltSSHCertStore[0]=x", NACRE_E_SETTING_VALUE, ""},
        {"ClientSSHVersionString[1]=x", NACRE_E_SETTING_READ_ONLY, ""},
        {"BuildInfo=x", NACRE_E_SETTING_READ_ONLY, ""},
        {"LicenseInfo=x", NACRE_E_SETTING_READ_ONLY, ""},
        {"AlgorithmProfile", 0, "compatible"},
        {"AlgorithmProfile=modern", 0, "modern"},
        {"AlgorithmProfile=vintage", NACRE_E_SETTING_VALUE, ""},
    };
    return cr_make_param_array(struct config_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct config_case *c, class_properties, settings_by_name)
{
    nacre_server *n;
    char value[512] = "untouched";
    cr_assert_eq(nacre_create(&n), 0);
    int e = nacre_config(n, c->what, value, sizeof value);
    cr_assert_eq(e, c->error, "%s: %d %s", c->what, e, nacre_last_error(n));
    if (e == 0)
        cr_assert_str_eq(value, c->value, "%s: \"%s\"", c->what, value);
    else
        cr_assert_str_not_empty(nacre_last_error(n), "%s", c->what);
    nacre_free(n);
}

Test(class_properties, a_setting_that_does_not_fit_the_buffer_writes_nothing)
{
    nacre_server *n;
    char value[8] = "1234567";
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_config(n, "KeyRenegotiationThreshold", value, sizeof value), NACRE_E_BUFFER_SIZE);
    cr_assert_str_eq(value, "1234567");
    /* It is set all the same, as nacre.h says: only the text did not fit. */
    cr_assert_eq(nacre_config(n, "MaxConnections=12345678", value, sizeof value), NACRE_E_SETTING_VALUE);
    cr_assert_eq(nacre_config(n, "ServerSSHVersionString=SSH-2.0-mine", value, sizeof value), NACRE_E_BUFFER_SIZE);
    char whole[64];
    cr_assert_eq(nacre_config(n, "ServerSSHVersionString", whole, sizeof whole), 0);
    cr_assert_str_eq(whole, "SSH-2.0-mine");
    nacre_free(n);
}

Test(class_properties, build_info_names_version_and_what_was_left_out)
{
    nacre_server *n;
    char value[512];
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_config(n, "BuildInfo", value, sizeof value), 0);
    cr_assert(strstr(value, NACRE_VERSION) != NULL, "%s", value);
    cr_assert_eq(nacre_config(n, "LicenseInfo", value, sizeof value), 0);
    nacre_free(n);
}

/* A setting that fails late must not have been half set. */
Test(class_properties, an_alternative_key_is_offered_beside_the_first)
{
    struct server *s = server_new();
    struct client c;
    char pem[16384], setting[17000], first[128], second[128];
    cr_assert_eq(nacre_make_key("ecdsa-sha2-nistp256", pem, sizeof pem), 0);
    server_set(s, "AltSSHCertCount=1");
    server_set(s, "AltSSHCertStoreType[0]=7");
    (void)snprintf(setting, sizeof setting, "AltSSHCertStore[0]=%s", pem);
    server_set(s, setting);
    server_set(s, "AltSSHCertSubject[0]=*");
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 0, first, sizeof first), 0);
    cr_assert_eq(nacre_get_host_key_fingerprint(s->nacre, 1, second, sizeof second), 0);
    cr_assert_str_neq(first, second);
    server_start(s, 1);
    client_init(&c);
    c.config.algorithms.host_key = "ecdsa-sha2-nistp256";
    cr_assert(client_connect(&c, s->port), "%s", c.text);
    client_free(&c);
    server_free(s);
}

struct key_case {
    char type[32];
    int error;
};

ParameterizedTestParameters(class_properties, keys_are_made_by_type)
{
    static struct key_case cases[] = {
        {"ssh-ed25519", 0}, {"ecdsa-sha2-nistp256", 0},    {"ecdsa-sha2-nistp384", 0}, {"ecdsa-sha2-nistp521", 0},
        {"ssh-rsa", 0},     {"ssh-dss", NACRE_E_KEY_TYPE}, {"", NACRE_E_KEY_TYPE},
    };
    return cr_make_param_array(struct key_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct key_case *k, class_properties, keys_are_made_by_type)
{
    char pem[16384];
    cr_assert_eq(nacre_make_key(k->type, pem, sizeof pem), k->error, "%s", k->type);
    if (k->error == 0) {
        cr_assert_eq(strncmp(pem, "-----BEGIN PRIVATE KEY-----", 27), 0);
        cr_assert_eq(nacre_make_key(k->type, pem, 40), NACRE_E_BUFFER_SIZE);
    }
}
