/* SPDX-License-Identifier: MIT
 *
 * circle.c - row 60 with pthread mutexes: tasks that wait for each other are named.
 */
#include <pthread.h>

#include <weft/debug.h>

#include "hooked.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;

static int one_then_two(void *swapped)
{
	CHECK_EQ(pthread_mutex_lock(swapped ? &second : &mutex), 0);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_lock(swapped ? &mutex : &second), 0);
	return 0;
}

static weft_task *start_named(const char *name, weft_fn *fn, void *arg)
{
	weft_attr attr = { .name = name };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, fn, arg), 0);
	return task;
}

static void embrace(void *unused)
{
	weft_task *one = start_named("romeo", one_then_two, NULL);

	(void)unused;
	start_named("juliet", one_then_two, (void *)1);
	join(one);
}

TEST(circle, row60_of_pthread_mutexes)
{
	static const char *const needles[] = { "a circle of 2", "romeo", "juliet",
					       "waits for pthread mutex 0x", "held by task" };
	struct death death = run_to_death(embrace, NULL);

	CHECK_EQ(death.signal, 0);
	CHECK_EQ(death.code, WEFT_DEADLOCK_STATUS);
	for (size_t i = 0; i < sizeof(needles) / sizeof(*needles); i++)
		if (!strstr(death.text, needles[i]))
			test_fail_strings(__FILE__, __LINE__, "the report lacks", needles[i],
					  death.text);
}
