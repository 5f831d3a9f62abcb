/* SPDX-License-Identifier: MIT
 *
 * timer.c - the timing wheel against a model: an array that is searched.
 */
#include <string.h>

#include <base/rng.h>
#include <core/timer.h>

#include "../test.h"

#define TICK (INT64_C(1) << TIMER_TICK_SHIFT)

static struct wheel wheel;

/* Advances and returns how many fired; checks that none did early. */
static unsigned advance(int64_t now_ns)
{
	unsigned fired = 0;

	for (struct timer *t = weft__wheel_advance(&wheel, now_ns); t; t = t->next) {
		CHECK_GE(now_ns, t->when_ns);
		CHECK(t->pprev == NULL);
		t->ticket = 0;
		fired++;
	}
	return fired;
}

static void arm(struct timer *timer, int64_t when_ns)
{
	timer->when_ns = when_ns;
	timer->ticket = 64;
	weft__timer_arm(&wheel, timer);
}

TEST(timer, fires_once_in_its_tick_and_never_early)
{
	struct timer timer = { 0 };

	weft__wheel_init(&wheel, 0);
	arm(&timer, 10 * TICK + 1);
	CHECK_EQ(advance(10 * TICK), 0);
	CHECK_EQ(advance(11 * TICK - 1), 0);
	CHECK_EQ(advance(11 * TICK), 1);
	CHECK_EQ(advance(1000 * TICK), 0);
	CHECK_EQ(wheel.armed, 0);
}

TEST(timer, past_deadline_fires_in_the_next_tick)
{
	struct timer timer = { 0 }, negative = { 0 };

	weft__wheel_init(&wheel, 100 * TICK);
	arm(&timer, 5);
	arm(&negative, INT64_MIN);
	CHECK_EQ(advance(100 * TICK + 5), 0);
	CHECK_EQ(advance(101 * TICK), 2);
}

TEST(timer, cancel_is_exact_and_idempotent)
{
	struct timer timers[3] = { { 0 } };

	weft__wheel_init(&wheel, 0);
	for (int i = 0; i < 3; i++)
		arm(&timers[i], 50 * TICK);
	weft__timer_cancel(&wheel, &timers[1]);
	weft__timer_cancel(&wheel, &timers[1]);
	CHECK_EQ(wheel.armed, 2);
	CHECK_EQ(advance(50 * TICK), 2);
	CHECK_EQ(timers[1].ticket, 64);

	arm(&timers[0], 90 * TICK);
	weft__timer_cancel(&wheel, &timers[0]);
	CHECK_EQ(weft__wheel_next(&wheel), INT64_MAX);
}

TEST(timer, same_tick_fires_in_the_order_of_arming)
{
	struct timer timers[5] = { { 0 } };
	int i = 0;

	weft__wheel_init(&wheel, 0);
	for (i = 0; i < 5; i++)
		arm(&timers[i], 5000 * TICK); /* a higher level: it moves down once */
	i = 0;
	for (struct timer *t = weft__wheel_advance(&wheel, 5000 * TICK); t; t = t->next)
		CHECK(t == &timers[i++]);
	CHECK_EQ(i, 5);
}

TEST(timer, the_far_end_of_time)
{
	struct timer never = { 0 }, soon = { 0 };

	weft__wheel_init(&wheel, 12345 * TICK);
	arm(&never, INT64_MAX);
	arm(&soon, 12350 * TICK);
	CHECK_EQ(advance(12350 * TICK), 1);
	CHECK_GT(weft__wheel_next(&wheel), INT64_MAX / 2);
	CHECK_EQ(advance(INT64_MAX / 4), 0);
	CHECK_EQ(wheel.armed, 1);
}

/* 2,000 timers at all distances, armed, moved and cancelled at random, against
 * a plain array; and next() must be a lower bound that leads to every timer. */
TEST(timer, agrees_with_a_plain_array)
{
	static struct timer timers[2000];
	struct rng rng;
	int64_t now = 7;

	weft__rng_init(&rng, 42);
	memset(timers, 0, sizeof timers);
	weft__wheel_init(&wheel, now);
	for (int step = 0; step < 20000; step++) {
		struct timer *timer = &timers[rng_next(&rng) % 2000];
		int64_t next;

		if (timer->pprev && rng_next(&rng) % 2) {
			weft__timer_cancel(&wheel, timer);
			timer->ticket = 0;
		} else if (!timer->pprev) {
			arm(timer, now + (int64_t)(rng_next(&rng) >> (22 + rng_next(&rng) % 40)));
		}
		if (rng_next(&rng) % 4)
			continue;
		next = weft__wheel_next(&wheel);
		if (rng_next(&rng) % 2 && next != INT64_MAX)
			now = next > now ? next : now;
		else
			now += (int64_t)(rng_next(&rng) >> (24 + rng_next(&rng) % 40));
		if (now > INT64_MAX / 2)
			break;
		advance(now);
		for (int i = 0; i < 2000; i++) {
			if (!timers[i].ticket)
				continue;
			CHECK(timers[i].pprev != NULL);
			CHECK_GT(timers[i].when_ns, now - TICK);
			CHECK_LE(weft__wheel_next(&wheel), timers[i].when_ns + 2 * TICK);
		}
	}
}
