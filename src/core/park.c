/* SPDX-License-Identifier: MIT
 *
 * park.c - the wait word at work: begin, claim, park, wake; sleep and yield,
 * which are the two simplest ways to leave.
 */
#include <errno.h>

#include <base/clock.h>
#include <base/log.h>
#include <core/deadline.h>
#include <core/leave.h>
#include <core/runtime.h>
#include <core/wake.h>
#include <stack/shared.h>

/* A loop that does not look at what its calls return must not keep the thread: who is
 * refused a wait lets the others run all the same. */
coldpath int weft__park_refused(struct task *self)
{
	int rc = weft__park_refusal(self);

	weft__yield_now(self);
	return rc;
}

uint64_t weft__park_begin(struct task *self)
{
	uint32_t word = wait_begin(self, 0);

	if (likely(word))
		return ticket_of(self, word);
	weft__park_refused(self);
	return 0;
}

uint64_t weft__park_begin_shielded(struct task *self)
{
	return ticket_of(self, wait_begin(self, WAIT_SHIELD));
}

bool weft__claim(uint64_t ticket)
{
	return wait_claim(ticket_task(ticket), ticket);
}

void weft__wake_claimed(struct task *task, int result)
{
	task->result = result;
	task_ready(task);
}

bool weft__wake(uint64_t ticket, int result)
{
	return task_wake(ticket, result);
}

/* The ticket of the wait that is open. */
static inline uint64_t present_ticket(const struct task *self)
{
	return ticket_of(self,
			 atomic_load_explicit(&((struct task *)self)->wait, memory_order_relaxed));
}

void weft__park_abort(struct task *self)
{
	/* Somebody has claimed it, so we are queued already: be picked. */
	if (!wait_claim(self, present_ticket(self)))
		weft__park(self, WAIT_OTHER, WEFT_FOREVER);
}

/* --- leaving --------------------------------------------------------------- */

/* Where the timer of a wait with a deadline lives (K2). NULL: no memory. */
static struct timer *deadline_take(struct task *self)
{
	if (likely(self->flags & TASK_PRIVATE))
		return &((struct private_task *)self)->deadline;
	return weft__slab_take(sizeof(struct timer));
}

static void deadline_give(struct task *self, struct timer *timer)
{
	if (!(self->flags & TASK_PRIVATE))
		weft__slab_give(timer, sizeof *timer);
}

/* Any worker may fire it, and the task may be another's when it disarms it. */
static noinline int park_movable(struct task *self, enum task_state kind, int64_t deadline_ns)
{
	struct private_task *private = task_private(self);
	struct worker *worker = weft__thread.worker;

	if (deadline_ns == WEFT_FOREVER) {
		leave_parked(worker, self, kind);
		return self->result;
	}
	private->timer_home = worker;
	weft__movers_arm(&worker->movers, &private->deadline, deadline_ns, present_ticket(self));
	leave_parked(worker, self, kind);
	weft__movers_cancel(&private->timer_home->movers, &private->deadline);
	return self->result;
}

static noinline int park_with_deadline(struct task *self, enum task_state kind, int64_t deadline_ns)
{
	struct worker *worker = weft__thread.worker;
	struct timer *timer;

	if (unlikely(self->flags & WEFT_MIGRATE))
		return park_movable(self, kind, deadline_ns);
	timer = deadline_take(self);
	if (unlikely(!timer)) {
		if (wait_claim(self, present_ticket(self)))
			return -ENOMEM;
		/* It has been woken already: what it was woken with must not be lost. */
		leave_parked(worker, self, kind);
		return self->result;
	}
	timer->when_ns = deadline_ns;
	timer->ticket = present_ticket(self);
	weft__timer_arm(&worker->wheel, timer);
	leave_parked(worker, self, kind);
	weft__timer_cancel(&worker->wheel, timer);
	deadline_give(self, timer);
	return self->result;
}

int weft__park(struct task *self, enum task_state kind, int64_t deadline_ns)
{
	if (deadline_ns != WEFT_FOREVER)
		return park_with_deadline(self, kind, deadline_ns);
	leave_parked(weft__thread.worker, self, kind);
	return thread_fresh()->task->result;
}

/* Of a task whose leaving takes more than a switch. A movable one is queued when its registers
 * are saved. */
static noinline void yield_rare(struct worker *worker, struct task *self)
{
	if (!(self->flags & (WEFT_MIGRATE | TASK_CREW)))
		queue_push(&worker->queue, self);
	else if (!(self->flags & WEFT_MIGRATE))
		weft__share_yield(worker, self);
	worker_leave(worker, self, false);
}

static always_inline void yield_now(struct task *self)
{
	struct worker *worker = weft__thread.worker;

	task_set_state(self, TASK_READY);
	if (unlikely(self->flags & TASK_YIELDS_RARE)) {
		if (self->flags & TASK_LEAVES_RARE) {
			yield_rare(worker, self);
			return;
		}
		weft__share_yield(worker, self);
	} else {
		queue_push(&worker->queue, self);
	}
	worker_leave(worker, self, true);
}

void weft__yield_now(struct task *self)
{
	yield_now(self);
}

static inline bool canceled(const struct task *self)
{
	return atomic_load_explicit(&((struct task *)self)->wait, memory_order_relaxed) &
	       WAIT_CANCELED;
}

int weft_task_yield(void)
{
	struct task *self = weft__thread.task;

	if (unlikely(!self))
		return 0; /* a thread without a runtime has no other tasks */
	yield_now(self);
	return likely(!canceled(thread_fresh()->task)) ? 0 : -ECANCELED;
}

int weft_cancelled(void)
{
	struct task *self = weft__thread.task;

	return self && canceled(self);
}

static coldpath int sleep_outside(int64_t deadline_ns)
{
	int rc = 0;

	return weft__task_self(&rc) ? weft_sleep_until(deadline_ns) : rc;
}

static inline bool is_late(const struct task *self)
{
	return atomic_load_explicit(&((struct task *)self)->wait, memory_order_relaxed) &
	       WAIT_EXPIRED;
}

/* Or not at all: it has come to its end, and a deadline only after that. */
static noinline int sleep_cut_short(struct task *self)
{
	weft__timer_cancel(&weft__thread.worker->wheel, &self->timer);
	return self->result == -ETIMEDOUT && !weft__deadline_ended(self) ? 0 : self->result;
}

/* What a sleep returns, once it is over. */
static always_inline int sleep_result(void)
{
	struct task *self = weft__thread.task;

	if (likely(self->result == -ETIMEDOUT && !is_late(self)))
		return 0;
	return sleep_cut_short(self);
}

/* Up to the switch. to == NULL: there is none, and from is the result. */
static noinline struct leave_way sleep_begin(int64_t deadline_ns)
{
	struct task *self = weft__thread.task;
	struct leave_way way;
	intptr_t result;
	uint32_t word;

	if (unlikely(!self)) {
		result = sleep_outside(deadline_ns);
		return (struct leave_way){ (weft_context *)result, NULL };
	}
	word = wait_begin(self, 0);
	if (unlikely(!word)) {
		result = weft__park_refused(self);
		return (struct leave_way){ (weft_context *)result, NULL };
	}
	if (unlikely(self->flags & WEFT_MIGRATE)) {
		result = park_movable(self, WAIT_SLEEP, deadline_ns);
		if (result == -ETIMEDOUT && !weft__deadline_ended(self))
			result = 0;
		return (struct leave_way){ (weft_context *)result, NULL };
	}

	self->timer.pprev = NULL;
	if (likely(deadline_ns != WEFT_FOREVER)) {
		self->timer.when_ns = deadline_ns;
		self->timer.ticket = ticket_of(self, word);
		weft__timer_arm(&weft__thread.worker->wheel, &self->timer);
	}
	probe_park(self, WAIT_SLEEP);
	task_set_state(self, WAIT_SLEEP);
	weft__thread.worker->parks++;
	if (unlikely(weft__thread.coroutine != NULL)) {
		weft__worker_leave_in_coroutine(weft__thread.worker, self);
	} else {
		way = leave_begin(weft__thread.worker, self, false);
		if (likely(way.to != NULL))
			return way;
	}
	result = sleep_result();
	return (struct leave_way){ (weft_context *)result, NULL };
}

/* In this order: left comes in the second register, and so need not be moved out of the way,
 * for which it would take the frame pointer's place, where errno is kept over the switch. */
static noinline int sleep_end(int saved_errno, struct task *left)
{
	leave_end(left, saved_errno);
	return sleep_result();
}

/* Begin and end are calls, so that a sleeper keeps nothing but errno and the
 * registers of its caller: millions of these frames are parked at a time. */
int weft_sleep_until(int64_t deadline_ns)
{
	int saved_errno = errno;
	struct leave_way way = sleep_begin(deadline_ns);

	if (unlikely(!way.to))
		return (int)(intptr_t)way.from;
	return sleep_end(saved_errno, leave_switch(way));
}

int weft_sleep(int64_t duration_ns)
{
	if (unlikely(duration_ns <= 0))
		return weft_task_yield();
	return weft_sleep_until(weft_in_ns(duration_ns));
}
