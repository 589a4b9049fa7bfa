/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_reset(): the server as nacre_create() made it, but for its handlers and worker threads. */
#include <stdlib.h>
#include <string.h>

#include "engine/clients.h"
#include "engine/server.h"

static void drop_certs(struct nacre_server *server)
{
    for (int i = 0; i < 1 + ALT_CERTS_MAX; i++)
        nacre_cert_free(&server->certs[i]);
    server->alt_count = 0;
}

static void drop_prompts(struct nacre_server *server)
{
    for (int i = 0; i < server->prompt_count; i++) {
        free(server->prompts[i].text);
        server->prompts[i] = (struct prompt){NULL, false};
    }
    server->prompt_count = 0;
}

static enum nacre_error reset(struct nacre_server *server)
{
    struct settings fresh;
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    if (crypto == NULL || !nacre_settings_init(&fresh, crypto)) {
        if (crypto != NULL)
            nacre_settings_free(&fresh);
        nacre_crypto_unref(crypto);
        return NACRE_E_NOBUFS;
    }
    nacre_crypto_unref(server->crypto);
    server->crypto = crypto;
    nacre_settings_free(&server->settings);
    server->settings = fresh;
    memcpy(server->algorithm_profile, "compatible", sizeof "compatible");
    server->io_asked = NULL; /* workers that stand stay on theirs */
    free(nacre_clients_exchange(server, false, NULL));
    free(nacre_clients_exchange(server, true, NULL));
    drop_certs(server);
    drop_prompts(server);
    nacre_buf_free(&server->user_authorities);
    nacre_buf_free(&server->known_authorities);
    /* Workers have nobody now: without memory they hear of it when listening starts. */
    (void)nacre_server_changed(server);
    return NACRE_OK;
}

int nacre_reset(nacre_server *server)
{
    int e = nacre_shutdown(server);
    if (e != NACRE_OK)
        return e;
    nacre_mutex_lock(&server->lock);
    enum nacre_error done = reset(server);
    nacre_mutex_unlock(&server->lock);
    return done == NACRE_OK ? nacre_succeed() : nacre_fail(done, NULL);
}
