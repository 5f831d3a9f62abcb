/* SPDX-License-Identifier: MIT
 *
 * promise.c - sync/promise.c and promise_await.c as they are: one resolves a promise, another
 * cancels it, a third awaits it, and his wait is cancelled. One of settle and cancel wins, and
 * who awaits is told of that one, sees what the settler wrote, or hears that his own wait ended.
 */
#include "parties.h"

#include <sync/promise.c>
#include <sync/promise_await.c>
#include <sync/waitq.c>

enum { AWAITER, RESOLVER, CANCELLER, ENDER };
enum mutants { NO_CLAIM = 1, SETTLES_TWICE, VALUE_LATE };
enum { VALUE = 7, UNKNOWN = 1000 };

static struct {
	weft_promise promise;
	int payload; /* plain; the value is its address */
	void *value;
	int awaited, again, resolved, cancelled; /* results */
} shared;

static const struct model_part parts[] = { PARTIES_PART, { NULL, 0 } };

/* There are no callbacks, and nobody watches. */
void weft__promise_react(struct reaction *list)
{
	(void)list;
	parties_never();
}

void weft__promise_wake_watches(weft_promise *promise, enum weft_promise_state state)
{
	(void)promise, (void)state;
	parties_never();
}

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	parties_setup();
	shared.promise.refs = 1;
	waitq_init(&shared.promise.waiters);
	waitq_init(&shared.promise.followers);
	list_init(&shared.promise.watches);
	shared.promise.last_reaction = &shared.promise.reactions;
	shared.awaited = shared.again = shared.resolved = shared.cancelled = UNKNOWN;
}

/* --- threads ----------------------------------------------------------------------------------- */

static void check_value(int rc, const void *value)
{
	if (rc != 0)
		return;
	MODEL_CHECK(value == &shared.payload);
	model_reads(&shared.payload);
	MODEL_CHECK(shared.payload == VALUE);
}

/* What is settled stays as it is: the second time it is asked without waiting. */
static void awaiter(void)
{
	void *value = NULL;

	shared.awaited = weft_await(&shared.promise, WEFT_FOREVER, &value);
	check_value(shared.awaited, value);
	value = NULL;
	shared.again = weft_await(&shared.promise, WEFT_NOWAIT, &value);
	check_value(shared.again, value);
}

static void resolver(void)
{
	if (model_mutant() != VALUE_LATE)
		model_writes(&shared.payload);
	shared.payload = VALUE;
	shared.resolved = weft_promise_resolve(&shared.promise, &shared.payload);
	if (model_mutant() == VALUE_LATE)
		model_writes(&shared.payload);
}

static void canceller(void)
{
	if (model_mutant() == SETTLES_TWICE && !promise_settled(&shared.promise)) {
		shared.promise.error = -ECANCELED; /* without a lock */
		atomic_store(&shared.promise.state, WEFT_PROMISE_CANCELLED);
		shared.cancelled = 0;
	} else {
		shared.cancelled = weft_promise_cancel(&shared.promise);
	}
}

static void end_wait(void)
{
	struct task *task = &parties.tasks[AWAITER];

	if (model_mutant() != NO_CLAIM)
		party_cancel(AWAITER);
	else if (atomic_load(&task->wait) & WAIT_WAITING)
		party_wake(task, -ECANCELED);
}

static void expire_wait(void)
{
	party_expire(AWAITER);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void check_outcome(void)
{
	bool resolved = shared.resolved == 0;
	int outcome = resolved ? 0 : -ECANCELED;

	MODEL_CHECK(resolved != (shared.cancelled == 0));
	MODEL_CHECK((resolved ? shared.cancelled : shared.resolved) == -EALREADY);
	MODEL_CHECK(shared.awaited == outcome || shared.awaited == -ECANCELED ||
		    shared.awaited == -ETIMEDOUT);
	MODEL_CHECK(shared.again == outcome || shared.again == -EAGAIN);
	/* Who was told how it came out is not told otherwise later. */
	MODEL_CHECK(shared.awaited != 0 || shared.again == 0);
	MODEL_CHECK(waitq_empty(&shared.promise.waiters) && !shared.promise.waiting);
}

#define PROMISE_MODEL(...)                                                             \
	{                                                                              \
		__VA_ARGS__, .setup = setup, .check = check_outcome, .state = &shared, \
			     .state_bytes = sizeof(shared), .parts = parts,            \
			     .preemptions = PREEMPTIONS, .tso = true                   \
	}

static const struct model canceled =
	PROMISE_MODEL(.name = "promise, settle and cancel, wait cancelled",
		      .threads = { awaiter, resolver, canceller, end_wait });
static const struct model late =
	PROMISE_MODEL(.name = "promise, settle and cancel, deadline",
		      .threads = { awaiter, resolver, canceller, expire_wait });

TEST_LIMIT(promise, one_of_settle_and_cancel_wins, 60)
{
	model_must_hold(&canceled);
}

TEST_LIMIT(promise, one_of_settle_and_cancel_wins_while_a_deadline_passes, 60)
{
	model_must_hold(&late);
}

/* --- planted errors -------------------------------------------------------------------------------- */

TEST(promise, found_settled_twice)
{
	model_must_fail(&canceled, &(struct mutant){ .flag = SETTLES_TWICE });
}

TEST(promise, found_lock_that_two_take)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << RESOLVER,
						     .at = &shared.promise.lock,
						     .effect = MUTANT_SPLIT });
}

TEST(promise, found_state_without_order)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_STORE,
						     .at = &shared.promise.state,
						     .effect = MUTANT_NO_ORDER });
}

TEST(promise, found_cancel_without_a_claim)
{
	model_must_fail(&canceled, &(struct mutant){ .flag = NO_CLAIM });
}

TEST(promise, found_awaiter_claimed_by_two)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << RESOLVER,
						     .at = &parties.tasks[AWAITER].wait,
						     .effect = MUTANT_SPLIT });
}

TEST(promise, found_value_written_too_late)
{
	model_must_fail(&canceled, &(struct mutant){ .flag = VALUE_LATE });
}

TEST(promise, found_wake_that_does_not_come)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_RMW,
						     .at = &parties.ready[AWAITER],
						     .effect = MUTANT_SKIP });
}
