/* SPDX-License-Identifier: Apache-2.0 */
/* What is JSON stays the same JSON without its white space; commas behind the last member go. */
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/securosys/ska_compact.h"

#define MAX_TEXT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(struct mg_slice text, const char *name, const json_t *value)
{
    struct mg_buffer out;
    mg_buffer_init(&out, MAX_TEXT);
    if (ska_compact_member(&out, text, name)) { /* not, if the name is written with escapes */
        json_t *again = json_loadb((const char *)out.data, out.len, JSON_DECODE_ANY, NULL);
        if (again == NULL || !json_equal(again, value)) {
            abort();
        }
        json_decref(again);
    }
    mg_buffer_free(&out);
}

static void drop_commas(struct mg_slice text)
{
    struct mg_buffer copy;
    json_t *json;
    mg_buffer_init(&copy, MAX_TEXT);
    mg_buffer_append_slice(&copy, text);
    if (mg_buffer_ok(&copy)) {
        http_json_drop_trailing_commas(&copy);
        if (http_json_parse(mg_buffer_slice(&copy), &json, NULL) == MG_OK) {
            http_json_free(json);
        }
    }
    mg_buffer_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json, *value;
    const char *name;
    struct mg_slice text = mg_slice_of(data, size);
    drop_commas(text);
    if (size > MAX_TEXT || http_json_parse(text, &json, NULL) != MG_OK) {
        return 0;
    }
    json_object_foreach(json, name, value)
    {
        check_member(text, name, value);
    }
    http_json_free(json);
    return 0;
}
