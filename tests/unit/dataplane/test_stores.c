/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane's stores are to the engine: anchors, exact certificates, client keys; and how they come. */
#include "trust_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "cache/rcu.h"
#include "dataplane/publish/store_intake.h"

#define NAME "servers"

/* ---- what a store trusts ---- */

/* trust_in has the store hold |certificates|, and nothing else trusted. */
static void trust_in(const struct mg_slice *certificates, size_t num, bool are_anchors)
{
    trusted_unref(trust_store);
    assert_int_equal(trusted_new(&trust_store, mg_slice_of_text(NAME), 3), MG_OK);
    for (size_t i = 0; i < num; i++) {
        assert_int_equal(trusted_add(trust_store, certificates[i], are_anchors), MG_OK);
    }
    assert_int_equal(new_trust(false), MG_OK);
}
#define ANCHORS(...) trust_in(SLICES(__VA_ARGS__), NUM_SLICES(__VA_ARGS__), true)
#define EXACT(...) trust_in(SLICES(__VA_ARGS__), NUM_SLICES(__VA_ARGS__), false)

static int end(void **state)
{
    trusted_unref(trust_store);
    trust_store = NULL;
    with_file = false;
    return stop(state);
}

static void test_anchors_of_the_store_count_instead_of_the_file_or_beside_it(void **state)
{
    (void)state;
    struct certs_spec spec = authority("other", OTHER_KEY, "other", OTHER_KEY);
    struct mg_slice other = make(&spec);
    ANCHORS(other);
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), middle()); /* the file has its root */
    with_file = true;
    ANCHORS(other);
    VERIFY(TRUST_OK, leaf(), middle());
    with_file = false;
    ANCHORS(other, root());
    VERIFY(TRUST_OK, leaf(), middle());
    struct trust_report report;
    trust_report(trust, &report);
    assert_true(report.has_store && report.num_anchors == 2 && report.num_exact == 0 && report.num_file_roots == 0);
    assert_true(report.epoch == 3);
}

static void test_an_anchor_need_not_be_self_signed(void **state)
{
    (void)state;
    ANCHORS(middle());
    VERIFY(TRUST_OK, leaf(), middle());
    VERIFY(TRUST_OK, leaf()); /* the anchor is known here */
}

static void test_an_exact_certificate_is_trusted_as_the_servers_own(void **state)
{
    (void)state;
    struct mg_slice exact = leaf();
    EXACT(exact);
    VERIFY(TRUST_OK, exact);
    assert_int_equal(valid_until, CERTS_NOW + 60 * CERTS_DAY);
    VERIFY(TRUST_OK, exact, middle()); /* whatever comes with it */
    struct certs_spec another = leaf_spec();
    another.serial = mg_slice_of("\x02", 1);
    VERIFY(TRUST_MISSING_INTERMEDIATE, make(&another)); /* of the same key, but not these bytes */
}

static void test_an_exact_certificates_name_validity_key_and_purpose_are_checked(void **state)
{
    (void)state;
    struct mg_slice exact = leaf();
    EXACT(exact);
    check(verify(SLICES(exact), 1, "other.example", CERTS_NOW), TRUST_WRONG_NAME);
    check(verify(SLICES(exact), 1, "www.example", CERTS_NOW + 61 * CERTS_DAY), TRUST_EXPIRED);
    check(verify(SLICES(exact), 1, "www.example", CERTS_NOW - 31 * CERTS_DAY), TRUST_NOT_YET_VALID);
    struct certs_spec spec = leaf_spec();
    spec.key = spec.signer = rsa_1024();
    struct mg_slice weak = make(&spec);
    EXACT(weak);
    VERIFY(TRUST_WEAK_KEY, weak);
    spec = leaf_spec();
    spec.eku = "1.3.6.1.5.5.7.3.2";
    struct mg_slice client = make(&spec);
    EXACT(client);
    VERIFY(TRUST_INVALID, client);
}

/* The certificate says CA:FALSE, but its key has signed another one. */
static void test_nothing_is_trusted_because_an_exact_certificate_signed_it(void **state)
{
    (void)state;
    struct certs_spec child = leaf_spec();
    child.issuer = child.subject;
    child.subject = subject("child.example");
    child.signer = LEAF_KEY;
    child.key = OTHER_KEY;
    struct mg_slice exact = leaf(), below = make(&child);
    EXACT(exact);
    VERIFY(TRUST_UNKNOWN_ISSUER, below, exact);
    VERIFY(TRUST_MISSING_INTERMEDIATE, below);
    VERIFY(TRUST_OK, exact);
}

static void test_without_the_store_a_name_alone_trusts_nobody(void **state)
{
    (void)state;
    const struct config_tls config = {.trust_store = "/none", .trust_store_name = NAME, .intermediates = ""};
    struct trust_base *base;
    assert_int_equal(trust_base_new(&base, &config, NULL), MG_OK); /* the file is not read */
    assert_string_equal(trust_base_store_name(base), NAME);
    trust_free(trust);
    assert_int_equal(trust_new(&trust, base, NULL, 1, learned, NULL), MG_OK);
    trust_base_free(base);
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), middle());
    struct trust_report report;
    trust_report(trust, &report);
    assert_false(report.has_store);
}

static void test_what_cannot_be_read_is_left_out_and_counted(void **state)
{
    (void)state;
    ANCHORS(mg_slice_of_text("no certificate"), root());
    assert_int_equal(trust_store->num_unusable, 1);
    VERIFY(TRUST_OK, leaf(), middle());
}

/* ---- how stores come ---- */

static struct server_trust *server_trust;
static struct client_keys *client_keys;
static struct store_intake intake;

static int start_intake(void **state)
{
    const struct config_tls config = {.trust_store_name = NAME, .intermediates = ""};
    assert_int_equal(start(state), 0);
    assert_int_equal(server_trust_new(&server_trust, learned), MG_OK);
    assert_int_equal(server_trust_configure(server_trust, &config, NULL), MG_OK);
    assert_int_equal(client_keys_new(&client_keys), MG_OK);
    intake = (struct store_intake){.trust = server_trust, .client_keys = client_keys};
    return 0;
}

static int end_intake(void **state)
{
    store_intake_forget(&intake);
    server_trust_free(server_trust);
    client_keys_free(client_keys);
    return stop(state);
}

static struct wire_publish part_of(enum wire_store_kind kind, const char *name, uint64_t epoch, uint16_t first,
                                   uint16_t num_all, struct mg_slice certificate)
{
    struct wire_publish message = {.type = WIRE_PUBLISH_STORE, .epoch = epoch};
    struct wire_store_part *part = &message.store.part;
    part->id = (struct wire_store_id){kind, mg_slice_of_text(name)};
    part->first = first;
    part->num_all = num_all;
    part->num_items = num_all > 0;
    part->items[0] = (struct wire_store_item){.certificates = {certificate},
                                              .num_certificates = 1,
                                              .is_anchor = true,
                                              .name = mg_slice_of_text("entry"),
                                              .key_id = {{9}}};
    return message;
}

static void take(struct wire_publish message, uint16_t expected)
{
    uint16_t num_taken = UINT16_MAX;
    struct mg_error error = {""};
    if (store_intake_take(&intake, &message, &num_taken, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(num_taken, expected);
}

static void refuse(struct wire_publish message)
{
    uint16_t num_taken;
    assert_int_equal(store_intake_take(&intake, &message, &num_taken, NULL), MG_INVALID);
}

static struct trust_report present(void)
{
    struct trust_report report;
    trust_report(server_trust_get0(server_trust), &report);
    return report;
}

static void test_a_trust_store_is_in_force_with_its_last_part_and_not_before(void **state)
{
    (void)state;
    uint64_t generation = present().generation;
    take(part_of(WIRE_STORE_TRUST, NAME, 4, 0, 2, root()), 1);
    assert_true(!present().has_store && present().generation == generation);
    take(part_of(WIRE_STORE_TRUST, NAME, 4, 1, 2, middle()), 2);
    assert_true(present().has_store && present().num_anchors == 2 && present().epoch == 4);
    assert_true(present().generation > generation); /* what was remembered is remembered no more */
    take(part_of(WIRE_STORE_TRUST, NAME, 5, 0, 2, root()), 1);
    assert_true(present().num_anchors == 2 && present().epoch == 4);
    store_intake_forget(&intake); /* the connection is lost: what was in force stays */
    refuse(part_of(WIRE_STORE_TRUST, NAME, 5, 1, 2, root()));
    assert_true(present().num_anchors == 2 && present().epoch == 4);
    take(part_of(WIRE_STORE_TRUST, NAME, 6, 0, 0, root()), 0);
    assert_true(present().has_store && present().num_anchors == 0);
}

static void test_a_part_that_does_not_go_on_is_refused(void **state)
{
    (void)state;
    const struct wire_publish wrong[] = {
        part_of(WIRE_STORE_TRUST, NAME, 4, 2, 3, root()), part_of(WIRE_STORE_TRUST, NAME, 5, 1, 3, root()),
        part_of(WIRE_STORE_TRUST, NAME, 4, 1, 4, root()), part_of(WIRE_STORE_TRUST, "other", 4, 1, 3, root()),
        part_of(WIRE_STORE_KEYS, NAME, 4, 1, 3, root()),
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(wrong); i++) {
        take(part_of(WIRE_STORE_TRUST, NAME, 4, 0, 3, root()), 1);
        refuse(wrong[i]);
    }
    store_intake_forget(&intake);
    refuse(part_of(WIRE_STORE_TRUST, NAME, 4, 1, 3, root()));
}

static void test_a_first_part_begins_anew(void **state)
{
    (void)state;
    take(part_of(WIRE_STORE_TRUST, NAME, 4, 0, 3, root()), 1);
    take(part_of(WIRE_STORE_TRUST, NAME, 5, 0, 1, root()), 1);
    assert_true(present().num_anchors == 1 && present().epoch == 5);
}

static void test_a_store_that_is_not_the_configured_one_changes_nothing(void **state)
{
    (void)state;
    take(part_of(WIRE_STORE_TRUST, "former", 4, 0, 1, root()), 1);
    assert_false(present().has_store);
}

static void test_a_reload_keeps_the_store_of_its_name_and_forgets_another(void **state)
{
    (void)state;
    struct config_tls config = {.trust_store_name = NAME, .intermediates = ""};
    take(part_of(WIRE_STORE_TRUST, NAME, 4, 0, 1, root()), 1);
    assert_int_equal(server_trust_configure(server_trust, &config, NULL), MG_OK);
    assert_true(present().has_store);
    config.trust_store_and_file = true;
    config.trust_store = "/none";
    assert_int_equal(server_trust_configure(server_trust, &config, NULL), MG_NOT_FOUND);
    assert_true(present().has_store && present().num_anchors == 1);
    config = (struct config_tls){.trust_store_name = "another", .intermediates = ""};
    assert_int_equal(server_trust_configure(server_trust, &config, NULL), MG_OK);
    assert_false(present().has_store);
}

#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

static struct mg_slice client_leaf(uint8_t key_usage, const char *eku)
{
    struct certs_spec spec = leaf_spec();
    spec.key_usage = key_usage;
    spec.eku = eku;
    return make(&spec);
}

static void test_client_keys_are_found_by_the_name_of_their_store(void **state)
{
    (void)state;
    assert_null(client_keys_get0(client_keys, "partner"));
    struct mg_slice own = client_leaf(CERTS_KEY_USAGE_END_ENTITY, CLIENT_AUTH);
    take(part_of(WIRE_STORE_KEYS, "partner", 4, 0, 2, own), 1);
    assert_null(client_keys_get0(client_keys, "partner"));
    take(part_of(WIRE_STORE_KEYS, "partner", 4, 1, 2, mg_slice_of_text("no certificate")), 2);
    const struct client_key_store *store = client_keys_get0(client_keys, "partner");
    assert_non_null(store);
    assert_true(store->num_keys == 1 && store->num_unusable == 1 && store->epoch == 4 && !store->is_missing);
    const struct client_key *key = &store->keys[0];
    assert_string_equal(key->name, "entry");
    assert_int_equal(key->key_id.bytes[0], 9);
    assert_int_equal(key->key_type, WIRE_KEY_EC_P256);
    assert_true(key->num_chain == 1 && key->not_after == CERTS_NOW + 60 * CERTS_DAY);
    assert_int_equal(CRYPTO_BUFFER_len(key->chain[0]), own.len);
    struct wire_publish missing = part_of(WIRE_STORE_KEYS, "partner", 0, 0, 0, leaf());
    missing.store.part.missing = mg_slice_of_text("deleted");
    take(missing, 0);
    store = client_keys_get0(client_keys, "partner");
    assert_true(store->is_missing && store->num_keys == 0);
}

static void test_a_certificate_that_is_not_for_clients_signatures_is_unusable(void **state)
{
    (void)state;
    static const struct {
        uint8_t key_usage;
        const char *eku;
        bool is_usable;
    } rows[] = {
        {CERTS_NO_KEY_USAGE, NULL, true},
        {CERTS_KEY_USAGE_END_ENTITY, CLIENT_AUTH, true},
        {0xa0, "2.5.29.37.0", true},                              /* keyEncipherment too; anyExtendedKeyUsage */
        {0x08, NULL, false},                                      /* keyAgreement */
        {0x08, CLIENT_AUTH, false},                               /* likewise */
        {CERTS_KEY_USAGE_END_ENTITY, "1.3.6.1.5.5.7.3.1", false}, /* serverAuth */
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        take(part_of(WIRE_STORE_KEYS, "partner", 4, 0, 1, client_leaf(rows[i].key_usage, rows[i].eku)), 1);
        const struct client_key_store *store = client_keys_get0(client_keys, "partner");
        assert_int_equal(store->num_keys, rows[i].is_usable);
        assert_int_equal(store->num_unusable, !rows[i].is_usable);
    }
}

static void test_key_stores_that_are_not_wanted_any_more_are_dropped(void **state)
{
    (void)state;
    take(part_of(WIRE_STORE_KEYS, "one", 4, 0, 1, leaf()), 1);
    take(part_of(WIRE_STORE_KEYS, "two", 5, 0, 1, leaf()), 1);
    const struct wire_store_wants wants = {
        .ids = {{WIRE_STORE_TRUST, mg_slice_of_text("two")}, {WIRE_STORE_KEYS, mg_slice_of_text("one")}},
        .num_ids = 2,
    };
    assert_int_equal(client_keys_drop_others(client_keys, &wants), MG_OK);
    assert_non_null(client_keys_get0(client_keys, "one"));
    assert_null(client_keys_get0(client_keys, "two"));
}

static int begin_all(void **state)
{
    assert_int_equal(mg_rcu_thread_start(), MG_OK);
    return make_directory(state);
}

static int end_all(void **state)
{
    mg_rcu_thread_stop();
    return remove_directory(state);
}

#define TRUST_TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
#define INTAKE_TEST(name) cmocka_unit_test_setup_teardown(name, start_intake, end_intake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRUST_TEST(test_anchors_of_the_store_count_instead_of_the_file_or_beside_it),
        TRUST_TEST(test_an_anchor_need_not_be_self_signed),
        TRUST_TEST(test_an_exact_certificate_is_trusted_as_the_servers_own),
        TRUST_TEST(test_an_exact_certificates_name_validity_key_and_purpose_are_checked),
        TRUST_TEST(test_nothing_is_trusted_because_an_exact_certificate_signed_it),
        TRUST_TEST(test_without_the_store_a_name_alone_trusts_nobody),
        TRUST_TEST(test_what_cannot_be_read_is_left_out_and_counted),
        INTAKE_TEST(test_a_trust_store_is_in_force_with_its_last_part_and_not_before),
        INTAKE_TEST(test_a_part_that_does_not_go_on_is_refused),
        INTAKE_TEST(test_a_first_part_begins_anew),
        INTAKE_TEST(test_a_store_that_is_not_the_configured_one_changes_nothing),
        INTAKE_TEST(test_a_reload_keeps_the_store_of_its_name_and_forgets_another),
        INTAKE_TEST(test_client_keys_are_found_by_the_name_of_their_store),
        INTAKE_TEST(test_a_certificate_that_is_not_for_clients_signatures_is_unusable),
        INTAKE_TEST(test_key_stores_that_are_not_wanted_any_more_are_dropped),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
