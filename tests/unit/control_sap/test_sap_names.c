/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of OData's addresses, and Apigee's one XML document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/sap/edge_xml.h"
#include "control/sap/odata_key.h"

static const char *const names[] = {"name", "storeName"};
static char values[ODATA_MAX_KEYS][ODATA_MAX_VALUE + 1];

static enum mg_status parse(const char *text, size_t num_names)
{
    return odata_key_parse(mg_slice_of_text(text), names, num_names, values, NULL);
}

static void test_one_key_with_and_without_its_name(void **state)
{
    (void)state;
    assert_int_equal(parse("'x'", 1), MG_OK);
    assert_string_equal(values[0], "x");
    assert_int_equal(parse("name='it''s'", 1), MG_OK);
    assert_string_equal(values[0], "it's");
    assert_int_equal(parse("''", 1), MG_OK);
    assert_string_equal(values[0], "");
}

static void test_two_keys_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(parse("storeName='s',name='n'", 2), MG_OK);
    assert_string_equal(values[0], "n");
    assert_string_equal(values[1], "s");
}

static void test_keys_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "x",         "'x",     "x'",        "'x'y",
                                      "'x','y'",   "other='x'", "name=x", "name='x',", "name='x',storeName='y'",
                                      "name ='x'", "'a'b'",     "'''"};
    static const char *const bad_pairs[] = {"'x'", "name='x'", "name='x',name='y'", "name='x' ,storeName='y'",
                                            "name='x',storeName='y',"};
    char text[ODATA_MAX_VALUE + 4];
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(bad[i], 1), MG_INVALID);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(bad_pairs); i++) {
        assert_int_equal(parse(bad_pairs[i], 2), MG_INVALID);
    }
    memset(text, 'x', sizeof(text));
    text[0] = text[ODATA_MAX_VALUE + 1] = '\'';
    text[ODATA_MAX_VALUE + 2] = '\0';
    assert_int_equal(parse(text, 1), MG_OK);
    text[ODATA_MAX_VALUE + 1] = 'x';
    text[ODATA_MAX_VALUE + 2] = '\'';
    text[ODATA_MAX_VALUE + 3] = '\0';
    assert_int_equal(parse(text, 1), MG_INVALID);
}

static enum mg_status read_xml(const char *text, char name[9])
{
    return edge_xml_name(mg_slice_of_text(text), name, 9, NULL);
}

static void test_the_documents_that_clients_send(void **state)
{
    (void)state;
    static const char *const good[] = {
        "<KeyStore name=\"ks1\"/>", "<KeyStore name='ks1' />\n",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<KeyStore name=\"ks1\"></KeyStore>",
        "  <KeyStore\n\tname = \"ks1\" >\n</KeyStore >\n"};
    char name[9];
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_int_equal(read_xml(good[i], name), MG_OK);
        assert_string_equal(name, "ks1");
    }
}

static void test_other_documents_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "<KeyStore/>",
                                      "<KeyStore name=ks1/>",
                                      "<KeyStore name=\"ks1'/>",
                                      "<KeyStore name=\"ks1\"",
                                      "<KeyStore name=\"ks1\">",
                                      "<KeyStore name=\"ks1\">text</KeyStore>",
                                      "<KeyStore name=\"ks1\"/><KeyStore name=\"ks2\"/>",
                                      "<KeyStore name=\"ks1\" other=\"x\"/>",
                                      "<KeyStore name=\"a&amp;b\"/>",
                                      "<KeyStore name=\"a<b\"/>",
                                      "<KeyStorename=\"ks1\"/>",
                                      "<!DOCTYPE x><KeyStore name=\"ks1\"/>",
                                      "<?xml <KeyStore name=\"ks1\"/>",
                                      "<KeyStore name=\"too-long!\"/>"};
    char name[9];
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(read_xml(bad[i], name), MG_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key_with_and_without_its_name),
        cmocka_unit_test(test_two_keys_in_any_order),
        cmocka_unit_test(test_keys_that_are_none_are_refused),
        cmocka_unit_test(test_the_documents_that_clients_send),
        cmocka_unit_test(test_other_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
