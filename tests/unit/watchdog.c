/* SPDX-License-Identifier: MIT
 *
 * watchdog.c - rows 61 and 62: who keeps a worker is told of, and others take over.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <core/runtime.h>
#include <debug/watchdog.h>
#include <weft/weft.h>

#include "../test.h"

#define PERIOD_NS   INT64_C(20000000)
#define LONG_NS     INT64_C(800000000) /* a thread that wants to run does so by then */
#define PATIENCE_NS INT64_C(15000000000)

static _Atomic bool done;

/* --- bodies that keep a worker --------------------------------------------------------- */

/* Until it is told of, or for as long as nobody would wait. */
static bool is_time(int64_t began_ns)
{
	return weft__watchdog_told || weft_now() - began_ns > PATIENCE_NS;
}

static noinline void compute_for_long(void)
{
	int64_t began_ns = weft_now();

	while (!is_time(began_ns))
		__asm__ volatile("" ::: "memory");
}

static noinline int block_in_kernel(void)
{
	struct timespec ts = { 0, 100000000 };
	int64_t began_ns = weft_now();

	while (!is_time(began_ns))
		syscall(SYS_nanosleep, &ts, NULL);
	return 1;
}

static int hog(void *arg)
{
	(void)arg;
	compute_for_long();
	return 0;
}

/* Not told of, if all goes well. */
static int short_hog(void *arg)
{
	int64_t end_ns = weft_now() + 10 * PERIOD_NS;

	(void)arg;
	while (weft_now() < end_ns)
		__asm__ volatile("" ::: "memory");
	return 0;
}

static int block(void *arg)
{
	(void)arg;
	return block_in_kernel();
}

/* Exit status of a run in which the machine kept the worker's thread from running for so long that
 * the watchdog may have seen it: what that said is no proof. */
enum { DISTURBED = 3 };

static int behave(void *arg)
{
	int64_t last_ns = weft_now(), end_ns = last_ns + LONG_NS + LONG_NS / 5;
	bool disturbed = false;

	(void)arg;
	while (last_ns < end_ns) {
		int64_t now_ns = weft_now();

		disturbed |= now_ns - last_ns > PERIOD_NS / 2;
		last_ns = now_ns;
		weft_task_yield();
	}
	if (disturbed)
		_exit(DISTURBED);
	return weft_sleep(LONG_NS + LONG_NS / 5);
}

/* Until somebody else has run. */
static int hog_until_done(void *arg)
{
	(void)arg;
	while (!done)
		__asm__ volatile("" ::: "memory");
	return 0;
}

static int get_it_done(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		CHECK_EQ(weft_sleep(1000000), 0);
	done = true;
	return 0;
}

/* --- runs ---------------------------------------------------------------------------------- */

struct plan {
	unsigned workers;
	weft_fn *fn;
	int64_t period_ns;
};

static int spawn_named(void *arg)
{
	const struct plan *plan = arg;
	weft_attr attr = { .name = "suspect" };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, plan->fn, NULL), 0);
	return weft_join(task, WEFT_FOREVER, NULL);
}

static void run_plan(void *arg)
{
	const struct plan *plan = arg;

	CHECK_EQ(weft_watchdog(plan->period_ns), 0);
	CHECK_EQ(weft_run(plan->workers, spawn_named, arg, NULL), 0);
	_exit(0);
}

static void check_told(const struct plan *plan, const char *const *needles)
{
	struct death death = run_to_death(run_plan, (void *)plan);

	CHECK_EQ(death.signal, 0);
	CHECK_EQ(death.code, 0);
	for (; *needles; needles++)
		if (!strstr(death.text, *needles))
			test_fail_strings(__FILE__, __LINE__, "the report lacks", *needles,
					  death.text);
}
#define CHECK_TOLD(plan, ...) check_told((plan), (const char *const[]){ __VA_ARGS__, NULL })

TEST_LIMIT(watchdog, row61_names_the_task_and_its_calls, 60)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct plan plan = { workers, hog, PERIOD_NS };

		CHECK_TOLD(&plan, "weft: watchdog: worker ", "\"suspect\"",
			   "has been kept by task ", " ms", "unit/watchdog.c:", "compute_for_long",
			   "hog+0x", "task_main+0x");
	}
}

TEST(watchdog, row62_says_that_the_thread_is_blocked)
{
	struct plan plan = { 2, block, PERIOD_NS };

	CHECK_TOLD(&plan, "\"suspect\"", "its thread is blocked in a system call",
		   "block_in_kernel+0x");
}

TEST(watchdog, silent_about_others)
{
	struct plan plans[] = { { 1, behave, PERIOD_NS },
				{ 2, behave, PERIOD_NS },
				{ 2, short_hog, 0 } };

	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		struct death death;

		/* A machine that has better to do keeps a worker from its task: not each time. */
		for (int attempt = 0; attempt < 5; attempt++) {
			death = run_to_death(run_plan, &plans[i]);
			CHECK(death.code == 0 || death.code == DISTURBED);
			if (death.code == 0 && !strstr(death.text, "watchdog"))
				break;
		}
		if (death.code == 0 && strstr(death.text, "watchdog"))
			test_fail_strings(__FILE__, __LINE__, "told of", "", death.text);
	}
}

TEST(watchdog, bad_periods)
{
	CHECK_EQ(weft_watchdog(-1), -EINVAL);
	CHECK_EQ(weft_watchdog(0), 0);
}

/* --- taking over ------------------------------------------------------------------------------ */

/* Every worker that was asked for is kept, main's too. */
static int keep_all(void *arg)
{
	weft_attr movable = { .flags = WEFT_MIGRATE }, spread = { .flags = WEFT_SPREAD };

	(void)arg;
	CHECK_EQ(weft_spawn(NULL, &movable, get_it_done, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_spawn(NULL, &spread, hog_until_done, NULL), 0);
	return 0;
}

TEST(watchdog, row61_a_spare_takes_what_may_move)
{
	CHECK_EQ(weft_watchdog(PERIOD_NS), 0);
	for (int i = 0; i < 5; i++) {
		done = false;
		CHECK_EQ(weft_run(2, keep_all, NULL, NULL), 0);
	}
}

/* NEW tasks too: they were left in the ring of a worker that is stuck. */
static int leave_in_ring(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_go(get_it_done, NULL), 0);
	hog_until_done(NULL);
	return 0;
}

static int keep_both(void *arg)
{
	weft_attr spread = { .flags = WEFT_SPREAD };

	(void)arg;
	CHECK_EQ(weft_spawn(NULL, &spread, hog_until_done, NULL), 0);
	CHECK_EQ(weft_spawn(NULL, &spread, leave_in_ring, NULL), 0);
	return 0;
}

TEST(watchdog, row61_a_spare_takes_new_tasks)
{
	CHECK_EQ(weft_watchdog(PERIOD_NS), 0);
	CHECK_EQ(weft_run(2, keep_both, NULL, NULL), 0);
}

/* --- while runtimes come and go ------------------------------------------------------------------ */

TEST(watchdog, beside_short_runtimes)
{
	CHECK_EQ(weft_watchdog(1000000), 0);
	for (int i = 0; i < 60; i++) {
		struct plan plan = { 1 + (unsigned)i % 3, get_it_done, 0 };

		CHECK_EQ(weft_run(plan.workers, spawn_named, &plan, NULL), 0);
	}
}
