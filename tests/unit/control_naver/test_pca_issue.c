/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the approval of a CA's request when its signing fails: with the signer's own program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <signal.h>

#include "control/audit.h"
#include "control/naver/pca_issue.h"
#include "tests/unit/hsm/signer_process.h"
#include "tests/unit/hsm/temp_dir.h"

#define NOW_US INT64_C(1795247636000000)

/* A gate that lets everything pass, and counts. */
static unsigned num_passed, num_given_back;
static bool signer_ends; /* as soon as something has passed */

static enum mg_status pass(void *arg, struct lifecycle_call *call, enum approval_operation operation,
                           const char *payload, struct approval_ticket *out, struct mg_error *error)
{
    (void)arg;
    (void)call;
    (void)operation;
    (void)payload;
    (void)error;
    strcpy(out->request, "some-request");
    num_passed++;
    if (signer_ends) {
        signer_assert_stopped_well();
    }
    return MG_OK;
}

static void give_back(void *arg, const struct lifecycle_call *call, const struct approval_ticket *ticket)
{
    (void)arg;
    (void)call;
    assert_string_equal(ticket->request, "some-request");
    num_given_back++;
}

static const struct approval_gate gate = {.pass = pass, .give_back = give_back};

/* Each test's: a root, and a request that is to be signed by it. */
static struct store *store;
static struct signer_client *signer;
static struct pca pca;
static struct pca_ca root;
static X509_REQ *request;
static struct mg_error error;

static struct pca_call new_call(void)
{
    return (struct pca_call){
        .pca = &pca, .actor = {.name = "test", .role = CONTROL_ADMIN, .source = "internal"}, .now_us = NOW_US};
}

static X509_REQ *new_request(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *made = X509_REQ_new();
    X509_NAME *subject = X509_REQ_get_subject_name(made);
    assert_true(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const uint8_t *)"Sub", -1, -1, 0) ==
                    1 &&
                X509_REQ_set_pubkey(made, key) == 1 && X509_REQ_sign(made, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return made;
}

static int begin(void **state)
{
    static const struct store_migrations *const modules[] = {&audit_migrations, &pca_migrations};
    const struct pca_wish wish = {.type = PCA_ROOT,
                                  .alias = "root",
                                  .memo = "",
                                  .key_type = WIRE_KEY_EC_P256,
                                  .subject = {.common_name = "Root"}};
    struct pca_call call = new_call();
    signer_begin(state);
    assert_int_equal(store_open(&store, temp_path("control.db"), modules, MG_ARRAY_LEN(modules), &error), MG_OK);
    assert_int_equal(signer_client_new(&signer, temp_path("control.sock"), SIGNER_CLIENT_DEFAULT_TIMEOUT_MS, &error),
                     MG_OK);
    pca_init(&pca, store, signer, "");
    pca.gate = &gate;
    if (pca_create(&call, &wish, &root, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    request = new_request();
    num_passed = num_given_back = 0;
    signer_ends = false;
    return 0;
}

static int end(void **state)
{
    X509_REQ_free(request);
    pca_ca_free(&root);
    pca_close(&pca);
    signer_client_free(signer);
    store_close(store);
    return signer_end(state);
}

static enum mg_status sign(void)
{
    struct pca_call call = new_call();
    struct pca_issued issued;
    enum mg_status status = pca_sign_sub(&call, root.tag, PCA_PERIOD_DEFAULT, request, &issued, &error);
    pca_issued_free(&issued);
    return status;
}

static void run_sql(const char *sql)
{
    struct store_tx *tx;
    struct store_statement statement;
    assert_int_equal(store_begin(store, STORE_WRITE, &tx, &error), MG_OK);
    store_prepare(&statement, tx, sql);
    assert_int_equal(store_end(tx, store_run(&statement, &error), &error), MG_OK);
}

static void test_what_was_signed_has_used_its_approval_up(void **state)
{
    (void)state;
    assert_int_equal(sign(), MG_OK);
    assert_int_equal(num_passed, 1);
    assert_int_equal(num_given_back, 0);
}

static void test_so_has_what_was_signed_and_could_not_be_recorded(void **state)
{
    (void)state;
    run_sql("CREATE TRIGGER broken BEFORE INSERT ON pca_certificate BEGIN SELECT RAISE(ABORT, 'broken'); END");
    assert_int_equal(sign(), MG_INTERNAL);
    assert_int_equal(num_passed, 1);
    assert_int_equal(num_given_back, 0);
}

static void test_so_has_what_the_signer_may_have_signed(void **state)
{
    (void)state;
    signer_ends = true;
    assert_int_equal(sign(), MG_IO);
    assert_int_equal(num_passed, 1);
    assert_int_equal(num_given_back, 0);
}

static void test_what_the_signer_refused_may_be_tried_again(void **state)
{
    (void)state;
    assert_int_equal(signer_client_destroy(signer, &root.key_id, &error), MG_OK);
    assert_int_equal(sign(), MG_INTERNAL);
    assert_int_equal(num_passed, 1);
    assert_int_equal(num_given_back, 1);
}

static void test_where_the_signer_is_away_no_approval_is_taken(void **state)
{
    (void)state;
    signer_assert_stopped_well();
    assert_int_equal(sign(), MG_IO);
    assert_int_equal(num_passed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_signed_has_used_its_approval_up, begin, end),
        cmocka_unit_test_setup_teardown(test_so_has_what_was_signed_and_could_not_be_recorded, begin, end),
        cmocka_unit_test_setup_teardown(test_so_has_what_the_signer_may_have_signed, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_signer_refused_may_be_tried_again, begin, end),
        cmocka_unit_test_setup_teardown(test_where_the_signer_is_away_no_approval_is_taken, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
