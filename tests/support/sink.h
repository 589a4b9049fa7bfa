/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a connection's sink for ends that decide nothing. */
#ifndef TESTS_SINK_H
#define TESTS_SINK_H

#include "ssh/conn.h"

/* ask: yes to everything. */
static inline bool sink_says_yes(void *context, const struct conn_event *question, struct conn_answer *answer)
{
    (void)context;
    (void)question;
    *answer = (struct conn_answer){.accept = true};
    return true;
}

/* work: done here and now. */
static inline enum work_fate sink_works_at_once(void *context, struct work *work)
{
    (void)context;
    work->run(work);
    return WORK_DONE;
}

#endif
