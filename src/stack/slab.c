/* SPDX-License-Identifier: MIT
 *
 * slab.c - blocks of 16, 32, 48 ... 1024 bytes, one thread's own. (Bonwick,
 * "The Slab Allocator", USENIX 1994, reduced to what exact-size copies need.)
 *
 * A page of 16 KiB serves one size; its header says how many of its blocks are
 * in use, and holds the free ones in a list. Blocks that were never used come
 * after `fresh` and cost no memory yet.
 *
 * L1 A page is linked in partial[size] exactly while it has a free block.
 * L2 A page without a block in use is one of the EMPTIES most recent such
 *    pages, or belongs to the region allocator again.
 */
#include <base/fault.h>
#include <stack/slab.h>
#include <stack/stack.h>

enum { SIZES = SLAB_MAX_BYTES / SLAB_STEP + 1, EMPTIES = 4 };

struct slab_free {
	struct slab_free *next;
};

struct slab_page {
	_Alignas(SLAB_STEP) struct slab_page *next;
	struct slab_page *prev;
	struct slab_free *free;
	uint16_t used;
	uint16_t size;  /* of its blocks, in SLAB_STEP */
	uint32_t fresh; /* offset of the first block that was never used */
};

struct slab {
	struct slab_page *partial[SIZES];
	struct slab_page *empties[EMPTIES];
	unsigned turn; /* which entry of empties is replaced next */
	size_t pages;  /* of this slab */
};

_Static_assert(sizeof(struct slab_page) % SLAB_STEP == 0, "blocks are aligned");

static bool page_full(const struct slab_page *page)
{
	return !page->free && page->fresh + page->size * SLAB_STEP > REGION_PAGE_BYTES;
}

static void link_page(struct slab_page **head, struct slab_page *page)
{
	page->prev = NULL;
	page->next = *head;
	if (*head)
		(*head)->prev = page;
	*head = page;
}

static void unlink_page(struct slab_page **head, struct slab_page *page)
{
	if (page->prev)
		page->prev->next = page->next;
	else
		*head = page->next;
	if (page->next)
		page->next->prev = page->prev;
}

static struct slab *slab_of_thread(void)
{
	struct stack_cache *cache = weft__stack_cache();

	if (unlikely(!cache))
		return NULL;
	if (unlikely(!cache->slab))
		cache->slab = weft__calloc(1, sizeof(*cache->slab));
	return cache->slab;
}

static coldpath struct slab_page *add_page(struct slab *slab, unsigned size)
{
	struct slab_page *page = weft__region_take(REGION_COPIES);

	if (!page)
		return NULL;
	page->free = NULL;
	page->used = 0;
	page->size = (uint16_t)size;
	page->fresh = sizeof(*page);
	link_page(&slab->partial[size], page);
	slab->pages++;
	return page;
}

static void forget_empty(struct slab *slab, const struct slab_page *page)
{
	for (unsigned i = 0; i < EMPTIES; i++)
		if (slab->empties[i] == page)
			slab->empties[i] = NULL;
}

static void *take_block(struct slab *slab, struct slab_page *page)
{
	struct slab_free *block = page->free;

	if (block) {
		page->free = block->next;
	} else {
		block = (struct slab_free *)(void *)((char *)page + page->fresh);
		page->fresh += page->size * SLAB_STEP;
	}
	if (unlikely(!page->used++))
		forget_empty(slab, page);
	if (unlikely(page_full(page)))
		unlink_page(&slab->partial[page->size], page);
	return block;
}

void *weft__slab_take(size_t bytes)
{
	unsigned size = (unsigned)((bytes + SLAB_STEP - 1) / SLAB_STEP);
	struct slab *slab;
	struct slab_page *page;

	if (unlikely(bytes > SLAB_MAX_BYTES))
		return weft__malloc(bytes);
	slab = slab_of_thread();
	if (unlikely(!slab))
		return NULL;
	page = slab->partial[size];
	if (unlikely(!page))
		page = add_page(slab, size);
	return likely(page) ? take_block(slab, page) : NULL;
}

static void release_page(struct slab *slab, struct slab_page *page)
{
	unlink_page(&slab->partial[page->size], page);
	slab->pages--;
	weft__region_give(REGION_COPIES, page);
}

static coldpath void page_emptied(struct slab *slab, struct slab_page *page)
{
	struct slab_page **entry = &slab->empties[slab->turn++ % EMPTIES];

	if (*entry)
		release_page(slab, *entry);
	*entry = page;
	weft__stack_note_change(weft__thread.stacks);
}

void weft__slab_give(void *ptr, size_t bytes)
{
	struct slab_page *page = weft__region_page(ptr);
	struct slab_free *block = ptr;
	struct slab *slab;

	if (unlikely(bytes > SLAB_MAX_BYTES)) {
		weft__free(ptr);
		return;
	}
	slab = weft__thread.stacks->slab;
	if (unlikely(page_full(page)))
		link_page(&slab->partial[page->size], page);
	block->next = page->free;
	page->free = block;
	if (unlikely(!--page->used))
		page_emptied(slab, page);
}

void weft__slab_age(struct stack_cache *cache)
{
	struct slab *slab = cache->slab;

	for (unsigned i = 0; slab && i < EMPTIES; i++) {
		if (slab->empties[i])
			release_page(slab, slab->empties[i]);
		slab->empties[i] = NULL;
	}
}

bool weft__slab_drop(struct stack_cache *cache)
{
	struct slab *slab = cache->slab;

	if (!slab)
		return true;
	weft__slab_age(cache);
	if (slab->pages)
		return false;
	cache->slab = NULL;
	weft__free(slab);
	return true;
}
