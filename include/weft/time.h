/* SPDX-License-Identifier: MIT
 *
 * weft/time.h - the clock, deadlines, sleeping.
 *
 * One clock: CLOCK_MONOTONIC in nanoseconds. A deadline is an absolute time
 * on it; a sum that overflows saturates at WEFT_FOREVER. Timers have a
 * resolution of 33 us and never fire early.
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** Now, in nanoseconds. Any thread, any time, async-signal-safe. */
WEFT_API int64_t weft_now(void);

/** A deadline @ns nanoseconds from now; negative: now; saturates. */
WEFT_API int64_t weft_in_ns(int64_t ns);

static inline int64_t weft__in(int64_t n, int64_t unit_ns)
{
	return weft_in_ns(n > WEFT_FOREVER / unit_ns ? WEFT_FOREVER : n < 0 ? 0 : n * unit_ns);
}

/** Deadlines so many micro-, milli- and seconds from now. */
#define weft_in_us(n) weft__in((n), 1000)
#define weft_in_ms(n) weft__in((n), 1000000)
#define weft_in_s(n)  weft__in((n), 1000000000)

/**
 * weft_sleep - park for at least @duration_ns
 *
 * <= 0 yields once. Return: 0 or -ECANCELED. Cancellation point.
 */
WEFT_API int weft_sleep(int64_t duration_ns);

/** weft_sleep_until - park until an absolute deadline has passed */
WEFT_API int weft_sleep_until(int64_t deadline_ns);

WEFT_END_DECLS

#endif
