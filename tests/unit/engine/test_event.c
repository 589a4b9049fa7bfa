/* SPDX-License-Identifier: Apache-2.0 */
/* Events: room, strings, reuse, and that secrets do not stay behind. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/shard.h"

static struct shard shard;

static void set_up(void)
{
    nacre_pool_init(&shard.pool, 0);
}

static void tear_down(void)
{
    for (struct event *e = shard.free_events, *next; e != NULL; e = next) {
        next = e->next;
        free(e);
    }
    nacre_pool_destroy(&shard.pool);
}

TestSuite(engine_event, .init = set_up, .fini = tear_down);

Test(engine_event, a_new_event_is_empty)
{
    struct event *e = nacre_event_new(&shard, EVENT_LOG, 0);
    cr_assert_eq(e->type, EVENT_LOG);
    for (int i = 0; i < EVENT_TEXTS; i++)
        cr_assert_str_eq(e->text[i], "");
    cr_assert_null(e->block);
    cr_assert_null(e->new_password);
    cr_assert_not(e->accept || e->deferred || e->verified || e->partial);
    nacre_event_free(&shard, e);
}

Test(engine_event, texts_of_every_length_around_the_inline_room_are_kept_whole)
{
    char text[2 * EVENT_INLINE];
    memset(text, 't', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        struct event *e = nacre_event_new(&shard, EVENT_LOG, len + 1);
        const char *kept = nacre_event_keep(e, span_of(text, len));
        cr_assert_not_null(kept, "%zu bytes were promised", len);
        cr_assert_eq(strlen(kept), len);
        cr_assert_eq(e->block != NULL, len + 1 > EVENT_INLINE, "at %zu", len);
        nacre_event_free(&shard, e);
    }
    cr_assert_eq(atomic_load(&shard.pool.used), 0);
}

Test(engine_event, more_than_was_asked_for_is_not_written)
{
    char text[EVENT_INLINE];
    memset(text, 't', sizeof text);
    struct event *e = nacre_event_new(&shard, EVENT_LOG, 0);
    cr_assert_null(nacre_event_keep(e, span_of(text, EVENT_INLINE)));
    cr_assert_not_null(nacre_event_keep(e, span_of(text, EVENT_INLINE - 1)));
    cr_assert_null(nacre_event_keep(e, span_of("", 0)));
    nacre_event_free(&shard, e);
}

Test(engine_event, a_freed_event_is_used_again_and_clean)
{
    struct event *e = nacre_event_new(&shard, EVENT_SSH_USER_AUTH_REQUEST, 64);
    e->accept = e->deferred = e->verified = true;
    e->serial = 7;
    e->methods = strdup("password");
    e->secret = true;
    const char *secret = nacre_event_keep(e, span_str("hunter2"));
    nacre_event_free(&shard, e);
    cr_assert_neq(memcmp(secret, "hunter2", 7), 0, "the password stayed behind"); /* kept for reuse, so still ours */
    struct event *again = nacre_event_new(&shard, EVENT_LOG, 0);
    cr_assert_eq(again, e);
    cr_assert_not(again->accept || again->deferred || again->verified);
    cr_assert_eq(again->serial, 0);
    cr_assert_null(again->methods);
    nacre_event_free(&shard, again);
}

Test(engine_event, kept_events_are_bounded)
{
    enum {
        MANY = 3000
    };
    static struct event *e[MANY];
    for (int i = 0; i < MANY; i++)
        e[i] = nacre_event_new(&shard, EVENT_LOG, 0);
    for (int i = 0; i < MANY; i++)
        nacre_event_free(&shard, e[i]);
    cr_assert_leq(shard.free_event_count, 1024);
}

Test(engine_event, a_cert_choice_copies_everything)
{
    char store[] = "store", password[] = "secret", subject[] = "CN=me", certificate[] = "a line";
    struct cert_choice *c = nacre_cert_choice_new(7, store, 0, password, subject, certificate);
    memset(store, 'x', 5);
    memset(password, 'x', 6);
    memset(subject, 'x', 5);
    memset(certificate, 'x', 6);
    cr_assert_eq(c->type, 7);
    cr_assert_eq(c->store_len, 5);
    cr_assert_str_eq(c->store, "store");
    cr_assert_str_eq(c->password, "secret");
    cr_assert_str_eq(c->subject, "CN=me");
    cr_assert_str_eq(c->host_certificate, "a line");
    nacre_cert_choice_free(c);
    c = nacre_cert_choice_new(3, "a\0b", 3, NULL, NULL, NULL);
    cr_assert_eq(c->store_len, 3);
    cr_assert_arr_eq(c->store, "a\0b", 3);
    cr_assert_str_eq(c->password, "");
    cr_assert_str_eq(c->subject, "*");
    cr_assert_null(c->host_certificate);
    nacre_cert_choice_free(c);
    nacre_cert_choice_free(NULL);
}

/* Fails when all that are kept go, or none. */
Test(engine_event, what_nobody_has_taken_between_two_looks_is_freed)
{
    enum {
        MADE = 8,
        TAKEN = 3
    };
    struct event *e[MADE];
    for (int i = 0; i < MADE; i++)
        e[i] = nacre_event_new(&shard, EVENT_LOG, 0);
    for (int i = 0; i < MADE; i++)
        nacre_event_free(&shard, e[i]);
    cr_assert(nacre_event_tidy(&shard));
    cr_assert_eq(shard.free_event_count, MADE, "they were in use since the last look");
    for (int i = 0; i < TAKEN; i++)
        e[i] = nacre_event_new(&shard, EVENT_LOG, 0);
    for (int i = 0; i < TAKEN; i++)
        nacre_event_free(&shard, e[i]);
    cr_assert(nacre_event_tidy(&shard));
    cr_assert_eq(shard.free_event_count, TAKEN);
    cr_assert_not(nacre_event_tidy(&shard));
    cr_assert_null(shard.free_events);
}
