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
