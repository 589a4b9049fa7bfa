/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the loop that needs nothing of the system: the queue of posts. */
#include "loop.h"

#include <stddef.h>

bool nacred_loop_post(struct loop *loop, struct post *post)
{
    pthread_mutex_lock(&loop->lock);
    bool wake = !loop->first, added = !post->queued;
    if (added) {
        post->queued = true;
        post->next = NULL;
        *loop->last = post;
        loop->last = &post->next;
    }
    pthread_mutex_unlock(&loop->lock);
    /* A loop that is awake needs no waking. */
    if (wake)
        nacred_loop_wake(loop);
    return added;
}

static struct post *next_post(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct post *post = loop->first;
    if (post) {
        loop->first = post->next;
        if (!loop->first)
            loop->last = &loop->first;
        post->queued = false;
    }
    pthread_mutex_unlock(&loop->lock);
    return post;
}

void nacred_loop_run_once(struct loop *loop, int wait_ms)
{
    nacred_loop_wait(loop, wait_ms);
    for (struct post *post = next_post(loop); post; post = next_post(loop))
        post->run(post);
}
