/* SPDX-License-Identifier: MIT
 *
 * slab.h - small memory in great numbers: copies of shared stacks, and the
 * control blocks of the tasks that have no slot of their own.
 */
#ifndef WEFT_STACK_SLAB_H
#define WEFT_STACK_SLAB_H

#include <base/compiler.h>

struct stack_cache;

/* --- exact-size blocks: slab.c ----------------------------------------------- */

enum { SLAB_STEP = 16, SLAB_MAX_BYTES = 1024 };

/**
 * weft__slab_take - a block of @bytes, rounded up to 16; malloc above 1 KiB
 *
 * 16-byte aligned, not cleared, 0.2 % of overhead. NULL without memory. It
 * belongs to the calling thread, which must be the one to give it back.
 */
void *weft__slab_take(size_t bytes);

/** Gives it back; the size must be the one it was taken with. */
void weft__slab_give(void *block, size_t bytes);

/** At thread end. False: blocks are still in use, and the slab with them. */
bool weft__slab_drop(struct stack_cache *cache);

/** Gives back what is kept for nobody: parts of weft__stack_age(). */
void weft__slab_age(struct stack_cache *cache);
/** True when there is more that may go at the next look. */
bool weft__block_age(struct stack_cache *cache);

/* --- control blocks: block.c ------------------------------------------------- */

/* Sanitizers want to know more of each task than two cache lines hold. */
enum { BLOCK_BYTES = WEFT_ASAN || WEFT_TSAN ? 256 : 128 };

/** BLOCK_BYTES zeroed, 128-byte aligned, type-stable memory for struct task: never unmapped
 * (A1). The first 8 bytes of a free one are not its last owner's. */
void *weft__block_take(void);

/** Any thread. */
void weft__block_give(void *block);

/** Gives back what the cache holds. */
void weft__block_drop(struct stack_cache *cache);

/* --- where both get their pages: region.c --------------------------------------- */

enum { REGION_PAGE_BYTES = 16 << 10 };

/** Pages of one kind are never used for the other. */
enum region_kind { REGION_COPIES, REGION_BLOCKS, REGION_KINDS };

/** A page of 16 KiB, aligned to its size; NULL without memory. Any thread. */
void *weft__region_take(enum region_kind kind);

/** Its memory goes back to the system; its address stays ours. */
void weft__region_give(enum region_kind kind, void *page);

/** Shows every page that is in use, without the lock (see walk.h). False: @fn had enough. */
bool weft__region_each(enum region_kind kind, bool (*fn)(void *page, void *arg), void *arg);

static inline void *weft__region_page(const void *addr)
{
	return (void *)((uintptr_t)addr & ~(uintptr_t)(REGION_PAGE_BYTES - 1));
}

#endif
