/* SPDX-License-Identifier: MIT
 *
 * entry.S - the first frame of a context (aarch64, inline and asm backends).
 *
 * A switch arrives with x0 = the context, x1 = the value, and sp and x29 as the
 * context says. "x30 undefined" tells unwinders that nobody called us, and the
 * zeroed x29 tells the same to those that follow frame pointers. The nop before
 * each label is for those who look up pc - 1. Both may be reached by br: bti jc.
 *
 * fn is entered by br (through x16, so that bti c lets it in): it never returns,
 * and a blr would leave an address on the CPU's return stack, by which the next
 * returns are predicted wrong.
 */
	.text

/* weft__context_make_at(): x29 = fn, sp 16-byte aligned. fn(context, value) */
	.p2align 4
	.globl	weft__context_entry
	.hidden	weft__context_entry
	.type	weft__context_entry, %function
	.cfi_startproc
	.cfi_undefined x30
	nop
weft__context_entry:
	hint	#38 /* bti jc */
	mov	x16, x29
	mov	x29, xzr
	adr	x30, 1f
	br	x16
	nop
1:	bl	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry, . - weft__context_entry

/* On the stack: fn, arg. fn(arg, value) */
	.p2align 4
	.globl	weft__context_entry_arg
	.hidden	weft__context_entry_arg
	.type	weft__context_entry_arg, %function
	.cfi_startproc
	.cfi_undefined x30
	nop
weft__context_entry_arg:
	hint	#38 /* bti jc */
	ldp	x16, x0, [sp], #16
	mov	x29, xzr
	adr	x30, 1f
	br	x16
	nop
1:	bl	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry_arg, . - weft__context_entry_arg

/* weft__context_make_run(): x29 = the context_run, sp 16-byte aligned. x19 is its callees' to
 * keep. The calls that return are calls; the last one never does. */
	.p2align 4
	.globl	weft__context_entry_run
	.hidden	weft__context_entry_run
	.type	weft__context_entry_run, %function
	.cfi_startproc
	.cfi_undefined x30
	nop
weft__context_entry_run:
	hint	#38 /* bti jc */
	mov	x19, x29
	mov	x29, xzr
	ldr	x16, [x19]
	blr	x16
	mov	x16, x0
	mov	x0, x1
	blr	x16
	ldr	x16, [x19, #8]
	adr	x30, 1f
	br	x16
	nop
1:	bl	weft__context_returned
	.cfi_endproc
	.size	weft__context_entry_run, . - weft__context_entry_run

/* Marked for BTI when the rest is. */
#ifdef __ARM_FEATURE_BTI_DEFAULT
	.pushsection .note.gnu.property, "a", %note
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000000, 4, 1, 0
	.popsection
#endif
	.section .note.GNU-stack, "", %progbits
