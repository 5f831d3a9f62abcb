/* SPDX-License-Identifier: MIT
 *
 * weft/weft.h - stackful coroutines and tasks for C, all headers at once.
 *
 * A task is a function on a stack of its own. Where a thread would block, a task parks,
 * and its thread runs another one; so a program of ten thousand tasks is written as plain,
 * blocking code from top to bottom. Coroutines are the part of it that needs no runtime.
 *
 * Conventions of the whole library:
 *   - a function returns >= 0, or a negative errno; errno itself is not touched;
 *   - outputs come last, are named ret_*, and are untouched on failure;
 *   - times are int64_t nanoseconds. A deadline is absolute, on the weft_now() clock: weft_in_ms()
 *     makes one. WEFT_NOWAIT tries once, WEFT_FOREVER waits;
 *   - a "cancellation point" returns -ECANCELED once its task is cancelled;
 *   - handles are never dereferenced; one that has been freed answers -ESRCH.
 *
 * The environment, read once by the first runtime of a process:
 *   - WEFT_WORKERS: how many threads weft_run() uses when it is asked for 0;
 *   - WEFT_STACK: bytes of a stack when its attributes do not say;
 *   - WEFT_HOOKS: which groups of libc calls libweft-hook replaces: none, or a list of io,
 *     time, dns and sync;
 *   - WEFT_DEADLOCK=off: a deadlock does not end the process;
 *   - WEFT_DUMP_SIGNAL: a signal that writes weft_dump() to standard error;
 *   - WEFT_WATCHDOG_MS: how long a task may keep its worker, see weft_watchdog();
 *   - WEFT_LOCK_CHECK: 1, a task that waits while it holds a thread's mutex is reported; 0, not
 *     even with WEFT_WATCHDOG_MS;
 *   - WEFT_TRACE: a file for a trace of the whole run, see weft_trace_start().
 */
#ifndef WEFT_H
#define WEFT_H

#include <weft/context.h>
#include <weft/actor.h>
#include <weft/chan.h>
#include <weft/coroutine.h>
#include <weft/debug.h>
#include <weft/hook.h>
#include <weft/io.h>
#include <weft/local.h>
#include <weft/promise.h>
#include <weft/sync.h>
#include <weft/scope.h>
#include <weft/task.h>
#include <weft/time.h>
#include <weft/types.h>

#endif
