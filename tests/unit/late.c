/* SPDX-License-Identifier: MIT
 *
 * late.c - parties that come late: the second joiner of a task that has just
 * ended, tickets and wakers that outlive whom they mean, daemons that come
 * when the runtime is about to end.
 */
#include <errno.h>
#include <pthread.h>

#include <base/fault.h>
#include <core/park.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#include "../test.h"

static int return_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int sleep_forever(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

/* --- joiners --------------------------------------------------------------- */

static int join_it(void *task)
{
	int ret = 0;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	return ret;
}

static int try_to_take_it(void *task)
{
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), -EBUSY);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), -EBUSY);
	CHECK_EQ(weft_detach(task), -EBUSY);
	return 0;
}

/* The joiner is woken by the end, and others run before it: the handle is its own. */
TEST(late, between_the_end_and_its_joiner_nobody_takes_the_handle)
{
	weft_task *target, *joiner, *other;
	int ret;

	CHECK_EQ(weft_spawn(&target, NULL, sleep_forever, NULL), 0);
	CHECK_EQ(weft_spawn(&joiner, NULL, join_it, target), 0);
	weft_task_yield();
	CHECK_EQ(weft_cancel(target), 0);
	CHECK_EQ(weft_spawn(&other, NULL, try_to_take_it, target), 0);
	CHECK_EQ(weft_join(other, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(joiner, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	CHECK_EQ(weft_join(target, WEFT_NOWAIT, NULL), -ESRCH);
}

/* --- tickets ---------------------------------------------------------------- */

static uint64_t kept_ticket;

/* Opens and closes as many waits, and keeps the ticket of the last one. */
static int keep_ticket(void *arg)
{
	struct task *self = weft__task_self(NULL);

	for (int i = 0; i < (int)(intptr_t)arg; i++) {
		kept_ticket = weft__park_begin(self);
		weft__park_abort(self);
	}
	return 0;
}

static int find_it_stale(void *arg)
{
	struct task *self = weft__task_self(NULL);

	CHECK_EQ(ticket_task(kept_ticket), self); /* the same memory */
	for (int i = 0; i < (int)(intptr_t)arg; i++) {
		CHECK_NE(weft__park_begin(self), kept_ticket);
		CHECK(!weft__wake(kept_ticket, 1));
		weft__park_abort(self);
	}
	return 0;
}

TEST(late, a_ticket_does_not_wake_the_next_owner_of_the_block)
{
	for (int waits = 1; waits < 900; waits += 7) {
		weft_task *task;

		CHECK_EQ(weft_spawn(&task, NULL, keep_ticket, (void *)(intptr_t)waits), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
		CHECK_EQ(weft_spawn(&task, NULL, find_it_stale, (void *)(intptr_t)900), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	}
}

TEST(late, a_ticket_does_not_wake_the_next_main_task)
{
	for (int waits = 1; waits < 900; waits += 97) {
		CHECK_EQ(weft_run(1, keep_ticket, (void *)(intptr_t)waits, NULL), 0);
		CHECK_EQ(weft_run(1, find_it_stale, (void *)(intptr_t)900, NULL), 0);
	}
}

static int wait_without_memory_for_a_timer(void *arg)
{
	struct task *self = weft__task_self(NULL);
	uint64_t ticket = weft__park_begin(self);

	if (arg)
		CHECK(weft__wake(ticket, 7));
	weft__fault_fail(1);
	CHECK_EQ(weft__park(self, WAIT_OTHER, weft_in_s(10)), arg ? 7 : -ENOMEM);
	CHECK(!weft__wake(ticket, 8));
	return weft__fault_fired();
}

/* A shared stack has no room for the timer. Who was woken before does not need it. */
TEST(late, a_wake_is_not_lost_to_a_lack_of_memory)
{
	weft_attr attr = { .shared = NULL };
	weft_task *task;
	int ret;

	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 64 << 10), 0);
	for (intptr_t woken = 0; woken < 2; woken++) {
		CHECK_EQ(weft_spawn(&task, &attr, wait_without_memory_for_a_timer, (void *)woken),
			 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, 1);
	}
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
}

/* --- ends ---------------------------------------------------------------------- */

static int ran_elsewhere;

static int mark_when_woken(void *arg)
{
	(void)arg;
	weft_sleep_until(WEFT_FOREVER);
	ran_elsewhere++;
	return 0;
}

static void *leave_a_task_behind(void *ret_task)
{
	CHECK_EQ(weft_spawn(ret_task, NULL, mark_when_woken, NULL), 0);
	weft_task_yield();
	return NULL;
}

static pthread_barrier_t barrier;

static void *run_another_runtime(void *arg)
{
	CHECK_EQ(weft_sleep(1000), 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(weft_sleep(100000), 0);
	return arg;
}

/* Its stack and its worker's timers are no other thread's business. */
TEST(late, a_task_left_behind_by_its_thread_never_runs)
{
	weft_task *task;
	pthread_t thread;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, leave_a_task_behind, &task), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, run_another_runtime, NULL), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(weft_cancel(task), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(ran_elsewhere, 0);
}

static const weft_attr daemon_attr = { .flags = WEFT_DAEMON };

static int daemon_with_an_heir(void *arg)
{
	int *left = arg;

	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	if (--*left)
		CHECK_EQ(weft_spawn(NULL, &daemon_attr, daemon_with_an_heir, left), 0);
	return 0;
}

static int spawn_daemon(void *left)
{
	return weft_spawn(NULL, &daemon_attr, daemon_with_an_heir, left);
}

TEST(late, daemons_of_cancelled_daemons_are_cancelled)
{
	int left = 3;

	CHECK_EQ(weft_run(1, spawn_daemon, &left, NULL), 0);
	CHECK_EQ(left, 0);
}

static void *yield_twice(void *arg, void *value)
{
	(void)arg;
	return weft_yield(weft_yield(value));
}

/* Coroutines belong to the thread, with what they need besides their stacks. */
TEST(late, coroutines_outlive_a_runtime)
{
	weft_attr attr = { .flags = WEFT_KEEP_FP };
	weft_coroutine *shared, *keeps_fp;
	void *value;

	CHECK_EQ(weft_coroutine_new(&keeps_fp, yield_twice, NULL, &attr), 0);
	attr.flags = 0;
	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 64 << 10), 0);
	CHECK_EQ(weft_coroutine_new(&shared, yield_twice, NULL, &attr), 0);
	CHECK_EQ(weft_resume(shared, NULL, NULL), 1);
	CHECK_EQ(weft_run(1, return_nothing, NULL, NULL), 0);
	CHECK_EQ(weft_resume(shared, (void *)5, &value), 1);
	CHECK_EQ(value, (void *)5);
	CHECK_EQ(weft_coroutine_free(shared), 0);
	CHECK_EQ(weft_coroutine_free(keeps_fp), 0);
	CHECK_EQ(weft__thread.coroutines_rare, 0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
}
