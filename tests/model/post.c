/* SPDX-License-Identifier: MIT
 *
 * post.c - sync/post.c and lot.c as they are, for a semaphore that knows nothing of them, as libc's
 * does: one posts and never waits for a lock, two wait. Each permit comes to somebody who wants it,
 * though a holder of the bucket's lock stands still while it is posted: as he does when a signal
 * handler posts. One of the two has no worker, and is delivered by the post office.
 */
#define LOT_BITS   1
#define LOCK_LOOKS 1

#include <limits.h>

#include "parties.h"

#include <base/clock.h>
#include <base/syscall.h>

enum { WAITER, OTHER, POSTER, OFFICE };

static struct {
	_Atomic uint32_t permits; /* libc's word */
	_Atomic uint32_t bell;    /* the office's sleep */
	int told[2];
} shared;

static void ring_bell(int number, ...)
{
	(void)number;
	model_post(&shared.bell);
}

#undef weft__syscall
#define weft__syscall(...)            ring_bell(__VA_ARGS__)
#define cpu_relax()                   model_relax()
#define weft__now()                   INT64_C(1)
#define weft__clock_ns(clock)         weft__now()
#define weft__park(self, kind, until) weft__guest_park((self), (until))

#include <sync/lot.c>
#include <sync/lot_wake.c>
#include <sync/post.c>
#include <sync/word.c>

enum mutants { NO_LOOK = 1 };

static const struct model_part parts[] = {
	PARTIES_PART,
	{ weft__lot, sizeof(weft__lot) },
	{ (void *)&weft__lot_heirs, sizeof(weft__lot_heirs) },
	{ &office, sizeof(office) },
	{ NULL, 0 },
};

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	memset(weft__lot, 0, sizeof(weft__lot));
	memset(&office, 0, sizeof(office));
	atomic_store_explicit(&weft__lot_heirs, 0, memory_order_relaxed);
	parties_setup();
	parties.tasks[WAITER].origin = (uint64_t)OWNER_NONE << 48;
}

/* A worker's inbox, whose worker takes him out at once. */
struct worker *weft__worker(unsigned index)
{
	(void)index;
	return NULL;
}

void weft__inbox_push(struct worker *worker, struct task *task)
{
	(void)worker;
	weft__ready_elsewhere(task);
}

/* --- the semaphore, as semaphore.c has it ------------------------------------------------------- */

static bool try(void *unused)
{
	uint32_t permits = atomic_load_explicit(&shared.permits, memory_order_relaxed);

	(void)unused;
	return permits && atomic_compare_exchange_strong(&shared.permits, &permits, permits - 1);
}

static void take_one(void)
{
	struct task *self = &parties.tasks[model_self()];
	struct lot_wait wait = { .address = &shared.permits,
				 .kind = LOT_SEMAPHORE,
				 .deadline_ns = WEFT_FOREVER,
				 .clock = CLOCK_MONOTONIC,
				 .try = try };
	int rc;

	while ((rc = weft__lot_wait(self, &wait)) == LOT_WOKEN)
		wait.vain++;
	shared.told[model_self()] = rc;
	if (rc == LOT_DONE && atomic_load_explicit(&shared.permits, memory_order_relaxed))
		lot_tell(&shared.permits, 1);
}

static void post(void)
{
	atomic_fetch_add_explicit(&shared.permits, 1, memory_order_release);
	full_fence();
	if (model_mutant() != NO_LOOK)
		lot_post(&shared.permits);
}

static void post_two(void)
{
	post();
	post();
}

static void work_on(void)
{
	for (;;) {
		model_await(&shared.bell);
		work();
		model_checkpoint(0);
	}
}

static void cancel_waiter(void)
{
	party_cancel(WAITER);
}

/* --- the end --------------------------------------------------------------------------------------- */

static void check_lot(void)
{
	struct lot_bucket *bucket = lot_bucket(&shared.permits);

	MODEL_CHECK(atomic_load(&bucket->waiting) == 0 && waitq_idle(&bucket->queue));
	MODEL_CHECK(!bucket->coveted && !bucket->heir);
	MODEL_CHECK(!atomic_load(&office.claimed));
}

static void check_both(void)
{
	MODEL_CHECK(shared.told[WAITER] == LOT_DONE && shared.told[OTHER] == LOT_DONE);
	MODEL_CHECK(atomic_load(&shared.permits) == 0);
	check_lot();
}

static void check_canceled(void)
{
	int got = shared.told[WAITER] == LOT_DONE;

	MODEL_CHECK(got || shared.told[WAITER] == -ECANCELED);
	MODEL_CHECK((int)atomic_load(&shared.permits) + got == 1);
	check_lot();
}

#define POST_MODEL(...)                                                                            \
	{                                                                                          \
		__VA_ARGS__, .setup = setup, .state = &shared, .state_bytes = sizeof(shared),      \
			     .parts = parts, .may_block = 1 << OFFICE, .preemptions = PREEMPTIONS, \
			     .tso = true                                                           \
	}

static const struct model both =
	POST_MODEL(.name = "post, two wait", .threads = { take_one, take_one, post_two, work_on },
		   .check = check_both);
static const struct model canceled =
	POST_MODEL(.name = "post, the waiter cancelled",
		   .threads = { take_one, cancel_waiter, post, work_on }, .check = check_canceled);

TEST_LIMIT(post, each_permit_comes_to_somebody, 60)
{
	model_must_hold(&both);
}

TEST_LIMIT(post, posted_while_a_waiter_is_cancelled, 60)
{
	model_must_hold(&canceled);
}

/* --- planted errors -------------------------------------------------------------------------------- */

TEST(post, found_no_look_after_the_post)
{
	model_must_fail(&both, &(struct mutant){ .flag = NO_LOOK });
}

TEST(post, found_post_without_a_fence)
{
	model_must_fail(&both, &(struct mutant){ .op = MODEL_FENCE, .effect = MUTANT_SKIP });
}

TEST(post, found_bucket_not_marked)
{
	model_must_fail(&both, &(struct mutant){ .op = MODEL_RMW,
						 .threads = 1 << POSTER,
						 .at = &office.marks[0],
						 .effect = MUTANT_SKIP });
}

TEST(post, found_bell_not_rung)
{
	model_must_fail(&both, &(struct mutant){ .op = MODEL_RMW,
						 .threads = 1 << POSTER,
						 .at = &shared.bell,
						 .effect = MUTANT_SKIP });
}

TEST(post, found_waiter_claimed_by_two)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << OTHER,
						     .at = &parties.tasks[WAITER].wait,
						     .effect = MUTANT_SPLIT });
}
