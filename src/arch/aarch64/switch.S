/* SPDX-License-Identifier: MIT
 *
 * switch.S - weft_context_switch() as a function (aarch64, -DWEFT_SWITCH=asm).
 *
 * Saves what a call must keep (x19 - x30, d8 - d15) on the stack it leaves. At
 * arrival x0 is the context that is being continued, and x1 the value; a first
 * frame (entry.S) also needs x29. The way back is a br, for the return
 * predictor would be wrong each time; but under BTI only a ret may go to a
 * place that is no landing pad.
 */
	.text
	.p2align 4
	.globl	weft_context_switch
	.type	weft_context_switch, %function
weft_context_switch: /* x0 = from, x1 = to, x2 = value */
	.cfi_startproc
	hint	#34 /* bti c */
	stp	x29, x30, [sp, #-160]!
	.cfi_adjust_cfa_offset 160
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x19, x20, [sp, #16]
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	stp	x21, x22, [sp, #32]
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	stp	x23, x24, [sp, #48]
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	stp	x25, x26, [sp, #64]
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	stp	x27, x28, [sp, #80]
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	stp	d8, d9, [sp, #96]
	.cfi_rel_offset d8, 96
	.cfi_rel_offset d9, 104
	stp	d10, d11, [sp, #112]
	.cfi_rel_offset d10, 112
	.cfi_rel_offset d11, 120
	stp	d12, d13, [sp, #128]
	.cfi_rel_offset d12, 128
	.cfi_rel_offset d13, 136
	stp	d14, d15, [sp, #144]
	.cfi_rel_offset d14, 144
	.cfi_rel_offset d15, 152
	adr	x9, .Lresume
	mov	x10, sp
	stp	x10, x29, [x0]
	str	x9, [x0, #16]
	mov	x0, x1
	mov	x1, x2
	/* From here to the jump neither stack's CFI is true. */
	.cfi_remember_state
	.cfi_undefined x30
	ldr	x16, [x0, #16]
	ldp	x10, x29, [x0]
	mov	sp, x10
	br	x16
.Lresume:
	.cfi_restore_state
	hint	#36 /* bti j */
	mov	x0, x1
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	.cfi_restore d14
	.cfi_restore d15
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x19
	.cfi_restore x20
	ldp	x29, x30, [sp], #160
	.cfi_adjust_cfa_offset -160
	.cfi_restore x29
	.cfi_restore x30
#ifdef __ARM_FEATURE_BTI_DEFAULT
	ret
#else
	br	x30
#endif
	.cfi_endproc
	.size	weft_context_switch, . - weft_context_switch

#ifdef __ARM_FEATURE_BTI_DEFAULT
	.pushsection .note.gnu.property, "a", %note
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000000, 4, 1, 0
	.popsection
#endif
	.section .note.GNU-stack, "", %progbits
