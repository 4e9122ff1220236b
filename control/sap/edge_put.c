/* SPDX-License-Identifier: Apache-2.0 */
/* Uploading certificates, with keys or without. */
#include <stdio.h>
#include <string.h>

#include "control/sap/edge_internal.h"

#define OVERWRITTEN "X-Mintgate-Overwritten"

/* ---- reading the form and the query ---- */

/* read_flag reads a parameter of the query that is true or false. */
static enum mg_status read_flag(const struct http_request *request, const char *name, bool otherwise, bool *out,
                                struct mg_error *error)
{
    const char *text = http_params_get0(&request->query, name);
    *out = text == NULL ? otherwise : strcmp(text, "true") == 0;
    return text == NULL || *out || strcmp(text, "false") == 0
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "%s: must be true or false", name);
}

static enum mg_status read_flags(const struct http_request *request, struct sap_put *put, struct mg_error *error)
{
    bool ignores_lines;
    enum mg_status status = read_flag(request, "ignoreExpiryValidation", false, &put->ignores_expiry, error);
    if (status == MG_OK) {
        status = read_flag(request, "ignoreNewlineValidation", true, &ignores_lines, error);
        put->file.wants_lines = !ignores_lines;
    }
    return status;
}

/* part_of returns a part's data, without memory where it is missing. */
static struct mg_slice part_of(const struct http_request *request, const char *name)
{
    const struct multipart_part *part = multipart_find0(&request->multipart, name);
    return part == NULL ? mg_slice_of(NULL, 0) : part->data;
}

/* read_password takes it from the form, or, which is out of use, from the query. An empty one is none: forms have the
 * field whether it is filled in or not. */
static struct mg_slice read_password(const struct http_request *request)
{
    struct mg_slice part = part_of(request, "password");
    const char *text = http_params_get0(&request->query, "password");
    if (part.data == NULL && text != NULL) {
        part = mg_slice_of_text(text);
    }
    return part.len > 0 ? part : mg_slice_of(NULL, 0);
}

/* What is uploaded where. */
enum upload {
    UPLOAD_JAR,         /* the part `file` */
    UPLOAD_PKCS12,      /* likewise */
    UPLOAD_CERTIFICATE, /* likewise, or `certFile`; no key */
    UPLOAD_PAIR,        /* `certFile`, and `keyFile` unless it is for a trust store */
    NUM_UPLOADS,
};

static enum mg_status read_files(const struct http_request *request, enum upload upload, struct sap_file *out,
                                 struct mg_error *error)
{
    static const enum sap_format formats[NUM_UPLOADS] = {[UPLOAD_JAR] = SAP_FORMAT_JAR,
                                                         [UPLOAD_PKCS12] = SAP_FORMAT_PKCS12,
                                                         [UPLOAD_CERTIFICATE] = SAP_FORMAT_PEM,
                                                         [UPLOAD_PAIR] = SAP_FORMAT_PEM};
    struct mg_slice file = part_of(request, "file"), cert = part_of(request, "certFile");
    out->format = formats[upload];
    out->password = read_password(request);
    out->content = upload == UPLOAD_PAIR || (upload == UPLOAD_CERTIFICATE && cert.data != NULL) ? cert : file;
    if (upload == UPLOAD_PAIR) {
        out->key = part_of(request, "keyFile");
    }
    if (out->content.data == NULL) {
        return mg_error_set(error, MG_INVALID, "%s: the form must have this part",
                            upload == UPLOAD_PAIR ? "certFile" : "file");
    }
    return MG_OK;
}

/* read_format tells what the query says that is uploaded. */
static enum mg_status read_format(const struct http_request *request, enum upload *out, struct mg_error *error)
{
    static const struct {
        const char *name;
        enum upload upload;
    } formats[] = {{"keycertjar", UPLOAD_JAR}, {"pkcs12", UPLOAD_PKCS12}, {"keycertfile", UPLOAD_PAIR}};
    const char *format = http_params_get0(&request->query, "format");
    for (size_t i = 0; format != NULL && i < MG_ARRAY_LEN(formats); i++) {
        if (strcmp(format, formats[i].name) == 0) {
            *out = formats[i].upload;
            return MG_OK;
        }
    }
    return mg_error_set(error, MG_INVALID, "format: must be keycertjar, pkcs12 or keycertfile");
}

static enum mg_status read_alias(struct edge_exchange *exchange)
{
    const char *alias = http_params_get0(&exchange->request->query, "alias");
    if (alias == NULL) {
        return mg_error_set(&exchange->error, MG_INVALID, "alias: is required");
    }
    enum mg_status status = sap_name_check("alias", alias, &exchange->error);
    if (status == MG_OK) {
        snprintf(exchange->alias, sizeof(exchange->alias), "%s", alias);
    }
    return status;
}

/* put reads the form and stores it under the alias; |out| is the caller's to free. */
static enum mg_status put(struct edge_exchange *exchange, enum upload upload, bool must_exist, struct sap_entry *out,
                          bool *overwritten)
{
    struct sap_put put = {.store = exchange->store, .name = exchange->alias, .must_exist = must_exist};
    enum mg_status status = read_flags(exchange->request, &put, &exchange->error);
    if (status == MG_OK) {
        status = read_files(exchange->request, upload, &put.file, &exchange->error);
    }
    put.file.is_renewal = must_exist && put.file.key.data == NULL;
    return status == MG_OK ? sap_entry_put(&exchange->call, &put, out, overwritten, &exchange->error) : status;
}

/* answer_put tells of the alias, and whether there was one before. */
static void answer_put(struct edge_exchange *exchange, const struct sap_entry *entry, bool overwritten)
{
    http_response_json(exchange->response, overwritten ? 200 : 201, edge_alias_json(exchange, entry));
    http_response_header(exchange->response, OVERWRITTEN, "%s", overwritten ? "true" : "false");
}

void edge_create_alias(void *arg, struct http_request *request, struct http_response *response)
{
    struct edge_exchange exchange;
    struct sap_entry entry = {.id = 0};
    enum upload upload = UPLOAD_PAIR;
    bool overwritten = false;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = read_alias(&exchange);
    }
    if (status == MG_OK) {
        status = read_format(request, &upload, &exchange.error);
    }
    if (status == MG_OK) {
        status = put(&exchange, upload, false, &entry, &overwritten);
    }
    if (status == MG_OK) {
        answer_put(&exchange, &entry, overwritten);
    }
    sap_entry_free(&entry);
    edge_finish(&exchange, status);
}

/* upload_of_replacement tells whether a replacement brings a key along. */
static enum upload upload_of_replacement(const struct http_request *request)
{
    return part_of(request, "keyFile").data != NULL ? UPLOAD_PAIR : UPLOAD_CERTIFICATE;
}

void edge_replace_alias(void *arg, struct http_request *request, struct http_response *response)
{
    struct edge_exchange exchange;
    struct sap_entry entry = {.id = 0};
    bool overwritten = false;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = put(&exchange, upload_of_replacement(request), true, &entry, &overwritten);
    }
    if (status == MG_OK) {
        answer_put(&exchange, &entry, overwritten);
    }
    sap_entry_free(&entry);
    edge_finish(&exchange, status);
}

/* upload answers an old upload, which is told nothing but that it is done. */
static void upload_old(void *arg, struct http_request *request, struct http_response *response, enum upload kind)
{
    struct edge_exchange exchange;
    bool overwritten = false;
    enum mg_status status = edge_begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = read_alias(&exchange);
    }
    if (status == MG_OK) {
        status = put(&exchange, kind, false, NULL, &overwritten);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
        http_response_header(response, OVERWRITTEN, "%s", overwritten ? "true" : "false");
    }
    edge_finish(&exchange, status);
}

void edge_upload_cert(void *arg, struct http_request *request, struct http_response *response)
{
    upload_old(arg, request, response, UPLOAD_CERTIFICATE);
}

void edge_upload_key(void *arg, struct http_request *request, struct http_response *response)
{
    upload_old(arg, request, response, UPLOAD_JAR);
}
