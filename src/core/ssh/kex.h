/* SPDX-License-Identifier: Apache-2.0 */
/* A key exchange under way, shared by kexinit.c (what is agreed), kex.c (the exchange) and kex_work.c (the
 * computation). */
#ifndef SSH_KEX_H
#define SSH_KEX_H

#include "ssh/conn_priv.h"

enum kex_expect {
    EXPECT_KEXINIT,
    EXPECT_METHOD,
    EXPECT_NEWKEYS
};

enum {
    KEX_COOKIE = 16,
    KEX_LISTS = 10,              /* name-lists in a KEXINIT */
    KEX_TRANSCRIPT_MAX = 131072, /* two identifications, two KEXINITs, a host key, two public values */
};

/* RFC 4253 section 7.1, in the order of the message. */
enum kex_list {
    LIST_KEX,
    LIST_HOST_KEY,
    LIST_CIPHER_TO_SERVER,
    LIST_CIPHER_TO_CLIENT,
    LIST_MAC_TO_SERVER,
    LIST_MAC_TO_CLIENT,
    LIST_COMP_TO_SERVER,
    LIST_COMP_TO_CLIENT,
    LIST_LANGUAGE_TO_SERVER,
    LIST_LANGUAGE_TO_CLIENT,
};

struct kexinit {
    struct span lists[KEX_LISTS];
    bool guess_follows;
};

/* A group that is being agreed on, RFC 4419. */
struct kex_asked {
    uint32_t min, wanted, max;
    struct kex_group group; /* p_len 0: not known yet */
};

struct kex {
    enum kex_expect expect;  /* from the peer, next */
    bool we_sent;            /* our KEXINIT is out, our NEWKEYS is not */
    bool skip_guess;         /* the peer's next method packet was guessed wrong */
    struct buf ours, theirs; /* KEXINIT payloads, until negotiated */
    struct buf transcript;   /* front of the exchange hash: V_C, V_S, I_C, I_S as strings */
    const struct kex_alg *alg;
    const struct sig_alg *sig_alg;
    struct key *host_key;          /* server: to sign with */
    struct kex_work *computed;     /* client: checked, while the application looks at the host key */
    struct kex_state *state;       /* client: private half between INIT and REPLY */
    struct kex_asked *asked;       /* from GROUP_REQUEST on; NULL: the method has its own group */
    struct buf public_value;       /* client: its own */
    struct keys next_in, next_out; /* algorithms when negotiated, contexts when keyed */
};

/* A computation of a key exchange. Owns all it touches. */
struct kex_work {
    struct work work;
    const struct nacre_crypto *crypto;
    const struct kex_alg *alg;
    const struct sig_alg *sig_alg;
    struct key *host_key; /* server */
    struct kex_state *state;
    struct kex_asked *asked;
    struct buf transcript;
    struct buf ours, theirs; /* public values */
    struct buf host_blob;    /* K_S */
    struct buf signature;
    struct kex_shared shared;
    uint8_t hash[HASH_MAX];
    const char *failure; /* NULL: done well */
    bool signature_is_bad;
};

/* ---- kexinit.c ---------------------------------------------------------------------------------------------- */

/* Writes our KEXINIT payload into kex->ours. */
bool nacre_kexinit_write(struct conn *c, struct kex *kex);

/* Chooses from kex->ours and kex->theirs; STEP_CLOSE when nothing fits. */
enum step nacre_kexinit_negotiate(struct conn *c, struct kex *kex);

/* Appends the usable ones of `names`, comma-separated, as they stand. */
void nacre_names_usable_signatures(const struct conn *c, struct wr *w, const char *names);

/* ---- kex_group.c -------------------------------------------------------------------------------------------- */

/* Client: names the sizes. */
enum step nacre_kex_ask_group(struct conn *c);

/* Client: takes the group. False: malformed, of a size that was not asked for, or the second one. */
bool nacre_kex_read_group(struct kex_asked *asked, struct span body);

/* What of it enters the exchange hash. */
bool nacre_kex_asked_write(const struct kex_asked *asked, struct buf *transcript);

/* ---- kex_work.c --------------------------------------------------------------------------------------------- */

struct kex_work *nacre_kex_work_new(struct conn *c, struct kex *kex, void (*run)(struct work *work));
struct kex_work *nacre_kex_work_of(struct work *work);

/* Client, first half: a key pair. */
void nacre_kex_run_start(struct work *work);
/* Server: key pair, shared secret, exchange hash, signature. */
void nacre_kex_run_server(struct work *work);
/* Client, second half: shared secret, exchange hash, the server's signature. */
void nacre_kex_run_client(struct work *work);

#endif
