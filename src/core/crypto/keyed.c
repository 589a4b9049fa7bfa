/* SPDX-License-Identifier: Apache-2.0 */
/* Seats are given away by a clock: a hand goes round, and who has not been used since it came by last has to go.
 *
 * A tenant finds its own seat without a lock: only the thread itself gives seats to others, so an owner that it reads
 * there stays until it does. The lock is for tenants that leave on another thread, and for what makes or takes seats.
 */
#include "crypto/keyed.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/secret.h"
#include "crypto/crypto.h"

enum {
    NO_SEAT = KEYED_SEATS,
    INNER_PAD = 0x36, /* RFC 2104 section 2 */
    OUTER_PAD = 0x5c,
    HASH_BLOCK_MAX = 128
};

struct seat {
    _Atomic(struct tenant *) owner; /* NULL: free */
    EVP_CIPHER_CTX *context;        /* NULL when free, or an HMAC's */
    const EVP_CIPHER *cipher;       /* the context's */
    EVP_MD_CTX *inner, *outer;      /* NULL when free, or a cipher's */
    uint32_t next_free;
    bool used; /* since the hand came by */
};

struct keyed {
    CRYPTO_RWLOCK *lock;
    _Atomic unsigned refs; /* the thread's own and one of each tenant that was here */
    struct seat *seats;
    EVP_MD_CTX *work;     /* of all HMACs; NULL: there was none so far */
    uint32_t count, room; /* seats made so far; allocated */
    uint32_t taken, free; /* with an owner; the first free one */
    uint32_t hand;
};

static _Thread_local struct keyed *mine; /* what the thread lends; NULL: nothing yet */

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static CRYPTO_THREAD_LOCAL end_key; /* set once, then only read: where `mine` is of a thread that has to end it */
static bool has_end_key;

static void keyed_unref(struct keyed *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    CRYPTO_THREAD_lock_free(s->lock);
    EVP_MD_CTX_free(s->work);
    free(s->seats);
    free(s);
}

static struct tenant *owner_of(const struct seat *seat)
{
    return atomic_load_explicit(&seat->owner, memory_order_relaxed);
}

static void drop_cipher(struct seat *seat)
{
    EVP_CIPHER_CTX_free(seat->context);
    seat->context = NULL;
}

static void drop_hash(struct seat *seat)
{
    EVP_MD_CTX_free(seat->inner);
    EVP_MD_CTX_free(seat->outer);
    seat->inner = seat->outer = NULL;
}

/* The lock is held. */
static void seat_clear(struct keyed *s, uint32_t i)
{
    struct seat *seat = &s->seats[i];
    drop_cipher(seat);
    drop_hash(seat);
    atomic_store_explicit(&seat->owner, NULL, memory_order_relaxed);
    seat->next_free = s->free;
    s->free = i;
    s->taken--;
}

/* Its tenants may go on elsewhere. */
void nacre_keyed_end(struct keyed *s)
{
    if (s == NULL)
        return;
    if (CRYPTO_THREAD_write_lock(s->lock) == 1) {
        for (uint32_t i = 0; i < s->count; i++) {
            if (owner_of(&s->seats[i]) != NULL)
                seat_clear(s, i);
        }
        (void)CRYPTO_THREAD_unlock(s->lock);
    }
    keyed_unref(s);
}

static void thread_ends(void *at)
{
    struct keyed **own = at;
    nacre_keyed_end(*own);
    *own = NULL;
}

static void make_end_key(void)
{
    has_end_key = CRYPTO_THREAD_init_local(&end_key, thread_ends) == 1;
}

static struct keyed *keyed_new(void)
{
    struct keyed *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->free = NO_SEAT;
    atomic_init(&s->refs, 1);
    s->lock = CRYPTO_THREAD_lock_new();
    if (s->lock != NULL && CRYPTO_THREAD_run_once(&once, make_end_key) == 1 && has_end_key &&
        CRYPTO_THREAD_set_local(&end_key, &mine) == 1)
        return s;
    keyed_unref(s);
    return NULL;
}

static struct keyed *keyed_of_thread(void)
{
    if (mine == NULL)
        mine = keyed_new();
    return mine;
}

struct keyed *nacre_keyed_swap(struct keyed *set)
{
    struct keyed *before = mine;
    mine = set;
    return before;
}

/* One more seat, as long as there may be more and there is memory. The lock is held. */
static bool add_seat(struct keyed *s)
{
    if (s->count == KEYED_SEATS)
        return false;
    if (s->count == s->room) {
        uint32_t room = s->room == 0 ? 16 : s->room * 2;
        struct seat *more = realloc(s->seats, room * sizeof *more);
        if (more == NULL)
            return false;
        s->seats = more;
        s->room = room;
    }
    s->seats[s->count] = (struct seat){.next_free = s->free};
    s->free = s->count++;
    return true;
}

/* Who has to go, for whom there is no seat. All seats are taken; the lock is held. */
static uint32_t sweep(struct keyed *s)
{
    for (;;) {
        uint32_t i = s->hand;
        s->hand = i + 1 == s->count ? 0 : i + 1;
        if (!s->seats[i].used)
            return i;
        s->seats[i].used = false;
    }
}

/* A seat whose context may hold anybody's key. NO_SEAT: no memory. The lock is held. */
static uint32_t find_seat(struct keyed *s)
{
    if (s->free == NO_SEAT && !add_seat(s) && s->count == 0)
        return NO_SEAT;
    if (s->free == NO_SEAT)
        return sweep(s);
    uint32_t i = s->free;
    s->free = s->seats[i].next_free;
    s->taken++;
    return i;
}

/* The hash's state behind the padded key. */
static bool load_state(EVP_MD_CTX **x, const struct keying *k, size_t size, uint8_t pad)
{
    uint8_t block[HASH_BLOCK_MAX];
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < k->key_len; i++)
        block[i] ^= k->key[i];
    if (*x == NULL)
        *x = EVP_MD_CTX_new();
    bool ok = *x != NULL && EVP_DigestInit_ex2(*x, k->md, NULL) == 1 && EVP_DigestUpdate(*x, block, size) == 1;
    nacre_wipe(block, sizeof block);
    return ok;
}

static bool load_hash(struct seat *seat, const struct keying *k)
{
    int size = EVP_MD_get_block_size(k->md);
    drop_cipher(seat);
    return size > 0 && size <= HASH_BLOCK_MAX && k->key_len <= (size_t)size &&
           load_state(&seat->inner, k, (size_t)size, INNER_PAD) && load_state(&seat->outer, k, (size_t)size, OUTER_PAD);
}

/* A context that has the cipher already takes another key without allocating. */
static bool load(struct seat *seat, const struct keying *k)
{
    if (k->cipher == NULL)
        return load_hash(seat, k);
    drop_hash(seat);
    const EVP_CIPHER *cipher = seat->context != NULL && seat->cipher == k->cipher ? NULL : k->cipher;
    if (seat->context == NULL)
        seat->context = EVP_CIPHER_CTX_new();
    seat->cipher = k->cipher;
    return seat->context != NULL &&
           EVP_CipherInit_ex2(seat->context, cipher, k->key, k->iv, k->seal ? 1 : 0, NULL) == 1;
}

/* The lock is held. */
static struct seat *sit_down(struct keyed *s, struct tenant *t, const struct keying *k)
{
    uint32_t i = find_seat(s);
    if (i == NO_SEAT)
        return NULL;
    struct seat *seat = &s->seats[i];
    atomic_store_explicit(&seat->owner, t, memory_order_relaxed);
    t->seat = i;
    seat->used = true;
    if (load(seat, k))
        return seat;
    seat_clear(s, i);
    return NULL;
}

/* It may not have got a seat when it came, for lack of memory. */
static struct seat *own_seat(const struct tenant *t)
{
    if (t->at == NULL || t->at != mine || t->seat >= t->at->count)
        return NULL;
    struct seat *seat = &t->at->seats[t->seat];
    if (owner_of(seat) != t)
        return NULL;
    seat->used = true;
    return seat;
}

static struct seat *find_place(struct tenant *t, const struct keying *k)
{
    struct keyed *s = keyed_of_thread();
    if (s == NULL)
        return NULL;
    if (t->at != s) {
        nacre_keyed_leave(t);
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
        t->at = s;
    }
    if (CRYPTO_THREAD_write_lock(s->lock) != 1)
        return NULL;
    struct seat *seat = sit_down(s, t, k);
    (void)CRYPTO_THREAD_unlock(s->lock);
    return seat;
}

EVP_CIPHER_CTX *nacre_keyed_take(struct tenant *t, const struct keying *k)
{
    struct seat *seat = own_seat(t);
    if (seat == NULL)
        seat = find_place(t, k);
    return seat == NULL ? NULL : seat->context;
}

bool nacre_keyed_take_hash(struct tenant *t, const struct keying *k, struct keyed_hash *out)
{
    struct seat *seat = own_seat(t);
    if (seat == NULL)
        seat = find_place(t, k);
    if (seat == NULL)
        return false;
    if (t->at->work == NULL)
        t->at->work = EVP_MD_CTX_new();
    *out = (struct keyed_hash){seat->inner, seat->outer, t->at->work};
    return out->work != NULL;
}

void nacre_keyed_leave(struct tenant *t)
{
    struct keyed *s = t->at;
    if (s == NULL)
        return;
    if (CRYPTO_THREAD_write_lock(s->lock) == 1) {
        if (t->seat < s->count && owner_of(&s->seats[t->seat]) == t)
            seat_clear(s, t->seat);
        (void)CRYPTO_THREAD_unlock(s->lock);
    }
    t->at = NULL;
    keyed_unref(s);
}

size_t nacre_keyed_count(void)
{
    struct keyed *s = keyed_of_thread();
    size_t n = 0;
    if (s != NULL && CRYPTO_THREAD_read_lock(s->lock) == 1) {
        n = s->taken;
        (void)CRYPTO_THREAD_unlock(s->lock);
    }
    return n;
}
