/* SPDX-License-Identifier: MIT
 *
 * cpu.h - riscv64: control words, red zone. Included by arch.h.
 *
 * The control word is the rounding mode, frm. The other half of fcsr is flags, which are not
 * kept; and no exception traps here.
 */
#ifndef WEFT_ARCH_CPU_H
#define WEFT_ARCH_CPU_H

enum { CONTEXT_RED_ZONE = 0 }; /* the psABI has none */

static always_inline void weft__fp_save(struct fp_control *fp)
{
	unsigned long frm = 0;

#ifdef __riscv_flen
	__asm__ volatile("frrm %0" : "=r"(frm));
#endif
	fp->mxcsr = (uint32_t)frm;
	fp->x87_cw = 0;
}

/* Makes @fp the words of this thread, which are @now at present. */
static always_inline void weft__fp_replace(const struct fp_control *now,
					   const struct fp_control *fp)
{
#ifdef __riscv_flen
	if (unlikely(now->mxcsr != fp->mxcsr))
		__asm__ volatile("fsrm %0" : : "r"((unsigned long)fp->mxcsr) : "memory");
#else
	(void)now, (void)fp;
#endif
}

#endif
