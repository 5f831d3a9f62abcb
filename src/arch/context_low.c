/* SPDX-License-Identifier: MIT
 *
 * context_low.c - how far down a parked context reaches, and where its registers
 * are (inline and asm).
 */
#include <arch/arch.h>

char *weft__context_low(const weft_context *ctx)
{
	return (char *)ctx->sp - CONTEXT_RED_ZONE;
}

const weft_context *weft__context_trail(const weft_context *ctx)
{
	return weft__context_is_new(ctx) ? NULL : ctx;
}
