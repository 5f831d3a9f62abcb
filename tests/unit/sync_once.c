/* SPDX-License-Identifier: MIT
 *
 * sync_once.c - what is done once, also if doing it takes a while, or fails.
 */
#include "parties.h"

static weft_once_flag flag = WEFT_ONCE_INIT;
static weft_event go = WEFT_EVENT_INIT;
static _Atomic int runs;
static int made;

static int wait_and_make(void *arg)
{
	int result = (int)(intptr_t)arg;

	runs++;
	CHECK_EQ(weft_once(&flag, wait_and_make, NULL), -EDEADLK);
	CHECK_EQ(weft_event_wait(&go, WEFT_FOREVER), 0);
	if (result < 0)
		return result;
	made = 42;
	return result;
}

static int never(void *arg)
{
	(void)arg;
	CHECK(!"called twice");
	return 0;
}

static int get(void *arg)
{
	int rc = weft_once(&flag, wait_and_make, arg);

	if (rc == 0)
		CHECK_EQ(made, 42);
	return rc;
}

static void begin_anew(void)
{
	memset(&flag, 0, sizeof flag);
	runs = made = 0;
	CHECK_EQ(weft_event_init(&go, 0), 0);
}

static int others_wait(void *arg)
{
	struct party parties[2 * KINDS];

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		begin_anew();
		party_start(&parties[0], kind, get, (void *)7);
		await_waiters(&go, 1);
		for (int i = 1; i < 2 * KINDS; i++)
			party_start(&parties[i], (enum kind)(i % KINDS), get, (void *)7);
		await_waiters(&flag, 2 * KINDS - 1);
		check_said(dump_text(), ": once 0x");
		check_said(dump_text(),
			   kind == THREAD ? ", held by plain thread" : ", held by task ");
		CHECK_EQ(weft_event_set(&go), 0);
		for (int i = 0; i < 2 * KINDS; i++)
			CHECK_EQ(party_end(&parties[i]), 0);
		CHECK_EQ(runs, 1);
		CHECK_EQ(weft_once(&flag, never, NULL), 0);
	}
	return 0;
}

/* A constructor that waits, and a singleton that everybody asks for: systems.md's pitfall. */
TEST(once, a_body_that_waits)
{
	run_on(1, others_wait, NULL);
	run_on(2, others_wait, NULL);
}

static int some_fail(void *arg)
{
	struct party parties[4];

	(void)arg;
	for (int i = 0; i < 4; i++) {
		party_start(&parties[i], i == 1 ? THREAD : PRIVATE, get,
			    (void *)(intptr_t)(i < 2 ? -EIO : 1));
		await_waiters(i ? (void *)&flag : (void *)&go, i ? i : 1);
	}
	CHECK_EQ(weft_event_set(&go), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(party_end(&parties[i]), i < 2 ? -EIO : 0);
	CHECK_EQ(runs, 3);
	return 0;
}

TEST(once, the_next_one_tries)
{
	run_on(1, some_fail, NULL);
}

static int exit_inside(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_event_wait(&go, WEFT_FOREVER), 0);
	weft_exit(3);
}

static int begin_and_exit(void *arg)
{
	return weft_once(&flag, exit_inside, arg);
}

static int first_exits(void *arg)
{
	struct party first, second;

	(void)arg;
	CHECK_EQ(weft_spawn(&first.task, NULL, begin_and_exit, NULL), 0);
	await_waiters(&go, 1);
	party_start(&second, PRIVATE, get, (void *)1);
	await_waiters(&flag, 1);
	CHECK_EQ(weft_event_set(&go), 0);
	CHECK_EQ(party_end(&second), 0);
	CHECK_EQ(weft_join(first.task, WEFT_FOREVER, &first.result), 0);
	CHECK_EQ(first.result, 3);
	CHECK_EQ(runs, 1);
	return 0;
}

TEST(once, the_first_exits_inside)
{
	run_on(1, first_exits, NULL);
}

static int cancel_waiter(void *arg)
{
	struct party first, second;

	(void)arg;
	party_start(&first, PRIVATE, get, (void *)1);
	await_waiters(&go, 1);
	party_start(&second, SHARED, get, (void *)1);
	await_waiters(&flag, 1);
	CHECK_EQ(weft_cancel(second.task), 0);
	CHECK_EQ(party_end(&second), -ECANCELED);
	CHECK_EQ(weft_event_set(&go), 0);
	CHECK_EQ(party_end(&first), 0);
	return 0;
}

TEST(once, cancels)
{
	run_on(1, cancel_waiter, NULL);
	begin_anew();
	run_on(2, cancel_waiter, NULL);
}

/* Each needs the other's. */
static weft_once_flag both[2];

static int need_other(void *arg)
{
	weft_task_yield();
	return weft_once(&both[1 - (intptr_t)arg], need_other, (void *)(1 - (intptr_t)arg));
}

static int need(void *arg)
{
	return weft_once(&both[(intptr_t)arg], need_other, arg);
}

static void need_each_other(void *arg)
{
	(void)arg;
	for (intptr_t i = 0; i < 2; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, need, (void *)i), 0);
	weft_sleep(20000000);
}

TEST(once, circles_are_named)
{
	CHECK_DEATH(SIGABRT, "was about to wait for once 0x", need_each_other, NULL);
}
