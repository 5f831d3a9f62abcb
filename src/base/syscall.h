/* SPDX-License-Identifier: MIT
 *
 * syscall.h - system calls as weft itself makes them: straight to the kernel.
 *
 * libc's wrappers would come back through our own hooks, and in a process with
 * threads they pay for POSIX cancellation. The result is the kernel's: >= 0
 * or a negative errno; errno itself is not touched.
 */
#ifndef WEFT_BASE_SYSCALL_H
#define WEFT_BASE_SYSCALL_H

#include <sys/syscall.h>

#include <base/compiler.h>
#include <base/syscall_cpu.h> /* src/arch/<cpu>/base/: weft__syscall6() */

/* Pads to six arguments, each widened to long. */
#define weft__syscall(nr, ...) weft__syscall_pad(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define weft__syscall_pad(nr, a, b, c, d, e, f, ...) \
	weft__syscall6((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
