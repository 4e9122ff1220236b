/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/json_body.h"
#include "control/zia/zia_json.h"

static struct mg_error error;

/* ---- records as JSON ---- */

static void assert_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

/* The example of contracts.md section 1.4. */
static struct intermediate full_record(void)
{
    return (struct intermediate){
        .id = 1401,
        .name = "corp-mitm",
        .type = INTERMEDIATE_SOFTWARE,
        .region = INTERMEDIATE_GLOBAL,
        .status = INTERMEDIATE_ENABLED,
        .key_type = WIRE_KEY_RSA_2048,
        .not_before = 1758057581,
        .not_after = 1789594181,
        .description = "text",
        .state = INTERMEDIATE_CERT_UPLOAD_DONE,
        .public_key = MG_UNCONST("PEM\n"),
        .key_time = 1758057833,
        .attestation_time = 1758057840,
        .csr = {.file_name = "corp-mitm-csr",
                .common_name = "Corp Inspection CA",
                .organization = "Corp",
                .unit = "Sec",
                .city = "X",
                .state = "Y",
                .country = "CH",
                .digest = "SHA256",
                .key_size = 2048,
                .path_len = 1},
        .csr_time = 1758057872,
        .certificate_file = "signed.pem",
    };
}

#define FULL_HEAD                                                                                                      \
    "{\"id\":1401,\"name\":\"corp-mitm\",\"type\":\"CUSTOM_SW\",\"region\":\"GLOBAL\",\"status\":\"ENABLED\","         \
    "\"defaultCertificate\":false,\"keyType\":\"RSA_2K\",\"fallbackCertId\":0,\"certStartDate\":1758057581,"           \
    "\"certExpDate\":1789594181,\"description\":\"text\",\"currentState\":\"INTCERT_UPLOAD_DONE\""

static void test_cert_has_all_fields_in_the_order_of_the_recorded_answers(void **state)
{
    (void)state;
    const struct intermediate record = full_record();
    assert_json(zia_json_cert(&record), FULL_HEAD
                ",\"publicKey\":\"PEM\\n\",\"keyGenerationTime\":1758057833,\"hsmAttestationVerifiedTime\":1758057840,"
                "\"csrFileName\":\"corp-mitm-csr\",\"csrGenerationTime\":1758057872,"
                "\"uploadedCertFileName\":\"signed.pem\"}");
}

static void test_lite_has_neither_the_key_nor_the_csr(void **state)
{
    (void)state;
    const struct intermediate record = full_record();
    assert_json(zia_json_lite(&record), FULL_HEAD "}");
}

static void test_absent_values_are_left_out(void **state)
{
    (void)state;
    const struct intermediate record = {.id = 2,
                                        .name = "new",
                                        .is_default = true,
                                        .fallback_id = 3,
                                        .type = INTERMEDIATE_HSM,
                                        .region = INTERMEDIATE_ASIA,
                                        .status = INTERMEDIATE_DISABLED,
                                        .state = INTERMEDIATE_GENERAL_DONE,
                                        .key_type = WIRE_KEY_EC_P384};
    assert_json(zia_json_cert(&record),
                "{\"id\":2,\"name\":\"new\",\"type\":\"CUSTOM_HSM\",\"region\":\"ASIA\",\"status\":\"DISABLED\","
                "\"defaultCertificate\":true,\"keyType\":\"EC_P384\",\"fallbackCertId\":3,"
                "\"currentState\":\"GENERAL_DONE\"}");
}

static void test_ready_to_use_has_three_fields(void **state)
{
    (void)state;
    const struct intermediate record = full_record();
    assert_json(zia_json_ready(&record), "{\"id\":1401,\"name\":\"corp-mitm\",\"defaultCertificate\":false}");
}

static void test_csr_info_is_what_the_csr_was_asked_to_say(void **state)
{
    (void)state;
    struct intermediate record = full_record();
    assert_json(zia_json_csr(&record),
                "{\"certId\":1401,\"csrFileName\":\"corp-mitm-csr\",\"commName\":\"Corp Inspection CA\","
                "\"orgName\":\"Corp\",\"deptName\":\"Sec\",\"city\":\"X\",\"state\":\"Y\",\"country\":\"CH\","
                "\"keySize\":2048,\"signatureAlgorithm\":\"SHA256\",\"pathLengthConstraint\":1,"
                "\"csrGenerationTime\":1758057872}");
    record.csr.organization[0] = record.csr.country[0] = '\0';
    record.csr.path_len = 0;
    assert_json(
        zia_json_csr(&record),
        "{\"certId\":1401,\"csrFileName\":\"corp-mitm-csr\",\"commName\":\"Corp Inspection CA\","
        "\"deptName\":\"Sec\",\"city\":\"X\",\"state\":\"Y\",\"keySize\":2048,\"signatureAlgorithm\":\"SHA256\","
        "\"pathLengthConstraint\":0,\"csrGenerationTime\":1758057872}");
}

static void test_csr_info_of_a_certificate_is_its_subject(void **state)
{
    (void)state;
    const struct intermediate record = full_record();
    const struct certificate_subject subject = {.common_name = "Signed", .locality = "Bern", .country = "CH"};
    assert_json(zia_json_signed(&record, &subject),
                "{\"certId\":1401,\"csrFileName\":\"corp-mitm-csr\",\"commName\":\"Signed\",\"city\":\"Bern\","
                "\"country\":\"CH\",\"keySize\":2048}");
}

/* ---- what clients send ---- */

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    assert_int_equal(http_json_parse(mg_slice_of_text(text), &json, &error), MG_OK);
    return json;
}

static void assert_slice(struct mg_slice slice, const char *expected)
{
    assert_true(expected == NULL ? slice.data == NULL : mg_slice_equal(slice, mg_slice_of_text(expected)));
}

static void test_a_draft_is_read_and_what_is_unknown_ignored(void **state)
{
    (void)state;
    struct lifecycle_draft draft;
    json_t *json =
        parse("{\"name\":\"corp\",\"description\":\"\",\"type\":\"CUSTOM_HSM\",\"region\":\"EUROPE\","
              "\"status\":\"ENABLED\",\"keyType\":\"EC_P256\",\"fallbackCertId\":7,\"id\":\"x\",\"new\":[]}");
    assert_int_equal(zia_json_read_draft(json, &draft, &error), MG_OK);
    assert_slice(draft.name, "corp");
    assert_slice(draft.description, "");
    assert_non_null(draft.description.data);
    assert_int_equal(draft.type, INTERMEDIATE_HSM);
    assert_int_equal(draft.region, INTERMEDIATE_EUROPE);
    assert_int_equal(draft.status, INTERMEDIATE_ENABLED);
    assert_int_equal(draft.key_type, WIRE_KEY_EC_P256);
    assert_int_equal(draft.fallback_id, 7);
    http_json_free(json);
}

static void test_what_a_draft_does_not_give_is_not_given(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "{\"name\":null,\"description\":null,\"type\":\"\",\"region\":\"\",\"status\":null,\"keyType\":\"\"}"};
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        struct lifecycle_draft draft;
        json_t *json = parse(texts[i]);
        assert_int_equal(zia_json_read_draft(json, &draft, &error), MG_OK);
        assert_slice(draft.name, NULL);
        assert_slice(draft.description, NULL);
        assert_true(draft.type == 0 && draft.region == 0 && draft.status == 0 && draft.key_type == 0);
        assert_int_equal(draft.fallback_id, -1);
        http_json_free(json);
    }
}

struct bad {
    const char *text, *complaint;
};

typedef enum mg_status reader(const json_t *json);

static enum mg_status read_draft(const json_t *json)
{
    struct lifecycle_draft draft;
    return zia_json_read_draft(json, &draft, &error);
}

static enum mg_status read_csr(const json_t *json)
{
    struct lifecycle_csr_wish wish;
    return zia_json_read_csr_wish(json, &wish, &error);
}

static enum mg_status read_id(const json_t *json)
{
    int64_t id;
    return zia_json_read_id(json, &id, &error);
}

static enum mg_status read_file(const json_t *json)
{
    struct mg_slice file;
    return zia_json_read_file(json, &file, &error);
}

static void assert_refused(reader *read, const struct bad *bad, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        json_t *json = parse(bad[i].text);
        assert_int_equal(read(json), MG_INVALID);
        assert_string_equal(error.text, bad[i].complaint);
        http_json_free(json);
    }
}

static void test_a_draft_of_wrong_types_names_field_and_rule(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"{\"name\":7}", "name: must be a text, 0 to 512 bytes"},
        {"{\"description\":{}}", "description: must be a text, 0 to 4096 bytes"},
        {"{\"type\":true}", "type: must be a text, 0 to 32 bytes"},
        {"{\"type\":\"custom_sw\"}", "type: must be one of ZSCALER, CUSTOM_SW, CUSTOM_HSM"},
        {"{\"region\":\"MOON\"}", "region: must be one of GLOBAL, ASIA, EUROPE, US"},
        {"{\"status\":\"ON\"}", "status: must be one of ENABLED, DISABLED"},
        {"{\"keyType\":\"DSA_1K\"}", "keyType: must be one of EC_P256, EC_P384, RSA_2K, RSA_3K, RSA_4K"},
        {"{\"keyType\":\"EC_P256EC_P256EC_P256EC_P256EC_P256\"}", "keyType: must be a text, 0 to 32 bytes"},
        {"{\"fallbackCertId\":\"1\"}", "fallbackCertId: must be a whole number, 0 to 9223372036854775807"},
        {"{\"fallbackCertId\":-1}", "fallbackCertId: must be a whole number, 0 to 9223372036854775807"},
        {"{\"fallbackCertId\":1.0}", "fallbackCertId: must be a whole number, 0 to 9223372036854775807"},
    };
    assert_refused(read_draft, bad, MG_ARRAY_LEN(bad));
}

static void test_a_csr_wish_is_read(void **state)
{
    (void)state;
    struct lifecycle_csr_wish wish;
    json_t *json = parse("{\"certId\":9,\"csrFileName\":\"f\",\"commName\":\"c\",\"orgName\":\"o\",\"deptName\":\"d\","
                         "\"city\":\"x\",\"state\":\"y\",\"country\":\"CH\",\"keySize\":256,"
                         "\"signatureAlgorithm\":\"SHA384\",\"pathLengthConstraint\":0}");
    assert_int_equal(zia_json_read_csr_wish(json, &wish, &error), MG_OK);
    assert_slice(wish.file_name, "f");
    assert_slice(wish.common_name, "c");
    assert_slice(wish.organization, "o");
    assert_slice(wish.unit, "d");
    assert_slice(wish.city, "x");
    assert_slice(wish.state, "y");
    assert_slice(wish.country, "CH");
    assert_slice(wish.digest, "SHA384");
    assert_int_equal(wish.key_size, 256);
    assert_int_equal(wish.path_len, 0);
    http_json_free(json);

    json = parse("{}");
    assert_int_equal(zia_json_read_csr_wish(json, &wish, &error), MG_OK);
    assert_memory_equal(&wish, &LIFECYCLE_EMPTY_CSR_WISH, sizeof(wish));
    http_json_free(json);
}

static void test_a_csr_wish_of_wrong_types_names_field_and_rule(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"{\"csrFileName\":1}", "csrFileName: must be a text, 0 to 1020 bytes"},
        {"{\"commName\":[]}", "commName: must be a text, 0 to 256 bytes"},
        {"{\"orgName\":1}", "orgName: must be a text, 0 to 256 bytes"},
        {"{\"deptName\":1}", "deptName: must be a text, 0 to 256 bytes"},
        {"{\"city\":1}", "city: must be a text, 0 to 512 bytes"},
        {"{\"state\":1}", "state: must be a text, 0 to 512 bytes"},
        {"{\"country\":\"Switzerland\"}", "country: must be a text, 0 to 8 bytes"},
        {"{\"signatureAlgorithm\":256}", "signatureAlgorithm: must be a text, 0 to 32 bytes"},
        {"{\"keySize\":\"2048\"}", "keySize: must be a whole number, 0 to 2147483647"},
        {"{\"pathLengthConstraint\":-1}", "pathLengthConstraint: must be a whole number, 0 to 2147483647"},
    };
    assert_refused(read_csr, bad, MG_ARRAY_LEN(bad));
}

static void test_an_id_is_read_from_the_body(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t id;
    } good[] = {{"{\"id\":5}", 5}, {"{\"certId\":6}", 6}, {"{\"id\":5,\"certId\":6}", 5}, {"{\"id\":0}", 0}};
    static const struct bad bad[] = {
        {"{}", "id: is required where the path has none"},
        {"{\"id\":null}", "id: is required where the path has none"},
        {"{\"id\":\"5\"}", "id: must be a whole number, 0 to 9223372036854775807"},
        {"{\"id\":-5}", "id: must be a whole number, 0 to 9223372036854775807"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        int64_t id = -1;
        json_t *json = parse(good[i].text);
        assert_int_equal(zia_json_read_id(json, &id, &error), MG_OK);
        assert_int_equal(id, good[i].id);
        http_json_free(json);
    }
    assert_refused(read_id, bad, MG_ARRAY_LEN(bad));
}

static void test_a_file_is_read_from_the_body(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"{\"id\":5}", "fileUpload: is required"},
        {"{\"fileUpload\":\"\"}", "fileUpload: must be a text, 1 to 262144 bytes"},
        {"{\"fileUpload\":5}", "fileUpload: must be a text, 1 to 262144 bytes"},
    };
    struct mg_slice file;
    json_t *json = parse("{\"fileUpload\":\"PEM\\n\"}");
    assert_int_equal(zia_json_read_file(json, &file, &error), MG_OK);
    assert_slice(file, "PEM\n");
    http_json_free(json);
    assert_refused(read_file, bad, MG_ARRAY_LEN(bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cert_has_all_fields_in_the_order_of_the_recorded_answers),
        cmocka_unit_test(test_lite_has_neither_the_key_nor_the_csr),
        cmocka_unit_test(test_absent_values_are_left_out),
        cmocka_unit_test(test_ready_to_use_has_three_fields),
        cmocka_unit_test(test_csr_info_is_what_the_csr_was_asked_to_say),
        cmocka_unit_test(test_csr_info_of_a_certificate_is_its_subject),
        cmocka_unit_test(test_a_draft_is_read_and_what_is_unknown_ignored),
        cmocka_unit_test(test_what_a_draft_does_not_give_is_not_given),
        cmocka_unit_test(test_a_draft_of_wrong_types_names_field_and_rule),
        cmocka_unit_test(test_a_csr_wish_is_read),
        cmocka_unit_test(test_a_csr_wish_of_wrong_types_names_field_and_rule),
        cmocka_unit_test(test_an_id_is_read_from_the_body),
        cmocka_unit_test(test_a_file_is_read_from_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
