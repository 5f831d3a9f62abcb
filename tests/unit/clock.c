/* SPDX-License-Identifier: MIT
 *
 * clock.c - the clock goes forward, and sums with it saturate.
 */
#include <base/clock.h>
#include <weft/time.h>

#include "test.h"

TEST(clock, goes_forward)
{
	int64_t last = weft__now();
	int i;

	CHECK_GT(last, 0);
	for (i = 0; i < 100000; i++) {
		int64_t now = weft_now();

		CHECK_GE(now, last);
		last = now;
	}
}

TEST(clock, deadlines_are_absolute)
{
	int64_t before = weft_now(), deadline_ns = weft_in_ms(1500);

	CHECK_GE(deadline_ns, before + 1500000000);
	CHECK_LE(deadline_ns, weft_now() + 1500000000);
	CHECK_GE(weft_in_us(3) - before, 3000);
	CHECK_GE(weft_in_s(2) - before, 2000000000);
}

TEST(clock, deadlines_saturate)
{
	CHECK_EQ(weft_in_ns(WEFT_FOREVER), WEFT_FOREVER);
	CHECK_EQ(weft_in_ns(WEFT_FOREVER - 1), WEFT_FOREVER);
	CHECK_EQ(weft_in_s(WEFT_FOREVER), WEFT_FOREVER);
	CHECK_EQ(weft_in_s(WEFT_FOREVER / 1000000000), WEFT_FOREVER);
}

TEST(clock, negative_durations_end_now)
{
	CHECK_LE(weft_in_ns(-1), weft_now());
	CHECK_LE(weft_in_s(INT64_MIN), weft_now());
	CHECK_GT(weft_in_ns(INT64_MIN), 0);
}
