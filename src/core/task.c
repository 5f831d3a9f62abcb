/* SPDX-License-Identifier: MIT
 *
 * task.c - the life of a task: spawn, start, exit, free.
 *
 * References: one for running, dropped by whoever runs after the task's last
 * switch (weft__task_left); one for the handle, dropped by join or detach. The
 * last one frees block and stack. A handle must not be used by two threads at
 * once when one of them drops it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <base/log.h>
#include <core/crowd.h>
#include <core/exit.h>
#include <core/leave.h>
#include <core/runtime.h>
#include <core/wake.h>
#include <stack/shared.h>

/* --- blocks ---------------------------------------------------------------- */

/* Its shared stack, if any, has been left before. */
void weft__task_free(struct task *task)
{
	if (unlikely(task->ext != NULL))
		free(task->ext);
	/* From here on every handle is stale. relaxed: which one, others know by themselves. */
	atomic_store_explicit(&task->id, 0, memory_order_relaxed);
	if (!(task->flags & TASK_PRIVATE)) {
		weft__block_give(task);
	} else if (!(task->flags & TASK_THREAD)) {
		struct stack_slot slot = { .top = (char *)task,
					   .low = task->strand.low,
					   .class = task->stack_class };

		weft__stack_give(&slot);
	}
}

noinline void weft__task_left(struct task *task)
{
	if (task_state(task) != TASK_DEAD) {
		weft__movable_saved(task);
		return;
	}
	/* A group belongs to this thread; the last handle may be another's. */
	if (unlikely(task->strand.shared != NULL))
		weft__shared_leave(&task->strand);
#if WEFT_TSAN
	weft__tsan_free(task->strand.fiber);
#endif
	task_put(task);
}

int weft__task_ext(struct task *task)
{
	if (!task->ext)
		task->ext = weft__calloc(1, sizeof *task->ext);
	return task->ext ? 0 : -ENOMEM;
}

/* --- start and end --------------------------------------------------------- */

static void task_finish(struct task *self, int value);

static noinline void start_rare(struct task *self)
{
	if (self->flags & WEFT_KEEP_FP)
		weft__fp_save(&weft__thread.worker->fp);
}

static always_inline void task_begin(struct task *self, struct task *left)
{
	asan_arrive(weft__thread.worker, NULL);
	if (unlikely(left != NULL))
		weft__task_left(left);
	weft__thread.worker->begun++;
	if (unlikely(self->flags & WEFT_KEEP_FP))
		start_rare(self);
}

/* The first and outermost frame of a task that has a stack of its own. */
static void task_main(void *context, void *note)
{
	struct task *self = context;

	task_begin(self, note);
	task_finish(self, self->start.fn(self->start.arg));
}

/* On a shared stack each byte of a frame is copied and kept: so it has none. */
static struct context_call shared_begin(void *context, void *note)
{
	struct task *self = context;

	task_begin(self, note);
	return (struct context_call){ self->start.fn, self->start.arg };
}

static void shared_end(int value)
{
	task_finish(thread_fresh()->task, value);
}

static void daemon_ended(struct worker *worker, struct task *self)
{
	spin_lock(&worker->daemons->lock);
	list_remove(&self->ext->daemon);
	spin_unlock(&worker->daemons->lock);
	count_one(&worker->daemons_ended);
}

static noinline void exit_rare(struct task *self)
{
	struct worker *worker;

	if (self->ext)
		weft__exit_clean(self);
	/* A cleanup may have parked: only now is it sure where we are. */
	worker = thread_fresh()->worker;
	if (self->flags & WEFT_DAEMON)
		daemon_ended(worker, self);
	if (self->flags & WEFT_MIGRATE)
		atomic_fetch_sub_explicit(&worker->runtime->movable_alive, 1,
					  memory_order_relaxed); /* a count */
	if (self->flags & WEFT_KEEP_FP)
		weft__fp_load(&worker->fp);
	if (self->flags & TASK_CANARY)
		weft__leave_check_canary(self);
}

static always_inline void __attribute__((noreturn)) task_exit(struct task *self, int value)
{
	struct worker *worker;
	weft_context *target;
	struct task *next;
	uint64_t joiner;

	if (unlikely(self->ext || (self->flags & (TASK_CANARY | WEFT_MIGRATE))))
		exit_rare(self);
	worker = thread_fresh()->worker;
	self->result = value;
	task_set_state(self, TASK_DEAD);
	weft__runtime_task_ended(worker);

	/* The result is published by this exchange; it pairs with the acquire
	 * in joiner_of(). */
	joiner = exchange64(&self->joiner, JOINER_DEAD);
	if (joiner > JOINER_DETACHED && unlikely(self->flags & TASK_CHILD)) {
		struct task_child *child = (struct task_child *)(uintptr_t)joiner;

		child->ended(child, value);
	} else if (joiner > JOINER_DETACHED) {
		/* It runs later, and others before it: the handle is its own by now.
		 * release as above, for a joiner whose time is up. */
		atomic_store_explicit(&self->joiner, JOINER_JOINED, memory_order_release);
		task_wake(joiner, 0);
	}

	next = worker_pick(worker);
	worker->switches++;
	weft__thread.coroutine = NULL;
	target = worker_target(worker, next);
	asan_leave(worker, &self->strand, strand_of_target(worker), NULL);
	tsan_leave(worker, &self->strand);
	weft_context_switch(&self->strand.ctx, target, self);
	__builtin_unreachable();
}

void weft__task_exit(struct task *self, int value)
{
	task_exit(self, value);
}

/* A call that never returns leaves its address on the CPU's return stack, and
 * the next task's returns are predicted wrong. So task_main() must jump here: this
 * is not declared noreturn, and the compiler is kept from finding out. */
static noinline never_noreturn void task_finish(struct task *self, int value)
{
	task_exit(self, value);
}

void weft_exit(int value)
{
	struct task *self = weft__thread.task;

	if (!self || (self->flags & TASK_THREAD))
		exit(value);
	if (self->ext)
		self->ext->exit_value = value;
	if (unlikely(weft__thread.coroutine != NULL))
		weft__coroutine_exit(value);
	weft__task_exit(self, value);
}

/* --- spawn ----------------------------------------------------------------- */

/* Everything but the strand and ext. */
static always_inline void task_init(struct task *task, struct worker *worker, unsigned flags,
				    unsigned class, weft_fn *fn, void *arg, bool held,
				    const char *site)
{
	uint64_t id = weft__runtime_next_id(worker);

	task->flags = (uint16_t)(flags | worker->spawn_flags);
	task_set_state(task, TASK_NEW);
	task->stack_class = (uint8_t) class;
	atomic_store_explicit(&task->id, id, memory_order_relaxed);
	atomic_store_explicit(&task->wait, first_wait(id), memory_order_relaxed);
	atomic_store_explicit(&task->refs, held ? 2 : 1, memory_order_relaxed);
	atomic_store_explicit(&task->joiner, held ? JOINER_NONE : JOINER_DETACHED,
			      memory_order_relaxed);
	task_set_origin(task, site, worker->index);
	task->ext = NULL;
	task->start.fn = fn;
	task->start.arg = arg;
#if WEFT_TSAN
	task->strand.fiber = NULL;
#endif
#if WEFT_ASAN
	task->strand.asan_low = task->strand.shared ? task->strand.shared->low : task->strand.low;
	task->strand.asan_bytes =
		(size_t)((task->strand.shared ? task->strand.shared->top : (char *)task) -
			 (const char *)task->strand.asan_low);
#endif
}

/* A block at the top of a slot of its own. */
static always_inline struct task *take_private(unsigned class)
{
	struct stack_slot slot;
	struct task *task;

	if (unlikely(weft__stack_take(class, &slot) < 0))
		return NULL;
	task = (struct task *)(void *)slot.top;
	task->strand.shared = NULL;
	task->strand.low = slot.low;
	weft__context_make_at(&task->strand.ctx, slot.top, task_main);
	return task;
}

/* A block by itself; the stack is the next one of the group. */
static int take_shared(weft_stack_group *group, struct task **ret_task)
{
	static const struct context_run run = { shared_begin, shared_end };
	struct shared_stack *stack = weft__shared_pick(group);
	struct task *task;

	if (!stack)
		return -EPERM;
	task = weft__block_take();
	if (!task) {
		struct strand unused = { .shared = stack };

		weft__shared_leave(&unused);
		return -ENOMEM;
	}
	task->strand.shared = stack;
	task->strand.saved = NULL;
	weft__context_make_run(&task->strand.ctx, stack->top, &run);
	*ret_task = task;
	return 0;
}

/* What only few tasks have. Undoes the whole spawn on failure. */
static noinline int init_ext(struct worker *worker, struct task *task, const char *name)
{
	if (weft__task_ext(task) < 0) {
		if (task->strand.shared)
			weft__shared_leave(&task->strand);
		weft__task_free(task);
		return -ENOMEM;
	}
	if (name)
		strncat(task->ext->name, name, sizeof task->ext->name - 1);
	if (task->flags & WEFT_DAEMON) {
		task->ext->task = task;
		count_one(&worker->daemons_spawned);
		spin_lock(&worker->daemons->lock);
		list_push_back(&worker->daemons->list, &task->ext->daemon);
		if (worker->daemons->ending)
			weft__task_cancel(task);
		spin_unlock(&worker->daemons->lock);
	}
	return 0;
}

/* In a runtime of several workers: which of them is to run it? */
static noinline void place(struct worker *worker, struct task *task, unsigned flags)
{
	struct runtime *runtime = worker->runtime;
	struct worker *other = worker;

	if (flags & WEFT_SPREAD)
		other = runtime->workers[atomic_fetch_add_explicit(&runtime->next_place, 1,
								   memory_order_relaxed) %
					 runtime->count];
	if (other != worker) {
		if (task_worker(task) != OWNER_NONE)
			task_set_worker(task, other->index);
		weft__inbox_push(other, task);
	} else if ((flags & WEFT_SPREAD) || task->strand.shared) {
		queue_push(&worker->queue, task);
	} else {
		weft__share_fresh(worker, task);
	}
}

static always_inline void spawned(struct worker *worker, struct task *task, unsigned flags,
				  weft_task **ret_task)
{
	weft__runtime_task_began(worker);
	probe_spawn(task);
	/* Before others can see it: it may end, and its handle is ours to keep all the same. */
	if (ret_task)
		*ret_task = task_handle(task);
	if (unlikely(worker->runtime != NULL))
		place(worker, task, flags);
	else if (likely(crowd_is_small(worker)))
		queue_push(&worker->queue, task);
	else
		weft__crowd_add(worker, task);
}

/* It may go on in another thread, so it needs what only some have. */
static void init_movable(struct worker *worker, struct task *task)
{
	struct private_task *private = task_private(task);

	private->runtime = worker->runtime;
	private->timer_home = worker;
	private->deadline.pprev = NULL;
	atomic_store_explicit(&private->last_worker, worker->index, memory_order_relaxed);
	task_set_worker(task, OWNER_NONE);
	atomic_fetch_add_explicit(&worker->runtime->movable_alive, 1, memory_order_relaxed);
}

/* Makes a task that is in no queue. */
static int make(struct task **ret_task, const weft_attr *attr, weft_fn *fn, void *arg, bool held,
		const char *site)
{
	struct worker *worker;
	struct task *task;
	int class, rc = 0;
	unsigned flags;

	class = weft__stack_class(attr->stack_bytes);
	if (!fn || class < 0 || (attr->flags & ~(unsigned)TASK_FLAGS_PUBLIC))
		return -EINVAL;
	if (!weft__task_self(&rc))
		return rc;
	worker = weft__thread.worker;

	flags = attr->flags & ~(unsigned)WEFT_SPREAD;
	if (!worker->runtime || attr->shared)
		flags &= ~(unsigned)WEFT_MIGRATE; /* there is nowhere to go to */
	if (attr->shared) {
		rc = take_shared(attr->shared, &task);
		if (rc < 0)
			return rc;
	} else {
		task = take_private((unsigned)class);
		if (!task)
			return -ENOMEM;
		flags |= TASK_PRIVATE;
	}
	task_init(task, worker, flags, (unsigned)class, fn, arg, held, site);
	if (flags & TASK_PRIVATE)
		weft__leave_note_canary(task);
	if (attr->name || (flags & (WEFT_DAEMON | WEFT_KEEP_FP))) {
		rc = init_ext(worker, task, attr->name);
		if (rc < 0)
			return rc;
	}
	trace_spawned(task);
	if (flags & WEFT_MIGRATE)
		init_movable(worker, task);
	*ret_task = task;
	return 0;
}

/* With attributes, without a runtime yet, traced, or where slots have canaries. */
static noinline int spawn_rare(weft_task **ret_task, const weft_attr *attr, weft_fn *fn, void *arg,
			       const char *site)
{
	static const weft_attr defaults;
	struct task *task;
	int rc;

	attr = attr ? attr : &defaults;
	rc = make(&task, attr, fn, arg, ret_task != NULL, site);
	if (rc == 0)
		spawned(weft__thread.worker, task, attr->shared ? 0 : attr->flags, ret_task);
	return rc;
}

int weft__task_make(struct task **ret_task, const weft_attr *attr, weft_fn *fn, void *arg,
		    const char *site)
{
	return make(ret_task, attr, fn, arg, false, site);
}

int weft_spawn_at(weft_task **ret_task, const weft_attr *attr, weft_fn *fn, void *arg,
		  const char *site)
{
	struct worker *worker = weft__thread.worker;
	struct task *task;

	if (unlikely(attr || !worker || !fn || weft__stack_canaries || weft__thread.trace))
		return spawn_rare(ret_task, attr, fn, arg, site);
	task = take_private(worker->default_class);
	if (unlikely(!task))
		return -ENOMEM;
	task_init(task, worker, TASK_PRIVATE, worker->default_class, fn, arg, ret_task != NULL,
		  site);
	spawned(worker, task, 0, ret_task);
	return 0;
}
