/* SPDX-License-Identifier: MIT
 *
 * lot.c - sync/lot.c as it is, for a mutex that knows nothing of it, as libc's does: three take it
 * in turn, while the wait of one is cancelled or ends by its deadline. Nobody is in it beside
 * another, nobody waits for ever. Built with the bound as it is, which is never reached here, and
 * with 1, so that there are heirs. And somebody gives it back unseen, as libc's wait for a condition
 * does.
 */
#define LOT_BITS 1

#include <limits.h>

#include "turns.h"

#include <base/clock.h>
#include <base/syscall.h>

#undef weft__syscall
#define weft__syscall(...)    model_relax()
#define cpu_relax()           model_relax()
#define weft__now()           INT64_C(1)
#define weft__clock_ns(clock) weft__now()

#include <sync/lot.h>

/* Parties are guests here, and a look after a time is a wait that ends when it likes. */
static int park(struct task *self, int64_t until);
#define weft__park(self, kind, until) park((self), (until))

#include <sync/lot.c>
#include <sync/lot_wake.c>
#include <sync/word.c>

enum mutants { NO_LOOK = 1, UNSEEN };

static struct {
	_Atomic uint32_t held; /* the mutex: libc's word */
	/* Of a look whose time comes: after the unseen unlock, for before it is in vain; and once,
	 * for a later holder tells. */
	_Atomic uint32_t released, looking[3];
	bool looked[3];
} shared;

static const struct model_part parts[] = {
	PARTIES_PART,
	TURNS_PART,
	{ weft__lot, sizeof(weft__lot) },
	{ (void *)&weft__lot_heirs, sizeof(weft__lot_heirs) },
	{ NULL, 0 },
};

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	memset(weft__lot, 0, sizeof(weft__lot));
	atomic_store_explicit(&weft__lot_heirs, 0, memory_order_relaxed);
	turns_setup();
}

static int park(struct task *self, int64_t until)
{
	if (until == WEFT_FOREVER)
		return weft__guest_park(self, WEFT_FOREVER);
	atomic_store(&shared.looking[model_self()], 1);
	if (atomic_load(&shared.released) && !shared.looked[model_self()]) {
		shared.looked[model_self()] = true;
		if (wait_word_claim(&self->wait, tagged_tag(party_ticket(self))))
			return -ETIMEDOUT;
	}
	return weft__guest_park(self, WEFT_FOREVER);
}

/* --- the mutex ------------------------------------------------------------------------------- */

static bool try(void *unused)
{
	uint32_t expected = 0;

	(void)unused;
	return atomic_compare_exchange_strong(&shared.held, &expected, 1);
}

static int turns_lock(void)
{
	struct task *self = &parties.tasks[model_self()];
	struct lot_wait wait = { .address = &shared.held,
				 .kind = LOT_MUTEX,
				 .deadline_ns = WEFT_FOREVER,
				 .clock = CLOCK_MONOTONIC,
				 .try = try };
	int rc;

	if (!atomic_load_explicit(&weft__lot_heirs, memory_order_relaxed) && try(NULL))
		return 0;
	while ((rc = weft__lot_wait(self, &wait)) == LOT_WOKEN)
		wait.vain++;
	return rc == LOT_DONE ? 0 : rc;
}

static void turns_unlock(void)
{
	/* What libc gives it back with is a full fence on its own; here the fence is ours. */
	atomic_store_explicit(&shared.held, 0, memory_order_release);
	if (model_mutant() == NO_LOOK)
		return;
	full_fence();
	lot_tell(&shared.held, 1);
}

static void cancel_waiter(void)
{
	party_cancel(WAITER);
}

/* As cond.c does around libc's wait for a condition; the wait itself is not needed. */
static void gives_back_unseen(void)
{
	struct lot_bucket *bucket = lot_bucket(&shared.held);
	int *told = &turns.told[model_self()];

	*told = turns_lock();
	if (*told != 0)
		return;
	if (model_mutant() != UNSEEN) {
		atomic_fetch_add(&bucket->natives, 1);
		full_fence();
		lot_tell(&shared.held, UINT_MAX);
	}
	atomic_store_explicit(&shared.held, 0, memory_order_release);
	atomic_store(&shared.released, 1);
	for (unsigned i = WAITER; i <= OTHER; i++)
		if (atomic_load(&shared.looking[i]))
			party_expire(i);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void check(void)
{
	struct lot_bucket *bucket = lot_bucket(&shared.held);

	MODEL_CHECK(turns.taken <= turns_check());
	MODEL_CHECK(atomic_load(&shared.held) == 0);
	MODEL_CHECK(atomic_load(&bucket->waiting) == 0 && waitq_idle(&bucket->queue));
	MODEL_CHECK(!bucket->coveted && !bucket->heir);
	MODEL_CHECK(atomic_load(&weft__lot_heirs) == 0);
}

#define LOT_MODEL(...)                                                         \
	{                                                                      \
		__VA_ARGS__, .setup = setup, .check = check, .state = &shared, \
			     .state_bytes = sizeof(shared), .parts = parts,    \
			     .preemptions = PREEMPTIONS, .tso = true           \
	}

static const struct model canceled = LOT_MODEL(.name = "lot, waiter cancelled",
					       .threads = { holder, waiter, other, cancel_waiter });
static const struct model late = LOT_MODEL(.name = "lot, waiter's deadline",
					   .threads = { holder, waiter, other, expire_waiter });
static const struct model unseen = LOT_MODEL(.name = "lot, given back unseen",
					     .threads = { gives_back_unseen, waiter, other });

TEST_LIMIT(lot, handed_on_while_a_waiter_is_cancelled, 60)
{
	model_must_hold(&canceled);
}

TEST_LIMIT(lot, handed_on_while_a_deadline_passes, 60)
{
	model_must_hold(&late);
}

TEST_LIMIT(lot, given_back_unseen, 60)
{
	model_must_hold(&unseen);
}

/* --- planted errors -------------------------------------------------------------------------------- */

TEST(lot, found_no_look_after_the_unlock)
{
	model_must_fail(&canceled, &(struct mutant){ .flag = NO_LOOK });
}

TEST(lot, found_unlock_without_a_fence)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_FENCE, .effect = MUTANT_SKIP });
}

TEST(lot, found_given_back_without_a_word)
{
	model_must_fail(&unseen, &(struct mutant){ .flag = UNSEEN });
}

TEST(lot, found_natives_counted_too_late)
{
	model_must_fail(&unseen, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 1 << HOLDER,
						   .at = &lot_bucket(&shared.held)->natives,
						   .effect = MUTANT_SKIP });
}

TEST(lot, found_waiter_claimed_by_two)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << ENDER,
						     .at = &parties.tasks[WAITER].wait,
						     .effect = MUTANT_SPLIT });
}

TEST(lot, found_waiter_not_woken)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_RMW,
						     .at = &parties.ready[WAITER],
						     .effect = MUTANT_SKIP });
}
