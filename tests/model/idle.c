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

enum { WORKERS = 3, RINGS = 2, TASKS = 3 };

enum mutants {
	NO_SECOND_LOOK = 1,
	LOOK_BEFORE_ANNOUNCE,
	LAST_SPINNER_IS_SILENT,
	SPINNER_LOOKS_TOO_EARLY,
	NOTIFIER_FORGETS,
	WITHDRAW_FORGETS,
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

/* After each call the worker knows what it has found, and no more of what it has seen. */
enum place { TOP, SPUN, SEARCHED, STOPPED, ANNOUNCED, LOOKED, AWAKE };

static void at(enum place place, uint64_t found)
{
	model_checkpoint(found << 8 | place);
}

static struct task *search(void)
{
	struct task *task;

	for (unsigned i = 0; i < RINGS; i++) {
		if (ring_steal_half(&shared.rings[i], &task, 1))
			return task;
		at(SEARCHED, i);
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

static void end_spin(bool found)
{
	if (idle_end_spin(&shared.idle, found) && model_mutant() != LAST_SPINNER_IS_SILENT)
		notify();
}

static bool withdraw(unsigned index)
{
	return idle_withdraw(&shared.idle, index) && model_mutant() != WITHDRAW_FORGETS;
}

/* Announce, look, sleep. Return: whether the worker is a spinner. Of a spinner that is to
 * stop too late, @spins. */
static bool sleep_unless(bool (*look)(void), unsigned index, bool spins)
{
	bool found = false;

	if (model_mutant() == LOOK_BEFORE_ANNOUNCE)
		found = look();
	if (!found)
		idle_announce(&shared.idle, index);
	at(ANNOUNCED, found);
	if (model_mutant() != NO_SECOND_LOOK && model_mutant() != LOOK_BEFORE_ANNOUNCE)
		found = look();
	at(LOOKED, found);
	if (spins)
		end_spin(false);
	if (!found)
		model_await(&shared.eventfds[index]);
	at(AWAKE, 0);
	return withdraw(index);
}

static void worker(unsigned index)
{
	bool spins = false, late = model_mutant() == SPINNER_LOOKS_TOO_EARLY;

	for (;;) {
		struct task *task;

		at(TOP, spins);
		spins = spins || idle_begin_spin(&shared.idle);
		MODEL_CHECK(2 * shared.idle.spinning <= shared.idle.workers + 1);
		at(SPUN, spins);
		task = search();
		if (spins && !(late && !task)) {
			end_spin(task != NULL);
			spins = false;
		}
		at(STOPPED, (uintptr_t)task);
		if (task) {
			run(task);
			return;
		}
		spins = sleep_unless(look_again, index, spins);
	}
}

static void worker_0(void)
{
	worker(0);
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
	IDLE_MODEL(.name = "idle, one publishes twice",
		   .threads = { publish_two, worker_1, worker_2 }, .setup = setup_3,
		   .check = check_3, .may_block = 2 | 4);

TEST_LIMIT(idle, a_publisher_and_two_workers, 60)
{
	model_must_hold(&spread);
}

/* --- two who are no workers publish; two workers ------------------------------------------ */

static void setup_2(void)
{
	setup_workers(2);
}

static void publish_first(void)
{
	publish(0, 0);
}

static void publish_second(void)
{
	publish(1, 1);
}

static void check_2(void)
{
	nobody_sleeps_beside_work(0, 2);
}

static const struct model foreign =
	IDLE_MODEL(.name = "idle, two publish from outside",
		   .threads = { worker_0, worker_1, publish_first, publish_second },
		   .setup = setup_2, .check = check_2, .may_block = 1 | 2);

TEST_LIMIT(idle, two_publishers_and_two_workers, 60)
{
	model_must_hold(&foreign);
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

static void setup_1(void)
{
	setup_workers(1);
}

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

static bool all_ran(void)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (!shared.ran[i])
			return false;
	return true;
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
	bool spins = false;

	while (!all_ran()) {
		bool found;

		at(TOP, spins);
		spins = spins || idle_begin_spin(&shared.idle);
		found = run_list(inbox_take(&shared.inbox));
		at(SPUN, spins * 2 + found);
		found |= run_list(weft__injector_take(&shared.injector, 2));
		at(SEARCHED, spins * 2 + found);
		if (spins)
			end_spin(found);
		spins = false;
		at(STOPPED, found);
		if (!found)
			spins = sleep_unless(look_at_own, 0, false);
	}
	if (spins)
		end_spin(false);
}

static void check_1(void)
{
	MODEL_CHECK(all_ran());
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
