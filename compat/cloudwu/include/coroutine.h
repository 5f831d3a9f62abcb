/* SPDX-License-Identifier: MIT
 *
 * coroutine.h - the interface of cloudwu/coroutine, for programs that were written for it.
 *
 * Coroutines are made in a schedule, and known by numbers. All that a schedule has stand on one
 * stack of 1 MiB, with a guard: what a suspended one has on it is kept elsewhere when
 * another one comes. So no other coroutine may look into its frames until it goes on.
 *
 * What differs from the original:
 *   - A coroutine may resume others of its schedule. It is COROUTINE_RUNNING meanwhile. What
 *     it hands to them must not lie in its frame: they stand on the same stack.
 *   - A number is not used again before two thousand million others: that of a coroutine
 *     that has ended stands for nobody else. It is no index into a table of a few.
 *   - Nothing aborts. What fails sets errno; what is a mistake is also said on standard error,
 *     the first time.
 *   - A coroutine may call what blocks, in a task of weft: the task waits.
 *
 * A schedule and its coroutines belong to the thread that opened it. No function is a
 * cancellation point, or async-signal-safe.
 *
 * @S:  schedule
 * @id: a coroutine's number
 */
#ifndef WEFT_COMPAT_CLOUDWU_COROUTINE_H
#define WEFT_COMPAT_CLOUDWU_COROUTINE_H

#ifdef __cplusplus
extern "C" {
#endif

#define COROUTINE_DEAD    0 /* has ended, or never was */
#define COROUTINE_READY   1 /* made, not yet resumed */
#define COROUTINE_RUNNING 2 /* runs, or waits for one that it resumed */
#define COROUTINE_SUSPEND 3 /* has yielded */

struct schedule;

/** A coroutine's body. It is over when this returns. */
typedef void (*coroutine_func)(struct schedule *S, void *ud);

/**
 * coroutine_open - make a schedule
 *
 * Return: the schedule; or NULL with errno ENOMEM. Any thread.
 */
struct schedule *coroutine_open(void);

/**
 * coroutine_close - free a schedule with all its coroutines; their frames are not unwound
 * @S: schedule, or NULL (which does nothing)
 *
 * errno: EBUSY (one of its coroutines runs), EPERM (another thread's), ENOMEM (frames that
 * a cleanup needs could not be brought back). @S is still there then.
 */
void coroutine_close(struct schedule *S);

/**
 * coroutine_new - make a coroutine; it does not run yet
 * @func: its body
 * @ud:   passed to @func
 *
 * Return: its number, 0, 1, 2, ...; or -1 with errno EINVAL (@S or @func is NULL), ENOMEM,
 * EPERM (another thread's), ENOTSUP (this process runs with shadow stacks).
 */
int coroutine_new(struct schedule *S, coroutine_func func, void *ud);

/**
 * coroutine_resume - run a coroutine until it yields or ends
 *
 * Of one that has ended it does nothing, as the original, and errno is ESRCH. Other values of
 * errno: EINVAL (@S is NULL, or @id was never given out), EDEADLK (the caller itself), EBUSY
 * (it has resumed the caller, or the schedule is in use by another task, which waits),
 * EPERM (another thread's), ENOMEM.
 */
void coroutine_resume(struct schedule *S, int id);

/**
 * coroutine_status - what a coroutine is doing
 *
 * Return: COROUTINE_DEAD, also for numbers that nobody has, or another one of the four.
 */
int coroutine_status(struct schedule *S, int id);

/**
 * coroutine_running - who runs
 *
 * Return: the number of the innermost coroutine that runs in this schedule, or -1.
 */
int coroutine_running(struct schedule *S);

/**
 * coroutine_yield - suspend the calling coroutine; who resumed it goes on
 *
 * errno: EINVAL (@S is NULL), EPERM (the caller is not the coroutine that runs in @S; or it is
 * in a cleanup of one that is freed), ENOMEM.
 */
void coroutine_yield(struct schedule *S);

#ifdef __cplusplus
}
#endif

#endif
