/* SPDX-License-Identifier: MIT
 *
 * task_each.c - which of the blocks that stack/walk.h shows are tasks.
 *
 * Tasks, coroutines, hops, marks and what is free share this memory. A task has its
 * id where all others have zero (C4); a coroutine's word is its own address.
 */
#include <base/peek.h>
#include <core/coroutine.h>
#include <core/task_each.h>
#include <core/runtime.h>
#include <stack/walk.h>

enum { VIEW_TRIES = 4 };

static uint64_t racy_word(const void *addr)
{
	uint64_t word;

	weft__peek_racy(&word, addr, sizeof(word));
	return word;
}

static bool is_coroutine(const struct coroutine *co)
{
	uint64_t word = racy_word(&co->word) & ~COROUTINE_BUSY;

	return word && coroutine_block(word) == co;
}

static bool visit_block(void *block, void *arg)
{
	const struct task_visitor *visitor = arg;

	if (racy_word(&((struct task *)block)->id))
		return visitor->task(block, visitor->arg);
	if (visitor->coroutine && is_coroutine(block))
		return visitor->coroutine(block, visitor->arg);
	return true;
}

static bool mains_each(const struct task_visitor *visitor)
{
	unsigned last = weft__worker_high;

	for (unsigned i = 1; i <= last; i++) {
		struct worker *worker = weft__worker(i);

		if (worker && racy_word(&worker->main.task.id) &&
		    !visitor->task(&worker->main.task, visitor->arg))
			return false;
	}
	return true;
}

bool weft__task_each(const struct task_visitor *visitor)
{
	return mains_each(visitor) && weft__slot_each(visit_block, (void *)visitor) &&
	       weft__block_each(visit_block, (void *)visitor);
}

/* --- one task ------------------------------------------------------------------ */

/* A private task's block has room for its timer, one on a shared stack has not. */
static size_t block_bytes(const struct task *task)
{
	return task->flags & TASK_PRIVATE ? sizeof(struct private_task) : sizeof(struct task);
}

static uint32_t racy_wait(const struct task *task)
{
	_Static_assert(offsetof(struct task, wait) % sizeof(uint64_t) == 0,
		       "the lower half of a word");
	return (uint32_t)racy_word(&task->wait);
}

/* id and wait word are the same before and after: it is one task, in one wait or in
 * none, and what belongs to the wait was not written in between. */
bool weft__task_view(const struct task *task, struct task_view *ret_view)
{
	struct task *copy = &ret_view->copy.task;

	for (unsigned i = 0; i < VIEW_TRIES; i++) {
		weft__peek_racy(copy, task, sizeof(*copy));
		if (!copy->id)
			return false;
		weft__peek_racy(copy, task, block_bytes(copy));
		ret_view->wait = atomic_load_explicit(&copy->wait, memory_order_relaxed);
		ret_view->waiting = copy->state >= WAIT_SLEEP && (ret_view->wait & WAIT_WAITING);
		atomic_thread_fence(memory_order_acquire);
		if (racy_word(&task->id) == copy->id && racy_wait(task) == ret_view->wait)
			return true;
	}
	return false;
}

int64_t weft__view_deadline(const struct task *task, const struct task_view *view)
{
	const struct timer *timer = &view->copy.deadline;

	if (!view->waiting)
		return INT64_MAX;
	if (view->copy.task.state == WAIT_SLEEP && !(view->copy.task.flags & WEFT_MIGRATE)) {
		timer = &view->copy.task.timer;
		return timer->pprev ? timer->when_ns : INT64_MAX;
	}
	/* The memory of a timer that this task never armed may hold anything: only one
	 * with the ticket of this very wait counts. */
	if (!(view->copy.task.flags & TASK_PRIVATE) || !timer->pprev ||
	    timer->ticket != ticket_of(task, view->wait))
		return INT64_MAX;
	return timer->when_ns;
}
