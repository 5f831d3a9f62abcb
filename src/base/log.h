/* SPDX-License-Identifier: MIT
 *
 * log.h - the library's own voice: standard error, one write a line, no
 * malloc, async-signal-safe. Every line begins with "weft: ".
 */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

#include <stdarg.h>

#include <base/compiler.h>

/** printf of %s %d %u %zu %ld %lu %lld %llu %x %p %c only, into a bounded buffer; returns length. */
size_t weft__format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

size_t weft__format_list(char *buf, size_t size, const char *fmt, va_list *args);

/** One line on standard error. */
void weft__warn(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold)) WEFT_PRIVATE;

/** One line, then abort(): memory or an invariant is already wrong. */
void weft__die(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), cold, noreturn)) WEFT_PRIVATE;

/** Says it the first time only. */
#define weft__warn_once(...)                     \
	do {                                     \
		static _Atomic int weft__said;   \
		if (!weft__said++)               \
			weft__warn(__VA_ARGS__); \
	} while (0)

/** Checks an invariant, in every build. */
#define invariant(cond)                                                                      \
	do {                                                                                 \
		if (unlikely(!(cond)))                                                       \
			weft__die("%s:%d: broken invariant: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#endif
