/* SPDX-License-Identifier: MIT
 *
 * shadow_stack.c - does the CPU keep a second copy of our return addresses?
 *
 * With a shadow stack (CET) the first return on a switched stack faults. Our
 * objects are not marked for it, so glibc leaves it off; what is left is a
 * process that was forced (glibc.cpu.x86_shstk tunable, own arch_prctl).
 */
#include <arch/arch.h>
#include <base/syscall.h>

#define ARCH_SHSTK_STATUS 0x5005 /* asm/prctl.h, Linux 6.6 */
#define ARCH_SHSTK_SHSTK  1ul

bool weft__shadow_stack_probe(void)
{
	unsigned long features = 0;

	return weft__syscall(SYS_arch_prctl, ARCH_SHSTK_STATUS, &features) == 0 &&
	       (features & ARCH_SHSTK_SHSTK);
}
