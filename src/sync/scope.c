/* SPDX-License-Identifier: MIT
 *
 * scope.c - a scope opens; its children begin and end. scope_end.c has the rest.
 */
#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <sync/scope.h>

/* --- what onlookers are told ---------------------------------------------------------- */

static size_t describe(const struct waitable *object, char *buf, size_t size)
{
	struct scope *scope = container_of((struct waitable *)object, struct scope, waitable);

	return weft__format(buf, size, "%u of %u children left", scope_live(scope),
			    atomic_load_explicit(&scope->spawned, memory_order_relaxed));
}

/* Might its children be cancelled although all of them are stuck: by a sibling that fails, or by a
 * deadline, of this scope or of one around it? */
static bool may_be_cut_short(const struct scope *scope)
{
	enum { LOOKS = 16 };
	struct scope at;

	if (scope_live(scope) != 1 && !(scope_state(scope) & SCOPE_ALL))
		return true;
	at = *scope;
	for (unsigned look = 0; look < LOOKS && !at.deadline; look++)
		if (!(scope_state(&at) & SCOPE_NESTED) ||
		    !weft__peek(&at, (uintptr_t)at.up, sizeof at))
			return false;
	return true;
}

/* One of those whom the owner waits for, if nothing but its end can end the wait: a circle through
 * here is taken for one that stays. Whatever this reads may be gone. */
static struct task *holder(const struct waitable *object)
{
	const struct scope *scope = container_of((struct waitable *)object, struct scope, waitable);
	struct scope copy;
	struct child child;

	if (!weft__peek(&copy, (uintptr_t)scope, sizeof copy) ||
	    copy.children.next == &scope->children || !copy.children.next ||
	    may_be_cut_short(&copy) ||
	    !weft__peek(&child, (uintptr_t)container_of(copy.children.next, struct child, link),
			sizeof child) ||
	    child.scope != scope)
		return NULL;
	return atomic_load_explicit(&child.task, memory_order_relaxed);
}

const struct waitable_kind weft__scope_kind = { .noun = "scope",
						.describe = describe,
						.holder = holder };

/* --- opening ------------------------------------------------------------------------ */

/* The newest scope that was pushed before. */
static struct scope *around(const struct scope *scope)
{
	weft_cleanup *node = scope->cleanup.weft__next;

	while (node && node->weft__fn != weft__scope_cleanup)
		node = node->weft__next;
	return node ? node->weft__arg : NULL;
}

/* A coroutine may go on when the task that it began in has ended: what it opens is bounded by
 * nothing else. */
static void nest(struct scope *scope)
{
	struct scope *outer = around(scope);

	if (!outer) {
		if (!weft__thread.coroutine)
			scope->up = scope_of_child(weft__thread.task);
		return;
	}
	scope->up = outer;
	scope_set_state(scope, SCOPE_NESTED);
	scope_lock(outer);
	scope_set_state(scope, scope_state(outer) & (SCOPE_CANCELED | SCOPE_EXPIRED));
	outer->inner = scope;
	scope_unlock(outer);
}

static void init(struct scope *scope, unsigned flags)
{
	scope->waitable.kind = &weft__scope_kind;
	list_init(&scope->children);
	scope->owner = task_id(weft__thread.task);
	scope_set_state(scope, flags);
	atomic_store_explicit(&scope->id, weft__runtime_next_id(weft__thread.worker),
			      memory_order_relaxed);
}

int weft_scope_open(weft_scope **ret_scope, unsigned flags)
{
	struct scope *scope;
	int rc = 0;

	if (!ret_scope || flags & ~(unsigned)WEFT_SCOPE_ALL)
		return -EINVAL;
	if (!weft__task_self(&rc))
		return rc;
	scope = weft__block_take();
	if (!scope)
		return -ENOMEM;
	rc = weft_cleanup_push(&scope->cleanup, weft__scope_cleanup, scope);
	if (rc < 0) {
		weft__block_give(scope);
		return rc;
	}
	init(scope, flags);
	nest(scope);
	*ret_scope = scope_handle(scope);
	return 0;
}

/* --- the life of a child --------------------------------------------------------------- */

void weft__scope_one_less(struct scope *scope)
{
	uint32_t left = scope_live(scope) - 1;

	atomic_store_explicit(&scope->live, left, memory_order_relaxed);
	if (left == 0 && scope->waiter)
		weft__wake(scope->waiter, 0);
}

/* Lock held. True: it is the outcome, and the others are to be told. */
static bool take_failure(struct scope *scope, int value)
{
	if (value >= 0 || scope->error || (scope_state(scope) & SCOPE_CANCELED))
		return false;
	scope->error = value;
	return !(scope_state(scope) & SCOPE_ALL);
}

/* The last deed of the task, on its stack. */
static void child_ended(struct task_child *base, int value)
{
	struct child *child = container_of(base, struct child, base);
	struct scope *scope = child->scope;

	spin_lock(&scope->lock);
	list_remove(&child->link);
	if (unlikely(take_failure(scope, value))) {
		spin_unlock(&scope->lock);
		weft__scope_cancel(scope, -ECANCELED); /* S2: we still count */
		spin_lock(&scope->lock);
	}
	weft__scope_one_less(scope);
	spin_unlock(&scope->lock);
	weft__free(child);
}

static int child_main(void *arg)
{
	struct child *child = arg;
	struct scope *scope = child->scope;
	struct task *self = weft__thread.task;

	self->flags |= TASK_CHILD;
	/* relaxed: those who read it otherwise than by an exchange are in this task */
	atomic_store_explicit(&self->joiner, (uintptr_t)&child->base, memory_order_relaxed);
	if (weft__single_threaded())
		atomic_store_explicit(&child->task, self, memory_order_relaxed);
	else
		atomic_store(&child->task, self); /* S3 */
	if (unlikely(atomic_load(&scope->state) & SCOPE_CANCELED))
		weft__task_cancel(self);
	return child->fn(child->arg);
}

/* --- spawn ----------------------------------------------------------------------------- */

/* Does the caller live inside? */
static bool may_spawn(const struct scope *scope)
{
	const struct scope *at;

	if (likely(scope_is_mine(scope)))
		return true;
	at = weft__thread.task ? scope_of_child(weft__thread.task) : NULL;
	while (at && at != scope)
		at = at->up;
	return at != NULL;
}

/* Lock held. What has been cancelled in vain so far is not any more (S4). */
static int refuse(struct scope *scope)
{
	if (!scope->error)
		scope->error = scope_state(scope) & SCOPE_EXPIRED ? -ETIMEDOUT : -ECANCELED;
	return -ECANCELED;
}

/* Lock held. */
static void count_spawned(struct scope *scope, uint32_t change)
{
	uint32_t spawned = atomic_load_explicit(&scope->spawned, memory_order_relaxed);

	atomic_store_explicit(&scope->spawned, spawned + change, memory_order_relaxed);
}

static int admit(struct scope *scope, struct child *child)
{
	int rc = 0;

	spin_lock(&scope->lock);
	if (unlikely(scope_state(scope) & SCOPE_CANCELED)) {
		rc = refuse(scope);
	} else {
		atomic_store_explicit(&scope->live, scope_live(scope) + 1, memory_order_relaxed);
		count_spawned(scope, 1);
		list_push_back(&scope->children, &child->link);
	}
	spin_unlock(&scope->lock);
	return rc;
}

static void take_back(struct scope *scope, struct child *child)
{
	spin_lock(&scope->lock);
	list_remove(&child->link);
	count_spawned(scope, -1u);
	weft__scope_one_less(scope);
	spin_unlock(&scope->lock);
}

int weft_scope_spawn_at(weft_scope *handle, const weft_attr *attr, weft_fn *fn, void *arg,
			const char *site)
{
	struct scope *scope = scope_of(handle);
	struct child *child;
	int rc;

	if (unlikely(!scope))
		return -ESRCH;
	if (unlikely(!may_spawn(scope)))
		return -EPERM;
	if (unlikely(!fn))
		return -EINVAL;
	child = weft__malloc(sizeof *child);
	if (unlikely(!child))
		return -ENOMEM;
	child->base.ended = child_ended;
	child->scope = scope;
	atomic_store_explicit(&child->task, NULL, memory_order_relaxed);
	child->fn = fn;
	child->arg = arg;
	rc = admit(scope, child);
	if (likely(rc == 0)) {
		/* From here on it may run, and end, elsewhere. */
		rc = weft_spawn_at(NULL, attr, child_main, child, site);
		if (likely(rc == 0))
			return 0;
		take_back(scope, child);
	}
	weft__free(child);
	return rc;
}

int weft_scope_left(weft_scope *handle)
{
	struct scope *scope = scope_of(handle);

	return scope ? (int)scope_live(scope) : -ESRCH;
}

int weft_scope_cancelled(weft_scope *handle)
{
	struct scope *scope = scope_of(handle);

	return scope ? (scope_state(scope) & SCOPE_CANCELED) != 0 : -ESRCH;
}
