/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_body.h"

#include "base/secret.h"
#include "control/http/json_body.h"
#include "ossl/base64.h"

struct body {
    const char *format, *file_name, *content, *key, *password;
};

static const struct http_field fields[] = {
    {"format", HTTP_FIELD_TEXT, false, offsetof(struct body, format), 1, 16},
    {"fileName", HTTP_FIELD_TEXT, false, offsetof(struct body, file_name), 1, 255},
    {"content", HTTP_FIELD_TEXT, true, offsetof(struct body, content), 1, SAP_BODY_LIMIT},
    {"privateKey", HTTP_FIELD_TEXT, false, offsetof(struct body, key), 1, SAP_BODY_LIMIT},
    {"password", HTTP_FIELD_TEXT, false, offsetof(struct body, password), 0, 1024},
};

static enum mg_status read_format(const struct body *body, enum sap_format *out, struct mg_error *error)
{
    *out = body->format != NULL      ? (enum sap_format)words_value(&sap_format_words, mg_slice_of_text(body->format))
           : body->file_name != NULL ? sap_format_of_name(mg_slice_of_text(body->file_name))
                                     : 0;
    return *out != 0 ? MG_OK
                     : mg_error_set(error, MG_INVALID,
                                    "format: must be one of JAR, PKCS12, PEM, DER, or fileName end in .jar, .p12, "
                                    ".pkcs, .pem, .cer or .der");
}

static enum mg_status decode(const char *text, const char *member, struct mg_buffer *out, struct mg_error *error)
{
    return base64_decode(out, mg_slice_of_text(text))
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "%s: must be Base64 of at most %zu bytes", member, MATERIAL_MAX_FILE);
}

/* read_file fills |out| from |body|; the buffers keep what is decoded. */
static enum mg_status read_file(const struct body *body, struct mg_buffer *content, struct mg_buffer *key,
                                struct sap_file *out, struct mg_error *error)
{
    *out = (struct sap_file){.format = 0};
    enum mg_status status = read_format(body, &out->format, error);
    if (status == MG_OK) {
        status = decode(body->content, "content", content, error);
    }
    if (status == MG_OK && body->key != NULL) {
        status = decode(body->key, "privateKey", key, error);
        out->key = mg_buffer_slice(key);
    }
    out->content = mg_buffer_slice(content);
    out->password = body->password != NULL ? mg_slice_of_text(body->password) : mg_slice_of(NULL, 0);
    return status;
}

enum mg_status sap_body_read(const json_t *json, sap_body_user *use, void *arg, struct mg_error *error)
{
    struct mg_buffer content = {.data = NULL}, key = {.data = NULL};
    struct body body = {.format = NULL};
    struct sap_file file;
    enum mg_status status = http_json_fields(json, fields, MG_ARRAY_LEN(fields), &body, error);
    if (status != MG_OK) {
        return status;
    }
    bool has_room =
        mg_secret_buffer_init(&content, MATERIAL_MAX_FILE) && mg_secret_buffer_init(&key, MATERIAL_MAX_FILE);
    status = has_room ? read_file(&body, &content, &key, &file, error)
                      : mg_error_set(error, MG_MEMORY, "no memory for a file");
    if (status == MG_OK) {
        status = use(arg, &file, error);
    }
    mg_secret_free(&content);
    mg_secret_free(&key);
    return status;
}
