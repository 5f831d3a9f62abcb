/* SPDX-License-Identifier: MIT
 *
 * handoff.c - tasks that run when they are resumed (core/handoff.h): what libraries of
 * coroutines are made of. What they make of it is tested in tests/compat.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/fault.h>
#include <core/handoff.h>
#include <core/worker.h>
#include <weft/weft.h>

#include "../test.h"

static char trace[64];

static void note(char letter)
{
	size_t length = strlen(trace);

	CHECK_LT(length, sizeof(trace) - 1);
	trace[length] = letter;
}

static void resume(struct handoff *hand)
{
	CHECK_EQ(weft__handoff_take(hand), 0);
	weft__handoff_resume(hand);
}

static void make(struct handoff *hand, weft_fn *fn, void *arg)
{
	memset(hand, 0, sizeof(*hand));
	CHECK_EQ(weft__handoff_new(hand, NULL, fn, arg, WEFT_HERE), 0);
}

/* --- order ---------------------------------------------------------------------------- */

static int ready_task(void *arg)
{
	(void)arg;
	note('r');
	return 0;
}

static int sleeps(void *arg)
{
	note('s');
	if (weft_sleep(1000) < 0)
		return 0; /* a native call of one that is to end */
	note('S');
	*(bool *)arg = true;
	return 0;
}

static int resumes_it(void *arg)
{
	note('i');
	resume(arg);
	note('I');
	weft__handoff_yield();
	note('J');
	return 0;
}

/* G1: tasks that are ready wait for the whole chain. */
TEST(handoff, a_chain_of_resumes_comes_before_all_that_is_ready)
{
	struct handoff inner, outer;
	weft_task *ready;
	bool over = false;

	make(&inner, sleeps, &over);
	make(&outer, resumes_it, &inner);
	CHECK_EQ(weft_spawn(&ready, NULL, ready_task, NULL), 0);
	resume(&outer);
	CHECK_STR(trace, "isI");
	CHECK_EQ(weft_join(ready, WEFT_FOREVER, NULL), 0);
	while (!over)
		CHECK_EQ(weft_sleep(1000), 0);
	resume(&outer);
	CHECK_STR(trace, "isIrSJ");
	CHECK_EQ(outer.task, NULL);
	CHECK_EQ(weft__handoff_take(&outer), -ESRCH);
}

/* A crowd of new tasks comes before those that yield; not before these. */
TEST(handoff, looks_around_in_between_change_nothing)
{
	struct handoff inner, outer;
	bool over = false;

	for (int i = 0; i < 1000; i++) {
		trace[0] = '\0';
		memset(trace, 0, sizeof(trace));
		make(&inner, sleeps, &over);
		make(&outer, resumes_it, &inner);
		weft__thread.worker->budget = 1 + i % 5;
		resume(&outer);
		CHECK_STR(trace, "isI");
		CHECK_EQ(weft__handoff_end(&outer), 0);
		CHECK_EQ(weft__handoff_end(&inner), 0);
	}
}

/* --- ends ------------------------------------------------------------------------------ */

static int ends_counted;

static void on_end(struct handoff *hand)
{
	CHECK_EQ(hand->task, NULL);
	ends_counted++;
}

static int never(void *arg)
{
	(void)arg;
	CHECK(!"is run");
	return 0;
}

static void never_cleaned(void *arg)
{
	never(arg);
}

static int yields(void *arg)
{
	weft_deadline *deadline;
	weft_cleanup cleanup;

	CHECK_EQ(weft_cleanup_push(&cleanup, never_cleaned, NULL), 0);
	CHECK_EQ(weft_deadline_push(&deadline, weft_in_s(100)), 0);
	weft__handoff_yield();
	never(arg);
	return 0;
}

TEST(handoff, an_end_runs_no_frame_and_leaves_nothing)
{
	struct handoff fresh, suspended;

	make(&fresh, never, NULL);
	make(&suspended, yields, NULL);
	fresh.on_end = suspended.on_end = on_end;
	resume(&suspended);
	CHECK_EQ(weft__handoff_end(&fresh), 0);
	CHECK_EQ(weft__handoff_end(&suspended), 0);
	CHECK_EQ(ends_counted, 2);
	CHECK_EQ(weft__handoff_end(&suspended), 0); /* has ended */
	CHECK_EQ(ends_counted, 2);
	CHECK_EQ(weft__thread.worker->wheel.armed, 0);
}

static int offloaded(void *arg)
{
	char byte;

	return (int)read(*(int *)arg, &byte, 1);
}

static int offloads(void *arg)
{
	int got;

	CHECK_EQ(weft_offload(offloaded, arg, &got), -ECANCELED);
	CHECK_EQ(got, 1);
	weft__handoff_yield();
	never(NULL);
	return 0;
}

/* A helper works for it: it cannot go before that is done. */
TEST(handoff, what_cannot_be_given_up_is_waited_for)
{
	struct handoff hand;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	make(&hand, offloads, &fds[0]);
	hand.on_end = on_end;
	resume(&hand);
	CHECK_EQ(weft__handoff_take(&hand), -EBUSY);
	CHECK_EQ(weft__handoff_end(&hand), -EBUSY);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	while (!ends_counted)
		CHECK_EQ(weft_sleep(100000), 0);
}

static weft_chan *chan;
static weft_mutex mutex;

static int receives(void *ret_value)
{
	CHECK_EQ(weft_chan_recv(chan, ret_value, WEFT_FOREVER), 0);
	CHECK_EQ(weft_chan_recv(chan, ret_value, WEFT_FOREVER), -ECANCELED);
	return 0;
}

static int locks(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	return 0;
}

/* It has been woken, and has not run since. A message lies where it was queued, and a mutex that it
 * is to have next would be nobody's. */
TEST(handoff, what_was_handed_over_before_an_end_is_not_lost)
{
	weft_attr attr = { .flags = 0 };
	struct handoff receiver = { .on_end = on_end }, locker = { .on_end = on_end };
	uint64_t value = 7, got = 0;

	CHECK_EQ(weft_chan_new(&chan, sizeof(value), 0), 0);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 0), 0);
	CHECK_EQ(weft__handoff_new(&receiver, &attr, receives, &got, WEFT_HERE), 0);
	resume(&receiver);
	CHECK_EQ(weft_chan_send(chan, &value, WEFT_NOWAIT), 0);
	CHECK_EQ(weft__handoff_end(&receiver), 0);
	CHECK_EQ(got, 7);
	while (!ends_counted)
		CHECK_EQ(weft_task_yield(), 0);

	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_NOWAIT), 0);
	CHECK_EQ(weft__handoff_new(&locker, NULL, locks, NULL, WEFT_HERE), 0);
	resume(&locker);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(weft__handoff_end(&locker), 0);
	CHECK_EQ(ends_counted, 2);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	weft_chan_free(chan);
}

/* --- refusals ----------------------------------------------------------------------------- */

static int in_a_crew(void *arg)
{
	struct handoff hand = { .task = NULL };

	(void)arg;
	CHECK_EQ(weft__handoff_new(&hand, NULL, never, NULL, WEFT_HERE), -EPERM);
	CHECK_EQ(weft__handoff_pass(0), -EPERM);
	return 0;
}

TEST(handoff, not_where_several_workers_are)
{
	CHECK_EQ(weft_run(2, in_a_crew, NULL, NULL), 0);
}

TEST(handoff, without_memory)
{
	weft_attr attr = { .name = "name" };

	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_go(ready_task, NULL), 0); /* there is a runtime */
	for (unsigned n = 1;; n++) {
		struct handoff hand = { .task = NULL };
		int rc;

		weft__fault_fail(n);
		rc = weft__handoff_new(&hand, &attr, never, NULL, WEFT_HERE);
		if (!weft__fault_fired()) {
			weft__fault_fail(0);
			CHECK_EQ(rc, 0);
			CHECK_EQ(weft__handoff_end(&hand), 0);
			return;
		}
		CHECK_EQ(rc, -ENOMEM);
		CHECK_EQ(hand.task, NULL);
	}
}

/* --- onlookers ------------------------------------------------------------------------------ */

static int suspends(void *arg)
{
	(void)arg;
	weft__handoff_yield();
	return 0;
}

static void dumps(void *arg)
{
	struct handoff hand;

	(void)arg;
	make(&hand, suspends, NULL);
	resume(&hand);
	weft_dump(2);
}

TEST(handoff, a_dump_says_what_it_waits_for)
{
	struct death death = run_to_death(dumps, NULL);

	CHECK(strstr(death.text, "being resumed") != NULL);
}

/* --- the loop -------------------------------------------------------------------------------- */

static int waits_for_byte(void *arg)
{
	note('w');
	CHECK_EQ(weft_wait_fd(*(int *)arg, WEFT_READABLE, WEFT_FOREVER), WEFT_READABLE);
	note('W');
	return 0;
}

TEST(handoff, a_pass_runs_what_is_ready_and_waits_for_what_comes)
{
	struct handoff hand;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	make(&hand, waits_for_byte, &fds[0]);
	resume(&hand);
	CHECK_EQ(weft_go(ready_task, NULL), 0);
	CHECK_EQ(weft__handoff_pass(0), 0);
	CHECK_STR(trace, "wr");
	CHECK_EQ(write(fds[1], "x", 1), 1);
	while (hand.task)
		CHECK_EQ(weft__handoff_pass(INT64_C(10000000000)), 0);
	CHECK_STR(trace, "wrW");
}

/* --- a crowd ----------------------------------------------------------------------------------- */

static int others_begun;

static int begins(void *unused)
{
	(void)unused;
	others_begun++;
	return 0;
}

static int sees_others(void *ret_seen)
{
	*(int *)ret_seen = others_begun;
	return 0;
}

/* More new ones than the queue takes wait aside, and run when somebody yields. A resume is none. */
TEST(handoff, comes_before_a_crowd)
{
	struct handoff hand;
	int seen = -1;

	make(&hand, sees_others, &seen);
	for (int i = 0; i < 300; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, begins, NULL), 0);
	resume(&hand);
	CHECK_EQ(seen, 0);
	while (others_begun < 300)
		CHECK_EQ(weft_task_yield(), 0);
}

/* --- fork(2) ---------------------------------------------------------------------------------- */

#if !WEFT_TSAN /* in the child of a process with fibers it ignores the one that forked, and no other */

static int waits_with_a_deadline(void *ret_rc)
{
	weft_deadline *deadline;

	CHECK_EQ(weft_deadline_push(&deadline, weft_in_ms(5)), 0);
	weft__handoff_yield();
	*(int *)ret_rc = weft_sleep_until(WEFT_FOREVER);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	return 0;
}

/* One that goes on in the child has its deadlines there, where timers begin anew. */
TEST(handoff, deadlines_in_the_child_of_a_fork)
{
	struct handoff hand;
	int rc = 0, status;
	pid_t child;

	make(&hand, waits_with_a_deadline, &rc);
	resume(&hand);
	child = fork();
	CHECK_GE(child, 0);
	resume(&hand);
	while (hand.task)
		CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(rc, -ETIMEDOUT);
	if (child == 0)
		_exit(7);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

#endif
