/* SPDX-License-Identifier: MIT
 *
 * scope_end.c - how a scope ends: cancel, deadline, wait, close.
 */
#include <base/clock.h>
#include <base/fault.h>
#include <core/cleanup.h>
#include <core/exit.h>
#include <sync/scope.h>

/* --- cancel ------------------------------------------------------------------------------ */

/* Lock held. False: somebody has done it before, and in those inside as well. */
static bool cancel_one(struct scope *scope, int cause)
{
	if (scope_state(scope) & SCOPE_CANCELED)
		return false;
	scope_set_state(scope, SCOPE_CANCELED | (cause == -ETIMEDOUT ? SCOPE_EXPIRED : 0));
	if (scope_live(scope) && !scope->error)
		scope->error = cause;
	for (struct list *node = scope->children.next; node != &scope->children;
	     node = node->next) {
		struct task *task = atomic_load(&container_of(node, struct child, link)->task);

		if (task)
			weft__task_cancel(task);
	}
	return true;
}

void weft__scope_cancel(struct scope *scope, int cause)
{
	spin_lock(&scope->lock);
	while (cancel_one(scope, cause) && scope->inner) {
		struct scope *inner = scope->inner; /* it cannot go: S5 */

		spin_lock(&inner->lock);
		spin_unlock(&scope->lock);
		scope = inner;
	}
	spin_unlock(&scope->lock);
}

int weft_scope_cancel(weft_scope *handle)
{
	struct scope *scope = scope_of(handle);

	if (!scope)
		return -ESRCH;
	weft__scope_cancel(scope, -ECANCELED);
	return 0;
}

/* --- deadline ---------------------------------------------------------------------------- */

static void expire(struct call_timer *call)
{
	struct scope_deadline *deadline = container_of(call, struct scope_deadline, call);

	weft__scope_cancel(deadline->scope, -ETIMEDOUT);
}

static int make_deadline(struct scope *scope)
{
	if (scope->deadline)
		return 0;
	scope->deadline = weft__calloc(1, sizeof *scope->deadline);
	if (!scope->deadline)
		return -ENOMEM;
	scope->deadline->call.fn = expire;
	scope->deadline->scope = scope;
	return 0;
}

int weft_scope_deadline(weft_scope *handle, int64_t deadline_ns)
{
	struct scope *scope = scope_of(handle);

	if (!scope)
		return -ESRCH;
	if (!scope_is_mine(scope))
		return -EPERM;
	if (deadline_ns < 0)
		return -EINVAL;
	if (make_deadline(scope) < 0)
		return -ENOMEM;
	weft__call_timer_cancel(&scope->deadline->call);
	if (deadline_ns <= weft__now())
		weft__scope_cancel(scope, -ETIMEDOUT);
	else if (deadline_ns != WEFT_FOREVER)
		weft__call_timer_arm(&scope->deadline->call, deadline_ns);
	return 0;
}

static void drop_deadline(struct scope *scope)
{
	if (!scope->deadline)
		return;
	weft__call_timer_cancel(&scope->deadline->call);
	weft__free(scope->deadline);
}

/* --- wait ------------------------------------------------------------------------------- */

/* Lock held, before and after. A function of its own: a movable task may come back in another
 * thread, and whoever calls it again must not have kept the address of weft__thread. */
static noinline int await_once(struct scope *scope, struct task *self, int64_t deadline_ns,
			       uint32_t bits)
{
	int rc;

	if (deadline_ns == WEFT_NOWAIT)
		return -EAGAIN;
	if (unlikely(!party_begin_with(self, bits)))
		return weft__park_refusal(self);
	scope->waiter = party_ticket(self);
	spin_unlock(&scope->lock);
	rc = party_park(self, &scope->waitable, deadline_ns);
	spin_lock(&scope->lock);
	scope->waiter = 0;
	return rc;
}

/* Until no child is left. Return: 0; or why not: -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM. The
 * last look is under the lock, and decides: who was woken late is not told of it. */
static int await(struct scope *scope, struct task *self, int64_t deadline_ns, uint32_t bits)
{
	int rc = 0;

	spin_lock(&scope->lock);
	while (scope_live(scope) && rc == 0)
		rc = await_once(scope, self, deadline_ns, bits);
	if (!scope_live(scope))
		rc = 0;
	spin_unlock(&scope->lock);
	return rc;
}

/* Whatever happens meanwhile. */
static void await_shielded(struct scope *scope, struct task *self)
{
	while (await(scope, self, WEFT_FOREVER, WAIT_SHIELD) < 0)
		;
}

int weft_scope_wait(weft_scope *handle, int64_t deadline_ns)
{
	struct scope *scope = scope_of(handle);
	struct task *self = weft__thread.task;
	int rc;

	if (unlikely(!scope))
		return -ESRCH;
	if (unlikely(!scope_is_mine(scope)))
		return -EPERM;
	rc = await(scope, self, deadline_ns, 0);
	if (unlikely(rc == -ECANCELED)) {
		weft__scope_cancel(scope, -ECANCELED);
		await_shielded(scope, self);
		rc = 0;
	}
	return rc < 0 ? rc : scope->error;
}

/* --- close ----------------------------------------------------------------------------- */

static void leave_outer(struct scope *scope)
{
	struct scope *outer = scope->up;

	if (!(scope_state(scope) & SCOPE_NESTED))
		return;
	scope_lock(outer);
	outer->inner = NULL;
	scope_unlock(outer);
	scope_lock(scope); /* who came in through outer->inner has gone (S2) */
	scope_unlock(scope);
}

/* Its cleanup is off the list, and so are those of the scopes inside. @self: who waits for what
 * is left of it. */
static void finish(struct scope *scope, struct task *self)
{
	if (!scope_is_foreign(scope)) {
		weft__scope_cancel(scope, -ECANCELED);
		await_shielded(scope, self);
	}
	leave_outer(scope);
	drop_deadline(scope);
	/* From here on every handle is stale, as of a task. */
	atomic_store_explicit(&scope->id, 0, memory_order_relaxed);
	weft__block_give(scope);
}

/* When its runtime has ended, so have the children: then a plain thread, whose coroutine it was,
 * may come here, and waits for nothing. */
void weft__scope_cleanup(void *scope)
{
	finish(scope, weft__thread.task);
}

/* The list of cleanups that the caller may change, or NULL. */
static weft_cleanup **running_list(void)
{
	return weft__thread.coroutine || weft__thread.task->ext ? weft__cleanup_list() : NULL;
}

/* Takes its cleanup off; false: it is not in there. */
static bool unlink_from(weft_cleanup **list, const struct scope *scope)
{
	while (*list && *list != &scope->cleanup)
		list = &(*list)->weft__next;
	if (!*list)
		return false;
	*list = scope->cleanup.weft__next;
	return true;
}

static int outcome(struct scope *scope)
{
	int rc;

	scope_lock(scope);
	rc = scope->error;
	scope_unlock(scope);
	return rc;
}

/* The innermost first; all of them are in the list. */
static void close_inner(struct scope *scope, weft_cleanup **list, struct task *self)
{
	struct scope *inner;

	while (scope->inner) {
		for (inner = scope->inner; inner->inner;)
			inner = inner->inner;
		unlink_from(list, inner);
		finish(inner, self);
	}
}

int weft_scope_close(weft_scope *handle)
{
	struct scope *scope = scope_of_any(handle);
	struct task *self = weft__thread.task;
	weft_cleanup **list;
	int rc;

	if (!handle)
		return 0;
	if (!scope)
		return -ESRCH;
	if (!scope_is_mine(scope))
		return -EPERM;
	list = running_list();
	if (!list || !unlink_from(list, scope))
		return -EPERM;
	rc = outcome(scope);
	if (!scope_is_foreign(scope))
		weft__scope_cancel(scope, -ECANCELED);
	close_inner(scope, list, self);
	finish(scope, self);
	return rc;
}
