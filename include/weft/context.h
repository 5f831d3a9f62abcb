/* SPDX-License-Identifier: MIT
 *
 * weft/context.h - the bare switch, for authors of language VMs and schedulers.
 *
 * A context is a place in a suspended execution: where its stack is and where
 * it goes on. It has no policy, no owner and no memory of its own: the caller
 * provides the stack and keeps it, and the weft_context, in place until the
 * context is never switched to again.
 *
 *	weft_context self, peer;
 *	weft_context_make(&peer, stack, sizeof(stack), body, arg);
 *	answer = weft_context_switch(&self, &peer, question);
 *
 * What a switch keeps: everything a function call keeps, and no more. The
 * floating-point control words (MXCSR, x87 CW, FPCR, frm), the signal mask, errno
 * and thread-local variables belong to the thread and are not switched.
 *
 * A context may be continued by another thread only when no frame of it holds
 * the address of a thread-local variable: compilers keep such addresses, that
 * of errno among them, in registers across calls.
 *
 * An inlined switch stands in the caller's own frame. Two kinds of function must
 * not have one, but call another function that has:
 *   - clang: with both a variable-length array (or alloca) and locals that are
 *     aligned to more than 16 bytes. x86-64: an error of the assembler;
 *     aarch64: a warning about x19; riscv64: nothing tells of it, and s1 is lost,
 *     by which clang finds those locals.
 *   - gcc: with a target attribute that adds registers which the rest of the file
 *     does not have (AVX-512, SVE, RVV). Nothing tells of it: values in these
 *     registers are lost.
 *
 * Where nothing else is said: not a cancellation point; async-signal-safe.
 */
#ifndef WEFT_CONTEXT_H
#define WEFT_CONTEXT_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** A suspended execution. Private: for debuggers and the switch itself. */
typedef struct weft_context {
	void *sp; /* lowest frame; portable backends: their record on that stack */
	void *bp; /* frame pointer; before the first switch: the function to enter */
	void *pc; /* where it goes on */
} weft_context;

/**
 * weft_context_make - prepare a context that begins with fn(arg, value)
 * @ctx:         to be filled in
 * @stack_low:   lowest byte of its stack; the caller guards it, if at all
 * @stack_bytes: size of the stack; at least a few KiB more than @fn needs,
 *               for signal handlers run on it too
 * @fn:          runs at the first switch to @ctx; @value is what that switch
 *               passes. It must not return: it ends by switching away for the
 *               last time. If it does return, the process aborts.
 * @arg:         handed to @fn
 *
 * Any thread.
 */
WEFT_API void weft_context_make(weft_context *ctx, void *stack_low, size_t stack_bytes,
				void (*fn)(void *arg, void *value), void *arg);

/**
 * weft_context_switch - leave this execution and continue another
 * @from:  where the caller is kept
 * @to:    made by weft_context_make(), or filled by a switch away from it, and
 *         not continued since
 * @value: handed over
 *
 * @to must not run elsewhere, nor be @from of a switch that is still going on
 * in another thread. Return: the value that whoever continues @from passes.
 *
 * Any thread. Not async-signal-safe where the signal may have interrupted a switch.
 */
#if WEFT_SWITCH_INLINE
#if defined(__x86_64__) && !defined(__ILP32__)
#include <weft/switch_x86_64.h>
#elif defined(__aarch64__) && !defined(__ILP32__)
#include <weft/switch_aarch64.h>
#elif defined(__riscv) && __riscv_xlen == 64
#include <weft/switch_riscv64.h>
#else
#error "weft: no inline switch for this CPU; configure with -DWEFT_SWITCH=ucontext or sjlj"
#endif
#else
WEFT_API void *weft_context_switch(weft_context *from, weft_context *to, void *value);
#endif

WEFT_END_DECLS

#endif
