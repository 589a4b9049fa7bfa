/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/offload.h"

#include <stdlib.h>

static struct job *next_job(struct offload *o)
{
    nacre_mutex_lock(&o->lock);
    while (o->first == NULL && !o->stopping)
        (void)nacre_cond_wait(&o->wake, &o->lock, INT64_MAX);
    struct job *job = o->first;
    if (job != NULL) {
        o->first = job->next;
        if (o->first == NULL)
            o->last = &o->first;
    }
    nacre_mutex_unlock(&o->lock);
    return job;
}

static void run_jobs(void *argument)
{
    for (struct job *job; (job = next_job(argument)) != NULL;)
        job->run(job);
}

bool nacre_offload_start(struct offload *o, unsigned threads)
{
    *o = (struct offload){.first = NULL};
    o->last = &o->first;
    nacre_mutex_init(&o->lock);
    nacre_cond_init(&o->wake);
    while (o->thread_count < threads && o->thread_count < OFFLOAD_THREADS) {
        if (!nacre_thread_start(&o->threads[o->thread_count], run_jobs, o, "nacre-offload"))
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
    *o->last = job;
    o->last = &job->next;
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
