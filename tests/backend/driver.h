/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends under test, each with what the far end of its connections needs: a row more is a back end more. */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "engine/io.h"

struct fake_peer;

/* The far end of a connection. */
struct far {
    int fd;
    struct fake_peer *peer;
};

struct driver {
    const struct io_backend *ops;
    io_socket (*listener)(struct io_address *at);
    io_socket (*unconnected)(const struct io_address *to);
    /* An address that refuses: at once, or as a peer does; nowhere_end() frees what that took. */
    struct io_address (*nowhere)(bool at_once);
    void (*nowhere_end)(void);
    /* An address that never answers; silent_end() frees what that took. */
    struct io_address (*silent)(void);
    void (*silent_end)(void);
    struct far (*pair)(io_socket *near);
    struct far (*dial)(io_socket listener);
    struct far (*accept)(io_socket listener);
    bool (*feed)(struct far f, const void *bytes, size_t len);
    /* Waits up to `ms` for bytes; 0: none came, or the other side's FIN or end. */
    size_t (*take)(struct far f, void *at, size_t room, int ms);
    bool (*got_fin)(struct far f); /* nothing is left to take */
    void (*fin)(struct far f);
    void (*reset)(struct far f);
    bool (*resets)(void); /* whether reset() arrives as such, and not as FIN; NULL: it does */
    /* Lets the connection hold few bytes, so that sends are short and wait. */
    void (*narrow)(struct far f, io_socket near);
    void (*let_go)(struct far f);
    void (*close)(io_socket s);
    size_t (*sockets)(void); /* open ones, all of the process */
    /* Accepting fails with MFILE, until starve(false). NULL: nothing can make it fail. */
    void (*starve)(io_socket listener, bool on);
    /* Waiting fails, until deafen(false). NULL: nothing can make it fail. */
    void (*deafen)(const struct io *io, bool on);
};

extern const struct driver driver_fake;
/* Those of this system, with NULL at the end. */
extern const struct driver *const system_drivers[];

/* Sees to it that the process may have that many sockets; false: it may not. */
bool driver_has_room(size_t sockets);

/* The rows by number, for Criterion. */
struct criterion_test_params driver_rows(void);
const struct driver *driver_at(size_t row);

/* NACRE_TEST_DRIVER names the one that is wanted; without it all are. */
bool driver_is_wanted(const struct driver *d);

/* A case that runs on every back end; `row` says which. */
#define CASE(suite, name)                                                                                              \
    ParameterizedTestParameters(suite, name)                                                                           \
    {                                                                                                                  \
        return driver_rows();                                                                                          \
    }                                                                                                                  \
    ParameterizedTest(size_t *row, suite, name)

#endif
