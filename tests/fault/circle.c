/* SPDX-License-Identifier: MIT
 *
 * circle.c - row 60 with pthread mutexes: tasks that wait for each other are named.
 */
#include <pthread.h>

#include <weft/debug.h>

#include "hooked.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

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

static void expect(struct death death, const char *const *needles, size_t count)
{
	CHECK_EQ(death.signal, 0);
	CHECK_EQ(death.code, WEFT_DEADLOCK_STATUS);
	for (size_t i = 0; i < count; i++)
		if (!strstr(death.text, needles[i]))
			test_fail_strings(__FILE__, __LINE__, "the report lacks", needles[i],
					  death.text);
}

TEST(circle, row60_of_pthread_mutexes)
{
	static const char *const needles[] = { "a circle of 2", "romeo", "juliet",
					       "waits for pthread mutex 0x", "held by task" };

	expect(run_to_death(embrace, NULL), needles, sizeof(needles) / sizeof(*needles));
}

static int lock_then_write(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	weft_task_yield();
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
	return 0;
}

static int write_then_lock(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	return 0;
}

static void embrace_a_writer(void *unused)
{
	weft_task *one = start_named("romeo", lock_then_write, NULL);

	(void)unused;
	start_named("juliet", write_then_lock, NULL);
	join(one);
}

TEST(circle, row60_of_a_pthread_rwlock)
{
	static const char *const needles[] = { "a circle of 2", "romeo", "juliet",
					       "waits for pthread rwlock to read 0x",
					       "held by task" };

	expect(run_to_death(embrace_a_writer, NULL), needles, sizeof(needles) / sizeof(*needles));
}
