/* SPDX-License-Identifier: MIT
 *
 * promise.c - sync/promise*.c as they are: a promise is settled and cancelled at the same
 * moment, while the party that awaits it is cancelled itself, or follows its progress, or waits
 * for two promises at once. One outcome, which everybody agrees on.
 */
#include "parties.h"

#include <base/fault.h>

/* A callback that waits is part of the shared state, and not on the heap. */
static void forget(void *block);
#define weft__free forget

#include <sync/promise.c>
#include <sync/promise_await.c>
#include <sync/promise_then.c>
#include <sync/promise_watch.c>
#include <sync/waitq.c>

enum { AWAITER, RESOLVER, CANCELLER, CANCELS_TASK };
enum mutants { NO_CLAIM = 1, NO_SECOND_LOOK };

/* Unbounded they hold, too: in a minute and a half, and up to 6 million states. */
enum { PREEMPTIONS = 3 };

enum { VALUE = 7, UNKNOWN = 1000 };

static struct {
	struct weft_promise promises[2];
	struct reaction then, on_cancel;
	uint32_t payload[2];
	int resolved[2], cancelled, awaited, told, told_of_cancel, told_error; /* results */
	uint32_t progress_seen;
} shared;

static const struct model_part parts[] = { PARTIES_PART, { NULL, 0 } };

static void forget(void *block)
{
	MODEL_CHECK(block == &shared.then || block == &shared.on_cancel);
}

/* As in core/park.c: tickets of the parties of this model. */
bool weft__wake(uint64_t ticket, int result)
{
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		struct task *task = &parties.tasks[i];

		if (ticket_task(ticket) != ticket_task(ticket_of(task, 0)) ||
		    !wait_word_claim(&task->wait, tagged_tag(ticket)))
			continue;
		party_wake(task, result);
		return true;
	}
	return false;
}

static void then_told(void *arg, int error, void *value)
{
	(void)arg;
	shared.told++;
	shared.told_error = error;
	if (!error) {
		model_reads(value);
		MODEL_CHECK(*(uint32_t *)value == VALUE);
	}
}

static void cancel_told(void *arg)
{
	(void)arg;
	shared.told_of_cancel++;
}

static void setup_promise(struct weft_promise *promise)
{
	promise->refs = 4;
	waitq_init(&promise->waiters);
	waitq_init(&promise->followers);
	list_init(&promise->watches);
	promise->last_reaction = &promise->reactions;
}

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	parties_setup();
	setup_promise(&shared.promises[0]);
	setup_promise(&shared.promises[1]);
	shared.resolved[0] = shared.resolved[1] = shared.cancelled = shared.awaited = UNKNOWN;
}

static void setup_callbacks(void)
{
	struct weft_promise *promise = &shared.promises[0];

	setup();
	shared.then = (struct reaction){ .kind = REACT_THEN, .fn.then = then_told };
	shared.on_cancel = (struct reaction){ .kind = REACT_CANCEL, .fn.cancel = cancel_told };
	promise->reactions = &shared.then;
	shared.then.next = &shared.on_cancel;
	promise->last_reaction = &shared.on_cancel.next;
}

/* --- threads ------------------------------------------------------------------------------- */

static void resolve(unsigned i)
{
	model_writes(&shared.payload[i]);
	shared.payload[i] = VALUE;
	shared.resolved[i] = weft_promise_resolve(&shared.promises[i], &shared.payload[i]);
}

static void resolver(void)
{
	resolve(0);
}

static void canceller(void)
{
	shared.cancelled = weft_promise_cancel(&shared.promises[0]);
}

/* Looks, and waits when it sees nothing: but somebody may have come in between. */
static int await_without_second_look(weft_promise *promise)
{
	struct task *self = weft__thread.task;

	if (promise_settled(promise))
		return promise->error;
	spin_lock(&promise->lock);
	weft__waitq_wait(&promise->waiters, &promise->lock, &promise->waitable, self, WEFT_FOREVER,
			 0);
	return promise->error;
}

static void awaiter(void)
{
	void *value = NULL;

	if (model_mutant() == NO_SECOND_LOOK) {
		shared.awaited = await_without_second_look(&shared.promises[0]);
		return;
	}
	shared.awaited = weft_await(&shared.promises[0], WEFT_FOREVER, &value);
	MODEL_CHECK((shared.awaited == 0) == (value != NULL));
	if (value) {
		model_reads(value);
		MODEL_CHECK(*(uint32_t *)value == VALUE);
	}
}

static void cancels_task(void)
{
	struct task *task = &parties.tasks[AWAITER];

	if (model_mutant() == NO_CLAIM) {
		if (atomic_load(&task->wait) & WAIT_WAITING)
			party_wake(task, -ECANCELED);
	} else {
		party_cancel(AWAITER);
	}
}

static void expires(void)
{
	party_expire(AWAITER);
}

/* --- settle, cancel, await ------------------------------------------------------------------- */

static void check_left(const struct weft_promise *promise)
{
	MODEL_CHECK(waitq_empty(&promise->waiters) && waitq_empty(&promise->followers));
	MODEL_CHECK(list_empty(&promise->watches) && !promise->reactions);
	MODEL_CHECK(promise->waiting == 0 && !atomic_load(&((weft_promise *)promise)->lock.held));
}

static void check_one_outcome(void)
{
	bool won = shared.resolved[0] == 0;
	int outcome = won ? 0 : -ECANCELED;

	MODEL_CHECK(won || shared.cancelled == 0);
	MODEL_CHECK(shared.resolved[0] == (won ? 0 : -EALREADY));
	MODEL_CHECK(shared.cancelled == (won ? -EALREADY : 0));
	MODEL_CHECK(shared.told == 1 && shared.told_error == outcome);
	MODEL_CHECK(shared.told_of_cancel == !won);
	/* The party's own end is the other thing that it may be told. */
	MODEL_CHECK(shared.awaited == outcome || shared.awaited == -ECANCELED ||
		    shared.awaited == -ETIMEDOUT);
	check_left(&shared.promises[0]);
}

#define PROMISE_MODEL(...)                                                                    \
	{                                                                                     \
		__VA_ARGS__, .state = &shared, .state_bytes = sizeof(shared), .parts = parts, \
			     .preemptions = PREEMPTIONS, .tso = true                          \
	}

static const struct model settle_cancel =
	PROMISE_MODEL(.name = "resolve, cancel, the awaiting task is cancelled",
		      .setup = setup_callbacks, .check = check_one_outcome,
		      .threads = { awaiter, resolver, canceller, cancels_task });
static const struct model settle_late =
	PROMISE_MODEL(.name = "resolve, cancel, the awaiting party's deadline",
		      .setup = setup_callbacks, .check = check_one_outcome,
		      .threads = { awaiter, resolver, canceller, expires });

/* For errors that two threads suffice for. */
static void check_awaited(void)
{
	MODEL_CHECK(shared.resolved[0] == 0 && shared.awaited == 0);
	check_left(&shared.promises[0]);
}

static const struct model await_only =
	PROMISE_MODEL(.name = "resolve", .setup = setup, .check = check_awaited,
		      .threads = { awaiter, resolver });

TEST(promise, resolve)
{
	model_must_hold(&await_only);
}

TEST_LIMIT(promise, resolve_cancel_and_task_cancelled, 60)
{
	model_must_hold(&settle_cancel);
}

TEST_LIMIT(promise, resolve_cancel_and_deadline, 60)
{
	model_must_hold(&settle_late);
}

/* --- progress -------------------------------------------------------------------------------- */

static void producer(void)
{
	for (intptr_t i = 1; i <= 2; i++)
		if (weft_promise_progress(&shared.promises[0], (void *)i) < 0)
			return;
	resolve(0);
}

static void follower(void)
{
	uint64_t seen = 0;
	void *value = NULL;

	while ((shared.awaited = weft_await_progress(&shared.promises[0], &seen, WEFT_FOREVER,
						     &value)) == 1) {
		MODEL_CHECK((uint64_t)(uintptr_t)value == seen);
		MODEL_CHECK(seen > shared.progress_seen);
		shared.progress_seen = (uint32_t)seen;
	}
	if (shared.awaited == 0)
		MODEL_CHECK(*(uint32_t *)value == VALUE);
}

static void check_progress(void)
{
	MODEL_CHECK(shared.resolved[0] == 0);
	MODEL_CHECK(shared.awaited == 0 || shared.awaited == -ECANCELED);
	MODEL_CHECK(shared.progress_seen <= 2);
	check_left(&shared.promises[0]);
}

static const struct model progress =
	PROMISE_MODEL(.name = "progress twice, resolve, the follower is cancelled", .setup = setup,
		      .check = check_progress, .threads = { follower, producer, cancels_task });

TEST_LIMIT(promise, progress_and_the_follower_cancelled, 60)
{
	model_must_hold(&progress);
}

/* --- two at once ------------------------------------------------------------------------------- */

static void resolver_of_second(void)
{
	resolve(1);
}

static void awaits_both(void)
{
	weft_promise *list[] = { &shared.promises[0], &shared.promises[1] };

	shared.awaited = weft_await_all(list, 2, WEFT_FOREVER);
	if (shared.awaited == 0)
		for (unsigned i = 0; i < 2; i++) {
			model_reads(&shared.payload[i]);
			MODEL_CHECK(shared.payload[i] == VALUE);
		}
}

static void check_both(void)
{
	MODEL_CHECK(shared.resolved[0] == 0 && shared.resolved[1] == 0);
	MODEL_CHECK(shared.awaited == 0 || shared.awaited == -ECANCELED);
	check_left(&shared.promises[0]);
	check_left(&shared.promises[1]);
}

static void awaits_either(void)
{
	weft_promise *list[] = { &shared.promises[0], &shared.promises[1] };
	unsigned index = 2;

	shared.awaited = weft_await_any(list, 2, WEFT_FOREVER, &index);
	if (shared.awaited == 0) {
		model_reads(&shared.payload[index]);
		MODEL_CHECK(shared.payload[index] == VALUE);
	}
}

static const struct model both =
	PROMISE_MODEL(.name = "all of two, the awaiting task is cancelled", .setup = setup,
		      .check = check_both,
		      .threads = { awaits_both, resolver, resolver_of_second, cancels_task });
static const struct model either =
	PROMISE_MODEL(.name = "any of two, the awaiting task is cancelled", .setup = setup,
		      .check = check_both,
		      .threads = { awaits_either, resolver, resolver_of_second, cancels_task });
/* Nobody helps who was forgotten. */
static const struct model both_alone =
	PROMISE_MODEL(.name = "all of two", .setup = setup, .check = check_both,
		      .threads = { awaits_both, resolver, resolver_of_second });

/* One is not: that is the outcome, whenever it comes. */
static void rejecter_of_second(void)
{
	shared.resolved[1] = weft_promise_reject(&shared.promises[1], -EIO);
}

static void check_one_rejected(void)
{
	MODEL_CHECK(shared.resolved[0] == 0 && shared.resolved[1] == 0);
	MODEL_CHECK(shared.awaited == -EIO);
	check_left(&shared.promises[0]);
	check_left(&shared.promises[1]);
}

static const struct model one_rejected =
	PROMISE_MODEL(.name = "all of two, one is rejected", .setup = setup,
		      .check = check_one_rejected,
		      .threads = { awaits_both, resolver, rejecter_of_second });

TEST_LIMIT(promise, all_of_two, 60)
{
	model_must_hold(&both_alone);
	model_must_hold(&one_rejected);
}

TEST_LIMIT(promise, all_of_two_and_task_cancelled, 60)
{
	model_must_hold(&both);
}

TEST_LIMIT(promise, any_of_two_and_task_cancelled, 60)
{
	model_must_hold(&either);
}

/* --- planted errors ------------------------------------------------------------------------------- */

TEST(promise, found_lock_that_two_take)
{
	model_must_fail(&settle_cancel, &(struct mutant){ .op = MODEL_CAS,
							  .threads = 1 << RESOLVER,
							  .at = &shared.promises[0].lock,
							  .effect = MUTANT_SPLIT });
}

TEST(promise, found_state_without_order)
{
	model_must_fail(&await_only, &(struct mutant){ .op = MODEL_STORE,
						       .at = &shared.promises[0].state,
						       .effect = MUTANT_NO_ORDER });
}

TEST(promise, found_party_claimed_by_two)
{
	model_must_fail(&settle_cancel, &(struct mutant){ .op = MODEL_CAS,
							  .threads = 1 << RESOLVER,
							  .at = &parties.tasks[AWAITER].wait,
							  .effect = MUTANT_SPLIT });
}

TEST(promise, found_cancel_without_a_claim)
{
	model_must_fail(&settle_cancel, &(struct mutant){ .flag = NO_CLAIM });
}

TEST(promise, found_await_without_a_second_look)
{
	model_must_fail(&settle_late, &(struct mutant){ .flag = NO_SECOND_LOOK });
}

TEST(promise, found_wake_that_does_not_come)
{
	model_must_fail(&settle_late, &(struct mutant){ .op = MODEL_RMW,
							.at = &parties.ready[AWAITER],
							.effect = MUTANT_SKIP });
}
