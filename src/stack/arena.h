/* SPDX-License-Identifier: MIT
 *
 * arena.h - where slots come from: chunks of address space, a bitset of cold
 * slots each. Used by pool.c alone; guards are guard.c's.
 */
#ifndef WEFT_STACK_ARENA_H
#define WEFT_STACK_ARENA_H

#include <sys/uio.h>

#include <stack/stack.h>

enum {
	COLOURS = 32,     /* steps of 64 bytes: block + colour + a small frame fit one page */
	ARENA_BATCH = 64, /* slots of one word of the bitset */
	GUARD_GROUP = 16, /* slots that share one entry of kinds */
	TRIM_BATCH = 32   /* slots in one process_madvise(2): 512 bytes of our stack */
};

/**
 * A chunk's header lies at its own beginning, its arrays follow, then slots.
 *
 * C1 Slots [0, carved) have, or are about to get, their guard; the others
 *    were never touched.
 * C2 base, slots, end, stride, class and count never change.
 */
struct stack_chunk {
	struct stack_chunk *next; /* of the same class, older first */
	char *slots, *end;
	size_t stride;
	uint32_t class, count, carved;
	uint32_t cold;      /* bits set */
	uint32_t cold_hint; /* no bit is set in the words before */
	uint8_t *kinds;     /* enum stack_guard, one a GUARD_GROUP of slots */
	uint64_t *cold_bits;
};

size_t weft__page_bytes(void);

/** Bytes of guard, and of a whole slot. */
size_t weft__stack_guard_bytes(void);
size_t weft__stack_stride(unsigned class);

static inline struct stack_slot chunk_slot(const struct stack_chunk *chunk, uint32_t index)
{
	char *end = chunk->slots + (index + 1) * chunk->stride;

	return (struct stack_slot){
		.top = end - STACK_BLOCK_BYTES - index % COLOURS * 64,
		.low = end - chunk->stride + weft__stack_guard_bytes(),
		.class = chunk->class,
	};
}

/**
 * weft__arena_draw - up to 64 slots of one word, cold ones first
 * @bin: fresh, fresh_first and chunk are set
 *
 * Return: 1 (slots that were in use before), 0 (new ones), or -ENOMEM.
 */
int weft__arena_draw(unsigned class, struct stack_bin *bin);

/** The slots of @mask in the word that begins at @first are cold from now on. */
void weft__arena_put(struct stack_chunk *chunk, uint32_t first, uint64_t mask);

/** The chunk of a slot; it must be one. */
struct stack_chunk *weft__arena_chunk(unsigned class, const void *addr);

/** Chunk by number, older first; NULL behind the last. Async-signal-safe. */
const struct stack_chunk *weft__arena_nth(unsigned index);

/* --- guard.c --------------------------------------------------------------- */

/** Protects the lower ends of @count slots from @first on, and notes how. */
void weft__guard_install(struct stack_chunk *chunk, uint32_t first, uint32_t count);

/**
 * weft__advise_ranges - madvise(2) over many ranges in as few calls as possible
 *
 * Return: 0, or the error of the range where it stopped.
 */
int weft__advise_ranges(const struct iovec *ranges, unsigned count, int advice);

/* --- pool.c and trim.c ------------------------------------------------------ */

/** Slots of a magazine at rest, and at most. */
uint32_t weft__magazine_least(unsigned class);
uint32_t weft__magazine_most(unsigned class);

/** Up to @most slots of the old magazine become cold. */
void weft__stack_trim(struct stack_bin *bin, unsigned class, uint32_t most);

/** The young magazine becomes the old one; there must be none. */
void weft__magazine_rotate(struct stack_bin *bin);

#endif
