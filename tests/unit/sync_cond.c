/* SPDX-License-Identifier: MIT
 *
 * sync_cond.c - conditions: the mutex is there again, however a wait ends, and no signal is lost.
 */
#include "parties.h"

static weft_mutex mutex = WEFT_MUTEX_INIT;
static weft_cond cond = WEFT_COND_INIT;

static void lock(void)
{
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
}

static void unlock(void)
{
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
}

/* The mutex is the caller's after any wait. */
static int wait_until(int64_t deadline_ns)
{
	int rc;

	while (weft_mutex_lock(&mutex, WEFT_FOREVER) < 0)
		;
	rc = weft_cond_wait(&cond, &mutex, deadline_ns);
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_NOWAIT), -EDEADLK);
	unlock();
	return rc;
}

static int wait_for_ever(void *arg)
{
	(void)arg;
	return wait_until(WEFT_FOREVER);
}

static int wait_shortly(void *arg)
{
	(void)arg;
	return wait_until(weft_in_ms(300)); /* longer than anybody needs to look */
}

TEST(cond, errors)
{
	weft_cond made;

	memset(&made, 0xa5, sizeof made);
	CHECK_EQ(weft_cond_init(&made), 0);
	CHECK_EQ(weft_cond_wait(&made, &mutex, WEFT_FOREVER), -EPERM);
	CHECK_EQ(weft_cond_signal(&made), 0);
	CHECK_EQ(weft_cond_broadcast(&made), 0);
	lock();
	CHECK_EQ(weft_cond_wait(&made, &mutex, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_cond_wait(&made, &mutex, weft_in_ms(1)), -ETIMEDOUT);
	unlock();
	CHECK_EQ(weft_cond_fini(&made), 0);
}

static int wait_with_another(void *arg)
{
	static weft_mutex other = WEFT_MUTEX_INIT;
	struct party party;

	(void)arg;
	party_start(&party, PRIVATE, wait_for_ever, NULL);
	await_waiters(&cond, 1);
	CHECK_EQ(weft_mutex_lock(&other, WEFT_FOREVER), 0);
	CHECK_EQ(weft_cond_wait(&cond, &other, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_cond_fini(&cond), -EBUSY);
	check_said(dump_text(), ": condition 0x");
	CHECK_EQ(weft_cond_signal(&cond), 1);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(weft_cond_wait(&cond, &other, weft_in_ms(1)), -ETIMEDOUT);
	return weft_mutex_unlock(&other);
}

TEST(cond, one_mutex_at_a_time)
{
	run_on(1, wait_with_another, NULL);
}

/* Signal and broadcast, with and without the mutex, for parties of all kinds. */
static int wake_all_kinds(void *arg)
{
	struct party parties[2 * KINDS];

	(void)arg;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 2 * KINDS; i++) {
			party_start(&parties[i], (enum kind)(i % KINDS), wait_for_ever, NULL);
			await_waiters(&cond, i + 1);
		}
		if (round & 1)
			lock();
		if (round & 2)
			CHECK_EQ(weft_cond_broadcast(&cond), 2 * KINDS);
		for (int i = 0; !(round & 2) && i < 2 * KINDS; i++)
			CHECK_EQ(weft_cond_signal(&cond), 1);
		CHECK_EQ(weft_cond_signal(&cond), 0);
		if (round & 1)
			unlock();
		for (int i = 0; i < 2 * KINDS; i++)
			CHECK_EQ(party_end(&parties[i]), 0);
		CHECK_EQ(weft_cond_fini(&cond), 0);
		CHECK_EQ(weft_mutex_fini(&mutex), 0);
	}
	return 0;
}

TEST(cond, signal_and_broadcast)
{
	run_on(1, wake_all_kinds, NULL);
	run_on(2, wake_all_kinds, NULL);
}

static int order[8], ordered;

static int wait_and_note(void *arg)
{
	lock();
	CHECK_EQ(weft_cond_wait(&cond, &mutex, WEFT_FOREVER), 0);
	order[ordered++] = (int)(intptr_t)arg;
	unlock();
	return 0;
}

static int signal_in_order(void *arg)
{
	struct party parties[4];

	(void)arg;
	for (intptr_t i = 0; i < 4; i++) {
		party_start(&parties[i], PRIVATE, wait_and_note, (void *)i);
		await_waiters(&cond, (int)i + 1);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_cond_signal(&cond), 1);
		CHECK_EQ(party_end(&parties[i]), 0);
		CHECK_EQ(ordered, i + 1);
		CHECK_EQ(order[i], i);
	}
	return 0;
}

TEST(cond, the_oldest_first)
{
	run_on(1, signal_in_order, NULL);
}

/* Row 56. The mutex is another's when the wait ends: it is waited for all the same. */
static int end_without_signal(void *arg)
{
	struct party party;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, wait_shortly, NULL);
		await_waiters(&cond, 1);
		lock();
		await_waiters(&mutex, 1);
		CHECK(!party.over);
		unlock();
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		if (kind == THREAD)
			continue;
		party_start(&party, kind, wait_for_ever, NULL);
		await_waiters(&cond, 1);
		lock();
		CHECK_EQ(weft_cancel(party.task), 0);
		await_waiters(&mutex, 1);
		CHECK_EQ(weft_cancel(party.task), 0);
		let_others();
		CHECK(!party.over);
		unlock();
		CHECK_EQ(party_end(&party), -ECANCELED);
		/* Cancelled before: it does not let go of the mutex. */
		party_start(&party, kind, wait_for_ever, NULL);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
		CHECK_EQ(weft_cond_fini(&cond), 0);
	}
	return 0;
}

TEST(cond, deadlines_and_cancels_retake_the_mutex)
{
	run_on(1, end_without_signal, NULL);
	run_on(2, end_without_signal, NULL);
}

/* A wait that has been cancelled takes no signal: the next one gets it. */
static int cancel_then_signal(void *arg)
{
	struct party first, second;

	(void)arg;
	party_start(&first, PRIVATE, wait_for_ever, NULL);
	await_waiters(&cond, 1);
	party_start(&second, PRIVATE, wait_for_ever, NULL);
	await_waiters(&cond, 2);
	CHECK_EQ(weft_cancel(first.task), 0); /* it has not run since */
	CHECK_EQ(weft_cond_signal(&cond), 1);
	CHECK_EQ(weft_cond_signal(&cond), 0);
	CHECK_EQ(party_end(&second), 0);
	CHECK_EQ(party_end(&first), -ECANCELED);
	/* And one that was signalled first is not cancelled any more. */
	party_start(&first, PRIVATE, wait_for_ever, NULL);
	await_waiters(&cond, 1);
	CHECK_EQ(weft_cond_signal(&cond), 1);
	CHECK_EQ(weft_cancel(first.task), 0);
	CHECK_EQ(party_end(&first), 0);
	return 0;
}

TEST(cond, no_signal_is_lost_to_a_cancel)
{
	run_on(1, cancel_then_signal, NULL);
}

static weft_mutex again = WEFT_MUTEX_RECURSIVE_INIT;

static int wait_recursively(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_mutex_lock(&again, WEFT_FOREVER), 0);
	CHECK_EQ(weft_cond_wait(&cond, &again, WEFT_FOREVER), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_mutex_unlock(&again), 0);
	CHECK_EQ(weft_mutex_unlock(&again), -EPERM);
	return 0;
}

static int signal_recursive(void *arg)
{
	struct party party;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, wait_recursively, NULL);
		await_waiters(&cond, 1);
		CHECK_EQ(weft_mutex_lock(&again, WEFT_FOREVER), 0);
		CHECK_EQ(weft_cond_signal(&cond), 1);
		CHECK_EQ(weft_mutex_unlock(&again), 0);
		CHECK_EQ(party_end(&party), 0);
	}
	return 0;
}

TEST(cond, a_recursive_mutex_is_let_go_whole)
{
	run_on(1, signal_recursive, NULL);
}

static int lock_and_end(void *arg)
{
	(void)arg;
	lock();
	return 0;
}

static int wait_for_the_dead(void *arg)
{
	(void)arg;
	lock();
	return weft_cond_wait(&cond, &mutex, WEFT_FOREVER);
}

static int lose_the_mutex(void *arg)
{
	struct party party, owner;

	(void)arg;
	party_start(&party, PRIVATE, wait_for_the_dead, NULL);
	await_waiters(&cond, 1);
	party_start(&owner, PRIVATE, lock_and_end, NULL);
	CHECK_EQ(party_end(&owner), 0);
	CHECK_EQ(weft_cond_signal(&cond), 1);
	CHECK_EQ(party_end(&party), -EOWNERDEAD);
	return 0;
}

TEST(cond, an_owner_that_ended)
{
	run_on(1, lose_the_mutex, NULL);
}

/* --- every mixture: a queue of one place ------------------------------------------------------- */

static int place, produced, consumed;
static weft_cond not_full = WEFT_COND_INIT, not_empty = WEFT_COND_INIT;

enum { ITEMS = 60 };

static int produce(void *arg)
{
	(void)arg;
	for (int i = 0; i < ITEMS; i++) {
		lock();
		while (place)
			CHECK_EQ(weft_cond_wait(&not_full, &mutex, weft_in_s(60)), 0);
		place = ++produced;
		CHECK_GE(weft_cond_signal(&not_empty), 0);
		unlock();
	}
	return 0;
}

static int consume(void *arg)
{
	(void)arg;
	for (int i = 0; i < ITEMS; i++) {
		lock();
		while (!place)
			CHECK_EQ(weft_cond_wait(&not_empty, &mutex, WEFT_FOREVER), 0);
		CHECK_EQ(place, ++consumed);
		place = 0;
		CHECK_GE(weft_cond_signal(&not_full), 0);
		unlock();
	}
	return 0;
}

static int mix(void *arg)
{
	int pair = (int)(intptr_t)arg;
	struct party parties[4];

	place = produced = consumed = 0;
	for (int i = 0; i < 4; i++)
		party_start(&parties[i], i % 2 ? first_of(pair) : second_of(pair),
			    i % 2 ? produce : consume, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(consumed, 2 * ITEMS);
	return 0;
}

TEST_LIMIT(cond, every_mixture, 60)
{
	for (intptr_t pair = 0; pair < PAIRS; pair++) {
		run_on(1, mix, (void *)pair);
		run_on(2, mix, (void *)pair);
	}
}
