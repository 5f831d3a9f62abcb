/* SPDX-License-Identifier: MIT
 *
 * peek.h - reading memory that may not be there: what lies behind a pointer of
 * another thread's, on a stack that is being used, in a module about to be
 * unloaded. Nothing here faults, takes a lock or calls malloc.
 */
#ifndef WEFT_BASE_PEEK_H
#define WEFT_BASE_PEEK_H

#include <base/compiler.h>

/** Copies @bytes from @addr. False: not all of it can be read; @dst is undefined then. */
bool weft__peek(void *dst, uintptr_t addr, size_t bytes);

/** Copies a string, cut to fit. False, and "" in @dst, when none can be read. */
bool weft__peek_string(char *dst, size_t size, uintptr_t addr);

/**
 * weft__peek_racy - copies memory that is surely mapped but changes meanwhile
 *
 * Eight bytes at a time, each of them whole; @dst and @src are aligned to 8, and
 * so is @bytes. Sanitizers do not look.
 */
void weft__peek_racy(void *dst, const void *src, size_t bytes);

#endif
