/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/backup/manifest.h"

#define ID "0123456789abcdef0123456789abcdef"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILE_OF(name, size) "{\"name\":\"" name "\",\"size\":" size ",\"sha256\":\"" HASH "\"}"
#define DATABASE FILE_OF("control.db", "7")
#define MANIFEST_OF(files)                                                                                             \
    "{\"format\":1,\"made\":5,\"keyCheck\":\"" HASH "\",\"wrappedKey\":true,\"files\":[" files "]}"

static struct manifest manifest;
static struct mg_error error;

static enum mg_status parse(const char *text)
{
    return manifest_parse(mg_slice_of_text(text), &manifest, &error);
}

static void test_what_is_written_is_read(void **state)
{
    static struct manifest written;
    struct mg_buffer text;
    (void)state;
    written = (struct manifest){.made = 1795247636, .has_wrapped_key = true, .key_check = {1, 2, 3}};
    assert_int_equal(manifest_add(&written, "control.db", UINT64_C(1) << 40, &error), MG_OK);
    assert_int_equal(manifest_add(&written, "keys/" ID ".key", 300, &error), MG_OK);
    assert_int_equal(manifest_add(&written, "keys/" ID ".removed.pem", 0, &error), MG_OK);
    memset(written.files[1].sha256, 0xa5, sizeof(written.files[1].sha256));
    mg_buffer_init(&text, MANIFEST_MAX_TEXT);
    assert_int_equal(manifest_write(&written, &text, &error), MG_OK);
    assert_int_equal(manifest_parse(mg_buffer_slice(&text), &manifest, &error), MG_OK);
    assert_memory_equal(&manifest, &written, sizeof(manifest));
    mg_buffer_free(&text);
}

static void test_only_names_of_ours_are_taken(void **state)
{
    static const char *const bad[] = {
        MANIFEST_OF(DATABASE "," FILE_OF("../x", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("/etc/passwd", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("keys/../" ID ".key", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("keys/" ID, "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("keys/" ID ".key.destroyed", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("keys/" ID "0.key", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("keys/0123456789ABCDEF0123456789abcdef.key", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("control.db/x", "1")),
        MANIFEST_OF(DATABASE "," FILE_OF("", "1")),
        MANIFEST_OF(DATABASE "," DATABASE),
        MANIFEST_OF(FILE_OF("keys/" ID ".key", "1")),
    };
    (void)state;
    assert_int_equal(parse(MANIFEST_OF(DATABASE "," FILE_OF("keys/" ID ".key", "1"))), MG_OK);
    assert_int_equal(manifest.num_files, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i]), MG_INVALID);
    }
}

static void test_what_is_missing_or_of_another_kind_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"format\":2,\"made\":5,\"keyCheck\":\"" HASH "\",\"wrappedKey\":true,\"files\":[" DATABASE "]}",
        "{\"format\":1,\"made\":-5,\"keyCheck\":\"" HASH "\",\"wrappedKey\":true,\"files\":[" DATABASE "]}",
        "{\"format\":1,\"made\":5,\"keyCheck\":\"\",\"wrappedKey\":true,\"files\":[" DATABASE "]}",
        "{\"format\":1,\"made\":5,\"keyCheck\":\"" HASH "\",\"wrappedKey\":1,\"files\":[" DATABASE "]}",
        "{\"format\":1,\"made\":5,\"keyCheck\":\"" HASH "\",\"wrappedKey\":true,\"files\":{}}",
        "{\"format\":1,\"format\":1,\"made\":5,\"keyCheck\":\"" HASH "\",\"wrappedKey\":true,\"files\":[" DATABASE "]}",
        MANIFEST_OF(FILE_OF("control.db", "-1")),
        MANIFEST_OF(FILE_OF("control.db", "\"7\"")),
        MANIFEST_OF("{\"name\":\"control.db\",\"size\":7}"),
        MANIFEST_OF("{\"name\":\"control.db\",\"size\":7,\"sha256\":\"0" HASH "\"}"),
        MANIFEST_OF(DATABASE ",7"),
        MANIFEST_OF(DATABASE "," FILE_OF("keys/" ID ".key", "999999999")),
        MANIFEST_OF(DATABASE) "x",
    };
    (void)state;
    assert_int_equal(parse(MANIFEST_OF(DATABASE)), MG_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i]), MG_INVALID);
    }
}

static void test_a_backup_has_a_bound_of_files(void **state)
{
    char name[MANIFEST_MAX_NAME];
    (void)state;
    manifest = (struct manifest){.made = 1};
    for (size_t i = 0; i < MANIFEST_MAX_FILES; i++) {
        snprintf(name, sizeof(name), "keys/%032zx.key", i);
        assert_int_equal(manifest_add(&manifest, name, 1, &error), MG_OK);
    }
    assert_int_equal(manifest_add(&manifest, "control.db", 1, &error), MG_LIMIT);
    struct mg_buffer text; /* and so many fit into the bound of the text */
    mg_buffer_init(&text, MANIFEST_MAX_TEXT);
    assert_int_equal(manifest_write(&manifest, &text, &error), MG_OK);
    mg_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_only_names_of_ours_are_taken),
        cmocka_unit_test(test_what_is_missing_or_of_another_kind_is_refused),
        cmocka_unit_test(test_a_backup_has_a_bound_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
