/* SPDX-License-Identifier: Apache-2.0 */
/* What the servers of these tests have in common. They stand on the public interface alone, listen on a free port of
 * 127.0.0.1 and say which: "listening on 127.0.0.1:PORT". */
#ifndef TESTS_INTEROP_SMALL_SERVER_H
#define TESTS_INTEROP_SMALL_SERVER_H

#include "nacre/nacre.h"

/* Handlers: sessions may be opened, and commands run in them; each prints "welcome" and ends well. */
void small_open(nacre_server *server, struct nacre_ssh_channel_open_request *e, void *context);
void small_request(nacre_server *server, struct nacre_ssh_channel_request *e, void *context);
void small_welcome(nacre_server *server, struct nacre_ssh_channel_requested *e, void *context);

/* Starts to listen, and says where; the server has a key by then. */
int small_listen(nacre_server *server, const struct nacre_handlers *handlers);

/* A whole main(): a server with a new key, made ready by prepare() (NULL: nothing to do) and by the settings that the
 * arguments are, runs until it is killed. Returns 1, having said why, when it cannot. */
int small_main(int argc, char **argv, const struct nacre_handlers *handlers, int (*prepare)(nacre_server *server));

#endif
