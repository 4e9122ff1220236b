/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/http/multipart.h"

static struct multipart form;

static enum mg_status parse(const char *type, const char *body)
{
    return multipart_parse(mg_slice_of_text(type), mg_slice_of_text(body), &form, NULL);
}

static void assert_part(const char *name, const char *filename, const char *type, const char *data)
{
    const struct multipart_part *part = multipart_find0(&form, name);
    assert_non_null(part);
    assert_true(mg_slice_equal(part->filename, mg_slice_of_text(filename)));
    assert_true(mg_slice_equal(part->content_type, mg_slice_of_text(type)));
    assert_true(mg_slice_equal(part->data, mg_slice_of_text(data)));
}

#define TYPE "multipart/form-data; boundary=xYzZY"
#define FILE_PART                                                                                                      \
    "Content-Disposition: form-data; name=\"fileUpload\"; filename=\"certificate.pem\"\r\n"                            \
    "Content-Type: application/octet-stream\r\n\r\nline 1\r\nline 2\n\r\n"

static void test_a_form_as_the_rfc_has_it(void **state)
{
    (void)state;
    assert_int_equal(parse(TYPE, "preamble\r\n--xYzZY\r\n" FILE_PART "\r\n--xYzZY  \r\n"
                                 "content-disposition: form-data; name=note\r\n\r\n\r\n--xYzZY--\r\nepilogue"),
                     MG_OK);
    assert_int_equal(form.num_parts, 2);
    assert_part("fileUpload", "certificate.pem", "application/octet-stream", "line 1\r\nline 2\n\r\n");
    assert_part("note", "", "", "");
    assert_null(multipart_find0(&form, "file"));
}

/* contracts.md 0.4, one after the other. */
static void test_a_quoted_boundary_is_taken(void **state)
{
    (void)state;
    assert_int_equal(
        parse("Multipart/Form-Data; charset=utf-8; boundary=\"xY zZY\"", "--xY zZY\r\n" FILE_PART "\r\n--xY zZY--"),
        MG_OK);
    assert_int_equal(form.num_parts, 1);
}

static void test_a_closing_delimiter_may_lack_its_dashes(void **state)
{
    (void)state;
    static const char *const ends[] = {"\r\n--xYzZY\r\n", "\r\n--xYzZY", "\n--xYzZY\n"};
    for (size_t i = 0; i < MG_ARRAY_LEN(ends); i++) {
        char body[512];
        snprintf(body, sizeof(body), "--xYzZY\r\n" FILE_PART "%s", ends[i]);
        assert_int_equal(parse(TYPE, body), MG_OK);
        assert_int_equal(form.num_parts, 1);
        assert_part("fileUpload", "certificate.pem", "application/octet-stream", "line 1\r\nline 2\n\r\n");
    }
}

static void test_a_text_part_may_lack_its_blank_line(void **state)
{
    (void)state;
    assert_int_equal(parse(TYPE, "--xYzZY\r\nContent-Disposition: form-data; name=\"password\"\r\nse:cret\r\nmore\r\n"
                                 "--xYzZY\r\nContent-Disposition: form-data; name=\"empty\"\r\n--xYzZY--\r\n"),
                     MG_OK);
    assert_int_equal(form.num_parts, 2);
    assert_part("password", "", "", "se:cret\r\nmore");
    assert_part("empty", "", "", "");
}

static void test_a_line_that_only_begins_like_a_delimiter_is_data(void **state)
{
    (void)state;
    assert_int_equal(parse(TYPE, "--xYzZY\n" FILE_PART "--xYzZYY\n--xYzZ\n --xYzZY\n\n--xYzZY--"), MG_OK);
    assert_int_equal(form.num_parts, 1);
    assert_part("fileUpload", "certificate.pem", "application/octet-stream",
                "line 1\r\nline 2\n\r\n--xYzZYY\n--xYzZ\n --xYzZY\n");
}

static void test_what_is_no_form_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
    } bad[] = {
        {"application/json", "{}"},
        {"multipart/form-data", "--xYzZY\r\n" FILE_PART "\r\n--xYzZY--"},
        {"multipart/form-data; boundary=", "--\r\n" FILE_PART "\r\n----"},
        {"multipart/form-data; boundary=\"xYzZY", "--xYzZY\r\n" FILE_PART "\r\n--xYzZY--"},
        {TYPE, ""},
        {TYPE, "nothing"},
        {TYPE, "--xYzZY\r\n" FILE_PART},                                              /* cut short */
        {TYPE, "--xYzZY\r\n" FILE_PART "\r\n--xYzZ"},                                 /* in the delimiter */
        {TYPE, "--xYzZY\r\nContent-Disposition: form-data\r\n\r\ndata\r\n--xYzZY--"}, /* without a name */
        {TYPE, "--xYzZY\r\n\r\ndata\r\n--xYzZY--"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct mg_error error = {""};
        assert_int_equal(multipart_parse(mg_slice_of_text(bad[i].type), mg_slice_of_text(bad[i].body), &form, &error),
                         MG_INVALID);
        assert_true(error.text[0] != '\0');
    }
    char long_type[128];
    snprintf(long_type, sizeof(long_type), "multipart/form-data; boundary=%071d", 0);
    assert_int_equal(parse(long_type, ""), MG_INVALID);
}

static void test_parts_are_bounded(void **state)
{
    (void)state;
    char body[4096];
    size_t len = 0;
    for (int i = 0; i < MULTIPART_MAX_PARTS; i++) {
        len += (size_t)snprintf(body + len, sizeof(body) - len,
                                "--xYzZY\r\nContent-Disposition: form-data; name=a%d\r\n\r\n1\r\n", i);
    }
    snprintf(body + len, sizeof(body) - len, "--xYzZY--");
    assert_int_equal(parse(TYPE, body), MG_OK);
    assert_int_equal(form.num_parts, MULTIPART_MAX_PARTS);
    snprintf(body + len, sizeof(body) - len, "--xYzZY\r\nContent-Disposition: form-data; name=b\r\n\r\n1\r\n--xYzZY--");
    assert_int_equal(parse(TYPE, body), MG_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_form_as_the_rfc_has_it),
        cmocka_unit_test(test_a_quoted_boundary_is_taken),
        cmocka_unit_test(test_a_closing_delimiter_may_lack_its_dashes),
        cmocka_unit_test(test_a_text_part_may_lack_its_blank_line),
        cmocka_unit_test(test_a_line_that_only_begins_like_a_delimiter_is_data),
        cmocka_unit_test(test_what_is_no_form_is_refused),
        cmocka_unit_test(test_parts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
