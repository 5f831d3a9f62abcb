/* SPDX-License-Identifier: MIT
 *
 * promise.h - a promise from inside: a state, and three lists of who wants to know.
 *
 *   PENDING --weft__promise_settle--> RESOLVED, REJECTED or CANCELLED, for good
 *
 * P1 The lock covers everything but the state of a settled promise. Value and error are written
 *    before the state, and never again: who has seen a state other than PENDING reads them
 *    without the lock.
 * P2 The settle empties all lists under the lock and nothing is queued afterwards. Parties
 *    are claimed there and woken when the lock is free; until then their nodes are the
 *    settler's (Q2, Q3).
 * P3 A watch is its owner's memory. It is touched under the lock only: once
 *    weft__promise_unwatch() has returned it may go.
 * P4 Callbacks run without the lock, each once: whoever takes it off the list runs it.
 */
#ifndef WEFT_SYNC_PROMISE_H
#define WEFT_SYNC_PROMISE_H

#include <sync/waitq.h>
#include <weft/promise.h>

/** A callback that waits for the settle. On the heap. */
struct reaction {
	struct reaction *next;
	enum reaction_kind { REACT_THEN, REACT_CANCEL, REACT_CHAIN } kind;
	union {
		weft_promise_fn *then;
		void (*cancel)(void *arg);
		weft_chain_fn *chain;
	} fn;
	void *arg;
	weft_promise *derived; /* REACT_CHAIN: a reference */
	/* The outcome, once it is there: */
	uint32_t state;
	int error;
	void *value;
};

struct weft_promise {
	struct waitable waitable;
	struct spinlock lock;
	_Atomic uint32_t state; /* enum weft_promise_state */
	_Atomic uint32_t refs;
	int error;
	void *value;
	void (*destructor)(void *value);
	struct waitq waiters;   /* of weft_await() */
	struct waitq followers; /* of weft_await_progress() */
	struct list watches;
	struct reaction *reactions, **last_reaction;
	void *progress;
	uint64_t progress_count;
	struct task *_Atomic producer; /* for onlookers: who is expected to settle it; or NULL */
	uint32_t waiting;              /* for onlookers: how many parties wait */
	_Atomic bool delivered;        /* somebody has got the value */
};

/** What a party is woken with. */
enum { PROMISE_SETTLED = 1, PROMISE_PROGRESS = 2 };

static inline uint32_t promise_state(const weft_promise *promise)
{
	/* acquire pairs with the release in weft__promise_settle(): P1 */
	return atomic_load_explicit(&((weft_promise *)promise)->state, memory_order_acquire);
}

static inline bool promise_settled(const weft_promise *promise)
{
	return promise_state(promise) != WEFT_PROMISE_PENDING;
}

static inline void promise_set_delivered(weft_promise *promise)
{
	/* relaxed: the free of the last reference comes after all uses, and it alone asks */
	if (!atomic_load_explicit(&promise->delivered, memory_order_relaxed))
		atomic_store_explicit(&promise->delivered, true, memory_order_relaxed);
}

/** What weft_await() returns of a settled one. */
static inline int promise_outcome(weft_promise *promise, void **ret_value)
{
	if (promise->error < 0)
		return promise->error;
	if (ret_value) {
		promise_set_delivered(promise);
		*ret_value = promise->value;
	}
	return 0;
}

/** For dumps: @task is who is going to settle it. */
static inline void promise_set_producer(weft_promise *promise, struct task *task)
{
	atomic_store_explicit(&promise->producer, task, memory_order_relaxed);
}

/* --- promise.c ---------------------------------------------------------------------------- */

/** Settles, and wakes whoever waits. The callbacks are the caller's to run, by
 * weft__promise_react(). 0 or -EALREADY. */
int weft__promise_settle(weft_promise *promise, enum weft_promise_state state, int error,
			 void *value, struct reaction **ret_reactions);

/* --- promise_then.c ------------------------------------------------------------------------- */

/** Runs the callbacks of a settle, and of what they settle in turn; frees them. */
void weft__promise_react(struct reaction *list);

/* --- promise_watch.c ------------------------------------------------------------------------ */

/** Memory for watching, given by the caller: on the heap, or in the frame of a private stack. */
struct promise_watch {
	struct list link;
	uint64_t ticket;
	int result;
	_Atomic uint32_t *left; /* of weft_await_all(): how many are to come; or NULL */
};

/**
 * weft__promise_watch - have a wait ended by the settle
 * @watch:  stays the promise's until weft__promise_unwatch()
 * @ticket: of the wait; @result: what to wake it with
 *
 * Return: 1: it is settled already, nothing was queued; 0: weft__wake(ticket, result) will be
 * called once, by the settle.
 */
int weft__promise_watch(weft_promise *promise, struct promise_watch *watch, uint64_t ticket,
			int result);

/** Undoes it, whether it has fired or not; after a watch that returned 0. */
void weft__promise_unwatch(weft_promise *promise, struct promise_watch *watch);

/** Wakes those who watch. Lock held; part of the settle. */
void weft__promise_wake_watches(weft_promise *promise, enum weft_promise_state state);

#endif
