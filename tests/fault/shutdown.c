/* SPDX-License-Identifier: MIT
 *
 * shutdown.c - a signal cancels everything; what does not heed it is named.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <weft/weft.h>

#include "../test.h"

static _Atomic int cleaned, spawned_late;

static int sleep_long(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	atomic_fetch_add(&cleaned, 1);
	return 0;
}

/* Spawns another one on its way out. */
static int leave_child(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_go(sleep_long, NULL), 0);
	atomic_fetch_add(&spawned_late, 1);
	return 0;
}

static int read_for_ever(void *arg)
{
	char byte;

	CHECK_EQ(weft_read((int)(intptr_t)arg, &byte, 1, WEFT_FOREVER), -ECANCELED);
	atomic_fetch_add(&cleaned, 1);
	return 0;
}

static int busy(void *arg)
{
	(void)arg;
	while (weft_task_yield() == 0)
		;
	atomic_fetch_add(&cleaned, 1);
	return 0;
}

static int stubborn(void *arg)
{
	while (arg == NULL)
		weft_sleep(1000000); /* does not look at what it returns */
	return 0;
}

/* Nor does it let others run. */
static int hog(void *arg)
{
	while (arg == NULL)
		__asm__ volatile("");
	return 0;
}

static int raise_later(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep(20000000), 0);
	if (!arg)
		CHECK_EQ(kill(getpid(), SIGTERM), 0);
	return 0;
}

enum { EACH = 20 };

static int serve(void *arg)
{
	static const unsigned flags[] = { 0, WEFT_MIGRATE, WEFT_SPREAD,
					  WEFT_SPREAD | WEFT_MIGRATE };
	int fds[2];

	CHECK_EQ(weft_shutdown_on(SIGTERM, arg ? 50000000 : WEFT_FOREVER), 0);
	CHECK_EQ(weft_shutdown_on(SIGTERM, 0), -EBUSY);
	CHECK_EQ(pipe(fds), 0);
	for (int i = 0; i < (arg ? 1 : EACH); i++) {
		weft_attr attr = { .flags = flags[i % 4] };

		CHECK_EQ(weft_spawn(NULL, &attr, sleep_long, NULL), 0);
		CHECK_EQ(weft_spawn(NULL, &attr, leave_child, NULL), 0);
		CHECK_EQ(weft_spawn(NULL, &attr, read_for_ever, (void *)(intptr_t)fds[0]), 0);
		CHECK_EQ(weft_spawn(NULL, &attr, busy, NULL), 0);
	}
	CHECK_EQ(weft_go(raise_later, (intptr_t)arg > 2 ? arg : NULL), 0);
	if (arg) {
		weft_attr attr = { .name = "mule" };

		CHECK_EQ(weft_sleep(10000000), 0);
		CHECK_EQ(weft_spawn(NULL, &attr, (intptr_t)arg > 2 ? hog : stubborn, NULL), 0);
	}
	CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED); /* main, too */
	return 7;
}

TEST(shutdown, cancels_every_task)
{
	for (unsigned workers = 1; workers <= 3; workers++) {
		int ret = 0;

		cleaned = spawned_late = 0;
		CHECK_EQ(weft_run(workers, serve, NULL, &ret), 0);
		CHECK_EQ(ret, 7);
		CHECK_EQ(spawned_late, EACH);
		CHECK_EQ(cleaned, 4 * EACH);
	}
}

static void on_alarm(int sig)
{
	(void)sig;
	kill(getpid(), SIGTERM);
}

static void serve_a_mule(void *arg)
{
	signal(SIGALRM, on_alarm);
	if ((intptr_t)arg > 2)
		alarm(1); /* raise_later() may have no turn any more */
	weft_run(1 + (unsigned)(intptr_t)arg % 2, serve, arg, NULL);
}

TEST(shutdown, names_who_does_not_end)
{
	for (intptr_t kind = 1; kind <= 4; kind++) {
		struct death death = run_to_death(serve_a_mule, (void *)kind);

		CHECK_EQ(death.signal, 0);
		CHECK_EQ(death.code, 128 + SIGTERM);
		if (!strstr(death.text, "weft: shutdown: these have not ended in time") ||
		    !strstr(death.text, "\"mule\""))
			test_fail_strings(__FILE__, __LINE__, "not named", "mule", death.text);
	}
}

static int insist(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_shutdown_on(SIGTERM, WEFT_FOREVER), 0);
	CHECK_EQ(kill(getpid(), SIGTERM), 0);
	CHECK_EQ(kill(getpid(), SIGTERM), 0);
	return 0;
}

static void run_insist(void *arg)
{
	(void)arg;
	weft_run(1, insist, NULL, NULL);
}

TEST(shutdown, a_second_signal_ends_it)
{
	struct death death = run_to_death(run_insist, NULL);

	CHECK_EQ(death.code, 128 + SIGTERM);
	CHECK_EQ(weft_shutdown_on(SIGTERM, -1), -EINVAL);
	CHECK_EQ(weft_shutdown_on(12345, 0), -EINVAL);
}
