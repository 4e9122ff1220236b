/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "control/sap/jar.h"
#include "control/sap/jar_descriptor.h"
#include "tests/unit/control_sap/jar_builder.h"
#include "tests/unit/control_sap/sap_pki.h"

#define DESCRIPTOR "META-INF/descriptor.properties"
#define DESCRIPTOR_TEXT "certFile=main.pem\nkeyFile=privateKey.pem\n"

static struct material material;
static struct mg_buffer file;
static struct mg_error error;
static struct jar_entry entries[JAR_BUILDER_MAX_ENTRIES];
static size_t num_entries;

static void add(struct jar_entry entry)
{
    assert_true(num_entries < MG_ARRAY_LEN(entries));
    entries[num_entries++] = entry;
}

/* Each test begins with the entries that `jar -cf` and `jar -uf` make by the vendor's document. */
static int begin(void **state)
{
    (void)state;
    num_entries = 0;
    mg_buffer_init(&file, 1 << 20);
    add((struct jar_entry){.name = "META-INF/", .is_deflated = true});
    add((struct jar_entry){.name = "META-INF/MANIFEST.MF",
                           .content = mg_slice_of_text("Manifest-Version: 1.0\r\nCreated-By: 17\r\n\r\n"),
                           .is_deflated = true});
    add((struct jar_entry){.name = "main.pem", .content = pki_chain_pem(), .is_deflated = true});
    add((struct jar_entry){
        .name = "privateKey.pem", .content = pki_encrypted_key_pem(pki.leaf_key, 2048), .is_deflated = true});
    add((struct jar_entry){
        .name = DESCRIPTOR, .content = mg_slice_of_text(DESCRIPTOR_TEXT), .is_deflated = true, .mode = 0100644});
    return 0;
}

static int end(void **state)
{
    (void)state;
    material_free(&material);
    mg_buffer_free(&file);
    return 0;
}

static enum mg_status read_bytes(void)
{
    struct passphrase passphrase = {.text = mg_slice_of_text(PKI_PASSWORD), .budget = {.left = KEY_DERIVATION_BUDGET}};
    material_free(&material);
    error.text[0] = '\0';
    return jar_read(&material, mg_buffer_slice(&file), false, &passphrase, &error);
}

static enum mg_status read_entries(void)
{
    mg_buffer_clear(&file);
    jar_build(&file, entries, num_entries);
    return read_bytes();
}

static void expect_refusal(const char *words)
{
    assert_int_equal(read_entries(), MG_INVALID);
    if (strstr(error.text, words) == NULL) {
        fail_msg("%s", error.text);
    }
    assert_null(material.key);
}

/* expect_refusal_with refuses the archive with one more entry, which it takes out again. */
static void expect_refusal_with(struct jar_entry entry, const char *words)
{
    add(entry);
    expect_refusal(words);
    num_entries--;
}

static void test_what_the_vendors_own_commands_make_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_entries(), MG_OK);
    assert_int_equal(material.num_certificates, 3);
    assert_int_equal(X509_cmp(material.certificates[0], pki.leaf), 0);
    assert_int_equal(EVP_PKEY_eq(material.key, pki.leaf_key), 1);
    for (size_t i = 0; i < num_entries; i++) {
        entries[i].is_deflated = false;
    }
    assert_int_equal(read_entries(), MG_OK);
}

static void test_names_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"../evil", "a/../../evil", "a/..", "./a", "a//b", "..", "a/./b"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        expect_refusal_with((struct jar_entry){.name = bad[i]}, "leads elsewhere");
    }
    expect_refusal_with((struct jar_entry){.name = "/etc/passwd"}, "absolute");
    expect_refusal_with((struct jar_entry){.name = "C:evil"}, "absolute");
    expect_refusal_with((struct jar_entry){.name = "a\\b"}, "absolute");
    expect_refusal_with((struct jar_entry){.name = "a\nb"}, "UTF-8");
    expect_refusal_with((struct jar_entry){.name = ""}, "UTF-8");
}

static void test_names_that_are_there_twice_are_refused(void **state)
{
    (void)state;
    expect_refusal_with((struct jar_entry){.name = "main.pem"}, "twice");
    expect_refusal_with((struct jar_entry){.name = "MAIN.PEM"}, "twice");
    expect_refusal_with((struct jar_entry){.name = "meta-inf/Descriptor.Properties"}, "twice");
}

static void test_links_and_special_files_are_refused(void **state)
{
    (void)state;
    struct jar_entry entry = {.name = "link", .content = mg_slice_of_text("/etc/passwd")};
    const mode_t kinds[] = {S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
    for (size_t i = 0; i < MG_ARRAY_LEN(kinds); i++) {
        entry.mode = kinds[i] | 0777;
        expect_refusal_with(entry, "is a link");
    }
}

static void test_bombs_are_refused_by_what_they_say_of_themselves(void **state)
{
    (void)state;
    static uint8_t zeros[128 * 1024];
    struct jar_entry entry = {.name = "bomb", .content = mg_slice_of(zeros, sizeof(zeros)), .is_deflated = true};
    expect_refusal_with(entry, "larger than 50 KB");
    entry.content.len = JAR_MAX_ENTRY;
    expect_refusal_with(entry, "hundredfold");
    entry.content.len = 1000;
    add(entry);
    assert_int_equal(read_entries(), MG_OK);
}

static void test_entries_have_a_bound_in_all(void **state)
{
    (void)state;
    static uint8_t noise[JAR_MAX_ENTRY];
    static char names[8][8];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof(noise); i += 16) { /* packs, but not a hundredfold */
        random = random * 1664525 + 1013904223;
        noise[i] = (uint8_t)(random >> 24);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu", i);
        add((struct jar_entry){.name = names[i], .content = mg_slice_of(noise, sizeof(noise)), .is_deflated = true});
    }
    expect_refusal("in all");
}

static void test_a_size_that_lies_is_seen(void **state)
{
    (void)state;
    entries[2].lies_size = (uint32_t)entries[2].content.len - 1;
    expect_refusal("another size");
    entries[2].lies_size = (uint32_t)entries[2].content.len + 1;
    expect_refusal("another size");
    entries[2].lies_size = 0;
    entries[2].bad_checksum = true;
    expect_refusal("damaged");
}

static void test_encrypted_entries_and_other_methods_are_refused(void **state)
{
    (void)state;
    expect_refusal_with((struct jar_entry){.name = "secret", .flags = 1, .content = mg_slice_of_text("0123456789ab")},
                        "encrypted");
    expect_refusal_with((struct jar_entry){.name = "lzma", .method = 14, .content = mg_slice_of_text("x")},
                        "neither stored nor deflated");
}

static void test_more_than_64_entries_are_refused(void **state)
{
    (void)state;
    static char names[JAR_BUILDER_MAX_ENTRIES][8];
    while (num_entries < JAR_MAX_ENTRIES) {
        snprintf(names[num_entries], sizeof(names[0]), "e%zu", num_entries);
        add((struct jar_entry){.name = names[num_entries]});
    }
    assert_int_equal(read_entries(), MG_OK);
    expect_refusal_with((struct jar_entry){.name = "one more"}, "at most 64");
}

static void test_what_is_not_whole_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_entries(), MG_OK);
    for (size_t len = file.len; len > 0; len = len * 3 / 4) {
        file.len = len - 1;
        assert_int_equal(read_bytes(), MG_INVALID);
    }
    static uint8_t garbage[MATERIAL_MAX_FILE + 1];
    mg_buffer_append(&file, garbage, sizeof(garbage));
    assert_int_equal(read_bytes(), MG_INVALID);
    assert_non_null(strstr(error.text, "at most"));
}

static void test_the_descriptor_must_name_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"certFile=main.pem\n", "must name certFile and keyFile"},
        {"certFile=main.pem\nkeyFile=\n", "keyFile is empty"},
        {"certFile=main.pem\nkeyFile=none.pem\n", "keyFile \"none.pem\" is not in it"},
        {"certFile=MAIN.pem\nkeyFile=privateKey.pem\n", "certFile \"MAIN.pem\" is not in it"},
        {"certFile=privateKey.pem\nkeyFile=privateKey.pem\n", "certificates alone"},
        {"certFile=main.pem\nkeyFile=main.pem\n", "a private key alone"},
        {"certFile=main.pem\ncertFile=main.pem\nkeyFile=privateKey.pem\n", "twice"},
        {"certFile=main\\u002epem\nkeyFile=privateKey.pem\n", "escapes"},
        {"certFile main.pem\n", "name=value"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        entries[4].content = mg_slice_of_text(bad[i].text);
        expect_refusal(bad[i].words);
    }
    num_entries--;
    expect_refusal("the descriptor");
}

static void test_descriptors_as_people_write_them(void **state)
{
    (void)state;
    static const char *const good[] = {
        "certFile=main.pem\r\nkeyFile=privateKey.pem",
        "# made by hand\n! twice\n\n  certFile = main.pem  \n\tkeyFile:privateKey.pem\nalias=mine\n",
        "keyFile=privateKey.pem\ncertFile=main.pem\n",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        entries[4].content = mg_slice_of_text(good[i]);
        assert_int_equal(read_entries(), MG_OK);
    }
}

#define JAR_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JAR_TEST(test_what_the_vendors_own_commands_make_is_read),
        JAR_TEST(test_names_that_lead_elsewhere_are_refused),
        JAR_TEST(test_names_that_are_there_twice_are_refused),
        JAR_TEST(test_links_and_special_files_are_refused),
        JAR_TEST(test_bombs_are_refused_by_what_they_say_of_themselves),
        JAR_TEST(test_entries_have_a_bound_in_all),
        JAR_TEST(test_a_size_that_lies_is_seen),
        JAR_TEST(test_encrypted_entries_and_other_methods_are_refused),
        JAR_TEST(test_more_than_64_entries_are_refused),
        JAR_TEST(test_what_is_not_whole_is_refused),
        JAR_TEST(test_the_descriptor_must_name_what_is_there),
        JAR_TEST(test_descriptors_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, pki_open, pki_close);
}
