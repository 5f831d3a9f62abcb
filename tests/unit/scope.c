/* SPDX-License-Identifier: MIT
 *
 * scope.c - scopes: who may do what, what each call says, and in which order things end.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <weft/weft.h>

#include "../test.h"

static _Atomic int ended, canceled;

/* --- children ----------------------------------------------------------------------------- */

static int return_it(void *arg)
{
	ended++;
	return (int)(intptr_t)arg;
}

/* Until it is cancelled; then it takes its time to end. */
static int linger(void *arg)
{
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	canceled++;
	for (intptr_t i = 0; i < (intptr_t)arg; i++)
		weft_task_yield();
	ended++;
	return 0;
}

static int fail_late(void *arg)
{
	weft_task_yield();
	weft_task_yield();
	ended++;
	return (int)(intptr_t)arg;
}

static int exit_with(void *arg)
{
	ended++;
	weft_exit((int)(intptr_t)arg);
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static weft_scope *open_scope(unsigned flags)
{
	weft_scope *scope = NULL;

	CHECK_EQ(weft_scope_open(&scope, flags), 0);
	CHECK(scope);
	return scope;
}

static void go(weft_scope *scope, weft_fn *fn, intptr_t arg)
{
	CHECK_EQ(weft_scope_go(scope, fn, (void *)arg), 0);
}

static int join(weft_task *task)
{
	int ret = 0;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	return ret;
}

/* fn(arg) as a task of its own. */
static int in_task(weft_fn *fn, void *arg)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, fn, arg), 0);
	return join(task);
}

/* --- opening and closing ------------------------------------------------------------------ */

TEST(scope, opens_and_closes)
{
	weft_scope *scope;

	CHECK(!weft_self());
	scope = open_scope(0);
	CHECK(weft_self()); /* the thread is a runtime now */
	CHECK_EQ(weft_scope_left(scope), 0);
	CHECK_EQ(weft_scope_cancelled(scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
	CHECK_EQ(weft_scope_close(NULL), 0);
}

TEST(scope, knows_its_flags)
{
	weft_scope *scope = (weft_scope *)1;

	CHECK_EQ(weft_scope_open(&scope, 2), -EINVAL);
	CHECK_EQ(scope, (weft_scope *)1);
	scope = open_scope(WEFT_SCOPE_ALL);
	CHECK_EQ(weft_scope_close(scope), 0);
}

static void check_stale(weft_scope *scope)
{
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -ESRCH);
	CHECK_EQ(weft_scope_wait(scope, WEFT_NOWAIT), -ESRCH);
	CHECK_EQ(weft_scope_cancel(scope), -ESRCH);
	CHECK_EQ(weft_scope_deadline(scope, WEFT_FOREVER), -ESRCH);
	CHECK_EQ(weft_scope_left(scope), -ESRCH);
	CHECK_EQ(weft_scope_cancelled(scope), -ESRCH);
}

TEST(scope, a_stale_handle_is_told)
{
	weft_scope *first = open_scope(0), *second;

	CHECK_EQ(weft_scope_close(first), 0);
	check_stale(first);
	CHECK_EQ(weft_scope_close(first), -ESRCH);
	second = open_scope(0); /* in the same memory, most likely */
	CHECK_NE(first, second);
	check_stale(first);
	CHECK_EQ(weft_scope_close(first), -ESRCH);
	CHECK_EQ(weft_scope_close(second), 0);
	check_stale(NULL);
}

TEST(scope, bad_children_are_refused)
{
	weft_attr attr = { .stack_bytes = 1 };
	weft_scope *scope = open_scope(0);

	CHECK_EQ(weft_scope_go(scope, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_scope_spawn(scope, &attr, return_it, NULL), -EINVAL);
	CHECK_EQ(weft_scope_left(scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
}

/* --- waiting ------------------------------------------------------------------------------ */

TEST(wait, for_all_children)
{
	weft_scope *scope = open_scope(0);

	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 100; i++)
			go(scope, i % 2 ? return_it : fail_late, i);
		CHECK_EQ(weft_scope_left(scope), 100);
		CHECK_EQ(weft_scope_wait(scope, WEFT_NOWAIT), -EAGAIN);
		CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
		CHECK_EQ(ended, round * 100);
		CHECK_EQ(weft_scope_left(scope), 0);
	}
	CHECK_EQ(weft_scope_close(scope), 0);
}

TEST(wait, times_out_and_may_be_repeated)
{
	weft_scope *scope = open_scope(0);

	go(scope, linger, 0);
	CHECK_EQ(weft_scope_wait(scope, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_scope_left(scope), 1);
	CHECK_EQ(weft_scope_cancelled(scope), 0);
	go(scope, return_it, 0);
	CHECK_EQ(weft_scope_wait(scope, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_scope_left(scope), 1);
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_scope_close(scope), -ECANCELED);
}

TEST(wait, a_named_child)
{
	weft_attr attr = { .name = "named", .stack_bytes = 64 << 10 };
	weft_scope *scope = open_scope(0);

	CHECK_EQ(weft_scope_spawn(scope, &attr, return_it, NULL), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(ended, 1);
	CHECK_EQ(weft_scope_close(scope), 0);
}

/* --- failure ------------------------------------------------------------------------------ */

static void fails(weft_fn *fn, int value)
{
	weft_scope *scope = open_scope(0);

	for (int i = 0; i < 3; i++)
		go(scope, linger, 5);
	go(scope, fn, value);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), value);
	CHECK_EQ(ended, 4);
	CHECK_EQ(canceled, 3);
	CHECK_EQ(weft_scope_cancelled(scope), 1);
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -ECANCELED);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), value);
	CHECK_EQ(weft_scope_close(scope), value);
}

TEST(failure, cancels_the_others)
{
	fails(return_it, -EIO);
}

TEST(failure, by_weft_exit)
{
	fails(exit_with, -7);
}

static int fail_when_canceled(void *arg)
{
	weft_sleep_until(WEFT_FOREVER);
	return (int)(intptr_t)arg;
}

TEST(failure, the_first_one_counts)
{
	weft_scope *scope = open_scope(0);

	go(scope, fail_when_canceled, -1);
	go(scope, fail_late, -EIO);
	go(scope, fail_late, -EBUSY);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -EIO);
	CHECK_EQ(weft_scope_close(scope), -EIO);
}

TEST(failure, of_a_scope_that_wants_all)
{
	weft_scope *scope = open_scope(WEFT_SCOPE_ALL);

	go(scope, fail_late, -EIO);
	go(scope, return_it, -EBUSY);
	go(scope, return_it, 1);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -EBUSY);
	CHECK_EQ(ended, 3);
	CHECK_EQ(weft_scope_cancelled(scope), 0);
	go(scope, return_it, 0); /* it is as good as it was */
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -EBUSY);
	CHECK_EQ(ended, 4);
	CHECK_EQ(weft_scope_close(scope), -EBUSY);
}

TEST(failure, never_begun_children_run_canceled)
{
	weft_scope *scope = open_scope(0);

	go(scope, return_it, -EIO);
	go(scope, linger, 0);
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(ended, 2);
	CHECK_EQ(canceled, 1);
	CHECK_EQ(weft_scope_close(scope), -ECANCELED);
}

/* --- cancel ------------------------------------------------------------------------------- */

TEST(cancel, that_comes_too_late)
{
	weft_scope *scope = open_scope(0);

	go(scope, return_it, 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_scope_cancelled(scope), 1);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	/* Now it has come in time for something. */
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -ECANCELED);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_scope_close(scope), -ECANCELED);
	CHECK_EQ(ended, 1);
}

static void *cancel_it(void *scope)
{
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -EPERM);
	CHECK_EQ(weft_scope_wait(scope, WEFT_NOWAIT), -EPERM);
	CHECK_EQ(weft_scope_deadline(scope, WEFT_NOWAIT), -EPERM);
	CHECK_EQ(weft_scope_close(scope), -EPERM);
	CHECK_EQ(weft_scope_left(scope), 2);
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_scope_cancelled(scope), 1);
	return NULL;
}

TEST(cancel, from_a_plain_thread)
{
	weft_scope *scope = open_scope(0);
	pthread_t thread;

	go(scope, linger, 0);
	go(scope, linger, 3);
	CHECK_EQ(pthread_create(&thread, NULL, cancel_it, scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(ended, 2);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(weft_scope_close(scope), -ECANCELED);
}

static int own_a_scope(void *arg)
{
	weft_scope *scope = open_scope(0);
	int rc;

	go(scope, linger, 10);
	go(scope, linger, 20);
	if (arg)
		CHECK_EQ(weft_sleep_until(WEFT_FOREVER),
			 -ECANCELED); /* cancelled before the wait */
	rc = weft_scope_wait(scope, WEFT_FOREVER);
	CHECK_EQ(ended, 2);
	CHECK_EQ(canceled, 2);
	CHECK_EQ(weft_cancelled(), 1);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), rc);
	CHECK_EQ(weft_scope_close(scope), rc);
	return rc;
}

static void cancel_owner(void *when)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, own_a_scope, when), 0);
	weft_sleep(1000000);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(join(task), -ECANCELED);
}

TEST(cancel, of_the_owner_while_it_waits)
{
	cancel_owner(NULL);
}

TEST(cancel, of_the_owner_before_it_waits)
{
	cancel_owner((void *)1);
}

static int fail_first(void *arg)
{
	weft_scope *scope = open_scope(0);
	int rc;

	(void)arg;
	go(scope, return_it, -EIO);
	go(scope, linger, 100);
	rc = weft_scope_wait(scope, WEFT_FOREVER);
	CHECK_EQ(weft_scope_left(scope), 0);
	CHECK_EQ(weft_scope_close(scope), rc);
	return rc;
}

/* A child has failed, the other is on its way: the cancel that comes now changes nothing. */
TEST(cancel, of_the_owner_after_a_failure)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, fail_first, NULL), 0);
	while (!canceled)
		weft_task_yield();
	CHECK_EQ(ended, 1);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(join(task), -EIO);
	CHECK_EQ(ended, 2);
}

static int cancel_own_scope(void *scope)
{
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_cancelled(), 1);
	return 0;
}

TEST(cancel, by_a_child)
{
	weft_scope *scope = open_scope(0);

	go(scope, linger, 1);
	CHECK_EQ(weft_scope_go(scope, cancel_own_scope, scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(ended, 1);
	CHECK_EQ(weft_scope_close(scope), -ECANCELED);
}

/* --- who may spawn -------------------------------------------------------------------------- */

static int strange(void *scope)
{
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -EPERM);
	CHECK_EQ(weft_scope_wait(scope, WEFT_NOWAIT), -EPERM);
	CHECK_EQ(weft_scope_deadline(scope, WEFT_FOREVER), -EPERM);
	CHECK_EQ(weft_scope_close(scope), -EPERM);
	return 0;
}

TEST(spawn, not_by_a_stranger)
{
	weft_scope *scope = open_scope(0);

	in_task(strange, scope);
	CHECK_EQ(weft_scope_left(scope), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
}

static int multiply(void *scope)
{
	if (++ended < 1000)
		for (int i = 0; i < 2; i++)
			CHECK_EQ(weft_scope_go(scope, multiply, scope), 0);
	return 0;
}

TEST(spawn, by_children)
{
	weft_scope *scope = open_scope(0);

	CHECK_EQ(weft_scope_go(scope, multiply, scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_GE(ended, 1000);
	CHECK_EQ(weft_scope_close(scope), 0);
}

static weft_scope *outer;

static int spawn_into_outer(void *inner)
{
	CHECK_EQ(weft_scope_go(outer, return_it, NULL), 0);
	CHECK_EQ(weft_scope_wait(outer, WEFT_NOWAIT), -EPERM);
	CHECK_EQ(weft_scope_close(outer), -EPERM);
	if (inner)
		CHECK_EQ(weft_scope_go(inner, return_it, NULL), 0);
	return 0;
}

static int have_a_scope(void *arg)
{
	weft_scope *scope = open_scope(0);

	(void)arg;
	CHECK_EQ(weft_scope_go(scope, spawn_into_outer, scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
	return 0;
}

static int may_not(void *inner)
{
	CHECK_EQ(weft_scope_go(inner, return_it, NULL), -EPERM);
	return 0;
}

/* By whoever lives inside; a child of the outer scope does not live in the inner one. */
TEST(spawn, by_all_that_lives_inside)
{
	weft_scope *inner;

	outer = open_scope(0);
	CHECK_EQ(weft_scope_go(outer, have_a_scope, NULL), 0);
	inner = open_scope(0);
	CHECK_EQ(weft_scope_go(inner, spawn_into_outer, inner), 0);
	CHECK_EQ(weft_scope_go(outer, may_not, inner), 0);
	CHECK_EQ(weft_scope_wait(inner, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_wait(outer, WEFT_FOREVER), 0);
	CHECK_EQ(ended, 4);
	CHECK_EQ(weft_scope_close(inner), 0);
	CHECK_EQ(weft_scope_close(outer), 0);
}

/* A child's handle is nobody's: it can be asked for its name, and not joined or detached. */
static int be_a_child(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_detach(weft_self()), -EBUSY);
	CHECK_EQ(weft_join(weft_self(), WEFT_FOREVER, NULL), -EDEADLK);
	CHECK_STR(weft_task_name(weft_self()), "");
	return 0;
}

static int join_it(void *task)
{
	return weft_join(task, WEFT_FOREVER, NULL);
}

static int offer_handle(void *arg)
{
	(void)arg;
	CHECK_EQ(in_task(join_it, weft_self()), -EBUSY);
	return 0;
}

TEST(spawn, nobody_else_joins_a_child)
{
	weft_scope *scope = open_scope(0);

	go(scope, be_a_child, 0);
	go(scope, offer_handle, 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
}

/* --- deadlines ----------------------------------------------------------------------------- */

TEST(deadline, comes_while_the_owner_does_something_else)
{
	weft_scope *scope = open_scope(0);

	go(scope, linger, 2);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(2)), 0);
	while (ended == 0)
		weft_sleep(500000);
	CHECK_EQ(canceled, 1);
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -ECANCELED);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_scope_left(scope), 0);
	CHECK_EQ(weft_scope_close(scope), -ETIMEDOUT);
}

TEST(deadline, comes_while_the_owner_waits)
{
	weft_scope *scope = open_scope(WEFT_SCOPE_ALL);

	go(scope, linger, 20);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(2)), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(ended, 1);
	CHECK_EQ(weft_scope_close(scope), -ETIMEDOUT);
}

TEST(deadline, that_has_passed)
{
	weft_scope *scope = open_scope(0);

	go(scope, linger, 0);
	CHECK_EQ(weft_scope_deadline(scope, -1), -EINVAL);
	CHECK_EQ(weft_scope_cancelled(scope), 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_now()), 0);
	CHECK_EQ(weft_scope_cancelled(scope), 1);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_scope_close(scope), -ETIMEDOUT);
}

TEST(deadline, is_replaced_and_taken_back)
{
	weft_scope *scope = open_scope(0);

	go(scope, linger, 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(1)), 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_s(3600)), 0);
	CHECK_EQ(weft_scope_wait(scope, weft_in_ms(5)), -ETIMEDOUT);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(1)), 0);
	CHECK_EQ(weft_scope_deadline(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_wait(scope, weft_in_ms(5)), -ETIMEDOUT);
	CHECK_EQ(weft_scope_left(scope), 1);
	CHECK_EQ(weft_scope_cancelled(scope), 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_s(3600)), 0);
	CHECK_EQ(weft_scope_close(scope), 0); /* with the timer armed */
	CHECK_EQ(ended, 1);
}

TEST(deadline, that_finds_nobody)
{
	weft_scope *scope = open_scope(0);

	go(scope, return_it, 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(5)), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	while (!weft_scope_cancelled(scope))
		weft_sleep(500000);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_go(scope, return_it, NULL), -ECANCELED);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_scope_close(scope), -ETIMEDOUT);
}

TEST(deadline, bounds_the_scopes_inside)
{
	weft_scope *around = open_scope(0), *inner = open_scope(0);

	go(inner, linger, 3);
	CHECK_EQ(weft_scope_deadline(around, weft_in_ms(2)), 0);
	CHECK_EQ(weft_scope_wait(inner, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(ended, 1);
	CHECK_EQ(weft_scope_close(inner), -ETIMEDOUT);
	CHECK_EQ(weft_scope_wait(around, WEFT_FOREVER), 0); /* it had no child */
	CHECK_EQ(weft_scope_close(around), 0);
}

static int own_and_wait(void *arg)
{
	weft_scope *scope = open_scope(0);
	int rc;

	(void)arg;
	go(scope, linger, 4);
	rc = weft_scope_wait(scope, WEFT_FOREVER);
	CHECK_EQ(weft_scope_close(scope), rc);
	return rc;
}

TEST(deadline, bounds_the_grandchildren)
{
	weft_scope *scope = open_scope(0);

	for (int i = 0; i < 10; i++)
		go(scope, own_and_wait, 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(3)), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(ended, 10);
	CHECK_EQ(weft_scope_close(scope), -ETIMEDOUT);
}

/* --- nesting ------------------------------------------------------------------------------- */

TEST(nested, a_cancel_goes_inwards)
{
	weft_scope *scopes[5];

	for (int i = 0; i < 5; i++) {
		scopes[i] = open_scope(0);
		go(scopes[i], linger, i);
	}
	weft_task_yield();
	CHECK_EQ(weft_scope_cancel(scopes[2]), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(weft_scope_cancelled(scopes[i]), i >= 2);
	for (int i = 4; i >= 2; i--) {
		CHECK_EQ(weft_scope_wait(scopes[i], WEFT_FOREVER), -ECANCELED);
		CHECK_EQ(weft_scope_close(scopes[i]), -ECANCELED);
	}
	CHECK_EQ(ended, 3);
	CHECK_EQ(weft_scope_close(scopes[1]), 0);
	CHECK_EQ(ended, 4);
	CHECK_EQ(weft_scope_close(scopes[0]), 0);
	CHECK_EQ(ended, 5);
}

TEST(nested, a_failure_goes_inwards)
{
	weft_scope *around = open_scope(0), *inner = open_scope(0);

	go(around, fail_late, -EIO);
	go(inner, linger, 2);
	CHECK_EQ(weft_scope_wait(inner, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_scope_wait(around, WEFT_FOREVER), -EIO);
	CHECK_EQ(weft_scope_close(inner), -ECANCELED);
	CHECK_EQ(weft_scope_close(around), -EIO);
}

TEST(nested, a_failure_does_not_go_outwards)
{
	weft_scope *around = open_scope(0), *inner = open_scope(0);

	go(around, linger, 0);
	go(inner, return_it, -EIO);
	CHECK_EQ(weft_scope_wait(inner, WEFT_FOREVER), -EIO);
	CHECK_EQ(weft_scope_cancelled(around), 0);
	CHECK_EQ(weft_scope_close(inner), -EIO);
	CHECK_EQ(canceled, 0);
	CHECK_EQ(weft_scope_close(around), 0);
	CHECK_EQ(canceled, 1);
}

TEST(nested, the_outer_closes_the_inner)
{
	weft_scope *scopes[4];

	for (int i = 0; i < 4; i++) {
		scopes[i] = open_scope(0);
		go(scopes[i], linger, 3);
	}
	CHECK_EQ(weft_scope_close(scopes[1]), 0);
	CHECK_EQ(ended, 3);
	for (int i = 1; i < 4; i++)
		check_stale(scopes[i]);
	CHECK_EQ(weft_scope_left(scopes[0]), 1);
	scopes[1] = open_scope(0); /* its place is free again */
	CHECK_EQ(weft_scope_cancel(scopes[0]), 0);
	CHECK_EQ(weft_scope_cancelled(scopes[1]), 1);
	CHECK_EQ(weft_scope_close(scopes[0]), -ECANCELED);
	CHECK_EQ(ended, 4);
}

TEST(nested, what_opens_in_a_canceled_scope_is_canceled)
{
	weft_scope *around = open_scope(0), *inner;

	CHECK_EQ(weft_scope_deadline(around, WEFT_NOWAIT), 0);
	inner = open_scope(0);
	CHECK_EQ(weft_scope_cancelled(inner), 1);
	CHECK_EQ(weft_scope_wait(inner, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_go(inner, return_it, NULL), -ECANCELED);
	CHECK_EQ(weft_scope_wait(inner, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_scope_close(around), 0);
	check_stale(inner);
}

/* --- closing by other means ------------------------------------------------------------------ */

static char order[16];

static void note(void *what)
{
	size_t length = strlen(order);

	CHECK_LT(length + 1, sizeof order);
	order[length] = *(const char *)what;
}

static int note_end(void *arg)
{
	weft_cleanup cleanup;

	(void)arg;
	CHECK_EQ(weft_cleanup_push(&cleanup, note, "c"), 0);
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	weft_task_yield();
	weft_exit(0);
}

static int leave_open(void *how)
{
	weft_cleanup before, after;
	weft_scope *scope;

	CHECK_EQ(weft_cleanup_push(&before, note, "b"), 0);
	scope = open_scope(0);
	go(scope, note_end, 0);
	CHECK_EQ(weft_cleanup_push(&after, note, "a"), 0);
	weft_task_yield();
	if (how)
		weft_exit(3);
	CHECK_EQ(weft_cleanup_pop(&before, 0), -EINVAL); /* the scope is over it */
	CHECK_EQ(weft_cleanup_pop(&after, 1), 0);
	CHECK_EQ(weft_cleanup_pop(&before, 0), -EINVAL);
	CHECK_EQ(weft_scope_close(scope), 0);
	CHECK_EQ(weft_cleanup_pop(&before, 1), 0);
	return 3;
}

TEST(close, in_the_order_of_cleanups)
{
	CHECK_EQ(in_task(leave_open, NULL), 3);
	CHECK_STR(order, "acb");
}

TEST(close, at_weft_exit)
{
	CHECK_EQ(in_task(leave_open, (void *)1), 3);
	CHECK_STR(order, "acb");
}

static int close_under_a_cleanup(void *arg)
{
	weft_scope *scope = open_scope(0);
	weft_cleanup after;

	(void)arg;
	go(scope, note_end, 0);
	CHECK_EQ(weft_cleanup_push(&after, note, "a"), 0);
	weft_task_yield();
	CHECK_EQ(weft_scope_close(scope), 0);
	CHECK_EQ(weft_cleanup_pop(&after, 1), 0);
	return 0;
}

TEST(close, under_a_newer_cleanup)
{
	in_task(close_under_a_cleanup, NULL);
	CHECK_STR(order, "ca");
}

static int return_with_three_open(void *arg)
{
	(void)arg;
	for (intptr_t i = 0; i < 3; i++)
		go(open_scope(0), linger, i * 3);
	weft_task_yield();
	return 5;
}

TEST(close, when_the_body_returns)
{
	CHECK_EQ(in_task(return_with_three_open, NULL), 5);
	CHECK_EQ(ended, 3);
}

static int return_canceled(void *arg)
{
	go(open_scope(0), linger, 3);
	CHECK_EQ(weft_cancel(weft_self()), 0);
	return return_with_three_open(arg);
}

TEST(close, when_a_canceled_body_returns)
{
	CHECK_EQ(in_task(return_canceled, NULL), 5);
	CHECK_EQ(ended, 4);
}

TEST(close, when_main_returns)
{
	int ret = 0;

	CHECK_EQ(weft_run(1, return_with_three_open, NULL, &ret), 0);
	CHECK_EQ(ret, 5);
	CHECK_EQ(ended, 3);
	CHECK_EQ(weft_run(2, return_with_three_open, NULL, &ret), 0);
	CHECK_EQ(ret, 5);
	CHECK_EQ(ended, 6);
}

/* --- coroutines ------------------------------------------------------------------------------ */

static void *open_in_coroutine(void *arg, void *value)
{
	weft_scope *scope = open_scope(0);

	go(scope, linger, 3);
	if (arg)
		CHECK_EQ(weft_scope_close(arg), -EPERM); /* the task's */
	weft_yield(scope);
	CHECK_EQ(weft_scope_close(scope), 0);
	return value;
}

TEST(coroutine, closes_what_it_opened)
{
	weft_scope *scope = open_scope(0), *inside;
	weft_coroutine *co;
	void *out;

	CHECK_EQ(weft_coroutine_new(&co, open_in_coroutine, scope, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, &out), 1);
	inside = out;
	CHECK_EQ(weft_scope_left(inside), 1);
	CHECK_EQ(weft_scope_close(inside), -EPERM);
	CHECK_EQ(weft_scope_close(scope), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 0);
	CHECK_EQ(ended, 1);
	check_stale(inside);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

TEST(coroutine, that_is_freed_closes_its_scope)
{
	weft_coroutine *co;
	void *scope;

	CHECK_EQ(weft_coroutine_new(&co, open_in_coroutine, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, &scope), 1);
	weft_task_yield();
	CHECK_EQ(ended, 0);
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(ended, 1);
	check_stale(scope);
}

static weft_coroutine *left_over;

static void *open_with_deadline(void *arg, void *value)
{
	weft_scope *scope = open_scope(0);

	(void)arg;
	(void)value;
	CHECK_EQ(weft_scope_deadline(scope, weft_in_s(3600)), 0);
	return weft_yield(scope);
}

static int leave_coroutine(void *arg)
{
	CHECK_EQ(weft_coroutine_new(&left_over, open_with_deadline, NULL, NULL), 0);
	CHECK_EQ(weft_resume(left_over, NULL, arg), 1);
	return 0;
}

/* The wheel that its deadline was armed in is another's, or nobody's. */
TEST(coroutine, that_outlives_its_runtime)
{
	void *scope = NULL;

	CHECK_EQ(weft_run(1, leave_coroutine, &scope, NULL), 0);
	CHECK_EQ(weft_coroutine_free(left_over), 0);
	check_stale(scope);
	CHECK_EQ(weft_run(1, leave_coroutine, &scope, NULL), 0);
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_coroutine_free(left_over), 0);
	check_stale(scope);
	CHECK_EQ(weft_sleep(1000000), 0);
}

/* --- other stacks, other threads ---------------------------------------------------------------- */

static int own_on_shared_stack(void *arg)
{
	weft_attr attr = { .shared = arg, .name = "child" };
	weft_scope *scope = open_scope(0);
	int rc;

	for (intptr_t i = 0; i < 4; i++)
		CHECK_EQ(weft_scope_spawn(scope, &attr, linger, (void *)i), 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(2)), 0);
	CHECK_EQ(weft_scope_wait(scope, weft_in_us(100)), -ETIMEDOUT);
	CHECK_EQ(weft_scope_left(scope), 4);
	rc = weft_scope_wait(scope, WEFT_FOREVER);
	CHECK_EQ(weft_scope_close(scope), rc);
	return rc;
}

TEST(shared, one_stack_for_all)
{
	weft_attr attr = { 0 };
	weft_task *task;

	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 64 << 10), 0);
	CHECK_EQ(weft_spawn(&task, &attr, own_on_shared_stack, attr.shared), 0);
	CHECK_EQ(join(task), -ETIMEDOUT);
	CHECK_EQ(ended, 4);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
}

static int yield_often(void *arg)
{
	for (int i = 0; i < 50; i++)
		weft_task_yield();
	ended++;
	return (int)(intptr_t)arg;
}

static int own_movable(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };

	(void)arg;
	for (int round = 0; round < 50; round++) {
		weft_scope *scope = open_scope(0);

		for (int i = 0; i < 8; i++)
			CHECK_EQ(weft_scope_spawn(scope, i % 2 ? &attr : NULL, yield_often, NULL),
				 0);
		CHECK_EQ(weft_scope_deadline(scope, weft_in_s(60)), 0);
		CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
		go(scope, linger, 2);
		CHECK_EQ(weft_scope_close(scope), 0);
	}
	return 0;
}

static int many_owners(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_scope *scope = open_scope(0);

	(void)arg;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_scope_spawn(scope, &attr, own_movable, NULL), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
	return 0;
}

TEST(crew, of_movable_owners)
{
	CHECK_EQ(weft_run(2, many_owners, NULL, NULL), 0);
	CHECK_EQ(ended, 4 * 50 * 9);
}

/* Its own worker has no time at all: another one comes for what is due. */
static int own_and_spin(void *arg)
{
	weft_attr attr = { .flags = WEFT_SPREAD };
	weft_scope *scope = open_scope(0);

	(void)arg;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_scope_spawn(scope, &attr, linger, NULL), 0);
	CHECK_EQ(weft_scope_deadline(scope, weft_in_ms(5)), 0);
	while (!canceled)
		;
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_scope_close(scope), -ETIMEDOUT);
	return 0;
}

TEST(crew, deadline_while_the_owner_computes)
{
	CHECK_EQ(weft_run(2, own_and_spin, NULL, NULL), 0);
	CHECK_EQ(ended, 2);
}

static void *own_in_thread(void *arg)
{
	weft_scope *scope = open_scope(0);

	(void)arg;
	go(scope, linger, 3);
	CHECK_EQ(weft_scope_wait(scope, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_scope_close(scope), 0);
	return NULL;
}

TEST(crew, of_plain_threads)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, own_in_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(ended, 4);
	CHECK_EQ(in_task(do_nothing, NULL), 0);
}

/* --- what others see --------------------------------------------------------------------------- */

static int says_holder;

static int dump_it(void *arg)
{
	static char text[1 << 16];
	int fd = memfd_create("dump", MFD_CLOEXEC);
	char *at;

	(void)arg;
	CHECK_GE(fd, 0);
	CHECK_EQ(weft_dump(fd), 0);
	CHECK_GT(pread(fd, text, sizeof text - 1, 0), 0);
	close(fd);
	at = strstr(text, "scope 0x");
	CHECK(at);
	at = strstr(at, " children left");
	CHECK(at);
	CHECK_EQ(strncmp(at - 6, "2 of 3", 6), 0);
	says_holder = !strncmp(at, " children left, held by task ", 29);
	return 0;
}

/* Who holds a scope up is said only where nothing but that task's end can end the wait: whether
 * a circle of waits will stay is decided by it. */
static void check_dump(weft_scope *around, unsigned flags, int64_t deadline_ns, int held)
{
	weft_attr attr = { .name = "lingers" };
	weft_scope *scope = open_scope(flags);

	CHECK_EQ(weft_scope_spawn(scope, &attr, linger, NULL), 0);
	go(scope, return_it, 0);
	go(scope, dump_it, 0);
	if (around)
		CHECK_EQ(weft_scope_deadline(around, deadline_ns), 0);
	else if (deadline_ns != WEFT_FOREVER)
		CHECK_EQ(weft_scope_deadline(scope, deadline_ns), 0);
	says_holder = -1;
	CHECK_EQ(weft_scope_wait(scope, weft_in_ms(20)), -ETIMEDOUT);
	CHECK_EQ(says_holder, held);
	CHECK_EQ(weft_scope_close(scope), 0);
}

TEST(dump, names_what_is_waited_for)
{
	weft_scope *around = open_scope(0);

	check_dump(NULL, 0, WEFT_FOREVER, 0);
	check_dump(NULL, WEFT_SCOPE_ALL, WEFT_FOREVER, 1);
	check_dump(NULL, WEFT_SCOPE_ALL, weft_in_s(3600), 0);
	check_dump(around, WEFT_SCOPE_ALL, weft_in_s(3600), 0);
	CHECK_EQ(weft_scope_close(around), 0);
}
