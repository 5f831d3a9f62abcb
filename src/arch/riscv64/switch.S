/* SPDX-License-Identifier: MIT
 *
 * switch.S - weft_context_switch() as a function (riscv64, -DWEFT_SWITCH=asm).
 *
 * Saves what a call must keep (ra, s0 - s11, fs0 - fs11) on the stack it leaves. At
 * arrival a0 is the context that is being continued, and a1 the value; a first
 * frame (entry.S) also needs s0. The way back is a jump by t2, as in
 * weft/switch_riscv64.h, also for the return: its prediction would be wrong each time.
 */

#ifdef __riscv_flen
#define FRAME 208 /* a multiple of 16 */
#else
#define FRAME 112
#endif
#if defined(__riscv_flen) && __riscv_flen != 64
#error "registers of another size than a double's: none is known that Linux runs on"
#endif

	/* A register to its place in the frame, and back; with what unwinders must know. */
	.macro	save op, reg, offset
	\op	\reg, \offset(sp)
	.cfi_rel_offset \reg, \offset
	.endm

	.macro	restore op, reg, offset
	\op	\reg, \offset(sp)
	.cfi_restore \reg
	.endm

	.text
	.p2align 4
	.globl	weft_context_switch
	.type	weft_context_switch, @function
weft_context_switch: /* a0 = from, a1 = to, a2 = value */
	.cfi_startproc
	addi	sp, sp, -FRAME
	.cfi_adjust_cfa_offset FRAME
	save	sd, ra, 0
	save	sd, s0, 8
	save	sd, s1, 16
	save	sd, s2, 24
	save	sd, s3, 32
	save	sd, s4, 40
	save	sd, s5, 48
	save	sd, s6, 56
	save	sd, s7, 64
	save	sd, s8, 72
	save	sd, s9, 80
	save	sd, s10, 88
	save	sd, s11, 96
#ifdef __riscv_flen
	save	fsd, fs0, 104
	save	fsd, fs1, 112
	save	fsd, fs2, 120
	save	fsd, fs3, 128
	save	fsd, fs4, 136
	save	fsd, fs5, 144
	save	fsd, fs6, 152
	save	fsd, fs7, 160
	save	fsd, fs8, 168
	save	fsd, fs9, 176
	save	fsd, fs10, 184
	save	fsd, fs11, 192
#endif
	lla	t0, .Lresume
	sd	sp, 0(a0)
	sd	s0, 8(a0)
	sd	t0, 16(a0)
	mv	a0, a1
	mv	a1, a2
	ld	t2, 16(a0)
	/* From here to the jump neither stack's CFI is true. */
	.cfi_remember_state
	.cfi_undefined ra
	ld	s0, 8(a0)
	ld	sp, 0(a0)
	jr	t2
.Lresume:
	.cfi_restore_state
	mv	a0, a1
#ifdef __riscv_flen
	restore	fld, fs0, 104
	restore	fld, fs1, 112
	restore	fld, fs2, 120
	restore	fld, fs3, 128
	restore	fld, fs4, 136
	restore	fld, fs5, 144
	restore	fld, fs6, 152
	restore	fld, fs7, 160
	restore	fld, fs8, 168
	restore	fld, fs9, 176
	restore	fld, fs10, 184
	restore	fld, fs11, 192
#endif
	restore	ld, s0, 8
	restore	ld, s1, 16
	restore	ld, s2, 24
	restore	ld, s3, 32
	restore	ld, s4, 40
	restore	ld, s5, 48
	restore	ld, s6, 56
	restore	ld, s7, 64
	restore	ld, s8, 72
	restore	ld, s9, 80
	restore	ld, s10, 88
	restore	ld, s11, 96
	ld	t2, 0(sp)
	.cfi_register ra, t2
	addi	sp, sp, FRAME
	.cfi_adjust_cfa_offset -FRAME
	jr	t2
	.cfi_endproc
	.size	weft_context_switch, . - weft_context_switch

	.section .note.GNU-stack, "", @progbits
