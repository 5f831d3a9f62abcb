/* SPDX-License-Identifier: MIT
 *
 * crew_yield.c - whom a task of several workers lets go first when it yields: H4 of core/share.c.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <base/thread.h>
#include <core/runtime.h>
#include <test.h>
#include <weft/weft.h>

enum { MANY = 6000, TURNS = 5 };

static _Atomic int begun;
static _Atomic bool enough;

static int begin(void *arg)
{
	(void)arg;
	atomic_fetch_add(&begun, 1);
	return 0;
}

/* The worker that the caller runs on just now. */
static noinline unsigned here(void)
{
	return weft__thread_now()->worker->index;
}

static unsigned worker_of_main;
static _Atomic bool kept_busy;

static int keep_busy(void *arg)
{
	(void)arg;
	if (here() == worker_of_main || atomic_exchange(&kept_busy, true))
		return 0;
	while (!atomic_load(&enough))
		;
	return 0;
}

/* Far more than a ring holds: most of them are in the injector. Half of these are the part of the
 * other worker, which has no time. */
static int spawn_and_yield(void *arg)
{
	weft_attr attr = { .flags = WEFT_SPREAD };

	worker_of_main = here();
	while (!atomic_load(&kept_busy)) {
		CHECK_EQ(weft_spawn(NULL, &attr, keep_busy, arg), 0);
		CHECK_EQ(weft_task_yield(), 0);
	}
	for (int turn = 1; turn <= TURNS; turn++) {
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(weft_spawn(NULL, NULL, begin, NULL), 0);
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_GE(atomic_load(&begun), turn * (MANY / 4));
	}
	atomic_store(&enough, true);
	return 0;
}

TEST(crew_yield, whom_it_has_spawned_go_first)
{
	CHECK_EQ(weft_run(2, spawn_and_yield, NULL, NULL), 0);
}

/* Each begets the next two, up to a bound, or one: the rings are never empty. */
static int beget(void *arg)
{
	int alive = atomic_fetch_add(&begun, 1) < 2000 ? 2 : 1;

	for (int i = 0; i < alive && !atomic_load(&enough); i++)
		CHECK_EQ(weft_spawn(NULL, NULL, beget, arg), 0);
	return 0;
}

static int yield_amid_a_family(void *arg)
{
	CHECK_EQ(weft_spawn(NULL, NULL, beget, arg), 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(weft_task_yield(), 0);
	atomic_store(&enough, true);
	return 0;
}

TEST(crew_yield, comes_back_though_the_rings_are_never_empty)
{
	CHECK_EQ(weft_run(2, yield_amid_a_family, NULL, NULL), 0);
}

/* As above, of tasks that may move: they have a ring of their own, which comes first. */
static int hop(void *arg)
{
	(void)arg;
	while (!atomic_load(&enough))
		weft_task_yield();
	return 0;
}

static int yield_amid_movables(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };

	(void)arg;
	for (int i = 0; i < 100; i++)
		CHECK_EQ(weft_spawn(NULL, &attr, hop, NULL), 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(weft_task_yield(), 0);
	atomic_store(&enough, true);
	return 0;
}

TEST(crew_yield, comes_back_amid_movable_tasks_that_yield)
{
	CHECK_EQ(weft_run(2, yield_amid_movables, NULL, NULL), 0);
}
