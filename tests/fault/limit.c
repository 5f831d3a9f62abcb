/* SPDX-License-Identifier: MIT
 *
 * limit.c - ten million tasks against a limit of the address space: an error at
 * the limit, no crash, and everything that was spawned runs. Row 22 of the fault
 * table. A sanitizer needs more than any limit, and emulators know none.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include <weft/weft.h>

#include "../test.h"

static long ran;

static int count_run(void *arg)
{
	(void)arg;
	ran++;
	return 0;
}

static void spawn_and_join(void)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, count_run, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
}

static void limit_address_space(size_t more)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	struct rlimit limit;

	CHECK(file && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * 4096 + more;
	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

static void spawn_until_full(const weft_attr *attr)
{
	long spawned = 0;
	int rc;

	while (spawned < 10000000 && (rc = weft_spawn(NULL, attr, count_run, NULL)) == 0)
		spawned++;
	CHECK_EQ(rc, -ENOMEM);
	CHECK_GT(spawned, 100);
	while (ran < spawned)
		CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(ran, spawned);
	/* What ended made room. */
	for (int i = 0; i < 100; i++)
		CHECK_EQ(weft_spawn(NULL, attr, count_run, NULL), 0);
	while (ran < spawned + 100)
		CHECK_EQ(weft_task_yield(), 0);
}

TEST_LIMIT(limit, spawning_into_a_limit_is_an_error_and_no_crash, 60)
{
	spawn_and_join();
	ran = 0;
	limit_address_space(256 << 20);
	spawn_until_full(NULL);
}

TEST_LIMIT(limit, spawning_on_shared_stacks_into_a_limit_too, 60)
{
	weft_attr attr = { 0 };

	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 0), 0);
	spawn_and_join();
	ran = 0;
	limit_address_space(256 << 20);
	spawn_until_full(&attr);
}

TEST(limit, a_small_limit_from_the_start_leaves_room_for_a_few)
{
	limit_address_space(12 << 20); /* not even the first chunk of stacks in one piece */
	for (int i = 0; i < 10; i++)
		spawn_and_join();
}

/* --- those who wait meanwhile ------------------------------------------------------------- */

enum { WAITING = 1000, MOST = 400000 };

static weft_chan *messages;
static long asleep;

static int receive(void *arg)
{
	long value = 0, kept[4] = { 1, 2, 3, (intptr_t)arg };

	__asm__ volatile("" : : "r"(kept) : "memory");
	asleep++;
	CHECK_EQ(weft_chan_recv(messages, &value, WEFT_FOREVER), 0);
	CHECK(kept[0] == 1 && kept[1] == 2 && kept[2] == 3 && kept[3] == (intptr_t)arg);
	ran++;
	return (int)value;
}

static void join_all(weft_task *const *tasks, long count)
{
	for (long i = 0; i < count; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
}

/* Some wait, and more are made until there is no memory, in vain again and again: those who
 * wait get their messages and find their frames, and all that were made run. */
static void fill_up_around_waiters(const weft_attr *attr, size_t more)
{
	static weft_task *tasks[MOST];
	const long value = 42;
	long count = 0;
	int rc;

	CHECK_EQ(weft_chan_new(&messages, sizeof(value), 0), 0);
	for (; count < WAITING; count++)
		CHECK_EQ(weft_spawn(&tasks[count], attr, receive, (void *)count), 0);
	while (asleep < WAITING)
		weft_task_yield();
	limit_address_space(more);
	while ((rc = weft_spawn(&tasks[count], attr, count_run, NULL)) == 0 && count < MOST - 1)
		count++;
	for (int i = 0; i < 10 && rc == -ENOMEM; i++)
		rc = weft_spawn(&tasks[count], attr, count_run, NULL);
	CHECK_EQ(rc, -ENOMEM);
	CHECK_GT(count, WAITING + 100);
	for (long i = 0; i < WAITING; i++)
		CHECK_EQ(weft_chan_send(messages, &value, WEFT_FOREVER), 0);
	join_all(tasks, count);
	CHECK_EQ(ran, count);
	for (long i = 0; i < count; i++)
		CHECK_EQ(weft_spawn(&tasks[i], attr, count_run, NULL), 0);
	join_all(tasks, count);
}

TEST(limit, who_waits_on_a_shared_stack_does_not_feel_it)
{
	weft_attr attr = { 0 };

	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 64 << 10), 0);
	fill_up_around_waiters(&attr, 6 << 20);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
}

TEST(limit, who_waits_on_a_private_stack_does_not_feel_it)
{
	fill_up_around_waiters(NULL, 200 << 20);
}
