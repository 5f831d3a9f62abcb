/* SPDX-License-Identifier: MIT
 *
 * cpu.h - x86-64: control words, red zone. Included by arch.h.
 *
 * Loading a word that is there already is cheap on some CPUs and on others stalls
 * for nine nanoseconds; a new one stalls all of them. Reading MXCSR costs one to
 * six. So the words are loaded only when they differ, and read once a switch:
 * weft__fp_swap().
 */
#ifndef WEFT_ARCH_CPU_H
#define WEFT_ARCH_CPU_H

#define MXCSR_STATUS 0x3fu /* the exceptions seen so far; the rest is control */
#define X87_PENDING  0x3fu

/* An inlined switch parks the function it stands in, whose locals may lie
 * below its stack pointer. What weft__context_low() is asked about was parked
 * by libweft, which is built without a red zone, or by a user's function that
 * inlines weft_yield(), and so calls libweft: compilers use a red zone only where
 * nothing is called. So no byte is kept in vain. */
#if WEFT_SWITCH_INLINE && !defined(WEFT_NO_RED_ZONE)
enum { CONTEXT_RED_ZONE = 128 };
#else
enum { CONTEXT_RED_ZONE = 0 };
#endif

static always_inline void weft__fp_save(struct fp_control *fp)
{
	__asm__ volatile("stmxcsr %0" : "=m"(fp->mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(fp->x87_cw));
}

/* Makes @fp the words of this thread, which are @now at present. */
static always_inline void weft__fp_replace(const struct fp_control *now,
					   const struct fp_control *fp)
{
	if (unlikely((now->mxcsr ^ fp->mxcsr) & ~MXCSR_STATUS)) {
		uint32_t mxcsr = (fp->mxcsr & ~MXCSR_STATUS) | (now->mxcsr & MXCSR_STATUS);

		__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
	}
	if (unlikely(now->x87_cw != fp->x87_cw)) {
		uint16_t status;

		/* A flag that another one raised masked must not trap under our mask. */
		__asm__ volatile("fnstsw %0" : "=a"(status));
		if (status & ~fp->x87_cw & X87_PENDING)
			__asm__ volatile("fnclex");
		__asm__ volatile("fldcw %0" : : "m"(fp->x87_cw) : "memory");
	}
}

#endif
