/* SPDX-License-Identifier: MIT
 *
 * shadow_stack.c - does the CPU keep a second copy of our return addresses? Linux has no
 * shadow stacks for 32 bits.
 */
#include <arch/arch.h>

bool weft__shadow_stack_probe(void)
{
	return false;
}
