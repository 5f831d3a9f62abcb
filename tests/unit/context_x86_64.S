/* SPDX-License-Identifier: MIT
 *
 * context_x86_64.S - call_with_registers() of context_registers.c, and the trap
 * flag for context_signals.c.
 */
	.text
	.globl	call_with_registers
	.type	call_with_registers, @function
call_with_registers: /* rdi rsi rdx: passed on; rcx = fill, r8 = found, r9 = fn */
	.cfi_startproc
	endbr64
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	pushq	%r8
	.cfi_adjust_cfa_offset 8
	movq	0(%rcx), %rbx
	movq	8(%rcx), %rbp
	movq	16(%rcx), %r12
	movq	24(%rcx), %r13
	movq	32(%rcx), %r14
	movq	40(%rcx), %r15
	call	*%r9
	popq	%r8
	.cfi_adjust_cfa_offset -8
	movq	%rbx, 0(%r8)
	movq	%rbp, 8(%r8)
	movq	%r12, 16(%r8)
	movq	%r13, 24(%r8)
	movq	%r14, 32(%r8)
	movq	%r15, 40(%r8)
	popq	%r15
	.cfi_adjust_cfa_offset -8
	popq	%r14
	.cfi_adjust_cfa_offset -8
	popq	%r13
	.cfi_adjust_cfa_offset -8
	popq	%r12
	.cfi_adjust_cfa_offset -8
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	call_with_registers, . - call_with_registers

	.globl	step_on
	.type	step_on, @function
step_on: /* from the next instruction but one on, each traps */
	.cfi_startproc
	endbr64
	pushfq
	.cfi_adjust_cfa_offset 8
	orq	$0x100, (%rsp)
	popfq
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	step_on, . - step_on

	.globl	step_off
	.type	step_off, @function
step_off:
	.cfi_startproc
	endbr64
	pushfq
	.cfi_adjust_cfa_offset 8
	andq	$~0x100, (%rsp)
	popfq
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	step_off, . - step_off
	.section .note.GNU-stack, "", @progbits
