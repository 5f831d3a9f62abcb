/* SPDX-License-Identifier: MIT
 *
 * entry.S - the first frame of a context (riscv64, inline and asm backends).
 *
 * A switch arrives with a0 = the context, a1 = the value, and sp and s0 as the
 * context says. "ra undefined" tells unwinders that nobody called us, and
 * the zeroed s0 tells the same to those that follow frame pointers. The nop before
 * each label is for those who look up pc - 1.
 *
 * fn is entered by a plain jump: it never returns, and a jalr that links would leave an
 * address on the CPU's return stack, by which the next returns are predicted wrong.
 * By t2, so that no landing pad is asked for (weft/switch_riscv64.h).
 */
	.text

/* weft__context_make_at(): s0 = fn, sp 16-byte aligned. fn(context, value) */
	.p2align 4
	.globl	weft__context_entry
	.hidden	weft__context_entry
	.type	weft__context_entry, @function
	.cfi_startproc
	.cfi_undefined ra
	nop
weft__context_entry:
	mv	t2, s0
	li	s0, 0
	lla	ra, 1f
	jr	t2
	nop
1:	call	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry, . - weft__context_entry

/* On the stack: fn, arg. fn(arg, value) */
	.p2align 4
	.globl	weft__context_entry_arg
	.hidden	weft__context_entry_arg
	.type	weft__context_entry_arg, @function
	.cfi_startproc
	.cfi_undefined ra
	nop
weft__context_entry_arg:
	ld	t2, 0(sp)
	ld	a0, 8(sp)
	addi	sp, sp, 16
	li	s0, 0
	lla	ra, 1f
	jr	t2
	nop
1:	call	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry_arg, . - weft__context_entry_arg

/* weft__context_make_run(): s0 = the context_run, sp 16-byte aligned. s1 is its callees' to
 * keep. The calls that return are calls; the last one never does. */
	.p2align 4
	.globl	weft__context_entry_run
	.hidden	weft__context_entry_run
	.type	weft__context_entry_run, @function
	.cfi_startproc
	.cfi_undefined ra
	nop
weft__context_entry_run:
	mv	s1, s0
	li	s0, 0
	ld	t2, 0(s1)
	jalr	t2
	mv	t2, a0
	mv	a0, a1
	jalr	t2
	ld	t2, 8(s1)
	lla	ra, 1f
	jr	t2
	nop
1:	call	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry_run, . - weft__context_entry_run

	.section .note.GNU-stack, "", @progbits
