/* SPDX-License-Identifier: MIT
 *
 * burn.h - work that takes CPU and nothing else.
 */
#ifndef WEFT_BENCH_BURN_H
#define WEFT_BENCH_BURN_H

#include "bench.h"

enum {
	BURN_STEPS = 13000,      /* of four cycles: 20 us at 2.6 GHz. Go's compute() does as many */
	HOG_BURNS_NS = 10000000, /* a hog computes so long, by its CPU time, ... */
	HOG_SLEEPS_NS = 90000000 /* ... and then sleeps so long */
};

static volatile uint64_t burnt;

static inline void burn_steps(void)
{
	uint64_t x = burnt;

	for (int i = 0; i < BURN_STEPS; i++)
		x = x * UINT64_C(6364136223846793005) + 1;
	if (!x) /* so that it is needed; that it comes to 0 will not be seen */
		burnt = x;
}

/** So much CPU time of this thread. */
static inline void burn(int64_t ns)
{
	int64_t end = bench_clock(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (bench_clock(CLOCK_THREAD_CPUTIME_ID) < end)
		burn_steps();
}

#endif
