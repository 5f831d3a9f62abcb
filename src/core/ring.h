/* SPDX-License-Identifier: MIT
 *
 * ring.h - the stealable ring of a worker: a bounded queue of tasks that may
 * still move to another worker.
 *
 *   word:   | 63 .. 32 version | 31 .. 16 head | 15 .. 0 tail |
 *   slots:  a task of position p is in slots[p % RING_SIZE], head <= p < tail
 *
 * R1 Only the owner writes slots, and only a slot outside of head .. tail.
 * R2 Head, tail and version change together, by one compare-and-swap of word. So
 *    what is taken, by whomever, is taken once.
 * R3 A push moves the tail, nothing else. Whatever takes adds 1 to version.
 * R4 0 <= tail - head <= RING_SIZE, modulo 65536.
 *
 * Why a version. A thief reads word, then slots, then swaps word. Between the first
 * and the last the owner may take its newest task and push another in its place:
 * head and tail are what they were, the slot is not. By R3 the swap fails. And when
 * the swap succeeds, nothing was taken in between; so no slot in head .. tail has been
 * written (R1), and what was read is what was taken.
 *
 * Why 16 bits are enough for a position. The two are at most RING_SIZE apart (R4), so
 * that their difference modulo 65536 is exact. Equal positions of different times are
 * told apart by the version: to be deceived a thief must stand still between its two
 * accesses while exactly a multiple of 2^32 takes go by, which takes some 20 s at the
 * least, and find head and tail where they were.
 *
 * Memory order. Task and slot are written before the push's swap (release), and read
 * after a load or swap of word (acquire). The other way round: a thief's reads of
 * slots come before its swap (release), and the owner reads the head that this swap
 * has moved (acquire in ring_push) before it writes such a slot again. All changes of
 * word are read-modify-writes, so that each continues the release of those before it.
 * The push is seq_cst, and so is ring_count(): a worker that publishes and then looks
 * for sleepers, and one that announces its sleep and then looks at the rings, need no
 * fence of their own (core/idle.h).
 *
 * What it costs. One locked instruction for a push and one for a take; none while
 * the process has one thread. The owner pays for its takes what a Chase-Lev deque
 * avoids for all but the last task, and gets for it: thieves that take half at once, a
 * FIFO end of its own, and no fence.
 */
#ifndef WEFT_CORE_RING_H
#define WEFT_CORE_RING_H

#include <base/atomic.h>

struct task;

/* A chaos build and the model have 2 or 4. */
#ifndef RING_SIZE
#define RING_SIZE 1024
#endif
_Static_assert(RING_SIZE >= 2 && RING_SIZE <= 32768 && (RING_SIZE & (RING_SIZE - 1)) == 0,
	       "a power of two, and a difference of positions must tell full from empty");

/** Zeroed is empty. */
struct ring {
	/* Thieves write it; slots have lines of their own, which thieves only read. */
	_Alignas(64) _Atomic uint64_t word;
	_Alignas(64) _Atomic(struct task *) slots[RING_SIZE];
};

#define RING_TAKE (UINT64_C(1) << 32) /* what each take adds to word */

static always_inline uint16_t ring_head(uint64_t word)
{
	return (uint16_t)(word >> 16);
}

static always_inline uint16_t ring_tail(uint64_t word)
{
	return (uint16_t)word;
}

static always_inline unsigned ring_used(uint64_t word)
{
	return (uint16_t)(ring_tail(word) - ring_head(word));
}

/** @word's version, with other positions. */
static always_inline uint64_t ring_word(uint64_t word, unsigned head, unsigned tail)
{
	return word >> 32 << 32 | (uint64_t)(uint16_t)head << 16 | (uint16_t)tail;
}

static always_inline struct task *ring_slot(struct ring *ring, unsigned position)
{
	/* relaxed: ordered by word on both sides, see the head of this file */
	return atomic_load_explicit(&ring->slots[position % RING_SIZE], memory_order_relaxed);
}

/** How many there were a moment ago. Any thread. */
static always_inline unsigned ring_count(struct ring *ring)
{
	return ring_used(atomic_load(&ring->word));
}

/** Appends a task; owner only. False: the ring is full, see ring_overflow(). */
static always_inline bool ring_push(struct ring *ring, struct task *task)
{
	/* acquire pairs with the swap of a thief: it has read the slot that we write */
	uint64_t word = atomic_load_explicit(&ring->word, memory_order_acquire);
	unsigned tail = ring_tail(word);

	if (unlikely(ring_used(word) == RING_SIZE))
		return false;
	atomic_store_explicit(&ring->slots[tail % RING_SIZE], task, memory_order_relaxed);
	/* A thief may move the head meanwhile; nobody else moves the tail. */
	while (unlikely(
		!cas64_seq_cst(&ring->word, word, ring_word(word, ring_head(word), tail + 1))))
		word = atomic_load_explicit(&ring->word, memory_order_acquire);
	return true;
}

/** Takes the task pushed last, or NULL; owner only. */
static always_inline struct task *ring_take_newest(struct ring *ring)
{
	/* relaxed: slots are written by ourselves; what a thief takes is of no interest */
	uint64_t word = atomic_load_explicit(&ring->word, memory_order_relaxed);

	while (ring_used(word)) {
		unsigned newest = ring_tail(word) - 1u;

		if (likely(cas64(&ring->word, word,
				 ring_word(word, ring_head(word), newest) + RING_TAKE)))
			return ring_slot(ring, newest);
		word = atomic_load_explicit(&ring->word, memory_order_relaxed);
	}
	return NULL;
}

/** Takes the task pushed first, or NULL. The owner's other end; safe for any thread. */
static always_inline struct task *ring_take_oldest(struct ring *ring)
{
	/* acquire pairs with the push: slot and task */
	uint64_t word = atomic_load_explicit(&ring->word, memory_order_acquire);

	while (ring_used(word)) {
		unsigned head = ring_head(word);
		struct task *oldest = ring_slot(ring, head);

		if (likely(cas64(&ring->word, word,
				 ring_word(word, head + 1, ring_tail(word)) + RING_TAKE)))
			return oldest;
		word = atomic_load_explicit(&ring->word, memory_order_acquire);
	}
	return NULL;
}

/**
 * ring_steal_half - take the older half, rounded up
 * @victim: any worker's ring
 * @out:    room for @max tasks; oldest first. Written to also when another is faster.
 *
 * Any thread. Return: how many; 0: empty. It tries again when another thread was
 * faster, who has then got on with its work: lock-free, not wait-free.
 */
static inline unsigned ring_steal_half(struct ring *victim, struct task **out, unsigned max)
{
	/* acquire pairs with the push: slots and tasks */
	uint64_t word = atomic_load_explicit(&victim->word, memory_order_acquire);

	for (;;) {
		unsigned head = ring_head(word), count = (ring_used(word) + 1) / 2;

		if (count > max)
			count = max;
		if (!count)
			return 0;
		for (unsigned i = 0; i < count; i++)
			out[i] = ring_slot(victim, head + i);
		if (likely(cas64(&victim->word, word,
				 ring_word(word, head + count, ring_tail(word)) + RING_TAKE)))
			return count;
		word = atomic_load_explicit(&victim->word, memory_order_acquire);
	}
}

/** The owner of a full ring makes room: the oldest half at once, or @max tasks, for the
 * injector. Return: how many; 0: thieves have made room already. */
static inline unsigned ring_overflow(struct ring *ring, struct task **out, unsigned max)
{
	return ring_steal_half(ring, out, max);
}

#endif
