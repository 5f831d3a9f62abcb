/* SPDX-License-Identifier: MIT
 *
 * worker.h - one thread's scheduler: run queue, inbox, timers, poller.
 *
 * W1 A task sits in at most one queue: it is READY and on one, or not.
 * W2 queue, wheel, poller and idle belong to the worker's own thread.
 * W3 Another thread reaches a worker only through inbox and wake_fd.
 * W4 A worker that is about to sleep announces it, then looks at the inbox
 *    once more, then sleeps; a waker fills the inbox, then looks for sleepers.
 *    Both have a full fence in between, so one of them sees the other.
 * W5 wake_fd is closed after the last waker has left it (wakers): the number may
 *    be a stranger's the next moment. And a worker whose thread ended before its
 *    tasks keeps index and memory for ever: they are still woken, into its inbox.
 */
#ifndef WEFT_CORE_WORKER_H
#define WEFT_CORE_WORKER_H

#include <core/task.h>
#include <core/trace.h>
#include <poll/poll.h>

/** Tasks linked by next; plain: only the owner touches it. */
struct task_queue {
	struct task *head, *tail; /* tail is valid only while head is not NULL */
};

struct worker {
	/* --- every switch and spawn: the owner's --- */
	struct task_queue queue;
	uint32_t budget;        /* picks left until the next look around */
	uint32_t budget_full;   /* what budget starts from: follows the tasks' pace */
	uint32_t budget_traced; /* what budget would be, while it is 1 for the trace's sake */
	int *errno_location;    /* of this thread */
	uint64_t switches, parks;
	uint64_t spawned;
	uint64_t alive;         /* tasks begun and not ended; main is not counted */
	uint64_t daemons_alive; /* of them, those with WEFT_DAEMON */
	uint64_t next_id, end_id;
	weft_context idle;     /* the worker's loop, while a task runs */
	uint16_t index;        /* task.worker of its tasks; from 1 */
	uint8_t default_class; /* stack class of a spawn without attributes */
	struct task *pending;  /* to be entered by the loop: its shared stack changes hands */
	struct list daemons;   /* task_ext.daemon */
	uint64_t drain_ticket; /* main, waiting in weft_run() for the others to end; or 0 */
	bool drain_all;        /* ... for the daemons too */
	int64_t last_look_ns, last_poll_ns;
	uint64_t turn_began;  /* switches, when the running task got its turn ... */
	uint32_t turn_left;   /* ... and its transfers until it must give way: io/wait.h */
	struct fp_control fp; /* what tasks without WEFT_KEEP_FP run with */

	/* --- from other threads, a line of its own --- */
	_Alignas(64) _Atomic(struct task *) inbox; /* newest first */
	_Atomic uint32_t sleeping;

	/* --- when there is nothing to run --- */
	_Alignas(64) struct poller poller;
	struct stack_slot loop_slot;           /* the stack of the loop; its block is unused */
	_Alignas(64) struct private_task main; /* the thread's own task; aligned for its handle */
	struct wheel wheel;
#if WEFT_ASAN
	struct strand *asan_leaver; /* who is leaving: the next to arrive fills in its stack */
	struct strand asan_idle;    /* the loop, for this purpose only */
#endif
#if WEFT_TSAN
	void *idle_fiber; /* the loop's */
#endif

	/* Threads that are at wake_fd just now. Last, and never cleared: a late one
	 * may be here still when the memory serves its next owner. */
	_Atomic uint32_t wakers;
};

/** Makes a runnable task run later; owner only. */
static inline void queue_push(struct task_queue *queue, struct task *task)
{
	task->next = NULL;
	if (queue->head)
		queue->tail->next = task;
	else
		queue->head = task;
	queue->tail = task;
}

static inline struct task *queue_pop(struct task_queue *queue)
{
	struct task *task = queue->head;

	if (task)
		queue->head = task->next;
	return task;
}

/** What a ready descriptor does; set by the io layer before it registers one. */
extern poll_ready_fn *weft__on_fd_ready;

/** The worker of an index (task.worker), also after its thread has ended and left
 * tasks behind; NULL when it has none. */
struct worker *weft__worker(unsigned index);

/** Gives a worker its index. 0, or -EAGAIN when 65,535 threads have one. */
int weft__worker_register(struct worker *worker);
void weft__worker_unregister(struct worker *worker);

/** Hands a claimed task to its own worker, which is not the calling thread's. */
void weft__ready_elsewhere(struct task *task);

/** The budget is used up: look around, and note the pick when it is traced. core/trace.c */
void weft__worker_tick(struct worker *worker);

/** Looks at inbox, timers and poller, and sets the next budget. */
void weft__worker_look_paced(struct worker *worker);

/** So many picks until the next look. While they are traced each goes through the
 * tick. */
static inline void worker_set_budget(struct worker *worker, uint32_t picks)
{
	worker->budget_traced = picks;
	worker->budget = unlikely(weft__thread.trace != NULL) ? 1 : picks;
}

/** A look at inbox, timers and (without waiting) the poller, right now. */
void weft__worker_look(struct worker *worker);

/** From here on no waker uses wake_fd (W5). */
void weft__worker_end_wakes(struct worker *worker);

/** Tells wakers that they must use wake_fd; false when the inbox has work already (W4). */
bool weft__worker_announce_sleep(struct worker *worker);

/** The worker's own loop: runs what is ready, else waits. The context "idle". */
void weft__worker_loop(void *idle_context, void *note) __attribute__((noreturn));

/** The predecessor of a switch has ended: drop its running reference. */
void weft__task_reap(struct task *task);

/** The next task to run, or NULL. */
static always_inline struct task *worker_pick(struct worker *worker)
{
	if (unlikely(--worker->budget == 0))
		weft__worker_tick(worker);
	return queue_pop(&worker->queue);
}

#endif
