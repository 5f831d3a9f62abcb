/* SPDX-License-Identifier: MIT
 *
 * co.h - the interface of the M2 lab, a coroutine library that students of an operating
 * systems course write, for programs that were written for it.
 *
 * Coroutines take turns on one thread, and main is one of them. Whoever gives way, by
 * co_yield(), a wait or its end, lets one be picked at random among all that can go on,
 * itself included. WEFT_M2_SEED, a number in the environment, makes the choices
 * the same in each run. When main returns the process ends.
 *
 * Each has a stack of 64 KiB, with a guard: an overflow is reported by name.
 *
 * Nothing aborts: a mistake is said on standard error, the first time, and in errno, of which
 * each coroutine has its own.
 * Each thread has coroutines of its own, and what co_start() returned is of no use to another.
 * A coroutine may call what blocks, in a task of weft: the task waits, with all of them. No function
 * is a cancellation point, or async-signal-safe.
 */
#ifndef WEFT_COMPAT_M2_CO_H
#define WEFT_COMPAT_M2_CO_H

#if defined(__cplusplus) && __cplusplus > 201703L
#error "co_yield is a keyword in C++20: compile as C++17, or use <weft/task.h>, <weft/coroutine.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A coroutine. A handle: never dereference it. */
struct co;

/**
 * co_start - make a coroutine; it does not run yet
 * @name: for messages, dumps and debuggers; copied, 31 bytes kept. NULL: none
 * @func: its body; it is over when this returns
 * @arg:  passed to @func
 *
 * Return: its handle; or NULL with errno EINVAL (@func is NULL), ENOMEM, EPERM (the caller is
 * no coroutine of this library, and some are alive), ENOTSUP (this process runs with shadow
 * stacks).
 */
struct co *co_start(const char *name, void (*func)(void *arg), void *arg);

/**
 * co_yield - let one that can go on be picked, the caller included
 *
 * errno: EPERM (as of co_start()).
 */
void co_yield (void);

/**
 * co_wait - wait until a coroutine is over, and free it
 * @co: its handle, which nobody else waits for; it may be over already
 *
 * errno, and it returns at once: EINVAL (@co is NULL), ESRCH (it was waited for before),
 * EBUSY (another one waits for it), EDEADLK (the caller itself, or it waits for the caller: nobody
 * could go on), EPERM (as of co_start()).
 */
void co_wait(struct co *co);

#ifdef __cplusplus
}
#endif

#endif
