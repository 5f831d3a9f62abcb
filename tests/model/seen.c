/* SPDX-License-Identifier: MIT
 *
 * seen.c - the set of states that were met, as 64-bit hashes with open addressing.
 *
 * Two different states of one hash would leave a part unexplored. With n states that
 * happens with a probability of n^2 / 2^65: 10^-7 for two million.
 */
#include <stdlib.h>

#include "../test.h"
#include "engine.h"

static uint64_t *table; /* 0: free */
static size_t size, used;

static bool insert(uint64_t hash)
{
	size_t i = hash & (size - 1);

	while (table[i]) {
		if (table[i] == hash)
			return true;
		i = (i + 1) & (size - 1);
	}
	table[i] = hash;
	used++;
	return false;
}

static void grow(void)
{
	uint64_t *old = table;
	size_t old_size = size;

	size = size ? 2 * size : 4096;
	used = 0;
	table = calloc(size, sizeof *table);
	CHECK(table);
	for (size_t i = 0; i < old_size; i++)
		if (old[i])
			insert(old[i]);
	free(old);
}

bool seen_add(uint64_t hash)
{
	if (2 * used >= size)
		grow();
	return insert(hash ? hash : 1);
}

void seen_clear(void)
{
	free(table);
	table = NULL;
	size = used = 0;
}
