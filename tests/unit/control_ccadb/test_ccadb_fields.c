/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "control/ccadb/fields.h"

static json_t *record;
static struct findings findings;

static bool has_word(void *arg, const char *list, const char *word)
{
    (void)arg;
    return (strcmp(list, PICKLIST_AUDIT_TYPE) == 0 && strcmp(word, "WebTrust") == 0) ||
           (strcmp(list, PICKLIST_REVOCATION_STATUS) == 0 && strcmp(word, "Revoked") == 0);
}

static bool has_auditor(void *arg, const char *auditor)
{
    (void)arg;
    return strlen(auditor) == 1; /* "A" and "B" */
}

static bool has_location(void *arg, const char *auditor, const char *location)
{
    (void)arg;
    return location[0] == auditor[0]; /* "Athens" and "Berlin" */
}

static const struct field_words words = {has_word, has_auditor, has_location, NULL};

static int start(void **state)
{
    (void)state;
    record = json_object();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    json_decref(record);
    findings_free(&findings);
    return 0;
}

/* merge merges the JSON |text|, and returns how many errors that gave. */
static size_t merge(const char *text)
{
    json_t *request = json_loads(text, 0, NULL);
    assert_non_null(request);
    findings_free(&findings);
    fields_merge(record, request, &words, &findings);
    json_decref(request);
    return json_array_size(findings.errors);
}

static const char *kept(const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text == NULL ? "" : text;
}

static bool says(const char *what)
{
    json_t *list = findings_list(&findings);
    char *text = json_dumps(list, 0);
    bool found = strstr(text, what) != NULL;
    free(text);
    json_decref(list);
    return found;
}

static void test_null_leaves_a_blank_clears(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"Description\": \"one\", \"AuditInformation\": {\"AuditSameAsParent\": true},"
                           " \"PertainingToCertificatesIssued\": {\"JSONArrayofPartitionedCRLs\": [\"\"]}}"),
                     0);
    assert_int_equal(merge("{\"Description\": null, \"AuditInformation\": {\"AuditSameAsParent\": null}}"), 0);
    assert_string_equal(kept("Description"), "one");
    assert_int_equal(json_object_size(record), 3);
    assert_int_equal(merge("{\"Description\": \"\", \"AuditInformation\": {\"AuditSameAsParent\": \"\"},"
                           " \"PertainingToCertificatesIssued\": {\"JSONArrayofPartitionedCRLs\": []}}"),
                     0);
    assert_int_equal(json_object_size(record), 0);
    assert_string_equal(findings_status(&findings), "Success");
}

static void test_false_is_a_value_and_nothing_else_is_a_flag(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"AuditInformation\": {\"AuditSameAsParent\": false}}"), 0);
    assert_true(json_is_false(json_object_get(record, "AuditSameAsParent")));
    assert_int_equal(merge("{\"AuditInformation\": {\"AuditSameAsParent\": \"false\"}}"), 1);
    assert_int_equal(merge("{\"AuditInformation\": {\"AuditSameAsParent\": []}}"), 1);
}

static void test_both_spellings_are_one_field(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"PolicyInformation\": {\"DocumentRepositatory\": \"a\"}}"), 0);
    assert_string_equal(kept("DocumentRepository"), "a");
    assert_int_equal(merge("{\"NonAuditDocumentInformation\": {\"DocumentRepository\": \"b\"}}"), 0);
    assert_string_equal(kept("DocumentRepository"), "b");
    assert_int_equal(json_object_size(record), 1);
    assert_int_equal(json_array_size(findings.warnings), 0);
}

static void test_rules_between_fields_hold_for_what_is_kept_too(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"AuditInformation\": {\"BRAudit\": \"https://a/\", \"BRAuditType\": \"WebTrust\","
                           " \"BRAuditStatementDate\": \"2024-03-01\", \"BRAuditPeriodStartDate\": \"2023-01-01\","
                           " \"BRAuditPeriodEndDate\": \"2024-03-01\"}}"),
                     0);
    assert_int_equal(merge("{\"AuditInformation\": {\"BRAuditStatementDate\": \"2024-02-29\"}}"), 1);
    assert_true(says("BRAuditPeriodEndDate: cannot be after BRAuditStatementDate"));
    assert_int_equal(merge("{\"AuditInformation\": {\"BRAuditStatementDate\": \"2024-03-01\", \"BRAuditType\": \"\"}}"),
                     1);
    assert_true(says("BRAuditType: is required when BRAudit is provided"));
    assert_int_equal(merge("{\"AuditInformation\": {\"BRAudit\": \"\"}}"), 0);
}

static void test_revoked_wants_a_date(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"RevocationInformation\": {\"RevocationStatus\": \"Revoked\"}}"), 1);
    assert_true(fields_is_revoked(record));
    assert_int_equal(merge("{\"RevocationInformation\": {\"DateOfRevocation\": \"2026-01-01\"}}"), 0);
    assert_int_equal(merge("{\"RevocationInformation\": {\"RevocationStatus\": \"\"}}"), 0);
    assert_false(fields_is_revoked(record));
}

static void test_a_location_is_of_the_auditor_that_the_record_has(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"AuditorInformation\": {\"Auditor\": \"A\", \"AuditorLocation\": \"Athens\"}}"), 0);
    assert_int_equal(merge("{\"AuditorInformation\": {\"AuditorLocation\": \"Berlin\"}}"), 1);
    assert_int_equal(merge("{\"AuditorInformation\": {\"AuditorLocation\": \"Athens\", \"Auditor\": \"B\"}}"), 1);
    assert_int_equal(merge("{\"AuditorInformation\": {\"Auditor\": \"B\"}}"), 1); /* the location stays */
    assert_int_equal(merge("{\"AuditorInformation\": {\"AuditorLocation\": \"Berlin\"}}"), 0);
    assert_int_equal(merge("{\"AuditorInformation\": {\"Auditor\": \"nobody\"}}"), 1);
}

static void test_what_is_unknown_is_a_warning_and_not_kept(void **state)
{
    (void)state;
    assert_int_equal(merge("{\"Descripton\": \"x\", \"AuditInformation\": {\"Audit\": 1}, \"CAOwner\": \"x\"}"), 0);
    assert_int_equal(json_array_size(findings.warnings), 3);
    assert_string_equal(findings_status(&findings), "SuccessWithWarnings");
    assert_int_equal(json_object_size(record), 0);
    assert_int_equal(merge("{\"AuditInformation\": []}"), 1);
}

static void test_findings_are_bounded(void **state)
{
    (void)state;
    json_t *request = json_object();
    for (int i = 0; i < 3 * FINDINGS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "unknown %d", i);
        json_object_set_new(request, name, json_null());
    }
    fields_merge(record, request, &words, &findings);
    json_decref(request);
    assert_int_equal(json_array_size(findings.warnings), FINDINGS_MAX + 1);
    assert_true(says("There is more."));
}

static void assert_crl(const char *text, const char *expected)
{
    json_decref(record);
    record = json_object();
    assert_int_equal(merge(text), 0);
    const char *url = fields_crl_url(record);
    assert_string_equal(url == NULL ? "" : url, expected);
}

#define ISSUED(members) "{\"PertainingToCertificatesIssued\": {" members "}}"
#define FULL "\"FullCRLIssuedByThisCA\": \"http://full/\""
#define ALL "\"JSONArrayofAllFullCRLURLs\": [\"http://all/1\", \"http://all/2\"]"

static void test_the_one_list_of_all_that_is_revoked(void **state)
{
    (void)state;
    assert_crl("{}", "");
    assert_crl(ISSUED(FULL ", " ALL), "http://full/");
    assert_crl(ISSUED(ALL), "http://all/1");
    assert_crl(ISSUED("\"JSONArrayofPartitionedCRLs\": [\"http://only/\"]"), "http://only/");
    assert_crl(ISSUED("\"JSONArrayofPartitionedCRLs\": [\"http://1/\", \"http://2/\"]"), "");
    assert_crl(ISSUED("\"JSONArrayofPartitionedCRLs\": [\"\"]"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_null_leaves_a_blank_clears),
        TEST(test_false_is_a_value_and_nothing_else_is_a_flag),
        TEST(test_both_spellings_are_one_field),
        TEST(test_rules_between_fields_hold_for_what_is_kept_too),
        TEST(test_revoked_wants_a_date),
        TEST(test_a_location_is_of_the_auditor_that_the_record_has),
        TEST(test_what_is_unknown_is_a_warning_and_not_kept),
        TEST(test_findings_are_bounded),
        TEST(test_the_one_list_of_all_that_is_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
