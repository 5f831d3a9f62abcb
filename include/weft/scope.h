/* SPDX-License-Identifier: MIT
 *
 * weft/scope.h - structured concurrency: tasks that end before the block that began them.
 *
 *	weft_scope *scope;
 *
 *	weft_scope_open(&scope, 0);
 *	weft_scope_deadline(scope, weft_in_s(2));
 *	for (i = 0; i < n; i++)
 *		weft_scope_go(scope, fetch, &pages[i]);
 *	rc = weft_scope_wait(scope, WEFT_FOREVER);      // 0, or why they were cut short
 *	weft_scope_close(scope);                        // nothing of it is alive after this
 *
 * A scope belongs to the task that opened it, its owner. Its children are tasks; nobody
 * holds a handle of them, the scope joins them all. Nothing outlives its scope: it is closed
 * by weft_scope_close(), or, as a cleanup, when its owner ends in whatever way (a return from
 * its body, weft_exit(), pthread_exit()) or the coroutine that opened it is freed; closing
 * cancels the children that are left and waits for them.
 *
 * One cause, one outcome. The first of these decides what the scope comes to, and each of
 * them cancels all children: a child that returns a negative value, weft_scope_cancel(), the
 * scope's deadline, a cancel of the owner that ends its wait. What children return after that
 * is not asked for. A cancel or a deadline that finds no child alive has come too late:
 * the outcome stays what the children made it, and only new ones are refused.
 *
 * Nested scopes: one that its owner opens while another of its own is open lies inside that
 * one, and is cancelled and closed with it. A child that opens a scope is told by its own
 * cancel, which ends its waits, that of its scope too, and so the grandchildren. The owner
 * itself is not cancelled with its scope: see weft_scope_cancelled().
 *
 * A handle is good until the scope is closed; from then on all calls answer -ESRCH, also
 * when its memory serves another scope by now. No call may race the close but the children's.
 * Children may use the handle, also when their owner has a shared stack.
 *
 * Where nothing else is said: the task only that opened the scope; not a cancellation point; not
 * async-signal-safe.
 *
 * @scope: an open scope
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** An open scope. A handle: never dereference it. */
typedef struct weft_scope weft_scope;

enum weft_scope_flags {
	/** A child that fails does not cancel the others: all run to their ends, and
	 * weft_scope_wait() then returns the first error. Cancel and deadline act as ever. */
	WEFT_SCOPE_ALL = 1u << 0
};

/**
 * weft_scope_open - open a scope; the calling task is its owner
 * @ret_scope: its handle
 * @flags:     0 or WEFT_SCOPE_ALL
 *
 * From a plain thread the first call makes that thread a runtime of one worker, as
 * weft_go() does. Such a scope is closed by its thread: there is nobody to do it when the
 * thread has ended.
 *
 * To weft_cleanup_push() it counts as a cleanup that was pushed now: one that was pushed
 * before can be popped when the scope is closed, and the scope may be closed before one
 * that was pushed later. Inside a cancelled scope of the same owner it is cancelled from
 * the start. Not a cancellation point.
 *
 * In the child of a fork(2) scopes that were opened before answer -ESRCH: their children are not
 * there.
 *
 * Return: 0, -EINVAL (unknown flag, or @ret_scope is NULL), -ENOMEM, or an error of making this
 * thread a runtime.
 */
WEFT_API int weft_scope_open(weft_scope **ret_scope, unsigned flags);

/**
 * weft_scope_spawn - make a task that is the scope's child
 * @scope: an open scope
 * @attr:  as for weft_spawn(); NULL: the defaults
 * @fn:    the child's body; a negative result is a failure of the scope
 * @arg:   passed to @fn
 * @site:  where it is spawned, for dumps: a string that stays, as WEFT_HERE
 *
 * Any task that lives inside of the scope: the owner, its children, the children of scopes
 * inside of it, and theirs. Never waits. A child that was made runs, also when it is
 * cancelled before it begins: what @arg refers to is its own to release.
 * The macro records file and line.
 *
 * Return: 0; -ECANCELED (the scope has been cancelled, by whatever cause; this refusal makes
 * that cause its outcome, if it had none); -EPERM (the caller lives outside); -ESRCH;
 * -EINVAL (fn is NULL, bad attr); -ENOMEM. Not a cancellation point.
 */
WEFT_API int weft_scope_spawn_at(weft_scope *scope, const weft_attr *attr, weft_fn *fn, void *arg,
				 const char *site);
#define weft_scope_spawn(scope, attr, fn, arg) \
	weft_scope_spawn_at((scope), (attr), (fn), (arg), WEFT_HERE)

/** weft_scope_go - weft_scope_spawn() with the defaults */
#define weft_scope_go(scope, fn, arg) weft_scope_spawn_at((scope), NULL, (fn), (arg), WEFT_HERE)

/**
 * weft_scope_wait - wait until all children have ended
 * @scope:       a scope of the calling task
 * @deadline_ns: absolute, of this wait alone; WEFT_NOWAIT asks once; WEFT_FOREVER
 *
 * A cancel of the caller that ends this wait cancels the children; the call then waits, without
 * regard to cancel and deadline, until they have ended. The scope stays open afterwards: for
 * another wait, which returns the same, and for new children if it is not cancelled.
 *
 * Return, with no child left: 0, or the scope's outcome: the negative value that the first
 * child failed with, -ECANCELED (cancelled, or its owner), -ETIMEDOUT (its own deadline).
 * With children left: -EAGAIN (WEFT_NOWAIT), -ENOMEM (no memory for a timer), -ETIMEDOUT
 * (@deadline_ns). Which -ETIMEDOUT it was, a second call with WEFT_NOWAIT tells: it returns the
 * outcome, or -EAGAIN.
 * -ESRCH; -EPERM (not the owner). Cancellation point.
 */
WEFT_API int weft_scope_wait(weft_scope *scope, int64_t deadline_ns);

/**
 * weft_scope_cancel - cancel all children, as by weft_cancel(), and accept no new ones
 *
 * Those of the scopes that the owner has opened inside of this one, too. Does not wait.
 * Any thread, as long as the scope is not being closed meanwhile.
 *
 * Return: 0, also when it is cancelled already; -ESRCH. Not a cancellation point.
 */
WEFT_API int weft_scope_cancel(weft_scope *scope);

/**
 * weft_scope_deadline - cancel the scope at a certain time
 * @scope:       a scope of the calling task
 * @deadline_ns: absolute; WEFT_FOREVER: no more; one that has passed cancels at once
 *
 * Replaces the deadline that was set before, if that has not come yet. The children are
 * cancelled even while their owner computes or waits for something else, as soon as any worker
 * that may looks at its clock. The owner's own waits are not bounded by it.
 *
 * Return: 0, -EINVAL (negative), -ESRCH, -EPERM (not the owner), -ENOMEM (nothing changed).
 * Not a cancellation point.
 */
WEFT_API int weft_scope_deadline(weft_scope *scope, int64_t deadline_ns);

/**
 * weft_scope_left - how many children have not ended yet
 *
 * Return: the number, -ESRCH. Any thread.
 */
WEFT_API int weft_scope_left(weft_scope *scope);

/**
 * weft_scope_cancelled - ask whether the scope has been cancelled, by whatever cause
 *
 * Return: 1 when it has been, else 0, -ESRCH. Any thread.
 */
WEFT_API int weft_scope_cancelled(weft_scope *scope);

/**
 * weft_scope_close - cancel the children that are left, wait for them, drop the handle
 * @scope: a scope of the calling task, or NULL (which does nothing)
 *
 * In the coroutine that opened it, if one did. Scopes that the owner has opened inside of it
 * are closed before it. The wait is not ended by a cancel or a weft_deadline.
 *
 * Return: what its outcome was when the call began, 0 if it had none; -ESRCH; -EPERM (not the
 * owner, or another coroutine: it stays open). Not a cancellation point.
 */
WEFT_API int weft_scope_close(weft_scope *scope);

WEFT_END_DECLS

#endif
