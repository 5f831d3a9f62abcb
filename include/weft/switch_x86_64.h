/* SPDX-License-Identifier: MIT
 *
 * weft/switch_x86_64.h - the inline switch of weft/context.h. Not to be
 * included by itself.
 *
 * The asm declares every register lost, so the compiler saves what is live
 * here and nothing else. It stores three words and loads three, and pushes
 * nothing: the red zone of the enclosing function stays whole, and its CFI
 * describes the parked context from the resume label on. At arrival rdi is
 * the context that is being continued, and rsi the value. Each instruction is
 * written twice, for -masm=intel.
 */
#ifndef WEFT_SWITCH_X86_64_H
#define WEFT_SWITCH_X86_64_H

/* While rsp and rbp change hands neither stack's CFI is true: a profiler's
 * signal that comes in between shall see an outermost frame. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define WEFT__CFI_TORN  ".cfi_remember_state\n\t.cfi_undefined rip\n\t"
#define WEFT__CFI_WHOLE ".cfi_restore_state\n\t"
#else
#define WEFT__CFI_TORN
#define WEFT__CFI_WHOLE
#endif

/* Indirect jumps must land on endbr64 under -fcf-protection=branch. */
#if defined(__CET__) && (__CET__ & 1)
#define WEFT__LANDING "endbr64\n\t"
#else
#define WEFT__LANDING
#endif

/* What the compiler may keep values in. gcc wants to hear only of registers that
 * the target has; clang takes all names, and so is right also in a function
 * with a target attribute of its own. */
#if defined(__AVX512F__) || defined(__clang__)
#define WEFT__CLOBBER_AVX512                                                                     \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",       \
		"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", \
		"k3", "k4", "k5", "k6", "k7"
#else
#define WEFT__CLOBBER_AVX512
#endif
#ifdef __APX_F__
#define WEFT__CLOBBER_APX                                                                     \
	, "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", \
		"r28", "r29", "r30", "r31"
#else
#define WEFT__CLOBBER_APX
#endif
#ifdef __SSE__
#define WEFT__CLOBBER_SSE                                                                          \
	, "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
		"xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#else
#define WEFT__CLOBBER_SSE
#endif
#ifndef _SOFT_FLOAT
#define WEFT__CLOBBER_X87 , "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"
#else
#define WEFT__CLOBBER_X87
#endif
#ifdef __MMX__
#define WEFT__CLOBBER_MMX , "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7"
#else
#define WEFT__CLOBBER_MMX
#endif

/* In a function that has both a variable-length array and locals aligned to
 * more than 16 bytes, clang finds its locals by rbx, and believes that rbx
 * survives an asm that declares it lost. Then the place of a local is printed
 * with an x in it, and we refuse to assemble. The local costs 8 bytes of stack;
 * WEFT_PLAIN_FRAMES saves them and vouches that there is no such function. */
#if defined(__clang__) && !defined(WEFT_PLAIN_FRAMES)
#define WEFT__CHECK_FRAME()                                                             \
	char weft__local;                                                               \
	__asm__ __volatile__(                                                           \
		".irpc weft__c, \"%0\"\n\t"                                             \
		".if '\\weft__c' == 'x'\n\t"                                            \
		".error \"weft: a switch cannot be inlined into a function with both "  \
		"variable-length and over-aligned locals: give it one of its own\"\n\t" \
		".endif\n\t"                                                            \
		".endr"                                                                 \
		: "=m"(weft__local))
#else
#define WEFT__CHECK_FRAME() (void)0
#endif

static __inline__ __attribute__((__always_inline__)) void *
weft_context_switch(weft_context *from, weft_context *to, void *value)
{
	WEFT__CHECK_FRAME();
	/* clang-format off */
	__asm__ __volatile__(
		"{leaq 1f(%%rip), %%rax|lea rax, [rip + 1f]}\n\t"
		"{movq %%rsp, 0(%%rdx)|mov [rdx], rsp}\n\t"
		"{movq %%rbp, 8(%%rdx)|mov [rdx + 8], rbp}\n\t"
		"{movq %%rax, 16(%%rdx)|mov [rdx + 16], rax}\n\t"
		WEFT__CFI_TORN
		"{movq 8(%%rdi), %%rbp|mov rbp, [rdi + 8]}\n\t"
		"{movq 0(%%rdi), %%rsp|mov rsp, [rdi]}\n\t"
		"{jmpq *16(%%rdi)|jmp qword ptr [rdi + 16]}\n"
		"1:\n\t"
		WEFT__CFI_WHOLE
		WEFT__LANDING
		: "+D"(to), "+S"(value), "+d"(from)
		:
		: "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
		  "r15" WEFT__CLOBBER_SSE WEFT__CLOBBER_AVX512 WEFT__CLOBBER_APX WEFT__CLOBBER_X87
		  WEFT__CLOBBER_MMX, "memory", "cc");
	/* clang-format on */
	return value;
}

#undef WEFT__CFI_TORN
#undef WEFT__CFI_WHOLE
#undef WEFT__LANDING
#undef WEFT__CLOBBER_AVX512
#undef WEFT__CLOBBER_APX
#undef WEFT__CLOBBER_SSE
#undef WEFT__CLOBBER_X87
#undef WEFT__CLOBBER_MMX
#undef WEFT__CHECK_FRAME

#endif
