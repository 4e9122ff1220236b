/* SPDX-License-Identifier: Apache-2.0 */
/* What the ZIA family refuses, in which shape (contracts.md section 1.6), and that nothing changes by it. */
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

#define INVALID "\"code\":\"INVALID_INPUT_ARGUMENT\""
#define WRONG_ORDER "\"code\":\"INVALID_OPERATION\""
#define UNREADABLE "{\"message\":\"Request body is invalid.\"}"
#define UNKNOWN "\"code\":\"RESOURCE_NOT_FOUND\""

/* The certificates of the tests, by state. */
enum { DRAFT = 2, WITH_KEY, WITH_CSR, UPLOADED, READY, NEXT_ID };

static int set_up(void **state)
{
    static const enum intermediate_state states[] = {
        [DRAFT] = INTERMEDIATE_GENERAL_DONE,   [WITH_KEY] = INTERMEDIATE_KEYGEN_DONE,
        [WITH_CSR] = INTERMEDIATE_CSRGEN_DONE, [UPLOADED] = INTERMEDIATE_CERT_UPLOAD_DONE,
        [READY] = INTERMEDIATE_CERT_READY,
    };
    int result = zia_fixture_open(state);
    for (int64_t id = DRAFT; id < NEXT_ID; id++) {
        char name[8];
        snprintf(name, sizeof(name), "c%d", (int)id);
        assert_int_equal(fixture_create(name, INTERMEDIATE_SOFTWARE, 0), id);
        fixture_bring(id, states[id]);
    }
    return result;
}

/* Whatever is refused leaves no trace: a digest of the records, and the number of audit records. */
static int64_t fingerprint(void)
{
    return fixture_count("SELECT (SELECT count(*) FROM audit) * 1000000 + (SELECT sum(length(name) + length(state)"
                         " + length(status) + length(description) + csr_time % 1000 + fallback_id) FROM intermediate)");
}

struct refusal {
    const char *method, *path; /* behind CERTS */
    const char *body;
    unsigned status;
    const char *text; /* of the answer */
};

static void assert_answer(unsigned status, const char *text)
{
    if (answer.status != status || !answer_has(text)) {
        fail_msg("%u %s, but not %u %s", answer.status, answer.body, status, text);
    }
}

static void assert_refused(const struct refusal *list, size_t num)
{
    int64_t before = fingerprint();
    for (size_t i = 0; i < num; i++) {
        zia_admin(list[i].method, list[i].body, "%s", list[i].path);
        if (answer.status != list[i].status || !answer_has(list[i].text)) {
            fail_msg("%s %s %s: %u %s", list[i].method, list[i].path, list[i].body == NULL ? "" : list[i].body,
                     answer.status, answer.body);
        }
        assert_true(header_has("Content-Disposition: attachment; filename=\"api.json\""));
        assert_int_equal(fingerprint(), before);
    }
}

/* ---- bodies ---- */

static void test_a_certificate_is_not_created_from_a_bad_body(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"POST", "", "{}", 400, "{" INVALID ",\"message\":\"Certificate type is required.\"}"},
        {"POST", "", NULL, 400, "Certificate type is required."},
        {"POST", "", "{\"name\":\"x\"}", 400, "Certificate type is required."},
        {"POST", "", "{\"type\":\"CUSTOM_SW\"}", 400, INVALID ",\"message\":\"name: must have 1 to 128 characters"},
        {"POST", "", "{\"name\":\"x\",\"type\":\"ZSCALER\"}", 400, "type: must be CUSTOM_SW or CUSTOM_HSM"},
        {"POST", "", "{\"name\":\"x\",\"type\":7}", 400, INVALID ",\"message\":\"type: must be a text"},
        {"POST", "", "{\"name\":[],\"type\":\"CUSTOM_SW\"}", 400, "name: must be a text"},
        {"POST", "", "{\"name\":\"a\\nb\",\"type\":\"CUSTOM_SW\"}", 400, "name: has a control character"},
        {"POST", "", "{\"name\":\"a/b\",\"type\":\"CUSTOM_SW\"}", 400, "name: may not have"},
        {"POST", "", "{\"name\":\"C2\",\"type\":\"CUSTOM_SW\"}", 409, "\"code\":\"DUPLICATE_ITEM\""},
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_SW\",\"region\":\"US\"}", 400, "region: must be GLOBAL"},
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_HSM\"}", 400, "region: is required"},
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_HSM\",\"region\":\"US\"}", 400, "region: no token keeps keys"},
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_SW\",\"fallbackCertId\":99}", 400, "fallbackCertId: there is"},
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_SW\",\"keyType\":\"RSA_1K\"}", 400, "keyType: must be one of"},
        {"POST", "", "{\"name\":\"x\",\"name\":\"y\",\"type\":\"CUSTOM_SW\"}", 400, UNREADABLE},
        {"POST", "", "{\"name\":\"x\",", 400, UNREADABLE},
        {"POST", "", "[]", 400, UNREADABLE},
        {"POST", "", "{} {}", 400, UNREADABLE},
        {"POST", "", "{\"name\":\"\\u0000\"}", 400, UNREADABLE},
        {"POST", "", "{\"name\":\"\xff\"}", 400, UNREADABLE},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_an_update_with_a_bad_body_changes_nothing(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"PUT", "/2", "{\"name\":\"\"}", 400, "name: must have 1 to 128 characters"},
        {"PUT", "/2", "{\"name\":{}}", 400, "name: must be a text"},
        {"PUT", "/2", "{\"description\":\"x\",\"name\":\"c3\"}", 409, "DUPLICATE_ITEM"},
        {"PUT", "/2", "{\"type\":\"CUSTOM_HSM\"}", 400, "type: cannot be changed"},
        {"PUT", "/2", "{\"region\":\"ASIA\"}", 400, "region: cannot be changed"},
        {"PUT", "/2", "{\"keyType\":\"EC_P256\"}", 400, "keyType: cannot be changed"},
        {"PUT", "/2", "{\"status\":\"MAYBE\"}", 400, "status: must be one of ENABLED, DISABLED"},
        {"PUT", "/2", "{\"status\":1}", 400, "status: must be a text"},
        {"PUT", "/2", "{\"fallbackCertId\":2}", 400, "fallbackCertId: a certificate cannot be its own successor"},
        {"PUT", "/2", "no JSON", 400, UNREADABLE},
        {"PUT", "/6", "{\"name\":\"x\"}", 403, WRONG_ORDER},
        {"PUT", "/6", "{\"description\":\"x\"}", 403, WRONG_ORDER},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_a_csr_is_not_made_from_a_bad_body(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"POST", "/generateCsr/3", "{\"commName\":7}", 400, INVALID ",\"message\":\"commName: must be a text"},
        {"POST", "/generateCsr/3", "{\"orgName\":\"a\\tb\"}", 400, "orgName: has a control character"},
        {"POST", "/generateCsr/3", "{\"country\":\"C1\"}", 400, "country: must be two letters"},
        {"POST", "/generateCsr/3", "{\"keySize\":4096}", 400, "keySize: the key was made with 2048 bits"},
        {"POST", "/generateCsr/3", "{\"keySize\":\"2048\"}", 400, "keySize: must be a whole number"},
        {"POST", "/generateCsr/3", "{\"signatureAlgorithm\":\"MD5\"}", 400, "signatureAlgorithm: must be SHA256 or"},
        {"POST", "/generateCsr/3", "{\"pathLengthConstraint\":9}", 400, "pathLengthConstraint: must be 0 to 8"},
        {"POST", "/generateCsr/3", "{\"csrFileName\":\"../x\"}", 400, "csrFileName: may not have"},
        {"POST", "/generateCsr/3", "{\"city\":", 400, UNREADABLE},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_a_step_without_an_id_anywhere_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"keyPair",    "generateCsr",     "finalizeCert",
                                        "uploadCert", "uploadCertChain", "verifyKeyAttestation"};
    for (size_t i = 0; i < MG_ARRAY_LEN(words); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/%s", words[i]);
        const struct refusal list[] = {
            {"POST", path, "{}", 400, INVALID ",\"message\":\"id: is required"},
            {"POST", path, NULL, 400, "id: is required"},
            {"POST", path, "{\"id\":\"2\"}", 400, "id: must be a whole number"},
            {"POST", path, "{\"id\":2,\"id\":3}", 400, UNREADABLE},
        };
        assert_refused(list, MG_ARRAY_LEN(list));
    }
}

static void test_an_upload_as_json_without_the_file_is_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"POST", "/uploadCert", "{\"id\":4}", 400, "fileUpload: is required"},
        {"POST", "/uploadCert", "{\"id\":4,\"fileUpload\":7}", 400, "fileUpload: must be a text"},
        {"POST", "/uploadCert", "{\"id\":4,\"fileUpload\":\"no PEM\"}", 400, INVALID},
        {"POST", "/uploadCertChain", "{\"id\":5}", 400, "fileUpload: is required"},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_a_body_beyond_its_bound_is_refused(void **state)
{
    (void)state;
    static char body[70000];
    static char name[700];
    int len = snprintf(body, sizeof(body), "{\"name\":\"");
    memset(body + len, 'x', sizeof(body) - 1 - (size_t)len);
    snprintf(name, sizeof(name), "{\"type\":\"CUSTOM_SW\",\"name\":\"%0600d\"}", 0);
    const struct refusal list[] = {
        {"POST", "", body, 413, "\"code\":\"REQUEST_TOO_LARGE\""},
        {"PUT", "/2", body, 413, "\"code\":\"REQUEST_TOO_LARGE\""},
        {"POST", "/generateCsr/3", body, 413, "\"code\":\"REQUEST_TOO_LARGE\""},
        {"POST", "", name, 400, "name: must be a text, 0 to 512 bytes"},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_a_page_that_is_no_number_is_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"GET", "?page=0", NULL, 400, INVALID ",\"message\":\"page: must be a number"},
        {"GET", "?page=x", NULL, 400, "page: must be a number"},
        {"GET", "/readyToUse?pageSize=-1", NULL, 400, "pageSize: must be a number"},
        {"GET", "/lite?page=1&page=2", NULL, 400, "a parameter is given twice"},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

/* ---- uploads ---- */

static void test_json_to_an_upload_with_an_id_is_415_without_a_body(void **state)
{
    (void)state;
    static const char *const paths[] = {"/uploadCert/4", "/uploadCertChain/5"};
    for (size_t i = 0; i < MG_ARRAY_LEN(paths); i++) {
        zia_admin("POST", "{\"id\":4}", "%s", paths[i]);
        assert_int_equal(answer.status, 415);
        assert_string_equal(answer.body, "");
        assert_string_equal(answer.headers, "");
    }
}

static void test_a_bad_file_is_refused(void **state)
{
    (void)state;
    struct mg_buffer good;
    mg_buffer_init(&good, 1 << 16);
    fixture_chain(&good); /* a CA, but of another key */
    const struct {
        const char *part;
        struct mg_slice file;
        const char *text;
    } list[] = {
        {"fileUpload", mg_slice_of_text("no PEM"), INVALID},
        {"fileUpload", mg_slice_of_text(""), INVALID},
        {"fileUpload", mg_slice_of_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), INVALID},
        {"fileUpload", mg_buffer_slice(&good), INVALID},
    };
    int64_t before = fingerprint();
    for (size_t i = 0; i < MG_ARRAY_LEN(list); i++) {
        zia_upload("uploadCert", WITH_CSR, list[i].part, "x.pem", list[i].file);
        assert_answer(400, list[i].text);
        zia_upload("uploadCertChain", UPLOADED, list[i].part, "x.pem", mg_slice_of_text("no PEM"));
        assert_answer(400, list[i].text);
    }
    zia_upload("uploadCert", WITH_CSR, "other", "", mg_slice_of_text("no file")); /* a part, but no file */
    assert_answer(400, INVALID ",\"message\":\"fileUpload: ");
    assert_int_equal(fingerprint(), before);
    mg_buffer_free(&good);
}

static void test_two_files_are_refused(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"fileUpload", "fileUpload"}, {"a", "b"}};
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        char file[256];
        /* The second part rides in the first one's content. */
        snprintf(file, sizeof(file),
                 "x\r\n--" ZIA_BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"b\"\r\n\r\ny",
                 names[i][1]);
        zia_upload("uploadCert", WITH_CSR, names[i][0], "a", mg_slice_of_text(file));
        assert_answer(400, "fileUpload: the form must have exactly one part");
    }
}

/* ---- the order of the steps, unknown certificates, the built-in ---- */

static void test_steps_in_the_wrong_order_are_refused(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"POST", "/keyPair/3", NULL, 403, WRONG_ORDER},
        {"POST", "/keyPair/6", NULL, 403, WRONG_ORDER},
        {"GET", "/downloadPublicKey/2", NULL, 403, WRONG_ORDER},
        {"POST", "/generateCsr/2", NULL, 403, WRONG_ORDER},
        {"POST", "/generateCsr/6", NULL, 403, WRONG_ORDER},
        {"GET", "/downloadCsr/3", NULL, 403, WRONG_ORDER},
        {"GET", "/showCsr/3", NULL, 403, WRONG_ORDER},
        {"GET", "/showCert/4", NULL, 403, WRONG_ORDER},
        {"POST", "/finalizeCert/4", NULL, 403, WRONG_ORDER},
        {"POST", "/finalizeCert/6", NULL, 403, WRONG_ORDER},
        {"PUT", "/makeDefault/5", NULL, 403, WRONG_ORDER},
        {"POST", "/uploadCert", "{\"id\":3,\"fileUpload\":\"x\"}", 403, WRONG_ORDER},
        {"POST", "/uploadCertChain", "{\"id\":4,\"fileUpload\":\"x\"}", 403, WRONG_ORDER},
        {"POST", "/uploadCertChain", "{\"id\":6,\"fileUpload\":\"x\"}", 403, WRONG_ORDER},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_software_keys_have_no_attestation(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {"GET", "/downloadAttestation/3", NULL, 403, WRONG_ORDER ",\"message\":\"Only keys of certificates of type"},
        {"POST", "/downloadAttestation/3", "{}", 403, WRONG_ORDER},
        {"POST", "/verifyKeyAttestation/3", "{}", 403, WRONG_ORDER},
        {"POST", "/verifyKeyAttestation", "{\"id\":3}", 403, WRONG_ORDER},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

/* refuse_next makes the service refuse the next call. */
static void refuse_next(enum mg_status status, const char *code, const char *text)
{
    service.status = status;
    service.code = code;
    service.text = text;
}

static void test_what_a_token_refuses_is_said_so(void **state)
{
    (void)state;
    lifecycle.has_token[INTERMEDIATE_EUROPE] = true;
    int64_t id = fixture_create("hsm", INTERMEDIATE_HSM, 0);
    assert_int_equal(id, NEXT_ID);
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    static const struct refusal extractable[] = {
        {"POST", "/verifyKeyAttestation/7", NULL, 403, WRONG_ORDER ",\"message\":\"extractable: the token says yes\""}};
    refuse_next(MG_DENIED, "INVALID_OPERATION", "extractable: the token says yes");
    assert_refused(extractable, 1);
    static const struct refusal away[] = {{"GET", "/downloadAttestation/7", NULL, 503, "token basel: is not up"}};
    refuse_next(MG_AGAIN, SERVICE_UNAVAILABLE, "token basel: is not up");
    assert_refused(away, 1);
}

/* Each route of one certificate, with a body that is good otherwise. */
static const struct {
    const char *method, *word, *body;
    bool is_for_builtin; /* allowed for it */
} routes[] = {
    {"GET", "", NULL, true},
    {"PUT", "", "{\"name\":\"x\"}", false},
    {"DELETE", "", NULL, false},
    {"GET", "/lite", NULL, true},
    {"POST", "/keyPair", NULL, false},
    {"GET", "/downloadPublicKey", NULL, true},
    {"GET", "/downloadAttestation", NULL, false},
    {"POST", "/downloadAttestation", NULL, false},
    {"POST", "/verifyKeyAttestation", NULL, false},
    {"POST", "/generateCsr", NULL, false},
    {"GET", "/downloadCsr", NULL, false},
    {"GET", "/showCsr", NULL, false},
    {"GET", "/showCert", NULL, false},
    {"POST", "/finalizeCert", NULL, false},
    {"PUT", "/makeDefault", NULL, true},
};

static void test_an_unknown_certificate_is_404(void **state)
{
    (void)state;
    static const char *const ids[] = {"0", "7", "9223372036854775807", "9223372036854775808", "-1", "x"};
    for (size_t i = 0; i < MG_ARRAY_LEN(routes); i++) {
        for (size_t j = 0; j < MG_ARRAY_LEN(ids); j++) {
            char path[96];
            snprintf(path, sizeof(path), "%s/%s", routes[i].word, ids[j]);
            assert_refused(&(struct refusal){routes[i].method, path, routes[i].body, 404, UNKNOWN}, 1);
        }
    }
    zia_upload_good("uploadCert", NEXT_ID);
    assert_answer(404, UNKNOWN);
    zia_upload_good("uploadCertChain", NEXT_ID);
    assert_answer(404, UNKNOWN);
}

static void test_the_built_in_is_refused_as_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < MG_ARRAY_LEN(routes); i++) {
        char path[96];
        snprintf(path, sizeof(path), "%s/1", routes[i].word);
        if (routes[i].is_for_builtin) {
            zia_admin(routes[i].method, routes[i].body, "%s", path);
            assert_int_equal(answer.status, 200);
            continue;
        }
        assert_refused(&(struct refusal){routes[i].method, path, routes[i].body, 403,
                                         "{" INVALID ",\"message\":\"This operation is not applicable for the "
                                         "Zscaler root certificate\"}"},
                       1);
    }
    zia_upload_good("uploadCert", 1);
    assert_answer(403, INVALID);
}

static void test_the_default_can_be_neither_deleted_nor_disabled(void **state)
{
    (void)state;
    zia_admin("PUT", NULL, "/makeDefault/%d", READY);
    assert_int_equal(answer.status, 200);
    static const struct refusal list[] = {
        {"DELETE", "/6", NULL, 403, WRONG_ORDER ",\"message\":\"The default certificate cannot be deleted\""},
        {"PUT", "/6", "{\"status\":\"DISABLED\"}", 403, WRONG_ORDER},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

static void test_quotas_are_403(void **state)
{
    (void)state;
    lifecycle.subscription = CONFIG_SUBSCRIPTION_SOFTWARE; /* which allows two */
    static const struct refusal list[] = {
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_SW\"}", 403, "\"code\":\"INVALID_OPERATION\""},
        {"POST", "", "{\"name\":\"x\",\"type\":\"CUSTOM_HSM\",\"region\":\"US\"}", 403, "\"code\":\"NOT_SUBSCRIBED\""},
    };
    assert_refused(list, MG_ARRAY_LEN(list));
}

/* ---- who may ---- */

/* Said by the router, before a handler is asked: the life cycle has other words for it. */
#define NOT_THIS_ROLE "{\"code\":\"SCOPE_LIMITED\",\"message\":\"The role does not allow this.\"}"
#define STRANGER "\"code\":\"SESSION_NOT_VALID\""

static void test_an_auditor_cannot_write_and_a_stranger_not_even_read(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        bool is_for_operator;
    } writes[] = {
        {"POST", "", false},
        {"PUT", "/2", false},
        {"DELETE", "/2", false},
        {"POST", "/keyPair/2", false},
        {"POST", "/keyPair", false},
        {"POST", "/verifyKeyAttestation/3", false},
        {"POST", "/verifyKeyAttestation", false},
        {"POST", "/generateCsr/3", false},
        {"POST", "/generateCsr", false},
        {"POST", "/uploadCert/4", false},
        {"POST", "/uploadCert", false},
        {"POST", "/uploadCertChain/5", false},
        {"POST", "/uploadCertChain", false},
        {"POST", "/finalizeCert/5", false},
        {"POST", "/finalizeCert", false},
        {"PUT", "/makeDefault/6", true},
    };
    int64_t before = fingerprint();
    for (size_t i = 0; i < MG_ARRAY_LEN(writes); i++) {
        char target[128];
        snprintf(target, sizeof(target), CERTS "%s", writes[i].path);
        zia_ask(HTTP_ROLE_ANONYMOUS, writes[i].method, target, "{}");
        assert_answer(401, STRANGER);
        zia_ask(HTTP_ROLE_AUDITOR, writes[i].method, target, "{}");
        assert_answer(403, NOT_THIS_ROLE);
        if (!writes[i].is_for_operator) {
            zia_ask(HTTP_ROLE_OPERATOR, writes[i].method, target, "{}");
            assert_answer(403, NOT_THIS_ROLE);
        }
    }
    zia_ask(HTTP_ROLE_AUDITOR, "POST", "/api/v1/status/activate", NULL);
    assert_answer(403, NOT_THIS_ROLE);
    assert_int_equal(fingerprint(), before);
}

static void check_row(void *arg, const struct http_family *family, const char *base, const struct http_route *route)
{
    static const enum rate_weight weights[HTTP_NUM_METHODS] = {
        [HTTP_GET] = RATE_LIGHT, [HTTP_POST] = RATE_MEDIUM, [HTTP_PUT] = RATE_MEDIUM, [HTTP_DELETE] = RATE_HEAVY};
    unsigned *num_rows = arg;
    char target[128];
    if (strcmp(family->name, "zia") != 0) {
        return; /* how clients log in */
    }
    assert_int_equal(route->weight, weights[route->method]);
    if (route->method == HTTP_GET) {
        assert_int_equal(route->role, HTTP_ROLE_AUDITOR);
        assert_int_equal(route->body, HTTP_BODY_NONE);
    }
    snprintf(target, sizeof(target), "%s%s", base, route->pattern);
    zia_ask(HTTP_ROLE_ANONYMOUS, http_method_name(route->method), target, NULL);
    assert_answer(401, STRANGER);
    (*num_rows)++;
}

/* The weights of contracts.md section 1.7. */
static void test_no_route_is_open_and_each_has_the_weight_of_its_method(void **state)
{
    (void)state;
    unsigned num_rows = 0;
    router_each(zia_router(), check_row, &num_rows);
    assert_int_equal(num_rows, 2 * 29);
}

/* ---- what is behind us ---- */

static void test_failures_of_the_service_are_answered_by_what_a_client_can_do(void **state)
{
    (void)state;
    static const struct {
        struct service failure;
        unsigned status;
        const char *body;
    } list[] = {
        {{MG_IO, "SERVICE_UNAVAILABLE", "/run/secret.sock is not there"},
         503,
         "{\"code\":\"SERVICE_UNAVAILABLE\",\"message\":\"The service is busy: try again later.\"}"},
        {{MG_AGAIN, "SERVICE_UNAVAILABLE", "engine 7 has not confirmed"},
         503,
         "{\"code\":\"SERVICE_UNAVAILABLE\",\"message\":\"engine 7 has not confirmed\"}"},
        {{MG_EXISTS, "EDIT_LOCK_NOT_AVAILABLE", "another publication is under way"},
         409,
         "{\"code\":\"EDIT_LOCK_NOT_AVAILABLE\"}"},
        {{MG_DENIED, "ENGINE_NOT_READY", "engine 7: no such key"},
         403,
         "{\"code\":\"ENGINE_NOT_READY\",\"message\":\"engine 7: no such key\"}"},
        {{MG_INVALID, "UNEXPECTED_ERROR", "the signer refused"},
         500,
         "{\"code\":\"UNEXPECTED_ERROR\",\"message\":\"The request could not be answered.\"}"},
        {{MG_IO, "UNEXPECTED_ERROR", "the disk is full"},
         500,
         "{\"code\":\"UNEXPECTED_ERROR\",\"message\":\"The request could not be answered.\"}"},
    };
    static const struct {
        const char *method, *path;
    } calls[] = {{"POST", "/keyPair/2"},
                 {"POST", "/generateCsr/3"},
                 {"POST", "/finalizeCert/5"},
                 {"PUT", "/makeDefault/6"},
                 {"PUT", "/2"},
                 {"DELETE", "/2"}};
    for (size_t i = 0; i < MG_ARRAY_LEN(calls); i++) {
        for (size_t j = 0; j < MG_ARRAY_LEN(list); j++) {
            service = list[j].failure;
            zia_admin(calls[i].method, "{}", "%s", calls[i].path);
            assert_int_equal(answer.status, list[j].status);
            assert_string_equal(answer.body, list[j].body);
            assert_int_equal(header_has("Retry-After: 5\n"), list[j].status == 503);
        }
    }
}

static void damage_certificates(void)
{
    struct store_tx *tx;
    struct store_statement statement;
    assert_int_equal(store_begin(lifecycle.store, STORE_WRITE, &tx, &error), MG_OK);
    store_prepare(&statement, tx, "UPDATE intermediate SET certificate = 'damaged'");
    assert_int_equal(store_end(tx, store_run(&statement, &error), &error), MG_OK);
}

static void test_a_damaged_record_is_our_failure_and_not_the_clients(void **state)
{
    (void)state;
    damage_certificates();
    zia_admin("GET", NULL, "/showCert/%d", UPLOADED);
    assert_answer(500, "{\"code\":\"UNEXPECTED_ERROR\",\"message\":\"The request could not be answered.\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, zia_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_certificate_is_not_created_from_a_bad_body),
        TEST(test_an_update_with_a_bad_body_changes_nothing),
        TEST(test_a_csr_is_not_made_from_a_bad_body),
        TEST(test_a_step_without_an_id_anywhere_is_refused),
        TEST(test_an_upload_as_json_without_the_file_is_refused),
        TEST(test_a_body_beyond_its_bound_is_refused),
        TEST(test_a_page_that_is_no_number_is_refused),
        TEST(test_json_to_an_upload_with_an_id_is_415_without_a_body),
        TEST(test_a_bad_file_is_refused),
        TEST(test_two_files_are_refused),
        TEST(test_steps_in_the_wrong_order_are_refused),
        TEST(test_software_keys_have_no_attestation),
        TEST(test_what_a_token_refuses_is_said_so),
        TEST(test_an_unknown_certificate_is_404),
        TEST(test_the_built_in_is_refused_as_recorded),
        TEST(test_the_default_can_be_neither_deleted_nor_disabled),
        TEST(test_quotas_are_403),
        TEST(test_an_auditor_cannot_write_and_a_stranger_not_even_read),
        TEST(test_no_route_is_open_and_each_has_the_weight_of_its_method),
        TEST(test_failures_of_the_service_are_answered_by_what_a_client_can_do),
        TEST(test_a_damaged_record_is_our_failure_and_not_the_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
