/* SPDX-License-Identifier: MIT
 *
 * fault.c - the countdown behind fault.h, and plain mappings.
 */
#include <stdatomic.h>

#include <base/fault.h>
#include <base/handle.h>
#include <base/log.h>

_Atomic unsigned weft__fault_left;
static _Atomic bool fired;

void weft__fault_fail(unsigned n)
{
	if (n)
		fired = false;
	weft__fault_left = n;
}

bool weft__fault_fired(void)
{
	return fired;
}

bool weft__fault_count(void)
{
	unsigned left = weft__fault_left;

	while (left && !atomic_compare_exchange_weak(&weft__fault_left, &left, left - 1))
		;
	if (left == 1)
		fired = true;
	return left == 1;
}

/* See handle.h: a task there could have no handle. */
static coldpath void *refuse(void *addr, size_t bytes)
{
	weft__warn_once("the kernel gives addresses of more than 48 bits (riscv64 with sv57 before "
			"Linux 6.6): weft cannot use them");
	munmap(addr, bytes);
	return NULL;
}

void *weft__map(size_t bytes)
{
	void *addr;

	if (weft__fault_hit())
		return NULL;
	addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (addr == MAP_FAILED)
		return NULL;
	return likely(tagged_holds(addr)) ? addr : refuse(addr, bytes);
}
