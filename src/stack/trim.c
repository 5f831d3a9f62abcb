/* SPDX-License-Identifier: MIT
 *
 * trim.c - hot slots become cold: their pages go back to the system, and the
 * arena may hand them out again.
 *
 * A batch is sorted by address first: neighbours go back as one range, and a
 * whole batch in one system call where the kernel can (process_madvise). Guards
 * stay through it.
 */
#include <base/fault.h>
#include <stack/arena.h>
#include <stack/depot.h>
#include <stack/slab.h>

/* An ageing cache lets so many slots go at a time (a few hundred us), this often. */
enum { DRAIN_SLOTS = 8 * TRIM_BATCH };
#define DRAIN_EVERY_NS INT64_C(10000000)

/* --- a batch ---------------------------------------------------------------------------- */

/* Takes up to TRIM_BATCH slots off the old magazine; in order of address. */
static unsigned pop_sorted(struct stack_bin *bin, char **blocks, unsigned most)
{
	unsigned n = 0, at;

	for (; n < most && bin->old; n++) {
		char *block = (char *)bin->old;

		bin->old = bin->old->next;
		for (at = n; at > 0 && blocks[at - 1] > block; at--)
			blocks[at] = blocks[at - 1];
		blocks[at] = block;
	}
	bin->old_count -= n;
	bin->drawn -= (int32_t)n;
	return n;
}

static void put_run(struct stack_chunk *chunk, const struct iovec *run)
{
	uint32_t index = (uint32_t)((size_t)((char *)run->iov_base - chunk->slots) / chunk->stride);
	uint32_t end = index + (uint32_t)(run->iov_len / chunk->stride);

	while (index < end) {
		uint32_t first = index / 64 * 64, last = end - first < 64 ? end - first : 64;
		uint64_t below = last == 64 ? ~UINT64_C(0) : (UINT64_C(1) << last) - 1;

		weft__arena_put(chunk, first, below & ~UINT64_C(0) << index % 64);
		index = first + last;
	}
}

/* Slots of one chunk, sorted. */
static void trim_chunk(struct stack_chunk *chunk, char *const *blocks, unsigned count)
{
	struct iovec runs[TRIM_BATCH];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		char *base = weft__stack_low_of(blocks[i], chunk->stride); /* guard included */

		if (n && (char *)runs[n - 1].iov_base + runs[n - 1].iov_len == base)
			runs[n - 1].iov_len += chunk->stride;
		else
			runs[n++] = (struct iovec){ base, chunk->stride };
	}
	/* A refusal (mlockall) leaves the pages where they are: no harm. */
	weft__advise_ranges(runs, n, MADV_DONTNEED);
	for (unsigned i = 0; i < n; i++)
		put_run(chunk, &runs[i]);
}

static void trim_batch(struct stack_bin *bin, unsigned class, unsigned most)
{
	char *blocks[TRIM_BATCH];
	unsigned count = pop_sorted(bin, blocks, most), first = 0, end;

	while (first < count) {
		struct stack_chunk *chunk = weft__arena_chunk(class, blocks[first]);

		for (end = first + 1; end < count && blocks[end] < chunk->end; end++)
			;
		trim_chunk(chunk, &blocks[first], end - first);
		first = end;
	}
}

void weft__stack_trim(struct stack_bin *bin, unsigned class, uint32_t most)
{
	while (most && bin->old) {
		unsigned n = most < TRIM_BATCH ? most : TRIM_BATCH;

		trim_batch(bin, class, n);
		most -= n;
	}
}

/* --- magazines --------------------------------------------------------------------------- */

void weft__magazine_rotate(struct stack_bin *bin)
{
	bin->old = bin->young;
	bin->old_count = bin->young_count;
	bin->young = NULL;
	bin->young_count = 0;
	bin->draining = false;
}

/* The lower part of a large young magazine becomes the old one. */
static void split_young(struct stack_bin *bin, uint32_t keep)
{
	struct stack_free *last = bin->young;

	for (uint32_t i = 1; i < keep; i++)
		last = last->next;
	bin->old = last->next;
	bin->old_count = bin->young_count - keep;
	last->next = NULL;
	bin->young_count = keep;
}

/* --- ageing ------------------------------------------------------------------------------- */

/* A magazine that has the same head as at the last look was not used. */
static void judge(struct stack_bin *bin, uint32_t least)
{
	if (bin->old) {
		bin->draining = bin->old == bin->old_seen;
	} else if (bin->young_count > least) {
		bin->draining = bin->young == bin->young_seen;
		split_young(bin, least);
	}
	bin->young_seen = bin->young;
	bin->old_seen = bin->old;
}

static void drain(struct stack_bin *bin, unsigned class, uint32_t least)
{
	weft__stack_trim(bin, class, DRAIN_SLOTS);
	bin->old_seen = bin->old;
	if (bin->old)
		return;
	bin->draining = false;
	bin->magazine = bin->magazine / 2 > least ? bin->magazine / 2 : least;
	bin->limit = bin->magazine;
}

int64_t weft__stack_age_slow(int64_t now_ns)
{
	struct stack_cache *cache = weft__thread.stacks;
	bool judging = now_ns - cache->judged_ns >= STACK_AGE_NS, draining = false, more = false;

	if (judging) {
		cache->judged_ns = now_ns;
		more = weft__block_age(cache);
		weft__slab_age(cache);
	}
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_bin *bin = &cache->bins[i];
		uint32_t least = weft__magazine_least(i);

		if (judging)
			judge(bin, least);
		more |= weft__depot_age(i, bin, now_ns);
		if (bin->draining)
			drain(bin, i, least);
		draining |= bin->draining;
		more |= bin->old || bin->young_count > least;
	}
	cache->ageing = more || !judging;
	cache->look_ns = draining ? now_ns + DRAIN_EVERY_NS : cache->judged_ns + STACK_AGE_NS;
	return cache->ageing ? cache->look_ns : INT64_MAX;
}
