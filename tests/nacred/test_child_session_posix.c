/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a child's output that the library has no memory for. The linker sends what nacred asks of a channel
 * here (--wrap). */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "child_session.h"

int __wrap_nacre_send_bytes(nacre_server *server, nacre_channel_id id, const void *data, size_t len);
int __wrap_nacre_send_stderr(nacre_server *server, nacre_channel_id id, const void *data, size_t len);
int __wrap_nacre_close_channel(nacre_server *server, nacre_channel_id id);

static int answer;
static unsigned sent, closed;

int __wrap_nacre_send_bytes(nacre_server *server, nacre_channel_id id, const void *data, size_t len)
{
    (void)server;
    (void)id;
    (void)data;
    (void)len;
    sent++;
    return answer;
}

int __wrap_nacre_send_stderr(nacre_server *server, nacre_channel_id id, const void *data, size_t len)
{
    return __wrap_nacre_send_bytes(server, id, data, len);
}

int __wrap_nacre_close_channel(nacre_server *server, nacre_channel_id id)
{
    (void)server;
    (void)id;
    closed++;
    return 0;
}

/* The child writes once; how often the channel is closed then. */
static unsigned write_once(int result, int which)
{
    static struct app app;
    struct session session = {.app = &app, .has_child = true};
    int ends[2];

    answer = result;
    sent = closed = 0;
    cr_assert(nacred_loop_open(&app.loop));
    cr_assert_eq(pthread_mutex_init(&session.lock, NULL), 0);
    nacred_child_session_init(&session);
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    session.outputs[which].watch.fd = ends[0];
    cr_assert(nacred_loop_arm(&app.loop, &session.outputs[which].watch, LOOP_READ));
    cr_assert_eq(write(ends[1], "output", 6), 6);
    nacred_loop_run_once(&app.loop, 10000);
    cr_assert_eq(sent, 1);
    nacred_loop_close_watch(&app.loop, &session.outputs[which].watch);
    close(ends[1]);
    pthread_mutex_destroy(&session.lock);
    nacred_loop_close(&app.loop);
    return closed;
}

Test(nacred_child_session, output_without_memory_is_no_gap)
{
    for (int which = 0; which < 2; which++) {
        cr_expect_eq(write_once(NACRE_OK, which), 0);
        cr_expect_eq(write_once(NACRE_E_SOCKET_SHUTDOWN, which), 0, "it is closing already");
        cr_expect_eq(write_once(NACRE_E_NOBUFS, which), 1, "what comes behind would look like all of it");
    }
}
