/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the signer's issuers the engine takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "cache/rcu.h"
#include "certs.h"
#include "dataplane/session/issuers.h"

static int begin(void **state)
{
    (void)state;
    return mg_rcu_thread_start() == MG_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    mg_rcu_barrier();
    mg_rcu_thread_stop();
    return 0;
}

/* An issuer that control has installed in the signer stands in no place until control says so. */
static void test_an_offered_issuer_is_left_alone(void **state)
{
    (void)state;
    static const struct issuer_options options;
    struct certs_pki pki, offered;
    struct issuers *issuers;
    certs_pki_init(&pki, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    certs_pki_init(&offered, WIRE_KEY_EC_P256, WIRE_ISSUER_OFFERED);
    offered.wire.key_id.bytes[0] ^= 1;
    assert_int_equal(issuers_new(&issuers, &options), MG_OK);

    struct wire_issuers told = {.issuers = {offered.wire}, .num_issuers = 1};
    issuers_update(issuers, &told, CERTS_NOW);
    assert_null(issuers_get0(issuers, WIRE_ISSUER_DEFAULT));
    assert_null(issuers_get0(issuers, WIRE_ISSUER_UNTRUST));

    told = (struct wire_issuers){.issuers = {pki.wire, offered.wire}, .num_issuers = 2};
    issuers_update(issuers, &told, CERTS_NOW);
    const struct issuer *taken = issuers_get0(issuers, WIRE_ISSUER_DEFAULT);
    assert_non_null(taken);
    assert_memory_equal(&taken->key_id, &pki.wire.key_id, sizeof(taken->key_id));
    assert_int_equal(taken->generation, 1);
    assert_null(issuers_get0(issuers, WIRE_ISSUER_UNTRUST));

    issuers_free(issuers);
    certs_pki_free(&pki);
    certs_pki_free(&offered);
}

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_offered_issuer_is_left_alone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
