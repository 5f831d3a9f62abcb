/* SPDX-License-Identifier: MIT
 *
 * context_low.c - how far down a parked context reaches (inline and asm).
 */
#include <arch/arch.h>

char *weft__context_low(const weft_context *ctx)
{
	return (char *)ctx->sp - CONTEXT_RED_ZONE;
}
