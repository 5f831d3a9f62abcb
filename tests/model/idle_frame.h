/* SPDX-License-Identifier: MIT
 *
 * idle_frame.h - publishers and workers that keep to core/idle.h: the frame of its models.
 *
 * Most tasks here compute for ever, so that a worker which has taken one is lost to all
 * others: this is the hardest case. In the end no worker sleeps beside a task that it
 * could take, and spinning is 0.
 */
#ifndef WEFT_TESTS_MODEL_IDLE_FRAME_H
#define WEFT_TESTS_MODEL_IDLE_FRAME_H

#include <core/idle.h>
#include <core/inbox.h>
#include <core/injector.h>
#include <core/ring.h>

#include "../test.h"
#include "model.h"

#include <core/injector.c> /* as it is, but its atomics are steps */

#ifndef PREEMPTIONS
#define PREEMPTIONS 5
#endif
enum { WORKERS = 3, RINGS = 2, TASKS = 3 };

enum mutants {
	NO_SECOND_LOOK = 1,
	LOOK_BEFORE_PUBLISH,
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

static inline void setup_workers(unsigned workers)
{
	memset(&shared, 0, sizeof shared);
	shared.idle.workers = workers;
	shared.idle.spinners_max = (workers + 1) / 2;
}

static inline void run(const struct task *task)
{
	MODEL_CHECK(!shared.ran[task - shared.tasks]);
	shared.ran[task - shared.tasks] = true;
}

/* --- publishers ------------------------------------------------------------------------- */

/* idle_notify() without the look after it took its count back. */
static inline int forgetful_notify(void)
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

static inline void notify(void)
{
	int index =
		model_mutant() == NOTIFIER_FORGETS ? forgetful_notify() : idle_notify(&shared.idle);

	if (index >= 0)
		model_post(&shared.eventfds[index]);
}

static inline void publish(unsigned ring, unsigned task)
{
	bool asleep = true;

	if (model_mutant() == LOOK_BEFORE_PUBLISH)
		asleep = idle_any_asleep(&shared.idle);
	MODEL_CHECK(ring_push(&shared.rings[ring], &shared.tasks[task]));
	model_checkpoint(asleep << 4 | (8 + task));
	if (asleep && model_mutant() != NO_NOTIFY)
		notify();
	model_checkpoint(task);
}

/* --- a worker that has nothing to run, as idle.h says ------------------------------------ */

/* A place in the code, each its own; all else that a worker needs is in its keeps. */
enum place {
	TOP,
	SPUN,
	TAKEN,
	KEPT,
	SEARCHED,
	STOPPED,
	STOPPED_LATE,
	STOPPED_FOR_OWN,
	STOPPED_AT_END,
	ANNOUNCED,
	LOOKED,
	AWAKE,
	SEARCHED_RING /* + which; the last */
};

static inline void at(enum place place)
{
	model_checkpoint(place);
}

static inline struct task *search(void)
{
	struct task *task;

	for (unsigned i = 0; i < RINGS; i++) {
		if (ring_steal_half(&shared.rings[i], &task, 1))
			return task;
		at(SEARCHED_RING + i);
	}
	return NULL;
}

static inline bool look_again(void)
{
	for (unsigned i = 0; i < RINGS; i++)
		if (ring_count(&shared.rings[i]))
			return true;
	return false;
}

static inline void begin_spin(struct keeps *self)
{
	at(TOP);
	if (!self->spins)
		self->spins = idle_begin_spin(&shared.idle);
	MODEL_CHECK(shared.idle.spinning <= shared.idle.spinners_max);
	at(SPUN);
}

static inline void end_spin(struct keeps *self, bool found, enum place place)
{
	if (self->spins && idle_end_spin(&shared.idle, found) &&
	    model_mutant() != LAST_SPINNER_IS_SILENT)
		notify();
	self->spins = false;
	at(place);
}

static inline unsigned index_of(const struct keeps *self)
{
	return (unsigned)(self - shared.keeps);
}

/* Announce, look, sleep; then it is a spinner or not. One that has not stopped yet does
 * so too late. */
static inline void sleep_unless(struct keeps *self, bool (*look)(void))
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
	end_spin(self, false, STOPPED_LATE);
	if (!self->saw)
		model_await(&shared.eventfds[index_of(self)]);
	at(AWAKE);
	self->spins =
		idle_withdraw(&shared.idle, index_of(self)) && model_mutant() != WITHDRAW_FORGETS;
}

/* One round. False: it has a task, and computes. */
static inline bool go_round(struct keeps *self)
{
	begin_spin(self);
	self->task = search();
	at(SEARCHED);
	if (self->task || model_mutant() != SPINNER_LOOKS_TOO_EARLY)
		end_spin(self, self->task != NULL, STOPPED);
	if (self->task) {
		run(self->task);
		return false;
	}
	sleep_unless(self, look_again);
	return true;
}

static inline void worker(unsigned index)
{
	while (go_round(&shared.keeps[index]))
		;
}

static inline void worker_1(void)
{
	worker(1);
}

static inline void worker_2(void)
{
	worker(2);
}

static inline void nobody_sleeps_beside_work(unsigned first_worker, unsigned workers)
{
	unsigned left = 0, asleep = 0;

	for (unsigned i = 0; i < RINGS; i++)
		left += ring_count(&shared.rings[i]);
	for (unsigned i = 0; i < workers; i++)
		asleep += model_blocked(first_worker + i);
	MODEL_CHECK(!left || !asleep);
	MODEL_CHECK(!atomic_load(&shared.idle.spinning));
}

static inline void setup_1(void)
{
	setup_workers(1);
}

static inline void setup_2(void)
{
	setup_workers(2);
}

static inline bool ran_all(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!shared.ran[i])
			return false;
	return true;
}

#define IDLE_MODEL(...)                                                                   \
	{                                                                                 \
		__VA_ARGS__, .state = &shared, .state_bytes = sizeof shared, .tso = true, \
			     .no_races = true                                             \
	}

#endif
