/* SPDX-License-Identifier: MIT
 *
 * pthread_locks.c - pthread mutexes and conditions among tasks of every kind and plain threads:
 * what they guard is touched by one at a time, and what goes through a queue that they make comes out
 * once.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "mixed.h"

enum { LIMIT_S = 60, PARTIES = 12, MUTEXES = 3 };

static void run(const struct kinds *kinds, int (*body)(struct party *), void *arg, uint64_t seed)
{
	struct mix mix = {
		.count = PARTIES,
		.kinds = kinds->kinds,
		.kinds_count = kinds->count,
		.body = body,
		.arg = arg,
		.seed = seed,
		.cancel_one_of = 4,
		.cancel_within_us = 500,
	};

	test_note(kinds->name);
	mixed_run(&mix);
}

/* --- mutexes ---------------------------------------------------------------------------- */

struct guarded {
	pthread_mutex_t mutex;
	int inside;
	long count;
};

struct guards {
	struct guarded of[MUTEXES]; /* normal, recursive, error-checking */
	_Atomic long locked;
	int rounds;
};

static int lock_somehow(struct party *party, pthread_mutex_t *mutex)
{
	struct timespec until;

	switch (rng_below(&party->rng, 6)) {
	case 0:
		return pthread_mutex_trylock(mutex);
	case 1:
		until = mixed_soon(party, CLOCK_REALTIME);
		return pthread_mutex_timedlock(mutex, &until);
	case 2:
		if (WEFT_TSAN && party->kind == PARTY_THREAD)
			return pthread_mutex_lock(mutex); /* TSan does not know this call */
		until = mixed_soon(party, CLOCK_MONOTONIC);
		return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
	default:
		return pthread_mutex_lock(mutex);
	}
}

static int guard_body(struct party *party)
{
	struct guards *guards = party->arg;

	for (int i = 0; i < guards->rounds; i++) {
		unsigned which = rng_below(&party->rng, MUTEXES);
		struct guarded *thing = &guards->of[which];
		int rc = lock_somehow(party, &thing->mutex);

		CHECK(rc == 0 || rc == EBUSY || rc == ETIMEDOUT);
		if (rc)
			continue;
		CHECK_EQ(thing->inside++, 0);
		mixed_pause(party);
		if (which == 1) {
			CHECK_EQ(pthread_mutex_lock(&thing->mutex), 0);
			mixed_pause(party);
			CHECK_EQ(pthread_mutex_unlock(&thing->mutex), 0);
		} else if (which == 2) {
			CHECK_EQ(pthread_mutex_lock(&thing->mutex), EDEADLK);
		}
		thing->count++;
		guards->locked++;
		CHECK_EQ(--thing->inside, 0);
		CHECK_EQ(pthread_mutex_unlock(&thing->mutex), 0);
		mixed_pause(party);
	}
	return 0;
}

static void guard_with(const struct kinds *kinds, uint64_t seed)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				     PTHREAD_MUTEX_ERRORCHECK };
	struct guards guards = { .rounds = scaled(3000) };
	pthread_mutexattr_t attr;
	long count = 0;

	for (int i = 0; i < MUTEXES; i++) {
		pthread_mutexattr_init(&attr);
		pthread_mutexattr_settype(&attr, types[i]);
		CHECK_EQ(pthread_mutex_init(&guards.of[i].mutex, &attr), 0);
	}
	run(kinds, guard_body, &guards, seed);
	for (int i = 0; i < MUTEXES; i++) {
		count += guards.of[i].count;
		CHECK_EQ(pthread_mutex_destroy(&guards.of[i].mutex), 0);
	}
	CHECK_EQ(count, guards.locked);
	CHECK_GT(count, PARTIES);
}

TEST_LIMIT(pthread_locks, what_they_guard, LIMIT_S)
{
	uint64_t seed = seed_of_run();

	for (unsigned i = 0; i < mixed_kinds_count; i++)
		guard_with(&mixed_kinds[i], seed + i);
}

/* --- a queue ----------------------------------------------------------------------------------- */

enum { PLACES = 5, SENDERS = PARTIES / 2 };

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t filled, emptied;
	unsigned places[PLACES], first, count;
	unsigned each;
	unsigned char *seen; /* under the mutex, too */
};

static void await(struct party *party, pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct timespec until = mixed_soon(party, CLOCK_REALTIME);
	bool timed = rng_below(&party->rng, 4) == 0;
	int rc = timed ? pthread_cond_timedwait(cond, mutex, &until)
		       : pthread_cond_wait(cond, mutex);

	CHECK(rc == 0 || rc == ECANCELED || (timed && rc == ETIMEDOUT));
}

static void put(struct party *party, struct queue *queue, unsigned value)
{
	CHECK_EQ(pthread_mutex_lock(&queue->mutex), 0);
	while (queue->count == PLACES)
		await(party, &queue->emptied, &queue->mutex);
	queue->places[(queue->first + queue->count++) % PLACES] = value;
	CHECK_EQ(pthread_cond_signal(&queue->filled), 0);
	CHECK_EQ(pthread_mutex_unlock(&queue->mutex), 0);
}

static void take(struct party *party, struct queue *queue)
{
	CHECK_EQ(pthread_mutex_lock(&queue->mutex), 0);
	while (queue->count == 0)
		await(party, &queue->filled, &queue->mutex);
	queue->seen[queue->places[queue->first]]++;
	queue->first = (queue->first + 1) % PLACES;
	queue->count--;
	CHECK_EQ(pthread_mutex_unlock(&queue->mutex), 0);
	CHECK_EQ(pthread_cond_signal(&queue->emptied), 0);
}

/* The first half sends, so that both are of each kind. */
static int queue_body(struct party *party)
{
	struct queue *queue = party->arg;

	for (unsigned i = 0; i < queue->each; i++) {
		if (party->number < SENDERS)
			put(party, queue, party->number * queue->each + i);
		else
			take(party, queue);
		mixed_pause(party);
	}
	return 0;
}

static void queue_with(const struct kinds *kinds, uint64_t seed)
{
	struct queue queue = { .each = (unsigned)scaled(1500) };

	queue.seen = calloc(SENDERS, queue.each);
	CHECK(queue.seen);
	CHECK_EQ(pthread_mutex_init(&queue.mutex, NULL), 0);
	CHECK_EQ(pthread_cond_init(&queue.filled, NULL), 0);
	CHECK_EQ(pthread_cond_init(&queue.emptied, NULL), 0);
	run(kinds, queue_body, &queue, seed);
	for (unsigned i = 0; i < SENDERS * queue.each; i++)
		CHECK_EQ(queue.seen[i], 1);
	CHECK_EQ(queue.count, 0);
	CHECK_EQ(pthread_cond_destroy(&queue.filled), 0);
	CHECK_EQ(pthread_cond_destroy(&queue.emptied), 0);
	CHECK_EQ(pthread_mutex_destroy(&queue.mutex), 0);
	free(queue.seen);
}

TEST_LIMIT(pthread_locks, a_queue_of_conditions, LIMIT_S)
{
	uint64_t seed = seed_of_run();

	for (unsigned i = 0; i < mixed_kinds_count; i++)
		queue_with(&mixed_kinds[i], seed + i);
}
