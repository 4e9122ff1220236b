/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/server_trust.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache/rcu.h"

struct server_trust {
    struct intermediates *learned;
    pthread_mutex_t lock; /* of the next three, and among writers */
    struct trust_base *base;
    struct trusted *store; /* the last that came of the name that is wanted; NULL: none yet */
    uint64_t generation;
    struct trust *present; /* RCU; under the lock: wo, all: ro */
};

enum mg_status server_trust_new(struct server_trust **out, struct intermediates *learned)
{
    struct server_trust *trust = calloc(1, sizeof(*trust));
    if (trust == NULL) {
        return MG_MEMORY;
    }
    trust->learned = learned;
    pthread_mutex_init(&trust->lock, NULL);
    *out = trust;
    return MG_OK;
}

void server_trust_free(struct server_trust *trust)
{
    if (trust == NULL) {
        return;
    }
    trust_free(trust->present);
    trusted_unref(trust->store);
    trust_base_free(trust->base);
    pthread_mutex_destroy(&trust->lock);
    free(trust);
}

/* install makes a snapshot of |base| and |store| the present one; *old is what it was. The lock is held. */
static enum mg_status install(struct server_trust *trust, const struct trust_base *base, struct trusted *store,
                              struct trust **old, struct mg_error *error)
{
    struct trust *next;
    enum mg_status status = trust_new(&next, base, store, trust->generation + 1, trust->learned, error);
    if (status != MG_OK) {
        return status;
    }
    trust->generation++;
    *old = trust->present;
    mg_rcu_publish(&trust->present, next);
    return MG_OK;
}

/* retire frees |old| when nobody verifies by it any more. The lock is not held: whoever waits for it is online. */
static void retire(struct trust *old)
{
    if (old != NULL) {
        mg_rcu_synchronize();
        trust_free(old);
    }
}

enum mg_status server_trust_configure(struct server_trust *trust, const struct config_tls *config,
                                      struct mg_error *error)
{
    struct trust_base *base, *old_base = NULL;
    struct trusted *old_store = NULL;
    struct trust *old = NULL;
    enum mg_status status = trust_base_new(&base, config, error);
    if (status != MG_OK) {
        return status;
    }
    pthread_mutex_lock(&trust->lock);
    bool keeps_store = trust->store != NULL && strcmp(trust->store->name, trust_base_store_name(base)) == 0;
    status = install(trust, base, keeps_store ? trust->store : NULL, &old, error);
    if (status == MG_OK) {
        old_base = trust->base;
        trust->base = base;
        if (!keeps_store) {
            old_store = trust->store;
            trust->store = NULL;
        }
    }
    pthread_mutex_unlock(&trust->lock);
    trust_base_free(status == MG_OK ? old_base : base);
    trusted_unref(old_store);
    retire(old);
    return status;
}

enum mg_status server_trust_take(struct server_trust *trust, struct trusted *store)
{
    struct trust *old = NULL;
    struct trusted *old_store = NULL;
    pthread_mutex_lock(&trust->lock);
    bool is_wanted = strcmp(trust_base_store_name(trust->base), store->name) == 0;
    enum mg_status status = is_wanted ? install(trust, trust->base, store, &old, NULL) : MG_NOT_FOUND;
    if (status == MG_OK) {
        old_store = trust->store;
        trust->store = store;
    }
    pthread_mutex_unlock(&trust->lock);
    trusted_unref(old_store);
    retire(old);
    return status;
}

void server_trust_store_name(struct server_trust *trust, char out[WIRE_STORE_MAX_NAME + 1])
{
    pthread_mutex_lock(&trust->lock);
    memcpy(out, trust_base_store_name(trust->base), WIRE_STORE_MAX_NAME + 1);
    pthread_mutex_unlock(&trust->lock);
}

const struct trust *server_trust_get0(const struct server_trust *trust)
{
    return mg_rcu_load(&trust->present);
}

/* ---- looking ---- */

void server_trust_metrics(const struct server_trust *trust, struct mg_buffer *out)
{
    struct trust_report report;
    trust_report(mg_rcu_load(&trust->present), &report);
    const struct {
        const char *name, *help;
        uint64_t value;
    } gauges[] = {
        {"mintgate_dataplane_trust_generation", "How often what servers are verified by has changed.",
         report.generation},
        {"mintgate_dataplane_trust_file_roots", "Roots of the file tls.trust_store.", report.num_file_roots},
        {"mintgate_dataplane_trust_store_wanted", "1 while the configuration names a trust store.",
         report.store_name[0] != '\0'},
        {"mintgate_dataplane_trust_store_present", "1 while that store is in force; 0: nobody is trusted by it.",
         report.has_store},
        {"mintgate_dataplane_trust_store_epoch", "Its epoch: it grows with each change.", report.epoch},
        {"mintgate_dataplane_trust_store_anchors", "CAs in it.", report.num_anchors},
        {"mintgate_dataplane_trust_store_exact", "Certificates in it that are trusted as a server's own alone.",
         report.num_exact},
        {"mintgate_dataplane_trust_store_unusable", "Certificates in it that cannot be read.", report.num_unusable},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(gauges); i++) {
        mg_metrics_family(out, gauges[i].name, "gauge", gauges[i].help);
        mg_metrics_sample(out, gauges[i].name, "", gauges[i].value);
    }
}

void server_trust_write(const struct server_trust *trust, struct mg_buffer *out)
{
    struct trust_report report;
    trust_report(mg_rcu_load(&trust->present), &report);
    mg_json_uint(out, "generation", report.generation);
    mg_json_uint(out, "fileRoots", report.num_file_roots);
    mg_json_string(out, "store", report.store_name);
    mg_json_bool(out, "storePresent", report.has_store);
    mg_json_uint(out, "epoch", report.epoch);
    mg_json_uint(out, "anchors", report.num_anchors);
    mg_json_uint(out, "exact", report.num_exact);
    mg_json_uint(out, "unusable", report.num_unusable);
}
