/* SPDX-License-Identifier: Apache-2.0 */
#include "served.h"

#include <string.h>
#include <unistd.h>

#include "check.h"

enum {
    LOOKS = 2000,
    LOOK_US = 10000
};

static void *turn_events(void *argument)
{
    struct served *s = argument;
    while (!atomic_load(&s->stopping))
        (void)nacre_do_events(s->nacre);
    return NULL;
}

void served_create(struct served *s, const struct nacre_handlers *handlers, const char *setting)
{
    char pem[16384];
    nacre_server *n;
    check(nacre_create(&n) == 0 && nacre_make_key("ssh-ed25519", pem, sizeof pem) == 0, "create");
    bool set = nacre_set_ssh_cert_store_type(n, 7) == 0 && nacre_set_ssh_cert_store(n, pem, strlen(pem)) == 0 &&
               nacre_set_ssh_cert_subject(n, "*") == 0 && nacre_set_local_host(n, "127.0.0.1") == 0 &&
               nacre_set_local_port(n, 0) == 0 && nacre_config(n, setting, NULL, 0) == 0 &&
               nacre_set_handlers(n, handlers, NULL) == 0;
    check(set, nacre_last_error(n));
    s->nacre = n;
    atomic_store(&s->stopping, false);
}

void served_start(struct served *s, const struct nacre_handlers *handlers, const char *setting)
{
    served_create(s, handlers, setting);
    check(nacre_start_listening(s->nacre) == 0 && nacre_get_local_port(s->nacre, &s->port) == 0, "start");
}

void served_turn_events(struct served *s)
{
    check(pthread_create(&s->thread, NULL, turn_events, s) == 0, "thread");
}

void served_wait_empty(struct served *s)
{
    int count = -1;
    for (int i = 0; i < LOOKS && count != 0; i++) {
        check(nacre_get_ssh_connection_count(s->nacre, &count) == 0, "count");
        usleep(LOOK_US);
    }
    check(count == 0, "connections are left");
}

void served_end(struct served *s)
{
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    nacre_free(s->nacre);
}
