/* SPDX-License-Identifier: MIT
 *
 * injector.h - tasks of a runtime that no worker has: what overflows a ring, and what
 * threads outside of the runtime spawn. A FIFO linked by task->next.
 *
 * I1 head, tail and the links between belong to the holder of lock.
 * I2 count is written under the lock and says how long the list is; it may be read
 *    without. A push stores it seq_cst, and injector_count() is a seq_cst load: who
 *    pushes and then looks for sleepers, and who announces its sleep and then looks
 *    here, cannot miss each other (core/idle.h).
 *
 * A lock, because tasks come and go in batches: it is taken once a batch, and a worker
 * that finds count to be 0 does not take it at all.
 */
#ifndef WEFT_CORE_INJECTOR_H
#define WEFT_CORE_INJECTOR_H

#include <base/atomic.h>

struct task;

/** Zeroed is empty. */
struct injector {
	_Alignas(64) struct spinlock lock;
	_Atomic uint32_t count;
	struct task *head, *tail; /* tail is valid only while head is not NULL */
};

/** How many there were a moment ago. Any thread. */
static always_inline unsigned injector_count(struct injector *injector)
{
	return atomic_load(&injector->count);
}

/**
 * injector_push - append a list of tasks
 * @head, @tail: linked by next; @tail's own next need not be set
 * @count:       how many, at least 1
 *
 * Any thread. The tasks are another worker's from here on.
 */
void weft__injector_push(struct injector *injector, struct task *head, struct task *tail,
			 unsigned count);

/** Takes the @max oldest, or as many as there are. Return: a list that ends with NULL;
 * NULL: none. Any thread. */
struct task *weft__injector_take(struct injector *injector, unsigned max);

#endif
