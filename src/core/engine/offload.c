/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/offload.h"

#include <stdlib.h>

enum {
    IN_A_ROW = 4
};

static bool is_empty(const struct offload *o)
{
    return o->lanes[0].first == NULL && o->lanes[1].first == NULL;
}

static struct job *take(struct job_lane *lane)
{
    struct job *job = lane->first;
    lane->first = job->next;
    if (lane->first == NULL)
        lane->last = &lane->first;
    return job;
}

/* One of them is not empty. */
static struct job_lane *pick(struct offload *o)
{
    struct job_lane *first = &o->lanes[0], *others = &o->lanes[1];
    bool owed = o->in_a_row >= IN_A_ROW && others->first != NULL;
    if (first->first == NULL || owed) {
        o->in_a_row = 0;
        return others;
    }
    o->in_a_row += others->first != NULL ? 1 : 0;
    return first;
}

static struct job *next_job(struct offload *o)
{
    nacre_mutex_lock(&o->lock);
    while (is_empty(o) && !o->stopping)
        (void)nacre_cond_wait(&o->wake, &o->lock, INT64_MAX);
    struct job *job = is_empty(o) ? NULL : take(pick(o));
    nacre_mutex_unlock(&o->lock);
    return job;
}

static void run_jobs(void *argument)
{
    for (struct job *job; (job = next_job(argument)) != NULL;)
        job->run(job);
}

bool nacre_offload_start(struct offload *o, unsigned threads, const char *name)
{
    *o = (struct offload){.in_a_row = 0};
    for (int i = 0; i < 2; i++)
        o->lanes[i].last = &o->lanes[i].first;
    nacre_mutex_init(&o->lock);
    nacre_cond_init(&o->wake);
    while (o->thread_count < threads && o->thread_count < OFFLOAD_THREADS) {
        if (!nacre_thread_start(&o->threads[o->thread_count], run_jobs, o, name))
            break;
        o->thread_count++;
    }
    if (o->thread_count != 0)
        return true;
    nacre_cond_destroy(&o->wake);
    nacre_mutex_destroy(&o->lock);
    return false;
}

void nacre_offload_put(struct offload *o, struct job *job)
{
    job->next = NULL;
    nacre_mutex_lock(&o->lock);
    struct job_lane *lane = &o->lanes[job->first ? 0 : 1];
    *lane->last = job;
    lane->last = &job->next;
    nacre_cond_signal(&o->wake);
    nacre_mutex_unlock(&o->lock);
}

void nacre_offload_stop(struct offload *o)
{
    nacre_mutex_lock(&o->lock);
    o->stopping = true;
    nacre_cond_broadcast(&o->wake);
    nacre_mutex_unlock(&o->lock);
    for (unsigned i = 0; i < o->thread_count; i++)
        nacre_thread_join(o->threads[i]);
    nacre_cond_destroy(&o->wake);
    nacre_mutex_destroy(&o->lock);
}
