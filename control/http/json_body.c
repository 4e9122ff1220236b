/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/json_body.h"

#include <inttypes.h>

#include "base/secret.h"

/* depth_of returns how deep brackets nest outside of strings: what jansson would recurse, known before it starts. */
static size_t depth_of(struct mg_slice text)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (in_string && byte == '\\') {
            i++;
        } else if (byte == '"') {
            in_string = !in_string;
        } else if (!in_string && (byte == '{' || byte == '[')) {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (!in_string && (byte == '}' || byte == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

enum mg_status http_json_parse(struct mg_slice text, json_t **out, struct mg_error *error)
{
    if (depth_of(text) > HTTP_JSON_MAX_DEPTH) {
        return mg_error_set(error, MG_INVALID, "the JSON nests deeper than %d levels", HTTP_JSON_MAX_DEPTH);
    }
    json_error_t why;
    json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) {
        return mg_error_set(error, MG_INVALID, "the JSON is wrong at line %d, column %d", why.line, why.column);
    }
    *out = json;
    return MG_OK;
}

void http_json_drop_trailing_commas(struct mg_buffer *text)
{
    size_t comma = SIZE_MAX; /* the last thing before here, but for white space */
    bool in_string = false;
    for (size_t i = 0; i < text->len; i++) {
        uint8_t byte = text->data[i];
        if (in_string && byte == '\\') {
            i++;
        } else if (byte == '"') {
            in_string = !in_string;
        }
        if ((byte == '}' || byte == ']') && !in_string && comma != SIZE_MAX) {
            text->data[comma] = ' ';
        }
        if (byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n') {
            comma = byte == ',' && !in_string ? i : SIZE_MAX;
        }
    }
}

/* wipe_texts goes as deep as http_json_parse lets a value nest. */
static void wipe_texts(json_t *json)
{
    const char *name;
    json_t *value;
    size_t i;
    if (json_is_string(json)) {
        mg_secret_wipe(MG_UNCONST(json_string_value(json)), json_string_length(json));
    } else if (json_is_array(json)) {
        json_array_foreach(json, i, value)
        {
            wipe_texts(value);
        }
    } else if (json_is_object(json)) {
        json_object_foreach(json, name, value)
        {
            wipe_texts(value);
        }
    }
}

void http_json_free(json_t *json)
{
    wipe_texts(json);
    json_decref(json);
}

static bool is_within(int64_t value, const struct http_field *field)
{
    return value >= field->min && value <= field->max;
}

/* Each reader takes |value|, which is not null, to |place|; false if it is of the wrong type or out of bounds. */
static bool read_text(const json_t *value, const struct http_field *field, void *place)
{
    *(const char **)place = json_string_value(value);
    return json_is_string(value) && is_within((int64_t)json_string_length(value), field);
}

static bool read_integer(const json_t *value, const struct http_field *field, void *place)
{
    *(struct http_json_integer *)place = (struct http_json_integer){true, json_integer_value(value)};
    return json_is_integer(value) && is_within(json_integer_value(value), field);
}

static bool read_flag(const json_t *value, const struct http_field *field, void *place)
{
    (void)field;
    *(struct http_json_flag *)place = (struct http_json_flag){true, json_is_true(value)};
    return json_is_boolean(value);
}

static bool read_object(const json_t *value, const struct http_field *field, void *place)
{
    (void)field;
    *(const json_t **)place = value;
    return json_is_object(value);
}

static bool read_array(const json_t *value, const struct http_field *field, void *place)
{
    *(const json_t **)place = value;
    return json_is_array(value) && is_within((int64_t)json_array_size(value), field);
}

static const struct {
    bool (*read)(const json_t *value, const struct http_field *field, void *place);
    const char *what;
    const char *unit; /* of the bounds; NULL: none */
} kinds[] = {
    [HTTP_FIELD_TEXT] = {read_text, "a text", "bytes"},     [HTTP_FIELD_INTEGER] = {read_integer, "a whole number", ""},
    [HTTP_FIELD_FLAG] = {read_flag, "true or false", NULL}, [HTTP_FIELD_OBJECT] = {read_object, "an object", NULL},
    [HTTP_FIELD_ARRAY] = {read_array, "an array", "items"},
};

static enum mg_status refuse(const struct http_field *field, struct mg_error *error)
{
    const char *what = kinds[field->kind].what, *unit = kinds[field->kind].unit;
    if (unit == NULL) {
        return mg_error_set(error, MG_INVALID, "%s: must be %s", field->name, what);
    }
    return mg_error_set(error, MG_INVALID, "%s: must be %s, %" PRId64 " to %" PRId64 "%s%s", field->name, what,
                        field->min, field->max, unit[0] == '\0' ? "" : " ", unit);
}

enum mg_status http_json_fields(const json_t *object, const struct http_field *fields, size_t num_fields, void *out,
                                struct mg_error *error)
{
    for (size_t i = 0; i < num_fields; i++) {
        const struct http_field *field = &fields[i];
        const json_t *value = json_object_get(object, field->name);
        if (value == NULL || json_is_null(value)) {
            if (field->required) {
                return mg_error_set(error, MG_INVALID, "%s: is required", field->name);
            }
        } else if (!kinds[field->kind].read(value, field, (char *)out + field->offset)) {
            return refuse(field, error);
        }
    }
    return MG_OK;
}
