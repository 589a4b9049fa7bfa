/* SPDX-License-Identifier: Apache-2.0 */
/* A start that fails for want of threads, whichever it is, while another thread is in do_events: it touches nothing
 * that is taken down again, the next start works, and nothing that a worker had to say is waited for. And one beside
 * which a list of clients is set: the new one holds. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "served.h"

enum {
    ROUNDS = 300,
    THREADS = 1 + 4 + 8 /* of the engine, at least: offload, look-ups, workers */
};

/* The linker sends the library's calls here (--wrap). */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument);

int __real_epoll_pwait2(int epoll, struct epoll_event *events, int most, const struct timespec *until,
                        const sigset_t *set);
int __wrap_epoll_pwait2(int epoll, struct epoll_event *events, int most, const struct timespec *until,
                        const sigset_t *set);

static int left = THREADS;  /* until one cannot be had; only who starts the server looks */
static atomic_int troubles; /* waits that are to fail */
static atomic_int troubled; /* that did */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument)
{
    if (left-- > 0)
        return __real_pthread_create(thread, how, run, argument);
    for (int i = 0; i < 20 && atomic_load(&troubles) > 0; i++)
        usleep(1000); /* a worker that stands has its trouble meanwhile */
    return EAGAIN;
}

int __wrap_epoll_pwait2(int epoll, struct epoll_event *events, int most, const struct timespec *until,
                        const sigset_t *set)
{
    if (atomic_load(&troubles) <= 0)
        return __real_epoll_pwait2(epoll, events, most, until, set);
    atomic_fetch_sub(&troubles, 1);
    atomic_fetch_add(&troubled, 1);
    errno = ENOMEM;
    return -1;
}

/* ---- threads --------------------------------------------------------------------------------------------------- */

static void run_out_of_threads(void)
{
    static const struct nacre_handlers handlers = {.on_connected = NULL};
    struct served s;
    served_create(&s, &handlers, "WorkerThreads=8");
    check(nacre_config(s.nacre, "SelectWaitMillis=1", NULL, 0) == 0, "setting");
    served_turn_events(&s);
    for (int i = 0; i < ROUNDS; i++) {
        left = i % THREADS;
        check(nacre_start_listening(s.nacre) == NACRE_E_PROCLIM, nacre_last_error(s.nacre));
    }
    left = 1000;
    check(nacre_start_listening(s.nacre) == 0, nacre_last_error(s.nacre));
    served_end(&s);
}

static void ignore(nacre_server *n, struct nacre_error_event *e, void *context)
{
    (void)n;
    (void)e;
    (void)context;
}

/* Fails when what a worker reported before it was taken down is counted as something that is yet to be told. */
static void have_trouble(void)
{
    static const struct nacre_handlers handlers = {.on_error = ignore};
    struct served s;
    served_create(&s, &handlers, "WorkerThreads=8");
    for (int i = 0; atomic_load(&troubled) == 0; i++) { /* until one of them stands */
        left = i;
        atomic_store(&troubles, 1);
        check(nacre_start_listening(s.nacre) == NACRE_E_PROCLIM, nacre_last_error(s.nacre));
        check(nacre_set_handlers(s.nacre, &handlers, NULL) == 0, nacre_last_error(s.nacre));
    }
    atomic_store(&troubles, 0);
    left = 1000;
    check(nacre_start_listening(s.nacre) == 0, nacre_last_error(s.nacre));
    served_turn_events(&s);
    served_end(&s);
}

/* ---- a list ---------------------------------------------------------------------------------------------------- */

/* Of the name "office.invalid", when the test is ready; others are the system's to know. */
int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out);

static atomic_bool is_slow, looking, answers;
static atomic_int accepted = -1;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    bool is_office = host != NULL && strcmp(host, "office.invalid") == 0;
    if (is_office && atomic_load(&is_slow)) {
        atomic_store(&looking, true);
        while (!atomic_load(&answers))
            usleep(1000);
    }
    return __real_getaddrinfo(is_office ? "127.0.0.1" : host, port, hints, out);
}

static void on_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    (void)n;
    (void)context;
    atomic_store(&accepted, e->accept ? 1 : 0);
}

static void *start(void *nacre)
{
    check(nacre_start_listening(nacre) == 0, "start");
    return NULL;
}

static void dial(nacre_server *n)
{
    int port, fd = socket(AF_INET, SOCK_STREAM, 0);
    check(nacre_get_local_port(n, &port) == 0 && fd >= 0, "port");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
    while (atomic_load(&accepted) < 0)
        usleep(1000);
    close(fd);
}

static void change_a_list(void)
{
    static const struct nacre_handlers handlers = {.on_connection_request = on_request};
    struct served s;
    pthread_t thread;
    served_create(&s, &handlers, "AllowedClients=office.invalid");
    served_turn_events(&s);
    atomic_store(&is_slow, true);
    check(__real_pthread_create(&thread, NULL, start, s.nacre) == 0, "thread");
    while (!atomic_load(&looking))
        usleep(1000);
    check(nacre_config(s.nacre, "AllowedClients=10.9.9.9", NULL, 0) == 0, nacre_last_error(s.nacre));
    atomic_store(&answers, true);
    pthread_join(thread, NULL);
    dial(s.nacre);
    check(atomic_load(&accepted) == 0, "the list of before holds");
    served_end(&s);
}

int main(void)
{
    run_out_of_threads();
    have_trouble();
    change_a_list();
    return EXIT_SUCCESS;
}
