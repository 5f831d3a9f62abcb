/* SPDX-License-Identifier: MIT
 *
 * clock.h - the one clock: CLOCK_MONOTONIC in nanoseconds. And others, for who is asked for them.
 */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <time.h>

#include <base/compiler.h>

/** Now. Any thread, async-signal-safe; errno is untouched. About 20 ns (vDSO). */
int64_t weft__now(void) WEFT_PRIVATE;

/** The same of any clock that there is. */
int64_t weft__clock_ns(clockid_t clock) WEFT_PRIVATE;

#endif
