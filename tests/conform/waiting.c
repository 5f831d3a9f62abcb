/* SPDX-License-Identifier: MIT
 *
 * waiting.c - read-write locks, semaphores, barriers, pthread_once() and joins.
 */
#include "conform.h"

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <threads.h>

#include <base/compiler.h>

static pthread_rwlock_t rwlock;
static sem_t sem;
static pthread_barrier_t barrier;
static _Atomic int stage, count, serials;

static void await_stage(int wanted)
{
	while (stage < wanted)
		pause_ms(1);
}

static struct timespec bad_times[] = { { 1, -1 }, { 1, 1000000000 }, { -5, 0 }, { 0, 0 } };

/* --- read-write locks -------------------------------------------------------------------- */

static const int preferences[] = { PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
				   PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP };
enum { PREFERENCES = sizeof(preferences) / sizeof(*preferences) };

static void fresh_rwlock(int preference, int shared)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, preference);
	pthread_rwlockattr_setpshared(&attr, shared);
	CHECK_EQ(pthread_rwlock_init(&rwlock, &attr), 0);
	stage = 0;
}

static void rwlock_over(void)
{
	peers_end();
	LOG_ERROR(pthread_rwlock_destroy(&rwlock));
}

CONFORM(rwlocks, alone)
{
	for (int i = 0; i < PREFERENCES; i++) {
		fresh_rwlock(preferences[i], i == 1);
		LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_tryrdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_trywrlock(&rwlock));
		for (int j = 0; j < 3; j++)
			LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		LOG_ERROR(pthread_rwlock_wrlock(&rwlock));
		LOG_ERROR(pthread_rwlock_wrlock(&rwlock));
		LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_tryrdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_trywrlock(&rwlock));
		LOG_ERROR(pthread_rwlock_timedwrlock(&rwlock, &bad_times[3]));
		LOG_ERROR(pthread_rwlock_timedrdlock(&rwlock, &bad_times[3]));
		LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		LOG_ERROR(pthread_rwlock_trywrlock(&rwlock));
		LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		rwlock_over();
	}
}

static void write_for(int ms)
{
	pthread_rwlock_wrlock(&rwlock);
	stage = 1;
	pause_ms(ms);
	stage = 2;
	pthread_rwlock_unlock(&rwlock);
}

static void read_for(int ms)
{
	pthread_rwlock_rdlock(&rwlock);
	stage = 1;
	pause_ms(ms);
	stage = 2;
	pthread_rwlock_unlock(&rwlock);
}

CONFORM(rwlocks, held_by_another)
{
	for (int i = 0; i < PREFERENCES; i++) {
		fresh_rwlock(preferences[i], 0);
		peer(write_for, 20);
		await_stage(1);
		LOG_ERROR(pthread_rwlock_tryrdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_trywrlock(&rwlock));
		LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
		note("stage %d", stage);
		LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		peers_end();
		stage = 0;
		peer(read_for, 20);
		await_stage(1);
		LOG_ERROR(pthread_rwlock_tryrdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		LOG_ERROR(pthread_rwlock_trywrlock(&rwlock));
		LOG_ERROR(pthread_rwlock_wrlock(&rwlock));
		note("stage %d", stage);
		LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		rwlock_over();
	}
}

/* A reader comes again while somebody waits to write. */
CONFORM(rwlocks, read_again_beside_a_writer)
{
	for (int i = 0; i < 2; i++) {
		fresh_rwlock(preferences[i], 0);
		LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
		peer(write_for, 0);
		pause_ms(5);
		LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
		LOG_ERROR(pthread_rwlock_tryrdlock(&rwlock));
		note("stage %d", stage);
		for (int j = 0; j < 3; j++)
			LOG_ERROR(pthread_rwlock_unlock(&rwlock));
		await_stage(2);
		rwlock_over();
	}
}

static void write_or_give_up(int ms)
{
	struct timespec then = in_ms(CLOCK_REALTIME, ms);

	CHECK_EQ(pthread_rwlock_timedwrlock(&rwlock, &then), ETIMEDOUT);
	stage = 2;
}

/* Who waits for somebody who waits to write goes on when that one gives up. */
CONFORM(rwlocks, a_writer_is_preferred_and_gives_up)
{
	struct timespec then;

	fresh_rwlock(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, 0);
	LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
	peer(write_or_give_up, 100);
	pause_ms(10);
	then = in_ms(CLOCK_REALTIME, 10);
	LOG_ERROR(pthread_rwlock_timedrdlock(&rwlock, &then));
	LOG_ERROR(pthread_rwlock_rdlock(&rwlock));
	await_stage(2);
	LOG_ERROR(pthread_rwlock_unlock(&rwlock));
	LOG_ERROR(pthread_rwlock_unlock(&rwlock));
	rwlock_over();
}

CONFORM(rwlocks, times)
{
	struct timespec real, monotonic;

	fresh_rwlock(PTHREAD_RWLOCK_PREFER_READER_NP, 0);
	for (int i = 0; i < 4; i++) {
		int rc = pthread_rwlock_timedrdlock(&rwlock, &bad_times[i]);

		note("%d: %d", i, rc);
		if (rc == 0)
			pthread_rwlock_unlock(&rwlock);
	}
	LOG_ERROR(pthread_rwlock_clockrdlock(&rwlock, CLOCK_BOOTTIME, &bad_times[3]));
	peer(write_for, 100);
	await_stage(1);
	for (int i = 0; i < 4; i++) {
		LOG_ERROR(pthread_rwlock_timedrdlock(&rwlock, &bad_times[i]));
		LOG_ERROR(pthread_rwlock_timedwrlock(&rwlock, &bad_times[i]));
		LOG_ERROR(pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, &bad_times[i]));
		LOG_ERROR(pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &bad_times[i]));
	}
	real = in_ms(CLOCK_REALTIME, 15);
	LOG_ERROR(pthread_rwlock_timedwrlock(&rwlock, &real));
	note("not early: %d", has_come(CLOCK_REALTIME, &real));
	monotonic = in_ms(CLOCK_MONOTONIC, 15);
	LOG_ERROR(pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, &monotonic));
	note("not early: %d", has_come(CLOCK_MONOTONIC, &monotonic));
	real = in_ms(CLOCK_REALTIME, 5000);
	LOG_ERROR(pthread_rwlock_timedrdlock(&rwlock, &real));
	note("stage %d", stage);
	LOG_ERROR(pthread_rwlock_unlock(&rwlock));
	rwlock_over();
}

/* --- semaphores ------------------------------------------------------------------------------ */

static void fresh_sem(int shared, unsigned value)
{
	CHECK_EQ(sem_init(&sem, shared, value), 0);
	stage = 0;
}

static void post_after(int ms)
{
	pause_ms(ms);
	stage = 1;
	CHECK_EQ(sem_post(&sem), 0);
}

CONFORM(semaphores, permits)
{
	int value;

	for (int shared = 0; shared < 2; shared++) {
		fresh_sem(shared, 2);
		LOG(sem_wait(&sem));
		LOG(sem_trywait(&sem));
		LOG(sem_trywait(&sem));
		peer(post_after, 20);
		LOG(sem_wait(&sem));
		note("stage %d", stage);
		LOG(sem_getvalue(&sem, &value));
		note("value %d", value);
		LOG(sem_post(&sem));
		LOG(sem_getvalue(&sem, &value));
		note("value %d", value);
		peers_end();
		LOG(sem_destroy(&sem));
	}
	fresh_sem(0, SEM_VALUE_MAX);
	LOG(sem_post(&sem));
	LOG(sem_destroy(&sem));
}

CONFORM(semaphores, times)
{
	struct timespec real, monotonic;

	fresh_sem(0, 0);
	for (int i = 0; i < 4; i++) {
		LOG(sem_timedwait(&sem, &bad_times[i]));
		LOG(sem_clockwait(&sem, CLOCK_MONOTONIC, &bad_times[i]));
		sem_post(&sem);
		LOG(sem_timedwait(&sem, &bad_times[i]));
		LOG(sem_trywait(&sem));
	}
	LOG(sem_clockwait(&sem, CLOCK_BOOTTIME, &bad_times[0]));
	real = in_ms(CLOCK_REALTIME, 15);
	LOG(sem_timedwait(&sem, &real));
	note("not early: %d", has_come(CLOCK_REALTIME, &real));
	monotonic = in_ms(CLOCK_MONOTONIC, 15);
	LOG(sem_clockwait(&sem, CLOCK_MONOTONIC, &monotonic));
	note("not early: %d", has_come(CLOCK_MONOTONIC, &monotonic));
	real = in_ms(CLOCK_REALTIME, 5000);
	peer(post_after, 10);
	LOG(sem_timedwait(&sem, &real));
	peers_end();
	LOG(sem_destroy(&sem));
}

static void take_one(int unused)
{
	(void)unused;
	CHECK_EQ(sem_wait(&sem), 0);
	count++;
}

CONFORM(semaphores, many_wait)
{
	int value;

	fresh_sem(0, 0);
	count = 0;
	for (int i = 0; i < 10; i++)
		peer(take_one, 0);
	pause_ms(5);
	for (int i = 0; i < 11; i++)
		LOG(sem_post(&sem));
	peers_end();
	note("%d have one", count);
	LOG(sem_getvalue(&sem, &value));
	note("value %d", value);
	LOG(sem_destroy(&sem));
}

CONFORM(semaphores, named)
{
	char name[64];
	sem_t *named;

	snprintf(name, sizeof(name), "/weft-conform-%d", (int)getpid());
	named = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
	CHECK(named != SEM_FAILED);
	LOG(sem_unlink(name));
	LOG(sem_wait(named));
	LOG(sem_trywait(named));
	LOG(sem_timedwait(named, &bad_times[3]));
	LOG(sem_post(named));
	LOG(sem_wait(named));
	LOG(sem_close(named));
}

/* --- barriers ---------------------------------------------------------------------------------- */

enum { PARTIES = 4, ROUNDS = 20 };
static _Atomic int arrived[ROUNDS];

static void meet(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int rc;

		arrived[i]++;
		rc = pthread_barrier_wait(&barrier);
		CHECK_EQ(arrived[i], PARTIES);
		CHECK(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
		serials += rc != 0;
	}
}

static void fresh_barrier(unsigned parties)
{
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, parties), 0);
	for (int i = 0; i < ROUNDS; i++)
		arrived[i] = 0;
	serials = stage = 0;
}

CONFORM(barriers, rounds)
{
	fresh_barrier(PARTIES);
	for (int i = 1; i < PARTIES; i++)
		peer(meet, ROUNDS);
	meet(ROUNDS);
	peers_end();
	note("%d serials", serials);
	LOG_ERROR(pthread_barrier_destroy(&barrier));
	fresh_barrier(1);
	LOG(pthread_barrier_wait(&barrier));
	LOG(pthread_barrier_wait(&barrier));
	LOG_ERROR(pthread_barrier_destroy(&barrier));
}

static void meet_once(int unused)
{
	(void)unused;
	if (pthread_barrier_wait(&barrier))
		serials++;
}

/* Whoever has passed may destroy it, though others are still on their way out. */
CONFORM(barriers, destroyed_at_once)
{
	for (int i = 0; i < 5; i++) {
		fresh_barrier(PARTIES);
		for (int j = 1; j < PARTIES; j++)
			peer(meet_once, 0);
		meet_once(0);
		LOG_ERROR(pthread_barrier_destroy(&barrier));
		memset(&barrier, 0xee, sizeof(barrier));
		peers_end();
		note("%d serials", serials);
	}
}

/* Some 2^31 arrivals later the numbers begin anew: half of this word. */
CONFORM(barriers, numbers_begin_anew)
{
	const unsigned last = UINT32_MAX / 2 - UINT32_MAX / 2 % PARTIES;
	unsigned words[5];

	fresh_barrier(PARTIES);
	memcpy(words, &barrier, sizeof(words));
	words[0] = words[1] = words[4] = last - 2 * PARTIES;
	memcpy(&barrier, words, sizeof(words));
	for (int i = 1; i < PARTIES; i++)
		peer(meet, 7);
	meet(7);
	peers_end();
	note("%d serials", serials);
	memcpy(words, &barrier, sizeof(words));
	note("%u, %u, %u", words[0], words[1], words[4]);
	LOG_ERROR(pthread_barrier_destroy(&barrier));
}

/* --- once ------------------------------------------------------------------------------------------ */

static pthread_once_t once;
static once_flag flag;

static void make(void)
{
	pause_ms(5);
	count++;
	pause_ms(5);
	stage = 1;
}

static void use(int unused)
{
	(void)unused;
	CHECK_EQ(pthread_once(&once, make), 0);
	CHECK_EQ(stage, 1);
}

static void use_flag(int unused)
{
	(void)unused;
	call_once(&flag, make);
	CHECK_EQ(stage, 1);
}

CONFORM(onces, one_makes_it)
{
	once = PTHREAD_ONCE_INIT;
	flag = (once_flag)ONCE_FLAG_INIT;
	count = stage = 0;
	for (int i = 0; i < 5; i++)
		peer(use, 0);
	use(0);
	peers_end();
	note("%d, %d", count, once);
	stage = 0;
	for (int i = 0; i < 5; i++)
		peer(use_flag, 0);
	use_flag(0);
	peers_end();
	note("%d", count);
}

/* --- joins ------------------------------------------------------------------------------------------- */

static void *slow(void *ms)
{
	/* a thread of its own, also beside tasks */
	usleep((useconds_t)(intptr_t)ms * 1000);
	stage = 1;
	return (void *)((intptr_t)ms + 1);
}

static pthread_t thread_of(int ms)
{
	pthread_t thread;

	stage = 0;
	CHECK_EQ(pthread_create(&thread, NULL, slow, (void *)(intptr_t)ms), 0);
	return thread;
}

CONFORM(joins, values)
{
	pthread_t thread = thread_of(20);
	void *value = NULL;

	LOG_ERROR(pthread_join(thread, &value));
	note("%ld, stage %d", (long)(intptr_t)value, stage);
	thread = thread_of(0);
	LOG_ERROR(pthread_join(thread, NULL));
	thread = thread_of(10);
	LOG_ERROR(pthread_timedjoin_np(thread, &value, NULL));
	note("%ld, stage %d", (long)(intptr_t)value, stage);
}

#if !WEFT_TSAN /* its own part does not bear these */

CONFORM(joins, times)
{
	pthread_t thread = thread_of(100);
	struct timespec then;
	void *value = NULL;

	LOG_ERROR(pthread_tryjoin_np(thread, &value));
	then = in_ms(CLOCK_REALTIME, 15);
	LOG_ERROR(pthread_timedjoin_np(thread, &value, &then));
	note("not early: %d", has_come(CLOCK_REALTIME, &then));
	then = in_ms(CLOCK_MONOTONIC, 15);
	LOG_ERROR(pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &then));
	note("not early: %d", has_come(CLOCK_MONOTONIC, &then));
	then = in_ms(CLOCK_REALTIME, 5000);
	LOG_ERROR(pthread_timedjoin_np(thread, &value, &then));
	note("%ld, stage %d", (long)(intptr_t)value, stage);
}

CONFORM(joins, errors)
{
	pthread_t thread = thread_of(30);

	LOG_ERROR(pthread_join(pthread_self(), NULL));
	CHECK_EQ(pthread_detach(thread), 0);
	LOG_ERROR(pthread_join(thread, NULL));
	while (stage == 0)
		pause_ms(1);
}

static int c11_body(void *value)
{
	return (int)(intptr_t)value;
}

CONFORM(joins, c11)
{
	thrd_t thread;
	int value = 0;

	LOG(thrd_create(&thread, c11_body, (void *)-7));
	LOG(thrd_join(thread, &value));
	note("%d", value);
}

#endif
