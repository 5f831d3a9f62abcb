/* SPDX-License-Identifier: MIT
 *
 * worker.h - one thread's scheduler: run queue, rings, inbox, timers, poller.
 *
 * W1 A task sits in at most one queue: it is READY or NEW and on one, or not.
 * W2 queue, wheel, poller and idle belong to the worker's own thread.
 * W3 Another thread reaches a worker only through inbox and wake_fd; and, in a runtime of
 *    several workers, through its rings, its movers, and its poller's events.
 * W4 A worker that is about to sleep announces it, then looks at the inbox
 *    once more, then sleeps; a waker fills the inbox, then looks for sleepers.
 *    Both have a full fence in between, so one of them sees the other.
 * W5 wake_fd is closed after the last waker has left it (wakers): the number may
 *    be a stranger's the next moment. And a worker whose thread ended before its
 *    tasks keeps index and memory for ever: they are still woken, into its inbox.
 */
#ifndef WEFT_CORE_WORKER_H
#define WEFT_CORE_WORKER_H

#include <pthread.h>

#include <base/rng.h>
#include <core/ring.h>
#include <core/task.h>
#include <core/trace.h>
#include <poll/poll.h>

/** From the announcement on wakers must end the sleep. Who looks for deadlocks must know that it has
 * made its last looks as well: it may be preempted among them. */
enum sleep { SLEEP_NOT, SLEEP_ANNOUNCED, SLEEP_SETTLED };

/** Tasks linked by next; plain: only the owner touches it. */
struct task_queue {
	struct task *head, *tail; /* tail is valid only while head is not NULL */
};

/** Timers of movable tasks: whoever has time may fire them, wherever their task is. */
struct movers {
	struct spinlock lock;
	_Atomic uint32_t armed; /* written under the lock; a hint for others */
	struct wheel wheel;
};

/** Tasks that nobody waits for: cancelled at the end. Of a worker, or of a runtime. */
struct daemons {
	struct spinlock lock;
	_Atomic bool ending; /* they have been cancelled; new ones are at once */
	struct list list;    /* task_ext.daemon */
};

struct worker {
	/* --- every switch and spawn: the owner's --- */
	struct task_queue queue;
	uint32_t budget;         /* picks left until weft__worker_tick() */
	uint32_t budget_full;    /* picks between two looks around: follows the tasks' pace */
	uint32_t budget_kept;    /* what it would be: it is small for a trace or a crowd */
	int *errno_location;     /* of this thread */
	struct runtime *runtime; /* of several workers; NULL: this one is alone */
	uint64_t switches, parks;
	_Atomic uint64_t spawned; /* tasks made here; main is not counted */
	_Atomic uint64_t ended;   /* tasks that ended here; runtime.h: how to compare the two */
	uint64_t begun;           /* tasks that began here */
	uint64_t next_id, end_id;
	weft_context idle;     /* the worker's loop, while a task runs */
	uint16_t index;        /* in the table of all workers, from 1: task_worker() */
	uint16_t spawn_flags;  /* every task of this worker gets them */
	uint8_t default_class; /* stack class of a spawn without attributes */
	uint8_t place;         /* in runtime->workers */
	int64_t oldest_ns;     /* when that was last done */
	uint8_t oldest_turn;   /* counts down to a look at what has waited longest */
	bool crowded;          /* new tasks wait outside of the queue: crowd.h */
	bool lookout;          /* sleeps on behalf of the busy ones: lookout.c */
	bool announced;        /* in runtime->idle, as a sleeper */
	bool spinning;         /* counted in runtime->idle, by whoever woke us */
	bool orphan;           /* in the child of a fork: main is not there (fork.c) */
	bool saw_work;         /* the last look before a sleep found work for anybody */
	uint32_t now_coarse;   /* coarse_time() of the last look at a clock */
	uint32_t slices;       /* M:N: budgets left until the next look around */
	uint64_t drain_ticket; /* main, waiting in weft_run() for the others to end; or 0 */
	struct task *pending;  /* to be entered by the loop: its shared stack changes hands */
	int64_t last_poll_ns;
	_Atomic int64_t last_look_ns; /* 0: not known. Lookouts read it */
	int64_t idle_ask_ns;          /* how long to be idle before weft__observe_idle is asked */
	uint64_t turn_began;          /* switches, when the running task got its turn ... */
	uint32_t turn_left;           /* ... and its transfers until it must give way: io/wait.h */
	struct thread *os_thread;     /* whose worker this is, while that lives: exit.c */
	pthread_t pthread;            /* its name */
	struct main_call *main_call;  /* in weft_run(), while main runs: exit.c */
	struct fp_control fp;         /* what tasks without WEFT_KEEP_FP run with */
	_Atomic uint64_t daemons_spawned, daemons_ended;
	uint32_t blocking;         /* weft_blocking_begin() without its end: how many */
	uint64_t steals, stolen;   /* successful ones, and tasks they brought */
	uint64_t sleeps, spurious; /* in the poller; of them, those that brought nothing */
	struct rng rng;            /* whom to steal from first */
	int64_t spin_ns;           /* how long to look for work before a sleep: adapts */

	/* --- from other threads, a line of its own --- */
	_Alignas(64) _Atomic(struct task *) inbox; /* newest first */
	_Atomic uint32_t sleeping;                 /* enum sleep */
	_Atomic uint32_t covered; /* enum cover_reason: others look on its behalf */

	/* --- when there is nothing to run --- */
	_Alignas(64) struct poller poller;
	struct daemons *daemons; /* own_daemons, or the runtime's */
	struct daemons own_daemons;
	int tid;                               /* of this thread, for the kernel */
	struct stack_cache *stacks;            /* of this thread; for weft_stats() */
	struct stack_slot loop_slot;           /* the stack of the loop; its block is unused */
	_Alignas(64) struct private_task main; /* the thread's own task; aligned for its handle */
	struct wheel wheel;

	struct task_queue aside; /* new ones of a worker that is alone: crowd.h */

	/* --- M:N --- */
	struct task_queue later; /* have yielded, and let others go first: H4 of share.c;
				  * of a worker that is alone: crowd.h */
	uint32_t adopted;        /* tasks that came out of rings and injector */
	struct ring fresh;       /* NEW tasks: the newest first here, the oldest elsewhere */
	struct ring ready;       /* movable tasks that have run before: the oldest first */
	_Alignas(64) struct movers movers;
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

/** One more, by the only thread that writes it. Release pairs with count_of() in
 * runtime.c: who sees it sees all that its tasks counted before. */
static always_inline void count_one(_Atomic uint64_t *count)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
			      memory_order_release);
}

/** The clock in units of 1.05 ms, cut to 32 bits: how long a wait lasts, for dumps. */
static always_inline uint32_t coarse_time(int64_t now_ns)
{
	return (uint32_t)((uint64_t)now_ns >> 20);
}

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

/** Makes a runnable task run next. */
static inline void queue_push_front(struct task_queue *queue, struct task *task)
{
	task->next = queue->head;
	if (!queue->head)
		queue->tail = task;
	queue->head = task;
}

static inline struct task *queue_pop(struct task_queue *queue)
{
	struct task *task = queue->head;

	if (task)
		queue->head = task->next;
	return task;
}

/** Appends all of @from, which is empty then. */
static inline void queue_append(struct task_queue *queue, struct task_queue *from)
{
	if (!from->head)
		return;
	if (queue->head)
		queue->tail->next = from->head;
	else
		queue->head = from->head;
	queue->tail = from->tail;
	from->head = NULL;
}

/** What a ready descriptor does; set by the io layer before it registers one. */
extern _Atomic(poll_ready_fn *) weft__on_fd_ready;

/** The budget is used up: look around, and note the pick when it is traced. core/trace.c */
void weft__worker_tick(struct worker *worker);

/** Looks at inbox, timers and poller, and sets the next budget. */
void weft__worker_look_paced(struct worker *worker);

/** So many picks until the next look. While they are traced, or there is a crowd, each goes
 * through the tick. */
static inline void worker_set_budget(struct worker *worker, uint32_t picks)
{
	worker->budget_kept = picks;
	worker->budget = unlikely(weft__thread.trace || worker->crowded) ? 1 : picks;
}

/** A look at inbox, timers and (without waiting) the poller, right now. */
void weft__worker_look(struct worker *worker);

/** The next pick looks around: the poller is asked soon. */
static inline void worker_look_soon(struct worker *worker)
{
	worker_set_budget(worker, 1);
	worker->slices = 0;
}

/** Hands a claimed task to its own worker, which is not the calling thread's, or
 * to whom it may concern. */
void weft__ready_elsewhere(struct task *task);

/** Puts a task into a worker's inbox, and wakes it. Any thread. */
void weft__inbox_push(struct worker *worker, struct task *task);

/** Takes what other threads have put into the inbox. True: there was something. */
bool weft__inbox_drain(struct worker *worker);

/** Ends a worker's sleep, if it sleeps. Any thread. */
void weft__worker_wake(struct worker *worker);

/** From here on no waker uses wake_fd (W5). */
void weft__worker_end_wakes(struct worker *worker);

/** Tells wakers that they must use wake_fd; false when the inbox has work already (W4). */
bool weft__worker_announce_sleep(struct worker *worker);

/** How long the poller may wait: for the next timer; for stacks that a past crowd has left warm, to
 * look at them again in a while; without end (-1). */
int64_t weft__worker_timeout(struct worker *worker, int64_t now_ns);

/** The worker's own loop: runs what is ready, else waits. The context "idle". Returns
 * only on a worker whose runtime stops, to the thread that called it. */
void weft__worker_loop(struct worker *worker, struct task *note);

/** The same as the first function of a context: weft__context_make_at(). */
void weft__worker_enter(void *idle_context, void *note);

/** Reports what the poller has, waiting for at most @timeout_ns (< 0: without end). */
int weft__worker_poll(struct worker *worker, int64_t timeout_ns);

/** The predecessor of a switch has left the CPU: it has ended, and its running
 * reference is dropped; or it is movable, and may go on elsewhere from now on. */
void weft__task_left(struct task *task);

/** The next of what may move, or NULL: the rings of a runtime of several workers. */
struct task *weft__share_pick(struct worker *worker);

/** The queue is empty: the next of what waits elsewhere, or NULL. crowd.c */
struct task *weft__worker_pick_more(struct worker *worker);

/** The next task to run, or NULL. */
static always_inline struct task *worker_pick(struct worker *worker)
{
	struct task *task;

	if (unlikely(--worker->budget == 0))
		weft__worker_tick(worker);
	task = queue_pop(&worker->queue);
	if (unlikely(!task))
		task = weft__worker_pick_more(worker);
	return task;
}

#endif
