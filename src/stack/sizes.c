/* SPDX-License-Identifier: MIT
 *
 * sizes.c - which size class holds so many bytes, and what WEFT_STACK says.
 */
#include <errno.h>
#include <stdlib.h>

#include <base/log.h>
#include <stack/arena.h>

_Atomic int weft__stack_class_default = -1;

size_t weft__stack_class_bytes(unsigned class)
{
	return (size_t)STACK_MIN_BYTES << class;
}

static int class_of(size_t bytes)
{
	unsigned class = 0;

	if (bytes < STACK_MIN_BYTES || bytes > (size_t)STACK_MIN_BYTES << (STACK_CLASSES - 1))
		return -EINVAL;
	if (bytes < weft__page_bytes())
		bytes = weft__page_bytes();
	while (weft__stack_class_bytes(class) < bytes)
		class += 1;
	return (int)class;
}

static size_t parse_size(const char *text)
{
	char *end;
	unsigned long long bytes = strtoull(text, &end, 10);
	unsigned shift = 0;

	if (end == text)
		return 0;
	if (*end == 'K' || *end == 'k')
		shift = 10, end++;
	else if (*end == 'M' || *end == 'm')
		shift = 20, end++;
	else if (*end == 'G' || *end == 'g')
		shift = 30, end++;
	if (*end || bytes > SIZE_MAX >> shift)
		return 0;
	return (size_t)bytes << shift;
}

static int default_class(void)
{
	const char *env = getenv("WEFT_STACK");
	int class = class_of(STACK_DEFAULT_BYTES);

	if (env && *env) {
		int asked = class_of(parse_size(env));

		if (asked >= 0)
			class = asked;
		else
			weft__warn("WEFT_STACK=%s is not a size from 16K to 1G; 256K is used", env);
	}
	/* Relaxed: other threads that ask at the same time find the same. */
	atomic_store_explicit(&weft__stack_class_default, class, memory_order_relaxed);
	return class;
}

int weft__stack_class_slow(size_t stack_bytes)
{
	return stack_bytes ? class_of(stack_bytes) : default_class();
}
