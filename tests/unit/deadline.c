/* SPDX-License-Identifier: MIT
 *
 * deadline.c - weft_deadline_push(): a deadline that bounds every wait below it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <base/fault.h>
#include <weft/weft.h>

#include "parties.h"

enum { SHORT_NS = 2000000 };

static weft_deadline *push(int64_t deadline_ns)
{
	weft_deadline *deadline = NULL;

	CHECK_EQ(weft_deadline_push(&deadline, deadline_ns), 0);
	CHECK(deadline != NULL);
	return deadline;
}

/* One that is over soon, but not yet. */
static weft_deadline *push_soon(void)
{
	return push(weft_in_ns(SHORT_NS));
}

static int forever(void *unused)
{
	(void)unused;
	return weft_sleep_until(WEFT_FOREVER);
}

/* A wait of each kind, none of which anybody ends. They live as long as the case. */
static int pair[2];
static weft_chan *chan, *other_chan; /* to receive from, and to send to */
static weft_mutex mutex;
static weft_cond cond;
static weft_event event;
static weft_semaphore semaphore;
static weft_promise *promise;
static weft_task *holder;
/* Only one task joins another at a time. */
WEFT_LOCAL(weft_task *, sleeper);

static int wait_sleep(void)
{
	return weft_sleep_until(WEFT_FOREVER);
}

static int wait_sleep_bounded(void)
{
	return weft_sleep(INT64_C(100000000000));
}

static int wait_join(void)
{
	return weft_join(*sleeper(), WEFT_FOREVER, NULL);
}

static int wait_join_bounded(void)
{
	return weft_join(*sleeper(), weft_in_s(100), NULL);
}

static int wait_read(void)
{
	char byte;

	return (int)weft_read(pair[0], &byte, 1, WEFT_FOREVER);
}

static int wait_recv(void)
{
	char byte;

	return (int)weft_recv(pair[0], &byte, 1, 0, weft_in_s(100));
}

static int wait_fd(void)
{
	return weft_wait_fd(pair[0], WEFT_READABLE, weft_in_s(100));
}

static int wait_chan(void)
{
	int value;

	return weft_chan_recv(chan, &value, WEFT_FOREVER);
}

static int wait_send(void)
{
	int value = 1;

	return weft_chan_send(other_chan, &value, weft_in_s(100));
}

static int wait_select(void)
{
	weft_case cases[] = { WEFT_RECV(chan, NULL), WEFT_FD(pair[0], WEFT_READABLE) };

	return weft_select(cases, 2, WEFT_FOREVER);
}

static int wait_mutex(void)
{
	return weft_mutex_lock(&mutex, WEFT_FOREVER);
}

static int wait_event(void)
{
	return weft_event_wait(&event, weft_in_s(100));
}

static int wait_semaphore(void)
{
	return weft_semaphore_wait(&semaphore, WEFT_FOREVER);
}

static int wait_promise(void)
{
	return weft_await(promise, WEFT_FOREVER, NULL);
}

static int (*const waits[])(void) = { wait_sleep,        wait_sleep_bounded, wait_join,
				      wait_join_bounded, wait_read,          wait_recv,
				      wait_fd,           wait_chan,          wait_send,
				      wait_select,       wait_mutex,         wait_event,
				      wait_semaphore,    wait_promise };

enum { WAITS = sizeof(waits) / sizeof(waits[0]) };

static int holds_the_mutex(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	return forever(NULL);
}

static void objects(void)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(weft_chan_new(&chan, sizeof(int), 0), 0);
	CHECK_EQ(weft_chan_new(&other_chan, sizeof(int), 0), 0);
	CHECK_EQ(weft_mutex_init(&mutex, 0), 0);
	CHECK_EQ(weft_cond_init(&cond), 0);
	CHECK_EQ(weft_event_init(&event, 0), 0);
	CHECK_EQ(weft_semaphore_init(&semaphore, 0), 0);
	CHECK_EQ(weft_promise_new(&promise), 0);
	CHECK_EQ(weft_spawn(&holder, NULL, holds_the_mutex, NULL), 0);
	CHECK_EQ(weft_sleep(1000000), 0);
}

static void end_objects(void)
{
	CHECK_EQ(weft_cancel(holder), 0);
	CHECK_EQ(weft_join(holder, WEFT_FOREVER, NULL), 0);
	weft_chan_free(chan);
	weft_chan_free(other_chan);
	weft_promise_free(promise);
	weft_close(pair[0]);
	weft_close(pair[1]);
}

/* --- every wait ---------------------------------------------------------------------------- */

static int ends_every_wait(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_spawn(sleeper(), NULL, forever, NULL), 0);
	for (unsigned i = 0; i < WAITS; i++) {
		int64_t until_ns = weft_in_ns(SHORT_NS);
		weft_deadline *deadline = push(until_ns);

		CHECK_EQ(weft_deadline_get(), until_ns);
		CHECK_EQ(waits[i](), -ETIMEDOUT);
		CHECK_GE(weft_now(), until_ns);
		CHECK_EQ(weft_cancelled(), 0);
		/* Late by now: each at once. */
		for (unsigned j = 0; j < WAITS; j++)
			CHECK_EQ(waits[j](), -ETIMEDOUT);
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(weft_cancelled(), 0);
		CHECK_EQ(weft_deadline_pop(deadline), 1);
		CHECK_EQ(weft_deadline_get(), WEFT_FOREVER);
		CHECK_EQ(weft_sleep(100000), 0);
	}
	CHECK_EQ(weft_cancel(*sleeper()), 0);
	return weft_join(*sleeper(), WEFT_FOREVER, NULL);
}

/* One of each kind, at once. */
static int everybody(void *unused)
{
	struct party parties[2 * THREAD];

	(void)unused;
	objects();
	for (unsigned i = 0; i < 2 * THREAD; i++)
		party_start(&parties[i], (enum kind)(i % THREAD), ends_every_wait, NULL);
	for (unsigned i = 0; i < 2 * THREAD; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	end_objects();
	return 0;
}

TEST(deadline, ends_every_wait)
{
	everybody(NULL);
}

TEST_LIMIT(deadline, ends_every_wait_on_several_workers, 60)
{
	CHECK_EQ(weft_run(3, everybody, NULL, NULL), 0);
}

TEST(deadline, of_a_plain_thread)
{
	weft_deadline *deadline = push_soon();

	CHECK(weft_self() != NULL);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
}

static int yields(void *count)
{
	for (;;) {
		++*(int *)count;
		if (weft_task_yield() < 0)
			return 0;
	}
}

/* Who does not look at what calls return does not keep the thread. */
TEST(deadline, others_have_a_turn)
{
	static int count;
	weft_task *other;
	weft_deadline *deadline;
	int before;

	CHECK_EQ(weft_spawn(&other, NULL, yields, &count), 0);
	deadline = push(WEFT_NOWAIT);
	before = count;
	for (int i = 0; i < 100; i++)
		CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_GE(count - before, 50);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(weft_cancel(other), 0);
	CHECK_EQ(weft_join(other, WEFT_FOREVER, NULL), 0);
}

TEST(deadline, what_needs_no_wait_is_done)
{
	weft_deadline *deadline = push(WEFT_NOWAIT);
	int value = 3;

	CHECK_EQ(weft_chan_new(&chan, sizeof(int), 1), 0);
	CHECK_EQ(weft_chan_send(chan, &value, WEFT_FOREVER), 0);
	value = 0;
	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_FOREVER), 0);
	CHECK_EQ(value, 3);
	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	weft_chan_free(chan);
}

/* A wait's own deadline that comes first is that, and a sleep in time is a sleep. */
TEST(deadline, a_later_one_changes_nothing)
{
	weft_deadline *deadline = push(weft_in_s(100));

	CHECK_EQ(weft_chan_new(&chan, sizeof(int), 0), 0);
	CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(weft_sleep(0), 0);
	CHECK_EQ(weft_chan_recv(chan, NULL, weft_in_us(100)), -ETIMEDOUT);
	CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(weft_deadline_pop(deadline), 0);
	weft_chan_free(chan);
}

/* Keeps the worker while the sleep of the other ends, and the deadline after it. */
static int computes(void *until_ns)
{
	while (weft_now() <= *(int64_t *)until_ns)
		;
	return 0;
}

static int sleep_beside_it(int64_t ahead_ns)
{
	static int64_t until_ns;
	weft_deadline *deadline;
	weft_task *computing;
	int rc;

	until_ns = weft_in_ns(ahead_ns);
	deadline = push(until_ns);
	CHECK_EQ(weft_spawn(&computing, NULL, computes, &until_ns), 0);
	rc = weft_sleep_until(until_ns - ahead_ns / 2);
	CHECK_GE(weft_now(), until_ns);
	CHECK_EQ(weft_sleep(1000000), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(weft_join(computing, WEFT_FOREVER, NULL), 0);
	return rc;
}

/* Both timers fire in one look, and the sleep was over first; unless the machine is so slow that
 * the sleep has begun too late. */
TEST(deadline, a_sleep_that_was_over_before_is_not_cut_short)
{
	int64_t ahead_ns = 4000000;
	int rc;

	while ((rc = sleep_beside_it(ahead_ns)) == -ETIMEDOUT && ahead_ns < 1000000000)
		ahead_ns *= 2;
	CHECK_EQ(rc, 0);
}

/* --- nesting ---------------------------------------------------------------------------------- */

TEST(deadline, the_earliest_bounds)
{
	int64_t outer_ns = weft_in_s(50), inner_ns = weft_in_ns(SHORT_NS);
	weft_deadline *outer = push(outer_ns), *inner = push(inner_ns), *innermost;

	CHECK_EQ(weft_deadline_get(), inner_ns);
	innermost = push(weft_in_s(100));
	CHECK_EQ(weft_deadline_get(), inner_ns);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(innermost), 1);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(inner), 1);
	CHECK_EQ(weft_deadline_get(), outer_ns);
	CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(weft_deadline_pop(outer), 0);
}

TEST(deadline, an_outer_one_outlasts_the_inner)
{
	weft_deadline *outer = push_soon(), *inner = push(weft_in_s(50));

	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(inner), 1);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	inner = push(WEFT_FOREVER);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(inner), 1);
	inner = push(WEFT_NOWAIT);
	CHECK_EQ(weft_deadline_pop(inner), 1);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(outer), 1);
	CHECK_EQ(weft_sleep(100000), 0);
}

TEST(deadline, one_after_the_other)
{
	for (int i = 0; i < 200; i++) {
		weft_deadline *deadline = push(i % 3 ? weft_in_us(50) : weft_in_s(10));

		if (i % 3 == 1)
			CHECK_EQ(forever(NULL), -ETIMEDOUT);
		CHECK_GE(weft_deadline_pop(deadline), 0);
		CHECK_EQ(weft_sleep(i % 5 ? 0 : 100000), 0);
	}
}

/* --- misuse ----------------------------------------------------------------------------------- */

static int pops(void *deadline)
{
	return weft_deadline_pop(deadline);
}

TEST(deadline, errors)
{
	weft_deadline *outer, *inner, *none = (weft_deadline *)&outer;
	struct party party;

	CHECK_EQ(weft_deadline_pop(none), -EINVAL); /* not even a task */
	CHECK_EQ(weft_deadline_get(), WEFT_FOREVER);
	CHECK_EQ(weft_deadline_push(&none, -1), -EINVAL);
	CHECK_EQ(none, (weft_deadline *)&outer);
	CHECK(!weft_self());

	outer = push(weft_in_s(10));
	CHECK_EQ(weft_deadline_pop(NULL), -EINVAL);
	inner = push(weft_in_s(5));
	CHECK_EQ(weft_deadline_pop(outer), -EINVAL);
	party_start(&party, PRIVATE, pops, inner);
	CHECK_EQ(party_end(&party), -EINVAL);
	CHECK_EQ(weft_deadline_pop(inner), 0);
	CHECK_EQ(weft_deadline_pop(inner), -EINVAL);
	/* It may be where the other was. */
	CHECK_NE(push(weft_in_s(5)), inner);
	CHECK_EQ(weft_deadline_pop(inner), -EINVAL);
	CHECK_EQ(weft_deadline_pop(outer), -EINVAL);
}

static int runs_out(void *unused)
{
	weft_deadline *deadline = NULL;
	unsigned n;

	(void)unused;
	for (n = 1;; n++) {
		int rc;

		weft__fault_fail(n);
		rc = weft_deadline_push(&deadline, WEFT_NOWAIT);
		if (!weft__fault_fired())
			break;
		CHECK_EQ(rc, -ENOMEM);
		CHECK(!deadline);
		CHECK_EQ(weft_sleep(1000), 0);
	}
	CHECK_EQ(n, 3); /* it, and the task's ext */
	CHECK_EQ(weft_sleep(1000), -ETIMEDOUT);
	return weft_deadline_pop(deadline);
}

TEST(deadline, without_memory)
{
	struct party party;

	party_start(&party, PRIVATE, runs_out, NULL);
	CHECK_EQ(party_end(&party), 1);
}

/* --- with cancels ------------------------------------------------------------------------------ */

static int cancelled_before(void *unused)
{
	weft_deadline *deadline = push(weft_in_s(100));

	(void)unused;
	CHECK_EQ(forever(NULL), -ECANCELED);
	CHECK_EQ(weft_deadline_pop(deadline), 0);
	deadline = push(WEFT_NOWAIT); /* a cancel comes first */
	CHECK_EQ(forever(NULL), -ECANCELED);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(weft_cancelled(), 1);
	return forever(NULL);
}

static _Atomic bool is_late;

static int cancelled_after(void *unused)
{
	weft_deadline *deadline = push_soon();

	(void)unused;
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	is_late = true;
	while (!weft_cancelled())
		weft_task_yield();
	CHECK_EQ(forever(NULL), -ECANCELED);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(weft_cancelled(), 1);
	return forever(NULL);
}

static int cancels_both(void *unused)
{
	weft_task *task;
	int ret;

	(void)unused;
	is_late = false;
	CHECK_EQ(weft_spawn(&task, NULL, cancelled_before, NULL), 0);
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	CHECK_EQ(weft_spawn(&task, NULL, cancelled_after, NULL), 0);
	while (!is_late)
		CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	return 0;
}

TEST(deadline, a_cancel_survives_the_pop)
{
	cancels_both(NULL);
}

TEST(deadline, a_cancel_survives_the_pop_on_several_workers)
{
	CHECK_EQ(weft_run(2, cancels_both, NULL, NULL), 0);
}

/* Pops race the timers and the cancel of another worker. */
static int pushes_and_pops(void *unused)
{
	int64_t rest = 0;

	(void)unused;
	for (unsigned i = 0;; i++) {
		weft_deadline *outer = push(weft_in_us(i % 7 * 20));
		weft_deadline *inner = push(weft_in_us(i % 5 * 20));
		int rc = i % 3 ? weft_sleep(i % 4 * 30000) : 0;

		CHECK(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
		CHECK_GE(weft_deadline_pop(inner), 0);
		CHECK_GE(weft_deadline_pop(outer), 0);
		CHECK_EQ(weft_deadline_get(), WEFT_FOREVER);
		if (weft_cancelled())
			return (int)rest;
		rc = weft_sleep(i % 11 ? 0 : 1000);
		CHECK(rc == 0 || rc == -ECANCELED);
	}
}

static int races(void *unused)
{
	static const unsigned flags[] = { WEFT_MIGRATE, WEFT_SPREAD, 0, WEFT_MIGRATE };
	weft_task *tasks[8];

	(void)unused;
	for (unsigned i = 0; i < 8; i++) {
		weft_attr attr = { .flags = flags[i % 4] };

		CHECK_EQ(weft_spawn(&tasks[i], &attr, pushes_and_pops, NULL), 0);
	}
	CHECK_EQ(weft_sleep(200000000), 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(weft_cancel(tasks[i]), 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(deadline, pops_race_timers_and_cancels)
{
	CHECK_EQ(weft_run(3, races, NULL, NULL), 0);
}

/* --- shielded waits -------------------------------------------------------------------------- */

static int blocks_a_while(void *unused)
{
	int64_t until_ns = weft_in_ns(2 * SHORT_NS);

	(void)unused;
	while (weft_now() < until_ns)
		usleep(100);
	return 5;
}

TEST(deadline, an_offload_is_not_cut_short)
{
	weft_deadline *deadline = push_soon();
	int ret = 0;

	CHECK_EQ(weft_offload(blocks_a_while, NULL, &ret), 0);
	CHECK_EQ(ret, 5);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(weft_offload(blocks_a_while, NULL, &ret), 0);
}

static int computes_and_ends(void *ended)
{
	int64_t until_ns;

	while (!weft_cancelled()) /* by the close: until then the deadline always comes first */
		weft_task_yield();
	until_ns = weft_in_ns(2 * SHORT_NS);
	while (weft_now() < until_ns)
		weft_task_yield();
	*(bool *)ended = true;
	return 0;
}

TEST(deadline, the_close_of_a_scope_is_not_cut_short)
{
	static bool ended;
	weft_deadline *deadline = push_soon();
	weft_scope *scope;

	CHECK_EQ(weft_scope_open(&scope, 0), 0);
	CHECK_EQ(weft_scope_go(scope, computes_and_ends, &ended), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK(!ended);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_scope_left(scope), 1);
	CHECK_EQ(weft_scope_close(scope), 0);
	CHECK(ended);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
}

/* The mutex is held again when the wait for the condition is over. */
TEST(deadline, a_condition_gives_the_mutex_back)
{
	weft_deadline *deadline = push_soon();

	CHECK_EQ(weft_mutex_init(&mutex, 0), 0);
	CHECK_EQ(weft_cond_init(&cond), 0);
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	CHECK_EQ(weft_cond_wait(&cond, &mutex, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_cond_wait(&cond, &mutex, WEFT_FOREVER), -ETIMEDOUT);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
}

/* --- circles that end --------------------------------------------------------------------------- */

static weft_task *first, *second;
static bool is_over;

static int joins_first(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_join(first, WEFT_FOREVER, NULL), 0);
	is_over = true;
	return 0;
}

static int joins_second(void *unused)
{
	weft_deadline *deadline = push_soon();

	(void)unused;
	CHECK_EQ(weft_join(second, WEFT_FOREVER, NULL), -ETIMEDOUT);
	return weft_deadline_pop(deadline);
}

/* Whoever closes the circle. */
TEST(deadline, a_circle_that_ends_is_no_deadlock)
{
	for (int i = 0; i < 2; i++) {
		is_over = false;
		if (i)
			CHECK_EQ(weft_spawn(&first, NULL, joins_second, NULL), 0);
		CHECK_EQ(weft_spawn(&second, NULL, joins_first, NULL), 0);
		if (!i)
			CHECK_EQ(weft_spawn(&first, NULL, joins_second, NULL), 0);
		while (!is_over)
			CHECK_EQ(weft_sleep(100000), 0);
		CHECK_EQ(weft_join(second, WEFT_FOREVER, NULL), 0);
	}
}

/* --- ends ---------------------------------------------------------------------------------------- */

static int cleanup_waited, cleanup_after;

static void waits_late(void *unused)
{
	(void)unused;
	cleanup_waited = weft_sleep(1000);
}

static void waits_after(void *unused)
{
	(void)unused;
	cleanup_after = weft_sleep(1000);
	CHECK_EQ(weft_deadline_get(), WEFT_FOREVER);
}

static int leaves_one(void *unused)
{
	weft_cleanup before, inside;

	(void)unused;
	CHECK_EQ(weft_cleanup_push(&before, waits_after, NULL), 0);
	push(WEFT_NOWAIT);
	push(weft_in_s(100));
	CHECK_EQ(weft_cleanup_push(&inside, waits_late, NULL), 0);
	weft_exit(0);
}

TEST(deadline, ends_with_its_task)
{
	for (unsigned kind = 0; kind < THREAD; kind++) {
		struct party party;

		cleanup_waited = cleanup_after = 1;
		party_start(&party, (enum kind)kind, leaves_one, NULL);
		CHECK_EQ(weft_join(party.task, WEFT_FOREVER, NULL), 0);
		CHECK_EQ(cleanup_waited, -ETIMEDOUT);
		CHECK_EQ(cleanup_after, 0);
	}
	CHECK_EQ(weft_sleep(1000000), 0);
}

static void *leaves_in_thread(void *unused)
{
	(void)unused;
	push_soon();
	return NULL;
}

TEST(deadline, ends_with_its_thread)
{
	for (int i = 0; i < 3; i++) {
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, leaves_in_thread, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

static int leaves_in_main(void *unused)
{
	(void)unused;
	push(WEFT_NOWAIT);
	return 4;
}

TEST(deadline, ends_with_the_main_task)
{
	int ret = 0;

	CHECK_EQ(weft_run(1, leaves_in_main, NULL, &ret), 0);
	CHECK_EQ(ret, 4);
	CHECK_EQ(weft_run(2, leaves_in_main, NULL, &ret), 0);
}

/* --- coroutines ----------------------------------------------------------------------------------- */

static weft_deadline *of_coroutine;

static void *pushes_and_yields(void *unused, void *value)
{
	(void)unused;
	of_coroutine = push(weft_in_s(100));
	weft_yield(value);
	CHECK_GE(weft_deadline_pop(of_coroutine), 0);
	return NULL;
}

static weft_coroutine *suspended(void)
{
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, pushes_and_yields, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	return co;
}

/* It bounds the task, and only the coroutine pops it. */
TEST(deadline, in_a_coroutine)
{
	weft_deadline *outer = push(weft_in_s(200));
	weft_coroutine *co = suspended();

	CHECK_LT(weft_deadline_get(), weft_in_s(150));
	CHECK_EQ(weft_deadline_pop(of_coroutine), -EINVAL);
	CHECK_EQ(weft_deadline_pop(outer), -EINVAL);
	CHECK_EQ(weft_resume(co, NULL, NULL), 0);
	CHECK_GT(weft_deadline_get(), weft_in_s(150));
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(weft_deadline_pop(outer), 0);
}

/* It goes with its coroutine, from below a later one too: that is armed then. */
TEST(deadline, goes_with_its_coroutine)
{
	weft_deadline *outer = push(weft_in_s(200)), *inner;
	weft_coroutine *co = suspended();

	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(weft_deadline_pop(outer), 0);

	CHECK_EQ(weft_coroutine_new(&co, pushes_and_yields, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	inner = push(weft_in_s(150));
	CHECK_LT(weft_deadline_get(), weft_in_s(120));
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_GT(weft_deadline_get(), weft_in_s(120));
	CHECK_EQ(weft_deadline_pop(inner), 0);
	CHECK_EQ(weft_deadline_get(), WEFT_FOREVER);
}

static weft_coroutine *left_behind;

static int leaves_a_coroutine(void *unused)
{
	(void)unused;
	left_behind = suspended();
	return 0;
}

/* Its task ends; the coroutine goes on in another, and pops what bounds nobody any more. */
TEST(deadline, a_coroutine_that_outlives_its_task)
{
	struct party party;

	party_start(&party, PRIVATE, leaves_a_coroutine, NULL);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(weft_deadline_get(), WEFT_FOREVER);
	CHECK_EQ(weft_sleep(1000), 0);
	CHECK_EQ(weft_coroutine_free(left_behind), 0);
}

static void *pushes_late(void *unused, void *value)
{
	(void)unused;
	push(WEFT_NOWAIT);
	return weft_yield(value);
}

/* The task of a coroutine that is freed is late no more, though another one frees it. */
static int frees(void *co)
{
	return weft_coroutine_free(co);
}

TEST(deadline, another_task_frees_the_coroutine)
{
	weft_coroutine *co;
	struct party party;

	CHECK_EQ(weft_sleep(1000), 0);
	CHECK_EQ(weft_coroutine_new(&co, pushes_late, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(weft_sleep(1000), -ETIMEDOUT);
	party_start(&party, PRIVATE, frees, co);
	while (!party.over)
		CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_sleep(1000), 0);
	CHECK_EQ(weft_join(party.task, WEFT_FOREVER, NULL), 0);
}

/* --- fork ------------------------------------------------------------------------------------------- */

#if !WEFT_TSAN /* which takes the child of a fork that goes on for a race */
static int forks(void *unused)
{
	weft_deadline *deadline = push(weft_in_ns(20000000));
	int status;
	pid_t child = fork();

	(void)unused;
	if (child == 0)
		_exit(forever(NULL) == -ETIMEDOUT && weft_deadline_pop(deadline) == 1 &&
		      weft_sleep(1000) == 0);
	CHECK_EQ(forever(NULL), -ETIMEDOUT);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 1);
	return weft_deadline_pop(deadline);
}

TEST(deadline, goes_on_in_the_child_of_a_fork)
{
	struct party party;
	int ret;

	CHECK_EQ(forks(NULL), 1);
	party_start(&party, PRIVATE, forks, NULL);
	CHECK_EQ(party_end(&party), 1);
	CHECK_EQ(weft_run(1, forks, NULL, &ret), -EBUSY);
}

TEST(deadline, goes_on_in_the_child_of_a_crew)
{
	int ret;

	CHECK_EQ(weft_run(2, forks, NULL, &ret), 0);
	CHECK_EQ(ret, 1);
}
#endif
