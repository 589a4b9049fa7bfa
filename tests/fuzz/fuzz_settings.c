/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_config(): any text; and a setting that was taken reads as something that is taken again. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "nacre/nacre.h"

enum {
    TEXT = 4096
};

static void read_back(nacre_server *server, const char *setting)
{
    static char value[TEXT * 8], again[TEXT * 9];
    char name[128];
    size_t len = strcspn(setting, "=");
    if (len == 0 || len >= sizeof name || setting[len] == '\0')
        return;
    (void)snprintf(name, sizeof name, "%.*s", (int)len, setting);
    if (nacre_config(server, name, value, sizeof value) != 0)
        return;
    (void)snprintf(again, sizeof again, "%s=%s", name, value);
    (void)nacre_config(server, again, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    nacre_server *server;
    char setting[TEXT];
    fuzz_restart_random();
    if (nacre_create(&server) != 0)
        return 0;
    while (in.left != 0) {
        struct span line = input_span(&in);
        size_t n = line.len < sizeof setting - 1 ? line.len : sizeof setting - 1;
        if (n != 0)
            memcpy(setting, line.at, n);
        setting[n] = '\0';
        if (nacre_config(server, setting, NULL, 0) == 0)
            read_back(server, setting);
    }
    nacre_free(server);
    return 0;
}
