/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/issuer_publisher.h"

#include <pthread.h>
#include <stdlib.h>

#include "hsm/signing_loop.h"

struct issuer_publisher {
    pthread_mutex_t lock;
    struct issuer_set *set; /* under |lock| */
    struct signing_loop *loops[ISSUER_PUBLISHER_MAX_LOOPS];
    size_t num_loops;
};

enum mg_status issuer_publisher_new(struct issuer_publisher **out, struct issuer_set *set, struct mg_error *error)
{
    struct issuer_publisher *publisher = calloc(1, sizeof(*publisher));
    if (publisher == NULL) {
        issuer_set_free(set);
        return mg_error_set(error, MG_MEMORY, "no memory for the issuers");
    }
    pthread_mutex_init(&publisher->lock, NULL);
    publisher->set = set;
    *out = publisher;
    return MG_OK;
}

void issuer_publisher_free(struct issuer_publisher *publisher)
{
    if (publisher != NULL) {
        issuer_set_free(publisher->set);
        pthread_mutex_destroy(&publisher->lock);
        free(publisher);
    }
}

enum mg_status issuer_publisher_add_loop(struct issuer_publisher *publisher, struct signing_loop *loop,
                                         struct mg_error *error)
{
    if (publisher->num_loops == ISSUER_PUBLISHER_MAX_LOOPS) {
        return mg_error_set(error, MG_LIMIT, "more than %d signing threads", ISSUER_PUBLISHER_MAX_LOOPS);
    }
    publisher->loops[publisher->num_loops++] = loop;
    return MG_OK;
}

struct issuer_set *issuer_publisher_get(struct issuer_publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    struct issuer_set *set = issuer_set_up_ref(publisher->set);
    pthread_mutex_unlock(&publisher->lock);
    return set;
}

void issuer_publisher_publish(struct issuer_publisher *publisher, struct issuer_set *set)
{
    pthread_mutex_lock(&publisher->lock);
    struct issuer_set *old = publisher->set;
    publisher->set = set;
    pthread_mutex_unlock(&publisher->lock);
    for (size_t i = 0; i < publisher->num_loops; i++) {
        signing_loop_set_issuers(publisher->loops[i], set);
    }
    issuer_set_free(old);
}
