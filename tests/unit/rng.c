/* SPDX-License-Identifier: MIT
 *
 * rng.c - random numbers: reproducible, spread, within bounds.
 */
#include <base/rng.h>

#include "test.h"

TEST(rng, same_seed_same_numbers)
{
	struct rng a, b;
	int i;

	weft__rng_init(&a, 42);
	weft__rng_init(&b, 42);
	for (i = 0; i < 1000; i++)
		CHECK_EQ(rng_next(&a), rng_next(&b));
}

TEST(rng, neighbouring_seeds_differ)
{
	struct rng a, b;
	int i, same_bits = 0;

	weft__rng_init(&a, 0);
	weft__rng_init(&b, 1);
	for (i = 0; i < 1000; i++)
		same_bits += 64 - __builtin_popcountll(rng_next(&a) ^ rng_next(&b));
	/* Half of 64,000 bits, give or take ten standard deviations. */
	CHECK_GT(same_bits, 32000 - 1265);
	CHECK_LT(same_bits, 32000 + 1265);
}

TEST(rng, below_stays_below_and_reaches_all)
{
	unsigned hits[7] = { 0 };
	struct rng rng;
	int i;

	weft__rng_init(&rng, 7);
	for (i = 0; i < 70000; i++) {
		uint32_t n = rng_below(&rng, 7);

		CHECK_LT(n, 7);
		hits[n]++;
	}
	for (i = 0; i < 7; i++) {
		CHECK_GT(hits[i], 9000);
		CHECK_LT(hits[i], 11000);
	}
	CHECK_EQ(rng_below(&rng, 0), 0);
	CHECK_EQ(rng_below(&rng, 1), 0);
}

TEST(rng, seeds_differ_from_call_to_call)
{
	CHECK_NE(weft__rng_seed(), weft__rng_seed());
}
