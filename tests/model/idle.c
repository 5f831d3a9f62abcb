/* SPDX-License-Identifier: MIT
 *
 * idle.c - the sleep protocol: nobody sleeps while there is work that he could take.
 *
 * A task computes for ever, so that a worker which has taken one is lost to all others:
 * this is the hardest case. In the end each task has a worker, or no worker sleeps; and
 * spinning is 0.
 */
#include <core/idle.h>
#include <core/inbox.h>
#include <core/injector.h>
#include <core/ring.h>

#include "../test.h"
#include "model.h"

#include <core/injector.c> /* as a model: its atomics are steps */

#ifndef PREEMPTIONS
#define PREEMPTIONS 5
#endif
enum { WORKERS = 3, RINGS = 2, TASKS = 3 };

enum mutants {
	NO_SECOND_LOOK = 1,
	LOOK_BEFORE_ANNOUNCE,
	LAST_SPINNER_IS_SILENT,
	SPINNER_LOOKS_TOO_EARLY,
	NOTIFIER_FORGETS,
	WITHDRAW_FORGETS,
	SPINS_WHILE_IT_RUNS,
	SAW_AND_LEFT_IT,
	BATCH_IN_SILENCE,
	NO_NOTIFY,
	NO_WAKE
};

static struct {
	struct idle idle;
	struct ring rings[RINGS];
	struct injector injector;
	_Atomic(struct task *) inbox; /* of worker 0 */
	_Atomic uint32_t eventfds[WORKERS];
	struct task tasks[TASKS];
	bool ran[TASKS];
	/* What a worker keeps from one call to the next: here, so that it is part of the
	 * state, and checkpoints may forget the rest. */
	struct keeps {
		bool spins; /* it is counted */
		bool saw;   /* its last look found something for anybody */
		struct task *task;
	} keeps[WORKERS];
} shared;

/* In a model there is no CPU to give up: the holder will have changed something. */
void weft__spin_lock_slow(struct spinlock *lock)
{
	do
		model_relax();
	while (!cas32(&lock->held, 0, 1));
}

static void setup_workers(unsigned workers)
{
	memset(&shared, 0, sizeof shared);
	shared.idle.workers = workers;
	shared.idle.spinners_max = (workers + 1) / 2;
}

static void run(const struct task *task)
{
	MODEL_CHECK(!shared.ran[task - shared.tasks]);
	shared.ran[task - shared.tasks] = true;
}

/* --- publishers ------------------------------------------------------------------------- */

/* idle_notify() without the look after it took its count back. */
static int forgetful_notify(void)
{
	uint32_t none = 0;
	int index;

	if (!idle_any_asleep(&shared.idle) || atomic_load(&shared.idle.spinning))
		return -1;
	if (!atomic_compare_exchange_strong(&shared.idle.spinning, &none, 1))
		return -1;
	index = idle_take_sleeper(&shared.idle);
	if (index < 0)
		atomic_fetch_sub(&shared.idle.spinning, 1);
	return index;
}

static void notify(void)
{
	int index =
		model_mutant() == NOTIFIER_FORGETS ? forgetful_notify() : idle_notify(&shared.idle);

	if (index >= 0)
		model_post(&shared.eventfds[index]);
}

static void publish(unsigned ring, unsigned task)
{
	MODEL_CHECK(ring_push(&shared.rings[ring], &shared.tasks[task]));
	model_checkpoint(8 + task);
	if (model_mutant() != NO_NOTIFY)
		notify();
	model_checkpoint(task);
}

/* --- a worker that has nothing to run, as idle.h says ------------------------------------ */

/* A place in the code; all else that a worker needs is in its keeps. */
enum place { TOP, SPUN, SEARCHED, KEPT, STOPPED, ANNOUNCED, LOOKED, AWAKE };

static void at(enum place place)
{
	model_checkpoint(place);
}

static struct task *search(void)
{
	struct task *task;

	for (unsigned i = 0; i < RINGS; i++) {
		if (ring_steal_half(&shared.rings[i], &task, 1))
			return task;
		model_checkpoint(100 + i);
	}
	return NULL;
}

static bool look_again(void)
{
	for (unsigned i = 0; i < RINGS; i++)
		if (ring_count(&shared.rings[i]))
			return true;
	return false;
}

static void begin_spin(struct keeps *self)
{
	at(TOP);
	if (!self->spins)
		self->spins = idle_begin_spin(&shared.idle);
	MODEL_CHECK(shared.idle.spinning <= shared.idle.spinners_max);
	at(SPUN);
}

static void end_spin(struct keeps *self, bool found)
{
	if (self->spins && idle_end_spin(&shared.idle, found) &&
	    model_mutant() != LAST_SPINNER_IS_SILENT)
		notify();
	self->spins = false;
	at(STOPPED);
}

static unsigned index_of(const struct keeps *self)
{
	return (unsigned)(self - shared.keeps);
}

/* Announce, look, sleep; then it is a spinner or not. One that has not stopped yet does
 * so too late. */
static void sleep_unless(struct keeps *self, bool (*look)(void))
{
	self->saw = false;
	if (model_mutant() == LOOK_BEFORE_ANNOUNCE)
		self->saw = look();
	if (!self->saw)
		idle_announce(&shared.idle, index_of(self));
	at(ANNOUNCED);
	if (model_mutant() != NO_SECOND_LOOK && model_mutant() != LOOK_BEFORE_ANNOUNCE)
		self->saw = look();
	at(LOOKED);
	end_spin(self, false);
	if (!self->saw)
		model_await(&shared.eventfds[index_of(self)]);
	at(AWAKE);
	self->spins =
		idle_withdraw(&shared.idle, index_of(self)) && model_mutant() != WITHDRAW_FORGETS;
}

/* One round. False: it has a task, and computes. */
static bool go_round(struct keeps *self)
{
	begin_spin(self);
	self->task = search();
	at(SEARCHED);
	if (self->task || model_mutant() != SPINNER_LOOKS_TOO_EARLY)
		end_spin(self, self->task != NULL);
	if (self->task) {
		run(self->task);
		return false;
	}
	sleep_unless(self, look_again);
	return true;
}

static void worker(unsigned index)
{
	while (go_round(&shared.keeps[index]))
		;
}

static void worker_1(void)
{
	worker(1);
}

static void worker_2(void)
{
	worker(2);
}

static void nobody_sleeps_beside_work(unsigned first_worker, unsigned workers)
{
	unsigned left = 0, asleep = 0;

	for (unsigned i = 0; i < RINGS; i++)
		left += ring_count(&shared.rings[i]);
	for (unsigned i = 0; i < workers; i++)
		asleep += model_blocked(first_worker + i);
	MODEL_CHECK(!left || !asleep);
	MODEL_CHECK(!atomic_load(&shared.idle.spinning));
}

#define IDLE_MODEL(...)                                                                   \
	{                                                                                 \
		__VA_ARGS__, .state = &shared, .state_bytes = sizeof shared, .tso = true, \
			     .no_races = true                                             \
	}

/* --- a worker publishes two tasks and computes; two others ------------------------------ */

static void setup_3(void)
{
	setup_workers(3);
}

static void publish_two(void)
{
	publish(0, 0);
	publish(0, 1);
}

static void check_3(void)
{
	nobody_sleeps_beside_work(1, 2);
}

static const struct model spread =
	IDLE_MODEL(.name = "idle, one publishes twice", .preemptions = PREEMPTIONS,
		   .threads = { publish_two, worker_1, worker_2 }, .setup = setup_3,
		   .check = check_3, .may_block = 2 | 4);

TEST_LIMIT(idle, a_publisher_and_two_workers, 60)
{
	model_must_hold(&spread);
}

/* --- two who are no workers publish; one worker, whose tasks are short -------------------- */

static void setup_1(void)
{
	setup_workers(1);
}

static void publish_first(void)
{
	publish(0, 0);
}

static void publish_second(void)
{
	publish(1, 1);
}

static bool ran_all(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!shared.ran[i])
			return false;
	return true;
}

static void short_worker(void)
{
	while (!ran_all(2))
		go_round(&shared.keeps[0]);
	end_spin(&shared.keeps[0], false);
}

static void check_ran_2(void)
{
	MODEL_CHECK(ran_all(2));
	MODEL_CHECK(!atomic_load(&shared.idle.spinning));
}

static const struct model foreign =
	IDLE_MODEL(.name = "idle, two publish from outside",
		   .threads = { short_worker, publish_first, publish_second }, .setup = setup_1,
		   .check = check_ran_2);

TEST_LIMIT(idle, two_publishers_and_a_worker, 60)
{
	model_must_hold(&foreign);
}

/* --- a batch changes hands: what is kept of it is published again -------------------------- */

static void setup_2(void)
{
	setup_workers(2);
}

static void inject_two(void)
{
	shared.tasks[0].next = &shared.tasks[1];
	weft__injector_push(&shared.injector, &shared.tasks[0], &shared.tasks[1], 2);
	model_checkpoint(1);
	notify();
}

static bool look_for_batch(void)
{
	return injector_count(&shared.injector) || look_again();
}

/* Takes both, keeps one in its ring: for a moment neither is where others look. Whoever is
 * not counted all the while publishes it. */
static void search_batch(struct keeps *self)
{
	self->task = weft__injector_take(&shared.injector, 2);
	at(SEARCHED);
	if (!self->task) {
		self->task = search();
		return;
	}
	if (!self->task->next)
		return;
	MODEL_CHECK(ring_push(&shared.rings[index_of(self)], self->task->next));
	at(KEPT);
	if (!self->spins && model_mutant() != BATCH_IN_SILENCE)
		notify();
}

static void batch_worker(unsigned index)
{
	struct keeps *self = &shared.keeps[index];

	for (;;) {
		begin_spin(self);
		search_batch(self);
		at(SEARCHED);
		end_spin(self, self->task != NULL);
		if (self->task) {
			run(self->task);
			return;
		}
		sleep_unless(self, look_for_batch);
	}
}

static void batch_worker_0(void)
{
	batch_worker(0);
}

static void batch_worker_1(void)
{
	batch_worker(1);
}

static void check_batch(void)
{
	nobody_sleeps_beside_work(0, 2);
	MODEL_CHECK(ran_all(2));
}

static const struct model batch =
	IDLE_MODEL(.name = "idle, a batch changes hands", .preemptions = PREEMPTIONS,
		   .threads = { batch_worker_0, batch_worker_1, inject_two }, .setup = setup_2,
		   .check = check_batch);

TEST_LIMIT(idle, a_batch_changes_hands, 60)
{
	model_must_hold(&batch);
}

/* --- woken as a spinner, and something of its own to do -------------------------------------- */

static void wake_with_own_work(void)
{
	inbox_push(&shared.inbox, &shared.tasks[0]);
	model_checkpoint(1);
	if (idle_wake_one(&shared.idle, 0))
		model_post(&shared.eventfds[0]);
}

static bool look_at_all(void)
{
	return look_again() || !inbox_is_empty(&shared.inbox);
}

/* Its own task comes first, and computes for ever. So it must not be counted meanwhile;
 * and what its last look saw is to be taken by somebody else. */
static void leave_the_rest(struct keeps *self)
{
	bool counted = self->spins;

	if (counted && model_mutant() != SPINS_WHILE_IT_RUNS)
		end_spin(self, true);
	if (!counted && self->saw && model_mutant() != SAW_AND_LEFT_IT)
		notify();
}

static void busy_worker(void)
{
	struct keeps *self = &shared.keeps[0];

	for (;;) {
		self->task = inbox_take(&shared.inbox);
		at(KEPT);
		if (self->task) {
			leave_the_rest(self);
			run(self->task);
			return;
		}
		begin_spin(self);
		self->task = search();
		at(SEARCHED);
		end_spin(self, self->task != NULL);
		if (self->task) {
			run(self->task);
			return;
		}
		sleep_unless(self, look_at_all);
	}
}

static void publish_other(void)
{
	publish(0, 1);
}

static void check_busy(void)
{
	nobody_sleeps_beside_work(0, 2);
}

static const struct model busy =
	IDLE_MODEL(.name = "idle, own work first", .preemptions = PREEMPTIONS,
		   .threads = { busy_worker, worker_1, publish_other, wake_with_own_work },
		   .setup = setup_2, .check = check_busy, .may_block = 1 | 2);

TEST_LIMIT(idle, own_work_first, 60)
{
	model_must_hold(&busy);
}

/* --- planted errors -------------------------------------------------------------------------- */

TEST(idle, found_no_second_look)
{
	model_must_fail(&spread, &(struct mutant){ .flag = NO_SECOND_LOOK });
}

TEST(idle, found_look_before_announce)
{
	model_must_fail(&spread, &(struct mutant){ .flag = LOOK_BEFORE_ANNOUNCE });
}

TEST(idle, found_last_spinner_is_silent)
{
	model_must_fail(&spread, &(struct mutant){ .flag = LAST_SPINNER_IS_SILENT });
}

TEST(idle, found_spinner_looks_before_it_stops)
{
	model_must_fail(&spread, &(struct mutant){ .flag = SPINNER_LOOKS_TOO_EARLY });
}

TEST(idle, found_notifier_forgets_to_look_again)
{
	model_must_fail(&foreign, &(struct mutant){ .flag = NOTIFIER_FORGETS });
}

TEST(idle, found_worker_forgets_that_it_spins)
{
	model_must_fail(&spread, &(struct mutant){ .flag = WITHDRAW_FORGETS });
}

TEST(idle, found_spinner_runs_its_own_task)
{
	model_must_fail(&busy, &(struct mutant){ .flag = SPINS_WHILE_IT_RUNS });
}

TEST(idle, found_spinner_leaves_what_it_saw)
{
	model_must_fail(&busy, &(struct mutant){ .flag = SAW_AND_LEFT_IT });
}

TEST(idle, found_batch_kept_in_silence)
{
	model_must_fail(&batch, &(struct mutant){ .flag = BATCH_IN_SILENCE });
}

TEST(idle, found_no_notify)
{
	model_must_fail(&spread, &(struct mutant){ .flag = NO_NOTIFY });
}

/* The two sides of the one race that only buffers show: each of them must order its own
 * store before its own look. */
TEST(idle, found_push_without_fence)
{
	model_must_fail(&spread, &(struct mutant){ .op = MODEL_CAS,
						   .threads = 1,
						   .at = &shared.rings[0].word,
						   .effect = MUTANT_RELAXED });
}

TEST(idle, found_announce_without_fence)
{
	model_must_fail(&spread, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 2,
						   .at = &shared.idle.sleepers[0],
						   .effect = MUTANT_RELAXED });
}

/* --- its own inbox, and the injector: one worker, whose tasks are short -------------------------- */

static void inbox_waker(void)
{
	for (unsigned i = 0; i < 2; i++) {
		inbox_push(&shared.inbox, &shared.tasks[i]);
		model_checkpoint(8 + i);
		if (model_mutant() != NO_WAKE && idle_wake_one(&shared.idle, 0))
			model_post(&shared.eventfds[0]);
		model_checkpoint(i);
	}
}

static void injecting(void)
{
	for (unsigned i = 2; i < TASKS; i++) {
		weft__injector_push(&shared.injector, &shared.tasks[i], &shared.tasks[i], 1);
		model_checkpoint(8 + i);
		if (model_mutant() != NO_NOTIFY)
			notify();
		model_checkpoint(i);
	}
}

static bool look_at_own(void)
{
	return !inbox_is_empty(&shared.inbox) || injector_count(&shared.injector);
}

static bool run_list(struct task *list)
{
	for (struct task *task = list, *next; task; task = next) {
		next = task->next;
		run(task);
	}
	return list != NULL;
}

static void only_worker(void)
{
	struct keeps *self = &shared.keeps[0];

	while (!ran_all(TASKS)) {
		begin_spin(self);
		self->saw = run_list(inbox_take(&shared.inbox));
		at(KEPT);
		self->saw |= run_list(weft__injector_take(&shared.injector, 2));
		at(SEARCHED);
		end_spin(self, self->saw);
		if (!self->saw)
			sleep_unless(self, look_at_own);
	}
	end_spin(self, false);
}

static void check_1(void)
{
	MODEL_CHECK(ran_all(TASKS));
	MODEL_CHECK(!atomic_load(&shared.idle.spinning));
}

static const struct model own = IDLE_MODEL(.name = "idle, inbox and injector",
					   .threads = { only_worker, inbox_waker, injecting },
					   .setup = setup_1, .check = check_1);

TEST_LIMIT(idle, inbox_and_injector, 60)
{
	model_must_hold(&own);
}

TEST(idle, found_no_second_look_at_the_inbox)
{
	model_must_fail(&own, &(struct mutant){ .flag = NO_SECOND_LOOK });
}

TEST(idle, found_inbox_not_woken)
{
	model_must_fail(&own, &(struct mutant){ .flag = NO_WAKE });
}

TEST(idle, found_injector_not_notified)
{
	model_must_fail(&own, &(struct mutant){ .flag = NO_NOTIFY });
}

TEST(idle, found_inbox_push_without_fence)
{
	model_must_fail(&own, &(struct mutant){ .op = MODEL_CAS,
						.threads = 2,
						.at = &shared.inbox,
						.effect = MUTANT_RELAXED });
}

TEST(idle, found_injector_count_without_fence)
{
	model_must_fail(&own, &(struct mutant){ .op = MODEL_STORE,
						.threads = 4,
						.at = &shared.injector.count,
						.effect = MUTANT_RELAXED });
}

TEST(idle, found_sole_announce_without_fence)
{
	model_must_fail(&own, &(struct mutant){ .op = MODEL_RMW,
						.threads = 1,
						.at = &shared.idle.sleepers[0],
						.effect = MUTANT_RELAXED });
}
