/* SPDX-License-Identifier: MIT
 *
 * entry.S - the first frame of a context (x86-64, inline and asm backends).
 *
 * A switch arrives with rdi = the context, rsi = the value, and rsp and rbp as
 * the context says. "rip undefined" tells unwinders that nobody called us, and
 * the zeroed rbp tells the same to those that follow frame pointers. The nop
 * before each label is for those who look up pc - 1.
 *
 * fn is entered by push and jmp: it never returns, and a call would leave an
 * address on the CPU's return stack, by which the next returns are predicted wrong
 * (15 ns of a spawn, run and join).
 */
	.text

/* weft__context_make_at(): rbp = fn, rsp 16-byte aligned. fn(context, value) */
	.p2align 4
	.globl	weft__context_entry
	.hidden	weft__context_entry
	.type	weft__context_entry, @function
	.cfi_startproc
	.cfi_undefined rip
	nop
weft__context_entry:
	endbr64
	movq	%rbp, %rax
	xorl	%ebp, %ebp
	leaq	1f(%rip), %rcx
	pushq	%rcx
	jmp	*%rax
	nop
1:	call	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry, . - weft__context_entry

/* On the stack: fn, arg; aligned once they are off. fn(arg, value) */
	.p2align 4
	.globl	weft__context_entry_arg
	.hidden	weft__context_entry_arg
	.type	weft__context_entry_arg, @function
	.cfi_startproc
	.cfi_undefined rip
	nop
weft__context_entry_arg:
	endbr64
	popq	%rax
	popq	%rdi
	xorl	%ebp, %ebp
	leaq	1f(%rip), %rcx
	pushq	%rcx
	jmp	*%rax
	nop
1:	call	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry_arg, . - weft__context_entry_arg

/* weft__context_make_run(): rbp = the context_run, rsp 16-byte aligned. rbx is its callees' to
 * keep. The calls that return are calls; the last one never does. */
	.p2align 4
	.globl	weft__context_entry_run
	.hidden	weft__context_entry_run
	.type	weft__context_entry_run, @function
	.cfi_startproc
	.cfi_undefined rip
	nop
weft__context_entry_run:
	endbr64
	movq	%rbp, %rbx
	xorl	%ebp, %ebp
	call	*(%rbx)
	movq	%rdx, %rdi
	call	*%rax
	movl	%eax, %edi
	leaq	1f(%rip), %rcx
	pushq	%rcx
	jmp	*8(%rbx)
	nop
1:	call	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry_run, . - weft__context_entry_run

#include <arch/note.inc>
