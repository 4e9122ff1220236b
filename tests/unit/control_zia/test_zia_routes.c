/* SPDX-License-Identifier: Apache-2.0 */
/* What the ZIA family's clients are answered when all is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/control/ca_builder.h"
#include "zia_fixture.h"

#define CERTS "/api/v1/intermediateCaCertificate"
#define CREATE_SW "{\"name\":\"corp\",\"type\":\"CUSTOM_SW\"}"

static void assert_ok(const char *text)
{
    if (answer.status != 200) {
        fail_msg("%u %s", answer.status, answer.body);
    }
    assert_true(answer_has(text));
}

static int64_t create(const char *name, enum intermediate_state reached)
{
    int64_t id = fixture_create(name, INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(id, reached);
    return id;
}

static enum intermediate_state state_of(int64_t id)
{
    struct intermediate record = fixture_load(id);
    enum intermediate_state now = record.state;
    intermediate_free(&record);
    return now;
}

/* ---- the workflow ---- */

/* seeds/zscaler-intermediate-ca-api.txt; step 4 is not ours. */
static void test_the_eight_steps_lead_to_a_new_default(void **state)
{
    (void)state;
    zia_admin("POST", CREATE_SW, "%s", "");
    assert_ok("{\"id\":2,\"name\":\"corp\",\"type\":\"CUSTOM_SW\",\"region\":\"GLOBAL\",\"status\":\"DISABLED\","
              "\"defaultCertificate\":false,\"keyType\":\"RSA_2K\",\"fallbackCertId\":0,"
              "\"currentState\":\"GENERAL_DONE\"}");
    assert_true(header_has("Content-Disposition: attachment; filename=\"api.json\""));
    zia_admin("POST", NULL, "/keyPair/2");
    assert_ok("\"currentState\":\"KEYGEN_DONE\",\"publicKey\":\"-----BEGIN PUBLIC KEY-----");
    zia_admin("POST", "{\"commName\":\"Corp CA\",\"country\":\"CH\"}", "/generateCsr/2");
    assert_ok("{\"certId\":2,\"csrFileName\":\"corp-csr\",\"commName\":\"Corp CA\",\"country\":\"CH\",\"keySize\":2048,"
              "\"signatureAlgorithm\":\"SHA256\",\"pathLengthConstraint\":1,\"csrGenerationTime\":1800000000}");
    zia_upload_good("uploadCert", 2);
    assert_ok("\"currentState\":\"INTCERT_UPLOAD_DONE\"");
    assert_true(answer_has("\"uploadedCertFileName\":\"signed.pem\""));
    zia_upload_good("uploadCertChain", 2);
    assert_ok("\"currentState\":\"CERTCHAIN_UPLOAD_DONE\"");
    zia_admin("POST", "{}", "/finalizeCert/2");
    assert_ok("\"currentState\":\"CERT_READY\"");
    zia_admin("PUT", "{\"id\":0,\"name\":\"\"}", "/makeDefault/2");
    assert_ok("\"id\":2,\"name\":\"corp\"");
    assert_true(answer_has("\"defaultCertificate\":true") && answer_has("\"status\":\"ENABLED\""));
    assert_int_equal(fixture_default().id, 2);
    zia_admin("GET", NULL, "/1");
    assert_ok("\"defaultCertificate\":false");
}

/* Without chain: step 6 is optional. And the id in the body: the Go client's way. */
static void test_steps_take_the_id_from_the_body_where_the_path_has_none(void **state)
{
    (void)state;
    char body[8192];
    struct mg_buffer file;
    create("corp", INTERMEDIATE_GENERAL_DONE);
    zia_admin("POST", "{\"id\":2,\"name\":\"corp\"}", "/keyPair");
    assert_ok("\"currentState\":\"KEYGEN_DONE\"");
    zia_admin("POST", "{\"id\":2}", "/generateCsr");
    assert_ok("{\"id\":2,"); /* a Cert */
    assert_true(answer_has("\"currentState\":\"CSRGEN_DONE\""));
    zia_admin("POST", "{\"certId\":2,\"commName\":\"again\"}", "/generateCsr");
    assert_ok("{\"id\":2,");
    mg_buffer_init(&file, sizeof(body));
    fixture_certificate(&file, 0);
    mg_buffer_append_u8(&file, 0);
    json_t *json = json_pack("{s:i,s:s}", "id", 2, "fileUpload", (const char *)file.data);
    body[json_dumpb(json, body, sizeof(body) - 1, 0)] = '\0';
    json_decref(json);
    mg_buffer_free(&file);
    zia_admin("POST", body, "/uploadCert");
    assert_ok("\"currentState\":\"INTCERT_UPLOAD_DONE\"");
    zia_admin("POST", "{\"id\":2}", "/finalizeCert");
    assert_ok("\"currentState\":\"CERT_READY\"");
}

static void test_both_base_paths_are_served(void **state)
{
    (void)state;
    zia_ask(HTTP_ROLE_AUDITOR, "GET", "/zia" CERTS "/1", "{}");
    assert_ok("\"type\":\"ZSCALER\"");
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/1", "{}"); /* with the body that the Python client sends on each GET */
    assert_ok("\"type\":\"ZSCALER\"");
    assert_true(answer_has("\"currentState\":\"CERT_READY\"") && answer_has("\"defaultCertificate\":true"));
}

/* ---- lists ---- */

static void test_lists_begin_with_the_built_in_and_come_in_pages(void **state)
{
    (void)state;
    create("a", INTERMEDIATE_GENERAL_DONE);
    create("b", INTERMEDIATE_GENERAL_DONE);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "?&pageSize=1000&page=1", NULL); /* the Go client's stray & */
    assert_ok("[{\"id\":1,");
    assert_true(answer_has(",{\"id\":2,\"name\":\"a\"") && answer_has(",{\"id\":3,\"name\":\"b\""));
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "?page=2&pageSize=2", NULL);
    assert_ok("[{\"id\":3,");
    assert_false(answer_has("\"id\":2"));
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "?page=2", NULL);
    assert_ok("[]");
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "?pageSize=5000", NULL);
    assert_ok("\"id\":3");
}

static void test_search_does_not_filter_as_recorded(void **state)
{
    (void)state;
    create("a", INTERMEDIATE_GENERAL_DONE);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "?search=nothing", NULL);
    assert_ok("\"name\":\"a\"");
}

static void test_lite_is_a_list_and_one_of_it(void **state)
{
    (void)state;
    create("a", INTERMEDIATE_CSRGEN_DONE);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/lite", NULL);
    assert_ok("\"id\":2");
    assert_false(answer_has("publicKey") || answer_has("csr"));
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/lite/2", NULL);
    assert_ok("{\"id\":2");
    assert_true(answer_has("\"keyType\"") && answer_has("\"fallbackCertId\"") && !answer_has("publicKey"));
}

static void test_ready_to_use_is_what_is_ready_and_enabled(void **state)
{
    (void)state;
    create("draft", INTERMEDIATE_CERT_UPLOAD_DONE);
    create("disabled", INTERMEDIATE_CERT_READY);
    fixture_bring(fixture_create("good", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED), INTERMEDIATE_CERT_READY);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/readyToUse", NULL);
    assert_ok(",{\"id\":4,\"name\":\"good\",\"defaultCertificate\":false}]");
    assert_true(answer_has("[{\"id\":1,") && !answer_has("draft") && !answer_has("disabled"));
}

/* ---- reading ---- */

static void test_the_public_key_is_a_file_and_moves_the_state_but_not_for_an_auditor(void **state)
{
    (void)state;
    int64_t id = create("my corp", INTERMEDIATE_KEYGEN_DONE);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/downloadPublicKey/2", NULL);
    assert_ok("-----BEGIN PUBLIC KEY-----");
    assert_int_equal(state_of(id), INTERMEDIATE_KEYGEN_DONE);
    zia_admin("GET", "{}", "/downloadPublicKey/2");
    assert_ok("-----BEGIN PUBLIC KEY-----");
    assert_true(header_has("Content-Type: application/octet-stream"));
    assert_true(header_has("Content-Disposition: attachment; filename=\"my_corp-PublicKey.pem\""));
    assert_false(header_has("api.json"));
    assert_int_equal(state_of(id), INTERMEDIATE_PUBKEY_DONE);
    zia_admin("GET", NULL, "/downloadPublicKey/1"); /* allowed, as recorded */
    assert_ok("-----BEGIN PUBLIC KEY-----");
}

static void test_a_long_name_does_not_cut_the_ending_of_a_file(void **state)
{
    (void)state;
    char name[INTERMEDIATE_MAX_NAME + 1];
    memset(name, 'n', INTERMEDIATE_MAX_NAME);
    name[INTERMEDIATE_MAX_NAME] = '\0';
    create(name, INTERMEDIATE_KEYGEN_DONE);
    zia_admin("GET", NULL, "/downloadPublicKey/2");
    assert_ok("-----BEGIN");
    assert_true(header_has("n-PublicKey.pem\""));
}

static void test_the_csr_is_a_file_and_shown(void **state)
{
    (void)state;
    create("corp", INTERMEDIATE_CSRGEN_DONE);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/downloadCsr/2", NULL);
    assert_ok("a CSR");
    assert_true(header_has("Content-Type: application/octet-stream") && header_has("filename=\"corp-csr.pem\""));
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/showCsr/2", NULL);
    assert_ok("{\"certId\":2,\"csrFileName\":\"corp-csr\",\"commName\":\"corp\",\"keySize\":2048,");
}

static void test_show_cert_has_the_subject_of_the_signed_certificate(void **state)
{
    (void)state;
    create("corp", INTERMEDIATE_CERT_UPLOAD_DONE);
    zia_ask(HTTP_ROLE_AUDITOR, "GET", CERTS "/showCert/2", NULL);
    assert_ok("{\"certId\":2,\"csrFileName\":\"corp-csr\",\"commName\":\"Corp CA\",\"orgName\":\"Corp\","
              "\"deptName\":\"Security\",\"city\":\"Uster\",\"state\":\"Zürich\",\"country\":\"CH\",\"keySize\":2048}");
}

/* ---- uploads ---- */

static void test_a_file_is_found_under_any_name_if_it_is_the_only_one(void **state)
{
    (void)state;
    struct mg_buffer file;
    create("corp", INTERMEDIATE_CSRGEN_DONE);
    mg_buffer_init(&file, 1 << 16);
    fixture_certificate(&file, 0);
    zia_upload("uploadCert", 2, "cert", "C:\\certs\\signed by corp.pem", mg_buffer_slice(&file));
    assert_ok("\"uploadedCertFileName\":\"signed by corp.pem\"");
    zia_upload("uploadCert", 2, "fileUpload", "/tmp/signed.pem", mg_buffer_slice(&file));
    assert_ok("\"uploadedCertFileName\":\"signed.pem\"");
    zia_upload("uploadCert", 2, "fileUpload", "", mg_buffer_slice(&file));
    assert_ok("\"currentState\":\"INTCERT_UPLOAD_DONE\"");
    assert_false(answer_has("uploadedCertFileName"));
    mg_buffer_free(&file);
}

static void test_the_documented_part_counts_among_others(void **state)
{
    (void)state;
    struct mg_buffer file;
    create("corp", INTERMEDIATE_CSRGEN_DONE);
    mg_buffer_init(&file, 1 << 16);
    fixture_certificate(&file, 0);
    mg_buffer_append_text(&file, "\r\n--" ZIA_BOUNDARY
                                 "\r\nContent-Disposition: form-data; name=\"notes\"; filename=\"b\"\r\n\r\ny");
    zia_upload("uploadCert", 2, "fileUpload", "signed.pem", mg_buffer_slice(&file));
    assert_ok("\"uploadedCertFileName\":\"signed.pem\"");
    mg_buffer_free(&file);
}

/* ---- changing and deleting ---- */

static void test_a_put_changes_what_it_names_and_takes_a_whole_cert(void **state)
{
    (void)state;
    create("corp", INTERMEDIATE_GENERAL_DONE);
    zia_admin("PUT", "{\"description\":\"d\"}", "/2"); /* the Python client: changed keys alone */
    assert_ok("\"name\":\"corp\"");
    assert_true(answer_has("\"description\":\"d\""));
    zia_admin("PUT",
              "{\"id\":2,\"name\":\"corp2\",\"type\":\"CUSTOM_SW\",\"region\":\"GLOBAL\",\"status\":\"ENABLED\","
              "\"defaultCertificate\":false,\"keyType\":\"RSA_2K\",\"fallbackCertId\":0,\"currentState\":\"x\"}",
              "/2");
    assert_ok("{\"id\":2,\"name\":\"corp2\"");
    assert_true(answer_has("\"status\":\"ENABLED\"") && answer_has("\"description\":\"d\""));
    assert_true(answer_has("\"currentState\":\"GENERAL_DONE\""));
}

static void test_a_delete_answers_204_without_a_body(void **state)
{
    (void)state;
    create("corp", INTERMEDIATE_CERT_READY);
    zia_admin("DELETE", "{}", "/2");
    assert_int_equal(answer.status, 204);
    assert_string_equal(answer.body, "");
    assert_string_equal(answer.headers, "");
    zia_admin("GET", NULL, "/2");
    assert_int_equal(answer.status, 404);
}

static void test_changes_are_audited_with_client_and_where_it_came_from(void **state)
{
    (void)state;
    zia_admin("POST", CREATE_SW, "%s", "");
    assert_int_equal(fixture_count("SELECT count(*) FROM audit WHERE actor = 'client:admin' AND role = 'admin' AND"
                                   " source = '192.0.2.1' AND operation = 'create'"),
                     1);
    ask(zia_router(), &(struct ask){.method = "DELETE", .target = CERTS "/2", .is_local = true});
    assert_int_equal(answer.status, 204);
    assert_int_equal(fixture_count("SELECT count(*) FROM audit WHERE actor = 'unix:0' AND source = 'unix:0' AND"
                                   " operation = 'delete'"),
                     1);
}

/* ---- roles ---- */

static void test_an_operator_switches_defaults_and_activates_and_no_more(void **state)
{
    (void)state;
    create("corp", INTERMEDIATE_CERT_READY);
    zia_ask(HTTP_ROLE_OPERATOR, "PUT", CERTS "/makeDefault/2", NULL);
    assert_ok("\"defaultCertificate\":true");
    zia_ask(HTTP_ROLE_OPERATOR, "POST", "/api/v1/status/activate", NULL);
    assert_ok("{\"status\":\"ACTIVE\"}");
    zia_ask(HTTP_ROLE_OPERATOR, "POST", CERTS, CREATE_SW);
    assert_int_equal(answer.status, 403);
    zia_ask(HTTP_ROLE_OPERATOR, "PUT", CERTS "/2", "{}");
    assert_int_equal(answer.status, 403);
}

static void test_activation_has_nothing_to_wait_for(void **state)
{
    (void)state;
    zia_ask(HTTP_ROLE_AUDITOR, "GET", "/zia/api/v1/status", "{}");
    assert_ok("{\"status\":\"ACTIVE\"}");
    zia_ask(HTTP_ROLE_ADMIN, "POST", "/zia/api/v1/status/activate", "");
    assert_ok("{\"status\":\"ACTIVE\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, zia_fixture_open, zia_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_eight_steps_lead_to_a_new_default),
        TEST(test_steps_take_the_id_from_the_body_where_the_path_has_none),
        TEST(test_both_base_paths_are_served),
        TEST(test_lists_begin_with_the_built_in_and_come_in_pages),
        TEST(test_search_does_not_filter_as_recorded),
        TEST(test_lite_is_a_list_and_one_of_it),
        TEST(test_ready_to_use_is_what_is_ready_and_enabled),
        TEST(test_the_public_key_is_a_file_and_moves_the_state_but_not_for_an_auditor),
        TEST(test_a_long_name_does_not_cut_the_ending_of_a_file),
        TEST(test_the_csr_is_a_file_and_shown),
        TEST(test_show_cert_has_the_subject_of_the_signed_certificate),
        TEST(test_a_file_is_found_under_any_name_if_it_is_the_only_one),
        TEST(test_the_documented_part_counts_among_others),
        TEST(test_a_put_changes_what_it_names_and_takes_a_whole_cert),
        TEST(test_a_delete_answers_204_without_a_body),
        TEST(test_changes_are_audited_with_client_and_where_it_came_from),
        TEST(test_an_operator_switches_defaults_and_activates_and_no_more),
        TEST(test_activation_has_nothing_to_wait_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
