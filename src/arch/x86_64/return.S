/* SPDX-License-Identifier: MIT
 *
 * return.S - how functions return that have just been switched to (x86-64).
 *
 * A CPU predicts a ret from the calls that it has seen on this thread, and those were the
 * other task's: where two tasks wait at different places each return after a switch is
 * predicted wrong, and costs 15 to 20 cycles twice over. An indirect jump is predicted from the
 * branches that led to it, of which the switch was one. Functions with RETURNS_BY_JUMP
 * (base/cpu.h) end by a jump to here; the name is the compiler's. The address is read from where
 * it stood, which is in the red zone now: no signal handler writes there.
 *
 * It pays where the two tasks have come by different ways (a sender and a receiver: 41 to
 * 30 ns a message on an AMD EPYC), and changes nothing for yields.
 *
 * Weak, for a program that brings its own; notrack, because no endbr64 follows a call.
 */
	.text
	.p2align 4
	.weak	__x86_return_thunk
	.hidden	__x86_return_thunk
	.type	__x86_return_thunk, @function
	.cfi_startproc
__x86_return_thunk:
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	notrack jmp	*-8(%rsp)
	.cfi_endproc
	.size	__x86_return_thunk, . - __x86_return_thunk

#include <arch/note.inc>
