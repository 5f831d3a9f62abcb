/* SPDX-License-Identifier: MIT
 *
 * valgrind_task.c [bug] - what valgrind.sh runs: tasks and coroutines on private and
 * shared stacks that do nothing wrong, or one that reads what it has freed.
 */
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

enum { TASKS = 40, ROUNDS = 3, KIB = 1 << 10 };

/* Leaves the CPU at many depths: jumps between stacks go up and down, by little and by
 * much. */
__attribute__((noinline)) static int dive(int depth)
{
	volatile char bytes[3 * KIB];
	int sum = 0;

	memset((char *)bytes, depth, sizeof(bytes));
	for (int round = 0; round < ROUNDS; round++)
		sum += weft_sleep(100000) + weft_task_yield();
	if (depth > 0)
		sum += dive(depth - 1);
	return sum + bytes[depth] - depth;
}

static void *co_body(void *arg, void *value)
{
	while (value) {
		weft_sleep(1000);
		value = weft_yield(value);
	}
	return arg;
}

static int body(void *arg)
{
	weft_attr attr = { .shared = arg };
	weft_coroutine *co;
	void *out = NULL;

	if (weft_coroutine_new(&co, co_body, &attr, &attr) < 0)
		return 1;
	for (int round = 0; round < ROUNDS; round++)
		if (weft_resume(co, &attr, &out) < 0 || out != &attr || dive(5) != 0)
			return 1;
	return weft_resume(co, NULL, &out) < 0 || weft_coroutine_free(co) < 0;
}

static void (*volatile discard)(void *) = free; /* compilers see through a plain free */

__attribute__((noinline)) static int reads_freed(char *bytes)
{
	discard(bytes);
	return *(volatile char *)bytes;
}

static int buggy_body(void *arg)
{
	(void)arg;
	weft_sleep(1000);
	return reads_freed(calloc(1, 16)) + 1;
}

static int run(weft_stack_group *group)
{
	weft_attr attr = { .shared = group };
	weft_task *tasks[TASKS];
	int failures = 0, ret;

	for (int i = 0; i < TASKS; i++)
		if (weft_spawn(&tasks[i], &attr, body, group) < 0)
			return 1;
	for (int i = 0; i < TASKS; i++)
		failures += weft_join(tasks[i], WEFT_FOREVER, &ret) < 0 || ret != 0;
	return failures;
}

int main(int argc, char **argv)
{
	weft_stack_group *group;
	weft_task *task;

	(void)argv;
	if (argc > 1)
		return weft_spawn(&task, NULL, buggy_body, NULL) < 0 ||
		       weft_join(task, WEFT_FOREVER, NULL) < 0;
	if (weft_stack_group_new(&group, 2, 64 * KIB) < 0)
		return 1;
	return run(NULL) || run(group) || weft_stack_group_free(group) < 0;
}
