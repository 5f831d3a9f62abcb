/* SPDX-License-Identifier: MIT
 *
 * sync_barrier.c - barriers: nobody passes before all are there, and one is told so.
 */
#include "parties.h"

static weft_barrier barrier;

static int wait_for_ever(void *arg)
{
	return weft_barrier_wait(arg, WEFT_FOREVER);
}

static int wait_shortly(void *arg)
{
	return weft_barrier_wait(arg, weft_in_ms(2));
}

TEST(barrier, errors)
{
	static weft_barrier one = WEFT_BARRIER_INIT(1), two = WEFT_BARRIER_INIT(2);

	CHECK_EQ(weft_barrier_wait(&barrier, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_barrier_init(&barrier, 0), -EINVAL);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_barrier_wait(&one, i ? WEFT_FOREVER : WEFT_NOWAIT), 1);
	CHECK_EQ(weft_barrier_wait(&two, WEFT_NOWAIT), -EAGAIN);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_barrier_wait(&two, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_barrier_fini(&two), 0);
}

static int meet(void *arg)
{
	struct party parties[KINDS];
	int last = 0;

	(void)arg;
	CHECK_EQ(weft_barrier_init(&barrier, KINDS + 1), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < KINDS; i++)
			party_start(&parties[i], (enum kind)i, wait_for_ever, &barrier);
		await_waiters(&barrier, KINDS);
		check_said(dump_text(), " 5 of 6 here");
		CHECK_EQ(weft_barrier_fini(&barrier), -EBUSY);
		last += weft_barrier_wait(&barrier, round ? WEFT_FOREVER : WEFT_NOWAIT);
		CHECK_EQ(last, round + 1);
		for (int i = 0; i < KINDS; i++)
			CHECK_EQ(party_end(&parties[i]), 0);
		CHECK_EQ(weft_barrier_fini(&barrier), 0);
	}
	return 0;
}

TEST(barrier, all_must_come)
{
	run_on(1, meet, NULL);
	run_on(2, meet, NULL);
}

static int leave(void *arg)
{
	struct party party, other;

	(void)arg;
	CHECK_EQ(weft_barrier_init(&barrier, 3), 0);
	party_start(&other, PRIVATE, wait_for_ever, &barrier);
	await_waiters(&barrier, 1);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, wait_shortly, &barrier);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		if (kind == THREAD)
			continue;
		party_start(&party, kind, wait_for_ever, &barrier);
		await_waiters(&barrier, 2);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
		party_start(&party, kind, wait_for_ever, &barrier);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
	}
	CHECK_EQ(weft_barrier_wait(&barrier, WEFT_NOWAIT), -EAGAIN); /* they do not count */
	party_start(&party, SHARED, wait_for_ever, &barrier);
	await_waiters(&barrier, 2);
	CHECK_EQ(weft_barrier_wait(&barrier, WEFT_FOREVER), 1);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(party_end(&other), 0);
	return 0;
}

TEST(barrier, who_leaves_has_not_come)
{
	run_on(1, leave, NULL);
	run_on(2, leave, NULL);
}

/* Cancelled, but still in the queue when the last one comes: it has passed. */
static int cancel_late(void *arg)
{
	struct party party;

	(void)arg;
	CHECK_EQ(weft_barrier_init(&barrier, 2), 0);
	party_start(&party, PRIVATE, wait_for_ever, &barrier);
	await_waiters(&barrier, 1);
	CHECK_EQ(weft_cancel(party.task), 0);
	CHECK_EQ(weft_barrier_wait(&barrier, WEFT_FOREVER), 1);
	CHECK_EQ(weft_barrier_fini(&barrier), -EBUSY); /* it is still to come by */
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(weft_barrier_fini(&barrier), 0);
	return 0;
}

TEST(barrier, a_cancel_that_comes_late)
{
	run_on(1, cancel_late, NULL);
}

enum { PARTIES = 4, ROUNDS = 60 };
static int steps[PARTIES];
static _Atomic int last_ones;

static int march(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int round = 0; round < ROUNDS; round++) {
		int rc;

		steps[me]++;
		rc = weft_barrier_wait(&barrier, WEFT_FOREVER);
		CHECK(rc == 0 || rc == 1);
		last_ones += rc;
		for (int i = 0; i < PARTIES; i++)
			CHECK_EQ(steps[i], round + 1);
		CHECK_GE(weft_barrier_wait(&barrier, WEFT_FOREVER), 0);
	}
	return 0;
}

static int mix(void *arg)
{
	int pair = (int)(intptr_t)arg;
	struct party parties[PARTIES];

	memset(steps, 0, sizeof steps);
	last_ones = 0;
	CHECK_EQ(weft_barrier_init(&barrier, PARTIES), 0);
	for (intptr_t i = 0; i < PARTIES; i++)
		party_start(&parties[i], i % 2 ? first_of(pair) : second_of(pair), march,
			    (void *)i);
	for (int i = 0; i < PARTIES; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(last_ones, ROUNDS);
	CHECK_EQ(weft_barrier_fini(&barrier), 0);
	return 0;
}

TEST_LIMIT(barrier, every_mixture, 60)
{
	for (intptr_t pair = 0; pair < PAIRS; pair++) {
		run_on(1, mix, (void *)pair);
		run_on(2, mix, (void *)pair);
	}
}
