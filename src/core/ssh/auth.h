/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of ssh-userauth, RFC 4252: shared by auth.c (routing, limits, verdicts) and a file per method. */
#ifndef SSH_AUTH_H
#define SSH_AUTH_H

#include "ssh/conn_priv.h"

enum {
    AUTH_METHODS_MAX = 1024,
    AUTH_BANNER_MAX = 16384,
    AUTH_PROMPTS_MAX = 8192, /* bytes of all prompts and the instruction */
    AUTH_QUERIES_MIN = 15,   /* rule R8: requests that are no failures have a cap of their own */
};

/* One request, decoded; the spans lie in auth.request. */
struct auth_request {
    struct span user, service, method;
    struct span param, new_password, key_algorithm;
    struct span client_host, client_user; /* hostbased */
    struct span signature, signed_part;   /* signed_part is the request without the signature */
    struct key_cert cert;                 /* publickey, when is_certificate */
    struct key_user key_user;             /* when verified */
    bool query, verified, is_certificate;
    bool is_trusted; /* the certificate is for this user, by one of config.user_authorities */
};

struct auth {
    /* The request being decided. */
    struct buf copy; /* its message, wiped afterwards */
    struct auth_request request;

    /* The user who is logging in: a change of user or service starts over (rule R7). */
    struct buf user, methods;
    unsigned failures, queries;
    bool none_seen, methods_set;

    /* keyboard-interactive */
    struct buf prompt_text;
    struct conn_prompt
        prompts[CONN_KBDINT_PROMPTS]; /* spans: at is NULL, len the length; texts follow in prompt_text */
    size_t prompt_count, instruction_len;
    struct span responses[CONN_KBDINT_PROMPTS]; /* in copy */
    size_t response_count;
    bool prompting;      /* INFO_REQUEST is out */
    size_t asked;        /* responses put to the application so far */
    bool responses_good; /* none was refused */

    struct buf banner;
};

/* Made on first use; NULL: out of memory. */
struct auth *nacre_auth_get(struct conn *c);

/* Puts auth.request to the application. */
enum step nacre_auth_ask(struct conn *c);

/* Refuses the request that is being decided, and counts it. */
enum step nacre_auth_refuse(struct conn *c, bool partial);
/* Goes on after the application has decided on the whole request. */
enum step nacre_auth_decide(struct conn *c, const struct conn_answer *answer);

/* Counts a request that is no failure and no login: those have a cap of their own (rule R8). True: it is reached. */
bool nacre_auth_is_query_too_many(struct conn *c);

/* The method's own part of a request: `r` stands behind the method name. */
enum step nacre_auth_none_request(struct conn *c, struct rd *r);
enum step nacre_auth_password_request(struct conn *c, struct rd *r);
enum step nacre_auth_pubkey_request(struct conn *c, struct rd *r);
enum step nacre_auth_hostbound_request(struct conn *c, struct rd *r);
enum step nacre_auth_hostbased_request(struct conn *c, struct rd *r);
enum step nacre_auth_kbdint_request(struct conn *c, struct rd *r);

enum step nacre_send_pk_ok(struct conn *c);

/* Asks for another password instead of letting in by this one. */
enum step nacre_auth_ask_new_password(struct conn *c, const char *prompt);

/* The request's key when it is worth asking about: an accepted algorithm, and a well-formed key of its type (rules R9,
 * R25). NULL: it is not; else a reference that is the caller's. */
struct key *nacre_auth_key(struct conn *c, const struct sig_alg *alg);

/* Checks the request's signature with its key, whose reference it takes over, then asks the application or refuses. */
enum step nacre_auth_verify(struct conn *c, const struct sig_alg *alg, struct key *key);

/* Tells what became of the check of a signature. */
void nacre_auth_inform(struct conn *c);

/* Takes the answer to one response; asks the next or the final question. */
enum step nacre_auth_kbdint_answer(struct conn *c, const struct conn_answer *answer);

#endif
