/* SPDX-License-Identifier: Apache-2.0 */
/* The platform of the simulation: what base/plat.h promises, on threads that take turns and a clock that jumps. See
 * sim.h. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plat.h"
#include "simulation/sim.h"

enum {
    THREADS_MAX = 32,
};

/* What looking at the clock costs, so that loops that wait for it end; more in a world of slow machines, where a turn
 * is over before everything is read. */
enum {
    TICK_NS = 200,
    SLOW_TICK_NS = 100 * 1000,
};

enum state {
    UNUSED,
    READY,
    LOCKED_OUT, /* waits for `object`, a mutex */
    WAITING,    /* for `object`, a condition, until `until_ns` */
    JOINING,    /* for the thread `object` */
    OVER,
};

struct thread {
    enum state state;
    const void *object;
    int64_t until_ns;
    bool in_time;
    bool is_engine;
    pthread_t real;
    pthread_cond_t turn;
    void (*run)(void *);
    void *argument;
};

/* Touched by whoever has the baton; `baton` only orders the handing over. */
static struct {
    uint64_t seed, state, trace, switches;
    int64_t now_ns, calendar_s; /* calendar_s: what is added to the date */
    int64_t tick_ns;
    bool loud;
    uint32_t unrest; /* one lock in so many lets another thread run */
    struct thread threads[THREADS_MAX];
    int current;
    void (*look)(int64_t now_ns);
} world;
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int me = -1;

/* ---- chance ----------------------------------------------------------------------------------------------------- */

uint64_t sim_random(void)
{
    uint64_t z = world.state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t sim_below(uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)(sim_random() % n);
}

bool sim_one_in(uint32_t n)
{
    return n != 0 && sim_below(n) == 0;
}

uint64_t sim_trace(void)
{
    return world.trace ^ world.state ^ (uint64_t)world.now_ns;
}

double sim_seconds(void)
{
    return (double)world.now_ns / 1e9;
}

static void note(uint64_t what)
{
    world.trace = (world.trace ^ what) * UINT64_C(0x100000001b3);
}

/* ---- telling ---------------------------------------------------------------------------------------------------- */

void sim_tell(const char *format, ...)
{
    va_list arguments;
    if (!world.loud)
        return;
    (void)fprintf(stderr, "%10.6f  ", (double)world.now_ns / 1e9);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void sim_must(bool holds, const char *format, ...)
{
    va_list arguments;
    if (holds)
        return;
    (void)fprintf(stderr, "seed %llu, %.6f s: ", (unsigned long long)world.seed, (double)world.now_ns / 1e9);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    abort();
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

static void expire(void)
{
    for (int i = 0; i < THREADS_MAX; i++) {
        struct thread *t = &world.threads[i];
        if (t->state == WAITING && t->until_ns <= world.now_ns) {
            t->in_time = false;
            t->state = READY;
        }
    }
}

static int64_t next_time(void)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < THREADS_MAX; i++)
        if (world.threads[i].state == WAITING && world.threads[i].until_ns < next)
            next = world.threads[i].until_ns;
    return next;
}

static int count_ready(void)
{
    int count = 0;
    for (int i = 0; i < THREADS_MAX; i++)
        count += world.threads[i].state == READY;
    return count;
}

static void tell_threads(void)
{
    static const char *const names[] = {"unused", "ready", "locked out", "waiting", "joining", "over"};
    for (int i = 0; i < THREADS_MAX; i++)
        if (world.threads[i].state != UNUSED)
            (void)fprintf(stderr, "  thread %d: %s\n", i, names[world.threads[i].state]);
}

/* Who polls would hold time up: it passes for the others now and then. */
static void let_time_pass(void)
{
    int64_t next = next_time();
    if (next != INT64_MAX && next > world.now_ns && sim_one_in(32))
        world.now_ns = next;
}

/* The thread that goes on; time jumps to whoever waits least when nobody can. */
static int choose(void)
{
    let_time_pass();
    expire();
    if (count_ready() == 0) {
        if (world.look != NULL)
            world.look(world.now_ns);
        int64_t next = next_time();
        if (next == INT64_MAX)
            tell_threads();
        sim_must(next != INT64_MAX, "every thread waits for ever");
        world.now_ns = next;
        expire();
    }
    int which = (int)sim_below((uint32_t)count_ready());
    for (int i = 0; i < THREADS_MAX; i++)
        if (world.threads[i].state == READY && which-- == 0)
            return i;
    sim_must(false, "nobody is ready");
    return 0;
}

static void wait_for_turn(void)
{
    while (world.current != me)
        pthread_cond_wait(&world.threads[me].turn, &baton);
}

static void go_on(void)
{
    int next = choose();
    note((uint64_t)next + 1);
    if (next == me)
        return;
    pthread_mutex_lock(&baton);
    world.switches++;
    world.current = next;
    pthread_cond_signal(&world.threads[next].turn);
    if (world.threads[me].state != OVER)
        wait_for_turn();
    pthread_mutex_unlock(&baton);
}

void sim_yield(void)
{
    go_on();
}

static void wait_as(enum state state, const void *object, int64_t until_ns)
{
    struct thread *t = &world.threads[me];
    t->object = object;
    t->until_ns = until_ns;
    t->in_time = true;
    t->state = state;
    go_on();
}

static void wake(enum state state, const void *object, bool all)
{
    int count = 0;
    for (int i = 0; i < THREADS_MAX; i++)
        count += world.threads[i].state == state && world.threads[i].object == object;
    int which = all || count == 0 ? -1 : (int)sim_below((uint32_t)count);
    for (int i = 0; i < THREADS_MAX; i++) {
        struct thread *t = &world.threads[i];
        if (t->state == state && t->object == object && (all || which-- == 0))
            t->state = READY;
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

void sim_begin(uint64_t seed, bool loud)
{
    memset(&world, 0, sizeof world);
    world.seed = seed;
    world.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    world.loud = loud;
    world.now_ns = INT64_C(1000000000);
    world.unrest = 2 + sim_below(60);
    world.tick_ns = TICK_NS + (sim_one_in(4) ? sim_below(SLOW_TICK_NS) : 0);
    me = 0;
    world.threads[0] = (struct thread){.state = READY};
    pthread_cond_init(&world.threads[0].turn, NULL);
}

bool sim_is_engine(void)
{
    return me >= 0 && world.threads[me].is_engine;
}

void sim_enter_engine(bool inside)
{
    world.threads[me].is_engine = inside;
}

static int free_thread(void)
{
    for (int i = 0; i < THREADS_MAX; i++)
        if (world.threads[i].state == UNUSED)
            return i;
    return -1;
}

static void *thread_main(void *p)
{
    struct thread *t = p;
    me = (int)(t - world.threads);
    pthread_mutex_lock(&baton);
    wait_for_turn();
    pthread_mutex_unlock(&baton);
    t->run(t->argument);
    t->state = OVER;
    wake(JOINING, t, true);
    go_on();
    return NULL;
}

bool nacre_thread_start(plat_thread *t, void (*run)(void *), void *argument, const char *name)
{
    int i = free_thread();
    (void)name;
    if (i < 0)
        return false;
    world.threads[i] = (struct thread){.state = READY, .run = run, .argument = argument, .is_engine = true};
    pthread_cond_init(&world.threads[i].turn, NULL);
    if (pthread_create(&world.threads[i].real, NULL, thread_main, &world.threads[i]) != 0) {
        world.threads[i].state = UNUSED;
        return false;
    }
    *t = world.threads[i].real;
    return true;
}

void nacre_thread_join(plat_thread real)
{
    for (int i = 0; i < THREADS_MAX; i++) {
        struct thread *t = &world.threads[i];
        if (t->state == UNUSED || i == 0 || !pthread_equal(t->real, real))
            continue;
        while (t->state != OVER)
            wait_as(JOINING, t, INT64_MAX);
        pthread_join(real, NULL);
        t->state = UNUSED;
        return;
    }
    sim_must(false, "a thread is joined that there is not");
}

void nacre_thread_yield(void)
{
    sim_yield();
}

void sim_sleep(int64_t ns)
{
    wait_as(WAITING, NULL, world.now_ns + (ns < 1 ? 1 : ns));
}

void sim_when_idle(void (*look)(int64_t now_ns))
{
    world.look = look;
}

void sim_leap(int64_t ns)
{
    world.now_ns += ns;
    go_on();
}

void sim_set_calendar(int64_t by_seconds)
{
    world.calendar_s += by_seconds;
}

/* ---- base/plat.h ------------------------------------------------------------------------------------------------ */

int64_t nacre_clock_ns(void)
{
    return world.now_ns += world.tick_ns;
}

int64_t nacre_clock_unix(void)
{
    return INT64_C(1700000000) + world.calendar_s + world.now_ns / 1000000000;
}

bool nacre_entropy(void *at, size_t len)
{
    unsigned char *p = at;
    for (size_t i = 0; i < len; i++)
        p[i] = (unsigned char)sim_random();
    return true;
}

unsigned nacre_cpu_count(void)
{
    return 2;
}

void *nacre_pages_alloc(size_t size)
{
    return aligned_alloc(4096, (size + 4095) / 4096 * 4096);
}

/* May read as zeros from now on: half of the time it does. */
void nacre_pages_clean(void *pages, size_t size)
{
    if (sim_one_in(2))
        memset(pages, 0, (size + 4095) / 4096 * 4096);
}

void nacre_pages_free(void *pages)
{
    free(pages);
}

void nacre_memory_trim(void)
{
}

bool nacre_random_is_at_hand(void)
{
    return true;
}

uint64_t nacre_memory_size(void)
{
    return UINT64_C(1) << 32;
}

void nacre_mutex_init(plat_mutex *m)
{
    pthread_mutex_init(m, NULL);
}

void nacre_mutex_destroy(plat_mutex *m)
{
    sim_must(pthread_mutex_destroy(m) == 0, "a lock that is held is destroyed");
}

static void lock(plat_mutex *m)
{
    while (pthread_mutex_trylock(m) != 0)
        wait_as(LOCKED_OUT, m, INT64_MAX);
}

void nacre_mutex_lock(plat_mutex *m)
{
    if (sim_one_in(world.unrest))
        go_on();
    lock(m);
}

bool nacre_mutex_try(plat_mutex *m)
{
    if (sim_one_in(world.unrest))
        go_on();
    return pthread_mutex_trylock(m) == 0;
}

int nacre_cancel_off(void)
{
    return 0;
}

void nacre_cancel_on(int before)
{
    (void)before;
}

void nacre_mutex_unlock(plat_mutex *m)
{
    pthread_mutex_unlock(m);
    wake(LOCKED_OUT, m, true);
    if (sim_one_in(world.unrest))
        go_on();
}

void nacre_cond_init(plat_cond *c)
{
    pthread_cond_init(c, NULL);
}

void nacre_cond_destroy(plat_cond *c)
{
    for (int i = 0; i < THREADS_MAX; i++)
        sim_must(world.threads[i].state != WAITING || world.threads[i].object != c, "a condition is waited for");
    pthread_cond_destroy(c);
}

bool nacre_cond_wait(plat_cond *c, plat_mutex *m, int64_t until_ns)
{
    pthread_mutex_unlock(m);
    wake(LOCKED_OUT, m, true);
    if (sim_one_in(16)) {
        go_on(); /* conditions may wake for nothing */
        world.threads[me].in_time = until_ns > world.now_ns;
    } else {
        wait_as(WAITING, c, until_ns);
    }
    bool in_time = world.threads[me].in_time;
    lock(m);
    return in_time;
}

void nacre_cond_signal(plat_cond *c)
{
    wake(WAITING, c, false);
}

void nacre_cond_broadcast(plat_cond *c)
{
    wake(WAITING, c, true);
}

void nacre_park_init(plat_park *p)
{
    atomic_init(&p->set, 0);
}

bool nacre_park_wait(plat_park *p, int64_t until_ns)
{
    if (sim_one_in(world.unrest))
        go_on();
    while (atomic_load_explicit(&p->set, memory_order_acquire) == 0) {
        wait_as(WAITING, p, until_ns);
        if (!world.threads[me].in_time)
            return atomic_load_explicit(&p->set, memory_order_acquire) != 0;
    }
    return true;
}

/* The sleeper may be gone, and its place with it, as soon as it is set. */
void nacre_park_set(plat_park *p)
{
    if (sim_one_in(world.unrest))
        go_on();
    atomic_store_explicit(&p->set, 1, memory_order_release);
    wake(WAITING, p, true);
    if (sim_one_in(world.unrest))
        go_on();
}
