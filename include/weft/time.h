/* SPDX-License-Identifier: MIT
 *
 * weft/time.h - the clock, deadlines, sleeping.
 *
 * One clock: CLOCK_MONOTONIC in nanoseconds. A deadline is an absolute time
 * on it; a sum that overflows saturates at WEFT_FOREVER. Timers have a
 * resolution of 33 us and never fire early.
 *
 * Where nothing else is said: any thread; not a cancellation point; not async-signal-safe.
 *
 * @n: how many, from now
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/**
 * weft_now - the time
 *
 * Return: CLOCK_MONOTONIC in nanoseconds. Any thread, any time; async-signal-safe.
 */
WEFT_API int64_t weft_now(void);

/**
 * weft_in_ns - a deadline so many nanoseconds from now
 * @ns: negative counts as 0
 *
 * Return: the deadline; at most WEFT_FOREVER. Async-signal-safe.
 */
WEFT_API int64_t weft_in_ns(int64_t ns);

static inline int64_t weft__in(int64_t n, int64_t unit_ns)
{
	return weft_in_ns(n > WEFT_FOREVER / unit_ns ? WEFT_FOREVER : n < 0 ? 0 : n * unit_ns);
}

/**
 * weft_in_us, weft_in_ms, weft_in_s - deadlines so many micro-, milli- and seconds from now
 *
 * Return: the deadline; at most WEFT_FOREVER. Async-signal-safe.
 */
#define weft_in_us(n) weft__in((n), 1000)
#define weft_in_ms(n) weft__in((n), 1000000)
#define weft_in_s(n)  weft__in((n), 1000000000)

/**
 * weft_sleep - park for at least so long
 * @duration_ns: in nanoseconds; <= 0 yields once
 *
 * A plain thread becomes a runtime by it (see weft/task.h).
 *
 * Return: 0, -ECANCELED, or the errors of making the thread a runtime. Cancellation point.
 */
WEFT_API int weft_sleep(int64_t duration_ns);

/**
 * weft_sleep_until - park until a deadline has passed
 * @deadline_ns: absolute, in nanoseconds on the weft_now() clock; WEFT_FOREVER: until a cancel
 *
 * Return: 0, -ECANCELED, or the errors of making the thread a runtime. Cancellation point.
 */
WEFT_API int weft_sleep_until(int64_t deadline_ns);

/* --- deadlines for whatever is called ----------------------------------------------------- */

/** A deadline in force. A handle: never dereference it. */
typedef struct weft_deadline weft_deadline;

/**
 * weft_deadline_push - bound every wait of the calling task until the pop
 * @ret_deadline: for weft_deadline_pop()
 * @deadline_ns:  absolute; one that has passed is in force at once; WEFT_FOREVER bounds nothing
 *
 *	weft_deadline_push(&deadline, weft_in_ms(200));
 *	rc = ask_the_database(query);           // its connects, reads, locks, sleeps: 200 ms in all
 *	late = weft_deadline_pop(deadline);     // 1: the time was up
 *
 * When the time has come the task's present wait returns -ETIMEDOUT, whatever deadline it has of
 * its own, and so does each later one at once, after others had a turn: sleeps, joins, channels,
 * locks, promises, scopes, descriptors. Hooked calls of libc fail with ETIMEDOUT; a sleep says what is left
 * of it. What needs no wait is done as ever. weft_cancelled() stays 0, and weft_task_yield()
 * returns 0. A cancel comes first where both have happened.
 *
 * Deadlines nest: the earliest of all that are in force bounds. What a cancel cannot end, a
 * deadline cannot: weft_offload() and transfers of files that have begun, weft_scope_close(),
 * the return of the mutex to who waits for a condition. It is never early, and late by the
 * resolution of timers, or for as long as the worker is kept busy.
 *
 * It is the calling task's, also in a coroutine of it; tasks that are spawned meanwhile are not
 * bounded. It counts as a cleanup that was pushed now (weft_cleanup_push()): it ends with its
 * task or with the coroutine that pushed it, and a cleanup that was pushed before can be popped
 * when it has been. A coroutine pops what it has pushed before it returns. From a plain thread
 * the first call makes that thread a runtime of one worker. Not a cancellation point.
 *
 * Return: 0, -EINVAL (negative, or @ret_deadline is NULL), -ENOMEM, or an error of making this
 * thread a runtime.
 */
WEFT_API int weft_deadline_push(weft_deadline **ret_deadline, int64_t deadline_ns);

/**
 * weft_deadline_pop - end the innermost deadline of the calling task
 * @deadline: the one that was pushed last, and not popped
 *
 * What was in force before is in force again: waits work as they did, unless a deadline around
 * this one has passed. Not a cancellation point.
 *
 * Return: 0; 1: it, or one around it, had passed, so waits may have been ended by it;
 * -EINVAL, and nothing is changed: another one is to be popped first, it has been popped, or it
 * was pushed by another task or coroutine.
 */
WEFT_API int weft_deadline_pop(weft_deadline *deadline);

/**
 * weft_deadline_get - the earliest deadline that the calling task has pushed
 *
 * Return: absolute, in nanoseconds; WEFT_FOREVER: none is in force. Any thread.
 */
WEFT_API int64_t weft_deadline_get(void);

/* --- timers ------------------------------------------------------------------------------ */

/**
 * weft_timer_new - a channel that delivers a time when it has come, once or again and again
 * @ret_timer: channel (chan.h), to be received from, selected on, closed and freed as any other
 * @when_ns:   absolute, the first time; WEFT_FOREVER: none until weft_timer_set()
 * @period_ns: nanoseconds from one tick to the next; 0: there is only one
 *
 * A receiver gets an int64_t: when the tick was due. Each tick goes to one receiver. Ticks that
 * nobody fetched before the next was due are dropped, and the rhythm is kept. A timer costs
 * nothing while nobody waits for it: no task runs, nothing is armed.
 *
 * Return: 0, -EINVAL (@ret_timer is NULL, or a time negative), -ENOMEM. Any thread.
 */
WEFT_API int weft_timer_new(weft_chan **ret_timer, int64_t when_ns, int64_t period_ns);

/**
 * weft_timer_set - change a timer's time and period
 * @timer:     made by weft_timer_new()
 * @when_ns:   absolute, the next time; WEFT_FOREVER stops it
 * @period_ns: nanoseconds from one tick to the next; 0: there is only one
 *
 * Those who wait for it go on with the new time. Return: 0, -EINVAL (no timer, a negative
 * time), -EPIPE (closed). Any thread.
 */
WEFT_API int weft_timer_set(weft_chan *timer, int64_t when_ns, int64_t period_ns);

WEFT_END_DECLS

#endif
