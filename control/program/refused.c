/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/refused.h"

#include <stdio.h>

#include "control/admin/administration.h"
#include "control/service/request_call.h"

/* Somebody who has not proved to be anybody has no role. */
static struct control_actor stranger(const struct http_caller *caller, const char *name)
{
    return (struct control_actor){.name = name, .source = caller->is_local ? "unix" : caller->address};
}

enum mg_status refused_use_up(void *arg, const struct http_caller *caller, const char *user, struct mg_error *error)
{
    const struct refused *refused = arg;
    char name[HTTP_MAX_NAME + 8];
    snprintf(name, sizeof(name), "user:%s", user);
    const struct administration_call call = {
        .store = refused->store, .actor = stranger(caller, name), .now_us = caller->wall_us};
    return administration_use_up(&call, user, error);
}

void refused_login(void *arg, const struct http_caller *caller, const char *who)
{
    const struct refused *refused = arg;
    const struct refusal refusal = {
        .actor = stranger(caller, who[0] == '\0' ? "unknown" : who),
        .operation = "login",
        .object = "",
        .wall_us = caller->wall_us,
        .monotonic_ns = caller->monotonic_ns,
    };
    refusals_record(refused->refusals, &refusal);
}

void refused_request(void *arg, const struct http_request *request)
{
    const struct refused *refused = arg;
    char path[REFUSALS_MAX_OBJECT + 1];
    snprintf(path, sizeof(path), "%.*s",
             (int)(request->path.len < REFUSALS_MAX_OBJECT ? request->path.len : REFUSALS_MAX_OBJECT),
             (const char *)request->path.data);
    const struct refusal refusal = {
        .actor = request_actor(request),
        .operation = http_method_name(request->method),
        .object = path,
        .wall_us = request->caller.wall_us,
        .monotonic_ns = request->caller.monotonic_ns,
    };
    refusals_record(refused->refusals, &refusal);
}
