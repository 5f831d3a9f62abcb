/* SPDX-License-Identifier: MIT
 *
 * runtime.h - where workers come from, what they count, and what those of one runtime
 * share.
 *
 * N1 Tasks in existence are counted where they begin (spawned) and where they end
 *    (ended), each by the worker that it happens on. The sums are equal exactly when
 *    none is left; read in the order that take_census() keeps, "equal" is never said
 *    too early. And not too late: a worker has its place before it runs anything.
 * N2 In a runtime of several workers main's drain ticket is written, then the sums
 *    are read; a worker that goes to sleep has counted, then reads the ticket and the
 *    sums; a fence is between the two on either side. So the last task's end is seen by
 *    one of them.
 */
#ifndef WEFT_CORE_RUNTIME_H
#define WEFT_CORE_RUNTIME_H

#include <pthread.h>

#include <base/lock.h>
#include <core/idle.h>
#include <core/injector.h>
#include <core/worker.h>

enum {
	RUNTIME_WORKERS_MAX = 192,
	RUNTIME_PLACES = 256 /* with spares; a place fits 8 bits */
};

_Static_assert((int)RUNTIME_PLACES <= (int)IDLE_WORKERS, "each place has a bit");

/** What several workers share. Lives as long as weft_run(). */
struct runtime {
	struct idle idle;
	struct injector injector;
	unsigned count;      /* workers that were asked for: places 0 .. count - 1 */
	unsigned places_max; /* with spares */
	_Alignas(64) _Atomic uint32_t places; /* entries of workers[] in use */
	_Atomic uint32_t movable_alive;       /* movable tasks begun and not ended; call timers */
	_Atomic uint32_t visitors; /* threads outside that make such a task ready just now */
	_Atomic uint32_t lookout;  /* a worker sleeps on behalf of busy ones */
	bool open;                 /* complete, and not yet ending: spares may be hired (cover.c) */
	_Atomic bool stopping;     /* all tasks have ended: helpers return */
	_Atomic uint32_t next_place;         /* of the next task with WEFT_SPREAD */
	_Atomic uint64_t drain_ticket;       /* as worker.drain_ticket */
	_Atomic uint32_t covers;             /* workers that are stuck or blocked: cover.c */
	uint32_t poller_first, poller_count; /* ids of its pollers */
	struct daemons daemons;
	struct worker *workers[RUNTIME_PLACES]; /* complete before places covers it */
	struct lock hiring;                     /* of spares; places grows under it */
	pthread_t threads[RUNTIME_PLACES];      /* from place 1 on */
	pthread_barrier_t all_left;             /* at the end: nobody is in his loop any more */
};

/** Task ids are dealt to workers in blocks, so that a spawn touches no shared line. */
uint64_t weft__runtime_more_ids(struct worker *worker);

static always_inline uint64_t weft__runtime_next_id(struct worker *worker)
{
	uint64_t id = worker->next_id++;

	if (unlikely(id == worker->end_id))
		return weft__runtime_more_ids(worker);
	return id;
}

/** Wakes the main task that waits in weft_run(), if the last one has ended. */
void weft__runtime_check_drained(struct worker *worker);

static always_inline void weft__runtime_task_began(struct worker *worker)
{
	count_one(&worker->spawned);
}

static always_inline void weft__runtime_task_ended(struct worker *worker)
{
	count_one(&worker->ended);
	if (unlikely(worker->drain_ticket))
		weft__runtime_check_drained(worker);
}

/** Tasks begun and not yet ended, as far as this worker knows alone. */
static inline int64_t worker_alive(const struct worker *worker)
{
	return (int64_t)(atomic_load_explicit(&((struct worker *)worker)->spawned,
					      memory_order_relaxed) -
			 atomic_load_explicit(&((struct worker *)worker)->ended,
					      memory_order_relaxed));
}

/** weft_spawn() of a task that is detached, in no queue and not counted: who puts it into one
 * counts it (weft__runtime_task_began()). */
int weft__task_make(struct task **ret_task, const weft_attr *attr, weft_fn *fn, void *arg,
		    const char *site);

/** Ends a task, on its own stack; never returns. */
void weft__task_exit(struct task *self, int value) __attribute__((noreturn));

/** Dies when the waits that begin with @self waiting for @task lead back to @self. @object, a
 * @noun, is what it wants of that task; NULL: its end. (wait_cycle.c) */
void weft__wait_cycle_find(const struct task *self, const struct task *task, const char *noun,
			   const struct waitable *object) __attribute__((cold));

/** @self is about to wait for @task, without end: can that close a circle? Tasks of other
 * workers are not looked at, they change meanwhile. */
static always_inline void weft__wait_cycle_check(const struct task *self, const struct task *task,
						 const char *noun, const struct waitable *object)
{
	/* While we are traced the index matches none: then the search for deadlocks says it. */
	if (task_worker(task) == weft__thread.worker_index &&
	    unlikely(task_state(task) == WAIT_JOIN || task_state(task) == WAIT_OBJECT))
		weft__wait_cycle_find(self, task, noun, object);
}

/** Nobody refers to it any more: its block and its stack may serve others. */
void weft__task_free(struct task *task);

/** Drops a reference. */
static always_inline void task_put(struct task *task)
{
	if (ref_put(&task->refs))
		weft__task_free(task);
}

/** Has the task of a handle ended? 1, 0, -ESRCH, -EDEADLK (the caller itself), -EBUSY (another
 * one joins or watches it). */
int weft__join_ready(weft_task *handle);

/** When it ends it wakes @ticket with 0, once. 0; 1: it has ended already; or as above. */
int weft__join_watch(weft_task *handle, uint64_t ticket);

/** Undoes that, whether or not it has ended meanwhile: the handle may be joined. */
void weft__join_unwatch(weft_task *handle, uint64_t ticket);

/** weft_cancel() by address. */
void weft__task_cancel(struct task *task);

/** Cancels the task whose wait word was @word a moment ago, and no other: one that has its
 * block by now has another word. For those who hold no handle. False: look again. */
bool weft__task_cancel_seen(struct task *task, uint32_t word);

/* --- registry.c: all workers of the process ------------------------------------ */

/** The worker of an index (task_worker()), also after its thread has ended and left
 * tasks behind; NULL when it has none. */
struct worker *weft__worker(unsigned index);

/** No index above this one has ever been given out. */
extern _Atomic unsigned weft__worker_high;

/** Gives a worker its index. 0, or -EAGAIN when 65,534 threads have one. */
int weft__worker_register(struct worker *worker);
void weft__worker_unregister(struct worker *worker);

/** Zeroed, type-stable memory for a worker, or NULL. */
struct worker *weft__worker_new(void);
void weft__worker_free(struct worker *worker);

/** The calling thread is @worker's from now on, and until it ends. */
void weft__registry_thread_began(struct worker *worker);
void weft__registry_thread_ended(struct worker *worker);

/** Takes the lock, under which no thread ends, and looks for @thread's worker. NULL: it has
 * none. weft__registry_unlock() either way. */
struct worker *weft__registry_lock_thread(pthread_t thread);

/** Around fork(2): the table is whole in the child, and @kept (or nobody) alone in it. */
void weft__registry_lock(void);
void weft__registry_unlock(void);
void weft__registry_forked(const struct worker *kept);

/* --- fork.c ----------------------------------------------------------------------- */

/** Tasks with a lower id than this are of a parent process. */
extern uint64_t weft__first_id;

/** A handle's task exists in the parent of this process only. */
static inline bool task_is_foreign(const struct task *task)
{
	return unlikely(task_id(task) < weft__first_id) && task != weft__thread.task;
}

/* --- runtime.c: a thread becomes a worker ---------------------------------------- */

/**
 * weft__runtime_enter - make the calling thread a worker
 * @runtime:    NULL: a runtime of its own
 * @poller_id:  0: any
 * @main_runs:  true: the caller is the task main, and the loop gets a stack;
 *              false: the caller will run the loop
 *
 * Return: 0, -ENOTSUP, -EAGAIN, -ENOMEM, or what epoll_create1(2) failed with.
 */
int weft__runtime_enter(struct worker **ret_worker, struct runtime *runtime, uint32_t poller_id,
			bool main_runs);
void weft__runtime_leave(struct worker *worker);

/** Parks main until all other tasks have ended; those with WEFT_DAEMON are cancelled when
 * the rest has. */
void weft__runtime_end_all(struct worker *worker);

/** Main's body has returned: waits for the others, cancels daemons, waits for them. */
void weft__runtime_finish(struct worker *worker);

/* --- leftover.c ------------------------------------------------------------------------ */

/** Names some of the tasks that a worker has not finished: id, name, spawn site. */
void weft__leftover_list(const struct worker *worker);

/* --- crew.c: a runtime of several workers -------------------------------------------- */

/** weft_run() with @count > 1 workers. */
int weft__crew_run(unsigned count, weft_fn *fn, void *arg, int *ret);

/** One worker more, at the end of places. 0, -EAGAIN (no thread, no place), or as
 * weft__runtime_enter(). */
int weft__crew_hire(struct runtime *runtime);

/** How many weft_run(0) means: WEFT_WORKERS, or one a CPU that this process may use. */
unsigned weft__crew_default(void);

/* --- cover.c: others stand in for a worker that is stuck ----------------------------- */

/** The worker does not look at its queues until weft__cover_end(): a spare takes its
 * place. Any thread; at most once a worker at a time for each @reason. */
enum cover_reason { COVER_BLOCKED = 1, COVER_STUCK = 2 };
void weft__cover_begin(struct worker *worker, enum cover_reason reason);
void weft__cover_end(struct worker *worker, enum cover_reason reason);

/** The same for COVER_STUCK by a thread that is none of the runtime's, which may be ending;
 * @worker was that of @index a moment ago.
 * Return: whether the worker is covered for this reason now. */
bool weft__cover_stuck(unsigned index, const struct worker *worker, bool stuck);

/** From here on others may cover workers of @runtime, or (false) may not any more. Whoever
 * has found it by one of its workers is done with it when this returns. */
void weft__cover_open(struct runtime *runtime, bool open);

/** In the child of fork(2). */
void weft__cover_forked(void);

/** A spare that nobody needs just now takes nothing that may move. */
static inline bool worker_is_off_duty(const struct worker *worker)
{
	const struct runtime *runtime = worker->runtime;

	/* relaxed: a spare that is late by one look does no harm */
	return worker->place >= runtime->count &&
	       worker->place - runtime->count >=
		       atomic_load_explicit(&((struct runtime *)runtime)->covers,
					    memory_order_relaxed);
}

/* --- share.c: work that may move ---------------------------------------------------- */

/** A NEW task of the calling worker, or one that any worker may run. */
void weft__share_fresh(struct worker *worker, struct task *task);

/** A movable task that has run before. Any thread. */
void weft__share_ready(struct runtime *runtime, struct task *task);

/** No task is left that somebody outside could make ready: waits until those who were at it have
 * left the runtime alone. */
void weft__share_end_visits(struct runtime *runtime);

/** Nothing to run here: looks elsewhere, for a while. NULL: nothing. */
struct task *weft__share_hunt(struct worker *worker);

/** The worker has slept, or was about to, and has found a task of its own, which comes
 * first. Others rely on it: they have seen it counted as a spinner, or it has seen their
 * work in its last look. The duty goes on to somebody else. */
void weft__share_pass_on(struct worker *worker);

/** One call timer more or less, that is to be fired also while its worker has no time: while
 * there are any, a worker that sleeps keeps watch (H3). */
void weft__share_watch(struct runtime *runtime);
void weft__share_unwatch(struct runtime *runtime);

/** Queues a task of a crew that yields; not a movable one (H4). */
void weft__share_yield(struct worker *worker, struct task *self);

/** Every few picks: something of the rings has its turn. */
void weft__share_turn(struct worker *worker);

/** Around a sleep: the timeout to use, 0 when there is work after all. */
int64_t weft__share_before_sleep(struct worker *worker, int64_t timeout_ns);
void weft__share_after_sleep(struct worker *worker);

/* --- movers.c: timers of movable tasks ----------------------------------------------- */

/** Arms @timer; the calling thread's movers. */
void weft__movers_arm(struct movers *movers, struct timer *timer, int64_t when_ns, uint64_t ticket);

/** Disarms it, wherever it was armed; does nothing when it has fired. */
void weft__movers_cancel(struct movers *movers, struct timer *timer);

/** Fires what is due of a worker's movers; any worker of the same runtime. */
void weft__movers_fire(struct movers *movers, int64_t now_ns);

/** When the next of them is due, or INT64_MAX. */
int64_t weft__movers_next(struct movers *movers);

/* --- movable.c ----------------------------------------------------------------------- */

/** A movable task has left the CPU: its registers are saved (K1). */
void weft__movable_saved(struct task *task);

/** Its result is there (K1). */
void weft__movable_deliver(struct task *task);

#endif
