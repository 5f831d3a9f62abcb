/* SPDX-License-Identifier: MIT
 *
 * switch.S - weft_context_switch() as a function (x86-64, -DWEFT_SWITCH=asm).
 *
 * Saves what a call must keep (rbx, rbp, r12 - r15) on the stack it leaves, and
 * comes back by jmp and not by ret: the return predictor would be wrong each
 * time. At arrival rdi is the context that is being continued, and rsi the
 * value; a first frame (entry.S) also needs rbp.
 */
	.text
	.p2align 4
	.globl	weft_context_switch
	.type	weft_context_switch, @function
weft_context_switch: /* rdi = from, rsi = to, rdx = value */
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	leaq	.Lresume(%rip), %rax
	movq	%rsp, 0(%rdi)
	movq	%rbp, 8(%rdi)
	movq	%rax, 16(%rdi)
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	/* From here to the jump neither stack's CFI is true. */
	.cfi_remember_state
	.cfi_undefined rip
	movq	8(%rdi), %rbp
	movq	0(%rdi), %rsp
	jmpq	*16(%rdi)
.Lresume:
	.cfi_restore_state
	endbr64
	movq	%rsi, %rax
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	notrack jmpq *%rcx
	.cfi_endproc
	.size	weft_context_switch, . - weft_context_switch

#include <arch/note.inc>
