/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/request.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "control/http/json_body.h"
#include "control/http/router.h"
#include "control/http/scan.h"

static const char *const methods[HTTP_NUM_METHODS] = {
    [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH",
};

enum http_method http_method_of(const char *name)
{
    if (strcmp(name, "HEAD") == 0) {
        return HTTP_GET;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(methods); i++) {
        if (strcmp(name, methods[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER_METHOD;
}

const char *http_method_name(enum http_method method)
{
    return method < HTTP_NUM_METHODS ? methods[method] : "other";
}

enum mg_status http_request_init(struct http_request *request, enum http_method method, const char *target,
                                 struct mg_error *error)
{
    *request = (struct http_request){.method = method, .target = strdup(target)};
    if (request->target == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a request");
    }
    request->path = mg_slice_of(request->target, strcspn(request->target, "?"));
    return MG_OK;
}

void http_request_free(struct http_request *request)
{
    if (request->target != NULL) {
        mg_secret_wipe(request->target, strlen(request->target)); /* a careless client may have put a secret there */
    }
    free(request->target);
    http_params_free(&request->query);
    http_params_free(&request->form);
    http_json_free(request->json);
    mg_secret_free(&request->body);
    *request = (struct http_request){.target = NULL};
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return request->header == NULL ? NULL : request->header(request->header_source, name);
}

int64_t http_request_id(const struct http_request *request, size_t index)
{
    uint64_t id = 0;
    (void)!scan_decimal(request->path_values[index], 0, INT64_MAX, &id);
    return (int64_t)id;
}

enum mg_status http_request_word(const struct http_request *request, size_t index, char *out, size_t size,
                                 struct mg_error *error)
{
    if (!http_percent_decode(request->path_values[index], false, out, size)) {
        return mg_error_set(error, MG_INVALID, "path: a segment has a wrong %%-escape, is no UTF-8, or is too long");
    }
    return MG_OK;
}

bool http_request_cookie(const struct http_request *request, const char *name, struct mg_slice *out)
{
    const char *header = http_request_header(request, "Cookie");
    struct mg_slice rest = mg_slice_of_text(header == NULL ? "" : header);
    while (rest.len > 0) {
        struct mg_slice pair = scan_trim(scan_until(&rest, ';'));
        if (mg_slice_equal(scan_until(&pair, '='), mg_slice_of_text(name))) {
            *out = pair;
            return true;
        }
    }
    return false;
}

bool http_request_bearer(const struct http_request *request, struct mg_slice *out)
{
    const char *header = http_request_header(request, "Authorization");
    struct mg_slice rest = mg_slice_of_text(header == NULL ? "" : header);
    if (!scan_skip_nocase(&rest, "Bearer ")) {
        return false;
    }
    *out = scan_trim(rest);
    return true;
}

/* decode_base64 fills |out| with the bytes of |text| (RFC 4648 section 4). */
static bool decode_base64(struct mg_slice text, struct mg_buffer *out)
{
    if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > out->limit) {
        return false;
    }
    int len = EVP_DecodeBlock(out->data, text.data, (int)text.len);
    size_t num_padding = (text.data[text.len - 1] == '=') + (text.data[text.len - 2] == '=');
    out->len = len < 0 ? 0 : (size_t)len - num_padding; /* the padding was decoded too, to zeros */
    return len >= 0;
}

bool http_request_basic(const struct http_request *request, struct http_basic *out)
{
    const char *header = http_request_header(request, "Authorization");
    struct mg_slice rest = mg_slice_of_text(header == NULL ? "" : header);
    uint8_t storage[sizeof(*out) + 4];
    struct mg_buffer bytes;
    mg_buffer_wrap(&bytes, storage, sizeof(storage));
    bool ok = scan_skip_nocase(&rest, "Basic ") && decode_base64(scan_trim(rest), &bytes);
    struct mg_slice password = mg_buffer_slice(&bytes), user = scan_until(&password, ':');
    ok = ok && user.len < bytes.len && scan_copy_text(user, out->user, sizeof(out->user)) &&
         scan_copy_text(password, out->password, sizeof(out->password));
    mg_secret_wipe(storage, sizeof(storage));
    return ok;
}

static void render(const struct http_request *request, const struct http_problem *problem,
                   struct http_response *response)
{
    http_problem_render(problem, router_renderer(request->family), response);
}

void http_fail(const struct http_request *request, struct http_response *response, enum http_problem_kind kind,
               const char *code, const char *message)
{
    struct http_problem problem = http_problem_of(kind);
    problem.code = code;
    problem.message = message == NULL ? problem.message : message;
    render(request, &problem, response);
}

void http_fail_status(const struct http_request *request, struct http_response *response, enum mg_status status,
                      const struct mg_error *error)
{
    struct http_problem problem = http_problem_of_status(status, error);
    render(request, &problem, response);
}
