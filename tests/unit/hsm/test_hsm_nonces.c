/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nonces of ECDSA signatures, at volume. Two that are equal, or some bits that lean to one side, give the key away.
 * The test has the private key, and so recovers each nonce from its signature: k = (e + r d) / s (FIPS 186-5 section
 * 6.4.1). One key signs in lanes and one after the other, digests that differ and a single one again and again, on two
 * sessions in turn; over all of it no r comes twice, and over each way to sign the nonces are spread evenly.
 *
 * With MINTGATE_TEST_LONG a million signatures for each way and kind of digests with P-256, and 100,000 with P-384.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>

#include "hsm/backend_software.h"
#include "hsm/der.h"

#define NUM_BINS 256
#define NUM_SESSIONS 2
#define MAX_SCALAR 48
/* How often a recovered nonce is checked to be that of its r, which is slow. */
#define CHECK_EVERY 997
/* Chi-square over 255 degrees of freedom: an even spread is outside of these once in a thousand million tests on either
 * side (six standard deviations, by Wilson and Hilferty's approximation). */
#define CHI_SQUARE_LEAST 142.0
#define CHI_SQUARE_MOST 415.0

/* One key, and what there is to compute with it. */
struct fixture {
    const struct key_type *type;
    EVP_PKEY *pkey;
    EC_GROUP *group;
    BIGNUM *secret, *r, *s, *k, *x;
    EC_POINT *point;
    BN_CTX *context;
    uint8_t *rs; /* of all signatures, scalar_len bytes each */
    size_t scalar_len, num_rs, max_rs;
};

/* The nonces of one way to sign: how many fall into each bin of their highest, and of their lowest, eight bits. */
struct spread {
    size_t high[NUM_BINS], low[NUM_BINS], count;
};

static void open_fixture(struct fixture *f, enum wire_key_type number, size_t max_rs)
{
    *f = (struct fixture){.type = key_type_get0(number), .max_rs = max_rs, .context = BN_CTX_new()};
    f->scalar_len = f->type->bits / 8;
    f->rs = malloc(max_rs * f->scalar_len);
    assert_non_null(f->rs);
    assert_int_equal(key_type_generate(f->type, &f->pkey, NULL), MG_OK);
    assert_int_equal(EVP_PKEY_get_bn_param(f->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &f->secret), 1);
    f->group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(f->type->curve));
    f->point = EC_POINT_new(f->group);
    f->r = BN_new();
    f->s = BN_new();
    f->k = BN_new();
    f->x = BN_new();
}

static void close_fixture(struct fixture *f)
{
    BIGNUM *const numbers[] = {f->secret, f->r, f->s, f->k, f->x};
    for (size_t i = 0; i < MG_ARRAY_LEN(numbers); i++) {
        BN_clear_free(numbers[i]);
    }
    EC_POINT_free(f->point);
    EC_GROUP_free(f->group);
    BN_CTX_free(f->context);
    EVP_PKEY_free(f->pkey);
    free(f->rs);
}

/* read_signature puts r and s of a signature into the fixture. */
static void read_signature(struct fixture *f, const struct backend_job *job)
{
    struct mg_slice in = mg_slice_of(job->signature, job->signature_len), value, r, s;
    assert_true(der_get(&in, DER_SEQUENCE, &value) && in.len == 0 && der_unsigned(&value, &r) &&
                der_unsigned(&value, &s) && value.len == 0);
    assert_non_null(BN_bin2bn(r.data, (int)r.len, f->r));
    assert_non_null(BN_bin2bn(s.data, (int)s.len, f->s));
}

/* recover_nonce computes k from r, s, the digest and the key. The digest is as long as the order, so that e is it. */
static void recover_nonce(struct fixture *f, const struct backend_job *job)
{
    const BIGNUM *order = EC_GROUP_get0_order(f->group);
    assert_non_null(BN_bin2bn(job->digest, (int)f->type->digest_len, f->x));
    assert_non_null(BN_mod_inverse(f->s, f->s, order, f->context));
    assert_true(BN_mod_mul(f->k, f->r, f->secret, order, f->context) &&
                BN_mod_add(f->k, f->k, f->x, order, f->context) && BN_mod_mul(f->k, f->k, f->s, order, f->context));
    assert_false(BN_is_zero(f->k));
}

/* assert_is_of_r checks that r is the abscissa of k G: what was recovered is the nonce. */
static void assert_is_of_r(struct fixture *f)
{
    assert_int_equal(EC_POINT_mul(f->group, f->point, f->k, NULL, NULL, f->context), 1);
    assert_int_equal(EC_POINT_get_affine_coordinates(f->group, f->point, f->x, NULL, f->context), 1);
    assert_true(BN_nnmod(f->x, f->x, EC_GROUP_get0_order(f->group), f->context));
    assert_int_equal(BN_cmp(f->x, f->r), 0);
}

static void take(struct fixture *f, struct spread *spread, const struct backend_job *job)
{
    uint8_t k[MAX_SCALAR];
    int len = (int)f->scalar_len;
    assert_int_not_equal(job->signature_len, 0);
    assert_true(f->num_rs < f->max_rs);
    read_signature(f, job);
    assert_int_equal(BN_bn2binpad(f->r, f->rs + f->num_rs * f->scalar_len, len), len);
    recover_nonce(f, job);
    if (f->num_rs++ % CHECK_EVERY == 0) {
        assert_is_of_r(f);
    }
    assert_int_equal(BN_bn2binpad(f->k, k, len), len);
    spread->high[k[0]]++;
    spread->low[k[len - 1]]++;
    spread->count++;
}

/* Signing */

static void ignore_done(struct backend_job *job)
{
    (void)job;
}

/* One way to sign: a backend with the key, and sessions, which a signer has one of in each thread. */
struct way {
    struct backend *backend;
    struct backend_key *key;
    struct backend_session *sessions[NUM_SESSIONS];
};

static void open_way(struct way *way, const struct fixture *f, bool use_lanes)
{
    assert_int_equal(backend_software_new(&way->backend, use_lanes, NULL), MG_OK);
    assert_int_equal(backend_software_add_key(way->backend, f->pkey, &way->key, NULL), MG_OK);
    for (size_t i = 0; i < NUM_SESSIONS; i++) {
        assert_int_equal(way->backend->ops->session_new(way->backend, &way->sessions[i], NULL), MG_OK);
    }
}

static void close_way(struct way *way)
{
    for (size_t i = 0; i < NUM_SESSIONS; i++) {
        way->backend->ops->session_free(way->sessions[i]);
    }
    backend_software_free_key(way->key);
    backend_software_free(way->backend);
}

/* sign_many signs |count| digests, in full batches: each another one, or all the same. */
static void sign_many(struct fixture *f, const struct way *way, bool differ, size_t count, struct spread *spread)
{
    static struct backend_job jobs[BACKEND_MAX_BATCH];
    struct backend_job *pointers[BACKEND_MAX_BATCH];
    uint8_t digest[KEY_TYPE_MAX_DIGEST];
    assert_int_equal(RAND_bytes(digest, sizeof(digest)), 1);
    for (size_t done = 0, round = 0; done < count; round++) {
        size_t batch = count - done < BACKEND_MAX_BATCH ? count - done : BACKEND_MAX_BATCH;
        for (size_t i = 0; i < batch; i++) {
            uint64_t number = done + i;
            jobs[i].done = ignore_done;
            memcpy(jobs[i].digest, digest, sizeof(digest));
            memcpy(jobs[i].digest + 8, &number, differ ? sizeof(number) : 0);
            pointers[i] = &jobs[i];
        }
        way->backend->ops->sign(way->sessions[round % NUM_SESSIONS], way->key, pointers, batch);
        for (size_t i = 0; i < batch; i++) {
            take(f, spread, &jobs[i]);
        }
        done += batch;
    }
}

/* Judging */

static double chi_square(const size_t bins[NUM_BINS], size_t count)
{
    double expected = (double)count / NUM_BINS, sum = 0;
    for (size_t i = 0; i < NUM_BINS; i++) {
        double off = (double)bins[i] - expected;
        sum += off * off / expected;
    }
    return sum;
}

static void assert_even(const char *name, const struct spread *spread)
{
    double high = chi_square(spread->high, spread->count), low = chi_square(spread->low, spread->count);
    print_message("%s: %zu nonces, chi-square of the highest eight bits %.0f, of the lowest %.0f\n", name,
                  spread->count, high, low);
    assert_true(high > CHI_SQUARE_LEAST && high < CHI_SQUARE_MOST);
    assert_true(low > CHI_SQUARE_LEAST && low < CHI_SQUARE_MOST);
}

static size_t compared_len;

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, compared_len);
}

static void assert_all_differ(struct fixture *f)
{
    compared_len = f->scalar_len;
    qsort(f->rs, f->num_rs, f->scalar_len, compare);
    for (size_t i = 1; i < f->num_rs; i++) {
        const uint8_t *r = f->rs + i * f->scalar_len;
        assert_memory_not_equal(r - f->scalar_len, r, f->scalar_len);
    }
}

/* assert_nonces does |count| signatures for each way to sign and kind of digests. */
static void assert_nonces(enum wire_key_type type, size_t count)
{
    static const char *const names[] = {"one after the other", "in lanes"};
    struct fixture f;
    open_fixture(&f, type, 4 * count);
    for (int use_lanes = 0; use_lanes <= 1; use_lanes++) {
        struct spread spread = {.count = 0};
        struct way way;
        open_way(&way, &f, use_lanes == 1);
        if (use_lanes == 0 || backend_software_uses_lanes(way.backend)) {
            sign_many(&f, &way, true, count, &spread);
            sign_many(&f, &way, false, count, &spread);
            assert_even(names[use_lanes], &spread);
        } else {
            print_message("in lanes: not on this CPU, which lacks AVX-512 IFMA, or crypto_mb is not built in\n");
        }
        close_way(&way);
    }
    assert_all_differ(&f);
    close_fixture(&f);
}

static size_t number_of(size_t ordinary, size_t many)
{
    return getenv("MINTGATE_TEST_LONG") != NULL ? many : ordinary;
}

static void test_p256_nonces_never_repeat_and_are_spread_evenly(void **state)
{
    (void)state;
    assert_nonces(WIRE_KEY_EC_P256, number_of(5000, 1000000));
}

static void test_p384_nonces_never_repeat_and_are_spread_evenly(void **state)
{
    (void)state;
    assert_nonces(WIRE_KEY_EC_P384, number_of(700, 100000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_p256_nonces_never_repeat_and_are_spread_evenly),
        cmocka_unit_test(test_p384_nonces_never_repeat_and_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
