/* SPDX-License-Identifier: MIT
 *
 * cancel.c - row 15: pthread_cancel() of a thread that runs tasks ends one of them, at its
 * next hooked wait, as pthread_exit(PTHREAD_CANCELED) does.
 */
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "hooked.h"

static _Atomic int handled;

static void count_handler(void *unused)
{
	(void)unused;
	handled++;
}

static int pair[2], others;

static int count_on(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(usleep(300), 0);
		others++;
	}
	return 0;
}

/* --- a task that cancels its own thread: it means itself ---------------------------- */

static long wait_by(int which)
{
	struct pollfd ask = { pair[0], POLLIN, 0 };
	struct timespec some = { 100, 0 };
	struct addrinfo *list;
	fd_set set;
	char byte;

	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	switch (which) {
	case 0:
		return read(pair[0], &byte, 1);
	case 1:
		return recv(pair[0], &byte, 1, 0);
	case 2:
		return poll(&ask, 1, -1);
	case 3:
		return select(pair[0] + 1, &set, NULL, NULL, NULL);
	case 4:
		return nanosleep(&some, NULL);
	case 5:
		return clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL);
	case 6:
		return sleep(100);
	case 7:
		return usleep(100000000);
	case 8:
		pthread_testcancel();
		return 0;
	default:
		return getaddrinfo("localhost", NULL, NULL, &list);
	}
}

enum { WAYS = 10 };

static int cancel_self(void *which)
{
	pthread_cleanup_push(count_handler, NULL);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	CHECK_EQ(write(pair[0], "x", 1), 1); /* it need not wait */
	wait_by(number_of(which));
	CHECK(!"reached");
	pthread_cleanup_pop(0);
	return 0;
}

TEST(cancel, row15_a_task_that_cancels_itself)
{
	weft_task *other;

	connected_pair(pair);
	other = start(count_on, 0);
	for (int i = 0; i < WAYS; i++) {
		CHECK_EQ(join(start(cancel_self, i)), -1);
		CHECK_EQ(handled, i + 1);
	}
	CHECK_EQ(join(other), 0);
	CHECK_EQ(others, 10);
}

/* --- by another thread: whoever runs there, or the main task ------------------------- */

static pthread_t target;
static _Atomic bool is_running, is_cancelled;

static void *cancel_target(void *unused)
{
	(void)unused;
	while (!is_running)
		;
	CHECK_EQ(pthread_cancel(target), 0);
	is_cancelled = true;
	return NULL;
}

static int compute(void *unused)
{
	(void)unused;
	pthread_cleanup_push(count_handler, NULL);
	is_running = true;
	while (!is_cancelled)
		;
	usleep(1);
	CHECK(!"reached");
	pthread_cleanup_pop(0);
	return 0;
}

TEST(cancel, row15_the_task_that_runs)
{
	weft_task *tasks[2] = { start(count_on, 0), start(compute, 0) };
	pthread_t thread;

	target = pthread_self();
	CHECK_EQ(pthread_create(&thread, NULL, cancel_target, NULL), 0);
	CHECK_EQ(join(tasks[1]), -1);
	CHECK_EQ(join(tasks[0]), 0);
	CHECK_EQ(handled, 1);
	CHECK_EQ(others, 10);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *main_waits(void *unused)
{
	char byte;

	pthread_cleanup_push(count_handler, NULL);
	CHECK_EQ(weft_go(count_on, NULL), 0);
	CHECK_EQ(usleep(10000), 0);
	is_running = true;
	CHECK_EQ(read(pair[0], &byte, 1), 1);
	CHECK(!"reached");
	pthread_cleanup_pop(0);
	return unused;
}

/* All its tasks wait: the thread's own is meant, and the thread ends with it. */
TEST(cancel, row15_a_thread_that_waits)
{
	void *value = NULL;

	connected_pair(pair);
	CHECK_EQ(pthread_create(&target, NULL, main_waits, NULL), 0);
	while (!is_running)
		usleep(1000);
	usleep(20000);
	CHECK_EQ(pthread_cancel(target), 0);
	CHECK_EQ(pthread_join(target, &value), 0);
	CHECK(value == PTHREAD_CANCELED);
	CHECK_EQ(handled, 1);
	CHECK_EQ(others, 10);
}

/* In weft_run() the main task's end is weft_run()'s result. */
static int waits_in_run(void *unused)
{
	main_waits(unused);
	return 0;
}

static void *runs(void *workers)
{
	int result = 0;

	CHECK_EQ(weft_run((unsigned)(uintptr_t)workers, waits_in_run, NULL, &result), 0);
	return (void *)(intptr_t)result;
}

TEST(cancel, row15_the_main_task_of_weft_run)
{
	connected_pair(pair);
	for (intptr_t workers = 1; workers <= 2; workers++) {
		void *value = NULL;

		is_running = false;
		handled = others = 0;
		CHECK_EQ(pthread_create(&target, NULL, runs, (void *)workers), 0);
		while (!is_running)
			usleep(1000);
		usleep(20000);
		CHECK_EQ(pthread_cancel(target), 0);
		CHECK_EQ(pthread_join(target, &value), 0);
		CHECK_EQ((intptr_t)value, -1);
		CHECK_EQ(handled, 1);
		CHECK_EQ(others, 10);
	}
}

/* --- a task of a worker that weft has made ------------------------------------------- */

static int computes_elsewhere(void *unused)
{
	target = pthread_self();
	return compute(unused);
}

static int cancel_elsewhere(void *unused)
{
	weft_attr attr = { .flags = WEFT_SPREAD };
	weft_task *tasks[2];
	pthread_t thread;

	(void)unused;
	CHECK_EQ(weft_spawn(&tasks[0], &attr, count_on, NULL), 0); /* on this worker */
	CHECK_EQ(weft_spawn(&tasks[1], &attr, computes_elsewhere, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, cancel_target, NULL), 0);
	CHECK_EQ(join(tasks[1]), -1);
	CHECK_EQ(join(tasks[0]), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(handled, 1);
	/* soon nobody runs there, and it has no task of its own */
	if (!pthread_equal(target, pthread_self()))
		while (pthread_cancel(target) != ESRCH)
			usleep(1000);
	return 5;
}

TEST(cancel, row15_in_a_crew)
{
	int result = 0;

	CHECK_EQ(weft_run(2, cancel_elsewhere, NULL, &result), 0);
	CHECK_EQ(result, 5);
}

/* --- what holds a request back --------------------------------------------------------- */

static int disables(void *unused)
{
	int old = -1;

	(void)unused;
	pthread_cleanup_push(count_handler, NULL);
	CHECK_EQ(pthread_setcancelstate(77, NULL), EINVAL);
	CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
	CHECK_EQ(old, PTHREAD_CANCEL_ENABLE);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	CHECK_EQ(usleep(1000), 0);
	pthread_testcancel();
	CHECK_EQ(join(start(count_on, 0)), 0); /* another task's state is its own */
	CHECK_EQ(handled, 0);
	CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
	CHECK_EQ(old, PTHREAD_CANCEL_DISABLE);
	CHECK_EQ(handled, 0);
	usleep(1000);
	CHECK(!"reached");
	pthread_cleanup_pop(0);
	return 0;
}

TEST(cancel, row15_not_while_it_is_disabled)
{
	CHECK_EQ(join(start(disables, 0)), -1);
	CHECK_EQ(handled, 1);
}

/* Handlers of a task that has been cancelled may wait; a second request is nothing. */
static void wait_in_handler(void *unused)
{
	(void)unused;
	CHECK_EQ(usleep(2000), 0);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	CHECK_EQ(usleep(2000), 0);
	handled++;
}

static int waits_in_handler(void *unused)
{
	(void)unused;
	pthread_cleanup_push(wait_in_handler, NULL);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	usleep(1000);
	pthread_cleanup_pop(0);
	return 0;
}

TEST(cancel, row15_handlers_may_wait)
{
	CHECK_EQ(join(start(waits_in_handler, 0)), -1);
	CHECK_EQ(handled, 1);
}

/* weft_cancel() is another thing: an error, and no end. */
static int sees_weft_cancel(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_cancel(weft_self()), 0);
	CHECK_EQ(usleep(1000), -1);
	CHECK_EQ(errno, ECANCELED);
	pthread_testcancel();
	return 8;
}

TEST(cancel, row15_weft_cancel_is_no_request)
{
	CHECK_EQ(join(start(sees_weft_cancel, 0)), 8);
}

/* --- threads without tasks ---------------------------------------------------------------- */

static void *plain(void *unused)
{
	pthread_cleanup_push(count_handler, NULL);
	is_running = true;
	sleep(100);
	pthread_cleanup_pop(0);
	return unused;
}

TEST(cancel, row15_outside_of_tasks_it_is_libcs)
{
	void *value = NULL;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, plain, NULL), 0);
	while (!is_running)
		usleep(1000);
	CHECK_EQ(weft_sleep(1), 0); /* we have tasks, it has not */
	CHECK_EQ(pthread_cancel(thread), 0);
	CHECK_EQ(pthread_join(thread, &value), 0);
	CHECK(value == PTHREAD_CANCELED);
	CHECK_EQ(handled, 1);
}
