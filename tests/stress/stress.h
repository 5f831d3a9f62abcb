/* SPDX-License-Identifier: MIT
 *
 * stress.h - what the stress tests share: the seed of the run, and how much is enough.
 */
#ifndef WEFT_TESTS_STRESS_H
#define WEFT_TESTS_STRESS_H

#include <stdio.h>
#include <stdlib.h>

#include "../test.h"

/** WEFT_SEED, or 1; said, so that a failure can be repeated. */
static inline uint64_t seed_of_run(void)
{
	const char *text = getenv("WEFT_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;
	char line[64];

	snprintf(line, sizeof line, "seed: WEFT_SEED=%llu", (unsigned long long)seed);
	test_note(line);
	return seed;
}

/** Fewer under sanitizers and emulators. */
static inline int scaled(int count)
{
	const char *slow = getenv("WEFT_TEST_SLOW");

	return slow && atoi(slow) > 1 ? count / atoi(slow) : count;
}

#endif
