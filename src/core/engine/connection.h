/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life on its worker: from accept to the moment nothing refers to it any more. Shard thread only. */
#ifndef ENGINE_CONNECTION_H
#define ENGINE_CONNECTION_H

#include "engine/shard.h"

/* accept.c */

/* A client that this worker's listener has accepted: kept here, or handed to a worker that has less to do. */
void nacre_accept(struct shard *s, io_socket socket);

/* One that is counted in already and stays here; IO_NO_SOCKET: it was lost on its way. */
void nacre_accept_here(struct shard *s, io_socket socket);

/* A connection is gone: it counts no longer. */
void nacre_accept_uncount(struct shard *s);
void nacre_accept_failed(struct shard *s, enum nacre_error error);

/* admit.c: who is let in. */

/* MaxConnections are there: the socket is refused and closed. */
void nacre_admit_full(struct shard *s, io_socket socket);

/* Counts a new socket in; false: it was refused, told why, and closed. */
bool nacre_admit(struct shard *s, io_socket socket, struct admitted *out);

/* End of a turn: closes the sockets of those who have had time to read why they were refused. */
void nacre_admit_turn(struct shard *s);

/* Until when a worker may sleep that would sleep until then. */
int64_t nacre_admit_sleep(const struct shard *s, int64_t until_ns);

/* Takes it back: the socket is gone, or could not be taken. */
void nacre_admit_leave(struct shard *s, struct admitted *in);

/* It has logged in. */
void nacre_admit_logged_in(struct connection *c);

/* The connection ends for that reason: if that is an offence, its source is held to it. */
void nacre_admit_ended(struct connection *c, enum nacre_error why);

/* Reports an error that belongs to no connection. */
void nacre_report(struct shard *s, enum nacre_error error, const char *what);

/* connection.c */

/* on_connection_request has been decided. */
void nacre_connection_decided(struct connection *c, bool accept);

/* on_connected has been answered: begin, with the server's keys or those of `cert`, which is consumed (NULL: the
 * server's). */
void nacre_connection_begin(struct connection *c, struct cert_choice *cert);

/* The key of on_connected's answer has been read, and its certificate (NULL: none); or error and why. */
void nacre_connection_key(struct connection *c, struct key *key, struct key *host_certificate, enum nacre_error error,
                          const char *why);

/* Ends it whatever its stage: the client is told when it can be, the application in any case. */
void nacre_connection_close(struct connection *c, enum nacre_error why, const char *text);

/* SSH has ended: told to the application; what is left to send goes out first. */
void nacre_connection_ended(struct connection *c, enum nacre_error why, const char *text);

/* The shard is stopping: a connection that lingers does so no longer than a moment. */
void nacre_connection_hurry(struct connection *c);

/* Tries again to tell the end when memory was short. */
void nacre_connection_owed(struct connection *c);

/* An event of it has come back; it may have been the last thing that kept the slot. */
void nacre_connection_settle(struct connection *c);

/* Whether something waits for events of it to come back: then calm ones are looked at as well. Shard thread. */
void nacre_connection_await_events(struct connection *c, bool on);

/* pump.c: completions of the back end, and the end of a turn. */
void nacre_pump_received(struct connection *c, struct block *block, size_t len);
void nacre_pump_sent(struct connection *c, size_t len);
void nacre_pump_failed(struct connection *c, enum nacre_error error);
void nacre_pump_gone(struct connection *c);

/* The application has so many of its events to run that no more are to be made of what others do. */
bool nacre_pump_is_behind(const struct connection *c);

/* Works off the input of those who have not logged in, first come first served, for their share of the turn. */
void nacre_pump_newcomers(struct shard *s);

/* It is among them no more. */
void nacre_pump_no_newcomer(struct connection *c);
void nacre_pump_flush(struct connection *c);

/* sink.c: what a conn tells and asks. */
extern const struct conn_sink nacre_connection_sink;

/* Asks the application about a channel open request; as conn_sink.ask. */
bool nacre_sink_ask_open(struct connection *c, const struct conn_event *v, struct conn_answer *answer);

/* Emits on_log when LogLevel says so; `text` is prefixed with the peer's address. `c` may not be NULL. */
void nacre_connection_log(struct connection *c, int level, const char *text);

/* channel.c: the engine's half of channels. */
struct channel *nacre_channel_of(struct connection *c, uint32_t number);
bool nacre_channel_reserve(struct connection *c, uint32_t number); /* makes c->ends reach to it; false: out of memory */
struct channel *nacre_channel_add(struct connection *c, uint32_t number,
                                  struct span service); /* NULL: out of memory or slots */
void nacre_channel_opened(struct channel *ch);
void nacre_channel_sent(struct channel *ch, size_t bytes);
void nacre_channel_clog(
    struct channel *ch); /* when what it has to send takes too much memory: no room till it is less */
void nacre_channel_shut(struct channel *ch);                       /* no more can be sent; wakes who waits */
void nacre_channel_closed(struct channel *ch);                     /* the conn is done with it */
void nacre_channel_emit(struct channel *ch, enum event_type type); /* an event that says no more than which channel */
void nacre_channel_end_all(struct connection *c);                  /* the connection has ended */
/* It gathers its record in `b` from now on (NULL: in nothing); the connection answers for what that takes. */
void nacre_channel_gather(struct channel *ch, struct block *b);
void nacre_channel_remove(struct channel *ch); /* its last event is done, or it never had one */
void nacre_channel_drop_all(struct connection *c);

/* answer.c: questions, and what comes back from handlers. */

/* Records the question `e` before it goes out, with a serial of its own. `asked_as`: the conn's, 0 for one of the
 * engine's own. False: out of memory. */
bool nacre_question_add(struct connection *c, struct event *e, uint64_t asked_as);
void nacre_question_expire(struct connection *c); /* refuses those whose time is over */
void nacre_question_drop_all(struct connection *c);

/* An event has come back: carries out its answer and frees it. The connection may be gone afterwards. */
void nacre_answer_event(struct connection *c, struct event *e);

/* nacre_answer(): consumes `answer`. TICKET: there is no such question. */
enum nacre_error nacre_answer_deferred(struct connection *c, uint64_t serial, struct nacre_answer_copy *answer);

#endif
