/* SPDX-License-Identifier: MIT
 *
 * rng.c - seeding.
 */
#include <unistd.h>

#include <base/clock.h>
#include <base/rng.h>

static uint64_t mix_splitmix64(uint64_t seed)
{
	uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void weft__rng_init(struct rng *rng, uint64_t seed)
{
	uint64_t state = mix_splitmix64(seed);

	/* splitmix64 is a permutation: one seed gives 0, which xorshift never leaves. */
	rng->state = state ? state : 1;
}

uint64_t weft__rng_seed(void)
{
	return mix_splitmix64((uint64_t)weft__now() ^ (uint64_t)getpid() << 32);
}
