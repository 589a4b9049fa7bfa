/* SPDX-License-Identifier: Apache-2.0 */
/* A setting that is changed without memory is an error, all workers go on by the same settings, and what is asked reads
 * as it did. Fails when some have been told of the change by then and others have not, and when a change that failed
 * stays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "check.h"
#include "engine/server.h"
#include "served.h"

enum {
    WORKERS = 3,
    MANY = 10000
};

/* What a worker goes by once it has carried out all that was asked of it. */
static int64_t seconds_of(struct shard *s)
{
    struct command unlisten = {.type = COMMAND_UNLISTEN, .lent = true};
    check(nacre_inbox_ask(s, &unlisten, NULL) == NACRE_OK, "the worker answers");
    return s->profile->settings.answer_timeout.number;
}

/* The n-th allocation of the change fails. True: there were so many. */
static bool change(nacre_server *n, int to, long nth)
{
    char setting[32];
    (void)snprintf(setting, sizeof setting, "AnswerTimeout=%d", to);
    int64_t before = seconds_of(&n->shards[0]);
    alloc_fail_nth(nth);
    int e = nacre_config(n, setting, NULL, 0);
    bool failed = alloc_fail_none();
    int64_t wanted = e == NACRE_OK ? to : before;
    for (int i = 0; i < WORKERS; i++)
        check(seconds_of(&n->shards[i]) == wanted, "a worker goes by other settings than were said to hold");
    return failed;
}

/* ---- what reads back ------------------------------------------------------------------------------------------- */

enum {
    TEXT = 512
};

static void read_setting(nacre_server *n, const char *name, char *out)
{
    check(nacre_config(n, name, out, TEXT) == 0, "it can be read");
}

static void read_memory(nacre_server *n, const char *name, char *out)
{
    (void)name;
    (void)snprintf(out, TEXT, "%zu", atomic_load(&n->memory.limit));
}

static void read_method(nacre_server *n, const char *name, char *out)
{
    (void)name;
    check(nacre_get_default_auth_methods(n, out, TEXT) == 0, "it can be read");
}

static void read_prompts(nacre_server *n, const char *name, char *out)
{
    struct nacre_prompt p;
    int count;
    (void)name;
    check(nacre_get_keyboard_interactive_prompt_count(n, &count) == 0, "it can be read");
    *out = '\0';
    for (int i = 0; i < count; i++) {
        size_t len = strlen(out);
        check(nacre_get_prompt(n, i, &p) == 0, "it can be read");
        (void)snprintf(out + len, TEXT - len, "%s,%d;", p.prompt, p.echo);
    }
}

static void read_authorities(nacre_server *n, const char *name, char *out)
{
    (void)name;
    (void)snprintf(out, TEXT, "%zu", n->user_authorities.len);
}

static int set_config(nacre_server *n, const char *to)
{
    return nacre_config(n, to, NULL, 0);
}

static int set_one_prompt(nacre_server *n, const char *to)
{
    struct nacre_prompt p = {.echo = to[0] == 'b'};
    (void)snprintf(p.prompt, sizeof p.prompt, "%s", to);
    return nacre_set_prompt(n, 0, &p);
}

static int set_prompt_count(nacre_server *n, const char *to)
{
    return nacre_set_keyboard_interactive_prompt_count(n, atoi(to));
}

static int clear_authorities(nacre_server *n, const char *to)
{
    return nacre_add_user_ca(n, to, 0);
}

static int add_authority(nacre_server *n, const char *to)
{
    static const uint8_t blob[] = "\0\0\0\013ssh-ed25519\0\0\0\040"
                                  "\x58\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
                                  "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66";
    (void)to;
    return nacre_add_user_ca(n, blob, sizeof blob - 1);
}

/* Each differs from what was there before. */
static const struct {
    const char *name, *to;
    int (*set)(nacre_server *n, const char *to);
    void (*read)(nacre_server *n, const char *name, char *out);
} changes[] = {
    {"LoginGraceTime", "LoginGraceTime=77", set_config, read_setting},
    {"MemoryLimit", "MemoryLimit=50000000", set_config, read_memory},
    {"ServerSSHVersionString", "ServerSSHVersionString=SSH-2.0-other", set_config, read_setting},
    {"AllowedClients", "AllowedClients=127.0.0.1,10.0.0.0/8", set_config, read_setting},
    {"SSHKeyExchangeAlgorithms", "AlgorithmProfile=modern", set_config, read_setting},
    {"AlgorithmProfile", "AlgorithmProfile=compatible", set_config, read_setting},
    {"DefaultAuthMethods", "password", nacre_set_default_auth_methods, read_method},
    {"prompts", "3", set_prompt_count, read_prompts},
    {"prompts", "before", set_one_prompt, read_prompts},
    {"prompts", "after", set_one_prompt, read_prompts},
    {"prompts", "1", set_prompt_count, read_prompts},
    {"authorities", "", add_authority, read_authorities},
    {"authorities", "", clear_authorities, read_authorities},
};

static void change_and_read(nacre_server *n, size_t which)
{
    char before[TEXT], after[TEXT];
    int e;
    bool failed;
    long nth = 0;
    changes[which].read(n, changes[which].name, before);
    do {
        alloc_fail_nth(nth++);
        e = changes[which].set(n, changes[which].to);
        failed = alloc_fail_none();
        changes[which].read(n, changes[which].name, after);
        check(e == NACRE_OK ? strcmp(before, after) != 0 : strcmp(before, after) == 0, changes[which].to);
        check(e == NACRE_OK || failed, "it fails for want of memory alone");
    } while (e != NACRE_OK && nth < MANY);
    check(nth > WORKERS, "allocations have failed");
}

/* The last change, which leaves no key to listen with. */
static void reset(nacre_server *n)
{
    char after[TEXT];
    bool failed;
    long nth = 0;
    do {
        check(nacre_config(n, "LoginGraceTime=88", NULL, 0) == 0, "it can be set");
        alloc_fail_nth(nth++);
        int e = nacre_reset(n);
        failed = alloc_fail_none();
        read_setting(n, "LoginGraceTime", after);
        check(e == NACRE_OK || failed, "it fails for want of memory alone");
        check(strcmp(after, e == NACRE_OK ? "120" : "88") == 0, "reset, or as before");
    } while (failed && nth < MANY);
    check(nth > WORKERS, "allocations have failed");
}

int main(void)
{
    static const struct nacre_handlers handlers = {.on_ssh_user_auth_request = NULL};
    struct served s;
    long nth = 0;
    served_start(&s, &handlers, "WorkerThreads=3");
    served_turn_events(&s);
    while (nth < MANY && change(s.nacre, 1000 + (int)nth, nth))
        nth++;
    check(nth > WORKERS && nth < MANY, "every allocation has failed once");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        change_and_read(s.nacre, i);
    reset(s.nacre);
    served_end(&s);
    return EXIT_SUCCESS;
}
