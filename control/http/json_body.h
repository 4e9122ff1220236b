/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from clients (RFC 8259), read by jansson within bounds: no duplicate names, no NUL in texts, nothing behind the
 * value, at most HTTP_JSON_MAX_DEPTH levels. And tables that say which members an object has, so that a handler reads
 * its whole body in one call. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_HTTP_JSON_BODY_H
#define MINTGATE_CONTROL_HTTP_JSON_BODY_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#define HTTP_JSON_MAX_DEPTH 32

/* http_json_parse reads |text|; the caller frees |*out| by http_json_free. The error names line and column, never the
 * text, which may hold a password. MG_INVALID. */
MG_MUST_USE enum mg_status http_json_parse(struct mg_slice text, json_t **out, struct mg_error *error);

/* http_json_drop_trailing_commas makes spaces of the commas that stand before the end of an object or array, which a
 * vendor's client sends (contracts.md 0.5) and RFC 8259 does not know. What is in texts stays. */
void http_json_drop_trailing_commas(struct mg_buffer *text);

/* http_json_free wipes the texts in |json|, which may be passwords, and drops the reference: for what http_json_parse
 * gave and nobody else has taken a reference of. NULL is allowed. */
void http_json_free(json_t *json);

/* A member that may be absent; JSON's null counts as absent. */
struct http_json_integer {
    bool is_set;
    int64_t value;
};
struct http_json_flag {
    bool is_set, value;
};

enum http_field_kind {
    HTTP_FIELD_TEXT,    /* const char *: borrowed from the object, NULL if absent; |min| to |max| bytes of UTF-8 */
    HTTP_FIELD_INTEGER, /* struct http_json_integer, from |min| to |max| */
    HTTP_FIELD_FLAG,    /* struct http_json_flag */
    HTTP_FIELD_OBJECT,  /* json_t *: borrowed, NULL if absent */
    HTTP_FIELD_ARRAY,   /* json_t *: borrowed, NULL if absent; |min| to |max| items */
};

struct http_field {
    const char *name;
    enum http_field_kind kind;
    bool required;
    size_t offset; /* of the member in the struct that is filled */
    int64_t min, max;
};

/* http_json_fields fills the struct at |out|, zeroed by the caller, from |object| by |fields|. Members that no field
 * names are ignored, since vendors' clients send whole objects. MG_INVALID: the error names the member and its rule. */
MG_MUST_USE enum mg_status http_json_fields(const json_t *object, const struct http_field *fields, size_t num_fields,
                                            void *out, struct mg_error *error);

#endif
