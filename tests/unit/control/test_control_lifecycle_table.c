/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine, printed whole and compared with what contracts.md sections 1.4 to 1.6 and issue 3 say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buffer.h"
#include "control/lifecycle_table.h"

/* One letter a cell. An allowed operation: the state afterwards. */
static const char state_letters[] = "-GKPAVCUHR";
/* A refused one: which rule, with its class and code. */
static const struct {
    char letter;
    enum mg_status status;
    const char *code;
    const char *part; /* of the text */
} refusals[] = {
    {'n', MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "no intermediate CA certificate with this id"},
    {'b', MG_DENIED, "INVALID_INPUT_ARGUMENT", "not applicable for the Zscaler root certificate"},
    {'r', MG_DENIED, "SCOPE_LIMITED", "role"},
    {'e', MG_EXISTS, "DUPLICATE_ITEM", "already"},
    {'h', MG_DENIED, "INVALID_OPERATION", "CUSTOM_HSM"},
    {'k', MG_DENIED, "INVALID_OPERATION", "key pair must be generated first"},
    {'d', MG_DENIED, "INVALID_OPERATION", "key pair was generated already"},
    {'c', MG_DENIED, "INVALID_OPERATION", "signing request must be generated first"},
    {'u', MG_DENIED, "INVALID_OPERATION", "signed certificate must be uploaded first"},
    {'y', MG_DENIED, "INVALID_OPERATION", "must be finalized first"},
    {'f', MG_DENIED, "INVALID_OPERATION", "is finalized"},
};

static char letter_of(struct lifecycle_verdict verdict)
{
    if (verdict.refusal == NULL) {
        return state_letters[verdict.next];
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(refusals); i++) {
        if (verdict.refusal->status == refusals[i].status && strcmp(verdict.refusal->code, refusals[i].code) == 0 &&
            strstr(verdict.refusal->text, refusals[i].part) != NULL) {
            return refusals[i].letter;
        }
    }
    return '?';
}

static void expect_matrix(enum intermediate_type type, enum control_role role, const char *expected)
{
    char text[4096];
    struct mg_buffer printed;
    mg_buffer_wrap(&printed, text, sizeof(text));
    for (unsigned operation = 0; operation < LIFECYCLE_NUM_OPERATIONS; operation++) {
        mg_buffer_append_format(&printed, "%-20s ", lifecycle_operation_name(operation));
        for (unsigned state = 0; state < INTERMEDIATE_NUM_STATES; state++) {
            struct lifecycle_verdict verdict = lifecycle_judge(operation, type, state, role);
            mg_buffer_append_u8(&printed, (uint8_t)letter_of(verdict));
        }
        mg_buffer_append_text(&printed, "\n");
    }
    mg_buffer_append_u8(&printed, 0);
    assert_true(mg_buffer_ok(&printed));
    assert_string_equal(text, expected);
}

static void test_an_admin_and_a_certificate_in_an_hsm(void **state)
{
    (void)state;
    expect_matrix(INTERMEDIATE_HSM, CONTROL_ADMIN,
                  "installBuiltin       -GKPAVCUHR\n"
                  "show                 nGKPAVCUHR\n"
                  "create               Geeeeeeeee\n"
                  "update               nGKPAVCUHf\n"
                  "setStatus            nGKPAVCUHR\n"
                  "setSuccessor         nGKPAVCUHR\n"
                  "delete               nGKPAVCUHR\n"
                  "keyPair              nKdddddddd\n"
                  "downloadPublicKey    nkPPAVCUHR\n"
                  "downloadAttestation  nkAAAVCUHR\n"
                  "verifyKeyAttestation nkVVVVCUHf\n"
                  "generateCsr          nkCCCCCCCf\n"
                  "showCsr              ncccccCUHR\n"
                  "uploadCert           ncccccUUUf\n"
                  "showCert             nuuuuuuUHR\n"
                  "uploadCertChain      nuuuuuuHHf\n"
                  "finalizeCert         nuuuuuuRRf\n"
                  "makeDefault          nyyyyyyyyR\n"
                  "importKeyStore       Reeeeeeeee\n");
}

static void test_an_admin_and_a_certificate_in_software(void **state)
{
    (void)state;
    expect_matrix(INTERMEDIATE_SOFTWARE, CONTROL_ADMIN,
                  "installBuiltin       -GKPAVCUHR\n"
                  "show                 nGKPAVCUHR\n"
                  "create               Geeeeeeeee\n"
                  "update               nGKPAVCUHf\n"
                  "setStatus            nGKPAVCUHR\n"
                  "setSuccessor         nGKPAVCUHR\n"
                  "delete               nGKPAVCUHR\n"
                  "keyPair              nKdddddddd\n"
                  "downloadPublicKey    nkPPAVCUHR\n"
                  "downloadAttestation  nhhhhhhhhh\n"
                  "verifyKeyAttestation nhhhhhhhhh\n"
                  "generateCsr          nkCCCCCCCf\n"
                  "showCsr              ncccccCUHR\n"
                  "uploadCert           ncccccUUUf\n"
                  "showCert             nuuuuuuUHR\n"
                  "uploadCertChain      nuuuuuuHHf\n"
                  "finalizeCert         nuuuuuuRRf\n"
                  "makeDefault          nyyyyyyyyR\n"
                  "importKeyStore       Reeeeeeeee\n");
}

/* contracts.md section 1.6: 403 for all but its public key, being shown and being the default. */
static void test_an_admin_and_the_builtin_certificate(void **state)
{
    (void)state;
    expect_matrix(INTERMEDIATE_BUILTIN, CONTROL_ADMIN,
                  "installBuiltin       -GKPAVCUHR\n"
                  "show                 nGKPAVCUHR\n"
                  "create               Gbbbbbbbbb\n"
                  "update               nbbbbbbbbb\n"
                  "setStatus            nbbbbbbbbb\n"
                  "setSuccessor         nGKPAVCUHR\n"
                  "delete               nbbbbbbbbb\n"
                  "keyPair              nbbbbbbbbb\n"
                  "downloadPublicKey    nkPPAVCUHR\n"
                  "downloadAttestation  nbbbbbbbbb\n"
                  "verifyKeyAttestation nbbbbbbbbb\n"
                  "generateCsr          nbbbbbbbbb\n"
                  "showCsr              nbbbbbbbbb\n"
                  "uploadCert           nbbbbbbbbb\n"
                  "showCert             nbbbbbbbbb\n"
                  "uploadCertChain      nbbbbbbbbb\n"
                  "finalizeCert         nbbbbbbbbb\n"
                  "makeDefault          nyyyyyyyyR\n"
                  "importKeyStore       Rbbbbbbbbb\n");
}

static void test_an_operator_reads_and_switches_defaults(void **state)
{
    (void)state;
    expect_matrix(INTERMEDIATE_HSM, CONTROL_OPERATOR,
                  "installBuiltin       rrrrrrrrrr\n"
                  "show                 nGKPAVCUHR\n"
                  "create               rrrrrrrrrr\n"
                  "update               rrrrrrrrrr\n"
                  "setStatus            rrrrrrrrrr\n"
                  "setSuccessor         rrrrrrrrrr\n"
                  "delete               rrrrrrrrrr\n"
                  "keyPair              rrrrrrrrrr\n"
                  "downloadPublicKey    nkPPAVCUHR\n"
                  "downloadAttestation  nkAAAVCUHR\n"
                  "verifyKeyAttestation rrrrrrrrrr\n"
                  "generateCsr          rrrrrrrrrr\n"
                  "showCsr              ncccccCUHR\n"
                  "uploadCert           rrrrrrrrrr\n"
                  "showCert             nuuuuuuUHR\n"
                  "uploadCertChain      rrrrrrrrrr\n"
                  "finalizeCert         rrrrrrrrrr\n"
                  "makeDefault          nyyyyyyyyR\n"
                  "importKeyStore       rrrrrrrrrr\n");
}

static void test_an_auditor_reads_and_moves_nothing(void **state)
{
    (void)state;
    expect_matrix(INTERMEDIATE_HSM, CONTROL_AUDITOR,
                  "installBuiltin       rrrrrrrrrr\n"
                  "show                 nGKPAVCUHR\n"
                  "create               rrrrrrrrrr\n"
                  "update               rrrrrrrrrr\n"
                  "setStatus            rrrrrrrrrr\n"
                  "setSuccessor         rrrrrrrrrr\n"
                  "delete               rrrrrrrrrr\n"
                  "keyPair              rrrrrrrrrr\n"
                  "downloadPublicKey    nkKPAVCUHR\n"
                  "downloadAttestation  nkKPAVCUHR\n"
                  "verifyKeyAttestation rrrrrrrrrr\n"
                  "generateCsr          rrrrrrrrrr\n"
                  "showCsr              ncccccCUHR\n"
                  "uploadCert           rrrrrrrrrr\n"
                  "showCert             nuuuuuuUHR\n"
                  "uploadCertChain      rrrrrrrrrr\n"
                  "finalizeCert         rrrrrrrrrr\n"
                  "makeDefault          rrrrrrrrrr\n"
                  "importKeyStore       rrrrrrrrrr\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_admin_and_a_certificate_in_an_hsm),
        cmocka_unit_test(test_an_admin_and_a_certificate_in_software),
        cmocka_unit_test(test_an_admin_and_the_builtin_certificate),
        cmocka_unit_test(test_an_operator_reads_and_switches_defaults),
        cmocka_unit_test(test_an_auditor_reads_and_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
