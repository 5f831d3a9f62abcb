/* SPDX-License-Identifier: MIT
 *
 * task.c - spawn, join, detach, cancel, yield, sleep; handles and their errors.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <core/park.h>
#include <weft/task.h>

#include "../test.h"

static int return_arg(void *arg)
{
	return (int)(intptr_t)arg;
}

static int sleep_forever(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

TEST(task, join_delivers_what_the_body_returned)
{
	weft_task *task;
	int ret = -1;

	CHECK_EQ(weft_spawn(&task, NULL, return_arg, (void *)42), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 42);
}

static int order[3], order_length;

static int append(void *arg)
{
	order[order_length++] = (int)(intptr_t)arg;
	return 0;
}

TEST(task, a_spawned_task_runs_later_and_in_order)
{
	weft_task *tasks[3];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, append, (void *)(intptr_t)i), 0);
	CHECK_EQ(order_length, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(order[i], i);
}

TEST(task, bad_arguments)
{
	weft_task *task = NULL;
	weft_attr unknown = { .flags = 1u << 30 };

	CHECK_EQ(weft_spawn(&task, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_spawn(&task, &unknown, return_arg, NULL), -EINVAL);
	CHECK(task == NULL);
	CHECK_EQ(weft_join(NULL, WEFT_FOREVER, NULL), -ESRCH);
	CHECK_EQ(weft_detach(NULL), -ESRCH);
	CHECK_EQ(weft_cancel(NULL), -ESRCH);
}

TEST(task, join_itself_is_a_deadlock)
{
	weft_task_yield();
	CHECK_EQ(weft_go(return_arg, NULL), 0); /* makes the runtime */
	CHECK_EQ(weft_join(weft_self(), WEFT_FOREVER, NULL), -EDEADLK);
}

TEST(task, second_join_is_stale_also_after_reuse)
{
	weft_task *first, *second;

	CHECK_EQ(weft_spawn(&first, NULL, return_arg, NULL), 0);
	CHECK_EQ(weft_join(first, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(first, WEFT_FOREVER, NULL), -ESRCH);
	CHECK_EQ(weft_spawn(&second, NULL, sleep_forever, NULL), 0);
	CHECK((uintptr_t)ticket_task((uintptr_t)first) ==
	      (uintptr_t)ticket_task((uintptr_t)second)); /* the same memory */
	CHECK_EQ(weft_join(first, WEFT_NOWAIT, NULL), -ESRCH);
	CHECK_EQ(weft_cancel(first), -ESRCH);
	CHECK_EQ(weft_task_id(first), 0);
	CHECK(weft_task_name(first) == NULL);
	CHECK_EQ(weft_cancel(second), 0);
	CHECK_EQ(weft_join(second, WEFT_FOREVER, NULL), 0);
}

TEST(task, join_with_deadlines)
{
	weft_task *task;
	int64_t deadline;
	int ret = 1;

	CHECK_EQ(weft_spawn(&task, NULL, sleep_forever, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, &ret), -EAGAIN);
	deadline = weft_in_ms(5);
	CHECK_EQ(weft_join(task, deadline, &ret), -ETIMEDOUT);
	CHECK_GE(weft_now(), deadline);
	CHECK_EQ(weft_join(task, weft_now() - 5, &ret), -ETIMEDOUT);
	CHECK_EQ(ret, 1);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
}

static int join_arg(void *arg)
{
	return weft_join(arg, WEFT_FOREVER, NULL);
}

TEST(task, one_joiner_at_a_time)
{
	weft_task *target, *joiner;
	int ret;

	CHECK_EQ(weft_spawn(&target, NULL, sleep_forever, NULL), 0);
	CHECK_EQ(weft_spawn(&joiner, NULL, join_arg, target), 0);
	weft_task_yield();
	CHECK_EQ(weft_join(target, WEFT_FOREVER, NULL), -EBUSY);
	CHECK_EQ(weft_detach(target), -EBUSY);
	CHECK_EQ(weft_cancel(joiner), 0);
	CHECK_EQ(weft_join(joiner, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	/* The cancelled join left the handle as it was. */
	CHECK_EQ(weft_cancel(target), 0);
	CHECK_EQ(weft_join(target, WEFT_FOREVER, NULL), 0);
}

TEST(task, detached_tasks_cannot_be_joined)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, return_arg, NULL), 0);
	CHECK_EQ(weft_detach(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), -ESRCH);
	CHECK_EQ(weft_detach(task), -ESRCH);
	weft_task_yield();
	CHECK_EQ(weft_detach(task), -ESRCH);
}

TEST(task, detach_after_death_frees)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, return_arg, NULL), 0);
	weft_task_yield();
	CHECK_EQ(weft_detach(task), 0);
	CHECK_EQ(weft_task_id(task), 0);
}

/* --- cancel ---------------------------------------------------------------- */

static int count_cancels(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_cancelled(), 0);
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_cancelled(), 1);
	CHECK_EQ(weft_sleep(1000000000), -ECANCELED);
	CHECK_EQ(weft_task_yield(), -ECANCELED);
	return 7;
}

TEST(task, cancel_ends_this_wait_and_every_later_one)
{
	weft_task *task;
	int ret;

	CHECK_EQ(weft_spawn(&task, NULL, count_cancels, NULL), 0);
	weft_task_yield();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 7);
}

TEST(task, cancel_before_the_first_run)
{
	weft_task *task;
	int ret;

	CHECK_EQ(weft_spawn(&task, NULL, sleep_forever, NULL), 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
}

TEST(task, cancel_of_the_dead_is_fine)
{
	weft_task *task;
	int ret;

	CHECK_EQ(weft_spawn(&task, NULL, return_arg, (void *)3), 0);
	weft_task_yield();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 3);
}

/* --- what belongs to a task -------------------------------------------------- */

static int keep_errno(void *arg)
{
	for (int i = 0; i < 10; i++) {
		errno = (int)(intptr_t)arg;
		weft_task_yield();
		CHECK_EQ(errno, (intptr_t)arg);
		weft_sleep(1000);
		CHECK_EQ(errno, (intptr_t)arg);
	}
	return 0;
}

TEST(task, errno_is_its_own)
{
	weft_task *a, *b;

	CHECK_EQ(weft_spawn(&a, NULL, keep_errno, (void *)EDOM), 0);
	CHECK_EQ(weft_spawn(&b, NULL, keep_errno, (void *)ERANGE), 0);
	errno = ENOENT;
	CHECK_EQ(weft_join(a, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(b, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(errno, ENOENT);
}

static int name_is_cut(void *arg)
{
	(void)arg;
	CHECK_STR(weft_task_name(weft_self()), "0123456789012345678901234567890");
	return 0;
}

TEST(task, names_and_ids)
{
	weft_attr attr = { .name = "01234567890123456789012345678901234567890" };
	weft_task *a, *b;

	CHECK(weft_self() == NULL);
	CHECK_EQ(weft_spawn(&a, &attr, name_is_cut, NULL), 0);
	CHECK_EQ(weft_spawn(&b, NULL, return_arg, NULL), 0);
	CHECK_STR(weft_task_name(b), "");
	CHECK_NE(weft_task_id(a), weft_task_id(b));
	CHECK_NE(weft_task_id(weft_self()), 0);
	CHECK_EQ(weft_join(a, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(b, WEFT_FOREVER, NULL), 0);
}

static int exit_nine(void *arg)
{
	(void)arg;
	weft_exit(9);
}

TEST(task, exit_ends_a_task_with_a_value)
{
	weft_task *task;
	int ret;

	CHECK_EQ(weft_spawn(&task, NULL, exit_nine, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 9);
}

/* --- yield, sleep ------------------------------------------------------------ */

static int count_yields(void *arg)
{
	int *turns = arg;

	for (int i = 0; i < 1000; i++) {
		++*turns;
		weft_task_yield();
	}
	return 0;
}

TEST(task, yield_takes_turns)
{
	int a = 0, b = 0;
	weft_task *first, *second;

	CHECK_EQ(weft_spawn(&first, NULL, count_yields, &a), 0);
	CHECK_EQ(weft_spawn(&second, NULL, count_yields, &b), 0);
	for (int i = 0; i < 500; i++) {
		weft_task_yield();
		CHECK_EQ(a, i + 1);
		CHECK_EQ(b, i + 1);
	}
	CHECK_EQ(weft_join(first, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(second, WEFT_FOREVER, NULL), 0);
}

TEST(task, sleep_is_never_early)
{
	for (int us = 1; us < 3000; us += 211) {
		int64_t deadline = weft_in_us(us);

		CHECK_EQ(weft_sleep_until(deadline), 0);
		CHECK_GE(weft_now(), deadline);
	}
	CHECK_EQ(weft_sleep(0), 0);
	CHECK_EQ(weft_sleep(-5), 0);
	CHECK_EQ(weft_sleep_until(1), 0);
}

static int64_t first_deadline; /* so far off that all are asleep before */

static int sleep_and_mark(void *arg)
{
	int *order = arg;
	static int next;

	CHECK_EQ(weft_sleep_until(first_deadline + order[0] * INT64_C(1000000)), 0);
	order[0] = next++;
	return 0;
}

TEST(task, sleepers_wake_in_the_order_of_their_deadlines)
{
	int order_of[5] = { 9, 1, 7, 3, 5 };
	weft_task *tasks[5];

	first_deadline = weft_in_ms(50);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, sleep_and_mark, &order_of[i]), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	CHECK_EQ(order_of[0], 4);
	CHECK_EQ(order_of[1], 0);
	CHECK_EQ(order_of[2], 3);
	CHECK_EQ(order_of[3], 1);
	CHECK_EQ(order_of[4], 2);
}

static volatile int stop;

static int spin_in_yields(void *arg)
{
	(void)arg;
	while (!stop)
		weft_task_yield();
	return 0;
}

/* Timers must fire while others keep the run queue busy for ever. */
TEST(task, yielding_tasks_do_not_starve_timers)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, spin_in_yields, NULL), 0);
	CHECK_EQ(weft_sleep(3000000), 0);
	stop = 1;
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
}

TEST(task, deadlines_saturate)
{
	CHECK_EQ(weft_in_ns(INT64_MAX), WEFT_FOREVER);
	CHECK_EQ(weft_in_s(INT64_MAX), WEFT_FOREVER);
	CHECK_EQ(weft_in_ms(INT64_MAX / 1000), WEFT_FOREVER);
	CHECK_LE(weft_in_ns(-5), weft_now());
}

/* --- many ---------------------------------------------------------------------- */

TEST(task, ten_thousand_alive)
{
	enum { N = 10000 };
	static weft_task *tasks[N];
	int64_t sum = 0;

	for (int i = 0; i < N; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, return_arg, (void *)(intptr_t)i), 0);
	for (int i = 0; i < N; i++) {
		int ret;

		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, &ret), 0);
		sum += ret;
	}
	CHECK_EQ(sum, (int64_t)N * (N - 1) / 2);
}

/* --- weft_run -------------------------------------------------------------------- */

static int finished;

static int finish_later(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep(2000000), 0);
	finished++;
	return 0;
}

static int daemon_body(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	finished += 100;
	return 0;
}

static int run_main(void *arg)
{
	weft_attr daemon = { .flags = WEFT_DAEMON };

	CHECK_EQ(weft_run(1, return_arg, NULL, NULL), -EBUSY);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_go(finish_later, NULL), 0);
	CHECK_EQ(weft_spawn(NULL, &daemon, daemon_body, NULL), 0);
	return (int)(intptr_t)arg;
}

TEST(run, waits_for_tasks_and_cancels_daemons)
{
	int ret;

	CHECK_EQ(weft_run(1, NULL, NULL, NULL), -EINVAL);
	for (int round = 1; round <= 3; round++) {
		CHECK_EQ(weft_run(1, run_main, (void *)5, &ret), 0);
		CHECK_EQ(ret, 5);
		CHECK_EQ(finished, round * 103);
		CHECK(weft_self() == NULL);
	}
}

/* --- other threads ----------------------------------------------------------------- */

static uint64_t parked_ticket;

static void *wake_from_outside(void *arg)
{
	(void)arg;
	usleep(2000);
	CHECK(weft__wake(parked_ticket, 77));
	CHECK(!weft__wake(parked_ticket, 78));
	return NULL;
}

TEST(threads, a_foreign_thread_wakes_a_parked_task)
{
	struct task *self = weft__task_self(NULL);
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		parked_ticket = weft__park_begin(self);
		CHECK_EQ(pthread_create(&thread, NULL, wake_from_outside, NULL), 0);
		CHECK_EQ(weft__park(self, WAIT_OTHER, WEFT_FOREVER), 77);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

static void *cancel_from_outside(void *task)
{
	usleep(2000);
	CHECK_EQ(weft_cancel(task), 0);
	return NULL;
}

TEST(threads, a_foreign_thread_cancels)
{
	weft_task *task;
	pthread_t thread;
	int ret;

	CHECK_EQ(weft_spawn(&task, NULL, sleep_forever, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, cancel_from_outside, task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *join_from_outside(void *task)
{
	int ret = 0;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 12);
	return NULL;
}

static int sleep_then_twelve(void *arg)
{
	(void)arg;
	weft_sleep(3000000);
	return 12;
}

TEST(threads, tasks_of_two_runtimes_join_each_other)
{
	weft_task *task, *timer;
	pthread_t thread;

	CHECK_EQ(weft_spawn(&task, NULL, sleep_then_twelve, NULL), 0);
	CHECK_EQ(weft_spawn(&timer, NULL, sleep_then_twelve, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, join_from_outside, task), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(weft_task_id(task), 0);
	CHECK_EQ(weft_join(timer, WEFT_FOREVER, NULL), 0);
}

static void *whole_runtime(void *arg)
{
	for (int i = 0; i < 50; i++) {
		weft_task *task;
		int ret;

		CHECK_EQ(weft_spawn(&task, NULL, sleep_then_twelve, NULL), 0);
		CHECK_EQ(weft_join(task, i % 2 ? WEFT_FOREVER : weft_in_s(20), &ret), 0);
		CHECK_EQ(ret, 12);
	}
	return arg;
}

TEST(threads, every_thread_is_its_own_runtime)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, whole_runtime, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* --- offload ------------------------------------------------------------------------ */

static int blocking_work(void *arg)
{
	CHECK(weft_self() == NULL);
	usleep(3000);
	return (int)(intptr_t)arg + 1;
}

static int offload_once(void *arg)
{
	int ret;

	CHECK_EQ(weft_offload(blocking_work, arg, &ret), 0);
	return ret;
}

TEST(offload, many_at_once_while_others_run)
{
	enum { N = 100 };
	weft_task *tasks[N];

	for (int i = 0; i < N; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, offload_once, (void *)(intptr_t)i), 0);
	for (int i = 0; i < N; i++) {
		int ret;

		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, i + 1);
	}
}

static int offload_cancelled(void *arg)
{
	int ret = 0;

	CHECK_EQ(weft_offload(blocking_work, arg, &ret), -ECANCELED);
	CHECK_EQ(ret, 6);
	return 0;
}

TEST(offload, waits_for_its_end_even_when_cancelled)
{
	weft_task *task;

	CHECK_EQ(weft_offload(NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_spawn(&task, NULL, offload_cancelled, (void *)5), 0);
	weft_task_yield();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
}

/* --- embedding ------------------------------------------------------------------------ */

static int sleep_a_minute(void *arg)
{
	(void)arg;
	return weft_sleep(INT64_C(60000000000));
}

TEST(embed, step_runs_what_is_ready_and_names_the_next_timer)
{
	static int turns;
	weft_task *task;
	int64_t wait_ns;

	CHECK_EQ(weft_runtime_step(), -EPERM);
	CHECK_GE(weft_runtime_fd(), 0);
	CHECK_EQ(weft_runtime_step(), WEFT_FOREVER);
	CHECK_EQ(weft_spawn(&task, NULL, count_yields, &turns), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(weft_runtime_step(), 0);
	CHECK_EQ(turns, 5);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);

	CHECK_EQ(weft_spawn(&task, NULL, sleep_a_minute, NULL), 0);
	CHECK_GE(weft_runtime_step(), 0);
	wait_ns = weft_runtime_step();
	CHECK_GT(wait_ns, 0);
	CHECK_LE(wait_ns, INT64_C(60000000000));
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
}
