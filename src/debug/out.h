/* SPDX-License-Identifier: MIT
 *
 * out.h - text for a file descriptor, in a buffer; no malloc, async-signal-safe.
 */
#ifndef WEFT_DEBUG_OUT_H
#define WEFT_DEBUG_OUT_H

#include <base/compiler.h>

enum { OUT_BYTES = 8192, OUT_LINE_BYTES = 512 };

struct out {
	int fd, error; /* error: the first one, negative; nothing is written after it */
	size_t used;
	char buf[OUT_BYTES];
};

/** Adds text, as weft__format() makes it, of up to OUT_LINE_BYTES. */
void weft__out(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Writes what is in the buffer. Return: 0 or out->error. */
int weft__out_flush(struct out *out);

/** "1,234,567" */
const char *weft__text_count(char buf[32], uint64_t count);

/** "850 us", "12 ms", "3.2 s", "5.1 min", "7.0 h", "3.5 days" */
const char *weft__text_duration(char buf[32], int64_t ns);

#endif
