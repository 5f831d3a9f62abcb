/* SPDX-License-Identifier: MIT
 *
 * parties.h - the threads of a model as guests (core/guest.h): what sync/ calls of the core
 * while one waits and is woken. Their wait words, and who ends a wait, are the real thing; a
 * sleep is model_await(). For one file of a program, before the sources under test.
 *
 * A guest is never cancelled; here it is, so that the same model serves for tasks. And a deadline
 * is a cancel that says -ETIMEDOUT.
 */
#ifndef WEFT_TESTS_MODEL_PARTIES_H
#define WEFT_TESTS_MODEL_PARTIES_H

#include <base/thread.h>

#include "../test.h"
#include "model.h"

/* Each thread of the model has its own. */
static struct thread parties_thread[MODEL_THREADS];
#define weft__thread (parties_thread[model_self()])

#include <core/runtime.h>
#include <core/wake.h>

/* Nor do they leave a worker's CPU: party.h does so for tasks alone. */
#define leave_parked(worker, self, kind) ((void)(worker), (void)(self), parties_never())
static inline void parties_never(void)
{
	MODEL_CHECK(!"guests do not park like tasks");
}

#include <sync/party.h>

static struct {
	struct task tasks[MODEL_THREADS];
	_Atomic uint32_t ready[MODEL_THREADS];
} parties;

#define PARTIES_PART                      \
	{                                 \
		&parties, sizeof(parties) \
	}

static struct worker parties_worker; /* draws from its rng, which is always 0 */

static void parties_setup(void)
{
	memset(&parties, 0, sizeof(parties));
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		parties.tasks[i].flags = TASK_GUEST;
		parties.tasks[i].origin = (uint64_t)OWNER_GUEST << 48;
		/* Not running: a mutex's owner who runs is waited for awake. */
		parties.tasks[i].state = TASK_READY;
		parties.tasks[i].id = i + 1;
		parties_thread[i].task = &parties.tasks[i];
		parties_thread[i].worker = &parties_worker;
	}
}

/* --- what sync/ calls ----------------------------------------------------------------------- */

void weft__spin_lock_slow(struct spinlock *lock)
{
	do
		model_relax();
	while (!cas32(&lock->held, 0, 1));
}

struct task *weft__guest_self(int *ret_error)
{
	*ret_error = -ENOMEM;
	MODEL_CHECK(!"a party knows itself");
	return NULL;
}

int weft__guest_park(struct task *self, int64_t deadline_ns)
{
	MODEL_CHECK(deadline_ns == WEFT_FOREVER && self == &parties.tasks[model_self()]);
	model_await(&parties.ready[model_self()]);
	model_reads(&self->result);
	return self->result;
}

int weft__park(struct task *self, enum task_state kind, int64_t deadline_ns)
{
	(void)self, (void)kind, (void)deadline_ns;
	parties_never();
	return 0;
}

int weft__chan_recv_copied(struct weft_chan *chan, struct task *self, void *ret_value)
{
	(void)chan, (void)self, (void)ret_value;
	parties_never();
	return 0;
}

int weft__park_refused(struct task *self)
{
	(void)self;
	return -ECANCELED;
}

/* The winner has written the result. */
void weft__ready_elsewhere(struct task *task)
{
	model_writes(&task->result);
	model_post(&parties.ready[task - parties.tasks]);
}

#include "untraced.h"

/* --- how a wait ends otherwise --------------------------------------------------------------- */

static inline void party_cancel(unsigned number)
{
	struct task *task = &parties.tasks[number];

	if (wait_word_cancel(&task->wait))
		party_wake(task, -ECANCELED);
}

/** The deadline of the wait that is open just now, if there is one. */
static inline void party_expire(unsigned number)
{
	struct task *task = &parties.tasks[number];

	if (wait_word_claim(&task->wait, tagged_tag(party_ticket(task))))
		party_wake(task, -ETIMEDOUT);
}

#endif
