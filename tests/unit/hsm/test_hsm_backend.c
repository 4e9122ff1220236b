/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software backend, with the lanes and without, for every key type: each signature is verified by OpenSSL. The
 * number per type is 10,000 with MINTGATE_TEST_LONG set, else enough for every size of batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "hsm/backend_software.h"
#include "hsm/lanes.h"

#define NUM_LONG 10000

struct counted_job {
    struct backend_job job;
    unsigned num_done;
};

static void count_done(struct backend_job *job)
{
    MG_CONTAINER_OF(job, struct counted_job, job)->num_done++;
}

/* One key in a backend, a session, and room for a batch. */
struct fixture {
    const struct key_type *type;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *verify;
    struct backend *backend;
    struct backend_key *key;
    struct backend_session *session;
    struct counted_job jobs[BACKEND_MAX_BATCH];
    struct backend_job *pointers[BACKEND_MAX_BATCH];
};

static void fixture_open(struct fixture *f, enum wire_key_type number, bool use_lanes, EVP_PKEY *given)
{
    struct mg_error error = {""};
    memset(f, 0, sizeof(*f));
    f->type = key_type_get0(number);
    f->pkey = given;
    if (given == NULL) {
        assert_int_equal(key_type_generate(f->type, &f->pkey, NULL), MG_OK);
    }
    f->verify = EVP_PKEY_CTX_new(f->pkey, NULL);
    assert_int_equal(EVP_PKEY_verify_init(f->verify), 1);
    if (f->type->curve == NULL) {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(f->verify, RSA_PKCS1_PADDING) > 0);
        assert_true(EVP_PKEY_CTX_set_signature_md(f->verify, EVP_sha256()) > 0);
    }
    assert_int_equal(backend_software_new(&f->backend, use_lanes, &error), MG_OK);
    assert_int_equal(backend_software_uses_lanes(f->backend), use_lanes && lanes_available());
    assert_int_equal(backend_software_add_key(f->backend, f->pkey, &f->key, &error), MG_OK);
    assert_int_equal(f->backend->ops->session_new(f->backend, &f->session, &error), MG_OK);
}

static void fixture_close(struct fixture *f)
{
    f->backend->ops->session_free(f->session);
    backend_software_free_key(f->key);
    backend_software_free(f->backend);
    EVP_PKEY_CTX_free(f->verify);
    EVP_PKEY_free(f->pkey);
}

static void sign_random_digests(struct fixture *f, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        f->jobs[i] = (struct counted_job){.job.done = count_done};
        RAND_bytes(f->jobs[i].job.digest, (int)f->type->digest_len);
        f->pointers[i] = &f->jobs[i].job;
    }
    f->backend->ops->sign(f->session, f->key, f->pointers, num_jobs);
}

static void assert_verified(struct fixture *f, const struct counted_job *job)
{
    assert_int_equal(job->num_done, 1);
    assert_int_not_equal(job->job.signature_len, 0);
    assert_int_equal(
        EVP_PKEY_verify(f->verify, job->job.signature, job->job.signature_len, job->job.digest, f->type->digest_len),
        1);
}

/* first_of_r returns the first eight bytes of an ECDSA signature's r, which shows a repeated nonce. */
static uint64_t first_of_r(const struct backend_job *job)
{
    const uint8_t *in = job->signature;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &in, (long)job->signature_len);
    assert_non_null(signature);
    uint8_t r[66];
    uint64_t first;
    assert_true(BN_bn2binpad(ECDSA_SIG_get0_r(signature), r, sizeof(r)) > 0);
    memcpy(&first, r + sizeof(r) - sizeof(first), sizeof(first));
    ECDSA_SIG_free(signature);
    return first;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void assert_all_differ(uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_u64);
    for (size_t i = 1; i < count; i++) {
        assert_true(values[i - 1] != values[i]);
    }
}

static void sign_and_verify(enum wire_key_type number, bool use_lanes, size_t count)
{
    static struct fixture f;
    static uint64_t rs[NUM_LONG + BACKEND_MAX_BATCH];
    fixture_open(&f, number, use_lanes, NULL);
    size_t done = 0;
    for (size_t batch = 1; done < count; batch = batch % BACKEND_MAX_BATCH + 1) {
        sign_random_digests(&f, batch);
        for (size_t i = 0; i < batch; i++) {
            assert_verified(&f, &f.jobs[i]);
            if (f.type->curve != NULL) {
                rs[done + i] = first_of_r(&f.jobs[i].job);
            }
        }
        done += batch;
    }
    if (f.type->curve != NULL) {
        assert_all_differ(rs, done);
    }
    fixture_close(&f);
}

static size_t number_for(size_t otherwise)
{
    return getenv("MINTGATE_TEST_LONG") != NULL ? NUM_LONG : otherwise;
}

static void test_p256_signatures_verify_and_nonces_never_repeat(void **state)
{
    (void)state;
    sign_and_verify(WIRE_KEY_EC_P256, true, number_for(2000));
    sign_and_verify(WIRE_KEY_EC_P256, false, number_for(500));
}

static void test_p384_signatures_verify_and_nonces_never_repeat(void **state)
{
    (void)state;
    sign_and_verify(WIRE_KEY_EC_P384, true, number_for(300));
    sign_and_verify(WIRE_KEY_EC_P384, false, number_for(100));
}

static void test_rsa_2048_signatures_verify(void **state)
{
    (void)state;
    sign_and_verify(WIRE_KEY_RSA_2048, true, number_for(500));
    sign_and_verify(WIRE_KEY_RSA_2048, false, number_for(100));
}

static void test_rsa_3072_signatures_verify(void **state)
{
    (void)state;
    sign_and_verify(WIRE_KEY_RSA_3072, true, number_for(200));
    sign_and_verify(WIRE_KEY_RSA_3072, false, number_for(50));
}

static void test_rsa_4096_signatures_verify(void **state)
{
    (void)state;
    sign_and_verify(WIRE_KEY_RSA_4096, true, number_for(100));
    sign_and_verify(WIRE_KEY_RSA_4096, false, number_for(20));
}

/* Even the same digest again, which is what a deterministic or stuck nonce would show. */
static void test_the_same_digest_is_signed_with_another_nonce(void **state)
{
    (void)state;
    static struct fixture f;
    for (int use_lanes = 0; use_lanes <= 1; use_lanes++) {
        fixture_open(&f, WIRE_KEY_EC_P256, use_lanes == 1, NULL);
        uint64_t rs[LANES_WIDTH];
        sign_random_digests(&f, LANES_WIDTH);
        for (size_t i = 0; i < LANES_WIDTH; i++) {
            memset(f.jobs[i].job.digest, 0x11, f.type->digest_len);
        }
        f.backend->ops->sign(f.session, f.key, f.pointers, LANES_WIDTH);
        for (size_t i = 0; i < LANES_WIDTH; i++) {
            rs[i] = first_of_r(&f.jobs[i].job);
        }
        assert_all_differ(rs, LANES_WIDTH);
        fixture_close(&f);
    }
}

/* make_wrong_rsa_key returns a key whose private exponents are wrong, with the CRT and without (OpenSSL falls back on
 * the latter when it notices a fault in the former). */
static EVP_PKEY *make_wrong_rsa_key(void)
{
    static const char *const wrong[] = {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_EXPONENT1};
    EVP_PKEY *good = EVP_RSA_gen(2048), *bad = NULL;
    OSSL_PARAM *params = NULL;
    assert_int_equal(EVP_PKEY_todata(good, EVP_PKEY_KEYPAIR, &params), 1);
    for (size_t i = 0; i < MG_ARRAY_LEN(wrong); i++) {
        uint8_t *number = OSSL_PARAM_locate(params, wrong[i])->data;
        number[0] ^= 2; /* numbers are in the machine's order: this is a low bit */
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &bad, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(good);
    return bad;
}

/* A wrong RSA signature would give a factor of the modulus away. */
static void test_a_wrong_rsa_result_does_not_leave(void **state)
{
    (void)state;
    static struct fixture f;
    for (int use_lanes = 0; use_lanes <= 1; use_lanes++) {
        fixture_open(&f, WIRE_KEY_RSA_2048, use_lanes == 1, make_wrong_rsa_key());
        sign_random_digests(&f, LANES_WIDTH + 1); /* the last one alone */
        for (size_t i = 0; i < LANES_WIDTH + 1; i++) {
            assert_int_equal(f.jobs[i].num_done, 1);
            assert_int_equal(f.jobs[i].job.signature_len, 0);
        }
        fixture_close(&f);
    }
}

static void test_more_keys_than_a_session_caches_are_signed_with(void **state)
{
    (void)state;
    static struct fixture f;
    fixture_open(&f, WIRE_KEY_EC_P256, false, NULL);
    struct backend_key *keys[BACKEND_SOFTWARE_CACHED_KEYS + 4];
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        assert_int_equal(backend_software_add_key(f.backend, f.pkey, &keys[i], NULL), MG_OK);
    }
    for (size_t i = 0; i < 2 * MG_ARRAY_LEN(keys); i++) {
        struct backend_key *own = f.key;
        f.key = keys[i % MG_ARRAY_LEN(keys)];
        sign_random_digests(&f, 1);
        assert_verified(&f, &f.jobs[0]);
        f.key = own;
    }
    f.backend->ops->session_free(f.session);
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        backend_software_free_key(keys[i]);
    }
    assert_int_equal(f.backend->ops->session_new(f.backend, &f.session, NULL), MG_OK);
    fixture_close(&f);
}

static void test_a_key_of_another_type_is_refused(void **state)
{
    (void)state;
    struct backend *backend;
    struct backend_key *key;
    assert_int_equal(backend_software_new(&backend, true, NULL), MG_OK);
    EVP_PKEY *pkey = EVP_EC_gen("P-521");
    assert_int_equal(backend_software_add_key(backend, pkey, &key, NULL), MG_INVALID);
    EVP_PKEY_free(pkey);
    backend_software_free(backend);
}

/* The lanes alone: a batch of any size, and nothing written for a lane that was left out. */
static void test_a_batch_of_fewer_than_eight_fills_as_many_lanes(void **state)
{
    (void)state;
    if (!lanes_available()) {
        skip();
    }
    static struct fixture f;
    fixture_open(&f, WIRE_KEY_EC_P384, true, NULL);
    struct lane_key *key;
    struct lanes *lanes;
    assert_int_equal(lane_key_new(&key, f.pkey, f.type, NULL), MG_OK);
    assert_int_equal(lanes_new(&lanes, NULL), MG_OK);
    for (size_t count = 1; count <= LANES_WIDTH; count++) {
        sign_random_digests(&f, LANES_WIDTH);
        for (size_t i = 0; i < LANES_WIDTH; i++) {
            f.jobs[i].job.signature_len = i < count ? 0 : 7777;
        }
        lanes_sign(lanes, key, f.pointers, count);
        for (size_t i = 0; i < count; i++) {
            assert_verified(&f, &f.jobs[i]);
        }
        for (size_t i = count; i < LANES_WIDTH; i++) {
            assert_int_equal(f.jobs[i].job.signature_len, 7777);
        }
    }
    lanes_free(lanes);
    lane_key_free(key);
    fixture_close(&f);
}

static void test_lanes_do_not_take_an_rsa_exponent_of_their_own_choice(void **state)
{
    (void)state;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    BIGNUM *three = BN_new();
    BN_set_word(three, 3);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) > 0);
    assert_true(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, three) > 0);
    assert_int_equal(EVP_PKEY_generate(context, &pkey), 1);
    struct lane_key *key;
    assert_int_equal(lane_key_new(&key, pkey, key_type_get0(WIRE_KEY_RSA_2048), NULL), MG_OK);
    assert_null(key);
    static struct fixture f;
    fixture_open(&f, WIRE_KEY_RSA_2048, true, pkey); /* such a key is signed with all the same */
    sign_random_digests(&f, LANES_WIDTH);
    for (size_t i = 0; i < LANES_WIDTH; i++) {
        assert_verified(&f, &f.jobs[i]);
    }
    fixture_close(&f);
    BN_free(three);
    EVP_PKEY_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_p256_signatures_verify_and_nonces_never_repeat),
        cmocka_unit_test(test_p384_signatures_verify_and_nonces_never_repeat),
        cmocka_unit_test(test_rsa_2048_signatures_verify),
        cmocka_unit_test(test_rsa_3072_signatures_verify),
        cmocka_unit_test(test_rsa_4096_signatures_verify),
        cmocka_unit_test(test_the_same_digest_is_signed_with_another_nonce),
        cmocka_unit_test(test_a_wrong_rsa_result_does_not_leave),
        cmocka_unit_test(test_more_keys_than_a_session_caches_are_signed_with),
        cmocka_unit_test(test_a_key_of_another_type_is_refused),
        cmocka_unit_test(test_a_batch_of_fewer_than_eight_fills_as_many_lanes),
        cmocka_unit_test(test_lanes_do_not_take_an_rsa_exponent_of_their_own_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
