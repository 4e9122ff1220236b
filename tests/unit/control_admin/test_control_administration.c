/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "control/admin/administration.h"
#include "control/audit.h"
#include "tests/unit/hsm/temp_dir.h"

#define PASSWORD "correct horse battery"
#define NO_KEY mg_slice_of(NULL, 0)

static struct administration_call call;
static struct mg_error error;

static int open_store(void **state)
{
    static const struct store_migrations *const modules[] = {&audit_migrations, &administration_migrations};
    call = (struct administration_call){.actor = {"user:boss", CONTROL_ADMIN, "192.0.2.7"}, .now_us = 77};
    return temp_dir_make(state) == 0 && store_open(&call.store, temp_path("control.db"), modules, 2, &error) == MG_OK
               ? 0
               : -1;
}

static int close_store(void **state)
{
    store_close(call.store);
    return temp_dir_remove(state);
}

/* The record as "operation object detail", one a line, the oldest first. */
static char told[4096];

static enum mg_status tell(void *context, const struct audit_entry *entry, struct mg_error *unused)
{
    char before[sizeof(told)];
    (void)context, (void)unused;
    assert_string_equal(entry->actor.name, "user:boss");
    assert_int_equal(entry->time_us, 77);
    assert_int_equal(entry->outcome, AUDIT_DONE);
    snprintf(before, sizeof(before), "%s", told);
    snprintf(told, sizeof(told), "%.200s %.200s %.200s\n%.3000s", entry->operation, entry->object, entry->detail,
             before);
    return MG_OK;
}

static const char *record(void)
{
    struct store_tx *tx;
    told[0] = '\0';
    assert_int_equal(store_begin(call.store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, audit_list(tx, 0, 100, tell, NULL, &error), &error), MG_OK);
    return told;
}

static void make_user(const char *name, enum http_role role)
{
    assert_int_equal(administration_user_create(&call, name, role, mg_slice_of_text(PASSWORD), &error), MG_OK);
}

static struct credentials_user user(const char *name)
{
    struct store_tx *tx;
    struct credentials_user out = {.name = ""};
    assert_int_equal(store_begin(call.store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, credentials_user_get(store_connection(tx), name, &out, NULL, &error), &error),
                     MG_OK);
    return out;
}

static enum mg_status change(const char *name, struct administration_user_change what)
{
    return administration_user_change(&call, name, &what, &error);
}

static void test_each_change_is_recorded_and_no_refused_one(void **state)
{
    (void)state;
    make_user("ann", HTTP_ROLE_ADMIN);
    make_user("bob", HTTP_ROLE_AUDITOR);
    assert_int_equal(change("bob", (struct administration_user_change){.role = HTTP_ROLE_OPERATOR, .disable = true}),
                     MG_OK);
    assert_int_equal(change("bob", (struct administration_user_change){.password = mg_slice_of_text(PASSWORD)}), MG_OK);
    assert_int_equal(change("bob", (struct administration_user_change){.enable = true}), MG_OK);
    assert_int_equal(change("bob", (struct administration_user_change){.role = HTTP_ROLE_ANONYMOUS}), MG_INVALID);
    assert_int_equal(change("joe", (struct administration_user_change){.enable = true}), MG_NOT_FOUND);
    assert_int_equal(administration_user_create(&call, "bob", HTTP_ROLE_ADMIN, mg_slice_of_text(PASSWORD), &error),
                     MG_EXISTS);
    assert_int_equal(administration_user_delete(&call, "bob", &error), MG_OK);
    assert_int_equal(administration_user_delete(&call, "bob", &error), MG_NOT_FOUND);
    assert_string_equal(record(), "createUser user/ann {\"role\":\"admin\"}\n"
                                  "createUser user/bob {\"role\":\"auditor\"}\n"
                                  "changeUser user/bob {\"role\":\"operator\",\"enabled\":false}\n"
                                  "changeUser user/bob {\"password\":true}\n"
                                  "changeUser user/bob {\"enabled\":true}\n"
                                  "deleteUser user/bob {}\n");
}

static void test_a_change_of_which_a_part_is_refused_changes_nothing(void **state)
{
    (void)state;
    make_user("ann", HTTP_ROLE_ADMIN);
    make_user("bob", HTTP_ROLE_AUDITOR);
    struct credentials_user before = user("bob");
    assert_int_equal(change("bob", (struct administration_user_change){.role = HTTP_ROLE_OPERATOR,
                                                                       .password = mg_slice_of_text("short")}),
                     MG_INVALID);
    struct credentials_user after = user("bob");
    assert_int_equal(after.role, HTTP_ROLE_AUDITOR);
    assert_int_equal(after.stamp, before.stamp);
}

static void test_the_last_administrator_who_can_log_in_stays(void **state)
{
    (void)state;
    make_user("ann", HTTP_ROLE_ADMIN);
    make_user("bob", HTTP_ROLE_OPERATOR);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(change("ann", (struct administration_user_change){.role = HTTP_ROLE_OPERATOR}), MG_LIMIT);
        assert_int_equal(change("ann", (struct administration_user_change){.disable = true}), MG_LIMIT);
        assert_int_equal(administration_user_delete(&call, "ann", &error), MG_LIMIT);
        assert_true(user("ann").role == HTTP_ROLE_ADMIN && !user("ann").is_disabled);
        if (i == 0) { /* an administrator without a password does not help */
            make_user("eve", HTTP_ROLE_ADMIN);
            struct store_tx *tx;
            struct store_statement statement;
            assert_int_equal(store_begin(call.store, STORE_WRITE, &tx, &error), MG_OK);
            store_prepare(&statement, tx, "UPDATE credential_users SET password = NULL WHERE name = 'eve'");
            assert_int_equal(store_end(tx, store_run(&statement, &error), &error), MG_OK);
        }
    }
    assert_int_equal(change("eve", (struct administration_user_change){.password = mg_slice_of_text(PASSWORD)}), MG_OK);
    assert_int_equal(administration_user_delete(&call, "ann", &error), MG_OK);
    assert_int_equal(change("eve", (struct administration_user_change){.disable = true}), MG_LIMIT);
}

static void test_one_who_is_disabled_is_not_the_last(void **state)
{
    (void)state;
    make_user("ann", HTTP_ROLE_ADMIN);
    make_user("bob", HTTP_ROLE_ADMIN);
    assert_int_equal(change("bob", (struct administration_user_change){.disable = true}), MG_OK);
    assert_int_equal(administration_user_delete(&call, "ann", &error), MG_LIMIT);
    assert_int_equal(administration_user_delete(&call, "bob", &error), MG_OK);
}

static void test_the_first_credential_is_recorded_and_used_up_once(void **state)
{
    (void)state;
    assert_int_equal(administration_first_start(&call, temp_path("first"), &error), MG_OK);
    assert_int_equal(administration_first_start(&call, temp_path("first"), &error), MG_EXISTS);
    assert_int_equal(administration_use_up(&call, "admin", &error), MG_OK);
    assert_int_equal(administration_use_up(&call, "admin", &error), MG_NOT_FOUND);
    assert_string_equal(record(), "createUser user/admin {}\nuseUpFirstCredential user/admin {}\n");
}

static void test_a_key_that_is_rotated_keeps_its_name(void **state)
{
    char key[API_KEY_MAX + 1], other[API_KEY_MAX + 1];
    (void)state;
    assert_int_equal(administration_api_key_create(&call, "lab", NULL, key, &error), MG_OK);
    assert_int_equal(administration_api_key_rotate(&call, "lab", NULL, other, &error), MG_OK);
    assert_string_not_equal(key, other);
    assert_int_equal(administration_api_key_rotate(&call, "lab", "short", other, &error), MG_INVALID);
    assert_string_equal(other, "");
    assert_int_equal(administration_api_key_delete(&call, "lab", &error), MG_OK);
    assert_int_equal(administration_api_key_rotate(&call, "lab", NULL, other, &error), MG_NOT_FOUND);
    assert_string_equal(record(),
                        "createApiKey apiKey/lab {}\nrotateApiKey apiKey/lab {}\ndeleteApiKey apiKey/lab {}\n");
}

static void test_a_client_that_is_rotated_keeps_its_role_and_state(void **state)
{
    char secret[CLIENT_SECRET_LEN], other[CLIENT_SECRET_LEN];
    struct credentials_client client;
    struct store_tx *tx;
    (void)state;
    assert_int_equal(administration_client_create(&call, "ci", HTTP_ROLE_OPERATOR, REACH_ZIA, NO_KEY, secret, &error),
                     MG_OK);
    assert_int_equal(administration_client_set_disabled(&call, "ci", true, &error), MG_OK);
    assert_int_equal(administration_client_rotate(&call, "ci", NO_KEY, other, &error), MG_OK);
    assert_string_not_equal(secret, other);
    assert_int_equal(store_begin(call.store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, credentials_client_get(store_connection(tx), "ci", &client, &error), &error), MG_OK);
    assert_true(client.role == HTTP_ROLE_OPERATOR && client.is_disabled);
    assert_int_equal(administration_client_rotate(&call, "ci", mg_slice_of_text("no PEM"), other, &error), MG_INVALID);
    assert_string_equal(other, "");
    assert_int_equal(administration_client_delete(&call, "ci", &error), MG_OK);
    assert_string_equal(record(),
                        "createClient client/ci {\"role\":\"operator\",\"families\":\"zia\",\"by\":\"secret\"}\n"
                        "disableClient client/ci {}\n"
                        "rotateClient client/ci {\"by\":\"secret\"}\n"
                        "deleteClient client/ci {}\n");
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(test_each_change_is_recorded_and_no_refused_one),
        IN_STORE(test_a_change_of_which_a_part_is_refused_changes_nothing),
        IN_STORE(test_the_last_administrator_who_can_log_in_stays),
        IN_STORE(test_one_who_is_disabled_is_not_the_last),
        IN_STORE(test_the_first_credential_is_recorded_and_used_up_once),
        IN_STORE(test_a_key_that_is_rotated_keeps_its_name),
        IN_STORE(test_a_client_that_is_rotated_keeps_its_role_and_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
