/* SPDX-License-Identifier: MIT
 *
 * clock.c - the clock, by way of the vDSO.
 */
#include <base/clock.h>
#include <weft/time.h>

/* clock_gettime() cannot fail here: the clock exists and the pointer is good. */
static always_inline int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t weft__now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t weft__clock_ns(clockid_t clock)
{
	return read_clock(clock);
}

int64_t weft_now(void)
{
	return weft__now();
}

int64_t weft_in_ns(int64_t ns)
{
	int64_t deadline_ns;

	if (__builtin_add_overflow(weft__now(), ns < 0 ? 0 : ns, &deadline_ns))
		return WEFT_FOREVER;
	return deadline_ns;
}
