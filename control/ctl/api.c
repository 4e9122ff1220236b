/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "control/ctl/login.h"

/* The signer may make an RSA key in a token meanwhile. */
#define TIMEOUT_SECONDS 120
/* More than control.prepare_time can be. */
#define PUBLICATION_SECONDS 900
/* A chain has at most 256 KiB (docs/api/zia.md); the server says so of what is a little larger. */
#define MAX_UPLOAD (512U << 10)

/* What to do next, by the server's code. */
static const struct {
    const char *code, *advice;
} advices[] = {
    {"RESOURCE_NOT_FOUND", "'mintgatectl intermediate list' shows what there is."},
    {"INVALID_OPERATION", "'mintgatectl intermediate show' tells the state and the next step."},
    {"DUPLICATE_ITEM", "Choose another name."},
    {"EDIT_LOCK_NOT_AVAILABLE", "Another change of the default is under way: try again in a few seconds."},
    {"ENGINE_NOT_READY", "'mintgatectl status' shows the engines; --force goes on without them."},
    {"APPROVAL_REQUIRED", "'mintgatectl ska request' shows it; when it is APPROVED, do the same again."},
    {"SERVICE_UNAVAILABLE", "See 'systemctl status' of signer and engine, then try again."},
    {"FORBIDDEN", "Only administrators may."},
    {"SCOPE_LIMITED", "Run mintgatectl as root, or as a user with that role."},
    {"SESSION_NOT_VALID", "Run mintgatectl as root, or as a user that control knows."},
};

static const char *advice_of(const char *code)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(advices); i++) {
        if (strcmp(advices[i].code, code) == 0) {
            return advices[i].advice;
        }
    }
    return "";
}

static bool is_good(const struct client_answer *answer)
{
    return answer->code >= 200 && answer->code < 300;
}

/* refuse makes a sentence of an answer that is an error. */
static enum mg_status refuse(const struct client_answer *answer, struct mg_error *error)
{
    json_t *problem = json_loads((const char *)answer->body.data, 0, NULL);
    const json_t *odata = json_object_get(problem, "error"); /* the shape of SAP's family */
    const char *message =
        odata == NULL ? ctl_text(problem, "message") : ctl_text(json_object_get(odata, "message"), "value");
    const char *code = ctl_text(odata == NULL ? problem : odata, "code");
    if (message[0] == '\0') { /* the NAVER family's shapes: its own, and the gateway's */
        message = ctl_text(problem, "msg");
        message = message[0] == '\0' ? ctl_text(json_object_get(problem, "error"), "details") : message;
    }
    const char *advice = advice_of(code);
    char unnamed[64];
    snprintf(unnamed, sizeof(unnamed), "the control plane answers %ld %s", answer->code, code);
    (void)mg_error_set(error, MG_DENIED, "%s%s%s", message[0] == '\0' ? unnamed : message,
                       advice[0] == '\0' ? "" : "\n", advice);
    json_decref(problem);
    return MG_DENIED;
}

/* call asks and refuses what is no success. */
static enum mg_status call(struct ctl *ctl, struct client_request *request, struct client_answer *out,
                           struct mg_error *error)
{
    enum mg_status status = login_reach(ctl, request, error);
    if (status == MG_OK) {
        status = client_call(request, out, error);
    }
    if (status == MG_OK && !is_good(out)) {
        status = refuse(out, error);
        client_answer_free(out);
    }
    return status;
}

/* call_json is call for an answer that is JSON or nothing. */
static enum mg_status call_json(struct ctl *ctl, struct client_request *request, json_t **out, struct mg_error *error)
{
    struct client_answer answer;
    json_error_t why;
    enum mg_status status = call(ctl, request, &answer, error);
    if (status != MG_OK) {
        return status;
    }
    const char *text = (const char *)answer.body.data;
    *out = text[0] == '\0' ? json_null() : json_loads(text, JSON_REJECT_DUPLICATES, &why);
    client_answer_free(&answer);
    return *out != NULL ? MG_OK
                        : mg_error_set(error, MG_INTERNAL, "%s: the answer is no JSON: %s", request->path, why.text);
}

enum mg_status api_ask(struct ctl *ctl, const char *method, const char *path, const json_t *body, json_t **out,
                       struct mg_error *error)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    if (body != NULL && text == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = api_ask_text(ctl, method, path, text, out, error);
    free(text);
    return status;
}

enum mg_status api_ask_text(struct ctl *ctl, const char *method, const char *path, const char *body, json_t **out,
                            struct mg_error *error)
{
    struct client_request request = {.method = method, .path = path, .body = body, .timeout_seconds = TIMEOUT_SECONDS};
    return call_json(ctl, &request, out, error);
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

enum mg_status api_path(char out[API_MAX_PATH], const char *base, const char *name, const char *rest,
                        struct mg_error *error)
{
    struct mg_buffer path;
    mg_buffer_wrap(&path, out, API_MAX_PATH);
    mg_buffer_append_text(&path, base);
    mg_buffer_append_u8(&path, '/');
    for (const char *at = name; *at != '\0'; at++) {
        if (is_alphanumeric(*at)) {
            mg_buffer_append_u8(&path, (uint8_t)*at);
        } else {
            mg_buffer_append_format(&path, "%%%02X", (uint8_t)*at);
        }
    }
    mg_buffer_append_text(&path, rest);
    mg_buffer_append_u8(&path, '\0');
    return mg_buffer_ok(&path) ? MG_OK : mg_error_set(error, MG_INVALID, "%s: is too long for a name", name);
}

enum mg_status api_ask_watched(struct ctl *ctl, const char *method, const char *path, void (*while_waiting)(void *arg),
                               void *arg, json_t **out, struct mg_error *error)
{
    struct client_request request = {.method = method,
                                     .path = path,
                                     .timeout_seconds = PUBLICATION_SECONDS,
                                     .while_waiting = while_waiting,
                                     .arg = arg};
    return call_json(ctl, &request, out, error);
}

enum mg_status api_upload(struct ctl *ctl, const char *path, const char *name, json_t **out, struct mg_error *error)
{
    struct mg_buffer content;
    const char *slash = strrchr(name, '/');
    mg_buffer_init(&content, MAX_UPLOAD);
    enum mg_status status = mg_file_read(name, &content, error);
    if (status == MG_OK) {
        struct client_request request = {
            .method = "POST",
            .path = path,
            .upload = {.name = slash == NULL ? name : slash + 1, .content = mg_buffer_slice(&content)},
            .timeout_seconds = TIMEOUT_SECONDS};
        status = call_json(ctl, &request, out, error);
    }
    mg_buffer_free(&content);
    return status;
}

enum mg_status api_download(struct ctl *ctl, const char *path, struct mg_buffer *out, struct mg_error *error)
{
    struct client_request request = {.method = "GET", .path = path, .timeout_seconds = TIMEOUT_SECONDS};
    struct client_answer answer;
    enum mg_status status = call(ctl, &request, &answer, error);
    if (status == MG_OK) {
        *out = answer.body;
    }
    return status;
}
