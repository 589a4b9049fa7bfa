/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of failing system calls share. */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include "backend/driver.h"
#include "calls/twist.h"
#include "support/client.h"
#include "support/server.h"

/* A server, not yet started, over the back end of that row. */
struct server *calls_server(size_t row);

/* The row is the scripted back end, which makes no system calls: the test is skipped. */
void calls_need_system(size_t row);

#endif
