/* SPDX-License-Identifier: MIT
 *
 * block.c - control blocks of 128 bytes, for tasks on shared stacks.
 *
 * Type-stable: memory that once was a control block is never anything else, so
 * a stale handle may be looked at for ever. Each thread has two magazines
 * (Bonwick and Adams, 2001); a full one goes back to the pages its blocks came
 * from, under one lock, and a page without a block in use gives its memory
 * back: it then reads zeros, as a free block does.
 *
 * B1 A page is linked in `partial` exactly while it has a free block.
 * B2 At most one page without a block in use is kept.
 *
 * Lock order: block lock, region lock.
 */
#include <pthread.h>
#include <string.h>

#include <base/fault.h>
#include <base/lock.h>
#include <stack/slab.h>
#include <stack/stack.h>
#include <stack/walk.h>

enum { MAGAZINE = 32 }; /* each block of it may be the last of its page */

struct block_free {
	struct block_free *next;
};

/* In the place of a page's first block. */
struct block_page {
	struct block_page *next, *prev;
	struct block_free *free;
	uint32_t used;
	uint32_t fresh; /* offset of the first block that was never used */
};

static struct block_page *partial;
static struct lock lock;

LOCK_OVER_FORK(lock)

/* Regions are taken under this lock. */
AT_LOAD_BEFORE_FORKS(2) static void register_fork(void)
{
	pthread_atfork(take_lock, drop_lock, drop_lock);
}

static bool page_full(const struct block_page *page)
{
	return !page->free && page->fresh == REGION_PAGE_BYTES;
}

static void link_page(struct block_page *page)
{
	page->prev = NULL;
	page->next = partial;
	if (partial)
		partial->prev = page;
	partial = page;
}

static void unlink_page(struct block_page *page)
{
	if (page->prev)
		page->prev->next = page->next;
	else
		partial = page->next;
	if (page->next)
		page->next->prev = page->prev;
}

/* Under the lock: one block of the first page. */
static struct block_free *take_one(void)
{
	struct block_page *page = partial;
	struct block_free *block;

	if (!page) {
		page = weft__region_take(REGION_BLOCKS);
		if (!page)
			return NULL;
		page->free = NULL;
		page->used = 0;
		page->fresh = BLOCK_BYTES;
		link_page(page);
	}
	block = page->free;
	if (block) {
		page->free = block->next;
	} else {
		block = (struct block_free *)(void *)((char *)page + page->fresh);
		page->fresh += BLOCK_BYTES;
	}
	page->used++;
	if (page_full(page))
		unlink_page(page);
	return block;
}

/* Under the lock. Return: the page, unlinked, when its memory should go back. */
static struct block_page *give_one(struct block_free *block)
{
	struct block_page *page = weft__region_page(block);

	if (page_full(page))
		link_page(page);
	block->next = page->free;
	page->free = block;
	if (--page->used || (partial == page && !page->next))
		return NULL;
	unlink_page(page);
	return page;
}

static void give_all(struct block_free *blocks)
{
	struct block_page *done = NULL;

	take_lock();
	while (blocks) {
		struct block_free *next = blocks->next;
		struct block_page *page = give_one(blocks);

		if (page) {
			page->next = done;
			done = page;
		}
		blocks = next;
	}
	drop_lock();
	while (done) {
		struct block_page *next = done->next;

		weft__region_give(REGION_BLOCKS, done);
		done = next;
	}
}

static coldpath bool refill(struct stack_cache *cache)
{
	struct block_free **tail = &cache->blocks;

	if (cache->old_blocks) {
		cache->blocks = cache->old_blocks;
		cache->old_blocks = NULL;
		cache->block_count = MAGAZINE;
		return true;
	}
	take_lock();
	while (cache->block_count < MAGAZINE && (*tail = take_one())) {
		tail = &(*tail)->next;
		cache->block_count++;
	}
	drop_lock();
	*tail = NULL;
	return cache->blocks != NULL;
}

/* Compilers make a slow string instruction of a memset(), and of a loop. */
static inline void clear(void *block)
{
	typedef uint64_t vector __attribute__((vector_size(16), may_alias));
	vector *at = __builtin_assume_aligned(block, 128), zero = { 0 };

	at[0] = at[1] = at[2] = at[3] = zero;
	at[4] = at[5] = at[6] = at[7] = zero;
	if (BLOCK_BYTES > 128)
		memset(&at[8], 0, BLOCK_BYTES - 128);
}

void *weft__block_take(void)
{
	struct stack_cache *cache = weft__stack_cache();
	struct block_free *block;

	if (unlikely(!cache) || (unlikely(!cache->blocks) && !refill(cache)))
		return NULL;
	block = cache->blocks;
	cache->blocks = block->next;
	cache->block_count--;
	clear(block);
	return block;
}

void weft__block_give(void *ptr)
{
	struct stack_cache *cache = weft__stack_cache();
	struct block_free *block = ptr;

	if (unlikely(!cache)) {
		block->next = NULL;
		give_all(block);
		return;
	}
	if (unlikely(cache->block_count == MAGAZINE)) {
		if (cache->old_blocks)
			give_all(cache->old_blocks);
		cache->old_blocks = cache->blocks;
		cache->blocks = NULL;
		cache->block_count = 0;
		weft__stack_note_change(cache);
	}
	block->next = cache->blocks;
	cache->blocks = block;
	cache->block_count++;
}

bool weft__block_age(struct stack_cache *cache)
{
	if (cache->old_blocks && cache->old_blocks == cache->old_blocks_seen) {
		give_all(cache->old_blocks);
		cache->old_blocks = NULL;
	}
	cache->old_blocks_seen = cache->old_blocks;
	return cache->old_blocks != NULL;
}

void weft__block_drop(struct stack_cache *cache)
{
	if (cache->blocks)
		give_all(cache->blocks);
	if (cache->old_blocks)
		give_all(cache->old_blocks);
	cache->blocks = cache->old_blocks = NULL;
	cache->block_count = 0;
}

/* --- looking on ------------------------------------------------------------------ */

struct block_walk {
	weft__block_fn *fn;
	void *arg;
};

static no_tsan uint32_t fresh_now(const struct block_page *page)
{
	return *(const volatile uint32_t *)&page->fresh;
}

/* Blocks behind fresh were never used; of a page that has just gone back it reads 0. */
static bool page_each(void *page, void *arg)
{
	const struct block_walk *walk = arg;
	uint32_t fresh = fresh_now(page);

	for (uint32_t at = BLOCK_BYTES; at < fresh && at < REGION_PAGE_BYTES; at += BLOCK_BYTES)
		if (!walk->fn((char *)page + at, walk->arg))
			return false;
	return true;
}

bool weft__block_each(weft__block_fn *fn, void *arg)
{
	struct block_walk walk = { fn, arg };

	return weft__region_each(REGION_BLOCKS, page_each, &walk);
}
