/* SPDX-License-Identifier: MIT
 *
 * pthread_waits.c - read-write locks, semaphores, barriers and pthread_once() of libc's among tasks of
 * every kind and plain threads: nobody writes beside another, permits are as many as there were, a
 * round takes all along, and one makes it once. And a signal handler posts, in the middle of
 * anything.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mixed.h"

enum { LIMIT_S = 60, PARTIES = 12 };

static void run(const struct kinds *kinds, int (*body)(struct party *), void *arg, uint64_t seed,
		unsigned cancel_one_of)
{
	struct mix mix = {
		.count = PARTIES,
		.kinds = kinds->kinds,
		.kinds_count = kinds->count,
		.body = body,
		.arg = arg,
		.seed = seed,
		.cancel_one_of = cancel_one_of,
		.cancel_within_us = 500,
	};

	test_note(kinds->name);
	mixed_run(&mix);
}

/* --- read-write locks ------------------------------------------------------------------------- */

enum { LOCKS = 3 };

struct shelf {
	pthread_rwlock_t lock;
	_Atomic int readers, writers;
	long written;
};

struct shelves {
	struct shelf of[LOCKS]; /* one of each preference */
	_Atomic long writes;
	int rounds;
};

static int read_somehow(struct party *party, pthread_rwlock_t *lock)
{
	struct timespec until;

	switch (rng_below(&party->rng, 5)) {
	case 0:
		return pthread_rwlock_tryrdlock(lock);
	case 1:
		until = mixed_soon(party, CLOCK_REALTIME);
		return pthread_rwlock_timedrdlock(lock, &until);
	default:
		return pthread_rwlock_rdlock(lock);
	}
}

static int write_somehow(struct party *party, pthread_rwlock_t *lock)
{
	struct timespec until;

	switch (rng_below(&party->rng, 5)) {
	case 0:
		return pthread_rwlock_trywrlock(lock);
	case 1:
		until = mixed_soon(party, CLOCK_REALTIME);
		return pthread_rwlock_timedwrlock(lock, &until);
	default:
		return pthread_rwlock_wrlock(lock);
	}
}

static void read_it(struct party *party, struct shelf *shelf, bool again)
{
	int rc = read_somehow(party, &shelf->lock);

	CHECK(rc == 0 || rc == EBUSY || rc == ETIMEDOUT);
	if (rc)
		return;
	shelf->readers++;
	CHECK_EQ(shelf->writers, 0);
	mixed_pause(party);
	if (again) {
		CHECK_EQ(pthread_rwlock_rdlock(&shelf->lock), 0);
		mixed_pause(party);
		CHECK_EQ(pthread_rwlock_unlock(&shelf->lock), 0);
	}
	CHECK_EQ(shelf->writers, 0);
	shelf->readers--;
	CHECK_EQ(pthread_rwlock_unlock(&shelf->lock), 0);
}

static void write_it(struct party *party, struct shelf *shelf, _Atomic long *writes)
{
	int rc = write_somehow(party, &shelf->lock);

	CHECK(rc == 0 || rc == EBUSY || rc == ETIMEDOUT);
	if (rc)
		return;
	CHECK_EQ(shelf->writers++, 0);
	CHECK_EQ(shelf->readers, 0);
	mixed_pause(party);
	CHECK_EQ(pthread_rwlock_rdlock(&shelf->lock), EDEADLK);
	shelf->written++;
	++*writes;
	CHECK_EQ(--shelf->writers, 0);
	CHECK_EQ(pthread_rwlock_unlock(&shelf->lock), 0);
}

static int shelf_body(struct party *party)
{
	struct shelves *shelves = party->arg;

	for (int i = 0; i < shelves->rounds; i++) {
		unsigned which = rng_below(&party->rng, LOCKS);
		struct shelf *shelf = &shelves->of[which];

		if (rng_below(&party->rng, 3))
			read_it(party, shelf, which < 2 && rng_below(&party->rng, 3) == 0);
		else
			write_it(party, shelf, &shelves->writes);
		mixed_pause(party);
	}
	return 0;
}

static void shelves_with(const struct kinds *kinds, uint64_t seed)
{
	static const int preferences[] = { PTHREAD_RWLOCK_PREFER_READER_NP,
					   PTHREAD_RWLOCK_PREFER_WRITER_NP,
					   PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP };
	struct shelves shelves = { .rounds = scaled(1000) };
	pthread_rwlockattr_t attr;
	long written = 0;

	for (int i = 0; i < LOCKS; i++) {
		pthread_rwlockattr_init(&attr);
		pthread_rwlockattr_setkind_np(&attr, preferences[i]);
		CHECK_EQ(pthread_rwlock_init(&shelves.of[i].lock, &attr), 0);
	}
	run(kinds, shelf_body, &shelves, seed, 4);
	for (int i = 0; i < LOCKS; i++) {
		written += shelves.of[i].written;
		CHECK_EQ(pthread_rwlock_destroy(&shelves.of[i].lock), 0);
	}
	CHECK_EQ(written, shelves.writes);
	CHECK_GT(written, PARTIES);
}

TEST_LIMIT(pthread_waits, readers_and_writers, LIMIT_S)
{
	uint64_t seed = seed_of_run();

	for (unsigned i = 0; i < mixed_kinds_count; i++)
		shelves_with(&mixed_kinds[i], seed + i);
}

/* --- semaphores ------------------------------------------------------------------------------- */

enum { PERMITS = 3 };

struct permits {
	sem_t sem;
	_Atomic int inside;
	_Atomic long taken;
	int rounds;
};

static int take_somehow(struct party *party, sem_t *sem)
{
	struct timespec until;

	switch (rng_below(&party->rng, 6)) {
	case 0:
		return sem_trywait(sem);
	case 1:
		until = mixed_soon(party, CLOCK_REALTIME);
		return sem_timedwait(sem, &until);
	default:
		return sem_wait(sem);
	}
}

static int permit_body(struct party *party)
{
	struct permits *permits = party->arg;

	for (int i = 0; i < permits->rounds; i++) {
		if (take_somehow(party, &permits->sem) < 0) {
			CHECK(errno == EAGAIN || errno == ETIMEDOUT || errno == ECANCELED ||
			      errno == EINTR);
			continue;
		}
		CHECK_LE(++permits->inside, PERMITS);
		mixed_pause(party);
		permits->inside--;
		permits->taken++;
		CHECK_EQ(sem_post(&permits->sem), 0);
		mixed_pause(party);
	}
	return 0;
}

static void permits_with(const struct kinds *kinds, uint64_t seed)
{
	struct permits permits = { .rounds = scaled(1500) };
	int value;

	CHECK_EQ(sem_init(&permits.sem, 0, PERMITS), 0);
	run(kinds, permit_body, &permits, seed, 4);
	CHECK_EQ(sem_getvalue(&permits.sem, &value), 0);
	CHECK_EQ(value, PERMITS);
	CHECK_GT(permits.taken, PARTIES);
	CHECK_EQ(sem_destroy(&permits.sem), 0);
}

TEST_LIMIT(pthread_waits, permits, LIMIT_S)
{
	uint64_t seed = seed_of_run();

	for (unsigned i = 0; i < mixed_kinds_count; i++)
		permits_with(&mixed_kinds[i], seed + i);
}

/* Each permit comes from a handler, and each is waited for by somebody. */
static struct posted {
	sem_t sem;
	_Atomic long wanted, got;
} posted;

static void on_signal(int unused)
{
	(void)unused;
	if (posted.wanted > 0) {
		posted.wanted--;
		sem_post(&posted.sem);
	}
}

static int posted_body(struct party *party)
{
	int rounds = *(int *)party->arg;

	for (int i = 0; i < rounds; i++) {
		while (sem_wait(&posted.sem) < 0)
			CHECK_EQ(errno, EINTR);
		posted.got++;
		mixed_pause(party);
	}
	return 0;
}

/* A thread at a time is interrupted, whichever the kernel takes: weft's own have signals blocked. */
static void *sends_signals(void *unused)
{
	struct timespec pause = { 0, 20000 };

	while (posted.wanted > 0) {
		kill(getpid(), SIGUSR1);
		nanosleep(&pause, NULL);
	}
	return unused;
}

static void posted_with(const struct kinds *kinds, uint64_t seed)
{
	int rounds = scaled(60);
	pthread_t sender;
	sigset_t signals;

	CHECK_EQ(sem_init(&posted.sem, 0, 0), 0);
	posted.got = 0;
	posted.wanted = (long)rounds * PARTIES;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	CHECK_EQ(pthread_create(&sender, NULL, sends_signals, NULL), 0);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	run(kinds, posted_body, &rounds, seed, 0);
	CHECK_EQ(pthread_join(sender, NULL), 0);
	CHECK_EQ(posted.got, (long)rounds * PARTIES);
	CHECK_EQ(sem_destroy(&posted.sem), 0);
}

TEST_LIMIT(pthread_waits, posted_by_a_signal_handler, LIMIT_S)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
	uint64_t seed = seed_of_run();

	CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	for (unsigned i = 0; i < mixed_kinds_count; i++)
		posted_with(&mixed_kinds[i], seed + i);
}

/* --- barriers and once -------------------------------------------------------------------------- */

enum { ONCES = 64 };

static struct rounds {
	pthread_barrier_t barrier;
	_Atomic long arrived, serials;
	int rounds;
	pthread_once_t onces[ONCES];
	_Atomic int made[ONCES];
	_Atomic unsigned which;
} rounds;

static void make(void)
{
	rounds.made[rounds.which % ONCES]++;
	if (rounds.which % 2)
		usleep(50);
}

/* All at once, in each round, at a thing that nobody has made yet. */
static int round_body(struct party *party)
{
	for (int i = 0; i < rounds.rounds; i++) {
		int rc;

		rounds.arrived++;
		rc = pthread_barrier_wait(&rounds.barrier);
		CHECK(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
		rounds.serials += rc != 0;
		CHECK_GE(rounds.arrived, (long)(i + 1) * PARTIES);
		mixed_pause(party);
		CHECK_EQ(pthread_once(&rounds.onces[i % ONCES], make), 0);
		CHECK_EQ(rounds.made[i % ONCES], 1);
		if (pthread_barrier_wait(&rounds.barrier)) {
			rounds.onces[i % ONCES] = PTHREAD_ONCE_INIT;
			rounds.made[i % ONCES] = 0;
			rounds.which++;
		}
		pthread_barrier_wait(&rounds.barrier);
	}
	return 0;
}

static void rounds_with(const struct kinds *kinds, uint64_t seed)
{
	memset(&rounds, 0, sizeof(rounds));
	rounds.rounds = scaled(300);
	CHECK_EQ(pthread_barrier_init(&rounds.barrier, NULL, PARTIES), 0);
	run(kinds, round_body, NULL, seed, 4);
	CHECK_EQ(rounds.serials, rounds.rounds);
	CHECK_EQ(pthread_barrier_destroy(&rounds.barrier), 0);
}

TEST_LIMIT(pthread_waits, rounds, LIMIT_S)
{
	uint64_t seed = seed_of_run();

	for (unsigned i = 0; i < mixed_kinds_count; i++)
		rounds_with(&mixed_kinds[i], seed + i);
}
