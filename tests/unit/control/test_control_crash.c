/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at any moment: a child runs steps in a loop and says on a pipe which of them have committed; it is killed;
 * then the database is opened again and must hold what was said, whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lifecycle_fixture.h"
#include "tests/unit/hsm/temp_dir.h"

#define NUM_KILLS 40
#define MAX_RUN_US 30000

/* The child: swaps the default between two and renames a third, for ever; a byte on |fd| for each step that has
 * committed. Under the software quota a swap is two audited changes: the default, and the status of the old one. */
static _Noreturn void run_steps(int fd, int64_t a, int64_t b, int64_t draft)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fixture_reopen(); /* a connection is not carried across a fork */
    for (unsigned i = 0;; i++) {
        char name[32];
        struct default_issuer now;
        struct lifecycle_draft change = LIFECYCLE_EMPTY_DRAFT;
        snprintf(name, sizeof(name), "draft %u %d", i, (int)getpid());
        change.name = mg_slice_of_text(name);
        if (lifecycle_commit_default(&call, fixture_default().id == a ? b : a, &now, NULL, &error) != MG_OK ||
            write(fd, "s", 1) != 1 || lifecycle_update(&call, draft, &change, NULL, &error) != MG_OK ||
            write(fd, "u", 1) != 1) {
            fprintf(stderr, "child: %s\n", error.text);
            _exit(1);
        }
    }
}

struct committed {
    int64_t num_swaps, num_updates;
};

static void run_and_kill(int64_t a, int64_t b, int64_t draft, unsigned run_us, struct committed *told)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        run_steps(fds[1], a, b, draft);
    }
    close(fds[1]);
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), 1); /* it runs */
    told->num_swaps++;
    nanosleep(&(struct timespec){.tv_nsec = (long)run_us * 1000}, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(fds[0], &byte, 1) == 1) {
        told->num_swaps += byte == 's';
        told->num_updates += byte == 'u';
    }
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* What was said is there; at most the one step that had no time to say so is there too. */
static void expect_whole(int64_t a, int64_t b, const struct committed *told, int num_kills)
{
    struct default_issuer now = fixture_default();
    int64_t num_swaps = now.epoch - 2; /* the first two were before */
    int64_t num_updates = fixture_count("SELECT count(*) FROM audit WHERE operation = 'update'");
    assert_true(num_swaps >= told->num_swaps && num_swaps <= told->num_swaps + num_kills);
    assert_true(num_updates >= told->num_updates && num_updates <= told->num_updates + num_kills);
    assert_true(now.id == a || now.id == b);
    assert_int_equal(now.previous_id, now.id == a ? b : a);
    assert_int_equal(fixture_count("SELECT count(*) FROM default_issuer"), 1);
    /* of the two exactly the default is enabled, since the quota is one */
    assert_int_equal(fixture_count("SELECT count(*) FROM intermediate, default_issuer d WHERE type <> 'ZSCALER' AND"
                                   " (status = 'ENABLED') <> (intermediate.id = d.id)"),
                     0);
    assert_int_equal(fixture_count("SELECT count(*) FROM audit WHERE operation = 'makeDefault'"), num_swaps + 1);
    assert_int_equal(fixture_count("SELECT count(*) FROM audit WHERE operation = 'setStatus'"), num_swaps);
    assert_int_equal(fixture_count("SELECT json_extract(detail, '$.epoch') FROM audit"
                                   " WHERE operation = 'makeDefault' ORDER BY id DESC LIMIT 1"),
                     now.epoch);
}

static void test_a_killed_process_leaves_whole_steps(void **state)
{
    (void)state;
    struct committed told = {0, 0};
    struct default_issuer now;
    int64_t a = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    int64_t b = fixture_ready("b", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED), last_epoch = 0;
    assert_int_equal(lifecycle_commit_default(&call, a, &now, NULL, &error), MG_OK);
    lifecycle.subscription = CONFIG_SUBSCRIPTION_HSM; /* a third record, for a moment */
    int64_t draft = fixture_create("draft", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    lifecycle.subscription = CONFIG_SUBSCRIPTION_SOFTWARE;
    srand(1);
    for (int i = 0; i < NUM_KILLS; i++) {
        store_close(lifecycle.store);
        lifecycle.store = NULL;
        run_and_kill(a, b, draft, (unsigned)rand() % MAX_RUN_US, &told);
        fixture_reopen(); /* checks the integrity */
        expect_whole(a, b, &told, i + 1);
        now = fixture_default();
        assert_true(now.epoch > last_epoch);
        last_epoch = now.epoch;
    }
    assert_true(told.num_updates > 0);
}

static void test_a_database_half_made_is_finished_at_the_next_start(void **state)
{
    (void)state;
    srand(2);
    for (int i = 0; i < NUM_KILLS; i++) {
        store_close(lifecycle.store);
        lifecycle.store = NULL;
        unlink(temp_path("control.db"));
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            fixture_reopen();
            pause();
        }
        nanosleep(&(struct timespec){.tv_nsec = rand() % 10000000}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        fixture_reopen();
        assert_int_equal(fixture_count("SELECT count(*) FROM audit"), 0);
        assert_int_equal(fixture_count("SELECT count(*) FROM intermediate"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_killed_process_leaves_whole_steps, fixture_open_software, fixture_close),
        cmocka_unit_test_setup_teardown(test_a_database_half_made_is_finished_at_the_next_start, fixture_open,
                                        fixture_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
