/* SPDX-License-Identifier: Apache-2.0 */
/* What the matrix programs in C share: their arguments, a socket, the lines that tests/interop/matrix.sh counts, and
 * the names in a list. A cell is one login with one algorithm of a kind offered alone, and a file through cat. */
#ifndef MATRIX_CELLS_H
#define MATRIX_CELLS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    CELLS_FILE_MAX = 1 << 20,
    CELLS_NAME_MAX = 80,
    CELLS_TIMEOUT = 200 /* seconds */
};

struct cells {
    const char *peer;
    int port;
    const char *user, *folder;
    const char *kex, *ciphers, *macs, *comps, *host_keys;
    char *some, *got; /* what goes through cat, and what came back */
    size_t some_len, got_len;
    int failed;
    char why[200]; /* of the last cell that failed */
};

static inline bool cells_path(const struct cells *c, const char *name, char *out, size_t room)
{
    return snprintf(out, room, "%s/%s", c->folder, name) < (int)room;
}

/* PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS; FOLDER/some is what goes through. */
static inline bool cells_open(struct cells *c, const char *peer, int argc, char **argv)
{
    char path[4096];

    memset(c, 0, sizeof *c);
    if (argc != 9)
        return false;
    c->peer = peer;
    c->port = (int)strtol(argv[1], NULL, 10);
    c->user = argv[2];
    c->folder = argv[3];
    c->kex = argv[4];
    c->ciphers = argv[5];
    c->macs = argv[6];
    c->comps = argv[7];
    c->host_keys = argv[8];
    c->some = malloc(CELLS_FILE_MAX);
    c->got = malloc(CELLS_FILE_MAX);
    FILE *f = cells_path(c, "some", path, sizeof path) ? fopen(path, "rb") : NULL;
    if (c->some == NULL || c->got == NULL || f == NULL)
        return false;
    c->some_len = fread(c->some, 1, CELLS_FILE_MAX, f);
    fclose(f);
    return c->some_len != 0;
}

static inline int cells_close(struct cells *c)
{
    free(c->some);
    free(c->got);
    return c->failed == 0 ? 0 : 1;
}

/* A connected socket whose calls do not wait for ever, or -1. */
static inline int cells_connect(const struct cells *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)c->port)};
    struct timeval limit = {.tv_sec = CELLS_TIMEOUT};
    int s = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0)
        return -1;
    if (setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(s, (const struct sockaddr *)&to, sizeof to) == 0)
        return s;
    close(s);
    return -1;
}

/* Takes the next of several comma-separated names. */
static inline bool cells_next(const char **list, char name[CELLS_NAME_MAX])
{
    size_t len = strcspn(*list, ",");

    if (len == 0 || len >= CELLS_NAME_MAX)
        return false;
    memcpy(name, *list, len);
    name[len] = '\0';
    *list += len + ((*list)[len] == ',');
    return true;
}

static inline bool cells_why(struct cells *c, const char *what, const char *detail)
{
    snprintf(c->why, sizeof c->why, "%s: %s", what, detail == NULL ? "" : detail);
    return false;
}

static inline void cells_report(struct cells *c, const char *kind, const char *name, bool good)
{
    printf("%s%-16s %-10s %s%s%s\n", good ? "ok      " : "FAILED  ", c->peer, kind, name, good ? "" : ": ",
           good ? "" : c->why);
    fflush(stdout);
    if (!good)
        c->failed++;
}

static inline bool cells_same(struct cells *c)
{
    return c->got_len == c->some_len && memcmp(c->got, c->some, c->some_len) == 0
               ? true
               : cells_why(c, "cat", "other bytes came back");
}

#endif
