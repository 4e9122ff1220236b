/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/health.h"

static void add(json_t *reasons, bool is_so, const char *reason)
{
    if (is_so) {
        (void)json_array_append_new(reasons, json_string(reason));
    }
}

void health_answer(const struct health *health, struct http_response *response)
{
    struct engines_count engines;
    bool has_joined = atomic_load_explicit(&health->has_joined, memory_order_relaxed);
    json_t *reasons = json_array();
    engines_count(health->engines, &engines);
    add(reasons, !signer_client_is_reachable(health->signer), "signer_unreachable");
    add(reasons, engines.num_connected == 0, "no_engine");
    add(reasons, engines.num_behind > 0, "engine_behind");
    if (has_joined && json_array_size(reasons) == 0) {
        json_decref(reasons);
        http_response_json(response, 200, json_pack("{s:s}", "status", "ok"));
    } else {
        http_response_json(response, has_joined ? 200 : 503,
                           json_pack("{s:s, s:o}", "status", has_joined ? "degraded" : "starting", "reasons", reasons));
    }
}
