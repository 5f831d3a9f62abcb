/* SPDX-License-Identifier: MIT
 *
 * lock_history.c - mutex, rwlock and semaphore under stress do what their machines may do
 * (history/spec_locks.c): each round records a history of random calls by parties of every kind,
 * with deadlines and cancels, and linear.h judges it. What they protect is plain data.
 */
#include <errno.h>

#include "../history/linear.h"
#include "mixed.h"

enum { LIMIT_S = 60, PARTIES = 8, TURNS = 40, PERMITS = 3, DEPTH_MOST = 3 };

static uint64_t seed;

struct round {
	weft_mutex mutex;
	weft_rwlock rwlock;
	weft_semaphore semaphore;
	bool recursive;
	uint64_t protected[4]; /* all alike whenever nobody writes */
	_Atomic int inside;    /* the semaphore */
	struct history *history;
};

/* --- calls: each is recorded --------------------------------------------------------------------- */

/* A deadline, or none: everybody gives back what he has. */
static int64_t draw_deadline(struct party *party)
{
	return rng_below(&party->rng, 4) ? mixed_deadline(party) : WEFT_FOREVER;
}

static int call(struct party *party, struct round *round, enum op_kind kind, int64_t deadline_ns)
{
	struct op *op = history_begin(round->history, party->number, kind, 0, 1);
	int rc = -EINVAL;

	switch (kind) {
	case OP_LOCK:
	case OP_TRY_LOCK:
		rc = weft_mutex_lock(&round->mutex, deadline_ns);
		break;
	case OP_UNLOCK:
		rc = weft_mutex_unlock(&round->mutex);
		break;
	case OP_ACQUIRE:
	case OP_TRY_ACQUIRE:
		rc = weft_semaphore_wait(&round->semaphore, deadline_ns);
		break;
	case OP_RELEASE:
		rc = weft_semaphore_post(&round->semaphore, 1);
		break;
	default:
		CHECK(!"no such call");
	}
	history_end(round->history, op, rc);
	return rc;
}

static void write_protected(struct party *party, struct round *round)
{
	uint64_t value = rng_next(&party->rng);

	for (int i = 0; i < 4; i++) {
		round->protected[i] = value;
		if (i == 1)
			mixed_pause(party);
	}
}

static void read_protected(struct party *party, struct round *round)
{
	uint64_t value = round->protected[0];

	mixed_pause(party);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(round->protected[i], value);
}

/* --- mutex ---------------------------------------------------------------------------------------- */

static int lock_mutex(struct party *party, struct round *round)
{
	int64_t deadline_ns = draw_deadline(party);

	return call(party, round, deadline_ns == WEFT_NOWAIT ? OP_TRY_LOCK : OP_LOCK, deadline_ns);
}

static int use_mutex(struct party *party)
{
	struct round *round = party->arg;

	for (int turn = 0; turn < TURNS; turn++) {
		int depth = 0;

		if (rng_below(&party->rng, 16) == 0)
			CHECK_EQ(call(party, round, OP_UNLOCK, 0), -EPERM);
		if (lock_mutex(party, round) == 0)
			depth = 1;
		if (depth)
			read_protected(party, round);
		while (depth && depth < DEPTH_MOST && rng_below(&party->rng, 8) == 0) {
			int rc = lock_mutex(party, round);

			CHECK_EQ(rc, round->recursive ? 0 : -EDEADLK);
			depth += rc == 0;
		}
		if (depth)
			write_protected(party, round);
		for (; depth; depth--)
			CHECK_EQ(call(party, round, OP_UNLOCK, 0), 0);
		mixed_pause(party);
	}
	return 0;
}

/* --- rwlock ---------------------------------------------------------------------------------------- */

static int call_rwlock(struct party *party, struct round *round, bool writes)
{
	int64_t deadline_ns = draw_deadline(party);
	bool is_try = deadline_ns == WEFT_NOWAIT;
	enum op_kind kind = writes   ? is_try ? OP_TRY_LOCK : OP_LOCK
			    : is_try ? OP_TRY_READ_LOCK
				     : OP_READ_LOCK;
	struct op *op = history_begin(round->history, party->number, kind, 0, 0);
	int rc = writes ? weft_rwlock_write(&round->rwlock, deadline_ns)
			: weft_rwlock_read(&round->rwlock, deadline_ns);

	history_end(round->history, op, rc);
	return rc;
}

static int use_rwlock(struct party *party)
{
	struct round *round = party->arg;

	for (int turn = 0; turn < TURNS; turn++) {
		bool writes = rng_below(&party->rng, 3) == 0;
		struct op *op;

		if (call_rwlock(party, round, writes) != 0)
			continue;
		read_protected(party, round);
		if (writes)
			write_protected(party, round);
		op = history_begin(round->history, party->number,
				   writes ? OP_UNLOCK : OP_READ_UNLOCK, 0, 0);
		history_end(round->history, op, weft_rwlock_unlock(&round->rwlock));
		CHECK_EQ(op->result, 0);
		mixed_pause(party);
	}
	return 0;
}

/* --- semaphore --------------------------------------------------------------------------------------- */

static int use_semaphore(struct party *party)
{
	struct round *round = party->arg;

	for (int turn = 0; turn < TURNS; turn++) {
		int64_t deadline_ns = draw_deadline(party);
		bool is_try = deadline_ns == WEFT_NOWAIT;

		if (call(party, round, is_try ? OP_TRY_ACQUIRE : OP_ACQUIRE, deadline_ns) != 0)
			continue;
		CHECK_LE(++round->inside, PERMITS);
		mixed_pause(party);
		round->inside--;
		CHECK_EQ(call(party, round, OP_RELEASE, 0), 0);
		mixed_pause(party);
	}
	return 0;
}

/* --- rounds -------------------------------------------------------------------------------------------- */

struct plan {
	int (*body)(struct party *party);
	struct spec spec;
	unsigned flags; /* of the mutex */
	unsigned cancel_one_of;
};

struct seen {
	unsigned long calls, done, timed_out, refused, canceled;
};

static void count_results(const struct history *history, struct seen *seen)
{
	for (unsigned p = 0; p < history->parties; p++)
		for (unsigned i = 0; i < history->records[p].count; i++) {
			int result = history->records[p].ops[i].result;

			seen->calls++;
			seen->done += result == 0;
			seen->timed_out += result == -ETIMEDOUT;
			seen->refused += result == -EAGAIN;
			seen->canceled += result == -ECANCELED;
		}
}

static void play(const struct plan *plan, const struct kinds *kinds, uint64_t number,
		 struct seen *seen)
{
	struct round round = { .recursive = plan->flags & WEFT_MUTEX_RECURSIVE };
	struct mix mix = {
		.count = PARTIES,
		.kinds = kinds->kinds,
		.kinds_count = kinds->count,
		.body = plan->body,
		.arg = &round,
		.seed = seed * 1000003 + number,
		.cancel_one_of = plan->cancel_one_of,
		.cancel_within_us = 300,
	};

	CHECK_EQ(weft_mutex_init(&round.mutex, plan->flags), 0);
	CHECK_EQ(weft_rwlock_init(&round.rwlock), 0);
	CHECK_EQ(weft_semaphore_init(&round.semaphore, PERMITS), 0);
	round.history = history_new(PARTIES, TURNS * (3 + 2 * DEPTH_MOST));
	mixed_run(&mix);
	linear_require(round.history, 0, &plan->spec);
	/* Nothing is left behind. */
	CHECK_EQ(weft_mutex_fini(&round.mutex), 0);
	CHECK_EQ(weft_rwlock_fini(&round.rwlock), 0);
	CHECK_EQ(weft_semaphore_value(&round.semaphore), PERMITS);
	CHECK_EQ(weft_semaphore_fini(&round.semaphore), 0);
	count_results(round.history, seen);
	history_free(round.history);
}

static void play_all(const struct plan *plan, int rounds)
{
	struct seen seen = { 0 };
	char line[160];

	seed = seed_of_run();
	for (int i = 0; i < scaled(rounds); i++)
		for (unsigned k = 0; k < mixed_kinds_count; k++)
			play(plan, &mixed_kinds[k], (uint64_t)i * mixed_kinds_count + k, &seen);
	snprintf(line, sizeof line, "%lu calls: %lu done, %lu timed out, %lu refused, %lu canceled",
		 seen.calls, seen.done, seen.timed_out, seen.refused, seen.canceled);
	test_note(line);
	CHECK_GT(seen.done, seen.calls / 10);
	CHECK_GT(seen.timed_out, 0);
	CHECK_GT(seen.refused, 0);
	CHECK_EQ(seen.canceled > 0,
		 plan->cancel_one_of > 0 && !(plan->flags & WEFT_MUTEX_SHIELDED));
}

TEST_LIMIT(lock_history, mutex, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_mutex, .spec = spec_mutex(false) }, 50);
}

TEST_LIMIT(lock_history, mutex_canceled, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_mutex, .spec = spec_mutex(false), .cancel_one_of = 3 },
		 50);
}

TEST_LIMIT(lock_history, recursive_mutex, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_mutex,
				 .spec = spec_mutex(true),
				 .flags = WEFT_MUTEX_RECURSIVE,
				 .cancel_one_of = 4 },
		 50);
}

TEST_LIMIT(lock_history, shielded_mutex, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_mutex,
				 .spec = spec_mutex(false),
				 .flags = WEFT_MUTEX_SHIELDED,
				 .cancel_one_of = 3 },
		 40);
}

TEST_LIMIT(lock_history, rwlock, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_rwlock, .spec = spec_rwlock() }, 50);
}

TEST_LIMIT(lock_history, rwlock_canceled, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_rwlock, .spec = spec_rwlock(), .cancel_one_of = 3 },
		 50);
}

TEST_LIMIT(lock_history, semaphore, LIMIT_S)
{
	play_all(&(struct plan){ .body = use_semaphore,
				 .spec = spec_semaphore(PERMITS),
				 .cancel_one_of = 4 },
		 50);
}
