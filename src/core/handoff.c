/* SPDX-License-Identifier: MIT
 *
 * handoff.c - see handoff.h.
 */
#include <errno.h>

#include <base/clock.h>
#include <base/cpu.h>
#include <base/syscall.h>
#include <core/deadline.h>
#include <core/exit.h>
#include <core/handoff.h>
#include <core/leave.h>
#include <core/runtime.h>
#include <core/wake.h>

static inline struct handoff *handoff_of(const struct task *task)
{
	return task && task->ext ? task->ext->handoff : NULL;
}

/* --- beginning and end ------------------------------------------------------------- */

static void ended(struct task_child *child, int value)
{
	struct handoff *hand = container_of(child, struct handoff, child);

	(void)value;
	hand->task = NULL;
	if (hand->on_end)
		hand->on_end(hand);
}

static int begin(void *arg)
{
	struct handoff *hand = arg;

	weft__handoff_check();
	return hand->fn(hand->arg);
}

/* What the frames have pushed is theirs, and they are not run again. Deadlines are not:
 * their timers know the task. */
static noinline void __attribute__((noreturn)) vanish(struct task *self)
{
	weft__deadline_end(self);
	self->ext->cleanups = NULL;
	weft__exit_unwound(0);
}

static always_inline void check(const struct handoff *hand)
{
	if (unlikely(hand && hand->dropped))
		vanish(hand->task);
}

void weft__handoff_check(void)
{
	check(weft__handoff_self());
}

int weft__handoff_new(struct handoff *hand, const weft_attr *attr, weft_fn *fn, void *arg,
		      const char *site)
{
	weft_attr own = attr ? *attr : (weft_attr){ 0 };
	struct task *task;
	int rc = 0;

	if (!weft__task_self(&rc))
		return rc;
	if (weft__thread.worker->runtime)
		return -EPERM;
	own.flags |= WEFT_KEEP_FP; /* by which it has an ext, too */
	rc = weft__task_make(&task, &own, begin, hand, site);
	if (rc < 0)
		return rc;
	hand->child.ended = ended;
	hand->task = task;
	hand->fn = fn;
	hand->arg = arg;
	hand->resuming = hand->dropped = false;
	task->ext->handoff = hand;
	task->flags |= TASK_CHILD;
	/* relaxed: no other thread knows of it */
	atomic_store_explicit(&task->joiner, (uintptr_t)&hand->child, memory_order_relaxed);
	return 0;
}

/* --- resume ------------------------------------------------------------------------ */

static void unqueue(struct task_queue *queue, struct task *task)
{
	struct task *before = NULL, *at = queue->head;

	while (at != task) {
		before = at;
		at = at->next;
	}
	if (before)
		before->next = task->next;
	else
		queue->head = task->next;
	if (queue->tail == task)
		queue->tail = before;
}

/* A task that has been woken and has not run since leaves the queue. Its waker may be another
 * thread, which is about to put it into the inbox. */
static void take_woken(struct worker *worker, struct task *task)
{
	while (task_state(task) != TASK_READY)
		if (!weft__inbox_drain(worker))
			weft__syscall(SYS_sched_yield, 0);
	unqueue(&worker->queue, task);
}

/* Its wait ends now, whatever it was for. A sleep that is over by its timer relies on the
 * timer's having fired, so it is another end for a sleep. */
static noinline int end_wait(struct worker *worker, struct task *task, int result)
{
	enum task_state state = task_state(task);
	uint32_t word = atomic_load_explicit(&task->wait, memory_order_relaxed);

	if (state == TASK_READY) {
		take_woken(worker, task);
		return 0;
	}
	if (state != WAIT_RESUME && (word & WAIT_WAITING) && (word & WAIT_SHIELD))
		return -EBUSY;
	if (!wait_word_claim(&task->wait, word >> WAIT_EPOCH_SHIFT)) {
		take_woken(worker, task);
		return 0;
	}
	task->result = state == WAIT_SLEEP && result == -ETIMEDOUT ? 0 : result;
	return 0;
}

/* In the child of a fork(2) other tasks do not exist (fork.c). But of one that has not begun,
 * or has suspended itself, nothing lies elsewhere: its copy is as good as it was, and goes on
 * as a task of this process. */
static int adopt(struct worker *worker, struct task *task)
{
	if (task_state(task) != TASK_NEW && task_state(task) != WAIT_RESUME)
		return -ESRCH;
	/* relaxed: there is one thread, and nobody has a handle */
	atomic_store_explicit(&task->id, weft__runtime_next_id(worker), memory_order_relaxed);
	weft__deadline_forked(task);
	if (task_state(task) != TASK_NEW)
		weft__runtime_task_began(worker);
	return 0;
}

/* Out of wherever it is. */
static noinline int take_rare(struct worker *worker, struct task *task, int result)
{
	int rc = task_is_foreign(task) ? adopt(worker, task) : 0;

	if (rc < 0)
		return rc;
	if (task_state(task) == TASK_NEW) {
		weft__runtime_task_began(worker); /* G2 */
		return 0;
	}
	return end_wait(worker, task, result);
}

static always_inline int take(struct worker *worker, struct task *task, int result)
{
	if (unlikely(task_state(task) != WAIT_RESUME || task_is_foreign(task)))
		return take_rare(worker, task, result);
	wait_word_take(&task->wait); /* nobody else can (G3) */
	task->result = result;
	return 0;
}

/* G1 */
static always_inline void hand_over(struct worker *worker, struct task *self, struct task *task)
{
	struct handoff *own = handoff_of(self);

	if (own)
		own->resuming = true;
	probe_wake(task, task->result);
	if (task_state(task) != TASK_NEW)
		task_set_state(task, TASK_READY);
	task_set_state(self, TASK_READY);
	queue_push_front(&worker->queue, self);
	queue_push_front(&worker->queue, task);
	/* This is no yield, before which a crowd of new ones runs (Y3 of crowd.h): so the pick does
	 * not look at them. Only a trace needs to see each pick. */
	if (unlikely(worker->crowded) && !weft__thread.trace)
		worker->budget++;
	worker_leave(worker, self, false);
	if (own)
		own->resuming = false;
}

/* 0, or why the caller cannot resume it. */
static always_inline int look_at(const struct handoff *hand, const struct task *self)
{
	if (!hand->task)
		return -ESRCH;
	if (!self || task_worker(hand->task) != weft__thread.worker->index)
		return -EPERM;
	return hand->task == self || hand->resuming ? -EBUSY : 0;
}

int weft__handoff_take(struct handoff *hand)
{
	int rc = look_at(hand, weft__thread.task);

	return likely(rc == 0) ? take(weft__thread.worker, hand->task, -ETIMEDOUT) : rc;
}

RETURNS_BY_JUMP void weft__handoff_resume(struct handoff *hand)
{
	hand_over(weft__thread.worker, weft__thread.task, hand->task);
}

/* Has its wait handed nothing over that is its own now, and lies in the place of the links by which
 * it was queued? What it waited for is what it left the CPU with, unless it was woken on the way
 * (TASK_READY: who knows). A positive result is that of a select. */
static bool has_got_nothing(const struct task *task)
{
	switch (task->ext->left_as) {
	case WAIT_SLEEP:
	case WAIT_FD:
	case WAIT_FDS:
	case WAIT_OFFLOAD:
	case WAIT_ADDRESS:
		return task->result <= 0;
	default:
		return false;
	}
}

/* It has been taken, and may have been woken before: then as if it had been cancelled. */
static void make_cancelled(struct task *task)
{
	if (task_state(task) == TASK_READY && has_got_nothing(task))
		task->result = -ECANCELED;
}

int weft__handoff_end(struct handoff *hand)
{
	struct worker *worker = weft__thread.worker;
	struct task *self = weft__thread.task, *task = hand->task;
	int rc = look_at(hand, self);

	if (rc == -ESRCH)
		return 0;
	if (rc == -EPERM)
		return rc;
	hand->dropped = true;
	if (rc < 0)
		return rc;
	/* No later wait begins. relaxed: only its own thread looks, which we are. */
	atomic_fetch_or_explicit(&task->wait, WAIT_CANCELED, memory_order_relaxed);
	rc = take(worker, task, -ECANCELED);
	if (rc < 0)
		return rc;
	make_cancelled(task);
	hand_over(worker, self, task);
	return 0;
}

RETURNS_BY_JUMP void weft__handoff_yield(void)
{
	struct task *self = weft__thread.task;
	const struct handoff *hand = self->ext->handoff;

	check(hand);
	wait_begin(self, WAIT_SHIELD);
	leave_parked(weft__thread.worker, self, WAIT_RESUME);
	check(hand);
}

/* --- the loop of a thread ------------------------------------------------------------ */

/* The worker's own loop would wait as well, but main is to go on after it. */
static void wait_for_events(struct worker *worker, int64_t wait_ns)
{
	int64_t timeout_ns = weft__worker_timeout(worker, weft__now());

	if (timeout_ns >= 0 && timeout_ns < wait_ns)
		wait_ns = timeout_ns;
	if (wait_ns <= 0 || !weft__worker_announce_sleep(worker))
		return;
	weft__worker_poll(worker, wait_ns);
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	worker->sleeps++;
}

int weft__handoff_pass(int64_t wait_ns)
{
	struct task *self = weft__thread.task;
	struct worker *worker = weft__thread.worker;

	if (!self || !(self->flags & TASK_THREAD) || weft__thread.coroutine || worker->runtime)
		return -EPERM;
	if (!worker->queue.head && !worker->crowded)
		wait_for_events(worker, wait_ns);
	weft__worker_look(worker);
	weft__yield_now(self);
	return 0;
}
