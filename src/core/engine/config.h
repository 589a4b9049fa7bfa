/* SPDX-License-Identifier: Apache-2.0 */
/* Inside nacre_config(): a call taken apart, and the settings that have a file of their own. */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "engine/server.h"

enum {
    CONFIG_NAME_MAX = 64
};

struct config_request {
    nacre_server *server;
    char name[CONFIG_NAME_MAX];
    bool indexed;
    int64_t index;
    const char *set; /* NULL: reading */
    char *value;
    size_t size;
    char why[256];
};

/* Fails with "Name: text". */
int nacre_config_refuse(struct config_request *r, enum nacre_error e, const char *text);

/* What is read back after setting too, when the caller wants it. */
int nacre_config_answer(struct config_request *r, const char *text);

/* Keys beside the first, and certificates of host keys (config_certs.c). */
int nacre_config_alt_count(struct config_request *r);
int nacre_config_alt_field(struct config_request *r);
int nacre_config_host_certificate(struct config_request *r);

/* Of one connection, which the index names (config_connection.c). */
int nacre_config_connection_fact(struct config_request *r);
int nacre_config_connection_banner(struct config_request *r);
int nacre_config_connection_prompts(struct config_request *r);

#endif
