/* SPDX-License-Identifier: MIT
 *
 * stack.h - private stacks: guarded slots of a reserved arena.
 *
 *   slot:  | guard | usable stack ................ <- grows | block | colour |
 *          ^base   ^low                                     ^top          ^end
 *
 * The owner's control block ("block": struct task or struct coroutine) lies at
 * the top of the slot it runs on, so that an idle task touches one page. The
 * stack begins right below it. The colour shifts both by a multiple of 64
 * bytes: blocks of different slots fall into different cache sets.
 *
 * A1 The arena is never unmapped: a stale pointer to a block reads zeros, an
 *    old block or a new one, and never faults.
 * A2 A guard, once installed, stays for the life of the process.
 * A3 A slot is in use, hot (on one cache's LIFO) or cold (bit set in its
 *    chunk's bitset; no page of it is resident).
 * A4 A free slot holds one pointer in the first 8 bytes of its block, and
 *    nothing else of the block is changed by a give or a take.
 *
 * Environment: WEFT_STACK sets the default size ("65536", "512K", "1M");
 * WEFT_GUARD=madvise|mprotect|canary names the strongest protection that may
 * be tried (for tests; the default is to try them in this order).
 */
#ifndef WEFT_STACK_STACK_H
#define WEFT_STACK_STACK_H

#include <stdatomic.h>

#include <base/compiler.h>
#include <base/sanitizer.h>
#include <base/thread.h>

enum {
	STACK_MIN_BYTES = 16 << 10,
	STACK_DEFAULT_BYTES = 256 << 10,
	STACK_CLASSES = 17 /* 16 KiB << class, up to 1 GiB */
};

/** Bytes of control block that every slot keeps room for at its top. */
enum { STACK_BLOCK_BYTES = WEFT_ASAN || WEFT_TSAN ? 320 : 192 };

/** Block and colour lie in the last so many bytes of a slot. */
#define STACK_HEAD_BYTES 4096

/** How often weft__stack_age() looks. */
#define STACK_AGE_NS INT64_C(1000000000)

struct stack_slot {
	char *top; /* the block's address, 64-byte aligned; the stack grows down from here */
	char *low; /* lowest usable byte */
	unsigned class;
};

/* --- the calling thread's cache: private to src/stack ---------- */

/** What lies in the block of a hot slot. */
struct stack_free {
	struct stack_free *next;
};

/**
 * One class of a cache: two magazines, after Bonwick and Adams ("Magazines and
 * Vmem", USENIX 2001). Takes and gives work on the young one; when it is full
 * it becomes the old one, whose slots, not touched for about a magazine of
 * gives, go cold.
 */
struct stack_bin {
	struct stack_free *young;
	uint32_t young_count, limit; /* limit: a give that finds so many goes the slow way */
	uintptr_t reach;             /* from a slot's low to its end */
	struct stack_free *old;
	uint32_t old_count, magazine; /* magazine: how many make a full one */
	/* Slots drawn and not yet touched: bits of one word of a chunk's bitset. */
	struct stack_chunk *chunk;
	uint64_t fresh;
	uint32_t fresh_first; /* index of the slot of bit 0 */
	int32_t drawn;        /* slots from the arena, less those given back to it */
	bool draining;        /* the old magazine is not needed: let it go bit by bit */
	const void *young_seen, *old_seen; /* by weft__stack_age() */
};

struct slab;
struct block_free;

struct stack_cache {
	struct stack_bin bins[STACK_CLASSES];
	struct slab *slab; /* copies of shared stacks (slab.c); NULL until used */
	struct block_free *blocks, *old_blocks; /* control blocks (block.c) */
	const void *old_blocks_seen;            /* by weft__stack_age() */
	uint32_t block_count;
	void *signal_stack; /* overflow.c's; NULL: the thread has another one */
	bool ageing;        /* weft__stack_age() has something to look at, */
	int64_t look_ns;    /* from then on */
	int64_t judged_ns;  /* when it last asked what was used */
};

int weft__stack_take_slow(unsigned class, struct stack_slot *ret_slot);
void weft__stack_give_slow(const struct stack_slot *slot);
int weft__stack_class_slow(size_t stack_bytes);
bool weft__stack_canary_check(const struct stack_slot *slot);

/** This thread's cache, made if need be; NULL without memory. */
struct stack_cache *weft__stack_cache_make(void);

static inline struct stack_cache *weft__stack_cache(void)
{
	return likely(weft__thread.stacks != NULL) ? weft__thread.stacks : weft__stack_cache_make();
}

/** There may be something for weft__stack_age() to do. */
static inline void weft__stack_note_change(struct stack_cache *cache)
{
	if (!cache->ageing)
		cache->look_ns = 0;
	cache->ageing = true;
}

extern _Atomic int weft__stack_class_default; /* -1: not read yet */
extern bool weft__stack_canaries;             /* slots of kind GUARD_CANARY exist */

static inline char *weft__stack_low_of(const void *top, uintptr_t reach)
{
	return (char *)((((uintptr_t)top | (STACK_HEAD_BYTES - 1)) + 1) - reach);
}

/* --- the contract -------------------------------------------------------- */

/**
 * weft__stack_class - the size class that holds so many usable bytes
 * @stack_bytes: 0: the default (WEFT_STACK, or 256 KiB)
 *
 * Return: class, or -EINVAL.
 */
static inline int weft__stack_class(size_t stack_bytes)
{
	int class = atomic_load_explicit(&weft__stack_class_default, memory_order_relaxed);

	if (likely(!stack_bytes && class >= 0))
		return class;
	return weft__stack_class_slow(stack_bytes);
}

/** Usable bytes of a class; block and colour (at most 4 KiB) are not part of them. */
size_t weft__stack_class_bytes(unsigned class);

/**
 * weft__stack_take - a slot of a class, from this thread's cache
 *
 * The block's bytes are not cleared: whatever its last owner left, or zeros;
 * the first 8 are anything. Return: 0, or -ENOMEM.
 */
static inline int weft__stack_take(unsigned class, struct stack_slot *ret_slot)
{
	struct stack_cache *cache = weft__thread.stacks;
	struct stack_bin *bin;
	struct stack_free *block;

	if (unlikely(!cache))
		return weft__stack_take_slow(class, ret_slot);
	bin = &cache->bins[class];
	block = bin->young;
	if (unlikely(!block))
		return weft__stack_take_slow(class, ret_slot);
	bin->young = block->next;
	bin->young_count--;
	ret_slot->top = (char *)block;
	ret_slot->low = weft__stack_low_of(block, bin->reach);
	ret_slot->class = class;
	return 0;
}

/**
 * weft__stack_give - back to this thread's cache; O(1), sometimes trims
 *
 * Any thread may give what another one took. Must not run on that stack.
 */
static inline void weft__stack_give(const struct stack_slot *slot)
{
	struct stack_cache *cache = weft__thread.stacks;
	struct stack_free *block = (struct stack_free *)(void *)slot->top;
	struct stack_bin *bin;

	/* Frames that never returned have left their marks. */
	weft__asan_forget(slot->low, (size_t)(slot->top + STACK_BLOCK_BYTES - slot->low));
	if (unlikely(!cache)) {
		weft__stack_give_slow(slot);
		return;
	}
	bin = &cache->bins[slot->class];
	if (unlikely(bin->young_count >= bin->limit)) {
		weft__stack_give_slow(slot);
		return;
	}
	block->next = bin->young;
	bin->young = block;
	bin->young_count++;
}

/** What a fault address hits. */
enum stack_hit { STACK_HIT_NONE, STACK_HIT_GUARD, STACK_HIT_USABLE };

/** Which slot an address belongs to. Async-signal-safe. @ret_slot may be NULL. */
enum stack_hit weft__stack_find(const void *addr, struct stack_slot *ret_slot);

/** How the slot's lower end is protected, for reports and tests. */
enum stack_guard { GUARD_MADVISE, GUARD_MPROTECT, GUARD_CANARY };
enum stack_guard weft__stack_guard_kind(const struct stack_slot *slot);

/** False when the slot is of kind GUARD_CANARY and its canary was overwritten. */
static inline bool weft__stack_canary_intact(const struct stack_slot *slot)
{
	return likely(!weft__stack_canaries) || weft__stack_canary_check(slot);
}

/** Bytes from the lowest resident page to top: how deep the slot was ever used
 * since it was cold. Asks mincore(2). */
int64_t weft__stack_touched(const struct stack_slot *slot);

/** Slots in use and kept warm, of a thread's cache (NULL: none); a snapshot when it is
 * another thread's. */
void weft__stack_count(const struct stack_cache *cache, uint64_t *ret_used, uint64_t *ret_cached);

/**
 * weft__stack_age - let slots that nobody needs go cold; for whoever has time
 * @now_ns: weft_now(); may be called at every poll
 *
 * Asks every STACK_AGE_NS which slots were of use, and gives the pages of the
 * others back, a few hundred microseconds' worth at a time.
 *
 * Return: when to call again, or INT64_MAX.
 */
int64_t weft__stack_age_slow(int64_t now_ns);

static inline int64_t weft__stack_age(int64_t now_ns)
{
	const struct stack_cache *cache = weft__thread.stacks;

	if (!cache || !cache->ageing)
		return INT64_MAX;
	return now_ns >= cache->look_ns ? weft__stack_age_slow(now_ns) : cache->look_ns;
}

/** Gives every hot slot of this thread's cache to the system; at thread end
 * (it happens by itself where the thread ends in a way that libc sees). */
void weft__stack_cache_drop(void);

/** The calling thread's cache, drop included, survives fork(2): nothing to do. */

#endif
