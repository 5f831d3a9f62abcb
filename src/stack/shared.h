/* SPDX-License-Identifier: MIT
 *
 * shared.h - shared stacks: many strands, one real stack, copies of live bytes.
 *
 * S1 At most one strand's frames are on a shared stack: its occupant.
 * S2 Copying is lazy: the occupant is saved only when another strand needs
 *    the stack, and a strand that was never evicted is not copied at all.
 * S3 A saved copy is exact: from weft__context_low() to the top.
 * S4 A failed save changes nothing: the occupant stays, the caller gets -ENOMEM.
 */
#ifndef WEFT_STACK_SHARED_H
#define WEFT_STACK_SHARED_H

#include <stack/slab.h>
#include <stack/stack.h>
#include <stack/strand.h>
#include <weft/types.h>

/* In these builds bytes that a strand has left are overwritten: a pointer into
 * them that escaped does not find what it expects. */
#if defined(WEFT_DEBUG) || !defined(NDEBUG) || WEFT_ASAN
#define WEFT_POISON_VACATED 1
#else
#define WEFT_POISON_VACATED 0
#endif
#define WEFT_POISON_BYTE 0xdb

struct shared_stack {
	struct strand *occupant; /* NULL: free to enter */
	/* Where the occupant left this stack by resuming a coroutine that runs on
	 * another one; NULL: its own context says where. May lie in the very frames
	 * that it bounds. Saved and restored with the occupant's bytes. */
	const weft_context *outer;
	char *low, *top;
	weft_stack_group *group;
};

/**
 * weft__shared_pick - the stack of a group for a new strand, in turn
 *
 * Counts the strand as a user of the group. NULL: another thread's group.
 */
struct shared_stack *weft__shared_pick(weft_stack_group *group);

/** The strand is over, but will begin anew: drop its copy, vacate the stack. */
void weft__shared_vacate(struct strand *strand);

/** The strand is over or freed: drop its copy, vacate the stack, uncount it. */
void weft__shared_leave(struct strand *strand);

/** True when the strand can be switched to as it is. */
static inline bool weft__shared_resident(const struct strand *strand)
{
	return likely(strand->shared == NULL) || strand->shared->occupant == strand;
}

/**
 * weft__shared_enter - make @strand the occupant of its stack
 *
 * Saves the present occupant and restores @strand's copy. Must not run on
 * that very stack: callers hop to another one first.
 *
 * The occupant's live bytes begin at weft__context_low() of its own context,
 * or of shared_stack.outer when that is set.
 *
 * Return: 0 or -ENOMEM (S4).
 */
int weft__shared_enter(struct strand *strand);

/** The shared stack that a slot of the arena serves as, or NULL; slot must be in
 * use. Async-signal-safe. */
struct shared_stack *weft__shared_of(const struct stack_slot *slot);

/** Where the bytes of a parked strand's shared stack are. */
struct shared_place {
	uintptr_t low, high; /* of its frames, as addresses on the stack */
	uintptr_t bytes;     /* where they are now; low: on the stack itself */
	bool mapped;         /* surely: they can be read without care */
};

/** What was last learnt of a shared stack, so that not every strand asks anew. Zeroed
 * at first. */
struct shared_memo {
	const struct shared_stack *stack;
	uintptr_t low, top;
};

/**
 * weft__shared_place - for onlookers: where the frames of a parked strand are
 * @strand: a copy of it; it may be old by now
 *
 * Return: false when it has none, or is just changing places. Async-signal-safe.
 */
bool weft__shared_place(const struct strand *strand, struct shared_memo *memo,
			struct shared_place *ret_place);

#endif
