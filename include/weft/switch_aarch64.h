/* SPDX-License-Identifier: MIT
 *
 * weft/switch_aarch64.h - the inline switch of weft/context.h. Not to be
 * included by itself.
 *
 * The asm declares every register lost, so the compiler saves what is live
 * here and nothing else. It stores three words and loads three, and moves sp
 * by nothing: the CFI of the enclosing function describes the parked context
 * from the resume label on. At arrival x0 is the context that is being
 * continued, and x1 the value.
 */
#ifndef WEFT_SWITCH_AARCH64_H
#define WEFT_SWITCH_AARCH64_H

/* While sp and x29 change hands neither stack's CFI is true: a profiler's
 * signal that comes in between shall see an outermost frame. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define WEFT__CFI_TORN  ".cfi_remember_state\n\t.cfi_undefined x30\n\t"
#define WEFT__CFI_WHOLE ".cfi_restore_state\n\t"
#else
#define WEFT__CFI_TORN
#define WEFT__CFI_WHOLE
#endif

/* Indirect jumps must land on "bti j" under -mbranch-protection=bti. */
#ifdef __ARM_FEATURE_BTI_DEFAULT
#define WEFT__LANDING "hint #36\n\t"
#else
#define WEFT__LANDING
#endif

/* gcc wants to hear only of registers that the target has; clang takes all
 * names. FFR is not among them: no call keeps it either. */
#if defined(__ARM_FEATURE_SVE) || defined(__clang__)
#define WEFT__CLOBBER_SVE                                                                         \
	, "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", \
		"p14", "p15"
#else
#define WEFT__CLOBBER_SVE
#endif

static __inline__ __attribute__((__always_inline__)) void *
weft_context_switch(weft_context *from, weft_context *to, void *value)
{
	register void *x0 __asm__("x0") = to;
	register void *x1 __asm__("x1") = value;
	register void *x2 __asm__("x2") = from;

	/* clang-format off */
	__asm__ __volatile__(
		"adr x9, 1f\n\t"
		"mov x10, sp\n\t"
		"stp x10, x29, [x2]\n\t"
		"str x9, [x2, #16]\n\t"
		"ldr x16, [x0, #16]\n\t"
		WEFT__CFI_TORN
		"ldp x10, x29, [x0]\n\t"
		"mov sp, x10\n\t"
		"br x16\n"
		"1:\n\t"
		WEFT__CFI_WHOLE
		WEFT__LANDING
		: "+r"(x0), "+r"(x1), "+r"(x2)
		:
		: "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
		  "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
		  "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8",
		  "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19",
		  "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
		  "v31" WEFT__CLOBBER_SVE, "memory", "cc");
	/* clang-format on */
	return x1;
}

#undef WEFT__CFI_TORN
#undef WEFT__CFI_WHOLE
#undef WEFT__LANDING
#undef WEFT__CLOBBER_SVE

#endif
