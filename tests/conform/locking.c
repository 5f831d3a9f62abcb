/* SPDX-License-Identifier: MIT
 *
 * locking.c - mutexes and conditions of <pthread.h> and <threads.h>.
 */
#include "conform.h"

#include <pthread.h>
#include <threads.h>

/* A scenario is played three times: each begins with new ones. */
static pthread_mutex_t mutex;
static pthread_cond_t cond;
static _Atomic int stage, turns;

static void fresh(int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
	CHECK_EQ(pthread_cond_init(&cond, NULL), 0);
	stage = turns = 0;
}

static void over(void)
{
	peers_end();
	LOG_ERROR(pthread_cond_destroy(&cond));
	LOG_ERROR(pthread_mutex_destroy(&mutex));
}

/* --- one party ------------------------------------------------------------------------ */

static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
			     PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };
enum { TYPES = sizeof(types) / sizeof(*types) };

CONFORM(locking, alone)
{
	for (int i = 0; i < TYPES; i++) {
		fresh(types[i]);
		note("type %d", types[i]);
		LOG_ERROR(pthread_mutex_lock(&mutex));
		LOG_ERROR(pthread_mutex_destroy(&mutex));
		LOG_ERROR(pthread_mutex_trylock(&mutex));
		LOG_ERROR(pthread_mutex_unlock(&mutex));
		if (types[i] == PTHREAD_MUTEX_RECURSIVE)
			LOG_ERROR(pthread_mutex_unlock(&mutex));
		if (types[i] == PTHREAD_MUTEX_ERRORCHECK || types[i] == PTHREAD_MUTEX_RECURSIVE)
			LOG_ERROR(pthread_mutex_unlock(&mutex));
		LOG_ERROR(pthread_mutex_trylock(&mutex));
		LOG_ERROR(pthread_mutex_unlock(&mutex));
		over();
	}
}

CONFORM(locking, again_by_the_owner)
{
	struct timespec past = { 1, 0 };

	fresh(PTHREAD_MUTEX_ERRORCHECK);
	LOG_ERROR(pthread_mutex_lock(&mutex));
	LOG_ERROR(pthread_mutex_lock(&mutex));
	LOG_ERROR(pthread_mutex_timedlock(&mutex, &past));
	LOG_ERROR(pthread_mutex_unlock(&mutex));
	LOG_ERROR(pthread_mutex_unlock(&mutex));
	over();
	fresh(PTHREAD_MUTEX_RECURSIVE);
	for (int i = 0; i < 3; i++)
		LOG_ERROR(pthread_mutex_lock(&mutex));
	LOG_ERROR(pthread_mutex_timedlock(&mutex, &past));
	for (int i = 0; i < 5; i++)
		LOG_ERROR(pthread_mutex_unlock(&mutex));
	over();
}

CONFORM(locking, bad_times)
{
	struct timespec times[] = { { 1, -1 }, { 1, 1000000000 }, { -5, 0 }, { 0, 0 } };

	fresh(PTHREAD_MUTEX_NORMAL);
	for (int i = 0; i < 4; i++) {
		LOG_ERROR(pthread_mutex_timedlock(&mutex, &times[i]));
		LOG_ERROR(pthread_mutex_timedlock(&mutex, &times[i]));
		LOG_ERROR(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &times[i]));
		LOG_ERROR(pthread_cond_timedwait(&cond, &mutex, &times[i]));
		LOG_ERROR(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &times[i]));
		LOG_ERROR(pthread_mutex_unlock(&mutex));
	}
	LOG_ERROR(pthread_mutex_clocklock(&mutex, CLOCK_BOOTTIME, &times[0]));
	LOG_ERROR(pthread_mutex_lock(&mutex));
	LOG_ERROR(pthread_cond_clockwait(&cond, &mutex, CLOCK_BOOTTIME, &times[3]));
	LOG_ERROR(pthread_mutex_unlock(&mutex));
	over();
}

/* --- two -------------------------------------------------------------------------------- */

static void hold(int ms)
{
	pthread_mutex_lock(&mutex);
	stage = 1;
	pause_ms(ms);
	stage = 2;
	pthread_mutex_unlock(&mutex);
}

static void await_stage(int wanted)
{
	while (stage < wanted)
		pause_ms(1);
}

CONFORM(locking, held_by_another)
{
	for (int i = 0; i < TYPES; i++) {
		fresh(types[i]);
		peer(hold, 20);
		await_stage(1);
		LOG_ERROR(pthread_mutex_trylock(&mutex));
		if (types[i] == PTHREAD_MUTEX_ERRORCHECK || types[i] == PTHREAD_MUTEX_RECURSIVE)
			LOG_ERROR(pthread_mutex_unlock(&mutex));
		LOG_ERROR(pthread_mutex_lock(&mutex));
		note("stage %d", stage);
		LOG_ERROR(pthread_mutex_unlock(&mutex));
		over();
	}
}

CONFORM(locking, never_early)
{
	struct timespec real, monotonic;

	fresh(PTHREAD_MUTEX_NORMAL);
	peer(hold, 150);
	await_stage(1);
	real = in_ms(CLOCK_REALTIME, 15);
	LOG_ERROR(pthread_mutex_timedlock(&mutex, &real));
	note("not early: %d", has_come(CLOCK_REALTIME, &real));
	monotonic = in_ms(CLOCK_MONOTONIC, 15);
	LOG_ERROR(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &monotonic));
	note("not early: %d", has_come(CLOCK_MONOTONIC, &monotonic));
	real = in_ms(CLOCK_REALTIME, 5000);
	LOG_ERROR(pthread_mutex_timedlock(&mutex, &real));
	note("stage %d", stage);
	real = in_ms(CLOCK_REALTIME, 15);
	LOG_ERROR(pthread_cond_timedwait(&cond, &mutex, &real));
	note("not early: %d", has_come(CLOCK_REALTIME, &real));
	monotonic = in_ms(CLOCK_MONOTONIC, 15);
	LOG_ERROR(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &monotonic));
	note("not early: %d", has_come(CLOCK_MONOTONIC, &monotonic));
	LOG_ERROR(pthread_mutex_unlock(&mutex));
	over();
}

/* The clock is the condition's. */
CONFORM(locking, condition_with_a_clock)
{
	pthread_condattr_t attr;
	struct timespec then;

	fresh(PTHREAD_MUTEX_NORMAL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	CHECK_EQ(pthread_cond_init(&cond, &attr), 0);
	then = in_ms(CLOCK_MONOTONIC, 15);
	LOG_ERROR(pthread_mutex_lock(&mutex));
	LOG_ERROR(pthread_cond_timedwait(&cond, &mutex, &then));
	note("not early: %d", has_come(CLOCK_MONOTONIC, &then));
	LOG_ERROR(pthread_mutex_unlock(&mutex));
	over();
}

/* --- conditions ---------------------------------------------------------------------------- */

static void signal_it(int unused)
{
	(void)unused;
	pthread_mutex_lock(&mutex);
	stage = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
}

CONFORM(locking, signal)
{
	for (int i = 0; i < TYPES; i++) {
		fresh(types[i]);
		peer(signal_it, 0);
		pthread_mutex_lock(&mutex);
		while (stage == 0)
			if (pthread_cond_wait(&cond, &mutex) != 0)
				note("it failed");
		note("stage %d", stage);
		LOG_ERROR(pthread_mutex_unlock(&mutex));
		over();
	}
}

static void wait_for_all(int unused)
{
	(void)unused;
	pthread_mutex_lock(&mutex);
	turns++;
	while (stage == 0)
		pthread_cond_wait(&cond, &mutex);
	turns--;
	pthread_mutex_unlock(&mutex);
}

CONFORM(locking, broadcast)
{
	fresh(PTHREAD_MUTEX_NORMAL);
	for (int i = 0; i < 10; i++)
		peer(wait_for_all, 0);
	while (turns < 10)
		pause_ms(1);
	pthread_mutex_lock(&mutex);
	stage = 1;
	LOG_ERROR(pthread_cond_broadcast(&cond));
	pthread_mutex_unlock(&mutex);
	peers_end();
	note("%d left", turns);
	over();
}

CONFORM(locking, wait_without_the_mutex)
{
	fresh(PTHREAD_MUTEX_ERRORCHECK);
	LOG_ERROR(pthread_cond_wait(&cond, &mutex));
	over();
}

/* A queue of four places, which each side finds full and empty. */
enum { PLACES = 4, GOODS = 500 };
static int places[PLACES], filled, first;

static void produce(int unused)
{
	(void)unused;
	for (int i = 1; i <= GOODS; i++) {
		pthread_mutex_lock(&mutex);
		while (filled == PLACES)
			pthread_cond_wait(&cond, &mutex);
		places[(first + filled++) % PLACES] = i;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
}

CONFORM(locking, bounded_queue)
{
	long sum = 0;

	fresh(PTHREAD_MUTEX_NORMAL);
	filled = first = 0;
	for (int i = 0; i < 3; i++)
		peer(produce, 0);
	for (int i = 0; i < 3 * GOODS; i++) {
		pthread_mutex_lock(&mutex);
		while (filled == 0)
			pthread_cond_wait(&cond, &mutex);
		sum += places[first];
		first = (first + 1) % PLACES;
		filled--;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	note("sum %ld", sum);
	over();
}

/* --- kinds that stay libc's -------------------------------------------------------------------- */

CONFORM(locking, shared_robust_and_inheriting)
{
	pthread_mutexattr_t attr;

	for (int i = 0; i < 3; i++) {
		pthread_mutexattr_init(&attr);
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
		if (i == 0)
			pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
		if (i == 1)
			pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
		if (i == 2)
			pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
		CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
		LOG_ERROR(pthread_mutex_lock(&mutex));
		LOG_ERROR(pthread_mutex_lock(&mutex));
		LOG_ERROR(pthread_mutex_trylock(&mutex));
		LOG_ERROR(pthread_mutex_unlock(&mutex));
		LOG_ERROR(pthread_mutex_unlock(&mutex));
		LOG_ERROR(pthread_mutex_destroy(&mutex));
	}
}

/* --- <threads.h> ----------------------------------------------------------------------------------- */

static mtx_t mtx;
static cnd_t cnd;

static void mtx_hold(int ms)
{
	mtx_lock(&mtx);
	stage = 1;
	pause_ms(ms);
	stage = 2;
	cnd_signal(&cnd);
	mtx_unlock(&mtx);
}

CONFORM(locking, c11)
{
	struct timespec then;

	stage = 0;
	LOG(mtx_init(&mtx, mtx_timed));
	LOG(cnd_init(&cnd));
	peer(mtx_hold, 40);
	await_stage(1);
	LOG(mtx_trylock(&mtx));
	then = in_ms(CLOCK_REALTIME, 5);
	LOG(mtx_timedlock(&mtx, &then));
	LOG(mtx_lock(&mtx));
	note("stage %d", stage);
	then = in_ms(CLOCK_REALTIME, 5);
	LOG(cnd_timedwait(&cnd, &mtx, &then));
	note("not early: %d", has_come(CLOCK_REALTIME, &then));
	peer(mtx_hold, 0);
	stage = 0;
	while (stage != 2)
		cnd_wait(&cnd, &mtx);
	LOG(cnd_broadcast(&cnd));
	LOG(mtx_unlock(&mtx));
	peers_end();
	cnd_destroy(&cnd);
	mtx_destroy(&mtx);
	LOG(mtx_init(&mtx, mtx_plain | mtx_recursive));
	LOG(mtx_lock(&mtx));
	LOG(mtx_lock(&mtx));
	LOG(mtx_unlock(&mtx));
	LOG(mtx_unlock(&mtx));
	LOG(mtx_unlock(&mtx));
	mtx_destroy(&mtx);
}
