/* SPDX-License-Identifier: MIT
 *
 * cpu.h - aarch64: control words, red zone. Included by arch.h.
 */
#ifndef WEFT_ARCH_CPU_H
#define WEFT_ARCH_CPU_H

enum { CONTEXT_RED_ZONE = 0 }; /* the Linux ABI has none */

static always_inline void weft__fp_save(struct fp_control *fp)
{
	uint64_t fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	fp->mxcsr = (uint32_t)fpcr; /* the upper half is reserved */
	fp->x87_cw = 0;
}

/* Makes @fp the words of this thread, which are @now at present. */
static always_inline void weft__fp_replace(const struct fp_control *now,
					   const struct fp_control *fp)
{
	if (unlikely(now->mxcsr != fp->mxcsr))
		__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)fp->mxcsr) : "memory");
}

#endif
