/* SPDX-License-Identifier: MIT
 *
 * share.c - work that may move between the workers of one runtime: rings, injector,
 * stealing.
 *
 *   weft_spawn() --> fresh ---newest----> its worker
 *                      |                     ^
 *                      +--oldest half--> thieves
 *                      +--overflow--> injector --> anybody
 *
 * H1 A task in a ring or in the injector is NEW, or movable and READY with its
 *    registers saved. Whoever takes it out runs it next or keeps it in a ring of
 *    his own: nothing that may move waits behind a task that cannot be moved.
 * H2 The newest NEW task runs first on its own worker, so that a tree of tasks is
 *    walked depth first and few are alive at a time; thieves take the oldest, which
 *    are the largest subtrees. (Blumofe and Leiserson, "Scheduling Multithreaded
 *    Computations by Work Stealing", 1999.) Every OLDEST_EVERY-th turn the oldest goes
 *    first here, too: none starves.
 * H3 The watch over busy workers: lookout.c.
 * H4 Who yields goes on when as many others have been taken from rings and injector as were
 *    in front of him there, his worker's part of them, or when none is left. So a task that
 *    spawns and yields is not ahead of those whom it has spawned, whose stacks would pile up;
 *    and others that keep the rings full do not keep him out.
 */
#include <base/clock.h>
#include <base/rng.h>
#include <base/syscall.h>
#include <core/leave.h>
#include <core/runtime.h>
#include <core/share.h>
#include <core/wake.h>

enum {
	OLDEST_EVERY = 15, /* turns of the rings; with slices of 4 picks about each 61st pick */
	BATCH = RING_SIZE / 2 < 128 ? RING_SIZE / 2 : 128, /* tasks that change hands at a time */
	PART = BATCH < 4 ? 1 : BATCH / 4,                  /* of the injector, at a time */
	OLDEST_NS = 200000,  /* and not more often: each time it is one more subtree begun */
	SPIN_MIN_NS = 2000,  /* how long a worker looks for work before it sleeps: */
	SPIN_MAX_NS = 50000, /* it adapts to whether that was of use */
	SPIN_STEPS = 16      /* pauses between two looks at the others */
};

/* --- publishing ------------------------------------------------------------------ */

static void inject(struct runtime *runtime, struct task **tasks, unsigned count)
{
	for (unsigned i = 0; i + 1 < count; i++)
		tasks[i]->next = tasks[i + 1];
	weft__injector_push(&runtime->injector, tasks[0], tasks[count - 1], count);
}

/* Appends to one of the worker's rings; what is too much goes to the injector. */
static void put(struct worker *worker, struct ring *ring, struct task *task)
{
	struct task *half[BATCH];

	while (unlikely(!ring_push(ring, task))) {
		unsigned count = ring_overflow(ring, half, BATCH);

		if (count)
			inject(worker->runtime, half, count);
	}
}

void weft__share_fresh(struct worker *worker, struct task *task)
{
	put(worker, &worker->fresh, task);
	share_notify(worker->runtime);
}

/* From another runtime, or from a plain thread. Once it is published the task may run and end, and
 * so may its runtime; until then it keeps the runtime alive. */
static noinline void ready_from_outside(struct runtime *runtime, struct task *task)
{
	atomic_fetch_add_explicit(&runtime->visitors, 1, memory_order_relaxed);
	weft__injector_push(&runtime->injector, task, task, 1);
	share_notify(runtime);
	/* release pairs with the load in weft__share_end_visits() */
	atomic_fetch_sub_explicit(&runtime->visitors, 1, memory_order_release);
}

void weft__share_end_visits(struct runtime *runtime)
{
	while (atomic_load_explicit(&runtime->visitors, memory_order_acquire))
		weft__syscall(SYS_sched_yield, 0);
}

void weft__share_ready(struct runtime *runtime, struct task *task)
{
	struct worker *worker = thread_fresh()->worker;

	if (unlikely(!worker || worker->runtime != runtime)) {
		ready_from_outside(runtime, task);
		return;
	}
	put(worker, &worker->ready, task);
	share_notify(runtime);
}

/* --- taking ------------------------------------------------------------------------ */

/* The task is ours, and will run here: from now on for good, unless it is movable. */
static inline struct task *adopt(struct worker *worker, struct task *task)
{
	worker->adopted++;
	if (task_worker(task) == OWNER_NONE)
		atomic_store_explicit(&task_private(task)->last_worker, worker->index,
				      memory_order_relaxed); /* a diagnosis, or our own */
	else if (task_worker(task) != worker->index)
		task_set_worker(task, worker->index);
	return task;
}

/* Keeps the others of a batch that has changed hands, oldest first. While they were on
 * their way somebody may have looked everywhere, and gone to sleep: they are published
 * anew. */
static void keep(struct worker *worker, struct task **tasks, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put(worker, task_state(tasks[i]) == TASK_NEW ? &worker->fresh : &worker->ready,
		    tasks[i]);
	if (count)
		share_notify(worker->runtime);
}

static struct task *take_injected(struct worker *worker, unsigned max)
{
	struct runtime *runtime = worker->runtime;
	unsigned count = injector_count(&runtime->injector);
	struct task *tasks[BATCH], *task;
	unsigned n = 0;

	if (!count)
		return NULL;
	/* A fair part, and no more than fits a ring by half. */
	count = count / (atomic_load_explicit(&runtime->places, memory_order_relaxed)) + 1;
	task = weft__injector_take(&runtime->injector, count < max ? count : max);
	for (; task; task = task->next)
		tasks[n++] = task;
	if (!n)
		return NULL;
	keep(worker, tasks + 1, n - 1);
	return adopt(worker, tasks[0]);
}

/* Our part of the injector's. */
static unsigned injected_ahead(struct runtime *runtime)
{
	unsigned count = injector_count(&runtime->injector);

	if (likely(!count))
		return 0;
	return count / atomic_load_explicit(&runtime->places, memory_order_relaxed);
}

void weft__share_yield(struct worker *worker, struct task *self)
{
	unsigned ahead = ring_count(&worker->ready) + ring_count(&worker->fresh) +
			 injected_ahead(worker->runtime);

	if (likely(!ahead && !worker->later.head)) {
		queue_push(&worker->queue, self);
		return;
	}
	self->result = (int32_t)(worker->adopted + ahead);
	queue_push(&worker->later, self);
}

/* H4 */
static bool is_his_turn(const struct worker *worker, const struct task *yielder)
{
	return (int32_t)(worker->adopted - (uint32_t)yielder->result) >= 0;
}

static void recall(struct worker *worker)
{
	while (worker->later.head && is_his_turn(worker, worker->later.head))
		queue_push(&worker->queue, queue_pop(&worker->later));
}

struct task *weft__share_pick(struct worker *worker)
{
	struct task *task = ring_take_oldest(&worker->ready);

	if (!task)
		task = ring_take_newest(&worker->fresh);
	if (task)
		return adopt(worker, task);
	/* Off duty we take from no ring but our own. */
	if (worker->later.head && !is_his_turn(worker, worker->later.head) &&
	    !worker_is_off_duty(worker))
		task = take_injected(worker, PART);
	if (task)
		return task;
	/* Nobody is left who has not had his turn. */
	queue_append(&worker->queue, &worker->later);
	return queue_pop(&worker->queue);
}

/* The time is that of our last look, some 50 us old at most while tasks are quick. */
static inline bool is_oldest_turn(struct worker *worker)
{
	int64_t now_ns = atomic_load_explicit(&worker->last_look_ns, memory_order_relaxed);

	if (worker->oldest_turn) {
		worker->oldest_turn--;
		return false;
	}
	if (now_ns - worker->oldest_ns < OLDEST_NS)
		return false;
	worker->oldest_turn = OLDEST_EVERY;
	worker->oldest_ns = now_ns;
	return true;
}

void weft__share_turn(struct worker *worker)
{
	struct task *task = NULL;

	/* A load, while nobody has written: a task that is woken by another worker does not wait
	 * for the next look, which may be 50 us away. */
	weft__inbox_drain(worker);
	recall(worker);
	/* With nothing in the queue the rings are picked from anyway, but in one order: movable
	 * tasks that do nothing but yield would keep new ones out for ever. */
	if (is_oldest_turn(worker)) {
		task = take_injected(worker, 1);
		if (!task && (task = ring_take_oldest(&worker->fresh)))
			adopt(worker, task);
	}
	if (!task && worker->queue.head)
		task = weft__share_pick(worker);
	if (task)
		queue_push_front(&worker->queue, task);
}

/* --- stealing ------------------------------------------------------------------------ */

static struct task *steal_from(struct worker *worker, struct worker *victim)
{
	struct task *tasks[BATCH];
	unsigned count = ring_steal_half(&victim->ready, tasks, BATCH);

	if (!count)
		count = ring_steal_half(&victim->fresh, tasks, BATCH);
	if (!count)
		return NULL;
	worker->steals++;
	worker->stolen += count;
	trace_steal(victim->index, count);
	keep(worker, tasks + 1, count - 1);
	return adopt(worker, tasks[0]);
}

/* Everybody once, beginning with anybody. */
static struct task *steal(struct worker *worker)
{
	struct runtime *runtime = worker->runtime;
	/* acquire pairs with the release by which a place is filled in (crew.c) */
	unsigned places = atomic_load_explicit(&runtime->places, memory_order_acquire);
	unsigned first = rng_below(&worker->rng, places);

	for (unsigned i = 0; i < places; i++) {
		struct worker *victim = runtime->workers[(first + i) % places];
		struct task *task = victim == worker ? NULL : steal_from(worker, victim);

		if (task)
			return task;
	}
	return NULL;
}

/* One look at everything. What is in our own queue comes first. */
static struct task *look(struct worker *worker)
{
	struct task *task;

	if (weft__inbox_drain(worker))
		return queue_pop(&worker->queue);
	task = weft__share_pick(worker);
	if (task || worker_is_off_duty(worker))
		return task;
	task = take_injected(worker, PART);
	return task ? task : steal(worker);
}

/* Looks again and again for a while. The time follows the success: a worker whose work
 * comes in bursts sleeps soon, one that is handed something all the time does not. */
static struct task *spin(struct worker *worker)
{
	int64_t end_ns = weft__now() + worker->spin_ns;
	struct task *task;

	do {
		for (unsigned i = 0; i < SPIN_STEPS; i++)
			cpu_relax();
		task = look(worker);
		if (task) {
			worker->spin_ns = worker->spin_ns * 2 < SPIN_MAX_NS ? worker->spin_ns * 2
									    : SPIN_MAX_NS;
			return task;
		}
	} while (weft__now() < end_ns);
	worker->spin_ns = worker->spin_ns / 2 > SPIN_MIN_NS ? worker->spin_ns / 2 : SPIN_MIN_NS;
	return NULL;
}

/* N1 of idle.h: the second look. And the look of a spinner that stops: who published before
 * that has relied on it, who publishes later finds nobody counted. So there is no need to
 * wake anybody for work that is not there. */
bool weft__share_anywhere(struct runtime *runtime)
{
	unsigned places = atomic_load_explicit(&runtime->places, memory_order_acquire);

	if (injector_count(&runtime->injector))
		return true;
	for (unsigned i = 0; i < places; i++)
		if (ring_count(&runtime->workers[i]->ready) ||
		    ring_count(&runtime->workers[i]->fresh))
			return true;
	return false;
}

struct task *weft__share_hunt(struct worker *worker)
{
	struct runtime *runtime = worker->runtime;
	bool counted = worker->spinning ||
		       (!worker_is_off_duty(worker) && idle_begin_spin(&runtime->idle));
	struct task *task = look(worker);

	if (!task && counted)
		task = spin(worker);
	worker->spinning = worker->saw_work = false;
	/* N2 of idle.h. Off duty, we have not looked everywhere: somebody else must. */
	if (counted && idle_end_spin(&runtime->idle, task || worker_is_off_duty(worker)) &&
	    weft__share_anywhere(runtime))
		share_notify(runtime);
	return task;
}

void weft__share_pass_on(struct worker *worker)
{
	struct idle *idle = &worker->runtime->idle;
	bool duty = worker->spinning ? idle_end_spin(idle, true) : worker->saw_work;

	worker->spinning = worker->saw_work = false;
	if (duty && weft__share_anywhere(worker->runtime))
		share_notify(worker->runtime);
}
