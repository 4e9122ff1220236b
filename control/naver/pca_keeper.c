/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

struct pca_keeper {
    struct pca *pca;
    pthread_t thread;
    pthread_mutex_t lock; /* of |stopping| */
    pthread_cond_t stop;
    bool stopping;
};

/* wait_for waits |seconds|; false: it is time to stop. */
static bool wait_for(struct pca_keeper *keeper, unsigned seconds)
{
    uint64_t until_ns = mg_clock_monotonic_ns() + seconds * MG_NS_PER_SECOND;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / MG_NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % MG_NS_PER_SECOND)};
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping && pthread_cond_timedwait(&keeper->stop, &keeper->lock, &until) != ETIMEDOUT) {
    }
    bool goes_on = !keeper->stopping;
    pthread_mutex_unlock(&keeper->lock);
    return goes_on;
}

/* keep does what is due, one after the other, and returns for how long to wait then. */
static unsigned keep(struct pca_keeper *keeper)
{
    struct mg_error error = {""};
    enum mg_status status;
    while ((status = pca_keep(keeper->pca, mg_clock_wall_us(), &error)) == MG_OK && wait_for(keeper, 0)) {
    }
    if (status == MG_OK || status == MG_NOT_FOUND) {
        return 1;
    }
    mg_log_warning("private CAs: what is due is done later: %s", error.text);
    return PCA_KEEPER_RETRY_SECONDS;
}

static void *keeper_main(void *arg)
{
    struct pca_keeper *keeper = arg;
    pthread_setname_np(pthread_self(), "pca-keeper");
    while (wait_for(keeper, keep(keeper))) {
    }
    return NULL;
}

static void free_keeper(struct pca_keeper *keeper)
{
    pthread_cond_destroy(&keeper->stop);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

enum mg_status pca_keeper_start(struct pca_keeper **out, struct pca *pca, struct mg_error *error)
{
    struct pca_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&keeper->lock, NULL);
    keeper->pca = pca;
    if (pthread_create(&keeper->thread, NULL, keeper_main, keeper) != 0) {
        free_keeper(keeper);
        return mg_error_set(error, MG_INTERNAL, "cannot start a thread");
    }
    *out = keeper;
    return MG_OK;
}

void pca_keeper_stop(struct pca_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->stop);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    free_keeper(keeper);
}
