/* SPDX-License-Identifier: MIT
 *
 * idle_own.c - the sleep protocol where workers have something of their own: a ring into
 * which they put what they took from elsewhere, an inbox, a task that comes first.
 */
#include "idle_frame.h"

/* --- a batch changes hands: what is kept of it is published again -------------------------- */

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
	at(TAKEN);
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
		end_spin(self, self->task != NULL, STOPPED);
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

TEST_LIMIT(idle_own, a_batch_changes_hands, 60)
{
	model_must_hold(&batch);
}

TEST(idle_own, found_batch_kept_in_silence)
{
	model_must_fail(&batch, &(struct mutant){ .flag = BATCH_IN_SILENCE });
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
		end_spin(self, true, STOPPED_FOR_OWN);
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
		end_spin(self, self->task != NULL, STOPPED);
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

TEST_LIMIT(idle_own, own_work_first, 60)
{
	model_must_hold(&busy);
}

TEST(idle_own, found_spinner_runs_its_own_task)
{
	model_must_fail(&busy, &(struct mutant){ .flag = SPINS_WHILE_IT_RUNS });
}

TEST(idle_own, found_spinner_leaves_what_it_saw)
{
	model_must_fail(&busy, &(struct mutant){ .flag = SAW_AND_LEFT_IT });
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
		end_spin(self, self->saw, STOPPED);
		if (!self->saw)
			sleep_unless(self, look_at_own);
	}
	end_spin(self, false, STOPPED_AT_END);
}

static void check_1(void)
{
	MODEL_CHECK(ran_all(TASKS));
	MODEL_CHECK(!atomic_load(&shared.idle.spinning));
}

static const struct model own = IDLE_MODEL(.name = "idle, inbox and injector",
					   .threads = { only_worker, inbox_waker, injecting },
					   .setup = setup_1, .check = check_1);

TEST_LIMIT(idle_own, inbox_and_injector, 60)
{
	model_must_hold(&own);
}

TEST(idle_own, found_no_second_look_at_the_inbox)
{
	model_must_fail(&own, &(struct mutant){ .flag = NO_SECOND_LOOK });
}

TEST(idle_own, found_inbox_not_woken)
{
	model_must_fail(&own, &(struct mutant){ .flag = NO_WAKE });
}

TEST(idle_own, found_injector_not_notified)
{
	model_must_fail(&own, &(struct mutant){ .flag = NO_NOTIFY });
}

TEST(idle_own, found_inbox_push_without_fence)
{
	model_must_fail(&own, &(struct mutant){ .op = MODEL_CAS,
						.threads = 2,
						.at = &shared.inbox,
						.effect = MUTANT_RELAXED });
}

TEST(idle_own, found_injector_count_without_fence)
{
	model_must_fail(&own, &(struct mutant){ .op = MODEL_STORE,
						.threads = 4,
						.at = &shared.injector.count,
						.effect = MUTANT_RELAXED });
}

TEST(idle_own, found_sole_announce_without_fence)
{
	model_must_fail(&own, &(struct mutant){ .op = MODEL_RMW,
						.threads = 1,
						.at = &shared.idle.sleepers[0],
						.effect = MUTANT_RELAXED });
}
