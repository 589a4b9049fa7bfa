/* SPDX-License-Identifier: Apache-2.0 */
/* See refusal.h. */
#include "support/refusal.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/plat.h"
#include "support/client.h"
#include "wire/rd.h"

enum {
    WAIT_MS = 100000,
    KEXINIT = 20,
    DISCONNECT = 1
};

struct heard {
    uint8_t bytes[8192];
    size_t len;
    bool end;
};

/* Reads more; false: nothing came in time. */
static bool hear(int fd, struct heard *h, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (h->end || poll(&p, 1, ms) != 1)
        return false;
    ssize_t n = h->len == sizeof h->bytes ? 0 : read(fd, h->bytes + h->len, sizeof h->bytes - h->len);
    h->end = n <= 0;
    h->len += n > 0 ? (size_t)n : 0;
    return true;
}

/* The first packet behind the version line; its payload is empty while it is not whole. */
static struct span first_payload(const struct heard *h)
{
    const uint8_t *end = memchr(h->bytes, '\n', h->len);
    if (end == NULL || strncmp((const char *)h->bytes, "SSH-2.0-", 8) != 0)
        return span_of(NULL, 0);
    struct rd r = rd_over(span_of(end + 1, (size_t)(h->bytes + h->len - end - 1)));
    struct rd packet = rd_over(rd_string(&r, 8192));
    uint8_t padding = rd_u8(&packet);
    struct span rest = rd_rest(&packet);
    return r.bad || rest.len <= padding ? span_of(NULL, 0) : span_of(rest.at, rest.len - padding);
}

static int listen_to(const char *from, int port, struct heard *h, int ms)
{
    int fd = client_socket(from, port);
    int64_t until = nacre_clock_ns() + ms * INT64_C(1000000);
    *h = (struct heard){.len = 0};
    while (fd >= 0 && !h->end && first_payload(h).len == 0 && nacre_clock_ns() < until)
        (void)hear(fd, h, 50);
    return fd;
}

struct refusal_seen refusal_of(const char *from, int port, int ms)
{
    struct refusal_seen seen = {.greeted = false};
    struct heard h;
    int fd = listen_to(from, port, &h, ms);
    struct span payload = first_payload(&h);
    seen.greeted = payload.len != 0;
    if (seen.greeted && payload.at[0] == DISCONNECT) {
        struct rd r = rd_over(span_of(payload.at + 1, payload.len - 1));
        seen.code = rd_u32(&r);
        struct span text = rd_string(&r, sizeof seen.text - 1);
        if (!r.bad)
            memcpy(seen.text, text.at, text.len);
        (void)rd_string(&r, 64);
        while (hear(fd, &h, WAIT_MS) && !h.end)
            ;
        seen.refused = rd_end(&r) && h.end;
    }
    if (fd >= 0)
        close(fd);
    return seen;
}

bool is_refused(const char *from, int port)
{
    return refusal_of(from, port, WAIT_MS).refused;
}

int half_open(const char *from, int port)
{
    struct heard h;
    int fd = listen_to(from, port, &h, WAIT_MS);
    struct span payload = first_payload(&h);
    if (payload.len != 0 && payload.at[0] == KEXINIT)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}
