/* SPDX-License-Identifier: MIT
 *
 * unwind.h - the calls on a stack that is parked, found from its three saved
 * words without running on it.
 *
 * Everything is read with care: the stack may be somebody's who runs by now, and its
 * frames may be a copy that lies elsewhere. A walk may then say nonsense; it does
 * not fault, and it ends. No malloc, no lock: async-signal-safe.
 */
#ifndef WEFT_DEBUG_UNWIND_H
#define WEFT_DEBUG_UNWIND_H

#include <arch/arch.h>
#include <debug/cfi.h>
#include <stack/shared.h>

enum { UNWIND_DEPTH = 64, UNWIND_CACHE = 512, STACK_WINDOW = 512 };

/** The memory of a parked stack: [low, high) is to be read at @bytes. */
struct stack_memory {
	uintptr_t low, high, bytes; /* high 0: as it is */
	bool mapped;                /* these can be read without care */
	/* What was read last: frames lie close together. */
	uintptr_t window_at;
	size_t window_bytes;
	_Alignas(8) char window[STACK_WINDOW];
};

static inline void stack_memory_init(struct stack_memory *memory, uintptr_t low, uintptr_t high,
				     uintptr_t bytes, bool mapped)
{
	memory->low = low;
	memory->high = high;
	memory->bytes = bytes;
	memory->mapped = mapped;
	memory->window_bytes = 0;
}

/** Reads @size bytes that the stack has at @addr. False: they are not there. */
bool weft__stack_memory_read(struct stack_memory *memory, void *dst, uintptr_t addr, size_t size);

/** Registers of a frame, as far as they are known. */
struct unwind_frame {
	uintptr_t pc;
	bool exact; /* pc is where it goes on, and not behind the call it made */
	uint64_t known;
	uintptr_t regs[UNWIND_REGS];
};

static inline bool weft__frame_register(const struct unwind_frame *frame, uint64_t reg,
					uintptr_t *ret_value)
{
	if (reg >= UNWIND_REGS || !(frame->known >> reg & 1))
		return false;
	*ret_value = frame->regs[reg];
	return true;
}

/** What a walk needs besides: large, zeroed, and of use for the next walk, too. */
struct unwinder {
	struct modules modules;
	struct shared_memo shared;
	struct cfi_scratch scratch;
	struct cfi_row rows[UNWIND_CACHE];
};

/** Why a walk ended. */
enum unwind_end {
	UNWIND_COMPLETE, /* nobody called the last one */
	UNWIND_DEEP,     /* there is no room for more */
	UNWIND_LOST,     /* no frame description, or a register or memory is missing */
	UNWIND_NEW       /* it never ran */
};

/**
 * weft__unwind - the addresses in code of a parked context's frames, innermost first
 * @unwinder: its modules are loaded
 * @memory:   of the stack that @ctx is on
 * @ctx:      a copy of it
 * @pcs:      gets up to @max addresses: where each frame goes on
 * @ret_end:  why there are no more
 *
 * Return: how many.
 */
unsigned weft__unwind(struct unwinder *unwinder, struct stack_memory *memory,
		      const weft_context *ctx, uintptr_t *pcs, unsigned max,
		      enum unwind_end *ret_end);

/** The same from registers that are all known: of an interrupted thread. */
unsigned weft__unwind_from(struct unwinder *unwinder, struct stack_memory *memory,
			   struct unwind_frame frame, uintptr_t *pcs, unsigned max,
			   enum unwind_end *ret_end);

/** The value of the expression at @block, which begins with its length. @cfa: pushed
 * first; may be NULL. (expression.c) */
bool weft__expression_run(uintptr_t block, const struct unwind_frame *frame,
			  struct stack_memory *memory, const uintptr_t *cfa, uintptr_t *ret_value);

#endif
