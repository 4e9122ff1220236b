/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include "cache/rcu.h"
#include "certs.h"
#include "dataplane/session/issuers.h"

static struct certs_pki own, other, untrusted;
static struct issuers *issuers;
static struct mg_error why;

static int start(void **state)
{
    (void)state;
    const struct issuer_options options = {NULL, NULL, NULL};
    certs_pki_init(&own, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    certs_pki_init(&other, WIRE_KEY_EC_P384, WIRE_ISSUER_DEFAULT);
    certs_pki_init(&untrusted, WIRE_KEY_EC_P256, WIRE_ISSUER_UNTRUST);
    own.wire.key_id.bytes[0] = 1;
    other.wire.key_id.bytes[0] = 2;
    untrusted.wire.key_id.bytes[0] = 3;
    assert_int_equal(mg_rcu_thread_start(), MG_OK);
    assert_int_equal(issuers_new(&issuers, &options), MG_OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    issuers_free(issuers);
    mg_rcu_barrier();
    mg_rcu_thread_stop();
    certs_pki_free(&own);
    certs_pki_free(&other);
    certs_pki_free(&untrusted);
    return 0;
}

/* signer_says gives what a signer says whose default is |pki|. */
static void signer_says(const struct certs_pki *pki)
{
    const struct wire_issuers wire = {.issuers = {pki->wire, untrusted.wire}, .num_issuers = 2};
    issuers_update(issuers, &wire, CERTS_NOW);
}

static struct wire_publish publication(uint64_t epoch)
{
    return (struct wire_publish){.type = WIRE_PUBLISH_PREPARE, .epoch = epoch};
}

static void add(struct wire_publish *message, const char *name, const struct certs_pki *pki)
{
    message->issuers[message->num_issuers++] =
        (struct wire_published_issuer){.name = mg_slice_of_text(name), .issuer = pki->wire};
}

static struct issuer_set *prepare(const struct wire_publish *message)
{
    struct issuer_set *set = NULL;
    if (issuers_prepare(issuers, message, CERTS_NOW, &set, &why) != MG_OK) {
        fail_msg("%s", why.text);
    }
    return set;
}

static void publish(uint64_t epoch, const struct certs_pki *pki, const struct certs_pki *second)
{
    struct wire_publish message = publication(epoch);
    add(&message, "first", pki);
    if (second != NULL) {
        add(&message, "second", second);
    }
    issuers_commit(issuers, prepare(&message));
}

static uint64_t generation(void)
{
    return issuers_get0(issuers, WIRE_ISSUER_DEFAULT)->generation;
}

static void assert_default(const struct certs_pki *pki)
{
    const struct issuer *issuer = issuers_get0(issuers, WIRE_ISSUER_DEFAULT);
    assert_non_null(issuer);
    assert_memory_equal(issuer->key_id.bytes, pki->wire.key_id.bytes, sizeof(issuer->key_id.bytes));
}

static void assert_untrusted_is_the_signers(void)
{
    const struct issuer *issuer = issuers_get0(issuers, WIRE_ISSUER_UNTRUST);
    assert_non_null(issuer);
    assert_memory_equal(issuer->key_id.bytes, untrusted.wire.key_id.bytes, sizeof(issuer->key_id.bytes));
}

static void test_before_anybody_says_something_there_is_none(void **state)
{
    (void)state;
    assert_null(issuers_get0(issuers, WIRE_ISSUER_DEFAULT));
    assert_null(issuers_get0(issuers, WIRE_ISSUER_UNTRUST));
    assert_true(issuers_epoch(issuers) == 0);
}

static void test_the_signer_says_the_default_until_something_is_published(void **state)
{
    (void)state;
    signer_says(&own);
    assert_default(&own);
    assert_untrusted_is_the_signers();
    signer_says(&other);
    assert_default(&other);
    publish(1, &own, NULL);
    assert_default(&own);
    assert_untrusted_is_the_signers();
    signer_says(&other);
    assert_default(&own);
    assert_true(issuers_epoch(issuers) == 1);
}

static void test_an_issuer_that_is_offered_is_used_when_it_is_published(void **state)
{
    (void)state;
    struct wire_issuers wire = {.issuers = {other.wire, own.wire}, .num_issuers = 2};
    wire.issuers[0].role = WIRE_ISSUER_OFFERED;
    issuers_update(issuers, &wire, CERTS_NOW);
    assert_default(&own);
    publish(1, &other, NULL);
    assert_default(&other);
}

static void test_the_untrusted_issuer_stays_the_signers(void **state)
{
    (void)state;
    publish(1, &own, NULL); /* before the signer is there */
    assert_null(issuers_get0(issuers, WIRE_ISSUER_UNTRUST));
    signer_says(&other);
    assert_default(&own);
    assert_untrusted_is_the_signers();
    publish(2, &other, NULL);
    assert_default(&other);
    assert_untrusted_is_the_signers();
}

static void test_what_stays_the_same_keeps_its_generation(void **state)
{
    (void)state;
    signer_says(&own);
    uint64_t first = generation();
    signer_says(&own);
    assert_true(generation() == first);
    publish(1, &own, &other);
    assert_true(generation() == first);
    publish(2, &other, &own);
    uint64_t second = generation();
    assert_true(second != first);
    publish(3, &own, &other); /* both were in the set all the time */
    assert_true(generation() == first);
    publish(4, &own, NULL);
    publish(5, &other, &own); /* gone in between */
    assert_true(generation() != second);
}

static void test_another_chain_is_another_issuer(void **state)
{
    (void)state;
    struct certs_pki shorter = own;
    publish(1, &own, NULL);
    uint64_t first = generation();
    shorter.wire.num_chain = 1; /* without the root, which is never sent: no difference */
    publish(2, &shorter, NULL);
    assert_true(generation() == first);
    shorter.wire.key_id.bytes[0] = 9;
    publish(3, &shorter, NULL);
    assert_true(generation() != first);
}

static void test_what_cannot_be_used_is_named_and_changes_nothing(void **state)
{
    (void)state;
    publish(1, &own, NULL);
    uint64_t before = generation();
    struct wire_publish message = publication(2);
    add(&message, "good", &other);
    add(&message, "late", &own);
    message.issuers[1].issuer.key_type = WIRE_KEY_RSA_2048;
    struct issuer_set *set = NULL;
    assert_int_equal(issuers_prepare(issuers, &message, CERTS_NOW, &set, &why), MG_INVALID);
    assert_null(set);
    assert_non_null(strstr(why.text, "late: "));
    assert_true(generation() == before && issuers_epoch(issuers) == 1);
    message.issuers[1].issuer.key_type = WIRE_KEY_EC_P256;
    assert_int_equal(issuers_prepare(issuers, &message, CERTS_NOW - 401 * CERTS_DAY, &set, &why), MG_INVALID);
}

#define SPENT (CERTS_NOW + 800 * CERTS_DAY) /* when |own| and |other| are */

/* assert_chosen asserts who signs at |now| for what a rule names as |name|; NULL: nobody. */
static void assert_chosen(const char *name, enum config_issuer_expiry on_expiry, int64_t now,
                          const struct certs_pki *pki)
{
    struct issuer *issuer;
    assert_int_equal(issuers_choose(issuers, name, on_expiry, now, &issuer),
                     pki == NULL ? ISSUERS_SPENT : ISSUERS_CHOSEN);
    if (pki == NULL) {
        assert_null(issuer);
    } else {
        assert_memory_equal(issuer->key_id.bytes, pki->wire.key_id.bytes, sizeof(issuer->key_id.bytes));
    }
}

static void test_a_rule_may_name_its_issuer_and_the_default_signs_the_rest(void **state)
{
    (void)state;
    struct issuer *issuer;
    assert_int_equal(issuers_choose(issuers, "", CONFIG_EXPIRY_BYPASS, CERTS_NOW, &issuer), ISSUERS_NONE);
    publish(1, &own, &other);
    assert_chosen("", CONFIG_EXPIRY_BYPASS, CERTS_NOW, &own);
    assert_chosen("first", CONFIG_EXPIRY_BYPASS, CERTS_NOW, &own);
    assert_chosen("second", CONFIG_EXPIRY_BYPASS, CERTS_NOW, &other);
    assert_chosen("third", CONFIG_EXPIRY_BYPASS, CERTS_NOW, &own);
}

/* publish_late publishes |own|, |other| and "late", which lives a year longer, with these successors. */
static struct certs_pki late;
static void publish_late(uint8_t of_first, uint8_t of_second, uint8_t of_late, bool late_is_reserve)
{
    struct wire_publish message = publication(1);
    certs_pki_init_at(&late, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT, CERTS_NOW + 365 * CERTS_DAY);
    late.wire.key_id.bytes[0] = 4;
    add(&message, "first", &own);
    add(&message, "second", &other);
    add(&message, "late", &late);
    message.issuers[0].successor = of_first;
    message.issuers[1].successor = of_second;
    message.issuers[2].successor = of_late;
    message.issuers[2].is_reserve = late_is_reserve;
    issuers_commit(issuers, prepare(&message));
}

static void test_a_successor_signs_in_the_place_of_who_has_expired(void **state)
{
    (void)state;
    publish_late(3, 0, 0, false);
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, SPENT - ISSUER_SPARE_SECONDS, &own);
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, SPENT, &late);
    assert_chosen("first", CONFIG_EXPIRY_SUCCESSOR, SPENT, &late);
    assert_chosen("second", CONFIG_EXPIRY_SUCCESSOR, SPENT, NULL); /* it has none: nor does the default sign for it */
    assert_chosen("late", CONFIG_EXPIRY_SUCCESSOR, SPENT, &late);
    assert_chosen("", CONFIG_EXPIRY_BYPASS, SPENT, NULL); /* the successor is not wanted */
    assert_chosen("", CONFIG_EXPIRY_BLOCK, SPENT, NULL);
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, SPENT + 366 * CERTS_DAY, NULL);
    certs_pki_free(&late);
}

static void test_successors_have_successors_and_may_go_in_a_circle(void **state)
{
    (void)state;
    publish_late(2, 3, 1, false);
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, SPENT, &late);
    assert_chosen("late", CONFIG_EXPIRY_SUCCESSOR, SPENT + 366 * CERTS_DAY, NULL);
    certs_pki_free(&late);
}

static void test_a_reserve_signs_for_nobody_before(void **state)
{
    (void)state;
    publish_late(3, 0, 0, true);
    assert_chosen("late", CONFIG_EXPIRY_SUCCESSOR, CERTS_NOW, &own);
    assert_chosen("late", CONFIG_EXPIRY_SUCCESSOR, SPENT, &late); /* in the default's place */
    certs_pki_free(&late);
}

static void assert_revoked(const char *name, enum config_issuer_expiry on_expiry)
{
    struct issuer *issuer;
    assert_int_equal(issuers_choose(issuers, name, on_expiry, CERTS_NOW, &issuer), ISSUERS_REVOKED);
    assert_null(issuer);
}

static void test_who_is_revoked_signs_nothing_and_is_succeeded_whatever_expiry_says(void **state)
{
    (void)state;
    struct wire_publish message = publication(1);
    add(&message, "first", &own);
    add(&message, "second", &other);
    message.issuers[0].is_revoked = true;
    struct issuer_set *set = prepare(&message);
    assert_true(issuer_set_is_revoked(set, 0) && !issuer_set_is_revoked(set, 1));
    assert_true(!issuer_set_is_usable(set, 0, CERTS_NOW) && issuer_set_is_usable(set, 1, CERTS_NOW));
    assert_false(issuer_set_is_usable(set, 1, SPENT));
    issuers_commit(issuers, set);
    assert_revoked("", CONFIG_EXPIRY_SUCCESSOR);
    assert_revoked("nobody's", CONFIG_EXPIRY_BLOCK);
    assert_chosen("second", CONFIG_EXPIRY_BLOCK, CERTS_NOW, &other);
    message.issuers[0].successor = 2;
    message.epoch = 2;
    issuers_commit(issuers, prepare(&message));
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, CERTS_NOW, &other);
    assert_chosen("", CONFIG_EXPIRY_BLOCK, CERTS_NOW, &other);
    message.issuers[0].is_revoked = false; /* a hold that is over: the same issuer, with its leaves */
    message.epoch = 3;
    uint64_t before = generation();
    issuers_commit(issuers, prepare(&message));
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, CERTS_NOW, &own);
    assert_true(generation() == before);
}

static void test_another_crl_address_makes_another_issuer(void **state)
{
    (void)state;
    struct wire_publish message = publication(1);
    add(&message, "first", &own);
    issuers_commit(issuers, prepare(&message));
    uint64_t without = generation();
    message.issuers[0].crl_url = mg_slice_of_text("http://crl.example/1");
    issuers_commit(issuers, prepare(&message));
    uint64_t with = generation();
    assert_true(with != without);
    issuers_commit(issuers, prepare(&message));
    assert_true(generation() == with);
    message.issuers[0].crl_url = mg_slice_of_text("http://a b/");
    struct issuer_set *set = NULL;
    assert_int_equal(issuers_prepare(issuers, &message, CERTS_NOW, &set, &why), MG_INVALID);
    assert_non_null(strstr(why.text, "crl_url"));
}

static void test_who_has_expired_before_is_known_and_not_used(void **state)
{
    (void)state;
    struct wire_publish message = publication(1);
    struct issuer_set *set;
    add(&message, "first", &own);
    assert_int_equal(issuers_prepare(issuers, &message, SPENT + CERTS_DAY, &set, &why), MG_OK);
    issuers_commit(issuers, set);
    assert_chosen("", CONFIG_EXPIRY_SUCCESSOR, SPENT + CERTS_DAY, NULL);
}

static void test_what_is_prepared_and_dropped_was_never_there(void **state)
{
    (void)state;
    publish(1, &own, NULL);
    struct wire_publish message = publication(2);
    add(&message, "other", &other);
    struct issuer_set *set = prepare(&message);
    assert_memory_equal(issuer_set_get0_default(set)->key_id.bytes, other.wire.key_id.bytes, 16);
    assert_default(&own);
    issuer_set_free(set);
    assert_default(&own);
    assert_true(issuers_epoch(issuers) == 1);
}

static void test_a_set_knows_its_generations(void **state)
{
    (void)state;
    signer_says(&own);
    uint64_t untrusted_generation = issuers_get0(issuers, WIRE_ISSUER_UNTRUST)->generation;
    publish(1, &own, &other);
    const struct issuer_set *set = issuers_get0_set(issuers);
    assert_true(issuer_set_uses(set, generation()) && issuer_set_uses(set, untrusted_generation));
    assert_false(issuer_set_uses(set, 0) || issuer_set_uses(set, 1000));
    assert_string_equal(issuers_name_of(issuers, generation()), "first");
    assert_string_equal(issuers_name_of(issuers, untrusted_generation), "forward-untrust");
    assert_string_equal(issuers_name_of(issuers, 1000), "");
    publish(2, &other, NULL);
    assert_true(issuer_set_uses(issuers_get0_set(issuers), untrusted_generation));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_before_anybody_says_something_there_is_none),
        TEST(test_the_signer_says_the_default_until_something_is_published),
        TEST(test_an_issuer_that_is_offered_is_used_when_it_is_published),
        TEST(test_the_untrusted_issuer_stays_the_signers),
        TEST(test_what_stays_the_same_keeps_its_generation),
        TEST(test_another_chain_is_another_issuer),
        TEST(test_what_cannot_be_used_is_named_and_changes_nothing),
        TEST(test_a_rule_may_name_its_issuer_and_the_default_signs_the_rest),
        TEST(test_a_successor_signs_in_the_place_of_who_has_expired),
        TEST(test_successors_have_successors_and_may_go_in_a_circle),
        TEST(test_a_reserve_signs_for_nobody_before),
        TEST(test_who_is_revoked_signs_nothing_and_is_succeeded_whatever_expiry_says),
        TEST(test_another_crl_address_makes_another_issuer),
        TEST(test_who_has_expired_before_is_known_and_not_used),
        TEST(test_what_is_prepared_and_dropped_was_never_there),
        TEST(test_a_set_knows_its_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
