/* SPDX-License-Identifier: MIT
 *
 * cpu.h - i386: control words, red zone. Included by arch.h.
 *
 * Only the x87 word: not every i386 has SSE, and compilers for it do not use it unless
 * they are told.
 */
#ifndef WEFT_ARCH_CPU_H
#define WEFT_ARCH_CPU_H

#define X87_PENDING 0x3fu

enum { CONTEXT_RED_ZONE = 0 }; /* the ABI has none */

static always_inline void weft__fp_save(struct fp_control *fp)
{
	fp->mxcsr = 0;
	__asm__ volatile("fnstcw %0" : "=m"(fp->x87_cw));
}

/* Makes @fp the words of this thread, which are @now at present. */
static always_inline void weft__fp_replace(const struct fp_control *now,
					   const struct fp_control *fp)
{
	uint16_t status;

	if (likely(now->x87_cw == fp->x87_cw))
		return;
	/* A flag that another one raised masked must not trap under our mask. */
	__asm__ volatile("fnstsw %0" : "=a"(status));
	if (status & ~fp->x87_cw & X87_PENDING)
		__asm__ volatile("fnclex");
	__asm__ volatile("fldcw %0" : : "m"(fp->x87_cw) : "memory");
}

#endif
