/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON body, and its fields by a table with one of each kind. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/json_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
    const char *text;
    struct http_json_integer integer;
    struct http_json_flag flag;
    json_t *object, *array;
};

static const struct http_field fields[] = {
    {"text", HTTP_FIELD_TEXT, true, offsetof(struct record, text), 1, 8},
    {"integer", HTTP_FIELD_INTEGER, false, offsetof(struct record, integer), -8, 8},
    {"flag", HTTP_FIELD_FLAG, false, offsetof(struct record, flag), 0, 0},
    {"object", HTTP_FIELD_OBJECT, false, offsetof(struct record, object), 0, 0},
    {"array", HTTP_FIELD_ARRAY, false, offsetof(struct record, array), 0, 2},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json;
    struct record record = {.text = NULL};
    if (http_json_parse(mg_slice_of(data, size), &json, NULL) != MG_OK) {
        return 0;
    }
    if (http_json_fields(json, fields, MG_ARRAY_LEN(fields), &record, NULL) == MG_OK) {
        size_t len = strlen(record.text);
        if (len < 1 || len > 8 || llabs(record.integer.value) > 8 || json_array_size(record.array) > 2) {
            abort();
        }
    }
    http_json_free(json);
    return 0;
}
