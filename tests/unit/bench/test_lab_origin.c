/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the lab's origin that need no network. */
#include "tests/lab/origin/answer.h"
#include "tests/lab/origin/body.h"
#include "tests/lab/origin/fresh.h"
#include "tests/lab/origin/pattern.h"
#include "tests/lab/origin/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static void test_the_pattern_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    uint8_t whole[256], part[256];
    pattern_fill(whole, sizeof(whole), 1000);
    for (size_t offset = 0; offset < 20; offset++) {
        for (size_t len = 0; len < 40; len++) {
            memset(part, 0xee, sizeof(part));
            pattern_fill(part, len, 1000 + offset);
            assert_memory_equal(part, whole + offset, len);
            assert_int_equal(part[len], 0xee);
        }
    }
}

static void test_the_pattern_is_splitmix64(void **state)
{
    (void)state;
    /* The generator's first output for seed 0, e220a8397b1dcdaf, is its publication's test value. */
    static const uint8_t first[8] = {0xaf, 0xcd, 0x1d, 0x7b, 0x39, 0xa8, 0x20, 0xe2};
    uint8_t seen[8];
    pattern_fill(seen, sizeof(seen), 0);
    assert_memory_equal(seen, first, sizeof(first));
}

static void test_names_find_their_servers(void **state)
{
    (void)state;
    assert_int_equal(route_for("a.fresh.lab.test", false).action, ROUTE_FRESH);
    assert_int_equal(route_for("A.FRESH.lab.test", true).action, ROUTE_FRESH);
    assert_int_equal(route_for("good.lab.test", false).action, ROUTE_GOOD);
    assert_int_equal(route_for("good.lab.test", true).action, ROUTE_NGINX);
    assert_int_equal(route_for("tls12.lab.test", true).port, 8412);
    assert_int_equal(route_for("rsa.lab.test", true).port, 8443);
    assert_int_equal(route_for(NULL, false).port, 8443);
}

static void test_a_zone_ends_at_a_dot(void **state)
{
    (void)state;
    assert_true(route_is_below("fresh.lab.test", "fresh.lab.test"));
    assert_true(route_is_below("a.b.fresh.lab.test", "fresh.lab.test"));
    assert_false(route_is_below("afresh.lab.test", "fresh.lab.test"));
    assert_false(route_is_below("lab.test", "fresh.lab.test"));
    assert_int_equal(route_for("notfresh.lab.test", false).action, ROUTE_NGINX);
}

/* consume feeds |text| to |body| in pieces of |step| bytes, keeping what it leaves, as a reader of a socket would. */
static enum mg_status consume(struct body *body, const char *text, size_t step, size_t *left)
{
    size_t end = 0, len = strlen(text);
    struct mg_slice in = mg_slice_of_text(text);
    in.len = 0;
    for (;;) {
        enum mg_status status = body_consume(body, &in);
        *left = in.len;
        if (status != MG_AGAIN || end == len) {
            return status;
        }
        size_t more = len - end < step ? len - end : step;
        in.len += more;
        end += more;
    }
}

static void test_chunked_bodies_are_read_in_any_pieces(void **state)
{
    (void)state;
    const char *text = "5;extension=x\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
    uint8_t expected[32], seen[32];
    SHA256((const uint8_t *)"hello world", 11, expected);
    for (size_t step = 1; step < 20; step++) {
        struct body body;
        size_t left;
        body_start(&body, true, 0);
        assert_int_equal(consume(&body, text, step, &left), MG_OK);
        assert_int_equal(body.num_bytes, 11);
        assert_int_equal(left, 0);
        SHA256_Final(seen, &body.sha256);
        assert_memory_equal(seen, expected, sizeof(expected));
    }
}

static void test_a_body_takes_no_byte_of_the_next_request(void **state)
{
    (void)state;
    struct body body;
    size_t left;
    body_start(&body, false, 5);
    assert_int_equal(consume(&body, "helloGET", 100, &left), MG_OK);
    assert_int_equal(left, 3);
    body_start(&body, true, 0);
    assert_int_equal(consume(&body, "0\r\n\r\nGET", 100, &left), MG_OK);
    assert_int_equal(left, 3);
}

static void test_malformed_chunks_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"x\r\n", "\r\n", "-1\r\n", "5\r\nhelloX\r\n", "10000000000000000\r\n"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct body body;
        size_t left;
        body_start(&body, true, 0);
        assert_int_equal(consume(&body, bad[i], 100, &left), MG_INVALID);
    }
}

static void test_an_endless_line_between_chunks_is_refused(void **state)
{
    (void)state;
    struct body body;
    char line[BODY_MAX_LINE + 2];
    memset(line, '0', sizeof(line));
    struct mg_slice in = mg_slice_of(line, sizeof(line));
    body_start(&body, true, 0);
    assert_int_equal(body_consume(&body, &in), MG_INVALID);
}

static EVP_PKEY *new_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    assert_true(EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static struct credentials new_issuer(void)
{
    struct credentials issuer = {.key = new_key(), .num_chain = 1};
    X509 *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_ASC, (const uint8_t *)"Issuer", -1,
                               -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 1000);
    X509_set_pubkey(cert, issuer.key);
    assert_true(X509_sign(cert, issuer.key, EVP_sha256()));
    uint8_t *der = NULL;
    int len = i2d_X509(cert, &der);
    issuer.chain[0] = CRYPTO_BUFFER_new(der, (size_t)len, NULL);
    OPENSSL_free(der);
    X509_free(cert);
    return issuer;
}

static CRYPTO_BUFFER *leaf_for(struct fresh *fresh, const char *name)
{
    CRYPTO_BUFFER *leaf;
    assert_int_equal(fresh_get(fresh, name, &leaf), MG_OK);
    return leaf;
}

static bool same(const CRYPTO_BUFFER *a, const CRYPTO_BUFFER *b)
{
    return CRYPTO_BUFFER_len(a) == CRYPTO_BUFFER_len(b) &&
           memcmp(CRYPTO_BUFFER_data(a), CRYPTO_BUFFER_data(b), CRYPTO_BUFFER_len(a)) == 0;
}

static void test_fresh_names_keep_their_certificate_until_the_bound(void **state)
{
    (void)state;
    struct credentials issuer = new_issuer();
    struct fresh *fresh = fresh_new(&issuer, 2);
    CRYPTO_BUFFER *a = leaf_for(fresh, "a.test"), *again = leaf_for(fresh, "A.test"), *b = leaf_for(fresh, "b.test");
    assert_true(same(a, again));
    assert_false(same(a, b));
    CRYPTO_BUFFER *c = leaf_for(fresh, "c.test"), *late = leaf_for(fresh, "a.test"), *kept = leaf_for(fresh, "c.test");
    assert_false(same(a, late)); /* c took its place */
    assert_true(same(c, kept));
    assert_int_equal(fresh_num_minted(fresh), 4);
    CRYPTO_BUFFER *const all[] = {a, again, b, c, late, kept};
    for (size_t i = 0; i < MG_ARRAY_LEN(all); i++) {
        CRYPTO_BUFFER_free(all[i]);
    }
    fresh_free(fresh);
    credentials_free(&issuer);
}

static void test_a_fresh_certificate_is_for_its_name_alone(void **state)
{
    (void)state;
    struct credentials issuer = new_issuer();
    struct fresh *fresh = fresh_new(&issuer, 10);
    char name[101];
    snprintf(name, sizeof(name), "%050d.%049d", 1, 2); /* no room for it in a CN */
    CRYPTO_BUFFER *der = leaf_for(fresh, name);
    X509 *leaf = X509_parse_from_buffer(der);
    assert_int_equal(X509_check_host(leaf, name, strlen(name), 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "other.test", 10, 0, NULL), 0);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 0);
    assert_true(X509_verify(leaf, issuer.key));
    X509_free(leaf);
    CRYPTO_BUFFER_free(der);
    fresh_free(fresh);
    credentials_free(&issuer);
}

static void test_fresh_names_of_other_characters_are_refused(void **state)
{
    (void)state;
    struct credentials issuer = new_issuer();
    struct fresh *fresh = fresh_new(&issuer, 10);
    static const char *const bad[] = {"", "a b", "a,DNS:b", "\xc3\xbc", "*.test", "a\n"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        CRYPTO_BUFFER *leaf;
        assert_int_equal(fresh_get(fresh, bad[i], &leaf), MG_INVALID);
    }
    fresh_free(fresh);
    credentials_free(&issuer);
}

static void test_pages_show_hostile_names_as_harmless(void **state)
{
    (void)state;
    struct request request = {.method = "GET", .path = "/"};
    struct origin origin = {.num_workers = 0};
    struct answer answer;
    snprintf(request.peer.sni, sizeof(request.peer.sni), "a<b>\"'&c");
    answer_make(&answer, &request, &origin);
    assert_true(mg_buffer_ok(&answer.text));
    mg_buffer_append_u8(&answer.text, '\0');
    assert_non_null(strstr(answer.storage, "<h1>a?b\?\?\?\?c</h1>"));
}

static void test_requests_get_the_answers_of_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        unsigned status;
        uint64_t content_length, send_len;
        enum answer_end end;
    } cases[] = {
        {"GET", "/bytes/1000", 200, 1000, 1000, ANSWER_END_NORMAL},
        {"HEAD", "/bytes/1000", 200, 1000, 0, ANSWER_END_NORMAL},
        {"GET", "/bytes/x", 400, 4, 4, ANSWER_END_NORMAL},
        {"GET", "/nothing", 404, 4, 4, ANSWER_END_NORMAL},
        {"GET", "/info/x", 404, 4, 4, ANSWER_END_NORMAL},
        {"DELETE", "/", 405, 4, 4, ANSWER_END_NORMAL},
        {"GET", "/reset", 200, 262144, 131072, ANSWER_END_RESET},
        {"GET", "/truncate", 200, 262144, 131072, ANSWER_END_TRUNCATE},
        {"GET", "/alert", 200, 262144, 131072, ANSWER_END_ALERT},
    };
    struct origin origin = {.num_workers = 0};
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        struct request request = {.body_len = 0};
        struct answer answer;
        snprintf(request.method, sizeof(request.method), "%s", cases[i].method);
        snprintf(request.path, sizeof(request.path), "%s", cases[i].path);
        answer_make(&answer, &request, &origin);
        assert_int_equal(answer.status, cases[i].status);
        assert_int_equal(answer.content_length, cases[i].content_length);
        assert_int_equal(answer.send_len, cases[i].send_len);
        assert_int_equal(answer.end, cases[i].end);
    }
}

static void test_answers_are_due_as_asked(void **state)
{
    (void)state;
    uint32_t delay_ms;
    struct request request = {.path = "/slow", .query = "ms=250"};
    assert_int_equal(answer_due_of(&request, &delay_ms), ANSWER_AFTER_DELAY);
    assert_int_equal(delay_ms, 250);
    snprintf(request.query, sizeof(request.query), "ms=99999999999");
    assert_int_equal(answer_due_of(&request, &delay_ms), ANSWER_AFTER_DELAY);
    assert_int_equal(delay_ms, 60000);
    snprintf(request.path, sizeof(request.path), "/half-close");
    assert_int_equal(answer_due_of(&request, &delay_ms), ANSWER_AFTER_HALF_CLOSE);
    snprintf(request.path, sizeof(request.path), "/");
    assert_int_equal(answer_due_of(&request, &delay_ms), ANSWER_NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_pattern_is_the_same_however_it_is_cut),
        cmocka_unit_test(test_the_pattern_is_splitmix64),
        cmocka_unit_test(test_names_find_their_servers),
        cmocka_unit_test(test_a_zone_ends_at_a_dot),
        cmocka_unit_test(test_chunked_bodies_are_read_in_any_pieces),
        cmocka_unit_test(test_a_body_takes_no_byte_of_the_next_request),
        cmocka_unit_test(test_malformed_chunks_are_refused),
        cmocka_unit_test(test_an_endless_line_between_chunks_is_refused),
        cmocka_unit_test(test_fresh_names_keep_their_certificate_until_the_bound),
        cmocka_unit_test(test_a_fresh_certificate_is_for_its_name_alone),
        cmocka_unit_test(test_fresh_names_of_other_characters_are_refused),
        cmocka_unit_test(test_pages_show_hostile_names_as_harmless),
        cmocka_unit_test(test_requests_get_the_answers_of_the_table),
        cmocka_unit_test(test_answers_are_due_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
