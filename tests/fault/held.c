/* SPDX-License-Identifier: MIT
 *
 * held.c - row 63: a thread's mutex that is held while its task leaves the CPU is reported, before
 * it does harm; and what is no such mutex is not.
 */
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

#include <base/compiler.h>

#include "hooked.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char told[] = "leaves the CPU while it holds the pthread mutex";

static int idle(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5; i++)
		weft_task_yield();
	return 0;
}

/* A name to be found in the report. */
noinline int locks_here(void)
{
	int rc = pthread_mutex_lock(&mutex);

	__asm__("" ::: "memory"); /* no tail call */
	return rc;
}

static int holds_and_yields(void *times)
{
	for (int i = 0; i < number_of(times); i++) {
		CHECK_EQ(locks_here(), 0);
		weft_task_yield();
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		weft_task_yield();
	}
	return 0;
}

static int holds_and_sleeps(void *unused)
{
	(void)unused;
	CHECK_EQ(locks_here(), 0);
	usleep(100);
	weft_sleep(100000);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

static int holds_twice(void *unused)
{
	(void)unused;
	CHECK_EQ(locks_here(), 0);
	CHECK_EQ(locks_here(), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

/* The second report begins where the first one was. */
static int holds_in_two_places(void *unused)
{
	(void)unused;
	CHECK_EQ(locks_here(), 0);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

/* C11's name for it. */
noinline int locks_by_c11(void)
{
	int rc = mtx_lock((mtx_t *)(void *)&mutex);

	__asm__("" ::: "memory");
	return rc;
}

static int holds_by_c11(void *unused)
{
	(void)unused;
	CHECK_EQ(locks_by_c11(), thrd_success);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

static int gives_back_before(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		weft_task_yield();
	}
	return 0;
}

/* What is played in a child, whose report we read. */
struct play {
	weft_fn *fn;
	intptr_t number;
	unsigned flags;
	const char *check;  /* WEFT_LOCK_CHECK */
	void (*init)(void); /* of the mutex; or NULL */
	int count;          /* of reports */
	const char *why;    /* in it */
	bool by_watchdog;   /* that asks for it in place of WEFT_LOCK_CHECK */
};

static void play_it(void *arg)
{
	const struct play *play = arg;
	weft_attr attr = { .flags = play->flags, .name = "culprit" };
	weft_task *task, *other;

	if (play->check)
		setenv("WEFT_LOCK_CHECK", play->check, 1);
	else
		unsetenv("WEFT_LOCK_CHECK");
	if (play->by_watchdog)
		setenv("WEFT_WATCHDOG_MS", "5000", 1);
	if (play->init)
		play->init();
	CHECK_EQ(weft_spawn(&task, &attr, play->fn, (void *)play->number), 0);
	other = start(idle, 0);
	CHECK_EQ(join(task), 0);
	CHECK_EQ(join(other), 0);
}

static int count_of(const char *text, const char *needle)
{
	int count = 0;

	for (; (text = strstr(text, needle)) != NULL; text += strlen(needle))
		count++;
	return count;
}

static void expect(const struct play *play)
{
	struct death death = run_to_death(play_it, (void *)(uintptr_t)play);
	const char *needles[] = { "\"culprit\"", "locked at locks_here+", "held.c:", play->why };

	if (death.code != 0 || count_of(death.text, told) != play->count)
		test_fail_strings(__FILE__, __LINE__, "reports", "", death.text);
	for (int i = 0; play->count && i < 4; i++)
		if (needles[i] && !strstr(death.text, needles[i]))
			test_fail_strings(__FILE__, __LINE__, "the report lacks", needles[i],
					  death.text);
}

/* --- what is told -------------------------------------------------------------------------- */

TEST(held, row63_in_a_task_without_hooks)
{
	expect(&(struct play){ .fn = holds_and_yields,
			       .number = 1,
			       .flags = WEFT_NO_HOOKS,
			       .check = "1",
			       .count = 1,
			       .why = "hooks for it are off" });
}

TEST(held, row63_once_for_each_place)
{
	expect(&(struct play){ .fn = holds_and_yields,
			       .number = 5,
			       .flags = WEFT_NO_HOOKS,
			       .check = "1",
			       .count = 1,
			       .why = "holds_and_yields+" });
}

TEST(held, row63_each_of_two_places)
{
	expect(&(struct play){ .fn = holds_in_two_places,
			       .flags = WEFT_NO_HOOKS,
			       .check = "1",
			       .count = 2,
			       .why = "locked at holds_in_two_places+" });
}

TEST(held, row63_locked_by_its_name_in_c11)
{
	struct play play = { .fn = holds_by_c11, .flags = WEFT_NO_HOOKS, .check = "1", .count = 1 };
	struct death death = run_to_death(play_it, &play);

	CHECK_EQ(death.code, 0);
	if (!strstr(death.text, "locked at locks_by_c11+"))
		test_fail_strings(__FILE__, __LINE__, "the report lacks", "", death.text);
}

TEST(held, row63_in_a_sleep)
{
	expect(&(struct play){ .fn = holds_and_sleeps,
			       .flags = WEFT_NO_HOOKS,
			       .check = "1",
			       .count = 1,
			       .why = "holds_and_sleeps+" });
}

static void init_shared(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
}

static void init_robust(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
}

static void init_inheriting(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
}

static void init_recursive(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
}

/* Hooks are on, but these are not theirs. */
TEST(held, row63_kinds_that_stay_libcs)
{
	void (*const inits[])(void) = { init_shared, init_robust, init_inheriting };

	for (int i = 0; i < 3; i++)
		expect(&(struct play){ .fn = holds_and_yields,
				       .number = 2,
				       .check = "1",
				       .init = inits[i],
				       .count = 1,
				       .why = "shared by processes, robust" });
}

TEST(held, row63_still_after_one_of_two_unlocks)
{
	expect(&(struct play){ .fn = holds_twice,
			       .flags = WEFT_NO_HOOKS,
			       .check = "1",
			       .init = init_recursive,
			       .count = 1 });
}

TEST(held, row63_with_the_watchdog)
{
	expect(&(struct play){ .fn = holds_and_yields,
			       .number = 1,
			       .flags = WEFT_NO_HOOKS,
			       .by_watchdog = true,
			       .count = 1 });
}

/* --- what is not -------------------------------------------------------------------------------- */

TEST(held, legal_where_the_task_would_wait)
{
	expect(&(struct play){ .fn = holds_and_yields, .number = 3, .check = "1" });
	expect(&(struct play){ .fn = holds_and_sleeps, .check = "1" });
}

TEST(held, given_back_before)
{
	expect(&(struct play){ .fn = gives_back_before, .flags = WEFT_NO_HOOKS, .check = "1" });
}

TEST(held, switched_off)
{
	expect(&(struct play){
		.fn = holds_and_yields, .number = 1, .flags = WEFT_NO_HOOKS, .check = "0" });
}

/* A task has ended with it: whoever has its block next holds nothing. */
static int ends_with_it(void *unused)
{
	(void)unused;
	return pthread_mutex_lock(&mutex);
}

static int many_after_it(void *unused)
{
	weft_attr attr = { .flags = WEFT_NO_HOOKS };
	weft_task *task;

	(void)unused;
	CHECK_EQ(weft_spawn(&task, &attr, ends_with_it, NULL), 0);
	CHECK_EQ(join(task), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(join(start(idle, 0)), 0);
	return 0;
}

TEST(held, its_holder_has_ended)
{
	expect(&(struct play){ .fn = many_after_it, .check = "1" });
}
