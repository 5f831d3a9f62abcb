/* SPDX-License-Identifier: MIT
 *
 * json.h - what writes JSON into a file, without libc's stdio: that one may be
 * hooked, and has locks of its own. Errors are kept until the end.
 */
#ifndef WEFT_DEBUG_JSON_H
#define WEFT_DEBUG_JSON_H

#include <base/compiler.h>

struct json {
	int fd, error; /* -errno of the first write that failed; nothing is written after it */
	size_t used;
	char buf[32768];
};

void weft__json_flush(struct json *json);

/** As it stands: must be JSON by itself. */
void weft__json_put(struct json *json, const char *text);
void weft__json_char(struct json *json, char c);

/** The inside of a string: any bytes; what is no UTF-8 becomes U+FFFD. */
void weft__json_escaped(struct json *json, const char *text);

void weft__json_number(struct json *json, int64_t value);

/** Microseconds with three digits behind the point. */
void weft__json_us(struct json *json, int64_t ns);

#endif
