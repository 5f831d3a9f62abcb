/* SPDX-License-Identifier: MIT
 *
 * sync_semaphore.c - permits: none lost, none doubled, and nobody is passed.
 */
#include "parties.h"

static weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(0);

static int wait_n(void *arg)
{
	return weft_semaphore_wait_n(&semaphore, (unsigned)(intptr_t)arg, WEFT_FOREVER);
}

static int wait_shortly(void *arg)
{
	return weft_semaphore_wait_n(&semaphore, (unsigned)(intptr_t)arg, weft_in_ms(2));
}

TEST(semaphore, counts_and_errors)
{
	static weft_semaphore three = WEFT_SEMAPHORE_INIT(3);
	weft_semaphore made;

	CHECK_EQ(weft_semaphore_value(&three), 3);
	CHECK_EQ(weft_semaphore_wait(&three, WEFT_FOREVER), 0);
	CHECK_EQ(weft_semaphore_wait_n(&three, 3, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_semaphore_wait_n(&three, 2, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_semaphore_wait(&three, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_semaphore_wait(&three, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_semaphore_wait_n(&three, 0, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_semaphore_fini(&three), 0);
	memset(&made, 0xa5, sizeof made);
	CHECK_EQ(weft_semaphore_init(&made, WEFT_SEMAPHORE_MAX + 1), -EINVAL);
	CHECK_EQ(weft_semaphore_init(&made, WEFT_SEMAPHORE_MAX), 0);
	CHECK_EQ(weft_semaphore_post(&made, 1), -EOVERFLOW);
	CHECK_EQ(weft_semaphore_post(&made, UINT32_MAX), -EOVERFLOW);
	CHECK_EQ(weft_semaphore_wait_n(&made, WEFT_SEMAPHORE_MAX + 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_semaphore_wait_n(&made, WEFT_SEMAPHORE_MAX, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_semaphore_value(&made), 0);
}

static int hand_over(void *arg)
{
	struct party parties[KINDS];

	(void)arg;
	for (int i = 0; i < KINDS; i++) {
		party_start(&parties[i], (enum kind)i, wait_n, (void *)1);
		await_waiters(&semaphore, i + 1);
	}
	CHECK_EQ(weft_semaphore_fini(&semaphore), -EBUSY);
	check_said(dump_text(), " 0 free, for ");
	for (int i = 0; i < KINDS; i++) {
		CHECK_EQ(weft_semaphore_post(&semaphore, 1), 0);
		/* It is the first one's, though he has not run yet. */
		CHECK_EQ(weft_semaphore_value(&semaphore), 0);
		CHECK_EQ(weft_semaphore_wait(&semaphore, WEFT_NOWAIT), -EAGAIN);
		CHECK_EQ(party_end(&parties[i]), 0);
	}
	CHECK_EQ(weft_semaphore_fini(&semaphore), 0);
	return 0;
}

TEST(semaphore, first_come_first_served)
{
	run_on(1, hand_over, NULL);
	run_on(2, hand_over, NULL);
}

/* Who wants many is not passed by those who want few; when he gives up they have their turn. */
static int want_many(void *arg)
{
	struct party many, few;

	(void)arg;
	for (int cancel = 0; cancel < 2; cancel++) {
		party_start(&many, PRIVATE, wait_n, (void *)3);
		await_waiters(&semaphore, 1);
		party_start(&few, SHARED, wait_n, (void *)1);
		await_waiters(&semaphore, 2);
		CHECK_EQ(weft_semaphore_post(&semaphore, 2), 0);
		let_others();
		CHECK(!many.over && !few.over);
		CHECK_EQ(weft_semaphore_value(&semaphore), 2);
		CHECK_EQ(weft_semaphore_wait(&semaphore, WEFT_NOWAIT), -EAGAIN);
		if (cancel) {
			CHECK_EQ(weft_cancel(many.task), 0);
			CHECK_EQ(party_end(&many), -ECANCELED);
			CHECK_EQ(party_end(&few), 0);
			CHECK_EQ(weft_semaphore_wait(&semaphore, WEFT_NOWAIT), 0);
		} else {
			CHECK_EQ(weft_semaphore_post(&semaphore, 1), 0);
			CHECK_EQ(party_end(&many), 0);
			CHECK(!few.over);
			CHECK_EQ(weft_semaphore_post(&semaphore, 1), 0);
			CHECK_EQ(party_end(&few), 0);
		}
		CHECK_EQ(weft_semaphore_value(&semaphore), 0);
	}
	return 0;
}

TEST(semaphore, many_at_once)
{
	run_on(1, want_many, NULL);
}

static int give_up(void *arg)
{
	struct party party;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, wait_shortly, (void *)1);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		if (kind == THREAD)
			continue;
		party_start(&party, kind, wait_n, (void *)1);
		await_waiters(&semaphore, 1);
		CHECK_EQ(weft_cancel(party.task), 0);
		/* The permit stays: nobody was there to take it. */
		CHECK_EQ(weft_semaphore_post(&semaphore, 1), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
		CHECK_EQ(weft_semaphore_wait(&semaphore, WEFT_NOWAIT), 0);
	}
	CHECK_EQ(weft_semaphore_fini(&semaphore), 0);
	return 0;
}

TEST(semaphore, deadlines_and_cancels)
{
	run_on(1, give_up, NULL);
	run_on(2, give_up, NULL);
}

static _Atomic int inside, most;

static int pass_through(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		int now;

		CHECK_EQ(weft_semaphore_wait(&semaphore, WEFT_FOREVER), 0);
		now = ++inside;
		if (now > most)
			most = now;
		CHECK_LE(now, 2);
		if (weft_self())
			CHECK_EQ(weft_task_yield(), 0);
		inside--;
		CHECK_EQ(weft_semaphore_post(&semaphore, 1), 0);
	}
	return 0;
}

static int mix(void *arg)
{
	int pair = (int)(intptr_t)arg;
	struct party parties[6];

	CHECK_EQ(weft_semaphore_init(&semaphore, 2), 0);
	for (int i = 0; i < 6; i++)
		party_start(&parties[i], i % 2 ? first_of(pair) : second_of(pair), pass_through,
			    NULL);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(weft_semaphore_value(&semaphore), 2);
	return 0;
}

TEST_LIMIT(semaphore, every_mixture, 60)
{
	for (intptr_t pair = 0; pair < PAIRS; pair++) {
		run_on(1, mix, (void *)pair);
		run_on(2, mix, (void *)pair);
	}
	CHECK_EQ(most, 2);
}
