/* SPDX-License-Identifier: MIT
 *
 * context_riscv64.S - call_with_registers() of context_registers.c.
 */
	.text
	.globl	call_with_registers
	.type	call_with_registers, @function
call_with_registers: /* a0 a1 a2: passed on; a3 = fill, a4 = found, a5 = fn */
	.cfi_startproc
	addi	sp, sp, -208
	.cfi_def_cfa_offset 208
	sd	ra, 200(sp)
	.cfi_offset ra, -8
	sd	a4, 192(sp)
	sd	s0, 0(sp)
	.cfi_rel_offset s0, 0
	sd	s1, 8(sp)
	.cfi_rel_offset s1, 8
	sd	s2, 16(sp)
	.cfi_rel_offset s2, 16
	sd	s3, 24(sp)
	.cfi_rel_offset s3, 24
	sd	s4, 32(sp)
	.cfi_rel_offset s4, 32
	sd	s5, 40(sp)
	.cfi_rel_offset s5, 40
	sd	s6, 48(sp)
	.cfi_rel_offset s6, 48
	sd	s7, 56(sp)
	.cfi_rel_offset s7, 56
	sd	s8, 64(sp)
	.cfi_rel_offset s8, 64
	sd	s9, 72(sp)
	.cfi_rel_offset s9, 72
	sd	s10, 80(sp)
	.cfi_rel_offset s10, 80
	sd	s11, 88(sp)
	.cfi_rel_offset s11, 88
	fsd	fs0, 96(sp)
	fsd	fs1, 104(sp)
	fsd	fs2, 112(sp)
	fsd	fs3, 120(sp)
	fsd	fs4, 128(sp)
	fsd	fs5, 136(sp)
	fsd	fs6, 144(sp)
	fsd	fs7, 152(sp)
	fsd	fs8, 160(sp)
	fsd	fs9, 168(sp)
	fsd	fs10, 176(sp)
	fsd	fs11, 184(sp)
	ld	s0, 0(a3)
	ld	s1, 8(a3)
	ld	s2, 16(a3)
	ld	s3, 24(a3)
	ld	s4, 32(a3)
	ld	s5, 40(a3)
	ld	s6, 48(a3)
	ld	s7, 56(a3)
	ld	s8, 64(a3)
	ld	s9, 72(a3)
	ld	s10, 80(a3)
	ld	s11, 88(a3)
	fld	fs0, 96(a3)
	fld	fs1, 104(a3)
	fld	fs2, 112(a3)
	fld	fs3, 120(a3)
	fld	fs4, 128(a3)
	fld	fs5, 136(a3)
	fld	fs6, 144(a3)
	fld	fs7, 152(a3)
	fld	fs8, 160(a3)
	fld	fs9, 168(a3)
	fld	fs10, 176(a3)
	fld	fs11, 184(a3)
	jalr	a5
	ld	a4, 192(sp)
	sd	s0, 0(a4)
	sd	s1, 8(a4)
	sd	s2, 16(a4)
	sd	s3, 24(a4)
	sd	s4, 32(a4)
	sd	s5, 40(a4)
	sd	s6, 48(a4)
	sd	s7, 56(a4)
	sd	s8, 64(a4)
	sd	s9, 72(a4)
	sd	s10, 80(a4)
	sd	s11, 88(a4)
	fsd	fs0, 96(a4)
	fsd	fs1, 104(a4)
	fsd	fs2, 112(a4)
	fsd	fs3, 120(a4)
	fsd	fs4, 128(a4)
	fsd	fs5, 136(a4)
	fsd	fs6, 144(a4)
	fsd	fs7, 152(a4)
	fsd	fs8, 160(a4)
	fsd	fs9, 168(a4)
	fsd	fs10, 176(a4)
	fsd	fs11, 184(a4)
	ld	s0, 0(sp)
	ld	s1, 8(sp)
	ld	s2, 16(sp)
	ld	s3, 24(sp)
	ld	s4, 32(sp)
	ld	s5, 40(sp)
	ld	s6, 48(sp)
	ld	s7, 56(sp)
	ld	s8, 64(sp)
	ld	s9, 72(sp)
	ld	s10, 80(sp)
	ld	s11, 88(sp)
	fld	fs0, 96(sp)
	fld	fs1, 104(sp)
	fld	fs2, 112(sp)
	fld	fs3, 120(sp)
	fld	fs4, 128(sp)
	fld	fs5, 136(sp)
	fld	fs6, 144(sp)
	fld	fs7, 152(sp)
	fld	fs8, 160(sp)
	fld	fs9, 168(sp)
	fld	fs10, 176(sp)
	fld	fs11, 184(sp)
	ld	ra, 200(sp)
	addi	sp, sp, 208
	ret
	.cfi_endproc
	.size	call_with_registers, . - call_with_registers
	.section .note.GNU-stack, "", @progbits
