/* SPDX-License-Identifier: MIT
 *
 * wait_word.h - the word on which a task waits, and every move that is made on it.
 *
 *   | 31 .. 10 epoch | 9 .. 0 bits |
 *
 * E1 The epoch is the number of the wait. Only its task opens a wait, and only after
 *    the last one was claimed.
 * E2 WAITING is taken by one compare-and-swap, of one party, that named the epoch. That
 *    party alone writes the result, and nobody else has to.
 * E3 CANCELED is set by anybody at any time and stays. Opening a wait and cancelling are
 *    read-modify-writes of one word: either the wait does not begin, or the cancel
 *    sees it.
 *
 * E5 EXPIRED is set by timers of the task's own deadlines (deadline.c), and cleared by the task
 *    alone, when none of those timers can be about to set it for one that is popped. To a
 *    wait it is what CANCELED is; neither is lost by a change of the other.
 *
 * A sticky task is made ready by the winner at once (K1, task.h). One that may move
 * could be run by another worker before its registers are saved, so that two must have
 * come by:
 *
 * E4 Whoever follows the task on its CPU, and stands on another stack, sets SAVED. The
 *    winner sets DELIVERED after it has written the result. The second of the two
 *    makes the task ready, and only then. Neither touches the task after a move that
 *    told it that it was the first.
 */
#ifndef WEFT_CORE_WAIT_WORD_H
#define WEFT_CORE_WAIT_WORD_H

#include <base/atomic.h>
#include <base/handle.h>

enum wait_bits {
	WAIT_WAITING = 1u << 0,   /* parked, or about to; unclaimed */
	WAIT_CANCELED = 1u << 1,  /* weft_cancel() was called; stays */
	WAIT_SHIELD = 1u << 2,    /* this wait does not end by a cancel */
	WAIT_SAVED = 1u << 3,     /* E4: its registers are where they belong */
	WAIT_DELIVERED = 1u << 4, /* E4: its result is */
	WAIT_EXPIRED = 1u << 5,   /* a deadline that its task has pushed is over */
	WAIT_REFUSED = WAIT_CANCELED | WAIT_EXPIRED,
	WAIT_EPOCH_SHIFT = 32 - TAG_BITS
};

/** Opens a wait: the next epoch, and WAITING with @bits (0 or WAIT_SHIELD). Only a cancel
 * and a deadline compete with us. Return: the new word, or 0 when one of them has come. */
static always_inline uint32_t wait_word_begin(_Atomic uint32_t *wait, uint32_t bits)
{
	const uint32_t last = WAIT_SHIELD | WAIT_SAVED | WAIT_DELIVERED; /* of the last wait */
	uint32_t word = atomic_load_explicit(wait, memory_order_relaxed);

	for (;;) {
		uint32_t fresh = ((word | last) ^ last) + (1u << WAIT_EPOCH_SHIFT);

		if (unlikely(word & WAIT_REFUSED) && !(bits & WAIT_SHIELD))
			return 0;
		fresh |= WAIT_WAITING | bits;
		if (likely(cas32(wait, word, fresh)))
			return fresh;
		word = atomic_load_explicit(wait, memory_order_relaxed);
	}
}

/** Takes the WAITING bit of wait @epoch; true: the caller has won. A cancel may change the
 * word under us without ending that wait, when it is shielded: hence the loop. */
static always_inline bool wait_word_claim(_Atomic uint32_t *wait, uint32_t epoch)
{
	uint32_t word = atomic_load_explicit(wait, memory_order_relaxed);

	while (word >> WAIT_EPOCH_SHIFT == epoch && (word & WAIT_WAITING)) {
		if (likely(cas32(wait, word, word & ~(uint32_t)WAIT_WAITING)))
			return true;
		word = atomic_load_explicit(wait, memory_order_relaxed);
	}
	return false;
}

/** The same for a caller who knows otherwise that the present wait is the one he means: one
 * test less. */
static always_inline bool wait_word_take(_Atomic uint32_t *wait)
{
	uint32_t word = atomic_load_explicit(wait, memory_order_relaxed);

	while (word & WAIT_WAITING) {
		if (likely(cas32(wait, word, word & ~(uint32_t)WAIT_WAITING)))
			return true;
		word = atomic_load_explicit(wait, memory_order_relaxed);
	}
	return false;
}

/** Sets @mark, one of WAIT_REFUSED. Return: whether this ended a wait: the caller has won, as
 * by wait_word_claim(). acq_rel pairs with the swap in wait_word_begin() (E3). */
static inline bool wait_word_mark(_Atomic uint32_t *wait, uint32_t mark)
{
	uint32_t word = atomic_fetch_or_explicit(wait, mark, memory_order_acq_rel) | mark;

	while ((word & WAIT_WAITING) && !(word & WAIT_SHIELD)) {
		if (atomic_compare_exchange_weak_explicit(
			    wait, &word, word & ~(uint32_t)WAIT_WAITING, memory_order_acq_rel,
			    memory_order_acquire))
			return true;
	}
	return false;
}

/** Marks the task as cancelled; as wait_word_mark(). */
static inline bool wait_word_cancel(_Atomic uint32_t *wait)
{
	return wait_word_mark(wait, WAIT_CANCELED);
}

/** Marks it as late, likewise. */
static inline bool wait_word_expire(_Atomic uint32_t *wait)
{
	return wait_word_mark(wait, WAIT_EXPIRED);
}

/** E5: not late any more. acquire pairs with wait_word_mark(): whoever has set it has said
 * before on whose account. */
static inline void wait_word_unexpire(_Atomic uint32_t *wait)
{
	atomic_fetch_and_explicit(wait, ~(uint32_t)WAIT_EXPIRED, memory_order_acq_rel);
}

/** E4. Return: whether the caller came second and makes the task ready. acq_rel: the first
 * releases what it has written, registers or result; the second acquires it. */
static always_inline bool wait_word_saved(_Atomic uint32_t *wait)
{
	return atomic_fetch_or_explicit(wait, WAIT_SAVED, memory_order_acq_rel) & WAIT_DELIVERED;
}

static always_inline bool wait_word_delivered(_Atomic uint32_t *wait)
{
	return atomic_fetch_or_explicit(wait, WAIT_DELIVERED, memory_order_acq_rel) & WAIT_SAVED;
}

#endif
