/* SPDX-License-Identifier: MIT
 *
 * deadlock.c - when nothing can ever run again: said, and only then.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/log.h>
#include <core/handoff.h>
#include <core/park.h>
#include <core/waitable.h>
#include <debug/deadlock.h>
#include <weft/actor.h>
#include <weft/debug.h>
#include <weft/io.h>
#include <weft/scope.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "../test.h"

static weft_task *tasks[8];

static int join_numbered(void *arg)
{
	return weft_join(tasks[(intptr_t)arg], WEFT_FOREVER, NULL);
}

static int join_numbered_timed(void *arg)
{
	return weft_join(tasks[(intptr_t)arg], weft_in_s(3600), NULL);
}

static void spawn(int number, const char *name, weft_fn *fn, void *arg)
{
	weft_attr attr = { .name = name };

	CHECK_EQ(weft_spawn(&tasks[number], &attr, fn, arg), 0);
}

/* fn(arg) ends by our exit status, and has said all of the needles. */
static void check_deadlock(void (*fn)(void *arg), void *arg, const char *const *needles)
{
	struct death death = run_to_death(fn, arg);

	CHECK_EQ(death.signal, 0);
	if (death.code != WEFT_DEADLOCK_STATUS)
		test_fail_strings(__FILE__, __LINE__, "no deadlock was found", "", death.text);
	for (; *needles; needles++)
		if (!strstr(death.text, *needles))
			test_fail_strings(__FILE__, __LINE__, "the report lacks", *needles,
					  death.text);
}
#define CHECK_DEADLOCK(fn, arg, ...) \
	check_deadlock((fn), (arg), (const char *const[]){ __VA_ARGS__, NULL })

/* --- circles of joins: named at once --------------------------------------------------- */

static void join_in_circle(void *arg)
{
	intptr_t count = (intptr_t)arg;
	static const char *const names[] = { "a", "b", "c" };

	for (intptr_t i = 0; i < count; i++)
		spawn((int)i, names[i], join_numbered, (void *)((i + 1) % count));
	weft_sleep(10000000);
	exit(0);
}

TEST(join_cycle, of_two)
{
	CHECK_DEATH(SIGABRT, "weft: a circle of waits can never end:", join_in_circle, (void *)2);
	CHECK_DEATH(SIGABRT, "task 2 \"a\" (spawned at ", join_in_circle, (void *)2);
	CHECK_DEATH(SIGABRT, ") joins task 3\n", join_in_circle, (void *)2);
	CHECK_DEATH(SIGABRT, "was about to join the first of them", join_in_circle, (void *)2);
}

TEST(join_cycle, of_three)
{
	CHECK_DEATH(SIGABRT, ") joins task 4\n", join_in_circle, (void *)3);
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 7;
}

static int sleep_shortly(void *arg)
{
	(void)arg;
	return weft_sleep(1000000);
}

TEST(join_cycle, a_chain_is_none)
{
	spawn(0, "end", sleep_shortly, NULL);
	for (int i = 1; i < 8; i++)
		spawn(i, "chain", join_numbered, (void *)(intptr_t)(i - 1));
	weft_task_yield();
	CHECK_EQ(weft_join(tasks[7], WEFT_FOREVER, NULL), 0);
}

/* One of them will give up: that is no circle that never ends. */
TEST(join_cycle, a_deadline_is_a_way_out)
{
	spawn(0, "a", join_numbered_timed, (void *)1);
	spawn(1, "b", join_numbered, (void *)0);
	weft_sleep(1000000);
	CHECK_EQ(weft_cancel(tasks[0]), 0);
	weft_sleep(1000000);
	CHECK_EQ(weft_join(tasks[1], WEFT_FOREVER, NULL), 0);
}

/* --- deadlocks -------------------------------------------------------------------------- */

struct toy {
	struct waitable waitable;
	int holder; /* index of tasks[], or -1 */
	_Atomic uint64_t ticket;
};

static struct task *holder_of_toy(const struct waitable *object)
{
	int holder = container_of(object, struct toy, waitable)->holder;

	return holder < 0 ? NULL : tagged_pointer((uintptr_t)tasks[holder]);
}

static const struct waitable_kind toy_kind = { .noun = "toy", .holder = holder_of_toy };
static struct toy toys[2] = { { { &toy_kind }, 0, 0 }, { { &toy_kind }, 1, 0 } };

static int wait_for_toy(void *arg)
{
	struct task *self = weft__task_self(NULL);
	struct toy *toy = arg;

	toy->ticket = weft__park_begin(self);
	self->waiter.object = &toy->waitable;
	return weft__park(self, WAIT_OBJECT, WEFT_FOREVER);
}

static void hold_and_wait(void *arg)
{
	(void)arg;
	spawn(0, "a", wait_for_toy, &toys[1]);
	spawn(1, "b", wait_for_toy, &toys[0]);
	weft_join(tasks[0], WEFT_FOREVER, NULL);
	abort();
}

TEST(deadlock, two_tasks_that_hold_what_the_other_wants)
{
	CHECK_DEADLOCK(
		hold_and_wait, NULL,
		"weft: deadlock: 3 tasks wait, and nothing is left that could wake them\n",
		"  a circle of 2:\n    task 2 \"a\" (", "unit/deadlock.c:", ") waits for toy 0x",
		", held by task 3 \"b\"\n", ", held by task 2 \"a\"\n",
		"  and in no circle:\n    task 1 (\"main\" of worker 1) waits for join of task 2",
		"weft: 3 tasks: 1 joining, 2 waiting for an object", "wait_for_toy+0x");
}

static int own_scope(void *arg)
{
	weft_attr attr = { .name = "child" };
	weft_scope *scope;

	(void)arg;
	CHECK_EQ(weft_scope_open(&scope, 0), 0);
	CHECK_EQ(weft_scope_spawn(scope, &attr, join_numbered, (void *)0), 0);
	return weft_scope_wait(scope, WEFT_FOREVER);
}

static void wait_for_child(void *arg)
{
	(void)arg;
	spawn(0, "owner", own_scope, NULL);
	wait_for_toy(&toys[0]); /* and not for the owner: one task joins at a time */
	abort();
}

TEST(deadlock, a_child_that_waits_for_the_scope_it_is_in)
{
	CHECK_DEATH(SIGABRT, "weft: a circle of waits can never end:", wait_for_child, NULL);
	CHECK_DEATH(SIGABRT, "\"owner\" (spawned at ", wait_for_child, NULL);
	CHECK_DEATH(SIGABRT, ") waits for scope 0x", wait_for_child, NULL);
	CHECK_DEATH(SIGABRT, "\"child\" (spawned at ", wait_for_child, NULL);
}

static void wait_and_join(void *arg)
{
	(void)arg;
	toys[0].holder = 1;
	spawn(0, "a", wait_for_toy, &toys[0]);
	spawn(1, "b", join_numbered, (void *)0);
	weft_join(tasks[1], WEFT_FOREVER, NULL);
	abort();
}

TEST(join_cycle, of_a_join_and_an_object)
{
	CHECK_DEATH(SIGABRT, "task 2 \"a\" (spawned at ", wait_and_join, NULL);
	CHECK_DEATH(SIGABRT, ") waits for toy 0x", wait_and_join, NULL);
	CHECK_DEATH(SIGABRT, ", held by task 3\n", wait_and_join, NULL);
	CHECK_DEATH(SIGABRT, "was about to join the first of them", wait_and_join, NULL);
}

static int wait_and_join_apart(void *arg)
{
	weft_attr a = { .name = "a", .flags = WEFT_MIGRATE }, b = { .name = "b" };

	(void)arg;
	toys[0].holder = 1;
	CHECK_EQ(weft_spawn(&tasks[0], &a, wait_for_toy, &toys[0]), 0);
	CHECK_EQ(weft_spawn(&tasks[1], &b, join_numbered, (void *)0), 0);
	weft_join(tasks[1], WEFT_FOREVER, NULL);
	abort();
}

static void run_apart(void *arg)
{
	weft_run(2, wait_and_join_apart, arg, NULL);
	abort();
}

/* One that may move is not followed: others may wake it meanwhile. */
TEST(deadlock, a_waiter_whose_holder_joins_it)
{
	CHECK_DEADLOCK(run_apart, NULL, "a circle of 2:", "waits for join of task 2 \"a\"",
		       "held by task 3 \"b\"");
}

/* Row 60: over two workers, so that nobody names it at once. */
static weft_mutex mutexes[2];

static int lock_both(void *arg)
{
	intptr_t first = (intptr_t)arg;
	static _Atomic int there;

	CHECK_EQ(weft_mutex_lock(&mutexes[first], WEFT_FOREVER), 0);
	there++;
	while (there < 2)
		weft_task_yield();
	return weft_mutex_lock(&mutexes[1 - first], WEFT_FOREVER);
}

static int lock_both_apart(void *arg)
{
	weft_attr a = { .name = "a", .flags = WEFT_MIGRATE }, b = { .name = "b" };

	(void)arg;
	CHECK_EQ(weft_spawn(&tasks[0], &a, lock_both, (void *)0), 0);
	CHECK_EQ(weft_spawn(&tasks[1], &b, lock_both, (void *)1), 0);
	weft_join(tasks[1], WEFT_FOREVER, NULL);
	abort();
}

static void run_lockers(void *arg)
{
	weft_run(2, lock_both_apart, arg, NULL);
	abort();
}

TEST(deadlock, two_mutexes)
{
	CHECK_DEADLOCK(run_lockers, NULL, "a circle of 2:", "task 2 \"a\" (",
		       ") waits for mutex 0x", ", held by task 3 \"b\"\n", "task 3 \"b\" (",
		       ", held by task 2 \"a\"\n");
}

static int wait_alone(void *arg)
{
	(void)arg;
	toys[0].holder = -1;
	return wait_for_toy(&toys[0]);
}

static void run_waiter(void *arg)
{
	weft_run(1, wait_alone, arg, NULL);
	abort();
}

TEST(deadlock, one_task_that_nobody_can_wake)
{
	CHECK_DEADLOCK(run_waiter, NULL,
		       "deadlock: 1 task waits, and nothing is left that could wake it");
}

static int leave_waiter_behind(void *arg)
{
	(void)arg;
	toys[0].holder = -1;
	spawn(0, "left", wait_for_toy, &toys[0]);
	return 0;
}

static void run_leaver(void *arg)
{
	weft_run(1, leave_waiter_behind, arg, NULL);
	abort();
}

TEST(deadlock, a_runtime_that_waits_for_its_tasks)
{
	CHECK_DEADLOCK(run_leaver, NULL, "waits for the end of its tasks", "task 2 \"left\"");
}

/* A longer circle than wait_cycle.c follows, made at once. */
static weft_task *ring[100];

static int join_next(void *arg)
{
	return weft_join(ring[((intptr_t)arg + 1) % 100], WEFT_FOREVER, NULL);
}

static void make_ring_and_wait(void *arg)
{
	(void)arg;
	for (intptr_t i = 0; i < 100; i++)
		CHECK_EQ(weft_spawn(&ring[i], NULL, join_next, (void *)i), 0);
	wait_alone(NULL);
}

TEST(deadlock, a_circle_of_a_hundred)
{
	CHECK_DEADLOCK(make_ring_and_wait, NULL, "  a circle of 100:\n");
}

/* Each handles a message by asking the other one. */
static int ask_the_other(void *state, weft_message *message)
{
	(void)message;
	return weft_actor_ask(*(weft_actor **)state, NULL, WEFT_FOREVER, NULL);
}

static void ask_each_other(void *arg)
{
	static weft_actor *actors[2];

	(void)arg;
	for (int i = 0; i < 2; i++) {
		weft_actor_attr attr = { .task = { .name = i ? "hen" : "egg" } };

		CHECK_EQ(weft_actor_spawn(&actors[i], &attr, ask_the_other, &actors[!i]), 0);
	}
	weft_actor_ask(actors[0], NULL, WEFT_FOREVER, NULL);
	exit(3);
}

TEST(deadlock, two_actors_that_ask_each_other)
{
	CHECK_DEADLOCK(ask_each_other, NULL, "a circle of 2:", "task 2 \"egg\" ",
		       "(pending, 1 wait), expected of task 3 \"hen\"");
}

/* A promise that one task is expected to settle may be settled by another: no circle. */
static weft_promise *passed_on;
static weft_task *asker;

static int pass_on(void *state, weft_message *message)
{
	(void)state;
	passed_on = message->promise;
	message->promise = NULL;
	return weft_join(asker, WEFT_FOREVER, NULL);
}

static int ask_and_return(void *arg)
{
	return weft_actor_ask(arg, NULL, WEFT_FOREVER, NULL);
}

TEST(deadlock, not_when_another_one_answers)
{
	weft_actor *actor;

	CHECK_EQ(weft_actor_spawn(&actor, NULL, pass_on, NULL), 0);
	CHECK_EQ(weft_spawn(&asker, NULL, ask_and_return, actor), 0);
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_promise_resolve(passed_on, NULL), 0);
	weft_promise_free(passed_on);
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(weft_actor_join(actor, WEFT_FOREVER, NULL), 0);
	weft_actor_free(actor);
}

/* --- silence ------------------------------------------------------------------------------ */

/* Everything else is in a deadlock, but for one thing. Long enough to be found. */
static void stay_silent(weft_fn *lively, void *arg)
{
	toys[0].holder = -1;
	spawn(0, "stuck", wait_for_toy, &toys[0]);
	spawn(1, "lively", lively, arg);
	CHECK_EQ(weft_join(tasks[1], WEFT_FOREVER, NULL), 0);
	exit(3);
}

#define CHECK_SILENT(fn)                                                                     \
	do {                                                                                 \
		struct death death = run_to_death((fn), NULL);                               \
		if (death.code != 3 || death.text[0])                                        \
			test_fail_strings(__FILE__, __LINE__, "not silent", "", death.text); \
	} while (0)

static int64_t long_enough(void)
{
	return 10 * INT64_C(20000000);
}

static int sleep_long(void *arg)
{
	(void)arg;
	return weft_sleep(long_enough());
}

static void with_timer(void *arg)
{
	(void)arg;
	stay_silent(sleep_long, NULL);
}

static int pipe_fds[2];

static void *write_later(void *arg)
{
	poll(NULL, 0, (int)(long_enough() / 1000000));
	CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
	return arg;
}

static int read_pipe(void *arg)
{
	char c;

	(void)arg;
	return weft_read(pipe_fds[0], &c, 1, WEFT_FOREVER) == 1 ? 0 : -1;
}

/* The other end is in another process. */
static void with_descriptor(void *arg)
{
	(void)arg;
	CHECK_EQ(pipe(pipe_fds), 0);
	if (fork() == 0) {
		write_later(NULL);
		_exit(0);
	}
	stay_silent(read_pipe, NULL);
}

static int block_on_pipe(void *arg)
{
	char c;

	(void)arg;
	poll(NULL, 0, (int)(long_enough() / 1000000));
	return (int)read(pipe_fds[0], &c, 1) == 1 ? 0 : -1;
}

static int offload(void *arg)
{
	int rc = -1;

	CHECK_EQ(weft_offload(block_on_pipe, arg, &rc), 0);
	return rc;
}

static void with_offload(void *arg)
{
	(void)arg;
	CHECK_EQ(pipe(pipe_fds), 0);
	CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
	stay_silent(offload, NULL);
}

static void *wake_later(void *arg)
{
	poll(NULL, 0, (int)(long_enough() / 1000000));
	weft__wake(toys[1].ticket, 0);
	return arg;
}

static void with_foreign_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	toys[1].holder = -1;
	CHECK_EQ(pthread_create(&thread, NULL, wake_later, NULL), 0);
	stay_silent(wait_for_toy, &toys[1]);
}

static int wake_from_task(void *arg)
{
	(void)arg;
	wake_later(NULL); /* blocks its thread: it counts as running */
	return 0;
}

static void *run_other(void *arg)
{
	weft_run(1, wake_from_task, arg, NULL);
	return NULL;
}

static void with_other_runtime(void *arg)
{
	pthread_t thread;

	(void)arg;
	toys[1].holder = -1;
	CHECK_EQ(pthread_create(&thread, NULL, run_other, NULL), 0);
	stay_silent(wait_for_toy, &toys[1]);
}

static int wait_timed(void *arg)
{
	struct task *self = weft__task_self(NULL);
	struct toy *toy = arg;

	toy->ticket = weft__park_begin(self);
	self->waiter.object = &toy->waitable;
	CHECK_EQ(weft__park(self, WAIT_OBJECT, weft_in_ns(long_enough())), -ETIMEDOUT);
	exit(3);
}

static void *run_timed(void *arg)
{
	weft_run(1, wait_timed, arg, NULL);
	return NULL;
}

static void with_timer_elsewhere(void *arg)
{
	pthread_t thread;

	(void)arg;
	toys[1].holder = -1;
	CHECK_EQ(pthread_create(&thread, NULL, run_timed, &toys[1]), 0);
	wait_alone(NULL);
}

static void on_alarm(int sig)
{
	(void)sig;
	_exit(3);
}

static int sleep_for_ever(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

static void with_endless_sleep(void *arg)
{
	(void)arg;
	signal(SIGALRM, on_alarm);
	ualarm((useconds_t)(long_enough() / 1000), 0);
	stay_silent(sleep_for_ever, NULL);
}

static void switched_off(void *arg)
{
	setenv("WEFT_DEADLOCK", arg ? "on" : "off", 1);
	signal(SIGALRM, on_alarm);
	ualarm((useconds_t)(long_enough() / 1000), 0);
	if (arg) {
		weft_task_yield();
		weft_sleep(1);
		CHECK_EQ(weft_deadlock_detect(0), 1);
	}
	wait_alone(NULL);
}

static void switched_off_by_call(void *arg)
{
	(void)arg;
	switched_off((void *)1);
}

TEST(deadlock, silent_while_a_timer_is_armed)
{
	CHECK_SILENT(with_timer);
}

TEST(deadlock, silent_while_another_worker_has_a_timer)
{
	CHECK_SILENT(with_timer_elsewhere);
}

TEST(deadlock, silent_while_a_descriptor_is_awaited)
{
	CHECK_SILENT(with_descriptor);
}

TEST(deadlock, silent_while_a_helper_works)
{
	CHECK_SILENT(with_offload);
}

TEST(deadlock, silent_while_there_is_a_foreign_thread)
{
	CHECK_SILENT(with_foreign_thread);
}

TEST(deadlock, silent_while_another_runtime_runs)
{
	CHECK_SILENT(with_other_runtime);
}

TEST(deadlock, silent_while_a_task_sleeps_without_end)
{
	CHECK_SILENT(with_endless_sleep);
}

TEST(deadlock, silent_when_switched_off)
{
	CHECK_SILENT(switched_off);
	CHECK_SILENT(switched_off_by_call);
}

/* --- two runtimes ----------------------------------------------------------------------- */

static void *wait_in_thread(void *arg)
{
	weft_run(1, wait_for_toy, arg, NULL);
	return NULL;
}

static int join_ended_later(void *arg)
{
	pthread_t thread;

	(void)arg;
	toys[0].holder = toys[1].holder = -1;
	CHECK_EQ(pthread_create(&thread, NULL, wait_in_thread, &toys[1]), 0);
	return wait_for_toy(&toys[0]);
}

static void two_runtimes(void *arg)
{
	weft_run(1, join_ended_later, arg, NULL);
}

TEST(deadlock, of_two_runtimes)
{
	CHECK_DEADLOCK(two_runtimes, NULL, "deadlock: 2 tasks wait", "worker 2: 1 task");
}

/* A helper that has nothing to do does not hide it. */
static void after_offload(void *arg)
{
	int rc;

	(void)arg;
	weft_task_yield();
	weft_sleep(1);
	CHECK_EQ(weft_offload(end_at_once, NULL, &rc), 0);
	CHECK_EQ(rc, 7);
	wait_alone(NULL);
}

TEST(deadlock, beside_an_idle_helper)
{
	CHECK_DEADLOCK(after_offload, NULL, "deadlock: 1 task waits");
}

/* --- several workers -------------------------------------------------------------------- */

/* Each on a worker of its own, so that neither sees the other's wait when it begins its. */
static int join_across(void *arg)
{
	intptr_t other = (intptr_t)arg;

	CHECK_EQ(weft_sleep(2000000), 0);
	return weft_join(tasks[other], WEFT_FOREVER, NULL);
}

/* Nothing is over while it sleeps. */
static int sleep_and_leave(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_sleep(200000000), 0);
	_exit(0);
}

static int spawn_across(void *arg)
{
	weft_attr attr = { .name = "left", .flags = WEFT_SPREAD };

	CHECK_EQ(weft_spawn(&tasks[0], &attr, join_across, (void *)1), 0);
	attr.name = "right";
	CHECK_EQ(weft_spawn(&tasks[1], &attr, join_across, (void *)0), 0);
	if (arg) {
		weft_attr movable = { .flags = WEFT_MIGRATE };

		CHECK_EQ(weft_spawn(NULL, &movable, sleep_and_leave, NULL), 0);
	}
	return 0;
}

static void run_across(void *arg)
{
	weft_run(2, spawn_across, arg, NULL);
}

TEST(deadlock, across_workers)
{
	CHECK_DEADLOCK(run_across, NULL, "\"left\"", "waits for join of task 3 \"right\"",
		       "a circle of 2", "weft: deadlock");
}

TEST(deadlock, not_while_a_timer_of_a_movable_task_is_armed)
{
	struct death death = run_to_death(run_across, tasks);

	CHECK_EQ(death.signal, 0);
	CHECK_EQ(death.code, 0);
}

/* --- tasks that wait for a resume ------------------------------------------------------ */

static int suspend(void *arg)
{
	(void)arg;
	weft__handoff_yield();
	return 0;
}

static void suspended_and_waiting(void *arg)
{
	struct handoff hand = { .task = NULL };
	weft_event event = { 0 };

	CHECK_EQ(weft__handoff_new(&hand, NULL, suspend, NULL, WEFT_HERE), 0);
	CHECK_EQ(weft__handoff_take(&hand), 0);
	weft__handoff_resume(&hand);
	(void)arg;
	weft_event_wait(&event, WEFT_FOREVER);
}

TEST(deadlock, nobody_is_left_to_resume)
{
	CHECK_DEADLOCK(suspended_and_waiting, NULL, "weft: deadlock", "waits for being resumed");
}
