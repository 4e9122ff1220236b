/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/engine.h"

#include <string.h>

#include "control/ctl/client.h"

/* They answer from memory; a large cache takes a moment to walk. */
#define PAGE_SECONDS 3

enum mg_status page_get(const char *who, const char *socket, const char *path, struct mg_buffer *out,
                        struct mg_error *error)
{
    const struct client_request request = {
        .socket = socket, .method = "GET", .path = path, .timeout_seconds = PAGE_SECONDS};
    struct client_answer answer;
    struct mg_error cause;
    enum mg_status status = client_call(&request, &answer, &cause);
    if (status == MG_AGAIN) {
        return mg_error_set(error, MG_IO, "the %s does not answer: %s", who, cause.text);
    }
    if (status != MG_OK) {
        return mg_error_set(error, status, "the %s: %s", who, cause.text);
    }
    if (answer.code != 200) {
        char *text = (char *)answer.body.data;
        text[strcspn(text, "\r\n")] = '\0';
        (void)mg_error_set(error, MG_DENIED, "the %s answers %ld: %.300s", who, answer.code, text);
        client_answer_free(&answer);
        return MG_DENIED;
    }
    *out = answer.body;
    return MG_OK;
}

enum mg_status engine_get(struct ctl *ctl, const char *path, struct mg_buffer *out, struct mg_error *error)
{
    const struct config *config;
    enum mg_status status = ctl_config(ctl, &config, error);
    if (status == MG_OK && config->metrics.socket[0] == '\0') {
        status =
            mg_error_set(error, MG_DENIED, "metrics.socket: the configuration has none, so the engine tells nothing");
    }
    return status == MG_OK ? page_get("engine", config->metrics.socket, path, out, error) : status;
}

enum mg_status engine_get_json(struct ctl *ctl, const char *path, json_t **out, struct mg_error *error)
{
    struct mg_buffer page;
    json_error_t why;
    enum mg_status status = engine_get(ctl, path, &page, error);
    if (status != MG_OK) {
        return status;
    }
    *out = json_loads((const char *)page.data, JSON_REJECT_DUPLICATES, &why);
    mg_buffer_free(&page);
    return *out != NULL ? MG_OK : mg_error_set(error, MG_INTERNAL, "%s: the answer is no JSON: %s", path, why.text);
}
