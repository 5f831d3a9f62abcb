/* SPDX-License-Identifier: MIT
 *
 * weft/promise.h - promises: a value that will be there one day, or the reason why it never
 * will.
 *
 * A promise is pending until it is settled, once and for all: resolved with a value, rejected
 * with an error, or cancelled. The first settle wins, every later one answers -EALREADY. Any
 * number of parties wait for it; each continues where it waited, a task on its own worker.
 *
 *	weft_promise *answer;
 *	void *value;
 *
 *	weft_promise_new(&answer);
 *	start_work(weft_promise_ref(answer));        // another thread: weft_promise_resolve()
 *	rc = weft_await(answer, weft_in_s(1), &value);
 *	weft_promise_free(answer);
 *
 * Every function may be called by tasks of any runtime and by plain threads, many at once,
 * those that weft has never seen included: a task that waits parks, a thread sleeps.
 * A promise is counted: whoever uses it holds a reference, or knows
 * that somebody does.
 *
 * Whose the value is: weft_promise_resolve() that returns 0 has given it away, to whoever
 * gets it by weft_await() and the like; on an error it is still the caller's. All who await get
 * the same pointer, and must agree on who disposes of it. A value that nobody got goes to the
 * destructor, if there is one (weft_promise_destructor()).
 *
 * Where nothing else is said: any task or thread, many at once; not a cancellation point; not
 * async-signal-safe.
 *
 * @promise: promise
 */
#ifndef WEFT_PROMISE_H
#define WEFT_PROMISE_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** A value to come. */
typedef struct weft_promise weft_promise;

enum weft_promise_state {
	WEFT_PROMISE_PENDING,
	WEFT_PROMISE_RESOLVED,
	WEFT_PROMISE_REJECTED,
	WEFT_PROMISE_CANCELLED
};

/**
 * weft_promise_new - make a pending promise
 * @ret_promise: the promise; one reference, the caller's
 *
 * Return: 0, -EINVAL (@ret_promise is NULL), -ENOMEM.
 */
WEFT_API int weft_promise_new(weft_promise **ret_promise);

/**
 * weft_promise_ref - one reference more
 * @promise: promise, or NULL (which does nothing)
 *
 * Return: @promise.
 */
WEFT_API weft_promise *weft_promise_ref(weft_promise *promise);

/**
 * weft_promise_free - drop a reference; the last one frees the promise
 * @promise: promise, or NULL
 *
 * If it is still pending then, nobody can settle it any more: what waits for it by
 * weft_promise_then() or weft_promise_chain() is told -EPIPE. Ends the process when somebody
 * still awaits it: that one has no reference.
 */
WEFT_API void weft_promise_free(weft_promise *promise);

/**
 * weft_promise_destructor - what becomes of a value that nobody got
 * @promise:    promise, in any state
 * @destructor: called with the value, once, by the free of the last reference: if the promise
 *              was resolved, and no weft_await() or weft_await_progress() has returned the value
 *              and no callback was given it. NULL: the value is forgotten
 *
 * Return: 0, -EINVAL (promise is NULL).
 */
WEFT_API int weft_promise_destructor(weft_promise *promise, void (*destructor)(void *value));

/**
 * weft_promise_resolve - settle with a value
 * @promise: promise
 * @value:   anything, NULL too
 *
 * Wakes all who wait and runs the callbacks, on the calling thread.
 *
 * Return: 0: the value is given away; -EALREADY: it was settled or cancelled before, and
 * the value is still the caller's; -EINVAL (@promise is NULL).
 */
WEFT_API int weft_promise_resolve(weft_promise *promise, void *value);

/**
 * weft_promise_reject - settle with an error
 * @promise: promise
 * @error:   a negative errno, -4095 to -1: what weft_await() will return
 *
 * Return: 0, -EALREADY, -EINVAL (promise is NULL, not such an error).
 */
WEFT_API int weft_promise_reject(weft_promise *promise, int error);

/**
 * weft_promise_cancel - tell all sides that the value is not wanted any more
 * @promise: promise
 *
 * One of settle and cancel wins. When it is the cancel, weft_await() returns -ECANCELED, the
 * callbacks of weft_promise_on_cancel() run on the calling thread, and the producer's
 * weft_promise_resolve() answers -EALREADY.
 *
 * Return: 0, -EALREADY (settled or cancelled before), -EINVAL (NULL).
 */
WEFT_API int weft_promise_cancel(weft_promise *promise);

/**
 * weft_promise_on_cancel - have the producer told of a cancel
 * @promise: promise
 * @fn:      called once, with @arg, if the promise is cancelled: on the cancelling thread,
 *           after those who wait have been woken; at once if it has been cancelled already
 * @arg:     passed to it; the caller's, called or not
 *
 * @fn should not wait for long: whoever cancels waits with it.
 *
 * Return: 0; -EALREADY: it is settled, and @fn will not be called; -EINVAL (promise or fn is
 * NULL); -ENOMEM.
 */
WEFT_API int weft_promise_on_cancel(weft_promise *promise, void (*fn)(void *arg), void *arg);

/**
 * weft_promise_state - what has become of it so far
 *
 * Return: an enum weft_promise_state, -EINVAL (@promise is NULL).
 */
WEFT_API int weft_promise_state(const weft_promise *promise);

/**
 * weft_await - wait until a promise is settled
 * @promise:     promise; the caller holds a reference
 * @deadline_ns: absolute, weft_now() clock; WEFT_NOWAIT asks once; WEFT_FOREVER waits
 * @ret_value:   the value, when it is resolved; untouched on error. NULL: it stays in the
 *               promise, as if nobody had got it
 *
 * What is settled is delivered whatever else holds, a deadline in the past and a cancelled task
 * included, without a lock.
 *
 * Return: 0 (resolved); the error of a rejected one; -ECANCELED: the promise has been
 * cancelled (weft_promise_state() is WEFT_PROMISE_CANCELLED), or it is pending and the calling
 * task has been (weft_cancelled() is 1); -EAGAIN (WEFT_NOWAIT), -ETIMEDOUT, -ENOMEM (nothing
 * to wait with), -EINVAL (NULL). Where an error could be either side's, weft_promise_state()
 * tells: pending means that it was the wait's.
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_await(weft_promise *promise, int64_t deadline_ns, void **ret_value);

/**
 * weft_await_all - wait until all of them are resolved, or one has failed
 * @promises:    the same one may stand there more than once
 * @count:       how many, at most INT_MAX; of none all are resolved
 * @deadline_ns: as in weft_await()
 *
 * Values stay in the promises: weft_await() gets them without waiting. When one is
 * rejected or cancelled the wait is over and the others go on: cancel them, or await them.
 *
 * Return: 0 (all resolved); the error of one that is rejected, -ECANCELED of one that is
 * cancelled; -ECANCELED (of the calling task), -EAGAIN, -ETIMEDOUT; -ENOMEM; -EINVAL (a
 * NULL among them, count).
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_await_all(weft_promise *const *promises, unsigned count, int64_t deadline_ns);

/**
 * weft_await_any - wait until one of them is settled
 * @promises:    as in weft_await_all()
 * @count:       how many, 1 to INT_MAX
 * @deadline_ns: as in weft_await()
 * @ret_index:   which one: settled in any way, weft_await() tells how. The lowest when several
 *               were settled before
 *
 * Return: 0, -ECANCELED (the calling task), -EAGAIN, -ETIMEDOUT, -ENOMEM, -EINVAL (a NULL
 * among them or for ret_index, count).
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_await_any(weft_promise *const *promises, unsigned count, int64_t deadline_ns,
			    unsigned *ret_index);

/**
 * weft_promise_progress - say how far it has come
 * @promise: promise
 * @value:   anything; it replaces the last one, which is forgotten: so let it be a number, or
 *           point to what lasts as long as the promise
 *
 * Return: 0, -EALREADY (settled or cancelled: time to stop), -EINVAL (NULL).
 */
WEFT_API int weft_promise_progress(weft_promise *promise, void *value);

/**
 * weft_await_progress - wait for newer progress, or the settle
 * @promise:     promise
 * @seen:        number of the progress that the caller knows, 0 at first; updated when there
 *               is a newer one
 * @deadline_ns: as in weft_await()
 * @ret_value:   the newest progress, or the value; NULL: it is not wanted
 *
 * Progress that is replaced before the caller looks is not seen; the settle always is.
 *
 * Return: 1: there is newer progress; 0: resolved; else what weft_await() returns. -EINVAL:
 * promise or seen is NULL.
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_await_progress(weft_promise *promise, uint64_t *seen, int64_t deadline_ns,
				 void **ret_value);

/** Called with the outcome of a promise: error 0 and the value; or a negative errno (-ECANCELED
 * when it was cancelled, -EPIPE when it was given up) and NULL. */
typedef void weft_promise_fn(void *arg, int error, void *value);

/**
 * weft_promise_then - have a function called when it is settled
 * @promise: promise
 * @fn:      called exactly once: at the settle, on the settling thread, after those who wait
 *           have been woken, in the order in which they were given; or at once, when it is
 *           settled already. It should not wait for long: whoever settles waits with it
 * @arg:     passed to it
 *
 * Return: 0, -EINVAL (promise or fn is NULL), -ENOMEM: it will not be called.
 */
WEFT_API int weft_promise_then(weft_promise *promise, weft_promise_fn *fn, void *arg);

/** Makes one outcome of another: 0, with the value in *ret_value (NULL at first), or a negative
 * errno. Gets what a weft_promise_fn gets. */
typedef int weft_chain_fn(void *arg, int error, void *value, void **ret_value);

/**
 * weft_promise_chain - a promise of what will be made of this one's outcome
 * @promise:     promise
 * @fn:          called as by weft_promise_then(); its result settles the new promise
 * @arg:         passed to it
 * @ret_promise: the new promise; one reference, the caller's
 *
 * To pass an error on, return it. Chains of any length are settled without recursion. A cancel
 * of the new promise does not reach @promise: use weft_promise_on_cancel() for that. A value
 * that comes when the new promise has been cancelled goes to that one's destructor.
 *
 * Return: 0, -EINVAL (promise, fn or ret_promise is NULL), -ENOMEM: @fn will not be called.
 */
WEFT_API int weft_promise_chain(weft_promise *promise, weft_chain_fn *fn, void *arg,
				weft_promise **ret_promise);

WEFT_END_DECLS

#endif
