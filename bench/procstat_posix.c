/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over /proc finds who is whose child; descendants are then followed until no more are found. proc(5). */
#include "procstat.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct process {
    pid_t pid, parent;
    uint64_t ticks; /* utime, stime, cutime, cstime */
    unsigned threads;
    bool inside;
    bool zombie; /* has no memory any more */
};

struct processes {
    struct process *at;
    size_t count, room;
};

/* The fields behind the command name, which may itself contain blanks and brackets. */
static bool parse_stat(const char *text, struct process *p)
{
    const char *fields = strrchr(text, ')');
    char state;
    long parent;
    unsigned long utime, stime;
    long cutime, cstime, threads;
    if (fields == NULL || sscanf(fields + 1, " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d %*d %ld",
                                 &state, &parent, &utime, &stime, &cutime, &cstime, &threads) != 7)
        return false;
    p->parent = (pid_t)parent;
    p->ticks = utime + stime + (uint64_t)cutime + (uint64_t)cstime;
    p->threads = (unsigned)threads;
    p->inside = false;
    p->zombie = state == 'Z';
    return true;
}

static bool read_process(const char *name, struct process *p)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%.20s/stat", name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    size_t len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[len] = '\0';
    p->pid = (pid_t)strtol(name, NULL, 10);
    return parse_stat(text, p);
}

static bool append(struct processes *all, const struct process *p)
{
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 256 : all->room * 2;
        struct process *more = realloc(all->at, room * sizeof *more);
        if (more == NULL)
            return false;
        all->at = more;
        all->room = room;
    }
    all->at[all->count++] = *p;
    return true;
}

static bool read_all(struct processes *all)
{
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        return false;
    bool ok = true;
    struct process p;
    for (struct dirent *e = readdir(dir); e != NULL && ok; e = readdir(dir)) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && read_process(e->d_name, &p))
            ok = append(all, &p);
    }
    closedir(dir);
    return ok;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;
    return (x > y) - (x < y);
}

static struct process *find(const struct processes *all, pid_t pid)
{
    struct process key = {.pid = pid};
    return all->count == 0 ? NULL : bsearch(&key, all->at, all->count, sizeof key, by_pid);
}

static void mark_descendants(struct processes *all)
{
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < all->count; i++) {
            struct process *p = &all->at[i], *parent = p->inside ? NULL : find(all, p->parent);
            if (parent != NULL && parent->inside)
                p->inside = found = true;
        }
    }
}

static void add_memory(pid_t pid, struct procstat *out)
{
    char path[64], line[256];
    unsigned long kib;
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    FILE *f = fopen(path, "re");
    bool any = false;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        any = true;
        if (sscanf(line, "Pss: %lu", &kib) == 1)
            out->pss_bytes += (uint64_t)kib * 1024;
        else if (sscanf(line, "Rss: %lu", &kib) == 1)
            out->rss_bytes += (uint64_t)kib * 1024;
        else if (sscanf(line, "Private_Clean: %lu", &kib) == 1 || sscanf(line, "Private_Dirty: %lu", &kib) == 1)
            out->private_bytes += (uint64_t)kib * 1024;
    }
    if (f != NULL)
        fclose(f);
    if (!any)
        out->unreadable++;
}

bool bench_procstat_read(int32_t pid, bool with_memory, struct procstat *out)
{
    struct processes all = {0};
    *out = (struct procstat){.handles = PROCSTAT_UNKNOWN};
    bool ok = read_all(&all);
    if (ok)
        qsort(all.at, all.count, sizeof *all.at, by_pid);
    struct process *root = ok ? find(&all, pid) : NULL;
    if (root != NULL) {
        root->inside = true;
        mark_descendants(&all);
    }
    uint64_t ticks = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (!all.at[i].inside)
            continue;
        ticks += all.at[i].ticks;
        out->processes++;
        out->threads += all.at[i].threads;
        if (with_memory && !all.at[i].zombie)
            add_memory(all.at[i].pid, out);
    }
    out->cpu_seconds = (double)ticks / (double)sysconf(_SC_CLK_TCK);
    free(all.at);
    return root != NULL;
}
