/* SPDX-License-Identifier: MIT
 *
 * locks.h - tasks that leave the CPU while they hold a lock that blocks threads.
 */
#ifndef WEFT_DEBUG_LOCKS_H
#define WEFT_DEBUG_LOCKS_H

/** Reads WEFT_LOCK_CHECK. Without it the check is on in builds without NDEBUG, and where
 * WEFT_WATCHDOG_MS is set. */
void weft__locks_init(void);

#endif
