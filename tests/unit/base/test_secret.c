/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* What free gets to see of the buffer below: the linker calls this in its place (--wrap). */
static uint8_t *watched;
static size_t watched_len;
static bool was_freed, was_wiped;
void __real_free(void *pointer);
void __wrap_free(void *pointer);

void __wrap_free(void *pointer)
{
    if (pointer != NULL && pointer == watched) {
        was_freed = true;
        was_wiped = true;
        for (size_t i = 0; i < watched_len; i++) {
            was_wiped = was_wiped && watched[i] == 0;
        }
        watched = NULL;
    }
    __real_free(pointer);
}

static void test_wiping_overwrites_exactly_that_many_bytes(void **state)
{
    (void)state;
    uint8_t bytes[8];
    memset(bytes, 0xee, sizeof(bytes));
    mg_secret_wipe(bytes + 1, 6);
    assert_memory_equal(bytes, ((const uint8_t[]){0xee, 0, 0, 0, 0, 0, 0, 0xee}), 8);
    mg_secret_wipe(bytes, 0);
    assert_int_equal(bytes[0], 0xee);
}

static void test_a_secret_buffer_never_moves(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    assert_true(mg_secret_buffer_init(&buffer, 5000));
    const uint8_t *data = buffer.data;
    for (int i = 0; i < 5000; i++) {
        mg_buffer_append_u8(&buffer, (uint8_t)i);
        assert_ptr_equal(buffer.data, data);
    }
    assert_true(mg_buffer_ok(&buffer));
    mg_buffer_append_u8(&buffer, 0);
    assert_false(mg_buffer_ok(&buffer));
    mg_secret_free(&buffer);
    assert_null(buffer.data);
}

static void test_freeing_wipes_the_whole_capacity_first(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    assert_true(mg_secret_buffer_init(&buffer, 300));
    memset(buffer.data, 0xee, 300); /* also what was there before mg_buffer_clear counts */
    mg_buffer_append_text(&buffer, "secret");
    watched = buffer.data;
    watched_len = 300;
    mg_secret_free(&buffer);
    assert_true(was_freed);
    assert_true(was_wiped);
    mg_secret_free(&buffer); /* an empty one is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wiping_overwrites_exactly_that_many_bytes),
        cmocka_unit_test(test_a_secret_buffer_never_moves),
        cmocka_unit_test(test_freeing_wipes_the_whole_capacity_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
