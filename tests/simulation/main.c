/* SPDX-License-Identifier: Apache-2.0 */
/* test_simulation: one seed, or many, each in a process of its own. Run twice, a seed has to give the same world. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "simulation/sim.h"
#include "simulation/world.h"

enum {
    WORLD_CPU_SECONDS = 120, /* a world that takes more goes in circles */
    WORLD_SECONDS = 1200,    /* real ones: a world that takes more stands still, and is no victim of a busy machine */
    CHECKED_TWICE = 16,      /* one seed in so many */
};

static const char usage[] =
    "Usage: test_simulation [--seed N] [--seeds A..B] [--seconds S] [--hours H] [--loud]\n\n"
    "Lives through worlds of clients, a server and a network that are made from seeds, and fails where one of them\n"
    "breaks a promise. A failing seed fails again, in the same way.\n\n"
    "  --seed N      that one, in this process: for a debugger\n"
    "  --seeds A..B  those (default 1..200)\n"
    "  --seconds S   no new one after so many seconds\n"
    "  --hours H     the same in hours; goes on past B\n"
    "  --loud        says what happens\n";

/* What is known of a world that has ended. */
struct lived {
    uint64_t trace;
    double seconds; /* of the world's time */
    uint64_t rides;
};

/* The world's process; what is known is written to `to`. */
static void live(uint64_t seed, bool loud, int to)
{
    const struct rlimit cpu = {WORLD_CPU_SECONDS, WORLD_CPU_SECONDS};
    struct lived lived = {0};
    (void)setrlimit(RLIMIT_CPU, &cpu);
    (void)alarm(WORLD_SECONDS);
    lived.trace = world_run(seed, loud);
    lived.seconds = sim_seconds();
    lived.rides = world_rides();
    if (write(to, &lived, sizeof lived) != (ssize_t)sizeof lived)
        exit(EXIT_FAILURE);
    exit(EXIT_SUCCESS); /* where LeakSanitizer looks */
}

static bool run(uint64_t seed, bool loud, struct lived *lived)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        return false;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        live(seed, loud, ends[1]);
    (void)close(ends[1]);
    bool whole = child > 0 && read(ends[0], lived, sizeof *lived) == (ssize_t)sizeof *lived;
    (void)close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (status != 0)
        (void)fprintf(stderr, "seed %" PRIu64 ": %s %d\n", seed,
                      WIFSIGNALED(status) ? "ended by signal" : "ended with status",
                      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return whole && status == 0;
}

/* Adds up what is known of it. */
static bool holds(uint64_t seed, bool loud, struct lived *sum)
{
    struct lived first = {0}, second = {0};
    if (!run(seed, loud, &first))
        return false;
    sum->seconds += first.seconds;
    sum->rides += first.rides;
    if (seed % CHECKED_TWICE != 0)
        return true;
    if (!run(seed, loud, &second))
        return false;
    if (first.trace != second.trace)
        (void)fprintf(stderr, "seed %" PRIu64 ": another world the second time\n", seed);
    return first.trace == second.trace;
}

static int sweep(uint64_t from, uint64_t to, double seconds, bool endless, bool loud)
{
    unsigned failed = 0, lived = 0;
    struct lived sum = {0};
    time_t start = time(NULL);
    for (uint64_t seed = from; endless || seed <= to; seed++) {
        if (seconds > 0 && difftime(time(NULL), start) >= seconds)
            break;
        lived++;
        if (holds(seed, loud, &sum))
            continue;
        failed++;
        (void)printf("FAILED  --seed %" PRIu64 "\n", seed);
        (void)fflush(stdout);
    }
    (void)printf("%u worlds, %.1f hours of theirs, %" PRIu64 " waits of callers in a worker's place, %u failed\n",
                 lived, sum.seconds / 3600, sum.rides, failed);
    return failed == 0 && lived != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    uint64_t from = 1, to = 200, seed = 0;
    double seconds = 0;
    bool loud = false, one = false, endless = false;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--loud") == 0) {
            loud = true;
            continue;
        }
        bool good = true;
        if (strcmp(arguments[i], "--seed") == 0)
            good = one = sscanf(value, "%" SCNu64, &seed) == 1;
        else if (strcmp(arguments[i], "--seeds") == 0)
            good = sscanf(value, "%" SCNu64 "..%" SCNu64, &from, &to) == 2;
        else if (strcmp(arguments[i], "--seconds") == 0)
            good = (seconds = atof(value)) > 0;
        else if (strcmp(arguments[i], "--hours") == 0)
            good = endless = (seconds = atof(value) * 3600) > 0;
        else
            good = false;
        if (!good) {
            (void)fputs(usage, stderr);
            return 2;
        }
        i++;
    }
    if (!one)
        return sweep(from, to, seconds, endless, loud);
    (void)printf("seed %" PRIu64 ": trace %016" PRIx64 "\n", seed, world_run(seed, loud));
    return EXIT_SUCCESS;
}
