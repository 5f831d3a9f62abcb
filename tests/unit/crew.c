/* SPDX-License-Identifier: MIT
 *
 * crew.c - a runtime of several workers: who runs what where, and that nothing is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/thread.h>
#include <core/runtime.h>
#include <test.h>
#include <weft/weft.h>

static _Atomic int count;

/* Functions of their own, so that no address of a thread-local is kept over a move. */
static noinline void set_errno(int value)
{
	__asm__ volatile("" ::: "memory");
	errno = value;
}

static noinline int *errno_location(void)
{
	__asm__ volatile("" ::: "memory");
	return &errno;
}

/* The worker that the caller runs on just now. */
static noinline unsigned here(void)
{
	return weft__thread_now()->worker->index;
}

static int add_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
	return 7;
}

/* Busy for a while, without a call of weft's. */
static void burn(int64_t ns)
{
	int64_t end_ns = weft_now() + ns;

	while (weft_now() < end_ns)
		;
}

/* --- beginning and end ------------------------------------------------------- */

static int return_five(void *arg)
{
	CHECK(arg == &count);
	CHECK_EQ(weft__thread.worker->runtime->count, 3);
	return 5;
}

TEST(crew, main_returns)
{
	int ret = 0;

	CHECK_EQ(weft_run(3, return_five, &count, &ret), 0);
	CHECK_EQ(ret, 5);
	CHECK(weft_self() == NULL);
	CHECK_EQ(weft_run(3, return_five, &count, &ret), 0);
}

static int spawn_and_leave(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(weft_go(add_one, NULL), 0);
	return 0;
}

TEST(crew, run_waits_for_all)
{
	for (int i = 0; i < 50; i++) {
		count = 0;
		CHECK_EQ(weft_run(2 + (unsigned)i % 3, spawn_and_leave, NULL, NULL), 0);
		CHECK_EQ(count, 1000);
	}
}

static int sleep_forever(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	return add_one(NULL);
}

static int spawn_daemons(void *arg)
{
	weft_attr attr = { .flags = WEFT_DAEMON };

	(void)arg;
	for (int i = 0; i < 100; i++) {
		attr.flags = i % 2 ? WEFT_DAEMON | WEFT_SPREAD : WEFT_DAEMON | WEFT_MIGRATE;
		CHECK_EQ(weft_spawn(NULL, &attr, sleep_forever, NULL), 0);
	}
	return 0;
}

TEST(crew, daemons_are_cancelled_at_the_end)
{
	count = 0;
	CHECK_EQ(weft_run(2, spawn_daemons, NULL, NULL), 0);
	CHECK_EQ(count, 100);
}

TEST(crew, workers_out_of_bounds)
{
	CHECK_EQ(weft_run(100000, add_one, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_run(2, NULL, NULL, NULL), -EINVAL);
}

TEST(crew, default_follows_environment)
{
	setenv("WEFT_WORKERS", "3", 1);
	CHECK_EQ(weft__crew_default(), 3);
	setenv("WEFT_WORKERS", "0", 1);
	CHECK(weft__crew_default() >= 1);
	unsetenv("WEFT_WORKERS");
	CHECK(weft__crew_default() >= 1);
	setenv("WEFT_WORKERS", "3", 1);
	CHECK_EQ(weft_run(0, return_five, &count, NULL), 0);
}

/* --- where tasks run ------------------------------------------------------------ */

enum { MANY = 64 };

static _Atomic int on_worker[16];

/* Keeps its worker until another one has begun a task too, however late that is. */
static void wait_for_company(unsigned mine)
{
	int64_t end_ns = weft_now() + INT64_C(10000000000);
	bool alone = true;

	while (alone && weft_now() < end_ns)
		for (unsigned i = 0; i < 16; i++)
			alone &= i == mine || !on_worker[i];
}

static int note_worker(void *arg)
{
	unsigned first = here();

	(void)arg;
	atomic_fetch_add(&on_worker[first], 1);
	wait_for_company(first);
	for (int i = 0; i < 20; i++) {
		weft_task_yield();
		CHECK_EQ(here(), first); /* it has run: it stays */
	}
	CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(here(), first);
	return 0;
}

static int spawn_many(void *arg)
{
	weft_task *tasks[MANY];
	const weft_attr *attr = arg;
	weft_stats_data stats;

	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_spawn(&tasks[i], attr, note_worker, NULL), 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_stats(&stats), 0);
	CHECK(attr || stats.steals > 0);
	return 0;
}

TEST(crew, new_tasks_are_stolen_and_then_stay)
{
	int sum = 0, busy = 0;

	CHECK_EQ(weft_run(2, spawn_many, NULL, NULL), 0);
	for (int i = 0; i < 16; i++) {
		sum += on_worker[i];
		busy += on_worker[i] > 0;
	}
	CHECK_EQ(sum, MANY);
	CHECK_EQ(busy, 2);
}

TEST(crew, spread_is_even)
{
	weft_attr attr = { .flags = WEFT_SPREAD };

	CHECK_EQ(weft_run(4, spawn_many, &attr, NULL), 0);
	for (int i = 1; i <= 4; i++)
		CHECK_EQ(on_worker[i], MANY / 4);
}

/* --- movable tasks ----------------------------------------------------------------- */

static _Atomic bool moved, done;
static _Atomic unsigned hog_worker;

static int hog(void *arg)
{
	(void)arg;
	hog_worker = here();
	while (!done)
		;
	return 0;
}

/* Waits in all ways until it has been on two workers. */
static int wander(void *arg)
{
	unsigned first = here();

	for (int i = 0; !moved; i++) {
		set_errno(1000 + i);
		if (i % 3 == 0)
			weft_task_yield();
		else if (i % 3 == 1)
			CHECK_EQ(weft_sleep(50000), 0);
		else
			burn(10000);
		CHECK_EQ(*errno_location(), 1000 + i);
		if (here() != first)
			moved = true;
	}
	(void)arg;
	done = true;
	return 0;
}

static int spawn_movable(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_task *tasks[8];

	(void)arg;
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, wander, NULL), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(crew, movable_tasks_move)
{
	CHECK_EQ(weft_run(2, spawn_movable, NULL, NULL), 0);
	CHECK(moved);
}

/* What comes after the hog has begun: */
static int run_beside_hog(void *arg)
{
	int fds[2];
	char byte;

	(void)arg;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	while (!hog_worker)
		CHECK_EQ(weft_sleep(100000), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_sleep(300000), 0);
		CHECK_EQ(weft_write(fds[0], "x", 1, WEFT_FOREVER), 1);
		CHECK_EQ(weft_read(fds[1], &byte, 1, WEFT_FOREVER), 1);
		CHECK_EQ(weft_wait_fd(fds[1], 1, weft_in_ns(200000)), -ETIMEDOUT);
	}
	done = true;
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static int hog_and_others(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_task *task;

	(void)arg;
	/* Its timer and its descriptors are with the worker that the hog takes. */
	CHECK_EQ(weft_spawn(&task, &attr, run_beside_hog, NULL), 0);
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_go(hog, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(crew, timers_and_descriptors_of_a_stuck_worker_go_on)
{
	CHECK_EQ(weft_run(2, hog_and_others, NULL, NULL), 0);
}

/* The trap that WEFT_MIGRATE asks its user to avoid, and others need not know: the compiler
 * takes errno's address once. A sticky task finds its own errno there whatever it
 * waits for; a movable one, once it has moved, another thread's. */
static int keep_address(void *arg)
{
	int *kept = &errno;
	bool movable = arg != NULL;

	for (int i = 0; i < 100 || (movable && kept == errno_location()); i++) {
		*errno_location() = i;
		CHECK_EQ(weft_sleep(i % 4 * 10000), 0);
		burn(20000);
		CHECK_EQ(*errno_location(), i); /* it went along */
		if (!movable)
			CHECK(kept == errno_location());
	}
	return 0;
}

static int spawn_keepers(void *arg)
{
	weft_attr attr = { .flags = arg ? WEFT_MIGRATE : 0 };
	weft_task *tasks[8];

	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, keep_address, arg), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(crew, errno_trap_not_for_sticky_tasks)
{
	CHECK_EQ(weft_run(2, spawn_keepers, NULL, NULL), 0);
}

TEST(crew, errno_trap_of_movable_tasks)
{
	CHECK_EQ(weft_run(2, spawn_keepers, &count, NULL), 0);
}

/* --- spares ------------------------------------------------------------------------- */

static int block(void *arg)
{
	CHECK_EQ(weft_blocking_begin(), 0);
	CHECK_EQ(weft_blocking_begin(), 0);
	while (!done)
		usleep(1000);
	CHECK_EQ(weft_blocking_end(), 0);
	CHECK_EQ(weft_blocking_end(), 0);
	CHECK_EQ(weft_blocking_end(), -EPERM);
	CHECK_EQ(weft_sleep(1000000), 0);
	return arg != NULL;
}

static int finish_beside(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		CHECK_EQ(weft_sleep(100000), 0);
	done = true;
	return 0;
}

/* All the threads that were asked for block, main's among them. */
static int block_all(void *arg)
{
	weft_attr spread = { .flags = WEFT_SPREAD }, movable = { .flags = WEFT_MIGRATE };

	(void)arg;
	CHECK_EQ(weft_spawn(NULL, &movable, finish_beside, NULL), 0);
	CHECK_EQ(weft_spawn(NULL, &spread, block, NULL), 0);
	CHECK_EQ(weft_spawn(NULL, &spread, block, NULL), 0);
	return 0;
}

TEST(crew, blocked_workers_are_covered_by_spares)
{
	for (int i = 0; i < 20; i++) {
		done = false;
		CHECK_EQ(weft_run(2, block_all, NULL, NULL), 0);
	}
	CHECK_EQ(weft_blocking_begin(), -EPERM);
	CHECK_EQ(weft_blocking_end(), -EPERM);
}

static int pin_and_check(void *arg)
{
	unsigned mine;

	(void)arg;
	weft_task_yield();
	CHECK_EQ(weft_task_pin(), 0);
	CHECK_EQ(weft_task_pin(), 0);
	mine = here();
	for (int i = 0; i < 200; i++) {
		if (i % 2)
			CHECK_EQ(weft_sleep(20000), 0);
		else
			weft_task_yield();
		CHECK_EQ(here(), mine);
	}
	return 0;
}

static int spawn_pinned(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_task *tasks[8];

	(void)arg;
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, pin_and_check, NULL), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(crew, pinned_tasks_stay)
{
	CHECK_EQ(weft_run(2, spawn_pinned, NULL, NULL), 0);
}

/* --- what is counted --------------------------------------------------------------------- */

static int count_all(void *arg)
{
	weft_stats_data all, one, sum = { 0 };
	weft_attr attr = { .flags = WEFT_SPREAD };
	weft_task *tasks[MANY];

	(void)arg;
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_spawn(&tasks[i], i % 2 ? &attr : NULL, note_worker, NULL), 0);
	CHECK_EQ(weft_stats(&all), 0);
	CHECK_EQ(all.workers, 3);
	CHECK_EQ(all.spawned, MANY);
	CHECK(all.queued > 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_stats(&all), 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(weft_stats_worker(i, &one), 0);
		CHECK_EQ(one.workers, 1);
		CHECK(one.switches > 0);
		sum.switches += one.switches;
		sum.spawned += one.spawned;
		sum.steals += one.steals;
		sum.stolen += one.stolen;
		sum.parks += one.parks;
	}
	CHECK_EQ(weft_stats_worker(3, &one), -ENOENT);
	CHECK_EQ(all.alive, 1);
	CHECK_EQ(sum.spawned, MANY);
	CHECK(all.switches <= sum.switches && all.switches > MANY); /* a lone yield is none */
	CHECK(sum.parks >= MANY);                                   /* each has slept once */
	CHECK(all.stolen >= all.steals && all.steals <= sum.steals);
	return 0;
}

TEST(crew, stats_of_all_and_of_one)
{
	weft_stats_data one;

	CHECK_EQ(weft_stats_worker(0, &one), -EPERM);
	CHECK_EQ(weft_run(3, count_all, NULL, NULL), 0);
}

/* --- a tree of tasks ------------------------------------------------------------------ */

static int tree(void *arg)
{
	intptr_t depth = (intptr_t)arg;
	weft_task *left, *right;
	int a, b;

	if (depth == 0)
		return 1;
	CHECK_EQ(weft_spawn(&left, NULL, tree, (void *)(depth - 1)), 0);
	CHECK_EQ(weft_spawn(&right, NULL, tree, (void *)(depth - 1)), 0);
	CHECK_EQ(weft_join(left, WEFT_FOREVER, &a), 0);
	CHECK_EQ(weft_join(right, WEFT_FOREVER, &b), 0);
	return a + b;
}

TEST(crew, tree_of_tasks)
{
	intptr_t depth = getenv("WEFT_TEST_SLOW") ? 11 : 14;
	int leaves = 0;

	for (unsigned workers = 2; workers < 6; workers++) {
		CHECK_EQ(weft_run(workers, tree, (void *)depth, &leaves), 0);
		CHECK_EQ(leaves, 1 << depth);
	}
}
