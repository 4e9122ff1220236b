/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/login.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "control/ctl/api.h"
#include "control/ctl/secret_input.h"

#define TIMEOUT_SECONDS 30
#define MAX_BODY 2048
#define HTTPS "https://"

/* keep_session takes the session out of the answer to a login. */
static enum mg_status keep_session(struct ctl *ctl, const struct client_answer *answer, struct mg_error *error)
{
    json_t *json = json_loads((const char *)answer->body.data, JSON_REJECT_DUPLICATES, NULL);
    const char *session = ctl_text(json, "session"), *message = ctl_text(json, "message");
    size_t len = strlen(session);
    enum mg_status status = MG_OK;
    if (answer->code == 429) {
        status = mg_error_set(error, MG_DENIED, "login: too many failed ones: try again in a minute");
    } else if (answer->code != 200) {
        status = mg_error_set(error, MG_DENIED, "login: refused: %s", message);
    } else if (len == 0 || len >= sizeof(ctl->session) || strspn(session, "0123456789abcdef") != len) {
        status = mg_error_set(error, MG_INTERNAL, "login: the answer names no session");
    } else {
        memcpy(ctl->session, session, len + 1);
    }
    json_decref(json);
    return status;
}

static enum mg_status ask_for_session(struct ctl *ctl, const char *body, struct mg_error *error)
{
    const struct client_request request = {.url = ctl->url,
                                           .ca_file = ctl->ca_file,
                                           .method = "POST",
                                           .path = API_MINTGATE "/session",
                                           .body = body,
                                           .timeout_seconds = TIMEOUT_SECONDS};
    struct client_answer answer;
    enum mg_status status = client_call(&request, &answer, error);
    if (status == MG_OK) {
        status = keep_session(ctl, &answer, error);
        mg_secret_wipe(answer.body.data, answer.body.len);
        client_answer_free(&answer);
    }
    return status;
}

static enum mg_status log_in(struct ctl *ctl, struct mg_error *error)
{
    char password[SECRET_INPUT_MAX + 1];
    struct mg_buffer body;
    enum mg_status status = secret_input_read("password", password, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_secret_buffer_init(&body, MAX_BODY)) {
        status = mg_error_set(error, MG_MEMORY, "out of memory");
    } else {
        mg_json_begin_object(&body, NULL);
        mg_json_string(&body, "name", ctl->user);
        mg_json_string(&body, "password", password);
        mg_json_end_object(&body);
        mg_buffer_append_u8(&body, '\0');
        status = mg_buffer_ok(&body) ? ask_for_session(ctl, (const char *)body.data, error)
                                     : mg_error_set(error, MG_INVALID, "--login: is too long");
        mg_secret_free(&body);
    }
    mg_secret_wipe(password, sizeof(password));
    return status;
}

enum mg_status login_reach(struct ctl *ctl, struct client_request *request, struct mg_error *error)
{
    if (ctl->url == NULL) {
        return ctl->user == NULL && ctl->ca_file == NULL
                   ? ctl_socket(ctl, &request->socket, error)
                   : mg_error_set(error, MG_INVALID, "--login and --ca go with --url");
    }
    if (strncmp(ctl->url, HTTPS, strlen(HTTPS)) != 0 || ctl->socket != NULL || ctl->user == NULL) {
        return mg_error_set(error, MG_INVALID, "--url: must begin with " HTTPS ", needs --login NAME and no --socket");
    }
    enum mg_status status = ctl->session[0] != '\0' ? MG_OK : log_in(ctl, error);
    request->url = ctl->url;
    request->ca_file = ctl->ca_file;
    request->session = ctl->session;
    return status;
}

void login_end(struct ctl *ctl)
{
    struct client_request request = {.url = ctl->url,
                                     .ca_file = ctl->ca_file,
                                     .session = ctl->session,
                                     .method = "DELETE",
                                     .path = API_MINTGATE "/session",
                                     .timeout_seconds = TIMEOUT_SECONDS};
    struct client_answer answer;
    if (ctl->session[0] != '\0' && client_call(&request, &answer, NULL) == MG_OK) {
        client_answer_free(&answer);
    }
    mg_secret_wipe(ctl->session, sizeof(ctl->session));
}
