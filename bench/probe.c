/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "base/plat.h"
#include "stream.h"

static struct prober *prober_of(struct client *c)
{
    return (struct prober *)(void *)c;
}

void bench_probe_send(struct client *c)
{
    struct prober *p = prober_of(c);
    size_t size = c->shared->options->size;
    struct block *b = bench_client_block(c, size);
    if (b == NULL)
        return;
    bench_stream_fill(c->number, p->round * size, b->at + b->start, size);
    p->got = 0;
    p->sent_ns = nacre_clock_ns();
    tally_add(&c->shared->tally->bytes_in, size);
    bench_client_send(c, b);
}

bool bench_probe_take(struct client *c, struct span data, uint64_t *took_ns)
{
    struct prober *p = prober_of(c);
    size_t size = c->shared->options->size;
    tally_add(&c->shared->tally->bytes_out, data.len);
    if (p->sent_ns == 0 || data.len > size - p->got) {
        bench_client_fail(c, FAILED_CONTENT, "more came back than was sent");
        return false;
    }
    if (!bench_stream_matches(c->number, p->round * size + p->got, data.at, data.len)) {
        bench_client_fail(c, FAILED_CONTENT, "other bytes came back than were sent");
        return false;
    }
    p->got += data.len;
    if (p->got < size)
        return false;
    *took_ns = (uint64_t)(nacre_clock_ns() - p->sent_ns);
    p->sent_ns = 0;
    p->round++;
    return true;
}

void bench_probe_ended(struct client *c)
{
    bench_client_fail(c, FAILED_DISCONNECTED, "the command ended");
}
