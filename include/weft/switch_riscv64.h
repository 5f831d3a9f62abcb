/* SPDX-License-Identifier: MIT
 *
 * weft/switch_riscv64.h - the inline switch of weft/context.h. Not to be
 * included by itself.
 *
 * The asm declares every register lost, so the compiler saves what is live
 * here and nothing else. It stores three words and loads three, and moves sp
 * by nothing: the CFI of the enclosing function describes the parked context
 * from the resume label on. At arrival a0 is the context that is being
 * continued, and a1 the value.
 *
 * The jump goes by t2. By ra or t0 a CPU would take it for a return, and predict
 * it wrong (RISC-V unprivileged ISA, "Unconditional Jumps"); and by t2 alone it may go to
 * a place that is no landing pad (Zicfilp). gp and tp are the thread's, and not touched.
 */
#ifndef WEFT_SWITCH_RISCV64_H
#define WEFT_SWITCH_RISCV64_H

/* While sp and s0 change hands neither stack's CFI is true: a profiler's
 * signal that comes in between shall see an outermost frame. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define WEFT__CFI_TORN  ".cfi_remember_state\n\t.cfi_undefined ra\n\t"
#define WEFT__CFI_WHOLE ".cfi_restore_state\n\t"
#else
#define WEFT__CFI_TORN
#define WEFT__CFI_WHOLE
#endif

#ifdef __riscv_flen
#define WEFT__CLOBBER_FP                                                                        \
	, "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10", "ft11", \
		"fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs0", "fs1", "fs2",    \
		"fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11"
#else
#define WEFT__CLOBBER_FP
#endif

/* gcc wants to hear only of registers that the target has; clang takes all
 * names. Both take vl and vtype for lost after any asm. */
#if defined(__riscv_vector) || defined(__clang__)
#define WEFT__CLOBBER_VECTOR                                                                      \
	, "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", \
		"v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",      \
		"v25", "v26", "v27", "v28", "v29", "v30", "v31"
#else
#define WEFT__CLOBBER_VECTOR
#endif

static __inline__ __attribute__((__always_inline__)) void *
weft_context_switch(weft_context *from, weft_context *to, void *value)
{
	register void *a0 __asm__("a0") = to;
	register void *a1 __asm__("a1") = value;
	register void *a2 __asm__("a2") = from;

	/* clang-format off */
	__asm__ __volatile__(
		"lla t0, 1f\n\t"
		"sd sp, 0(a2)\n\t"
		"sd s0, 8(a2)\n\t"
		"sd t0, 16(a2)\n\t"
		"ld t2, 16(a0)\n\t"
		WEFT__CFI_TORN
		"ld s0, 8(a0)\n\t"
		"ld sp, 0(a0)\n\t"
		"jr t2\n"
		"1:\n\t"
		WEFT__CFI_WHOLE
		: "+r"(a0), "+r"(a1), "+r"(a2)
		:
		: "ra", "t0", "t1", "t2", "s1", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4",
		  "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5",
		  "t6" WEFT__CLOBBER_FP WEFT__CLOBBER_VECTOR, "memory");
	/* clang-format on */
	return a1;
}

#undef WEFT__CFI_TORN
#undef WEFT__CFI_WHOLE
#undef WEFT__CLOBBER_FP
#undef WEFT__CLOBBER_VECTOR

#endif
