/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/request_log.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "control/ccadb/record_id.h"

#define MAX_DETAIL ((size_t)256 * 1024)

/* without_certificates returns a copy of |value| that holds no PEM; NULL: no memory. */
static json_t *without_certificates(const json_t *value)
{
    json_t *copy = json_deep_copy(value);
    static const char *const members[] = {"PEM", "IntermediateCertPEM", "ParentCertPEM"};
    json_t *section = json_object_get(copy, "CertificateInformation");
    for (size_t i = 0; i < MG_ARRAY_LEN(members); i++) {
        (void)json_object_del(copy, members[i]);
        (void)json_object_del(section, members[i]);
    }
    return copy;
}

/* cut ends |text| where it is longer than |max| bytes, between two characters. */
static void cut(char *text, size_t max)
{
    struct mg_slice rest = mg_slice_of_text(text);
    size_t len = rest.len;
    uint32_t character;
    if (len <= max) {
        return;
    }
    while (len - rest.len < max && mg_utf8_take(&rest, &character)) {
    }
    text[len - rest.len] = '\0';
}

static void append_json(struct mg_buffer *out, const char *key, json_t *value, size_t max)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    if (text != NULL) {
        cut(text, max);
        mg_json_string(out, key, text);
    }
    free(text);
}

enum mg_status request_log_write(struct store_tx *tx, const struct http_request *request,
                                 const struct control_actor *actor, const char *operation, const char *record_id,
                                 unsigned status, const json_t *answer, struct mg_error *error)
{
    char object[8 + RECORD_ID_SIZE];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct mg_buffer detail;
    mg_buffer_init(&detail, MAX_DETAIL);
    snprintf(object, sizeof(object), "ccadb/%s", record_id);
    (void)SHA256(request->body.data, request->body.len, hash);
    mg_json_begin_object(&detail, NULL);
    mg_json_hex(&detail, "sha256", hash, sizeof(hash));
    mg_json_uint(&detail, "status", status);
    append_json(&detail, "request", without_certificates(request->json), REQUEST_LOG_MAX);
    append_json(&detail, "answer", json_incref(MG_UNCONST(answer)), REQUEST_LOG_MAX);
    mg_json_end_object(&detail);
    mg_buffer_append_u8(&detail, 0);
    const struct audit_entry entry = {
        .time_us = request->caller.wall_us,
        .actor = *actor,
        .operation = operation,
        .object = object,
        .outcome = status == 200 ? AUDIT_DONE : AUDIT_REFUSED,
        .detail = (const char *)detail.data,
    };
    enum mg_status written = mg_buffer_ok(&detail) ? audit_append(tx, &entry, error)
                                                   : mg_error_set(error, MG_MEMORY, "no memory for the API Log");
    mg_buffer_free(&detail);
    return written;
}
