/* SPDX-License-Identifier: MIT
 *
 * word.c - see word.h.
 */
#include <base/syscall.h>
#include <sync/word.h>

/* As weft__spin_lock_slow(): so many looks are longer than any holder needs that runs. */
enum { LOOKS = 100 };

coldpath uint64_t weft__word_enter_slow(struct sync *sync)
{
	for (;;) {
		for (unsigned look = 0; look < LOOKS; look++) {
			uint64_t word = atomic_load_explicit(&sync->word, memory_order_relaxed);

			if (!(word & WORD_HELD) && cas64(&sync->word, word, word | WORD_HELD))
				return word;
			cpu_relax();
		}
		weft__syscall(SYS_sched_yield, 0);
	}
}

unsigned weft__waitq_claim(struct waitq *queue, struct claimed *claimed)
{
	struct task *party;
	unsigned count = 0;

	for (; (party = waitq_next(queue)) != NULL; count++)
		claimed_add(claimed, party);
	return count;
}

void weft__claimed_wake(struct claimed *claimed, int result)
{
	while (!list_empty(&claimed->list)) {
		struct task *party = waitq_task(claimed->list.next);

		list_remove(&party->waiter.link);
		party_wake(party, result);
	}
}

static void enqueue(struct waitq *queue, struct task *self, bool first)
{
	if (!queue->list.next)
		waitq_init(queue);
	/* In a ring "behind the last" is "before the one that comes after the place". */
	list_push_back(first ? queue->list.next : &queue->list, &self->waiter.link);
}

int weft__sync_wait(struct sync *sync, const struct waitable_kind *kind, struct sync_wait *wait)
{
	struct task *self = wait->self;
	int rc;

	/* Before the wait is open, for those who look on; and only once, for they may be at it
	 * just now: wait_cycle.c follows those who wait already. */
	if (sync->waitable.kind != kind)
		sync->waitable.kind = kind;
	self->waiter.object = waited_object_of(&sync->waitable, wait->deadline_ns != WEFT_FOREVER);
	if (unlikely(!party_begin_with(self, wait->bits))) {
		word_leave(sync, word_held(sync));
		rc = party_refused(self);
		word_enter(sync);
		wait->refused = true;
		return rc;
	}
	enqueue(wait->queue, self, wait->first);
	word_leave(sync, wait->word | WORD_SLOW);
	if (wait->queued)
		wait->queued(wait->arg);
	rc = party_park_named(self, wait->deadline_ns);
	if (likely(rc >= 0))
		return rc;
	word_enter(sync);
	wait->unlinked_itself = list_linked(&self->waiter.link);
	if (wait->unlinked_itself)
		list_remove(&self->waiter.link);
	return rc;
}
