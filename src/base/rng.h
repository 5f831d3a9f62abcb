/* SPDX-License-Identifier: MIT
 *
 * rng.h - small random numbers: for shuffles and tests, never for secrets.
 *
 * The generator is xorshift64* (Vigna, "An experimental exploration of
 * Marsaglia's xorshift generators, scrambled", 2016), seeded through one step
 * of splitmix64 (Steele, Lea, Flood 2014), which turns neighbouring seeds into
 * unrelated states. The same seed gives the same numbers everywhere.
 */
#ifndef WEFT_BASE_RNG_H
#define WEFT_BASE_RNG_H

#include <base/compiler.h>

struct rng {
	uint64_t state; /* never 0 */
};

/** Any seed, 0 too. */
void weft__rng_init(struct rng *rng, uint64_t seed) WEFT_PRIVATE;

/** A seed that differs from run to run. */
uint64_t weft__rng_seed(void) WEFT_PRIVATE;

/** The next 64 bits; the upper half is the better one. */
static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t x = rng->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng->state = x;
	return x * UINT64_C(2685821657736338717);
}

/** 0 .. bound - 1, or 0 when @bound is 0. Bias below bound / 2^32. (Lemire 2019, without the
 * rejection.) */
static inline uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	return (uint32_t)((rng_next(rng) >> 32) * bound >> 32);
}

#endif
