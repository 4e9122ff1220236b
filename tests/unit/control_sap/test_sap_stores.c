/* SPDX-License-Identifier: Apache-2.0 */
/* Stores, their versions and references on a real database, with a signer that is none; and what the reading interface
 * tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/audit.h"
#include "control/doomed_key.h"
#include "control/intermediate.h"
#include "control/sap/sap.h"
#include "control/sap/sap_reading.h"
#include "tests/unit/control_sap/sap_pki.h"
#include "tests/unit/hsm/temp_dir.h"

static struct store *store;
static struct sap_imports *imports;
static struct sap sap;
static struct sap_call call;
static struct mg_error error;

/* ---- a signer of the test's own ---- */

static struct signer {
    enum mg_status status;
    uint8_t num_keys; /* imported; the number is the key's id */
    enum wire_key_purpose purpose;
    char labels[256][WIRE_CONTROL_MAX_LABEL + 1];
} signer;

enum mg_status signer_client_import_key(struct signer_client *client, enum wire_key_purpose purpose,
                                        const struct wire_control_token *token, const char *label,
                                        struct mg_slice secret, struct wire_key_id *out, struct mg_error *why)
{
    (void)client;
    (void)token;
    assert_true(secret.len > 0);
    if (signer.status != MG_OK) {
        return mg_error_set(why, signer.status, "refused");
    }
    signer.purpose = purpose;
    snprintf(signer.labels[++signer.num_keys], sizeof(signer.labels[0]), "%s", label);
    *out = (struct wire_key_id){{signer.num_keys}};
    return MG_OK;
}

enum mg_status signer_client_list(struct signer_client *client, signer_client_visitor *visit, void *arg,
                                  struct mg_error *why)
{
    (void)client;
    (void)why;
    for (unsigned i = 1; i <= signer.num_keys; i++) {
        const struct wire_control_key key = {
            .key_id = {{(uint8_t)i}}, .label = mg_slice_of_text(signer.labels[i]), .purpose = signer.purpose};
        assert_int_equal(visit(arg, &key), MG_OK);
    }
    return MG_OK;
}

void service_destroy_doomed(struct service *service)
{
    (void)service;
}

/* ---- */

static int open_stores(void **state)
{
    static const struct store_migrations *const modules[] = {&audit_migrations, &intermediate_migrations,
                                                             &sap_migrations};
    temp_dir_make(state);
    memset(&signer, 0, sizeof(signer));
    assert_int_equal(store_open(&store, temp_path("control.db"), modules, MG_ARRAY_LEN(modules), NULL), MG_OK);
    const struct sap_imports_config config = {.store = store};
    assert_int_equal(sap_imports_new(&imports, &config, NULL), MG_OK);
    sap = (struct sap){.store = store, .imports = imports};
    call = (struct sap_call){.sap = &sap,
                             .actor = {.name = "user:alice", .role = CONTROL_ADMIN, .source = "here"},
                             .now_us = CA_NOW * 1000000};
    return 0;
}

static int close_stores(void **state)
{
    sap_imports_free(imports);
    store_close(store);
    return temp_dir_remove(state);
}

static void make(const char *name, enum sap_kind kind)
{
    assert_int_equal(sap_store_create(&call, name, kind, "", NULL, &error), MG_OK);
}

static enum mg_status put(const char *store_name, const char *name, struct mg_slice content, struct mg_slice key)
{
    const struct sap_put wanted = {
        .store = store_name, .name = name, .file = {.format = SAP_FORMAT_PEM, .content = content, .key = key}};
    bool overwritten;
    error.text[0] = '\0';
    return sap_entry_put(&call, &wanted, NULL, &overwritten, &error);
}

static enum mg_status put_key(const char *name)
{
    return put("keys", name, pki_chain_pem(), pki_key_pem(pki.leaf_key));
}

static enum mg_status put_trust(const char *name, X509 *x509)
{
    return put("trust", name, pki_pem(1, &x509), mg_slice_of(NULL, 0));
}

static int64_t epoch_of(const char *name)
{
    int64_t epoch;
    assert_int_equal(sap_epoch_of(store, name, &epoch, &error), MG_OK);
    return epoch;
}

/* num_doomed counts the keys that wait to be destroyed, and forgets them. */
static unsigned num_doomed(void)
{
    struct store_tx *tx;
    struct wire_key_id id;
    unsigned count = 0;
    assert_int_equal(store_begin(store, STORE_WRITE, &tx, NULL), MG_OK);
    while (doomed_key_next(tx, 0, &id, NULL) == MG_OK) {
        assert_int_equal(doomed_key_forget(tx, &id, NULL), MG_OK);
        count++;
    }
    assert_int_equal(store_end(tx, MG_OK, NULL), MG_OK);
    return count;
}

static void test_a_trust_store_tells_anchors_from_exact_certificates(void **state)
{
    (void)state;
    struct sap_trust trust;
    make("trust", SAP_TRUSTSTORE);
    assert_int_equal(put_trust("a-leaf", pki.leaf), MG_OK);
    assert_int_equal(put_trust("a-root", pki.root), MG_OK);
    assert_int_equal(sap_trust_load(store, "trust", &trust, &error), MG_OK);
    assert_int_equal(trust.num_items, 2);
    assert_false(trust.items[0].is_anchor);
    assert_true(trust.items[1].is_anchor);
    assert_true(mg_slice_equal(trust.items[0].der, pki_der(pki.leaf)));
    assert_true(mg_slice_equal(trust.items[1].der, pki_der(pki.root)));
    sap_trust_free(&trust);
    struct sap_keys keys;
    assert_int_equal(sap_keys_load(store, "trust", &keys, &error), MG_DENIED);
    assert_int_equal(sap_trust_load(store, "nobody", &trust, &error), MG_NOT_FOUND);
}

static void test_a_key_store_tells_chains_and_keys(void **state)
{
    (void)state;
    struct sap_keys keys;
    make("keys", SAP_KEYSTORE);
    assert_int_equal(put_key("mine"), MG_OK);
    assert_int_equal(signer.purpose, WIRE_PURPOSE_TLS_CLIENT);
    assert_int_equal(sap_keys_load(store, "keys", &keys, &error), MG_OK);
    assert_int_equal(keys.num_items, 1);
    assert_string_equal(keys.items[0].name, "mine");
    assert_int_equal(keys.items[0].key_id.bytes[0], 1);
    assert_int_equal(keys.items[0].num_certificates, 3);
    assert_true(mg_slice_equal(keys.items[0].certificates[0], pki_der(pki.leaf)));
    sap_keys_free(&keys);
}

static void test_the_epoch_changes_with_all_that_is_read_and_nothing_else(void **state)
{
    (void)state;
    make("trust", SAP_TRUSTSTORE);
    make("other", SAP_TRUSTSTORE);
    assert_int_equal(sap_reference_create(&call, "ref", "trust", NULL, &error), MG_OK);
    int64_t before = epoch_of("ref");
    assert_int_equal(put_trust("root", pki.root), MG_OK);
    int64_t put_at = epoch_of("ref");
    assert_true(put_at > before);
    assert_int_equal(put_trust("root", pki.leaf), MG_OK);
    int64_t overwritten_at = epoch_of("ref");
    assert_true(overwritten_at > put_at);
    struct sap_entry entry;
    assert_int_equal(sap_entry_restore(&call, "trust", "root", &entry, &error), MG_OK);
    sap_entry_free(&entry);
    int64_t restored_at = epoch_of("ref");
    assert_true(restored_at > overwritten_at);
    make("third", SAP_TRUSTSTORE);
    assert_int_equal(epoch_of("ref"), restored_at);
    assert_int_equal(sap_reference_swing(&call, "ref", "other", &error), MG_OK);
    int64_t swung_at = epoch_of("ref");
    assert_true(swung_at > restored_at);
    assert_int_equal(sap_reference_swing(&call, "ref", "other", &error), MG_OK);
    assert_int_equal(put_trust("root", pki.root), MG_OK); /* not what the reference names any more */
    assert_int_equal(epoch_of("ref"), swung_at);
    assert_int_equal(sap_reference_swing(&call, "ref", "trust", &error), MG_OK);
    assert_true(epoch_of("ref") > swung_at);
    int64_t back_at = epoch_of("ref");
    assert_int_equal(sap_entry_delete(&call, "trust", "root", &error), MG_OK);
    assert_true(epoch_of("ref") > back_at);
}

static void test_keys_are_doomed_when_their_last_version_goes(void **state)
{
    (void)state;
    make("keys", SAP_KEYSTORE);
    assert_int_equal(put_key("mine"), MG_OK);
    assert_int_equal(put_key("mine"), MG_OK);
    assert_int_equal(num_doomed(), 0);
    assert_int_equal(put_key("mine"), MG_OK);
    assert_int_equal(num_doomed(), 1);
    assert_int_equal(put_key("other"), MG_OK);
    assert_int_equal(sap_entry_delete(&call, "keys", "mine", &error), MG_OK);
    assert_int_equal(num_doomed(), 2);
    assert_int_equal(sap_store_delete(&call, "keys", &error), MG_OK);
    assert_int_equal(num_doomed(), 1);
}

/* Two versions of one key: it is neither doomed too early nor twice. */
static void test_a_renewed_certificate_shares_its_key(void **state)
{
    (void)state;
    make("keys", SAP_KEYSTORE);
    assert_int_equal(put_key("mine"), MG_OK);
    struct sap_put renewal = {.store = "keys",
                              .name = "mine",
                              .file = {.format = SAP_FORMAT_PEM, .content = pki_pem(1, &pki.leaf), .is_renewal = true}};
    bool overwritten;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sap_entry_put(&call, &renewal, NULL, &overwritten, &error), MG_OK);
        assert_true(overwritten);
    }
    assert_int_equal(signer.num_keys, 1);
    assert_int_equal(num_doomed(), 0);
    renewal.file.content = pki_pem(1, &pki.root);
    assert_int_equal(sap_entry_put(&call, &renewal, NULL, &overwritten, &error), MG_INVALID);
    renewal.name = "nobody";
    assert_int_equal(sap_entry_put(&call, &renewal, NULL, &overwritten, &error), MG_NOT_FOUND);
    assert_int_equal(sap_entry_delete(&call, "keys", "mine", &error), MG_OK);
    assert_int_equal(num_doomed(), 1);
}

/* Whatever refuses after the signer has taken the key: the key goes again. */
static void test_a_key_whose_record_fails_is_doomed(void **state)
{
    (void)state;
    char name[16];
    make("keys", SAP_KEYSTORE);
    for (int i = 0; i < SAP_MAX_ENTRIES; i++) {
        snprintf(name, sizeof(name), "k%d", i);
        assert_int_equal(put_key(name), MG_OK);
    }
    assert_int_equal(put_key("one-more"), MG_LIMIT);
    assert_int_equal(num_doomed(), 1);
    assert_int_equal(put_key("k0"), MG_OK);
    assert_int_equal(num_doomed(), 0);
}

static bool has_wish(void)
{
    struct store_tx *tx;
    uint8_t token[SAP_TOKEN_LEN];
    assert_int_equal(store_begin(store, STORE_READ, &tx, NULL), MG_OK);
    enum mg_status status = sap_wish_next(tx, token, NULL);
    assert_int_equal(store_end(tx, MG_OK, NULL), MG_OK);
    return status == MG_OK;
}

static void test_a_signer_that_is_away_leaves_a_wish_that_is_settled_later(void **state)
{
    (void)state;
    make("keys", SAP_KEYSTORE);
    signer.status = MG_IO;
    assert_int_equal(put_key("mine"), MG_IO);
    assert_true(has_wish());
    signer.status = MG_INVALID; /* a refusal: there is no key */
    assert_int_equal(put_key("mine"), MG_INVALID);
    assert_false(has_wish());
    signer.status = MG_OK;
    assert_int_equal(put_key("mine"), MG_OK);
    assert_false(has_wish());
    assert_int_equal(num_doomed(), 0);
}

static void test_a_wish_with_a_key_that_nobody_has_dooms_it(void **state)
{
    (void)state;
    static const uint8_t token[SAP_TOKEN_LEN] = {0xab};
    struct store_tx *tx;
    snprintf(signer.labels[++signer.num_keys], sizeof(signer.labels[0]), "import ab%030d", 0);
    assert_int_equal(store_begin(store, STORE_WRITE, &tx, NULL), MG_OK);
    assert_int_equal(store_end(tx, sap_wish_add(tx, token, NULL), NULL), MG_OK);
    assert_int_equal(sap_imports_settle(imports, call.now_us, &error), MG_OK);
    assert_false(has_wish());
    assert_int_equal(num_doomed(), 1);
}

static void test_the_bound_of_stores(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < SAP_MAX_STORES; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        make(name, SAP_UNDECIDED);
    }
    assert_int_equal(sap_store_create(&call, "one-more", SAP_TRUSTSTORE, "", NULL, &error), MG_LIMIT);
}

static void test_an_undecided_store_can_be_neither_read_nor_named(void **state)
{
    (void)state;
    struct sap_trust trust;
    make("new", SAP_UNDECIDED);
    assert_int_equal(sap_trust_load(store, "new", &trust, &error), MG_DENIED);
    assert_int_equal(sap_reference_create(&call, "ref", "new", NULL, &error), MG_DENIED);
    X509 *const root[] = {pki.root};
    assert_int_equal(put("new", "root", pki_pem(1, root), mg_slice_of(NULL, 0)), MG_OK);
    assert_int_equal(sap_trust_load(store, "new", &trust, &error), MG_OK);
    sap_trust_free(&trust);
    assert_int_equal(put("new", "key", pki_chain_pem(), pki_key_pem(pki.leaf_key)), MG_INVALID);
}

static void test_names_have_their_rule(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      ".a",
                                      "-a",
                                      "a b",
                                      "a/b",
                                      "a'b",
                                      "\xc3\xa4",
                                      "a\n",
                                      "12345678901234567890123456789012345678901234567890123456789012345"};
    static const char *const good[] = {"a", "_a", "A.b-c_9",
                                       "1234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(sap_name_check("name", bad[i], &error), MG_INVALID);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_int_equal(sap_name_check("name", good[i], &error), MG_OK);
    }
}

#define STORES_TEST(name) cmocka_unit_test_setup_teardown(name, open_stores, close_stores)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORES_TEST(test_a_trust_store_tells_anchors_from_exact_certificates),
        STORES_TEST(test_a_key_store_tells_chains_and_keys),
        STORES_TEST(test_the_epoch_changes_with_all_that_is_read_and_nothing_else),
        STORES_TEST(test_keys_are_doomed_when_their_last_version_goes),
        STORES_TEST(test_a_renewed_certificate_shares_its_key),
        STORES_TEST(test_a_key_whose_record_fails_is_doomed),
        STORES_TEST(test_a_signer_that_is_away_leaves_a_wish_that_is_settled_later),
        STORES_TEST(test_a_wish_with_a_key_that_nobody_has_dooms_it),
        STORES_TEST(test_the_bound_of_stores),
        STORES_TEST(test_an_undecided_store_can_be_neither_read_nor_named),
        cmocka_unit_test(test_names_have_their_rule),
    };
    return cmocka_run_group_tests(tests, pki_open, pki_close);
}
