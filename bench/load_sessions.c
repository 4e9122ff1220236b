/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_sessions.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

bool load_sessions_init(struct load_sessions *sessions, uint64_t num_names)
{
    sessions->of_name = calloc(num_names, sizeof(*sessions->of_name));
    sessions->num_names = sessions->of_name != NULL ? num_names : 0;
    return sessions->of_name != NULL;
}

void load_sessions_free(struct load_sessions *sessions)
{
    for (uint64_t i = 0; i < sessions->num_names; i++) {
        for (size_t j = 0; j < LOAD_SESSIONS_EACH; j++) {
            SSL_SESSION_free(sessions->of_name[i][j]);
        }
    }
    free(sessions->of_name);
    *sessions = (struct load_sessions){.num_names = 0};
}

SSL_SESSION *load_sessions_take(struct load_sessions *sessions, uint64_t name)
{
    if (name >= sessions->num_names || sessions->of_name[name][0] == NULL) {
        return NULL;
    }
    SSL_SESSION **kept = sessions->of_name[name], *newest = kept[0];
    if (!SSL_SESSION_should_be_single_use(newest)) {
        SSL_SESSION_up_ref(newest);
        return newest;
    }
    memmove(kept, kept + 1, (LOAD_SESSIONS_EACH - 1) * sizeof(*kept));
    kept[LOAD_SESSIONS_EACH - 1] = NULL;
    return newest;
}

bool load_sessions_keep(struct load_sessions *sessions, uint64_t name, SSL_SESSION *session)
{
    if (name >= sessions->num_names) {
        return false;
    }
    SSL_SESSION **kept = sessions->of_name[name];
    SSL_SESSION_free(kept[LOAD_SESSIONS_EACH - 1]);
    memmove(kept + 1, kept, (LOAD_SESSIONS_EACH - 1) * sizeof(*kept));
    kept[0] = session;
    return true;
}
