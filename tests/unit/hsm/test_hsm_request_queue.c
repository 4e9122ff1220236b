/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hsm/request_queue.h"

static struct issuer issuers[3];

static void make_issuers(void)
{
    static const enum wire_key_type types[] = {WIRE_KEY_EC_P256, WIRE_KEY_RSA_4096, WIRE_KEY_EC_P256};
    for (size_t i = 0; i < MG_ARRAY_LEN(issuers); i++) {
        issuers[i].line = i;
        issuers[i].facts.key_type = key_type_get0(types[i]);
    }
}

static void put(struct request_queue *queue, size_t issuer, uint64_t id)
{
    struct leaf_request *request = request_queue_get(queue);
    assert_non_null(request);
    request->issuer = &issuers[issuer];
    request->id = id;
    request_queue_put(queue, request);
}

static void release_all(struct request_queue *queue, struct leaf_request **turn, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        request_queue_release(queue, turn[i]);
    }
}

static void test_a_full_queue_gives_no_request(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *taken[5];
    assert_int_equal(request_queue_new(&queue, 5, NULL), MG_OK);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 5; i++) {
            taken[i] = request_queue_get(queue);
            assert_non_null(taken[i]);
            for (size_t j = 0; j < i; j++) {
                assert_ptr_not_equal(taken[i], taken[j]);
            }
        }
        assert_int_equal(request_queue_in_use(queue), 5);
        assert_null(request_queue_get(queue));
        release_all(queue, taken, 5);
        assert_int_equal(request_queue_in_use(queue), 0);
    }
    request_queue_free(queue);
}

static void test_requests_of_one_issuer_keep_their_order(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    assert_int_equal(request_queue_new(&queue, 200, NULL), MG_OK);
    assert_int_equal(request_queue_take(queue, turn), 0);
    for (uint64_t id = 0; id < 150; id++) {
        put(queue, 0, id);
    }
    uint64_t next = 0;
    static const size_t expected[] = {64, 64, 22, 0};
    for (size_t i = 0; i < MG_ARRAY_LEN(expected); i++) {
        size_t count = request_queue_take(queue, turn);
        assert_int_equal(count, expected[i]);
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(turn[j]->id, next++);
        }
        release_all(queue, turn, count);
    }
    assert_int_equal(request_queue_waiting(queue), 0);
    request_queue_free(queue);
}

static void test_issuers_take_turns(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    assert_int_equal(request_queue_new(&queue, 1000, NULL), MG_OK);
    for (uint64_t id = 0; id < 100; id++) {
        put(queue, 1, id); /* the slow key came first, with many */
    }
    put(queue, 0, 1000);
    put(queue, 2, 2000);
    static const struct {
        size_t issuer, count;
    } expected[] = {{0, 1}, {1, 8}, {2, 1}, {1, 8}, {1, 8}};
    for (size_t i = 0; i < MG_ARRAY_LEN(expected); i++) {
        size_t count = request_queue_take(queue, turn);
        assert_int_equal(count, expected[i].count);
        assert_int_equal(turn[0]->issuer->line, expected[i].issuer);
        release_all(queue, turn, count);
    }
    assert_int_equal(request_queue_waiting(queue), 100 - 24);
    request_queue_free(queue);
}

/* A line passes to another issuer when the first is removed, whose requests may still stand in it. */
static void test_a_turn_ends_where_the_issuer_changes(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    assert_int_equal(request_queue_new(&queue, 10, NULL), MG_OK);
    issuers[2].line = issuers[0].line;
    put(queue, 0, 1);
    put(queue, 0, 2);
    put(queue, 2, 3);
    put(queue, 0, 4);
    static const struct {
        size_t issuer, count;
    } expected[] = {{0, 2}, {2, 1}, {0, 1}};
    for (size_t i = 0; i < MG_ARRAY_LEN(expected); i++) {
        size_t count = request_queue_take(queue, turn);
        assert_int_equal(count, expected[i].count);
        assert_ptr_equal(turn[0]->issuer, &issuers[expected[i].issuer]);
        release_all(queue, turn, count);
    }
    assert_int_equal(request_queue_waiting(queue), 0);
    make_issuers();
    request_queue_free(queue);
}

static void test_every_turn_fits_a_batch(void **state)
{
    (void)state;
    for (int type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_4096; type++) {
        size_t turn = key_type_get0((enum wire_key_type)type)->turn;
        assert_true(turn >= 8 && turn <= BACKEND_MAX_BATCH && turn % 8 == 0);
    }
}

static bool is_not_blocked(void *arg, const struct issuer *issuer)
{
    return issuer != arg;
}

static void test_issuers_that_are_not_ready_are_passed_over_and_keep_their_places(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    assert_int_equal(request_queue_new(&queue, 8, NULL), MG_OK);
    put(queue, 0, 1);
    put(queue, 2, 2);
    assert_int_equal(request_queue_take_ready(queue, turn, is_not_blocked, &issuers[0]), 1);
    assert_true(turn[0]->id == 2);
    release_all(queue, turn, 1);
    assert_int_equal(request_queue_take_ready(queue, turn, is_not_blocked, &issuers[0]), 0);
    assert_int_equal(request_queue_waiting(queue), 1);
    put(queue, 0, 3);
    assert_int_equal(request_queue_take(queue, turn), 2);
    assert_true(turn[0]->id == 1 && turn[1]->id == 3);
    release_all(queue, turn, 2);
    request_queue_free(queue);
}

static void test_a_line_knows_when_its_share_is_used(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    assert_int_equal(request_queue_new(&queue, 8, NULL), MG_OK);
    for (uint64_t i = 0; i < 6; i++) {
        assert_false(request_queue_share_is_used(queue, &issuers[1]));
        put(queue, 1, i);
    }
    assert_true(request_queue_share_is_used(queue, &issuers[1]));
    assert_false(request_queue_share_is_used(queue, &issuers[0]));
    release_all(queue, turn, request_queue_take(queue, turn));
    assert_false(request_queue_share_is_used(queue, &issuers[1]));
    request_queue_free(queue);
}

static bool is_odd(void *arg, const struct leaf_request *request)
{
    (void)arg;
    return request->id % 2 == 1;
}

static void release_removed(void *arg, struct leaf_request *request)
{
    request_queue_release(arg, request);
}

static void test_requests_that_are_removed_leave_the_others_in_order(void **state)
{
    (void)state;
    struct request_queue *queue;
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    assert_int_equal(request_queue_new(&queue, 16, NULL), MG_OK);
    static const struct {
        size_t issuer;
        uint64_t id;
    } requests[] = {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {2, 7}, {2, 9}};
    for (size_t i = 0; i < MG_ARRAY_LEN(requests); i++) {
        put(queue, requests[i].issuer, requests[i].id);
    }
    assert_int_equal(request_queue_remove_if(queue, is_odd, release_removed, queue), 5);
    assert_int_equal(request_queue_waiting(queue), 2);
    assert_int_equal(request_queue_in_use(queue), 2);
    put(queue, 0, 6); /* behind the last that stayed */
    put(queue, 2, 8); /* where none stayed */
    assert_int_equal(request_queue_take(queue, turn), 3);
    assert_true(turn[0]->id == 2 && turn[1]->id == 4 && turn[2]->id == 6);
    release_all(queue, turn, 3);
    assert_int_equal(request_queue_take(queue, turn), 1);
    assert_true(turn[0]->id == 8);
    release_all(queue, turn, 1);
    request_queue_free(queue);
}

int main(void)
{
    make_issuers();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_queue_gives_no_request),
        cmocka_unit_test(test_requests_of_one_issuer_keep_their_order),
        cmocka_unit_test(test_issuers_take_turns),
        cmocka_unit_test(test_a_turn_ends_where_the_issuer_changes),
        cmocka_unit_test(test_every_turn_fits_a_batch),
        cmocka_unit_test(test_issuers_that_are_not_ready_are_passed_over_and_keep_their_places),
        cmocka_unit_test(test_a_line_knows_when_its_share_is_used),
        cmocka_unit_test(test_requests_that_are_removed_leave_the_others_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
