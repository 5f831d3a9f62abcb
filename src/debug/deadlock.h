/* SPDX-License-Identifier: MIT
 *
 * deadlock.h - nothing can ever run again: said, and the process ended.
 */
#ifndef WEFT_DEBUG_DEADLOCK_H
#define WEFT_DEBUG_DEADLOCK_H

#include <base/compiler.h>

/**
 * weft__deadlock_check - is this process deadlocked?
 *
 * By a worker that is idle, in its loop. False when anything may still wake a task, or
 * when that cannot be told. Does not return when it is true: it reports, and ends
 * the process with WEFT_DEADLOCK_STATUS.
 */
bool weft__deadlock_check(void);

/** Reads WEFT_DEADLOCK, and hangs on weft__observe_idle. */
void weft__deadlock_init(void);

#endif
