/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers that both forms of the report show, computed once. NAN: not measured or without meaning in this mode. */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include "report.h"

struct figures {
    double storm_logins_per_second; /* NAN: no storm */
    double seconds;                 /* from the gate to the last operation */
    double operations_per_second;
    double in_per_second, out_per_second; /* bytes */
    double server_cpu_seconds;            /* during the measurement */
    double server_cpu_per_operation;
    double server_cpu_per_gib;   /* both directions added */
    double server_cpu_per_login; /* while connecting before the measurement */
    double server_cpu_held;      /* while holding, per second */
    double pss_per_connection, private_per_connection, rss_per_connection;
};

struct figures bench_figures(const struct result *r);

#endif
