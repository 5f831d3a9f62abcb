/* SPDX-License-Identifier: MIT
 *
 * context_aarch64.S - call_with_registers() of context_registers.c.
 */
	.text
	.globl	call_with_registers
	.type	call_with_registers, %function
call_with_registers: /* x0 x1 x2: passed on; x3 = fill, x4 = found, x5 = fn */
	.cfi_startproc
	hint	#34
	stp	x29, x30, [sp, #-176]!
	.cfi_def_cfa_offset 176
	.cfi_offset x29, -176
	.cfi_offset x30, -168
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	str	x4, [sp, #160]
	ldp	x19, x20, [x3]
	ldp	x21, x22, [x3, #16]
	ldp	x23, x24, [x3, #32]
	ldp	x25, x26, [x3, #48]
	ldp	x27, x28, [x3, #64]
	ldp	d8, d9, [x3, #80]
	ldp	d10, d11, [x3, #96]
	ldp	d12, d13, [x3, #112]
	ldp	d14, d15, [x3, #128]
	blr	x5
	ldr	x4, [sp, #160]
	stp	x19, x20, [x4]
	stp	x21, x22, [x4, #16]
	stp	x23, x24, [x4, #32]
	stp	x25, x26, [x4, #48]
	stp	x27, x28, [x4, #64]
	stp	d8, d9, [x4, #80]
	stp	d10, d11, [x4, #96]
	stp	d12, d13, [x4, #112]
	stp	d14, d15, [x4, #128]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #176
	ret
	.cfi_endproc
	.size	call_with_registers, . - call_with_registers
	.section .note.GNU-stack, "", %progbits
