/* SPDX-License-Identifier: MIT
 *
 * injector.c - the list behind the rings.
 */
#include <core/injector.h>
#include <core/task.h>

void weft__injector_push(struct injector *injector, struct task *head, struct task *tail,
			 unsigned count)
{
	tail->next = NULL;
	spin_lock(&injector->lock);
	if (injector->head)
		injector->tail->next = head;
	else
		injector->head = head;
	injector->tail = tail;
	/* Only the holder of the lock writes it. seq_cst, for those who do not hold it. */
	atomic_store(&injector->count,
		     atomic_load_explicit(&injector->count, memory_order_relaxed) + count);
	spin_unlock(&injector->lock);
}

/* Cuts off the @max first. The lock is held, and there is one at least. */
static unsigned cut(struct injector *injector, unsigned max)
{
	struct task *last = injector->head;
	unsigned taken = 1;

	while (taken < max && last->next) {
		last = last->next;
		taken++;
	}
	injector->head = last->next;
	last->next = NULL;
	return taken;
}

struct task *weft__injector_take(struct injector *injector, unsigned max)
{
	struct task *first;

	if (!max || !injector_count(injector))
		return NULL;
	spin_lock(&injector->lock);
	first = injector->head;
	if (first) {
		/* relaxed: a count that is too high for a moment only costs a look */
		unsigned left = atomic_load_explicit(&injector->count, memory_order_relaxed) -
				cut(injector, max);

		atomic_store_explicit(&injector->count, left, memory_order_relaxed);
	}
	spin_unlock(&injector->lock);
	return first;
}
