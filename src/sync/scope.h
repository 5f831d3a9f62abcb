/* SPDX-License-Identifier: MIT
 *
 * scope.h - a scope, its children, and who may do what to them.
 *
 * S1 The lock covers all fields but owner, id, up and cleanup, which do not change while the
 *    scope is open, and deadline, which is the owner's. inner is written by the owner alone,
 *    under the lock.
 * S2 live counts children from before their spawn until they have ended and have done all that
 *    their end does to the scope. At 0 nobody but the owner touches it, except for whoever has
 *    the lock just now, and those who cancel from outside: finish() waits for the lock once.
 * S3 A child is in the list from before its spawn to its end. When it begins it says which task
 *    it is, then looks whether the scope is cancelled; who cancels says so, then looks who
 *    has begun. All four are seq_cst: each child is cancelled by one of the two, or by both.
 * S4 error is the outcome, and written once: by whoever came first while a child was live, or
 *    by the refusal of a new one (refuse()).
 * S5 Scopes of one task lie inside one another as their cleanups do: inner is the next one.
 *    Locks are taken from the outside in, hand over hand.
 * S6 up is the scope that bounds this one: around it in the same task, or the one that its
 *    owner is a child of. It is open as long as this one is.
 *
 * The memory is a control block's (stack/slab.h): type-stable, so that a stale handle may be
 * looked at. As in a coroutine (C4), there are zeros where a task has its wait word and its id.
 */
#ifndef WEFT_SYNC_SCOPE_H
#define WEFT_SYNC_SCOPE_H

#include <stddef.h>

#include <base/list.h>
#include <core/call_timer.h>
#include <core/runtime.h>
#include <stack/slab.h>
#include <sync/party.h>
#include <weft/scope.h>

enum scope_state {
	SCOPE_ALL = WEFT_SCOPE_ALL,
	SCOPE_CANCELED = 1u << 1,
	SCOPE_EXPIRED = 1u << 2, /* its deadline did it */
	SCOPE_NESTED = 1u << 3   /* up is of the same owner: its inner is we */
};

struct scope {
	union {
		struct {
			struct waitable waitable;
			struct spinlock lock;
			_Atomic uint32_t live; /* S2; others look without the lock */
			struct list children;  /* struct child */
			uint64_t owner;        /* the task's id */
			uint64_t waiter;       /* the ticket of who waits for live == 0; or 0 */
		};
		char before_wait[offsetof(struct task, wait)];
	};
	_Atomic uint32_t no_wait;
	union {
		struct {
			int32_t error;
			_Atomic uint32_t spawned; /* for dumps */
			_Atomic uint32_t state;   /* enum scope_state; written under the lock */
		};
		char before_id[offsetof(struct task, id) - offsetof(struct task, wait) - 4];
	};
	_Atomic uint64_t no_task_id;
	_Atomic uint64_t id; /* of the numbers of tasks: its tag is in the handle */
	weft_cleanup cleanup;
	struct scope *up, *inner;
	struct scope_deadline *deadline; /* or NULL */
};

_Static_assert(sizeof(struct scope) <= BLOCK_BYTES, "fits weft__block_take()");
_Static_assert(offsetof(struct scope, no_wait) == offsetof(struct task, wait), "C4");
_Static_assert(offsetof(struct scope, no_task_id) == offsetof(struct task, id), "C4");

struct scope_deadline {
	struct call_timer call;
	struct scope *scope;
};

/** Of the heap, from its spawn until the child has ended. */
struct child {
	struct task_child base;
	struct list link; /* S3 */
	struct scope *scope;
	_Atomic(struct task *) task; /* NULL: it has not begun */
	weft_fn *fn;
	void *arg;
};

extern const struct waitable_kind weft__scope_kind;

static inline unsigned scope_state(const struct scope *scope)
{
	return atomic_load_explicit(&((struct scope *)scope)->state, memory_order_relaxed);
}

/* Lock held, or nobody else knows of it. seq_cst: S3 */
static inline void scope_set_state(struct scope *scope, unsigned bits)
{
	atomic_store(&scope->state, scope_state(scope) | bits);
}

/* relaxed: with the lock it is plain, without it only a number to look at */
static inline uint32_t scope_live(const struct scope *scope)
{
	return atomic_load_explicit(&((struct scope *)scope)->live, memory_order_relaxed);
}

static inline uint64_t scope_id(const struct scope *scope)
{
	return atomic_load_explicit(&((struct scope *)scope)->id, memory_order_relaxed);
}

/** Opened before a fork, of which this process is the child: its children are not here. */
static inline bool scope_is_foreign(const struct scope *scope)
{
	return unlikely(scope_id(scope) < weft__first_id);
}

/* A foreign one has no other user, and its lock may be that of a thread that is not here. */
static inline void scope_lock(struct scope *scope)
{
	if (!scope_is_foreign(scope))
		spin_lock(&scope->lock);
}

static inline void scope_unlock(struct scope *scope)
{
	if (!scope_is_foreign(scope))
		spin_unlock(&scope->lock);
}

static inline weft_scope *scope_handle(const struct scope *scope)
{
	return (weft_scope *)handle_pack(scope, (uint32_t)scope_id(scope));
}

/** The scope behind a handle, a foreign one too; NULL: stale, or NULL. The kind tells it from
 * whatever else the block may be by now. */
static inline struct scope *scope_of_any(const weft_scope *handle)
{
	struct scope *scope = handle_pointer((uintptr_t)handle);

	if (unlikely(!scope || scope_handle(scope) != handle ||
		     scope->waitable.kind != &weft__scope_kind))
		return NULL;
	return scope;
}

static inline struct scope *scope_of(const weft_scope *handle)
{
	struct scope *scope = scope_of_any(handle);

	return scope && !scope_is_foreign(scope) ? scope : NULL;
}

static inline bool scope_is_mine(const struct scope *scope)
{
	const struct task *self = weft__thread.task;

	return self && task_id(self) == scope->owner;
}

/** The scope that a task is a child of, or NULL. */
static inline struct scope *scope_of_child(const struct task *task)
{
	uint64_t word;

	if (!(task->flags & TASK_CHILD))
		return NULL;
	word = atomic_load_explicit(&((struct task *)task)->joiner, memory_order_relaxed);
	return container_of((struct task_child *)(uintptr_t)word, struct child, base)->scope;
}

/** Cancels the scope and those inside of it, because of @cause. Any thread. */
void weft__scope_cancel(struct scope *scope, int cause);

/** One child less; wakes the owner after the last. Lock held. */
void weft__scope_one_less(struct scope *scope);

/** The scope's cleanup. */
void weft__scope_cleanup(void *scope);

#endif
