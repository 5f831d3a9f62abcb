/* SPDX-License-Identifier: MIT
 *
 * walk.c - walk.h over the slots of the arena.
 */
#include <stdatomic.h>

#include <stack/arena.h>
#include <stack/walk.h>

/* Both change under the arena's lock, which we do not take: an old value shows a slot
 * that has just gone cold, which reads zeros, or leaves out one that is new. */
static no_tsan uint32_t carved_now(const struct stack_chunk *chunk)
{
	return *(const volatile uint32_t *)&chunk->carved;
}

static no_tsan uint64_t cold_now(const struct stack_chunk *chunk, uint32_t word)
{
	return *(const volatile uint64_t *)&chunk->cold_bits[word];
}

static bool chunk_each(const struct stack_chunk *chunk, weft__block_fn *fn, void *arg)
{
	uint32_t carved = carved_now(chunk);

	for (uint32_t first = 0; first < carved; first += 64) {
		uint32_t count = carved - first < 64 ? carved - first : 64;
		uint64_t warm = ~cold_now(chunk, first / 64);

		if (count < 64)
			warm &= (UINT64_C(1) << count) - 1;
		for (; warm; warm &= warm - 1) {
			uint32_t index = first + (uint32_t)__builtin_ctzll(warm);

			if (!fn(chunk_slot(chunk, index).top, arg))
				return false;
		}
	}
	return true;
}

bool weft__slot_each(weft__block_fn *fn, void *arg)
{
	const struct stack_chunk *chunk;

	for (unsigned i = 0; (chunk = weft__arena_nth(i)); i++)
		if (!chunk_each(chunk, fn, arg))
			return false;
	return true;
}
