/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include "cache/rcu.h"
#include "certs.h"
#include "dataplane/session/issuer_watch.h"

#define END (CERTS_NOW + 800 * CERTS_DAY - ISSUER_SPARE_SECONDS) /* of the first */

static struct certs_pki first, second;
static struct issuers *issuers;
static struct issuer_watch watch;

static int start(void **state)
{
    (void)state;
    const struct issuer_options options = {NULL, NULL, NULL};
    watch = (struct issuer_watch){0};
    certs_pki_init(&first, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    certs_pki_init_at(&second, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT, CERTS_NOW + 365 * CERTS_DAY);
    second.wire.key_id.bytes[0] = 2;
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
    certs_pki_free(&first);
    certs_pki_free(&second);
    return 0;
}

static bool first_is_revoked;

/* publish publishes both; the second, a reserve where |is_reserve|, succeeds the first if |succeeds|. */
static void publish(bool succeeds, bool is_reserve)
{
    struct wire_publish message = {
        .type = WIRE_PUBLISH_PREPARE,
        .epoch = 1,
        .issuers = {{.name = mg_slice_of_text("first"),
                     .successor = succeeds ? 2 : 0,
                     .is_revoked = first_is_revoked,
                     .issuer = first.wire},
                    {.name = mg_slice_of_text("second"), .is_reserve = is_reserve, .issuer = second.wire}},
        .num_issuers = 2,
    };
    struct issuer_set *set;
    struct mg_error error = {""};
    if (issuers_prepare(issuers, &message, CERTS_NOW + 100 * CERTS_DAY, &set, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    issuers_commit(issuers, set);
}

static unsigned look(enum config_issuer_expiry on_expiry, int64_t now)
{
    return issuer_watch_look(&watch, issuers, on_expiry, now);
}

static void test_warnings_are_daily_and_the_end_is_told_at_once(void **state)
{
    (void)state;
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, CERTS_NOW), 0); /* there is nothing to look at */
    publish(false, false);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END - 31 * CERTS_DAY), 0);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END - 20 * CERTS_DAY), 1);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END - 20 * CERTS_DAY + 1), 0);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END - 19 * CERTS_DAY), 1);
    publish(false, false); /* the same: nothing is told twice */
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END - 19 * CERTS_DAY + 1), 0);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END), 1);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END + 1), 1);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END + 2), 0);
    publish(true, false); /* now somebody succeeds it */
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END + 3), 1);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END + 4), 0);
    assert_int_equal(look(CONFIG_EXPIRY_BLOCK, END + 5), 1); /* a reload: the successor is not wanted any more */
}

static void test_a_reserve_is_nobodys_alarm(void **state)
{
    (void)state;
    publish(true, true);
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END + 365 * CERTS_DAY), 1); /* of the first, that the other signs */
    assert_int_equal(look(CONFIG_EXPIRY_SUCCESSOR, END + 366 * CERTS_DAY), 1); /* of the first, that nobody does */
}

static struct issuer_health health_at(enum config_issuer_expiry on_expiry, int64_t now)
{
    struct issuer_health health;
    issuer_health_of(&health, issuers, on_expiry, now);
    return health;
}

static void test_health_tells_who_signs_and_for_how_long(void **state)
{
    (void)state;
    struct issuer_health health = health_at(CONFIG_EXPIRY_SUCCESSOR, CERTS_NOW);
    assert_true(health.generation == 0 && health.not_after == 0 && health.num_unserved == 0);
    publish(true, true);
    health = health_at(CONFIG_EXPIRY_SUCCESSOR, END - 10);
    uint64_t generation = health.generation;
    assert_true(generation != 0 && health.remaining == 10 && health.not_after == END + ISSUER_SPARE_SECONDS);
    health = health_at(CONFIG_EXPIRY_SUCCESSOR, END + 1);
    assert_true(health.generation != generation && health.remaining == 365 * CERTS_DAY - 1);
    assert_true(health.num_expired == 1 && health.num_unserved == 0);
    health = health_at(CONFIG_EXPIRY_BYPASS, END + 1);
    assert_true(health.generation == generation && health.remaining == 0 && health.num_unserved == 1);
    assert_true(health.not_after == END + ISSUER_SPARE_SECONDS);
    health = health_at(CONFIG_EXPIRY_SUCCESSOR, END + 366 * CERTS_DAY);
    assert_true(health.num_expired == 1 && health.num_unserved == 1); /* a reserve counts for nothing */
}

static void test_a_revoked_default_is_an_alarm_until_somebody_succeeds_it(void **state)
{
    (void)state;
    first_is_revoked = true;
    publish(false, false);
    assert_int_equal(look(CONFIG_EXPIRY_BLOCK, CERTS_NOW + 100 * CERTS_DAY), 1);
    assert_int_equal(look(CONFIG_EXPIRY_BLOCK, CERTS_NOW + 100 * CERTS_DAY + 1), 0);
    struct issuer_health health = health_at(CONFIG_EXPIRY_BLOCK, CERTS_NOW + 100 * CERTS_DAY);
    assert_true(health.num_revoked == 1 && health.num_unserved_revoked == 1 && health.remaining == 0);
    assert_true(health.num_expired == 0 && health.num_unserved == 0);
    publish(true, false);
    assert_int_equal(look(CONFIG_EXPIRY_BLOCK, CERTS_NOW + 100 * CERTS_DAY + 2), 1);
    health = health_at(CONFIG_EXPIRY_BLOCK, CERTS_NOW + 100 * CERTS_DAY);
    assert_true(health.num_revoked == 1 && health.num_unserved_revoked == 0 && health.remaining > 0);
    first_is_revoked = false;
}

static void test_health_is_a_page(void **state)
{
    (void)state;
    struct mg_buffer page;
    struct issuer_health health = {.num_expired = 2};
    mg_buffer_init(&page, 1000);
    issuer_health_write(&health, &page);
    health.num_unserved = 1;
    issuer_health_write(&health, &page);
    health.num_unserved = 0;
    health.num_unserved_revoked = 1;
    issuer_health_write(&health, &page);
    mg_buffer_append_u8(&page, '\0');
    assert_string_equal((const char *)page.data, "{\"status\":\"ok\",\"alarms\":[]}\n"
                                                 "{\"status\":\"alarm\",\"alarms\":[\"issuer_expired\"]}\n"
                                                 "{\"status\":\"alarm\",\"alarms\":[\"issuer_revoked\"]}\n");
    mg_buffer_free(&page);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_warnings_are_daily_and_the_end_is_told_at_once),
        TEST(test_a_reserve_is_nobodys_alarm),
        TEST(test_health_tells_who_signs_and_for_how_long),
        TEST(test_a_revoked_default_is_an_alarm_until_somebody_succeeds_it),
        TEST(test_health_is_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
