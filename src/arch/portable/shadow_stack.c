/* SPDX-License-Identifier: MIT
 *
 * shadow_stack.c - does the CPU keep a second copy of our return addresses? Asked as on
 * every CPU but x86.
 *
 * With a shadow stack (aarch64: GCS, riscv64: Zicfiss) the first return on a switched stack
 * faults. Our objects are not marked for it, so glibc leaves it off; what is left is a process
 * that was forced.
 */
#include <arch/arch.h>
#include <base/syscall.h>

#define PR_GET_SHADOW_STACK_STATUS 74 /* linux/prctl.h, Linux 6.13 */
#define PR_SHADOW_STACK_ENABLE     1ul

bool weft__shadow_stack_probe(void)
{
	unsigned long status = 0;

	return weft__syscall(SYS_prctl, PR_GET_SHADOW_STACK_STATUS, &status) == 0 &&
	       (status & PR_SHADOW_STACK_ENABLE);
}
