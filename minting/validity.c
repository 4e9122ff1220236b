/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/validity.h"

#include <stddef.h>

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t validity_client_limit(int64_t time)
{
    static const struct {
        int64_t from; /* issued at or after */
        int64_t days;
    } limits[] = {
        {INT64_C(1868227200), 47},  /* 2029-03-15 */
        {INT64_C(1805068800), 100}, /* 2027-03-15 */
        {INT64_C(1773532800), 200}, /* 2026-03-15 */
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(limits); i++) {
        if (time >= limits[i].from) {
            return limits[i].days * VALIDITY_SECONDS_PER_DAY;
        }
    }
    return 398 * VALIDITY_SECONDS_PER_DAY; /* 2020-09-01 */
}

/* cut shortens |window| to |limit| seconds without changing what it says about |now|. */
static void cut(struct validity *window, int64_t limit, int64_t now)
{
    if (window->not_after - window->not_before + 1 <= limit) {
        return;
    }
    if (now > window->not_after) {
        window->not_before = window->not_after - limit + 1;
        return;
    }
    if (now >= window->not_before) {
        /* Half of a very small limit is left for the future. */
        window->not_before = max(window->not_before, now - min(VALIDITY_BACKDATE_SECONDS, limit / 2));
    }
    window->not_after = min(window->not_after, window->not_before + limit - 1);
}

enum mg_status validity_decide(struct validity *out, struct validity server, struct validity issuer, int64_t now,
                               int64_t max_seconds, bool must_be_valid, struct mg_error *error)
{
    struct validity window = {
        .not_before = max(server.not_before, issuer.not_before),
        .not_after = min(server.not_after, issuer.not_after),
    };
    if (window.not_before > window.not_after) {
        int64_t nearest = max(issuer.not_before, min(server.not_after, issuer.not_after));
        window = (struct validity){nearest, nearest};
    }
    /* Clients go by notBefore; one in the past would only allow more. */
    int64_t client_limit = validity_client_limit(max(now, window.not_before));
    cut(&window, min(max_seconds, client_limit), now);
    if (must_be_valid && (now < window.not_before || now > window.not_after)) {
        return mg_error_set(error, MG_DENIED, "leaf: the server's certificate or the issuer's is %s",
                            now < window.not_before ? "not yet valid" : "expired");
    }
    *out = window;
    return MG_OK;
}
