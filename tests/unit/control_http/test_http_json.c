/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "control/http/json_body.h"

static enum mg_status parse(const char *text, json_t **out)
{
    return http_json_parse(mg_slice_of_text(text), out, NULL);
}

static void test_broken_json_is_refused_without_quoting_it(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{\"a\":1}x",
        "{\"a\":1,}",
        "{'a':1}",
        "nul",
        "{\"a\":01}",
        "{\"a\":1e999}",
        "[1,2",
        "{\"a\":\"\\u0000\"}",
        "\xff{}",
        "{\"a\":\"\xc3\x28\"}",
        "{\"a\" 1}",
        "{\"secret\":\"hunter22\",\"secret\":1}",
        "{\"a\":99999999999999999999}",
        "{\"password\":hunter22}",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        json_t *json;
        struct mg_error error = {""};
        assert_int_equal(http_json_parse(mg_slice_of_text(bad[i]), &json, &error), MG_INVALID);
        assert_true(error.text[0] != '\0');
        assert_null(strstr(error.text, "hunter"));
    }
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * HTTP_JSON_MAX_DEPTH + 8];
    json_t *json;
    memset(text, '[', HTTP_JSON_MAX_DEPTH);
    memset(text + HTTP_JSON_MAX_DEPTH, ']', HTTP_JSON_MAX_DEPTH);
    text[sizeof(text) - 8] = '\0';
    assert_int_equal(parse(text, &json), MG_OK);
    http_json_free(json);
    memset(text, '[', HTTP_JSON_MAX_DEPTH + 1);
    memset(text + HTTP_JSON_MAX_DEPTH + 1, ']', HTTP_JSON_MAX_DEPTH + 1);
    text[sizeof(text) - 6] = '\0';
    struct mg_error error = {""};
    assert_int_equal(http_json_parse(mg_slice_of_text(text), &json, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "deeper"));
}

static void test_brackets_in_texts_do_not_count(void **state)
{
    (void)state;
    json_t *json;
    assert_int_equal(parse("[\"[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]", &json), MG_OK);
    http_json_free(json);
}

struct record {
    const char *name;
    struct http_json_integer size;
    struct http_json_flag on;
    json_t *object, *array;
};

static const struct http_field fields[] = {
    {"name", HTTP_FIELD_TEXT, true, offsetof(struct record, name), 1, 5},
    {"size", HTTP_FIELD_INTEGER, false, offsetof(struct record, size), -1, 10},
    {"on", HTTP_FIELD_FLAG, false, offsetof(struct record, on), 0, 0},
    {"object", HTTP_FIELD_OBJECT, false, offsetof(struct record, object), 0, 0},
    {"array", HTTP_FIELD_ARRAY, false, offsetof(struct record, array), 0, 2},
};

static enum mg_status read_fields(json_t *json, struct record *out, struct mg_error *error)
{
    *out = (struct record){.name = NULL};
    return http_json_fields(json, fields, MG_ARRAY_LEN(fields), out, error);
}

static void test_fields_are_read_by_their_table(void **state)
{
    (void)state;
    struct record record;
    json_t *json;
    assert_int_equal(
        parse("{\"name\":\"abc\",\"size\":-1,\"on\":false,\"object\":{},\"array\":[1,2],\"unknown\":[]}", &json),
        MG_OK);
    assert_int_equal(read_fields(json, &record, NULL), MG_OK);
    assert_string_equal(record.name, "abc");
    assert_true(record.size.is_set && record.size.value == -1);
    assert_true(record.on.is_set && !record.on.value);
    assert_non_null(record.object);
    assert_int_equal(json_array_size(record.array), 2);
    http_json_free(json);
    assert_int_equal(parse("{\"name\":\"abc\",\"size\":null}", &json), MG_OK);
    assert_int_equal(read_fields(json, &record, NULL), MG_OK);
    assert_false(record.size.is_set || record.on.is_set);
    assert_null(record.object);
    http_json_free(json);
}

static void test_a_field_that_breaks_its_rule_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } bad[] = {
        {"{}", "name"},
        {"{\"name\":null}", "name"},
        {"{\"name\":1}", "name"},
        {"{\"name\":\"\"}", "name"},
        {"{\"name\":\"abcdef\"}", "name"},
        {"{\"name\":\"a\",\"size\":11}", "size"},
        {"{\"name\":\"a\",\"size\":-2}", "size"},
        {"{\"name\":\"a\",\"size\":1.5}", "size"},
        {"{\"name\":\"a\",\"size\":\"1\"}", "size"},
        {"{\"name\":\"a\",\"on\":1}", "on"},
        {"{\"name\":\"a\",\"object\":[]}", "object"},
        {"{\"name\":\"a\",\"array\":{}}", "array"},
        {"{\"name\":\"a\",\"array\":[1,2,3]}", "array"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct record record;
        struct mg_error error = {""};
        json_t *json;
        assert_int_equal(parse(bad[i].text, &json), MG_OK);
        assert_int_equal(read_fields(json, &record, &error), MG_INVALID);
        assert_int_equal(strncmp(error.text, bad[i].name, strlen(bad[i].name)), 0);
        http_json_free(json);
    }
}

/* contracts.md 0.5: a vendor's client sends such; RFC 8259 does not know them. */
static void test_commas_behind_the_last_member_go_and_texts_stay(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"{\"a\":1,}", "{\"a\":1 }"},
        {"{\"a\":[1,2, \n],}", "{\"a\":[1,2  \n] }"},
        {"{\"a\":\",}\"}", "{\"a\":\",}\"}"},
        {"{\"a\":\"\\\",}\",}", "{\"a\":\"\\\",}\" }"},
        {"{\"a\":1,,}", "{\"a\":1, }"},
        {"{,}", "{ }"},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}"},
        {",", ","},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(pairs); i++) {
        struct mg_buffer text;
        mg_buffer_init(&text, 64);
        mg_buffer_append_text(&text, pairs[i][0]);
        http_json_drop_trailing_commas(&text);
        assert_true(mg_slice_equal(mg_buffer_slice(&text), mg_slice_of_text(pairs[i][1])));
        mg_buffer_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_behind_the_last_member_go_and_texts_stay),
        cmocka_unit_test(test_broken_json_is_refused_without_quoting_it),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_brackets_in_texts_do_not_count),
        cmocka_unit_test(test_fields_are_read_by_their_table),
        cmocka_unit_test(test_a_field_that_breaks_its_rule_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
