/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/key_place.h"

#define EUROPE CONFIG_REGION_EUROPE
#define US CONFIG_REGION_US

/* chosen returns the token that a key of |region| is made on; NULL: none. */
static const char *chosen(struct config_token *items, size_t num_items, enum intermediate_region region,
                          const size_t *num_keys)
{
    const struct config_tokens tokens = {.items = items, .num_items = num_items};
    struct mg_error error = {""};
    const char *name = NULL;
    enum mg_status status = key_place_choose(&tokens, region, num_keys, &name, &error);
    assert_int_equal(status == MG_OK, key_place_exists(&tokens, region));
    assert_int_equal(status, name != NULL ? MG_OK : MG_NOT_FOUND);
    return name;
}

static void test_a_key_is_made_on_a_token_of_its_region(void **state)
{
    (void)state;
    struct config_token items[] = {{.name = "boston", .region = US, .partner = ""},
                                   {.name = "zurich", .region = EUROPE, .partner = ""}};
    static const size_t num_keys[] = {0, 7};
    assert_string_equal(chosen(items, 2, INTERMEDIATE_EUROPE, num_keys), "zurich");
    assert_string_equal(chosen(items, 2, INTERMEDIATE_US, num_keys), "boston");
    assert_null(chosen(items, 2, INTERMEDIATE_ASIA, num_keys));
    assert_null(chosen(items, 2, INTERMEDIATE_GLOBAL, num_keys));
    assert_null(chosen(NULL, 0, INTERMEDIATE_EUROPE, NULL));
}

static void test_of_several_tokens_the_first_with_the_fewest_keys_is_taken(void **state)
{
    (void)state;
    struct config_token items[] = {{.name = "one", .region = EUROPE, .partner = ""},
                                   {.name = "two", .region = EUROPE, .partner = ""},
                                   {.name = "three", .region = EUROPE, .partner = ""}};
    assert_string_equal(chosen(items, 3, INTERMEDIATE_EUROPE, (const size_t[]){0, 0, 0}), "one");
    assert_string_equal(chosen(items, 3, INTERMEDIATE_EUROPE, (const size_t[]){2, 1, 1}), "two");
    assert_string_equal(chosen(items, 3, INTERMEDIATE_EUROPE, (const size_t[]){2, 2, 0}), "three");
}

static void test_a_failover_pair_is_its_primary(void **state)
{
    (void)state;
    struct config_token items[] = {{.name = "spare", .region = EUROPE, .partner = ""},
                                   {.name = "main", .region = EUROPE, .partner = "spare"}};
    static const size_t num_keys[] = {0, 5};
    assert_string_equal(chosen(items, 2, INTERMEDIATE_EUROPE, num_keys), "main");
    items[0].partner = "main"; /* each names the other: the first that is configured */
    assert_string_equal(chosen(items, 2, INTERMEDIATE_EUROPE, num_keys), "spare");
    items[0].region = US;
    assert_null(chosen(items, 2, INTERMEDIATE_EUROPE, num_keys));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_made_on_a_token_of_its_region),
        cmocka_unit_test(test_of_several_tokens_the_first_with_the_fewest_keys_is_taken),
        cmocka_unit_test(test_a_failover_pair_is_its_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
