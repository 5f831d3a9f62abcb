/* SPDX-License-Identifier: MIT
 *
 * context.c - coctx.h: the bare switch. A coctx_t has more room than a weft_context needs.
 */
#include <stdlib.h>
#include <string.h>

#include <weft/context.h>

#include "co.h"

/* As coctx.h declares it to C++. */
struct coctx_t {
	union {
		void *regs[14];
		struct {
			weft_context context;
			void *(*fn)(void *first, void *second);
			void *first, *second;
		};
	};
	size_t ss_size;
	char *ss_sp;
};

_Static_assert(sizeof(struct coctx_t) == 16 * sizeof(void *), "what coctx.h says");

static void enter(void *arg, void *value)
{
	struct coctx_t *ctx = arg;

	(void)value;
	ctx->fn(ctx->first, ctx->second);
}

void weft__co_context_make(struct coctx_t *ctx, void *(*fn)(void *first, void *second),
			   const void *first, const void *second)
{
	memset(ctx->regs, 0, sizeof(ctx->regs));
	ctx->fn = fn;
	ctx->first = (void *)first;
	ctx->second = (void *)second;
	weft_context_make(&ctx->context, ctx->ss_sp, ctx->ss_size, enter, ctx);
}

__attribute__((visibility("default"))) void coctx_swap(struct coctx_t *self, struct coctx_t *next);

void coctx_swap(struct coctx_t *self, struct coctx_t *next)
{
	weft_context_switch(&self->context, &next->context, NULL);
}
