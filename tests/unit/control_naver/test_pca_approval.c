/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "control/naver/pca_approval.h"
#include "control/naver/pca_request.h"

/* A gate that does what it is told, and remembers what it was asked. */
struct fake {
    enum mg_status status;
    char *payload;
    int64_t now_us;
    unsigned num_given_back;
};

static enum mg_status pass(void *arg, struct lifecycle_call *call, enum approval_operation operation,
                           const char *payload, struct approval_ticket *out, struct mg_error *error)
{
    struct fake *fake = arg;
    assert_int_equal(operation, APPROVAL_SIGN_SUB_CA);
    free(fake->payload);
    fake->payload = strdup(payload);
    fake->now_us = call->now_us;
    strcpy(out->request, "some-request");
    call->code = APPROVAL_REQUIRED;
    return fake->status == MG_OK ? MG_OK : mg_error_set(error, fake->status, "of the gate");
}

static void give_back(void *arg, const struct lifecycle_call *call, const struct approval_ticket *ticket)
{
    struct fake *fake = arg;
    (void)call;
    assert_string_equal(ticket->request, "some-request");
    fake->num_given_back++;
}

/* new_request makes a request whose common name is |len| bytes of |name|. */
static X509_REQ *new_request(const char *name, size_t len)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject = X509_NAME_new();
    assert_true(X509_NAME_add_entry_by_NID(subject, NID_organizationName, MBSTRING_UTF8, (const uint8_t *)"Example", -1,
                                           -1, 0) == 1);
    X509_NAME_ENTRY *entry =
        X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, V_ASN1_UTF8STRING, (const uint8_t *)name, (int)len);
    assert_true(X509_NAME_add_entry(subject, entry, -1, 0) == 1);
    assert_true(X509_REQ_set_subject_name(request, subject) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
                X509_REQ_sign(request, key, EVP_sha256()) > 0);
    X509_NAME_ENTRY_free(entry);
    X509_NAME_free(subject);
    EVP_PKEY_free(key);
    return request;
}

/* Each test's: a CA whose gate is |fake|. */
static struct fake fake;
static const struct approval_gate gate = {.arg = &fake, .pass = pass, .give_back = give_back};
static struct pca pca;
static const struct pca_ca ca = {.tag = "00112233-44556677", .alias = "the-root"};

static struct pca_call begin(enum mg_status status)
{
    free(fake.payload);
    fake = (struct fake){.status = status};
    pca = (struct pca){.gate = &gate};
    return (struct pca_call){.pca = &pca, .now_us = 4711};
}

static json_t *taken_payload(X509_REQ *request, int path_len)
{
    struct pca_call call = begin(MG_OK);
    struct approval_ticket ticket;
    struct mg_error error;
    const struct pca_sub_signing signing = {.ca = &ca, .request = request, .days = 30, .path_len = path_len};
    assert_int_equal(pca_approval_take(&call, &signing, &ticket, &error), MG_OK);
    assert_string_equal(ticket.request, "some-request");
    assert_null(call.code);
    assert_int_equal(fake.now_us, 4711);
    json_t *payload = json_loads(fake.payload, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(payload);
    X509_REQ_free(request);
    return payload;
}

static const char *text(const json_t *payload, const char *member)
{
    return json_string_value(json_object_get(payload, member));
}

static void test_approvers_see_ca_subject_period_and_digest(void **state)
{
    (void)state;
    json_t *payload = taken_payload(new_request("Some CA", 7), 0);
    assert_string_equal(text(payload, "operation"), "signSubCa");
    assert_string_equal(text(payload, "ca"), "00112233-44556677");
    assert_string_equal(text(payload, "alias"), "the-root");
    assert_string_equal(text(payload, "subject"), "CN=Some CA,O=Example");
    assert_int_equal(json_integer_value(json_object_get(payload, "period")), 30);
    assert_true(json_is_integer(json_object_get(payload, "pathLengthConstraint")));
    assert_int_equal(strlen(text(payload, "csrSha256")), 64);
    json_decref(payload);
    payload = taken_payload(new_request("Some CA", 7), PCA_NO_PATH_LEN);
    assert_null(json_object_get(payload, "pathLengthConstraint"));
    json_decref(payload);
}

/* A subject cannot show approvers other members than those that were written, nor another subject than it has. */
static void test_a_hostile_subject_stays_inside_its_quotes(void **state)
{
    (void)state;
    static const char hostile[] = "x\",\"period\":9,\"csrSha256\":\"\\\n\0,CN=Good CA";
    json_t *payload = taken_payload(new_request(hostile, sizeof(hostile) - 1), 0);
    assert_int_equal(json_integer_value(json_object_get(payload, "period")), 30);
    assert_string_equal(text(payload, "subject"),
                        "CN=x\\\"\\,\\\"period\\\":9\\,\\\"csrSha256\\\":\\\"\\\\\\0A\\00\\,CN=Good CA,O=Example");
    json_decref(payload);
}

static void test_the_longest_subject_that_a_request_may_have_is_shown_whole(void **state)
{
    (void)state;
    static char name[PCA_MAX_REQUEST];
    memset(name, '\\', sizeof(name));
    json_t *payload = taken_payload(new_request(name, sizeof(name)), 0);
    assert_int_equal(strlen(text(payload, "subject")), strlen("CN=,O=Example") + 2 * sizeof(name));
    json_decref(payload);
}

static void test_refusals_have_the_familys_code_and_failures_have_none(void **state)
{
    (void)state;
    static const enum mg_status statuses[] = {MG_EXISTS, MG_DENIED, MG_IO, MG_MEMORY};
    X509_REQ *request = new_request("Some CA", 7);
    const struct pca_sub_signing signing = {.ca = &ca, .request = request, .days = 30, .path_len = 0};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct pca_call call = begin(statuses[i]);
        struct approval_ticket ticket;
        struct mg_error error;
        assert_int_equal(pca_approval_take(&call, &signing, &ticket, &error), statuses[i]);
        assert_string_equal(error.text, "of the gate");
        assert_string_equal(call.code == NULL ? "none" : call.code, i < 2 ? PCA_NEEDS_APPROVAL : "none");
    }
    X509_REQ_free(request);
}

static void test_an_approval_is_given_back_if_and_only_if_nothing_can_have_been_signed(void **state)
{
    (void)state;
    const struct approval_ticket ticket = {.request = "some-request"};
    struct pca_call call = begin(MG_OK);
    call.may_have_signed = true;
    pca_approval_end(&call, &ticket);
    assert_int_equal(fake.num_given_back, 0);
    call.may_have_signed = false;
    pca_approval_end(&call, &ticket);
    assert_int_equal(fake.num_given_back, 1);
}

static void test_without_a_gate_nobody_is_asked(void **state)
{
    (void)state;
    struct pca_call call = begin(MG_DENIED);
    struct approval_ticket ticket;
    const struct pca_sub_signing signing = {.ca = &ca};
    pca.gate = NULL;
    assert_int_equal(pca_approval_take(&call, &signing, &ticket, NULL), MG_OK);
    assert_string_equal(ticket.request, "");
    pca_approval_end(&call, &ticket);
    assert_null(fake.payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approvers_see_ca_subject_period_and_digest),
        cmocka_unit_test(test_a_hostile_subject_stays_inside_its_quotes),
        cmocka_unit_test(test_the_longest_subject_that_a_request_may_have_is_shown_whole),
        cmocka_unit_test(test_refusals_have_the_familys_code_and_failures_have_none),
        cmocka_unit_test(test_an_approval_is_given_back_if_and_only_if_nothing_can_have_been_signed),
        cmocka_unit_test(test_without_a_gate_nobody_is_asked),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(fake.payload);
    return failed;
}
