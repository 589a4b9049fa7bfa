/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O models of Windows: three settings that say the same thing. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "support/client.h"
#include "support/server.h"

struct model {
    char setting[40];
    char name[16], iocp[8], messages[8];
};

/* In this order: each says what the one before has left. */
static const struct model models[] = {
    {"", "wsapoll", "False", "False"},
    {"UseIOCP=True", "iocp", "True", "False"},
    {"UseWindowsMessages=False", "iocp", "True", "False"},
    {"UseWindowsMessages=True", "wsaasyncselect", "False", "True"},
    {"UseIOCP=False", "wsaasyncselect", "False", "True"},
    {"UseIOCP=True", "iocp", "True", "False"},
    {"UseIOCP=False", "wsapoll", "False", "False"},
    {"IOBackend=WSAAsyncSelect", "wsaasyncselect", "False", "True"},
    {"UseWindowsMessages=False", "wsapoll", "False", "False"},
    {"IOBackend=auto", "iocp", "True", "False"},
    {"IOBackend=wsapoll", "wsapoll", "False", "False"},
    {"IOBackend=iocp", "iocp", "True", "False"},
};

static void check_value(nacre_server *n, const char *setting, const char *wanted, const struct model *m)
{
    char value[64] = "";
    cr_expect_eq(nacre_config(n, setting, value, sizeof value), 0);
    cr_expect_str_eq(value, wanted, "after \"%s\" %s is %s", m->setting, setting, value);
}

Test(class_settings_win, the_settings_of_the_model_agree)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (models[i].setting[0] != 0)
            cr_assert_eq(nacre_config(n, models[i].setting, NULL, 0), 0, "%s", models[i].setting);
        check_value(n, "IOBackend", models[i].name, &models[i]);
        check_value(n, "UseIOCP", models[i].iocp, &models[i]);
        check_value(n, "UseWindowsMessages", models[i].messages, &models[i]);
    }
    cr_expect_eq(nacre_config(n, "UseWindowsMessages=perhaps", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(n, "UseIOCP=perhaps", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(n, "IOBackend=epoll", NULL, 0), NACRE_E_NOT_SUPPORTED);
    cr_expect_eq(nacre_config(n, "IOBackend=carrier-pigeon", NULL, 0), NACRE_E_SETTING_VALUE);
    nacre_free(n);
}

/* Workers stay on the model that they were started on. */
Test(class_settings_win, the_model_is_chosen_before_the_first_start)
{
    struct server *s = server_new();
    server_set(s, "IOBackend=wsapoll");
    server_start(s, 1);
    cr_expect_eq(nacre_config(s->nacre, "UseIOCP=True", NULL, 0), NACRE_E_SETTING_LATE);
    cr_expect_eq(nacre_config(s->nacre, "UseWindowsMessages=True", NULL, 0), NACRE_E_SETTING_LATE);
    cr_expect_eq(nacre_config(s->nacre, "UseWindowsMessages=False", NULL, 0), 0);
    server_free(s);
}

ParameterizedTestParameters(class_settings_win, a_login_and_data_over_each_model)
{
    static char names[][16] = {"iocp", "wsaasyncselect", "wsapoll"};
    return cr_make_param_array(char[16], names, 3);
}

ParameterizedTest(char *name, class_settings_win, a_login_and_data_over_each_model)
{
    struct server *s = server_new();
    struct client c;
    char setting[40];
    snprintf(setting, sizeof setting, "IOBackend=%s", name);
    server_set(s, setting);
    s->echo = true;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port), "%s: %s", name, c.text);
    int channel = client_open(&c, NULL);
    cr_assert_geq(channel, 0);
    cr_assert(client_send(&c, channel, "over and back", 13));
    cr_assert(client_wait_count(&c, &c.channels[channel].received, 13));
    cr_expect_eq(memcmp(c.channels[channel].data.at, "over and back", 13), 0);
    client_disconnect(&c);
    client_free(&c);
    cr_assert(server_wait_empty(s));
    server_free(s);
}
