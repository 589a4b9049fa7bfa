/* SPDX-License-Identifier: Apache-2.0 */
/* A setting that is changed without memory is an error, and all workers go on by the same settings. Fails when some
 * have been told of the change by then and others have not. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "check.h"
#include "engine/server.h"
#include "served.h"

enum {
    WORKERS = 3,
    MANY = 10000
};

/* What a worker goes by once it has carried out all that was asked of it. */
static int64_t seconds_of(struct shard *s)
{
    struct command unlisten = {.type = COMMAND_UNLISTEN, .lent = true};
    check(nacre_inbox_ask(s, &unlisten, NULL) == NACRE_OK, "the worker answers");
    return s->profile->settings.answer_timeout.number;
}

/* The n-th allocation of the change fails. True: there were so many. */
static bool change(nacre_server *n, int to, long nth)
{
    char setting[32];
    (void)snprintf(setting, sizeof setting, "AnswerTimeout=%d", to);
    int64_t before = seconds_of(&n->shards[0]);
    alloc_fail_nth(nth);
    int e = nacre_config(n, setting, NULL, 0);
    bool failed = alloc_fail_none();
    int64_t wanted = e == NACRE_OK ? to : before;
    for (int i = 0; i < WORKERS; i++)
        check(seconds_of(&n->shards[i]) == wanted, "a worker goes by other settings than were said to hold");
    return failed;
}

int main(void)
{
    static const struct nacre_handlers handlers = {.on_ssh_user_auth_request = NULL};
    struct served s;
    long nth = 0;
    served_start(&s, &handlers, "WorkerThreads=3");
    served_turn_events(&s);
    while (nth < MANY && change(s.nacre, 1000 + (int)nth, nth))
        nth++;
    check(nth > WORKERS && nth < MANY, "every allocation has failed once");
    served_end(&s);
    return EXIT_SUCCESS;
}
