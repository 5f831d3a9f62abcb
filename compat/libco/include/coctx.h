/* SPDX-License-Identifier: MIT
 *
 * coctx.h - the bare switch, under the names that Tencent's libco has for it. The native
 * header is <weft/context.h>, and all that is said there of stacks holds here.
 */
#ifndef WEFT_COMPAT_LIBCO_COCTX_H
#define WEFT_COMPAT_LIBCO_COCTX_H

#include <stddef.h>
#include <stdlib.h>

typedef void *(*coctx_pfn_t)(void *first, void *second);

/** The caller sets the stack; the rest is set by coctx_make() and coctx_swap(). */
struct coctx_t {
	void *regs[14];
	size_t ss_size;
	char *ss_sp;
};

/** Zeros. 0. */
int coctx_init(coctx_t *ctx);
/** It will begin with pfn(first, second), which must not return. 0. */
int coctx_make(coctx_t *ctx, coctx_pfn_t pfn, const void *first, const void *second);
/** Leaves for @next; whoever comes back continues @self. */
extern "C" void coctx_swap(coctx_t *self, coctx_t *next);

#endif
