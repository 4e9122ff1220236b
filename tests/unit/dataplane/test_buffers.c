/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/attr.h"
#include "dataplane/net/buffers.h"

#define NUM 1023

static int start_eal(void **state)
{
    (void)state;
    char *arguments[] = {(char[]){"test_buffers"},
                         (char[]){"--no-huge"},
                         (char[]){"-m"},
                         (char[]){"64"},
                         (char[]){"--no-pci"},
                         (char[]){"--no-shconf"},
                         (char[]){"--no-telemetry"},
                         (char[]){"--log-level=critical"}};
    return rte_eal_init(MG_ARRAY_LEN(arguments), arguments) < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
    (void)state;
    return rte_eal_cleanup();
}

struct extent {
    uintptr_t first, last;
};

static void extend(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
    struct extent *extent = arg;
    uintptr_t place = (uintptr_t)object;
    (void)pool, (void)index;
    extent->first = extent->first == 0 || place < extent->first ? place : extent->first;
    extent->last = place > extent->last ? place : extent->last;
}

/* What the AF_XDP driver gives to the kernel: the number of buffers times their size. */
static void assert_without_gaps(const char *name, size_t room)
{
    struct extent extent = {0};
    struct rte_mempool *pool = buffers_new(name, NUM, room, true);
    assert_non_null(pool);
    assert_true(rte_pktmbuf_data_room_size(pool) >= RTE_PKTMBUF_HEADROOM + room);
    assert_int_equal(rte_mempool_obj_iter(pool, extend, &extent), NUM);
    uint32_t size = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
    assert_int_equal(extent.last - extent.first, (uintptr_t)(NUM - 1) * size);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    assert_non_null(mbuf);
    assert_non_null(rte_pktmbuf_append(mbuf, (uint16_t)room));
    rte_pktmbuf_free(mbuf);
    rte_mempool_free(pool);
}

static void test_buffers_lie_one_behind_the_other_whatever_the_pages(void **state)
{
    (void)state;
    assert_without_gaps("small", RTE_MBUF_DEFAULT_DATAROOM);
    assert_without_gaps("large", 9300);
}

/* The kernel takes no frame of AF_XDP larger than a page (XDP_UMEM_REG, chunk_size). */
static void test_a_buffer_for_ethernets_frames_is_no_larger_than_a_page(void **state)
{
    (void)state;
    struct rte_mempool *pool = buffers_new("page", NUM, RTE_MBUF_DEFAULT_DATAROOM, true);
    assert_non_null(pool);
    assert_int_equal(rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL), 4096);
    rte_mempool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffers_lie_one_behind_the_other_whatever_the_pages),
        cmocka_unit_test(test_a_buffer_for_ethernets_frames_is_no_larger_than_a_page),
    };
    return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
