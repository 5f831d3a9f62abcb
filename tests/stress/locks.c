/* SPDX-License-Identifier: MIT
 *
 * locks.c - locks and their like under stress: tasks of every kind and plain threads, deadlines and
 * cancels that race with what they wait for. Whatever is guarded, counted or handed on must add
 * up in the end. The seed decides what each does; who runs where is up to the machine.
 */
#include <base/rng.h>

#include "../unit/parties.h"
#include "stress.h"

enum { LIMIT_S = 120, ACTORS = 10, WORKERS_MOST = 3 };

static uint64_t seed;

/* One that does random steps until it has done enough, or has been cancelled. */
struct actor {
	struct party party;
	struct rng rng;
	int steps;
	int64_t got, gave; /* what the game counts */
};

struct game {
	void (*begin)(void);
	int (*step)(struct actor *actor);
	void (*end)(int64_t got, int64_t gave);
};

static const struct game *game;
static _Atomic int canceled, timed_out; /* waits */

static bool chance(struct actor *actor, unsigned one_of)
{
	return rng_below(&actor->rng, one_of) == 0;
}

/* Once, at some time soon, or whenever it may be. */
static int64_t some_deadline(struct actor *actor)
{
	switch (rng_below(&actor->rng, 4)) {
	case 0:
		return WEFT_NOWAIT;
	case 1:
		return weft_in_us(rng_below(&actor->rng, 100));
	default:
		return WEFT_FOREVER;
	}
}

/* With or without a lock. A cancel that shows here shows again at the next wait. */
static void dawdle(struct actor *actor)
{
	if (!weft_self() || !chance(actor, 4))
		return;
	if (chance(actor, 8))
		weft_sleep(rng_below(&actor->rng, 30000));
	else
		weft_task_yield();
}

static bool is_expected(int rc)
{
	return rc >= 0 || rc == -EAGAIN || rc == -ETIMEDOUT || rc == -ECANCELED;
}

static int act(void *arg)
{
	struct actor *actor = arg;
	int rc = 0;

	for (; actor->steps && rc != -ECANCELED; actor->steps--) {
		rc = game->step(actor);
		CHECK(is_expected(rc));
		canceled += rc == -ECANCELED;
		timed_out += rc == -ETIMEDOUT;
		dawdle(actor);
	}
	return 0;
}

static void start(struct actor *actor, uint64_t draw)
{
	*actor = (struct actor){ .steps = 60 };
	weft__rng_init(&actor->rng, draw);
	party_start(&actor->party, (enum kind)(draw % KINDS), act, actor);
}

static void play(struct actor *actors, struct rng *rng)
{
	int64_t got = 0, gave = 0;
	int begun = 0, most = scaled(600);

	for (int i = 0; i < ACTORS; i++, begun++)
		start(&actors[i], rng_next(rng) >> 32);
	for (int left = ACTORS; left;) {
		struct actor *actor = &actors[rng_below(rng, ACTORS)];

		if (!actor->party.fn) {
			continue; /* its place stays empty */
		} else if (actor->party.over) {
			CHECK_EQ(party_end(&actor->party), 0);
			got += actor->got;
			gave += actor->gave;
			actor->party.fn = NULL;
			if (begun < most)
				start(actor, rng_next(rng) >> 32), begun++;
			else
				left--;
		} else if (actor->party.kind != THREAD && rng_below(rng, 4) == 0) {
			CHECK_EQ(weft_cancel(actor->party.task), 0);
		}
		CHECK_EQ(rng_below(rng, 2) ? weft_task_yield() : weft_sleep(rng_below(rng, 50000)),
			 0);
	}
	game->end(got, gave);
}

static int play_main(void *arg)
{
	struct actor *actors = calloc(ACTORS, sizeof *actors);
	struct rng rng;

	weft__rng_init(&rng, seed * 8 + (uintptr_t)arg);
	game->begin();
	play(actors, &rng);
	free(actors);
	return 0;
}

static void play_all(const struct game *which)
{
	seed = seed_of_run();
	game = which;
	for (unsigned workers = 1; workers <= WORKERS_MOST; workers++)
		run_on(workers, play_main, (void *)(uintptr_t)workers);
	CHECK_GT(canceled, 0);
}

/* --- mutexes: what they guard is touched by one at a time ------------------------------------ */

enum { MUTEXES = 3 };
static struct guarded {
	weft_mutex mutex;
	int inside;
	int64_t count;
} guarded[MUTEXES];

static void mutex_begin(void)
{
	memset(guarded, 0, sizeof guarded);
	CHECK_EQ(weft_mutex_init(&guarded[1].mutex, WEFT_MUTEX_RECURSIVE), 0);
	CHECK_EQ(weft_mutex_init(&guarded[2].mutex, WEFT_MUTEX_SHIELDED), 0);
}

static int mutex_step(struct actor *actor)
{
	int which = (int)rng_below(&actor->rng, MUTEXES);
	struct guarded *thing = &guarded[which];
	int again = which == 1 ? (int)rng_below(&actor->rng, 3) : 0;
	int rc = weft_mutex_lock(&thing->mutex, some_deadline(actor));

	if (rc < 0)
		return rc;
	for (int i = 0; i < again; i++)
		CHECK_EQ(weft_mutex_lock(&thing->mutex, WEFT_FOREVER), 0);
	CHECK_EQ(thing->inside++, 0);
	dawdle(actor);
	thing->count++;
	actor->got++;
	CHECK_EQ(--thing->inside, 0);
	for (int i = 0; i <= again; i++)
		CHECK_EQ(weft_mutex_unlock(&thing->mutex), 0);
	return 0;
}

static void mutex_end(int64_t got, int64_t gave)
{
	int64_t count = 0;

	(void)gave;
	for (int i = 0; i < MUTEXES; i++) {
		count += guarded[i].count;
		CHECK_EQ(weft_mutex_fini(&guarded[i].mutex), 0);
	}
	CHECK_EQ(count, got);
	CHECK_GT(count, 0);
}

TEST_LIMIT(locks, mutexes, LIMIT_S)
{
	play_all(&(struct game){ mutex_begin, mutex_step, mutex_end });
	CHECK_GT(timed_out, 0);
}

/* --- rwlock: writers are alone, readers find things whole -------------------------------------- */

static weft_rwlock rwlock;
static int64_t left_half, right_half;
static _Atomic int reading, writing;

static void rwlock_begin(void)
{
	CHECK_EQ(weft_rwlock_init(&rwlock), 0);
	left_half = right_half = 0;
}

static int rwlock_write(struct actor *actor)
{
	int rc = weft_rwlock_write(&rwlock, some_deadline(actor));

	if (rc < 0)
		return rc;
	CHECK_EQ(writing++, 0);
	CHECK_EQ(reading, 0);
	left_half++;
	dawdle(actor);
	right_half++;
	actor->got++;
	CHECK_EQ(--writing, 0);
	CHECK_EQ(weft_rwlock_unlock(&rwlock), 0);
	return 0;
}

static int rwlock_step(struct actor *actor)
{
	int rc;

	if (chance(actor, 3))
		return rwlock_write(actor);
	rc = weft_rwlock_read(&rwlock, some_deadline(actor));
	if (rc < 0)
		return rc;
	reading++;
	CHECK_EQ(left_half, right_half);
	dawdle(actor);
	CHECK_EQ(writing, 0);
	reading--;
	CHECK_EQ(weft_rwlock_unlock(&rwlock), 0);
	return 0;
}

static void rwlock_end(int64_t got, int64_t gave)
{
	(void)gave;
	CHECK_EQ(left_half, got);
	CHECK_EQ(right_half, got);
	CHECK_EQ(weft_rwlock_fini(&rwlock), 0);
}

TEST_LIMIT(locks, rwlock, LIMIT_S)
{
	play_all(&(struct game){ rwlock_begin, rwlock_step, rwlock_end });
}

/* --- condition: a queue, of which nothing is lost --------------------------------------------------- */

enum { ROOM = 4 };
static weft_mutex queue_mutex;
static weft_cond not_empty, not_full;
static int queued;
static int64_t numbers[ROOM], next_number;

static void cond_begin(void)
{
	CHECK_EQ(weft_mutex_init(&queue_mutex, 0), 0);
	queued = 0;
}

/* Not for ever: the last ones would. */
static int64_t near_deadline(struct actor *actor)
{
	return weft_in_us(rng_below(&actor->rng, 300));
}

static int put(struct actor *actor)
{
	while (queued == ROOM) {
		int rc = weft_cond_wait(&not_full, &queue_mutex, near_deadline(actor));

		if (rc < 0)
			return rc;
	}
	numbers[queued++] = ++next_number;
	actor->gave += next_number;
	weft_cond_signal(&not_empty);
	return 0;
}

static int take(struct actor *actor)
{
	while (!queued) {
		int rc = weft_cond_wait(&not_empty, &queue_mutex, near_deadline(actor));

		if (rc < 0)
			return rc;
	}
	actor->got += numbers[--queued];
	if (chance(actor, 8))
		weft_cond_broadcast(&not_full);
	else
		weft_cond_signal(&not_full);
	return 0;
}

static int cond_step(struct actor *actor)
{
	int rc = weft_mutex_lock(&queue_mutex, some_deadline(actor));

	if (rc < 0)
		return rc;
	rc = chance(actor, 2) ? put(actor) : take(actor);
	CHECK_EQ(weft_mutex_unlock(&queue_mutex), 0); /* however it ended */
	return rc;
}

static void cond_end(int64_t got, int64_t gave)
{
	while (queued)
		got += numbers[--queued];
	CHECK_EQ(got, gave);
	CHECK_GT(got, 0);
	CHECK_EQ(weft_cond_fini(&not_empty), 0);
	CHECK_EQ(weft_cond_fini(&not_full), 0);
	CHECK_EQ(weft_mutex_fini(&queue_mutex), 0);
}

TEST_LIMIT(locks, conditions, LIMIT_S)
{
	play_all(&(struct game){ cond_begin, cond_step, cond_end });
}

/* --- semaphore: permits are neither lost nor made ---------------------------------------------------- */

enum { PERMITS = 5 };
static weft_semaphore semaphore;
static _Atomic int used;

static void semaphore_begin(void)
{
	CHECK_EQ(weft_semaphore_init(&semaphore, PERMITS), 0);
	used = 0;
}

static int semaphore_step(struct actor *actor)
{
	int count = 1 + (int)rng_below(&actor->rng, PERMITS);
	int rc = weft_semaphore_wait_n(&semaphore, (unsigned)count, some_deadline(actor));

	if (rc < 0)
		return rc;
	CHECK_LE(atomic_fetch_add(&used, count) + count, PERMITS);
	dawdle(actor);
	used -= count;
	while (count) {
		int some = 1 + (int)rng_below(&actor->rng, (uint32_t)count);

		CHECK_EQ(weft_semaphore_post(&semaphore, (unsigned)some), 0);
		count -= some;
	}
	return 0;
}

static void semaphore_end(int64_t got, int64_t gave)
{
	(void)got, (void)gave;
	CHECK_EQ(weft_semaphore_value(&semaphore), PERMITS);
	CHECK_EQ(weft_semaphore_fini(&semaphore), 0);
}

TEST_LIMIT(locks, semaphore, LIMIT_S)
{
	play_all(&(struct game){ semaphore_begin, semaphore_step, semaphore_end });
}

/* --- event: one thing goes around ------------------------------------------------------------------------ */

static weft_event event;
static int holders;

static void event_begin(void)
{
	CHECK_EQ(weft_event_init(&event, WEFT_EVENT_AUTO), 0);
	CHECK_EQ(weft_event_set(&event), 0);
}

static int event_step(struct actor *actor)
{
	int rc = weft_event_wait(&event, some_deadline(actor));

	if (rc < 0)
		return rc;
	CHECK_EQ(holders++, 0);
	dawdle(actor);
	CHECK_EQ(--holders, 0);
	return weft_event_set(&event);
}

static void event_end(int64_t got, int64_t gave)
{
	(void)got, (void)gave;
	CHECK_EQ(weft_event_reset(&event), 1);
	CHECK_EQ(weft_event_fini(&event), 0);
}

TEST_LIMIT(locks, automatic_event, LIMIT_S)
{
	play_all(&(struct game){ event_begin, event_step, event_end });
}

/* --- barrier: so many pass at a time, and one of them is told -------------------------------------------- */

enum { MEET = 3 };
static weft_barrier barrier;

static void barrier_begin(void)
{
	CHECK_EQ(weft_barrier_init(&barrier, MEET), 0);
}

static int barrier_step(struct actor *actor)
{
	int rc = weft_barrier_wait(&barrier, near_deadline(actor));

	if (rc >= 0)
		actor->got++;
	if (rc == 1)
		actor->gave++;
	return rc;
}

static void barrier_end(int64_t got, int64_t gave)
{
	CHECK_EQ(got, gave * MEET);
	CHECK_GT(gave, 0);
	CHECK_EQ(weft_barrier_fini(&barrier), 0);
}

TEST_LIMIT(locks, barrier, LIMIT_S)
{
	play_all(&(struct game){ barrier_begin, barrier_step, barrier_end });
}

/* --- waitgroup and once: work that ends in the frame of who waits ------------------------------------------ */

static weft_once_flag once;
static _Atomic int once_runs;

static int once_body(void *arg)
{
	struct actor *actor = arg;

	dawdle(actor);
	if (chance(actor, 2))
		return -EAGAIN;
	once_runs++;
	return 0;
}

static void group_begin(void)
{
	memset(&once, 0, sizeof once);
	once_runs = 0;
}

static int finish_one(void *arg)
{
	weft_task_yield();
	return weft_waitgroup_done(arg);
}

static int group_step(struct actor *actor)
{
	struct {
		weft_waitgroup group;
		struct party parties[2];
	} * work;
	int rc = weft_once(&once, once_body, actor);

	if (rc < 0 || !weft_self() || !chance(actor, 4))
		return rc;
	work = calloc(1, sizeof *work);
	CHECK_EQ(weft_waitgroup_add(&work->group, 2), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_go(finish_one, &work->group), 0);
	do
		rc = weft_waitgroup_wait(&work->group, near_deadline(actor));
	while (rc == -ETIMEDOUT);
	/* They still need it, if we have been cancelled. */
	while (rc < 0 && weft_waitgroup_wait(&work->group, WEFT_NOWAIT) < 0)
		weft_task_yield();
	memset(work, 0xff, sizeof *work);
	free(work);
	return rc;
}

static void group_end(int64_t got, int64_t gave)
{
	(void)got, (void)gave;
	CHECK_EQ(once_runs, 1);
}

TEST_LIMIT(locks, once_and_waitgroups, LIMIT_S)
{
	play_all(&(struct game){ group_begin, group_step, group_end });
}
