/* SPDX-License-Identifier: MIT
 *
 * region.c - pages of 16 KiB for slab.c and block.c, from regions that grow
 * geometrically and are never unmapped.
 *
 * A page is in use, free (bit set: no memory behind it), or was never used.
 * Lock order: `lock` is innermost.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <base/fault.h>
#include <base/lock.h>
#include <stack/slab.h>

#define FIRST_BYTES ((size_t)4 << 20)
#define MAX_BYTES   ((size_t)1 << 30)

/* Lies at the beginning of its mapping, the bits follow, then the pages. */
struct region {
	struct region *next;
	char *pages;
	uint32_t count, carved, free, hint;
	uint64_t free_bits[];
};

static struct region_list {
	_Atomic(struct region *)
		head;  /* newest first; read without the lock by weft__region_each() */
	uint32_t free; /* of all */
} lists[REGION_KINDS];

static struct lock lock;

LOCK_OVER_FORK(lock)

AT_LOAD_BEFORE_FORKS(1) static void register_fork(void)
{
	pthread_atfork(take_lock, drop_lock, drop_lock);
}

static struct region *map_region(size_t bytes)
{
	size_t count = bytes / REGION_PAGE_BYTES;
	size_t header = sizeof(struct region) + (count + 63) / 64 * sizeof(uint64_t);
	uintptr_t mask = REGION_PAGE_BYTES - 1;
	char *base = weft__map(header + mask + bytes);
	struct region *region = (struct region *)(void *)base;

	if (!base)
		return NULL;
	region->pages = (char *)(((uintptr_t)base + header + mask) & ~mask);
	region->count = (uint32_t)count;
	return region;
}

/* Under the lock. */
static struct region *newest(struct region_list *list)
{
	return atomic_load_explicit(&list->head, memory_order_relaxed);
}

static struct region *add_region(struct region_list *list)
{
	size_t bytes = FIRST_BYTES;
	struct region *region = NULL, *last = newest(list);

	if (last && last->carved < last->count)
		return last;
	if (last)
		bytes = (size_t)last->count * REGION_PAGE_BYTES * 2;
	for (bytes = bytes > MAX_BYTES ? MAX_BYTES : bytes; !region && bytes >= REGION_PAGE_BYTES;
	     bytes /= 2)
		region = map_region(bytes);
	if (!region)
		return NULL;
	region->next = last;
	/* release pairs with the acquire in weft__region_each() */
	atomic_store_explicit(&list->head, region, memory_order_release);
	return region;
}

static void *take_free(struct region_list *list)
{
	struct region *region = newest(list);
	uint32_t word;
	unsigned bit;

	if (!list->free)
		return NULL;
	while (!region->free)
		region = region->next;
	for (word = region->hint; !region->free_bits[word]; word++)
		;
	bit = (unsigned)__builtin_ctzll(region->free_bits[word]);
	region->free_bits[word] &= region->free_bits[word] - 1;
	region->hint = word;
	region->free--;
	list->free--;
	return region->pages + ((size_t)word * 64 + bit) * REGION_PAGE_BYTES;
}

void *weft__region_take(enum region_kind kind)
{
	struct region_list *list = &lists[kind];
	struct region *region;
	void *page;

	take_lock();
	page = take_free(list);
	if (!page && (region = add_region(list)))
		page = region->pages + (size_t)region->carved++ * REGION_PAGE_BYTES;
	drop_lock();
	return page;
}

void weft__region_give(enum region_kind kind, void *page)
{
	struct region_list *list = &lists[kind];
	struct region *region;
	size_t index;

	weft__advise(page, REGION_PAGE_BYTES, MADV_DONTNEED);
	take_lock();
	region = newest(list);
	while ((char *)page < region->pages ||
	       (char *)page >= region->pages + (size_t)region->count * REGION_PAGE_BYTES)
		region = region->next;
	index = (size_t)((char *)page - region->pages) / REGION_PAGE_BYTES;
	region->free_bits[index / 64] |= UINT64_C(1) << index % 64;
	if (region->hint > index / 64)
		region->hint = (uint32_t)(index / 64);
	region->free++;
	list->free++;
	drop_lock();
}

/* --- looking on ------------------------------------------------------------------ */

static no_tsan uint32_t carved_now(const struct region *region)
{
	return *(const volatile uint32_t *)&region->carved;
}

static no_tsan bool free_now(const struct region *region, uint32_t index)
{
	return *(const volatile uint64_t *)&region->free_bits[index / 64] >> index % 64 & 1;
}

bool weft__region_each(enum region_kind kind, bool (*fn)(void *page, void *arg), void *arg)
{
	const struct region *region = atomic_load_explicit(&lists[kind].head, memory_order_acquire);

	for (; region; region = region->next) {
		uint32_t carved = carved_now(region);

		for (uint32_t i = 0; i < carved; i++)
			if (!free_now(region, i) &&
			    !fn(region->pages + (size_t)i * REGION_PAGE_BYTES, arg))
				return false;
	}
	return true;
}
