/* SPDX-License-Identifier: MIT
 *
 * walk.c - all tasks of the process: each is shown, and nothing else is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <core/coroutine.h>
#include <core/task_each.h>
#include <stack/walk.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#include "../proc.h"
#include "../test.h"

struct seen {
	uint64_t tasks, coroutines, id_sum, forbidden, found;
	const void *wanted;
};

static bool see_task(struct task *task, void *arg)
{
	struct seen *seen = arg;
	struct task_view view;

	if (!weft__task_view(task, &view))
		return true;
	seen->tasks++;
	seen->id_sum += view.copy.task.id;
	seen->found += task == seen->wanted;
	return true;
}

static bool see_coroutine(struct coroutine *co, void *arg)
{
	struct seen *seen = arg;

	seen->coroutines++;
	seen->found += co == seen->wanted;
	return true;
}

static struct seen look(const void *wanted)
{
	struct seen seen = { .wanted = wanted };
	struct task_visitor visitor = { see_task, see_coroutine, &seen };

	CHECK(weft__task_each(&visitor));
	return seen;
}

static int wait_for_cancel(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

TEST(walk, nothing_is_shown_before_the_first_task)
{
	struct seen seen = look(NULL);

	CHECK_EQ(seen.tasks, 0);
	CHECK_EQ(seen.coroutines, 0);
}

enum { SOME = 500 };

static void check_tasks(const weft_attr *attr)
{
	static weft_task *tasks[SOME];
	uint64_t id_sum;

	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_sleep(1), 0); /* this thread is a runtime */
	id_sum = weft_task_id(weft_self());
	for (int i = 0; i < SOME; i++) {
		CHECK_EQ(weft_spawn(&tasks[i], attr, wait_for_cancel, NULL), 0);
		id_sum += weft_task_id(tasks[i]);
	}
	CHECK_EQ(look(NULL).tasks, SOME + 1); /* new ones */
	weft_task_yield();
	CHECK_EQ(look(NULL).tasks, SOME + 1); /* parked ones */
	CHECK_EQ(look(NULL).id_sum, id_sum);
	CHECK_EQ(look(tagged_pointer((uintptr_t)tasks[SOME / 2])).found, 1);
	CHECK_EQ(look(tagged_pointer((uintptr_t)weft_self())).found, 1);

	/* Every second one ends; blocks that were used are not tasks. */
	for (int i = 0; i < SOME; i += 2) {
		CHECK_EQ(weft_cancel(tasks[i]), 0);
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	}
	CHECK_EQ(look(NULL).tasks, SOME / 2 + 1);
	CHECK_EQ(look(NULL).coroutines, 0);
}

TEST(walk, tasks_on_private_stacks)
{
	check_tasks(NULL);
}

TEST(walk, tasks_on_shared_stacks)
{
	weft_attr attr = { 0 };

	CHECK_EQ(weft_stack_group_new(&attr.shared, 3, 0), 0);
	check_tasks(&attr);
}

/* An ended task keeps its block until it is joined. */
static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

TEST(walk, an_ended_task_is_shown_until_it_is_joined)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, end_at_once, NULL), 0);
	weft_task_yield();
	CHECK_EQ(look(NULL).tasks, 2);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(look(NULL).tasks, 1);
}

static void *idle_body(void *arg, void *value)
{
	while (!arg)
		value = weft_yield(value);
	return value;
}

/* Coroutines, the hop of shared ones and the mark of a shared stack are no tasks. */
TEST(walk, coroutines_are_told_apart)
{
	weft_attr attr = { 0 };
	weft_coroutine *private, *shared, *fresh;

	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 0), 0);
	CHECK_EQ(weft_coroutine_new(&private, idle_body, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_new(&fresh, idle_body, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_new(&shared, idle_body, NULL, &attr), 0);
	CHECK_EQ(weft_resume(private, NULL, NULL), 1);
	CHECK_EQ(weft_resume(shared, NULL, NULL), 1);
	CHECK_EQ(look(NULL).tasks, 0);
	CHECK_EQ(look(NULL).coroutines, 3);
	CHECK_EQ(look(coroutine_of(private)).found, 1);
	CHECK_EQ(look(coroutine_of(shared)).found, 1);
	CHECK_EQ(weft_coroutine_free(private), 0);
	CHECK_EQ(weft_coroutine_free(shared), 0);
	CHECK_EQ(look(NULL).coroutines, 1);

	/* The same memory serves a task now. */
	CHECK_EQ(weft_spawn(NULL, NULL, wait_for_cancel, NULL), 0);
	CHECK_EQ(weft_sleep(1), 0);
	CHECK_EQ(look(NULL).tasks, 2);
	CHECK_EQ(look(NULL).coroutines, 1);
}

static bool stop_at_third(struct task *task, void *arg)
{
	(void)task;
	return ++*(int *)arg < 3;
}

TEST(walk, a_visitor_may_have_had_enough)
{
	int count = 0;
	struct task_visitor visitor = { .task = stop_at_third, .arg = &count };

	for (int i = 0; i < 10; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, wait_for_cancel, NULL), 0);
	CHECK(!weft__task_each(&visitor));
	CHECK_EQ(count, 3);
}

static bool count_block(void *block, void *arg)
{
	(void)block;
	++*(int *)arg;
	return true;
}

static int count_slots(void)
{
	int count = 0;

	CHECK(weft__slot_each(count_block, &count));
	return count;
}

/* What was resident once and is cold again is not shown, so that nobody touches it. */
TEST(walk, cold_slots_stay_cold)
{
	enum { MANY = 4000 };
	static weft_task *tasks[MANY];
	long before;

	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, end_at_once, NULL), 0);
	CHECK_GE(count_slots(), MANY);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	CHECK_LT(count_slots(), MANY / 4);
	proc_rss_kb();
	before = proc_rss_kb();
	CHECK_EQ(look(NULL).tasks, 1);
	CHECK_LE(proc_rss_kb(), before + 64);
}

/* --- while others are busy ----------------------------------------------------------- */

static atomic_bool done;
static atomic_int rounds;

static void *churn(void *arg)
{
	weft_attr attr = { 0 };
	weft_task *tasks[64];

	(void)arg;
	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 0), 0);
	while (!done) {
		for (int i = 0; i < 64; i++)
			CHECK_EQ(weft_spawn(&tasks[i], i % 2 ? &attr : NULL, end_at_once, NULL), 0);
		for (int i = 0; i < 64; i++)
			CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
		rounds++;
	}
	return NULL;
}

/* Our own tasks do not change, so each of them is seen exactly once however much the others
 * come and go. */
TEST(walk, beside_threads_that_spawn_and_end_tasks)
{
	enum { OURS = 20 };
	pthread_t threads[2];

	for (int i = 0; i < OURS; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, wait_for_cancel, NULL), 0);
	weft_task_yield();
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, churn, NULL), 0);
	for (int i = 0; i < 300; i++) {
		CHECK_GE(look(NULL).tasks, OURS + 1);
		CHECK_EQ(look(tagged_pointer((uintptr_t)weft_self())).found, 1);
	}
	while (rounds < 4)
		weft_sleep(1000000);
	done = true;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(look(NULL).tasks, OURS + 1);
}
