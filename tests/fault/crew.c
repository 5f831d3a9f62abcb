/* SPDX-License-Identifier: MIT
 *
 * crew.c - rows 5 and 19 in a runtime of several workers: whose a coroutine is, and tasks
 * that are alive when their runtime or their thread ends.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <base/thread.h>
#include <core/task.h>
#include <test.h>
#include <weft/weft.h>

/* The worker that the caller runs on just now. */
static noinline unsigned here(void)
{
	return weft__thread_now()->worker_index;
}

static void burn(int64_t ns)
{
	int64_t end_ns = weft_now() + ns;

	while (weft_now() < end_ns)
		;
}

static weft_task *start(unsigned flags, weft_fn *fn, void *arg)
{
	weft_attr attr = { .flags = flags };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, fn, arg), 0);
	return task;
}

static int join(weft_task *task)
{
	int result;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	return result;
}

/* --- 5: a coroutine of another worker -------------------------------------------------- */

static void *yields(void *arg, void *value)
{
	for (;;)
		value = weft_yield(value);
	return arg;
}

static void two_values(void *arg)
{
	weft_yield(arg);
	weft_yield(arg);
}

static struct {
	weft_coroutine *co;
	weft_generator *gen;
	unsigned worker;
	_Atomic bool made, tried;
} theirs;

static int makes(void *arg)
{
	void *out = NULL;

	CHECK_EQ(weft_coroutine_new(&theirs.co, yields, NULL, NULL), 0);
	CHECK_EQ(weft_generator_new(&theirs.gen, two_values, &theirs, NULL), 0);
	CHECK_EQ(weft_resume(theirs.co, arg, &out), 1);
	theirs.worker = here();
	theirs.made = true;
	while (!theirs.tried)
		CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(here(), theirs.worker);
	CHECK_EQ(weft_resume(theirs.co, &out, &out), 1); /* as if nobody had tried */
	CHECK(out == &out);
	CHECK_EQ(weft_generator_next(theirs.gen, &out), 1);
	CHECK(out == &theirs);
	CHECK_EQ(weft_generator_free(theirs.gen), 0);
	CHECK_EQ(weft_coroutine_free(theirs.co), 0);
	return 0;
}

static int tries(void *unused)
{
	void *out = &out;

	(void)unused;
	while (!theirs.made)
		CHECK_EQ(weft_sleep(100000), 0);
	if (here() == theirs.worker)
		return 0;
	CHECK_EQ(weft_resume(theirs.co, NULL, &out), -EPERM);
	CHECK_EQ(weft_generator_next(theirs.gen, &out), -EPERM);
	CHECK_EQ(weft_coroutine_free(theirs.co), -EPERM);
	CHECK_EQ(weft_coroutine_reset(theirs.co, NULL, NULL), -EPERM);
	CHECK_EQ(weft_coroutine_status(theirs.co), WEFT_SUSPENDED);
	CHECK(out == &out);
	return 1;
}

static int resume_across(void *unused)
{
	weft_task *maker = start(WEFT_SPREAD, makes, NULL);
	weft_task *others[2];
	int refused = 0;

	(void)unused;
	for (int i = 0; i < 2; i++) /* one of them is elsewhere */
		others[i] = start(WEFT_SPREAD, tries, NULL);
	for (int i = 0; i < 2; i++)
		refused += join(others[i]);
	theirs.tried = true;
	join(maker);
	return refused;
}

TEST(crew, row5_resume_of_another_workers_coroutine)
{
	int refused = 0;

	CHECK_EQ(weft_run(2, resume_across, NULL, &refused), 0);
	CHECK_EQ(refused, 1);
}

/* --- 5: movable tasks and coroutines --------------------------------------------------- */

static _Atomic unsigned moves;
static _Atomic bool done;

/* Keeps its worker for a while, and then lets it be idle: with one on each, in turn, there
 * is something to steal and somebody to do it. */
static int hog(void *delay_ms)
{
	CHECK_EQ(weft_sleep((intptr_t)delay_ms * INT64_C(1000000)), 0);
	while (!done) {
		burn(1000000);
		CHECK_EQ(weft_sleep(1000000), 0);
	}
	return 0;
}

enum { MOVERS = 8, ROUNDS = 60 };

static int makes_and_stays(void *arg)
{
	weft_coroutine *co = NULL;
	weft_generator *gen = NULL;
	unsigned home, last = here();

	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(weft_sleep(50000), 0);
		moves += here() != last;
		last = here();
	}
	if (arg)
		CHECK_EQ(weft_coroutine_new(&co, yields, NULL, NULL), 0);
	else
		CHECK_EQ(weft_generator_new(&gen, two_values, NULL, NULL), 0);
	home = here();
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(weft_sleep(50000), 0);
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(here(), home);
		if (co)
			CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	}
	CHECK_EQ(weft_coroutine_free(co), 0);
	if (gen)
		CHECK_EQ(weft_generator_free(gen), 0);
	return 0;
}

static int run_movers(void *fn)
{
	weft_task *tasks[MOVERS], *hogs_of[2];

	done = false;
	for (intptr_t i = 0; i < 2; i++)
		hogs_of[i] = start(WEFT_SPREAD, hog, (void *)i);
	for (int i = 0; i < MOVERS; i++)
		tasks[i] = start(WEFT_MIGRATE, *(weft_fn **)fn, (void *)(intptr_t)(i % 2));
	for (int i = 0; i < MOVERS; i++)
		join(tasks[i]);
	done = true;
	for (int i = 0; i < 2; i++)
		join(hogs_of[i]);
	return 0;
}

TEST_LIMIT(crew, row5_who_makes_a_coroutine_stays, 60)
{
	weft_fn *fn = makes_and_stays;

	/* It moves while it can. Not each time, where others use the CPUs. */
	for (int i = 0; i < 20 && !moves; i++)
		CHECK_EQ(weft_run(2, run_movers, &fn, NULL), 0);
	CHECK_GT(moves, 0);
}

/* One coroutine for each worker, made by a task that has nothing else to do with it. */
static struct {
	weft_coroutine *co;
	_Atomic int free; /* a word: see base/atomic.h */
} of_worker[64];
static _Atomic unsigned inside;

/* Runs in whichever task resumes it, and waits there. */
static void *waits_inside(void *arg, void *value)
{
	for (;;) {
		unsigned home = here();

		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(here(), home);
		CHECK_EQ(weft_sleep(50000), 0);
		CHECK_EQ(here(), home);
		inside++;
		value = weft_yield(value);
	}
	return arg;
}

/* Movable, it uses the coroutine of the worker that it is on just now. */
static int borrows(void *unused)
{
	unsigned last = here();

	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		unsigned now;

		CHECK_EQ(weft_sleep(30000), 0);
		now = here();
		moves += now != last;
		last = now;
		if (!atomic_exchange(&of_worker[now].free, false))
			continue;
		CHECK_EQ(weft_resume(of_worker[now].co, NULL, NULL), 1);
		CHECK_EQ(here(), now);
		of_worker[now].free = true;
	}
	return 0;
}

static int lends(void *unused)
{
	unsigned home = here();

	(void)unused;
	CHECK_EQ(weft_coroutine_new(&of_worker[home].co, waits_inside, NULL, NULL), 0);
	of_worker[home].free = true;
	while (!done)
		CHECK_EQ(weft_sleep(1000000), 0);
	of_worker[home].free = false;
	CHECK_EQ(weft_coroutine_free(of_worker[home].co), 0);
	return 0;
}

static int run_borrowers(void *unused)
{
	weft_task *lenders[2];
	weft_fn *fn = borrows;

	(void)unused;
	for (int i = 0; i < 2; i++)
		lenders[i] = start(WEFT_SPREAD, lends, NULL);
	run_movers(&fn);
	for (int i = 0; i < 2; i++)
		join(lenders[i]);
	return 0;
}

TEST_LIMIT(crew, row5_a_wait_inside_a_coroutine_ends_on_its_worker, 60)
{
	for (int i = 0; i < 20 && !moves; i++)
		CHECK_EQ(weft_run(2, run_borrowers, NULL, NULL), 0);
	CHECK_GT(moves, 0);
	CHECK_GT(inside, 20);
}

/* --- 19: a runtime ends with live tasks -------------------------------------------------- */

static _Atomic int ended, cancelled;

static int naps(void *ms)
{
	CHECK_EQ(weft_sleep((intptr_t)ms * INT64_C(1000000)), 0);
	ended++;
	return 0;
}

/* Daemons of all kinds: parked, busy, and one that does not give up at once. */
static int serves(void *kind)
{
	int rounds = 0;

	switch ((intptr_t)kind) {
	case 0:
		CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
		break;
	case 1:
		while (weft_task_yield() == 0)
			;
		break;
	default:
		while (rounds < 5)
			rounds += weft_task_yield() == -ECANCELED;
	}
	CHECK_EQ(ended, 32); /* not before those who are waited for */
	cancelled++;
	return 0;
}

/* A daemon that has been cancelled may still make another one, which is at once. */
static int breeds(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	start(WEFT_DAEMON | WEFT_SPREAD, serves, NULL);
	cancelled++;
	return 0;
}

static int leave_many(void *flags)
{
	for (intptr_t i = 0; i < 32; i++)
		start((unsigned)(uintptr_t)flags, naps, (void *)(i % 4 * 5));
	for (intptr_t i = 0; i < 30; i++)
		start(WEFT_DAEMON | (unsigned)(uintptr_t)flags, serves, (void *)(i % 3));
	start(WEFT_DAEMON, breeds, NULL);
	return 9;
}

TEST_LIMIT(crew, row19_daemons_are_cancelled_and_others_awaited, 60)
{
	unsigned flags[] = { 0, WEFT_SPREAD, WEFT_MIGRATE, WEFT_MIGRATE | WEFT_SPREAD };

	test_leaves_tasks(); /* nobody joins them */
	for (unsigned workers = 1; workers <= 3; workers++) {
		for (int i = 0; i < 4; i++) {
			int result = 0;

			ended = cancelled = 0;
			CHECK_EQ(
				weft_run(workers, leave_many, (void *)(uintptr_t)flags[i], &result),
				0);
			CHECK_EQ(result, 9);
			CHECK_EQ(ended, 32);
			CHECK_EQ(cancelled, 32);
		}
	}
}

/* --- 19: a thread ends with live tasks --------------------------------------------------- */

static void *leaves_some(void *count)
{
	weft_attr named = { .name = "forsaken" };
	weft_stack_group *group;
	weft_attr shared = { .name = "sharer" };

	CHECK_EQ(weft_stack_group_new(&group, 1, 0), 0);
	shared.shared = group;
	CHECK_EQ(weft_spawn(NULL, &shared, naps, (void *)1000000), 0);
	for (intptr_t i = 1; i < (intptr_t)count; i++)
		CHECK_EQ(weft_spawn(NULL, &named, naps, (void *)1000000), 0);
	join(start(0, naps, NULL)); /* this one has ended */
	CHECK_EQ(weft_sleep(1000000), 0);
	return NULL;
}

static void end_thread(void *count)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, leaves_some, count), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int count_of(const char *text, const char *what)
{
	int count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

TEST(crew, row19_a_thread_that_leaves_tasks_names_them)
{
	struct death death = run_to_death(end_thread, (void *)3);

	CHECK_EQ(death.code, 0);
	CHECK(strstr(death.text, "left 3 of its tasks unfinished") != NULL);
	CHECK_EQ(count_of(death.text, "\"forsaken\" (spawned at "), 2);
	CHECK_EQ(count_of(death.text, "\"sharer\" (spawned at "), 1);
	CHECK_EQ(count_of(death.text, "crew.c:"), 3);
	CHECK_EQ(count_of(death.text, "  task "), 3);
	CHECK(strstr(death.text, "more") == NULL);
}

TEST(crew, row19_of_many_ten_are_named)
{
	struct death death = run_to_death(end_thread, (void *)25);

	CHECK_EQ(death.code, 0);
	CHECK(strstr(death.text, "left 25 of its tasks unfinished") != NULL);
	CHECK_EQ(count_of(death.text, "  task "), 10);
	CHECK_EQ(count_of(death.text, "and 15 more"), 1);
}
