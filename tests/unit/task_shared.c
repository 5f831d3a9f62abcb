/* SPDX-License-Identifier: MIT
 *
 * task_shared.c - tasks that take turns on a few real stacks.
 */
#include <errno.h>
#include <string.h>

#include <base/compiler.h>
#include <weft/debug.h>
#include <weft/task.h>

#include "../test.h"

static weft_stack_group *new_group(unsigned count)
{
	weft_stack_group *group;

	CHECK_EQ(weft_stack_group_new(&group, count, 64 << 10), 0);
	return group;
}

/* Fills a frame with a pattern of its own, leaves the CPU in all the ways there
 * are, and finds the frame as it was. */
static noinline int frame(int seed, int depth)
{
	volatile unsigned char bytes[200];

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(seed * 31 + depth * 7 + (int)i);
	if (depth > 0)
		CHECK_EQ(frame(seed, depth - 1), seed);
	else
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(weft_task_yield(), 0);
			CHECK_EQ(weft_sleep(seed % 7 * 50000), 0);
		}
	for (unsigned i = 0; i < sizeof bytes; i++)
		CHECK_EQ(bytes[i], (unsigned char)(seed * 31 + depth * 7 + (int)i));
	return seed;
}

static int body(void *arg)
{
	int seed = (int)(intptr_t)arg;

	return frame(seed, seed % 9);
}

static void run_many(unsigned stacks, int count)
{
	static weft_task *tasks[20000];
	weft_stack_group *group = new_group(stacks);
	weft_attr attr = { .shared = group };

	for (int i = 0; i < count; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, body, (void *)(intptr_t)i), 0);
	CHECK_EQ(weft_stack_group_free(group), -EBUSY);
	for (int i = 0; i < count; i++) {
		int ret;

		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, i);
	}
	CHECK_EQ(weft_stack_group_free(group), 0);
}

TEST(shared, many_tasks_on_one_stack)
{
	run_many(1, 5000);
}

TEST(shared, many_tasks_on_seven_stacks)
{
	run_many(7, WEFT_TSAN ? 4000 : 20000); /* TSan cannot follow so many */
}

TEST(shared, one_task_alone)
{
	run_many(1, 1);
}

static int join_shared(void *arg)
{
	int ret = -1;

	CHECK_EQ(weft_join(arg, weft_in_us(100), &ret), -ETIMEDOUT);
	CHECK_EQ(weft_cancel(arg), 0);
	CHECK_EQ(weft_join(arg, weft_in_s(20), &ret), 0);
	return ret;
}

static int five_when_cancelled(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	return 5;
}

static int sleep_and_return_five(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep(3000000), 0);
	return 5;
}

/* A wait with a deadline needs a timer that is not in the control block. */
TEST(shared, joins_with_deadlines)
{
	weft_stack_group *group = new_group(1);
	weft_attr attr = { .shared = group };
	weft_task *target, *joiner;
	int ret;

	CHECK_EQ(weft_spawn(&target, &attr, five_when_cancelled, NULL), 0);
	CHECK_EQ(weft_spawn(&joiner, &attr, join_shared, target), 0);
	CHECK_EQ(weft_join(joiner, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 5);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

static int spawn_more(void *arg)
{
	weft_attr attr = { .shared = arg };
	weft_task *child;
	int ret;

	CHECK_EQ(weft_spawn(&child, &attr, sleep_and_return_five, NULL), 0);
	CHECK_EQ(weft_join(child, WEFT_FOREVER, &ret), 0);
	return ret + 1;
}

TEST(shared, a_task_spawns_on_its_own_stack)
{
	weft_stack_group *group = new_group(1);
	weft_attr attr = { .shared = group };
	weft_task *task;
	int ret;

	CHECK_EQ(weft_spawn(&task, &attr, spawn_more, group), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 6);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

static int sleep_until_cancelled(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

TEST(shared, cancel_and_names)
{
	weft_stack_group *group = new_group(2);
	weft_attr attr = { .shared = group, .name = "sharer", .flags = WEFT_KEEP_FP };
	weft_task *task;
	int ret;

	CHECK_EQ(weft_spawn(&task, &attr, sleep_until_cancelled, NULL), 0);
	CHECK_STR(weft_task_name(task), "sharer");
	weft_task_yield();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_stack_used(task), -ENOTSUP);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	CHECK_EQ(weft_stack_group_free(group), 0);
}
