/* SPDX-License-Identifier: MIT
 *
 * sync_event.c - events: one for all, and one for one.
 */
#include "parties.h"

static weft_event event = WEFT_EVENT_INIT, automatic = WEFT_EVENT_AUTO_INIT;

static int wait_for_ever(void *arg)
{
	return weft_event_wait(arg, WEFT_FOREVER);
}

static int wait_shortly(void *arg)
{
	return weft_event_wait(arg, weft_in_ms(2));
}

TEST(event, set_and_reset)
{
	weft_event made;

	memset(&made, 0xa5, sizeof made);
	CHECK_EQ(weft_event_init(&made, 2), -EINVAL);
	CHECK_EQ(weft_event_init(&made, 0), 0);
	CHECK_EQ(weft_event_is_set(&made), 0);
	CHECK_EQ(weft_event_wait(&made, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_event_wait(&made, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_event_reset(&made), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_event_set(&made), 0);
		CHECK_EQ(weft_event_is_set(&made), 1);
		CHECK_EQ(weft_event_wait(&made, WEFT_NOWAIT), 0);
		CHECK_EQ(weft_event_wait(&made, WEFT_FOREVER), 0);
	}
	CHECK_EQ(weft_event_reset(&made), 1);
	CHECK_EQ(weft_event_wait(&made, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_event_fini(&made), 0);
}

TEST(event, automatic_lets_one_through)
{
	weft_event made;

	CHECK_EQ(weft_event_init(&made, WEFT_EVENT_AUTO), 0);
	for (int i = 0; i < 2; i++) {
		weft_event *which = i ? &made : &automatic;

		CHECK_EQ(weft_event_set(which), 0);
		CHECK_EQ(weft_event_set(which), 0);
		CHECK_EQ(weft_event_is_set(which), 1);
		CHECK_EQ(weft_event_wait(which, WEFT_NOWAIT), 0);
		CHECK_EQ(weft_event_is_set(which), 0);
		CHECK_EQ(weft_event_wait(which, WEFT_NOWAIT), -EAGAIN);
		CHECK_EQ(weft_event_set(which), 0);
		CHECK_EQ(weft_event_reset(which), 1);
		CHECK_EQ(weft_event_wait(which, weft_in_ms(1)), -ETIMEDOUT);
	}
}

static int wake_all_kinds(void *arg)
{
	struct party parties[KINDS];

	(void)arg;
	for (int i = 0; i < KINDS; i++) {
		party_start(&parties[i], (enum kind)i, wait_for_ever, &event);
		await_waiters(&event, i + 1);
	}
	CHECK_EQ(weft_event_fini(&event), -EBUSY);
	check_said(dump_text(), ": event 0x");
	CHECK_EQ(weft_event_set(&event), 0);
	CHECK_EQ(weft_event_reset(&event), 1); /* it has been, for them */
	for (int i = 0; i < KINDS; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(weft_event_fini(&event), 0);

	for (int i = 0; i < KINDS; i++) {
		party_start(&parties[i], (enum kind)i, wait_for_ever, &automatic);
		await_waiters(&automatic, i + 1);
	}
	for (int i = 0; i < KINDS; i++) {
		CHECK_EQ(weft_event_set(&automatic), 0);
		CHECK_EQ(weft_event_is_set(&automatic), 0);
		CHECK_EQ(party_end(&parties[i]), 0);
	}
	return 0;
}

TEST(event, all_or_the_oldest)
{
	run_on(1, wake_all_kinds, NULL);
	run_on(2, wake_all_kinds, NULL);
}

static int give_up(void *arg)
{
	struct party party;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, wait_shortly, &automatic);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		if (kind == THREAD)
			continue;
		party_start(&party, kind, wait_for_ever, &automatic);
		await_waiters(&automatic, 1);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(weft_event_set(&automatic), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
		/* It was not there to take it. */
		CHECK_EQ(weft_event_wait(&automatic, WEFT_NOWAIT), 0);
	}
	CHECK_EQ(weft_event_fini(&automatic), 0);
	return 0;
}

TEST(event, deadlines_and_cancels)
{
	run_on(1, give_up, NULL);
	run_on(2, give_up, NULL);
}

/* Turns between two of any kinds; nothing else is shared but plain memory. */
static weft_event turns[2] = { WEFT_EVENT_AUTO_INIT, WEFT_EVENT_AUTO_INIT };
static int ball;

static int play(void *arg)
{
	intptr_t side = (intptr_t)arg;

	for (int i = 0; i < 200; i++) {
		CHECK_EQ(weft_event_wait(&turns[side], WEFT_FOREVER), 0);
		CHECK_EQ(ball++ % 2, side);
		CHECK_EQ(weft_event_set(&turns[1 - side]), 0);
	}
	return 0;
}

static int mix(void *arg)
{
	int pair = (int)(intptr_t)arg;
	struct party parties[2];

	ball = 0;
	party_start(&parties[0], first_of(pair), play, (void *)0);
	party_start(&parties[1], second_of(pair), play, (void *)1);
	CHECK_EQ(weft_event_set(&turns[0]), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(ball, 400);
	CHECK_EQ(weft_event_reset(&turns[0]), 1);
	return 0;
}

TEST_LIMIT(event, every_mixture, 60)
{
	for (intptr_t pair = 0; pair < PAIRS; pair++) {
		run_on(1, mix, (void *)pair);
		run_on(2, mix, (void *)pair);
	}
}
