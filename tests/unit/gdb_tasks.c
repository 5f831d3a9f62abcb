/* SPDX-License-Identifier: MIT
 *
 * gdb_tasks.c - what gdb_tasks.sh looks at: a task in each of the states that a
 * debugger tells apart, each below two frames with locals of known values. The task
 * "runner" calls checkpoint() when all of them are where they should be.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <weft/weft.h>

/* A user's type of the same name as one of weft's: they must not be mixed up. */
struct task {
	char mine[7];
};
struct task not_weft = { "users" };

static weft_task *sleeper, *evicted;
static int ends[2];

/* The address of a local goes here, so that it has a place in memory. */
static long *volatile escaped;

/* <name>_body() calls <name>_outer() calls <name>_inner(), which calls @wait. */
#define NESTED(name, wait)                                                        \
	__attribute__((noinline)) static long name##_inner(long number)           \
	{                                                                         \
		long inner_local = number + 1;                                    \
                                                                                  \
		escaped = &inner_local;                                           \
		__asm__ volatile("# " #name); /* no two are alike */              \
		wait;                                                             \
		return inner_local;                                               \
	}                                                                         \
	__attribute__((noinline)) static long name##_outer(long number)           \
	{                                                                         \
		char bytes[number]; /* its frame is found by the frame pointer */ \
		long outer_local = number * 2;                                    \
                                                                                  \
		escaped = (long *)(void *)bytes;                                  \
		escaped = &outer_local;                                           \
		__asm__ volatile("# " #name);                                     \
		return name##_inner(number) + outer_local;                        \
	}                                                                         \
	static int name##_body(void *number)                                      \
	{                                                                         \
		return (int)name##_outer((long)number) - (int)(long)number;       \
	}

/* The debugger stops here. */
__attribute__((noinline)) void checkpoint(void);
__attribute__((noinline)) void checkpoint(void)
{
	__asm__ volatile("" ::: "memory");
}

static int fresh_body(void *arg)
{
	return arg != NULL;
}

static void *co_body(void *arg, void *value)
{
	weft_sleep(weft_now());
	(void)arg;
	return value;
}

static void run_coroutine(void)
{
	weft_coroutine *co;
	weft_attr attr = { .name = "inside" };

	if (weft_coroutine_new(&co, co_body, NULL, &attr) == 0)
		weft_resume(co, NULL, NULL);
}

static void stop(void)
{
	weft_spawn(NULL, NULL, fresh_body, NULL);
	checkpoint();
}

static void read_forever(void)
{
	char byte;

	weft_read(ends[0], &byte, 1, WEFT_FOREVER);
}

#define FOR_LONG weft_sleep(INT64_C(3600000000000))

NESTED(sleeper, FOR_LONG)
NESTED(reader, read_forever())
NESTED(joiner, weft_join(sleeper, WEFT_FOREVER, NULL))
NESTED(evicted, FOR_LONG)
NESTED(resident, FOR_LONG)
NESTED(resumer, run_coroutine())
NESTED(runner, stop())

/* A thread that has no part in weft. */
static void *bystander(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int dead_body(void *arg)
{
	(void)arg;
	return 42;
}

static weft_task *spawn(const char *name, weft_stack_group *group, weft_fn *fn, long number)
{
	weft_attr attr = { .name = name, .shared = group };
	weft_task *task;

	if (weft_spawn(&task, &attr, fn, (void *)number) < 0)
		_exit(2);
	return task;
}

int main(void)
{
	weft_stack_group *group;
	pthread_t thread;
	int ret;

	if (pthread_create(&thread, NULL, bystander, NULL) != 0)
		return 2;
	if (pipe(ends) < 0 || weft_stack_group_new(&group, 1, 64 << 10) < 0)
		return 2;
	sleeper = spawn("sleeper", NULL, sleeper_body, 100);
	spawn("reader", NULL, reader_body, 200);
	spawn("joiner", NULL, joiner_body, 300);
	evicted = spawn("evicted", group, evicted_body, 400);
	spawn("resident", group, resident_body, 500);
	spawn("resumer", NULL, resumer_body, 600);
	spawn("dead", NULL, dead_body, 0);
	if (weft_join(spawn("runner", NULL, runner_body, 700), WEFT_FOREVER, &ret) < 0 ||
	    ret != 701 + 1400 - 700)
		return 1;
	/* What was looked at goes on as if nothing had happened. */
	if (weft_cancel(evicted) < 0 || weft_join(evicted, WEFT_FOREVER, &ret) < 0 ||
	    ret != 401 + 800 - 400)
		return 1;
	printf("%s: all as it was\n", not_weft.mine);
	return 0;
}
