/* SPDX-License-Identifier: MIT
 *
 * peek.c - peek.h by process_vm_readv(2) on ourselves: the kernel copies, and
 * says EFAULT where we would have died.
 *
 * Where that call is refused (seccomp) or unknown (emulators), each page is probed
 * first and then read. The probe is rt_sigprocmask(2) with an impossible "how":
 * the kernel reads the set before it looks at "how", so the answer is EINVAL for
 * what can be read and EFAULT for what cannot. (The trick is Abseil's,
 * debugging/internal/address_is_readable.cc.)
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include <base/peek.h>
#include <base/syscall.h>

enum { PROBE_BYTES = 8, SMALLEST_PAGE = 4096 };

/* The compiler must neither merge these loads nor make a call to memcpy() of them,
 * which sanitizers watch. */
#define unwatched __attribute__((no_sanitize("address"), no_sanitize("thread"), __noinline__))

unwatched void weft__peek_racy(void *dst, const void *src, size_t bytes)
{
	const volatile uint64_t *from = src;
	volatile uint64_t *to = dst;

	for (size_t i = 0; i < bytes / sizeof *to; i++)
		to[i] = from[i];
}

static unwatched void copy_bytes(char *dst, const volatile char *src, size_t bytes)
{
	volatile char *to = dst;

	for (size_t i = 0; i < bytes; i++)
		to[i] = src[i];
}

static bool readable(uintptr_t addr)
{
	return weft__syscall(SYS_rt_sigprocmask, ~0, addr & -(uintptr_t)PROBE_BYTES, 0,
			     PROBE_BYTES) == -EINVAL;
}

static bool copy_probed(void *dst, uintptr_t addr, size_t bytes)
{
	uintptr_t last = addr + bytes - 1;

	for (uintptr_t at = addr; at <= last; at = (at | (SMALLEST_PAGE - 1)) + 1)
		if (!readable(at))
			return false;
	copy_bytes(dst, (const char *)addr, bytes);
	return true;
}

bool weft__peek(void *dst, uintptr_t addr, size_t bytes)
{
	static _Atomic bool refused; /* relaxed: to ask once more does no harm */
	struct iovec local = { dst, bytes }, remote = { (void *)addr, bytes };

	if (!bytes || addr < SMALLEST_PAGE || addr + bytes < addr)
		return false;
	if (!atomic_load_explicit(&refused, memory_order_relaxed)) {
		long pid = weft__syscall(SYS_getpid, 0);
		long rc = weft__syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);

		if (rc != -ENOSYS && rc != -EPERM)
			return rc == (long)bytes;
		atomic_store_explicit(&refused, true, memory_order_relaxed);
	}
	return copy_probed(dst, addr, bytes);
}

bool weft__peek_string(char *dst, size_t size, uintptr_t addr)
{
	size_t done = 0;

	while (done + 1 < size) {
		/* Up to the next multiple of 32: never into a page that a string need not reach. */
		size_t piece = 32 - (addr + done) % 32;

		if (piece > size - 1 - done)
			piece = size - 1 - done;
		if (!weft__peek(dst + done, addr + done, piece))
			break;
		for (size_t end = done + piece; done < end; done++)
			if (!dst[done])
				return true;
	}
	dst[done] = '\0';
	return done > 0;
}
