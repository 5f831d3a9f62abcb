/* SPDX-License-Identifier: MIT
 *
 * misuse.h - for calls that return nothing and could not do what they were asked to.
 */
#ifndef WEFT_COMPAT_MISUSE_H
#define WEFT_COMPAT_MISUSE_H

#include <errno.h>

#include <base/log.h>

/** errno = @error, and the first time a line on standard error. */
#define MISUSE(error, ...)                    \
	do {                                  \
		weft__warn_once(__VA_ARGS__); \
		errno = (error);              \
	} while (0)

#endif
