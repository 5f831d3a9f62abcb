/* SPDX-License-Identifier: MIT
 *
 * fault.h - memory as libweft asks for it, with a seam where tests make it
 * fail.
 *
 * Every allocation of libweft goes through here: the malloc family, mmap, and
 * the madvise calls that may be refused. A test says weft__fault_fail(n), and
 * the n-th request from then on fails as it would without memory; running the
 * same work with n = 1, 2, 3 ... until nothing fired visits every path out.
 *
 *	for (unsigned n = 1;; n++) {
 *		weft__fault_fail(n);
 *		... the work: an error, or success ...
 *		if (!weft__fault_fired())
 *			break;
 *	}
 *
 * The seam is in every build: it costs one load and a branch beside calls that
 * take a hundred times as long, and so the tests test what is shipped. Code
 * that asks the kernel for other things (epoll, eventfd, threads) may ask
 * weft__fault_hit() first in the same way.
 */
#ifndef WEFT_BASE_FAULT_H
#define WEFT_BASE_FAULT_H

#include <stdlib.h>
#include <sys/mman.h>

#include <base/compiler.h>
#include <base/syscall.h>

/* Requests until one fails; 0: none will. Any thread's requests count. */
extern _Atomic unsigned weft__fault_left WEFT_PRIVATE;

/** The @n-th request from now on fails, once; counted from 1. 0: none will, and
 * weft__fault_fired() still tells of the last one. */
void weft__fault_fail(unsigned n);

/** True when a request has been failed since weft__fault_fail(). */
bool weft__fault_fired(void);

/** Counts one request down; true: it is the one to fail. */
bool weft__fault_count(void) WEFT_PRIVATE;

static inline bool weft__fault_hit(void)
{
	return unlikely(weft__fault_left != 0) && weft__fault_count();
}

static inline void *weft__malloc(size_t bytes)
{
	return weft__fault_hit() ? NULL : malloc(bytes);
}

static inline void *weft__calloc(size_t count, size_t bytes)
{
	return weft__fault_hit() ? NULL : calloc(count, bytes);
}

/** For symmetry; every pointer of the two above. */
static inline void weft__free(void *ptr)
{
	free(ptr);
}

/**
 * weft__map - private, zeroed, unreserved memory
 *
 * Return: address of at most 48 bits, or NULL.
 */
void *weft__map(size_t bytes);

/** madvise(2): 0 or a negative errno. Not subject to injection. */
static inline int weft__advise(void *addr, size_t bytes, int advice)
{
	return (int)weft__syscall(SYS_madvise, addr, bytes, advice);
}

#endif
