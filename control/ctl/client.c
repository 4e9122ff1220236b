/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/client.h"

#include <curl/curl.h>
#include <string.h>

#include "base/secret.h"

/* More than a page of the audit record with the longest details. */
#define MAX_ANSWER (16U << 20)
#define CONNECT_SECONDS 5L
#define LOOK_MS 500

static size_t take(char *data, size_t size, size_t num, void *arg)
{
    struct mg_buffer *body = arg;
    mg_buffer_append(body, data, size * num);
    return mg_buffer_ok(body) ? size * num : 0;
}

/* add_form returns false when memory is short. */
static bool add_form(CURL *curl, const struct client_upload *upload, curl_mime **out)
{
    curl_mime *form = curl_mime_init(curl);
    curl_mimepart *part = form == NULL ? NULL : curl_mime_addpart(form);
    *out = form;
    return part != NULL && curl_mime_name(part, "fileUpload") == CURLE_OK &&
           curl_mime_filename(part, upload->name) == CURLE_OK &&
           curl_mime_type(part, "application/octet-stream") == CURLE_OK &&
           curl_mime_data(part, (const char *)upload->content.data, upload->content.len) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MIMEPOST, form) == CURLE_OK;
}

static bool add_body(CURL *curl, const char *body, struct curl_slist **out)
{
    *out = curl_slist_append(NULL, "Content-Type: application/json");
    return *out != NULL && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *out) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK;
}

static bool set_up_tls(CURL *curl, const struct client_request *request)
{
    char cookie[128];
    bool has_session = request->session != NULL && request->session[0] != '\0';
    int len = snprintf(cookie, sizeof(cookie), "JSESSIONID=%s", has_session ? request->session : "");
    bool ok = len > 0 && (size_t)len < sizeof(cookie) &&
              curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
              (request->ca_file == NULL || curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file) == CURLE_OK) &&
              (!has_session || curl_easy_setopt(curl, CURLOPT_COOKIE, cookie) == CURLE_OK);
    mg_secret_wipe(cookie, sizeof(cookie));
    return ok;
}

/* set_up_peer says who is asked. */
static bool set_up_peer(CURL *curl, const struct client_request *request)
{
    char url[1024];
    bool is_local = request->url == NULL;
    int len = snprintf(url, sizeof(url), "%s%s", is_local ? "http://localhost" : request->url, request->path);
    return len > 0 && (size_t)len < sizeof(url) && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           (is_local ? curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->socket) == CURLE_OK
                     : set_up_tls(curl, request));
}

static bool set_up(CURL *curl, const struct client_request *request, struct mg_buffer *body)
{
    /* The method is set last: a form or a body would change it. */
    return set_up_peer(curl, request) && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)request->timeout_seconds) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

/* result_of takes the one transfer's result from |multi|. */
static CURLcode result_of(CURLM *multi)
{
    int num_left;
    const CURLMsg *message = curl_multi_info_read(multi, &num_left);
    return message != NULL && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

/* perform_watched is curl_easy_perform with request->while_waiting called in between. */
static CURLcode perform_watched(CURL *curl, const struct client_request *request)
{
    CURLM *multi = curl_multi_init();
    int running = 1;
    if (multi == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLMcode code = curl_multi_add_handle(multi, curl);
    while (code == CURLM_OK && running > 0) {
        code = curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running > 0) {
            int num_ready = 0;
            code = curl_multi_poll(multi, NULL, 0, LOOK_MS, &num_ready);
            if (num_ready == 0) {
                request->while_waiting(request->arg);
            }
        }
    }
    CURLcode result = code == CURLM_OK ? result_of(multi) : CURLE_FAILED_INIT;
    curl_multi_remove_handle(multi, curl);
    curl_multi_cleanup(multi);
    return result;
}

/* fail says what went wrong in the transfer. */
static enum mg_status fail(CURL *curl, const struct client_request *request, CURLcode code, struct mg_error *error)
{
    long system_error = 0;
    const char *peer = request->url == NULL ? request->socket : request->url;
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return mg_error_set(error, MG_MEMORY, "out of memory");
    case CURLE_WRITE_ERROR:
        return mg_error_set(error, MG_LIMIT, "%s: the answer is longer than %u bytes", request->path, MAX_ANSWER);
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system_error);
        return mg_error_set(error, MG_AGAIN, "nobody answers at %s%s%s", peer, system_error == 0 ? "" : ": ",
                            system_error == 0 ? "" : strerror((int)system_error));
    case CURLE_URL_MALFORMAT:
        return mg_error_set(error, MG_INVALID, "%s is no URL", peer);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return mg_error_set(error, MG_DENIED,
                            "%s: its certificate is not trusted (%s)\nGive control's own by --ca FILE.", peer,
                            curl_easy_strerror(code));
    default:
        return mg_error_set(error, MG_AGAIN, "%s: no answer: %s; what was asked for may have been done", peer,
                            curl_easy_strerror(code));
    }
}

static enum mg_status transfer(CURL *curl, const struct client_request *request, struct client_answer *out,
                               struct mg_error *error)
{
    curl_mime *form = NULL;
    struct curl_slist *headers = NULL;
    bool ready = true;
    if (request->upload.name != NULL) {
        ready = add_form(curl, &request->upload, &form);
    } else if (request->body != NULL) {
        ready = add_body(curl, request->body, &headers);
    }
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (ready && set_up(curl, request, &out->body)) {
        code = request->while_waiting == NULL ? curl_easy_perform(curl) : perform_watched(curl, request);
    }
    enum mg_status status = MG_OK;
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->code);
        mg_buffer_append_u8(&out->body, '\0');
    } else {
        status = fail(curl, request, code, error);
    }
    curl_mime_free(form);
    curl_slist_free_all(headers);
    return status;
}

enum mg_status client_call(const struct client_request *request, struct client_answer *out, struct mg_error *error)
{
    out->code = 0;
    mg_buffer_init(&out->body, MAX_ANSWER);
    CURL *curl = curl_easy_init();
    enum mg_status status =
        curl == NULL ? mg_error_set(error, MG_MEMORY, "out of memory") : transfer(curl, request, out, error);
    curl_easy_cleanup(curl);
    if (status == MG_OK && !mg_buffer_ok(&out->body)) {
        status = mg_error_set(error, MG_LIMIT, "%s: the answer is too long", request->path);
    }
    if (status != MG_OK) {
        client_answer_free(out);
    }
    return status;
}

void client_answer_free(struct client_answer *answer)
{
    mg_buffer_free(&answer->body);
}
