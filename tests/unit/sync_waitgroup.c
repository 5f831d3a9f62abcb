/* SPDX-License-Identifier: MIT
 *
 * sync_waitgroup.c - waiting until a count is 0.
 */
#include "parties.h"

static weft_waitgroup group = WEFT_WAITGROUP_INIT;

static int wait_for_ever(void *arg)
{
	return weft_waitgroup_wait(arg, WEFT_FOREVER);
}

static int wait_shortly(void *arg)
{
	return weft_waitgroup_wait(arg, weft_in_ms(2));
}

TEST(waitgroup, counts_and_errors)
{
	weft_waitgroup made;

	memset(&made, 0xa5, sizeof made);
	CHECK_EQ(weft_waitgroup_init(&made), 0);
	CHECK_EQ(weft_waitgroup_wait(&made, WEFT_FOREVER), 0);
	CHECK_EQ(weft_waitgroup_done(&made), -EINVAL);
	CHECK_EQ(weft_waitgroup_add(&made, 2), 0);
	CHECK_EQ(weft_waitgroup_add(&made, -3), -EINVAL);
	CHECK_EQ(weft_waitgroup_add(&made, INT32_MAX), -EOVERFLOW);
	CHECK_EQ(weft_waitgroup_fini(&made), -EBUSY);
	CHECK_EQ(weft_waitgroup_wait(&made, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_waitgroup_wait(&made, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_waitgroup_done(&made), 0);
	CHECK_EQ(weft_waitgroup_add(&made, INT32_MIN), -EINVAL);
	CHECK_EQ(weft_waitgroup_done(&made), 0);
	CHECK_EQ(weft_waitgroup_wait(&made, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_waitgroup_fini(&made), 0);
}

static int all_kinds_wait(void *arg)
{
	struct party parties[KINDS];

	(void)arg;
	CHECK_EQ(weft_waitgroup_add(&group, 2), 0);
	for (int i = 0; i < KINDS; i++)
		party_start(&parties[i], (enum kind)i, wait_for_ever, &group);
	await_waiters(&group, KINDS);
	check_said(dump_text(), " 2 to go");
	CHECK_EQ(weft_waitgroup_done(&group), 0);
	CHECK_EQ(weft_waitgroup_fini(&group), -EBUSY);
	let_others();
	for (int i = 0; i < KINDS; i++)
		CHECK(!parties[i].over);
	CHECK_EQ(weft_waitgroup_done(&group), 0);
	/* It was 0: that it is not any more changes nothing for them. */
	CHECK_EQ(weft_waitgroup_add(&group, 1), 0);
	for (int i = 0; i < KINDS; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(weft_waitgroup_done(&group), 0);
	CHECK_EQ(weft_waitgroup_fini(&group), 0);
	return 0;
}

TEST(waitgroup, all_that_wait_go_on)
{
	run_on(1, all_kinds_wait, NULL);
	run_on(2, all_kinds_wait, NULL);
}

static int give_up(void *arg)
{
	struct party party;

	(void)arg;
	CHECK_EQ(weft_waitgroup_add(&group, 1), 0);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, wait_shortly, &group);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		if (kind == THREAD)
			continue;
		party_start(&party, kind, wait_for_ever, &group);
		await_waiters(&group, 1);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
	}
	CHECK_EQ(weft_waitgroup_done(&group), 0);
	CHECK_EQ(weft_waitgroup_fini(&group), 0);
	return 0;
}

TEST(waitgroup, deadlines_and_cancels)
{
	run_on(1, give_up, NULL);
	run_on(2, give_up, NULL);
}

/* The group lies in the frame of who waits, and is gone when he goes on. */
static int finish_one(void *arg)
{
	return weft_waitgroup_done(arg);
}

static int wait_in_frame(void *arg)
{
	(void)arg;
	for (int round = 0; round < 400; round++) {
		weft_waitgroup here = WEFT_WAITGROUP_INIT;
		struct party parties[3];

		CHECK_EQ(weft_waitgroup_add(&here, 3), 0);
		for (int i = 0; i < 3; i++)
			party_start(&parties[i], (enum kind)((round + i) % KINDS), finish_one,
				    &here);
		CHECK_EQ(weft_waitgroup_wait(&here, WEFT_FOREVER), 0);
		memset(&here, 0xff, sizeof here);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(party_end(&parties[i]), 0);
		for (size_t i = 0; i < sizeof here; i++)
			CHECK_EQ(((unsigned char *)&here)[i], 0xff);
	}
	return 0;
}

TEST_LIMIT(waitgroup, in_the_frame_of_who_waits, 60)
{
	run_on(1, wait_in_frame, NULL);
	run_on(2, wait_in_frame, NULL);
}
