/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in and out of the store, and what is due when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/naver/naver_key.h"
#include "control/naver/pca_record.h"

#define NOW INT64_C(1795247636)
#define DAY INT64_C(86400)

static char directory[] = "/tmp/mintgate-test-XXXXXX";
static struct store *store;
static struct store_tx *tx;

static int open_store(void **state)
{
    (void)state;
    char path[64];
    const struct store_migrations *const modules[] = {&pca_migrations, &naver_key_migrations};
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/a.db", directory);
    assert_int_equal(store_open(&store, path, modules, MG_ARRAY_LEN(modules), NULL), MG_OK);
    assert_int_equal(store_begin(store, STORE_WRITE, &tx, NULL), MG_OK);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    static const char *const names[] = {"a.db", "a.db-wal", "a.db-shm"};
    assert_int_equal(store_end(tx, MG_OK, NULL), MG_OK);
    store_close(store);
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

static struct pca_ca sample(const char *tag, const char *alias)
{
    struct pca_ca ca = {.type = PCA_SUB,
                        .status = PCA_ACTIVE,
                        .memo = "a memo",
                        .subject = {"CN", "O", "OU", "L", "ST", "CH"},
                        .key_type = WIRE_KEY_RSA_4096,
                        .key_token = {{1, 2, 3}},
                        .key_id = {{4, 5, 6}},
                        .certificate = strdup("certificate"),
                        .chain = strdup("chain"),
                        .created_us = 1,
                        .status_us = 2,
                        .signing_count = 3,
                        .ocsp_url = "http://ocsp",
                        .crl_days = 7,
                        .crl_number = 8,
                        .crl_this_update = NOW,
                        .crl_next_update = NOW + 8 * DAY,
                        .crl = strdup("crl")};
    snprintf(ca.tag, sizeof(ca.tag), "%s", tag);
    snprintf(ca.alias, sizeof(ca.alias), "%s", alias);
    return ca;
}

static void test_a_ca_comes_back_as_it_was(void **state)
{
    (void)state;
    struct pca_ca ca = sample("12345678-abcdefab", "alias"), got;
    assert_int_equal(pca_ca_insert(tx, &ca, NULL), MG_OK);
    assert_int_equal(pca_ca_load(tx, ca.tag, &got, NULL), MG_OK);
    assert_int_equal(got.id, ca.id);
    assert_string_equal(got.alias, "alias");
    assert_int_equal(got.type, PCA_SUB);
    assert_int_equal(got.status, PCA_ACTIVE);
    assert_string_equal(got.memo, "a memo");
    assert_memory_equal(&got.subject, &ca.subject, sizeof(ca.subject));
    assert_int_equal(got.key_type, WIRE_KEY_RSA_4096);
    assert_memory_equal(&got.key_token, &ca.key_token, sizeof(ca.key_token));
    assert_memory_equal(&got.key_id, &ca.key_id, sizeof(ca.key_id));
    assert_null(got.csr);
    assert_string_equal(got.certificate, "certificate");
    assert_string_equal(got.chain, "chain");
    assert_string_equal(got.crl, "crl");
    assert_int_equal(got.created_us + got.status_us + got.destroy_us, 3);
    assert_int_equal(got.signing_count, 3);
    assert_string_equal(got.ocsp_url, "http://ocsp");
    assert_int_equal(got.crl_days * 100 + got.crl_number, 708);
    assert_int_equal(got.crl_next_update - got.crl_this_update, 8 * DAY);
    pca_ca_free(&got);
    assert_int_equal(pca_ca_load(tx, "12345678-abcdefac", &got, NULL), MG_NOT_FOUND);
    pca_ca_free(&ca);
}

/* At half of its time a CRL is due; a CA at its end. */
static void test_what_is_due(void **state)
{
    (void)state;
    struct pca_ca ca = sample("12345678-abcdefab", "alias"), got;
    assert_int_equal(pca_ca_insert(tx, &ca, NULL), MG_OK);
    assert_int_equal(pca_ca_load_due(tx, NOW + 4 * DAY - 1, &got, NULL), MG_NOT_FOUND);
    assert_int_equal(pca_ca_load_due(tx, NOW + 4 * DAY, &got, NULL), MG_OK);
    pca_ca_free(&got);
    ca.destroy_us = (NOW + DAY) * 1000000;
    assert_int_equal(pca_ca_update(tx, &ca, NULL), MG_OK);
    assert_int_equal(pca_ca_load_due(tx, NOW + DAY - 1, &got, NULL), MG_NOT_FOUND);
    assert_int_equal(pca_ca_load_due(tx, NOW + DAY, &got, NULL), MG_OK);
    pca_ca_free(&got);
    pca_ca_free(&ca);
}

static void add_serial(void *arg, const char *serial, int64_t revoked_us)
{
    (void)revoked_us;
    strcat(arg, serial);
    strcat(arg, " ");
}

/* RFC 5280 section 3.3: what has expired need not stay on the list. */
static void test_a_crl_lists_what_is_revoked_and_has_not_expired(void **state)
{
    (void)state;
    struct pca_ca ca = sample("12345678-abcdefab", "alias");
    char pem[] = "pem", listed[128] = "";
    assert_int_equal(pca_ca_insert(tx, &ca, NULL), MG_OK);
    static const struct {
        const char *serial;
        int64_t not_after, revoked_us;
    } rows[] = {{"01", NOW + 1, 5}, {"02", NOW + 1, 0}, {"03", NOW - 1, 5}, {"04", NOW, 5}};
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        struct pca_certificate one = {.ca_id = ca.id, .not_after = rows[i].not_after, .pem = pem};
        strcpy(one.serial, rows[i].serial);
        assert_int_equal(pca_certificate_insert(tx, &one, NULL), MG_OK);
        if (rows[i].revoked_us != 0) {
            assert_int_equal(pca_certificate_revoke(tx, ca.id, one.serial, rows[i].revoked_us, NULL), MG_OK);
        }
    }
    assert_int_equal(pca_certificate_each_revoked(tx, ca.id, NOW, add_serial, listed, NULL), MG_OK);
    assert_string_equal(listed, "01 04 ");
    /* They go with their CA. */
    int64_t num;
    assert_int_equal(pca_ca_delete(tx, ca.id, NULL), MG_OK);
    assert_int_equal(pca_certificate_count(tx, ca.id, &num, NULL), MG_OK);
    assert_int_equal(num, 0);
    pca_ca_free(&ca);
}

static void test_signatures_are_used_up_until_they_are_too_old(void **state)
{
    (void)state;
    uint8_t mac[NAVER_MAC_LEN] = {1}, other[NAVER_MAC_LEN] = {2};
    int64_t now_ms = NOW * 1000;
    assert_int_equal(naver_signature_use_up(tx, mac, now_ms, now_ms, NULL), MG_OK);
    assert_int_equal(naver_signature_use_up(tx, other, now_ms, now_ms + NAVER_WINDOW_MS + 1, NULL), MG_OK);
    assert_int_equal(naver_signature_use_up(tx, mac, now_ms, now_ms + NAVER_WINDOW_MS + 1, NULL), MG_OK);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_a_ca_comes_back_as_it_was),
        STORE_TEST(test_what_is_due),
        STORE_TEST(test_a_crl_lists_what_is_revoked_and_has_not_expired),
        STORE_TEST(test_signatures_are_used_up_until_they_are_too_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
