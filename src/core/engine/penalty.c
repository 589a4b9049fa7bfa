/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/penalty.h"

#include <stdlib.h>

enum {
    WAYS = 8
};

void nacre_penalties_free(struct penalties *p)
{
    free(p->sets);
    *p = (struct penalties){.sets = NULL};
}

static struct penalty *set_of(const struct penalties *p, uint64_t hash)
{
    return p->sets + (hash >> 16) % p->set_count * WAYS;
}

static struct penalty *find(const struct penalties *p, const struct source *source, uint64_t hash)
{
    struct penalty *set = p->set_count == 0 ? NULL : set_of(p, hash);
    for (unsigned i = 0; set != NULL && i < WAYS; i++)
        if (set[i].source.size != 0 && nacre_source_eq(&set[i].source, source))
            return &set[i];
    return NULL;
}

/* A place for a new source: an empty one, or that of whoever is forgiven first. */
static struct penalty *make_room(const struct penalties *p, uint64_t hash)
{
    struct penalty *set = set_of(p, hash), *best = set;
    for (unsigned i = 1; i < WAYS && best->source.size != 0; i++)
        if (set[i].source.size == 0 || set[i].due_ns < best->due_ns)
            best = &set[i];
    return best;
}

/* A table of another size begins empty. */
static bool set_size(struct penalties *p, size_t places)
{
    size_t sets = (places + WAYS - 1) / WAYS;
    if (sets == 0)
        sets = 1;
    if (sets == p->set_count)
        return true;
    struct penalty *made = calloc(sets * WAYS, sizeof *made);
    if (made == NULL)
        return p->set_count != 0;
    free(p->sets);
    p->sets = made;
    p->set_count = sets;
    return true;
}

bool nacre_penalties_add(struct penalties *p, const struct penalty_rules *rules, size_t places,
                         const struct source *source, uint64_t hash, enum offence offence, int64_t now_ns)
{
    if (rules->ns[offence] == 0 || source->size == 0 || !set_size(p, places))
        return false;
    struct penalty *one = find(p, source, hash);
    if (one == NULL) {
        one = make_room(p, hash);
        *one = (struct penalty){.source = *source};
    }
    if (one->due_ns <= now_ns) {
        one->due_ns = now_ns;
        one->active = false;
    }
    bool was_active = one->active;
    int64_t left = one->due_ns - now_ns, room = rules->max_ns > left ? rules->max_ns - left : 0;
    one->due_ns += rules->ns[offence] < room ? rules->ns[offence] : room;
    one->active = was_active || one->due_ns - now_ns >= rules->min_ns;
    return one->active && !was_active;
}

int64_t nacre_penalties_left(const struct penalties *p, const struct source *source, uint64_t hash, int64_t now_ns)
{
    const struct penalty *one = find(p, source, hash);
    return one == NULL || !one->active || one->due_ns <= now_ns ? 0 : one->due_ns - now_ns;
}
