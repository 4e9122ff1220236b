/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/attr.h"
#include "dataplane/session/mailbox.h"
#include "dataplane/worker/doorbell.h"

struct letter {
    struct mail mail;
    unsigned poster;
    unsigned number;
};

/* Each test leaves the box empty. */
static struct mailbox box;
static struct doorbell bell;

static struct letter *letter_of(struct mail *mail)
{
    return MG_CONTAINER_OF(mail, struct letter, mail);
}

static void test_an_empty_box_has_nothing(void **state)
{
    (void)state;
    assert_true(mailbox_empty(&box));
    assert_null(mailbox_take(&box));
    assert_true(mailbox_empty(&box));
}

static void test_all_mails_are_taken_at_once_the_oldest_first(void **state)
{
    (void)state;
    struct letter some[5];
    for (unsigned round = 1; round <= 5; round++) {
        for (unsigned i = 0; i < round; i++) {
            some[i].number = i;
            mailbox_post(&box, &some[i].mail);
            assert_false(mailbox_empty(&box));
        }
        struct mail *mail = mailbox_take(&box);
        assert_true(mailbox_empty(&box));
        for (unsigned i = 0; i < round; i++, mail = mail->next) {
            assert_ptr_equal(letter_of(mail), &some[i]);
        }
        assert_null(mail);
    }
}

/* Many posters, and one reader that sleeps whenever it finds nothing, and is woken by the bell alone. */

#define POSTERS 4
#define LETTERS 50000

static struct letter letters[POSTERS][LETTERS];

static void *post_all(void *arg)
{
    struct letter *own = arg;
    for (unsigned i = 0; i < LETTERS; i++) {
        own[i].number = i;
        mailbox_post(&box, &own[i].mail);
        doorbell_ring(&bell);
    }
    return NULL;
}

/* sleep_until_rung returns false if nobody rings for as long as no machine takes to run the posters. */
static bool sleep_until_rung(void)
{
    struct pollfd wait = {.fd = bell.fd, .events = POLLIN};
    return poll(&wait, 1, 60000) == 1;
}

static void test_no_mail_and_no_wake_up_is_lost(void **state)
{
    (void)state;
    static unsigned next[POSTERS];
    pthread_t posters[POSTERS];
    unsigned num_taken = 0, num_sleeps = 0;
    bool in_order = true, rung = true;
    assert_true(doorbell_open(&bell));
    for (unsigned i = 0; i < POSTERS; i++) {
        for (unsigned j = 0; j < LETTERS; j++) {
            letters[i][j].poster = i;
        }
        assert_int_equal(pthread_create(&posters[i], NULL, post_all, letters[i]), 0);
    }
    while (num_taken < POSTERS * LETTERS && in_order && rung) {
        doorbell_prepare(&bell);
        if (mailbox_empty(&box)) {
            rung = sleep_until_rung();
            doorbell_drain(&bell);
            num_sleeps++;
        }
        doorbell_awake(&bell);
        for (struct mail *mail = mailbox_take(&box), *later; mail != NULL; mail = later) {
            struct letter *letter = letter_of(mail);
            later = mail->next;
            in_order = in_order && letter->number == next[letter->poster]++; /* each poster's in order */
            num_taken++;
        }
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(posters[i], NULL);
    }
    close(bell.fd);
    assert_true(rung);
    assert_true(in_order);
    assert_int_equal(num_taken, POSTERS * LETTERS);
    assert_true(mailbox_empty(&box));
    print_message("%u sleeps\n", num_sleeps);
}

/* ---- the bell alone ---- */

static bool is_rung(void)
{
    struct pollfd wait = {.fd = bell.fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void test_the_bell_rings_only_while_its_owner_sleeps(void **state)
{
    (void)state;
    assert_true(doorbell_open(&bell));
    doorbell_ring(&bell);
    assert_false(is_rung());
    doorbell_prepare(&bell);
    assert_false(is_rung());
    doorbell_ring(&bell);
    assert_true(is_rung());
    doorbell_awake(&bell);
    doorbell_drain(&bell);
    assert_false(is_rung());
    doorbell_ring(&bell);
    assert_false(is_rung());
    close(bell.fd);
}

static void test_many_rings_are_drained_at_once_and_draining_nothing_does_not_block(void **state)
{
    (void)state;
    assert_true(doorbell_open(&bell));
    doorbell_drain(&bell);
    doorbell_prepare(&bell);
    for (int i = 0; i < 1000; i++) {
        doorbell_ring(&bell);
    }
    assert_true(is_rung());
    doorbell_drain(&bell);
    assert_false(is_rung());
    close(bell.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_box_has_nothing),
        cmocka_unit_test(test_all_mails_are_taken_at_once_the_oldest_first),
        cmocka_unit_test(test_the_bell_rings_only_while_its_owner_sleeps),
        cmocka_unit_test(test_many_rings_are_drained_at_once_and_draining_nothing_does_not_block),
        cmocka_unit_test(test_no_mail_and_no_wake_up_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
