/* SPDX-License-Identifier: MIT
 *
 * inbox.h - tasks that other threads have made ready for a worker: any thread pushes,
 * the worker takes all at once. Linked by task->next, the newest first.
 *
 * Nothing is ever taken out of the middle and the whole list is taken by one exchange, so
 * that a head which comes back after it was gone does no harm: a push that succeeds has
 * linked itself before what is the head at that moment.
 */
#ifndef WEFT_CORE_INBOX_H
#define WEFT_CORE_INBOX_H

#include <core/task.h>

/** Any thread. The task is the worker's from here on. */
static inline void inbox_push(_Atomic(struct task *) *inbox, struct task *task)
{
	struct task *head = atomic_load_explicit(inbox, memory_order_relaxed);

	/* Release pairs with inbox_take()'s acquire: what was written into the task. And
	 * seq_cst, because a look for sleepers follows (N1, idle.h). */
	do
		task->next = head;
	while (!atomic_compare_exchange_weak_explicit(inbox, &head, task, memory_order_seq_cst,
						      memory_order_relaxed));
}

/** seq_cst: the last look before a sleep (N1). */
static always_inline bool inbox_is_empty(_Atomic(struct task *) *inbox)
{
	return !atomic_load(inbox);
}

/** Takes everything; owner only. Return: a list, the oldest first; or NULL. */
static always_inline struct task *inbox_take(_Atomic(struct task *) *inbox)
{
	struct task *task, *oldest = NULL;

	/* relaxed: the exchange orders; what is missed now is found by the last look */
	if (likely(!atomic_load_explicit(inbox, memory_order_relaxed)))
		return NULL;
	/* acquire pairs with the pushes, each of which continues those before it */
	task = atomic_exchange_explicit(inbox, NULL, memory_order_acquire);
	while (task) {
		struct task *next = task->next;

		task->next = oldest;
		oldest = task;
		task = next;
	}
	return oldest;
}

#endif
