/* SPDX-License-Identifier: MIT
 *
 * clock.h - the one clock: CLOCK_MONOTONIC in nanoseconds.
 */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <base/compiler.h>

/** Now. Any thread, async-signal-safe; errno is untouched. About 20 ns (vDSO). */
int64_t weft__now(void) WEFT_PRIVATE;

#endif
