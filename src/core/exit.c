/* SPDX-License-Identifier: MIT
 *
 * exit.c - see exit.h.
 */
#include <errno.h>

#include <base/fault.h>
#include <core/cleanup.h>
#include <core/coroutine.h>
#include <core/deadline.h>
#include <core/exit.h>
#include <core/local.h>
#include <core/park.h>
#include <core/runtime.h>

/* --- leaving ---------------------------------------------------------------------- */

void weft__exit_clean(struct task *self)
{
	weft__cleanup_run(&self->ext->cleanups);
	weft__deadline_end(self);
	weft__local_task_end(self);
	weft__cleanup_run(&self->ext->cleanups); /* what destructors have left open */
}

/* What its body has left open: of a task that returns, task_exit() asks it. */
static void main_cleanup(void)
{
	struct task *self = weft__thread.task;

	if (self->ext)
		weft__exit_clean(self);
}

noinline int weft__main_call(struct worker *worker, weft_fn *fn, void *arg)
{
	struct main_call call;

	if (setjmp(call.env) == 0) {
		worker->main_call = &call;
		call.value = fn(arg);
		main_cleanup();
	}
	/* The worker may have come back in a register of then; its main task is the same. */
	weft__thread.worker->main_call = NULL;
	return call.value;
}

void weft__exit_unwound(int value)
{
	struct task *self = weft__thread.task;
	struct main_call *call;

	if (weft__thread.coroutine)
		weft__coroutine_exit(value);
	if (!(self->flags & TASK_THREAD))
		weft__task_exit(self, value);
	main_cleanup();
	call = weft__thread.worker->main_call;
	call->value = value;
	longjmp(call->env, 1);
}

void weft__cleanup_continue(void)
{
	struct coroutine *co = weft__thread.coroutine;

	if (co && (co->rare & RARE_UNWINDING)) { /* it is being freed or reset */
		weft__cleanup_run(&co->cleanups);
		weft__coroutine_finish(co, NULL);
	}
	weft__exit_unwound(weft__thread.task->ext->exit_value);
}

weft_cleanup **weft__cleanup_list(void)
{
	struct coroutine *co = weft__thread.coroutine;

	return co ? &co->cleanups : &weft__thread.task->ext->cleanups;
}

void weft__exit_await_others(void)
{
	weft__runtime_end_all(weft__thread.worker);
}

/* --- requests -------------------------------------------------------------------------- */

struct request {
	struct list link;
	const struct task *task;
	uint64_t id;
};

static struct list requests = { &requests, &requests };
static struct spinlock lock;

static inline bool is_over(const struct request *request)
{
	return request->task->id != request->id;
}

/* Lock held. */
static struct request *find(const struct task *task)
{
	for (struct list *node = requests.next; node != &requests; node = node->next) {
		struct request *request = container_of(node, struct request, link);

		if (request->task == task && !is_over(request))
			return request;
	}
	return NULL;
}

static void drop_old(void)
{
	struct list *node = requests.next;

	while (node != &requests) {
		struct request *request = container_of(node, struct request, link);

		node = node->next;
		if (!is_over(request))
			continue;
		list_remove(&request->link);
		weft__free(request);
	}
}

/* Who runs there just now: a glance at another thread's variable, which says nothing about
 * the next moment. TSan need not know. */
static no_tsan struct task *runs_there(const struct worker *worker)
{
	return *(struct task *const volatile *)&worker->os_thread->task;
}

static struct task *whom_to_ask(struct worker *worker)
{
	struct task *task = runs_there(worker);

	return task ? task : worker->main.task.id ? &worker->main.task : NULL;
}

/* Lock held. What was read of the task is of one life when it is the right one still. */
static no_tsan int ask(struct worker *worker, struct request *request)
{
	for (;;) {
		struct task *task = whom_to_ask(worker);
		uint32_t word;

		if (!task)
			return -ESRCH;
		word = atomic_load_explicit(&task->wait, memory_order_acquire);
		*request = (struct request){ .task = task, .id = task->id };
		if (task != whom_to_ask(worker) || !request->id)
			continue;
		if ((task->flags & TASK_NO_EXIT_REQUEST) || weft__task_cancel_seen(task, word))
			break;
	}
	list_push_back(&requests, &request->link);
	return 0;
}

int weft__exit_request(pthread_t thread)
{
	struct worker *worker = weft__registry_lock_thread(thread);
	struct request *request = NULL;
	int rc = -ENOENT;

	if (worker) {
		request = weft__malloc(sizeof *request);
		rc = -ENOMEM;
	}
	if (request) {
		spin_lock(&lock);
		drop_old();
		rc = ask(worker, request);
		spin_unlock(&lock);
		if (rc < 0)
			weft__free(request);
	}
	weft__registry_unlock();
	return rc;
}

bool weft__exit_requested(void)
{
	struct task *self = weft__thread.task;
	bool found;

	if (self->flags & TASK_NO_EXIT_REQUEST)
		return false;
	spin_lock(&lock);
	found = find(self) != NULL;
	spin_unlock(&lock);
	return found;
}

void weft__exit_forked(void)
{
	lock = (struct spinlock){ 0 };
	list_init(&requests); /* another thread may have been changing it */
}

void weft__exit_begin(void)
{
	struct task *self = weft__thread.task;
	struct request *request;

	spin_lock(&lock);
	self->flags |= TASK_NO_EXIT_REQUEST;
	request = find(self);
	if (request) {
		list_remove(&request->link);
		/* Running, so without an open wait. relaxed: it has seen the cancel. */
		atomic_fetch_and_explicit(&self->wait, ~(uint32_t)WAIT_CANCELED,
					  memory_order_relaxed);
	}
	spin_unlock(&lock);
	weft__free(request);
}

bool weft__exit_allow(bool allowed)
{
	struct task *self = weft__thread.task;
	bool before = !(self->flags & TASK_NO_EXIT_REQUEST);

	spin_lock(&lock);
	if (allowed)
		self->flags &= (uint16_t)~TASK_NO_EXIT_REQUEST;
	else
		self->flags |= TASK_NO_EXIT_REQUEST;
	if (allowed && find(self))
		weft__task_cancel(self);
	spin_unlock(&lock);
	return before;
}
