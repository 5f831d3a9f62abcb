/* SPDX-License-Identifier: MIT
 *
 * runtime.c - how a thread becomes a runtime and stops being one; weft_run();
 * a runtime inside a foreign event loop.
 *
 * A runtime of one worker is its thread: the caller goes on as the task
 * "main", on the thread's own stack, and the worker's loop gets a small stack
 * of its own, entered when no task is ready.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/log.h>
#include <core/leave.h>
#include <core/park.h>
#include <core/runtime.h>

enum { WORKERS_MAX = 65536, IDS_BLOCK = 4096, LOOP_STACK_BYTES = 64 << 10, BUDGET_START = 64 };

/* Slot 0 stays empty: index 0 means "no worker". */
static _Atomic(struct worker *) workers[WORKERS_MAX];
static pthread_mutex_t workers_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t ids_dealt = 1;

static pthread_once_t process_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end_key;
static bool key_made;

struct worker *weft__worker(unsigned index)
{
	/* acquire pairs with the release in weft__worker_register() */
	return atomic_load_explicit(&workers[index], memory_order_acquire);
}

int weft__worker_register(struct worker *worker)
{
	int rc = -EAGAIN;

	pthread_mutex_lock(&workers_lock);
	for (unsigned i = 1; i < WORKERS_MAX; i++) {
		if (atomic_load_explicit(&workers[i], memory_order_relaxed))
			continue;
		worker->index = (uint16_t)i;
		atomic_store_explicit(&workers[i], worker, memory_order_release);
		rc = 0;
		break;
	}
	pthread_mutex_unlock(&workers_lock);
	return rc;
}

void weft__worker_unregister(struct worker *worker)
{
	atomic_store_explicit(&workers[worker->index], NULL, memory_order_release);
}

uint64_t weft__runtime_more_ids(struct worker *worker)
{
	uint64_t first = atomic_fetch_add_explicit(&ids_dealt, IDS_BLOCK, memory_order_relaxed);

	worker->next_id = first + 1;
	worker->end_id = first + IDS_BLOCK;
	return first;
}

/* Workers hold "main", and a handle of it may outlive its thread: so their memory
 * is type-stable, as that of other tasks is. */
static struct worker *workers_free;

/* All but wakers. Word by word, each at once: late wakers of its last owner may look at
 * main's id and wait word and at sleeping, and must find the old value or 0. */
static void worker_clear(struct worker *worker)
{
	typedef _Atomic uint32_t __attribute__((may_alias)) word;
	word *const words = (word *)(void *)worker;

	_Static_assert(offsetof(struct worker, wakers) % sizeof(word) == 0, "whole words");
	/* relaxed: they have no claim that anything is ordered */
	for (size_t i = 0; i < offsetof(struct worker, wakers) / sizeof(word); i++)
		atomic_store_explicit(&words[i], 0, memory_order_relaxed);
}

static struct worker *worker_new(void)
{
	struct worker *worker;

	pthread_mutex_lock(&workers_lock);
	worker = workers_free;
	if (worker)
		workers_free = *(struct worker **)(void *)worker;
	pthread_mutex_unlock(&workers_lock);
	if (!worker) {
		worker = weft__map(sizeof *worker);
		if (worker)
			weft__asan_root(worker, sizeof *worker);
	}
	if (worker)
		worker_clear(worker);
	return worker;
}

static void worker_free(struct worker *worker)
{
	pthread_mutex_lock(&workers_lock);
	*(struct worker **)(void *)worker = workers_free;
	workers_free = worker;
	pthread_mutex_unlock(&workers_lock);
}

/* --- beginning and end of a thread's runtime ------------------------------- */

static void runtime_leave(struct worker *worker)
{
	if (weft__thread.worker == worker) {
		/* The rest is the thread's: its coroutines may outlive the runtime. */
		weft__thread.worker = NULL;
		weft__thread.worker_index = 0;
		weft__thread.task = NULL;
	}
	weft__worker_end_wakes(worker);
	weft__poller_fini(&worker->poller);
	weft__stack_give(&worker->loop_slot);
	free(worker->main.task.ext);
	worker->main.task.id = 0; /* its handles are stale */
	if (worker->alive)
		return; /* W5 */
#if WEFT_TSAN
	weft__tsan_free(worker->idle_fiber);
#endif
	weft__worker_unregister(worker);
	worker_free(worker);
}

/* A thread ends. Tasks that it leaves behind can never run again; their stacks
 * stay taken, since other threads may hold handles. */
static void thread_end(void *arg)
{
	struct worker *worker = arg;

	if (worker->alive)
		weft__warn("a thread ended and left %llu of its tasks unfinished",
			   (unsigned long long)worker->alive);
	runtime_leave(worker);
	weft__stack_cache_drop();
}

static void take_lock(void)
{
	pthread_mutex_lock(&workers_lock);
}

static void drop_lock(void)
{
	pthread_mutex_unlock(&workers_lock);
}

static void process_init(void)
{
	pthread_atfork(take_lock, drop_lock, drop_lock);
	key_made = pthread_key_create(&thread_end_key, thread_end) == 0;
	weft__leave_init();
}

static void init_main(struct worker *worker)
{
	struct task *main = &worker->main.task;

	main->flags = TASK_THREAD | TASK_PRIVATE;
	main->state = TASK_RUNNING;
	main->id = weft__runtime_more_ids(worker);
	main->wait = first_wait(main->id / IDS_BLOCK);
	main->origin = (uint64_t)worker->index << 48;
	main->refs = 1;
	main->joiner = JOINER_DETACHED;
}

static int worker_init(struct worker *worker)
{
	int class = weft__stack_class(LOOP_STACK_BYTES);
	int rc = weft__stack_take((unsigned)class, &worker->loop_slot);

	if (rc < 0)
		return rc;
	rc = weft__poller_init(&worker->poller);
	if (rc < 0)
		goto no_poller;
	rc = weft__worker_register(worker);
	if (rc < 0)
		goto no_index;

	class = weft__stack_class(0);
	worker->default_class = (uint8_t) class;
	worker->errno_location = &errno;
	worker->budget = worker->budget_full = BUDGET_START;
	worker->last_look_ns = weft__now();
	list_init(&worker->daemons);
	weft__wheel_init(&worker->wheel, worker->last_look_ns);
	weft__context_make_at(&worker->idle, worker->loop_slot.top, weft__worker_loop);
#if WEFT_ASAN
	worker->asan_idle.asan_low = worker->loop_slot.low;
	worker->asan_idle.asan_bytes = (size_t)(worker->loop_slot.top - worker->loop_slot.low);
#endif
#if WEFT_TSAN
	worker->idle_fiber = weft__tsan_new();
#endif
	init_main(worker);
	return 0;

no_index:
	weft__poller_fini(&worker->poller);
no_poller:
	weft__stack_give(&worker->loop_slot);
	return rc;
}

/* errno is the caller's: hooks and natives alike may come through here. */
static coldpath int runtime_enter(struct worker **ret_worker)
{
	int saved_errno = errno;
	struct worker *worker;
	int rc = 0;

	if (weft__shadow_stack_active())
		return -ENOTSUP;
	pthread_once(&process_once, process_init);
	if (!key_made)
		return -EAGAIN;
	worker = worker_new();
	if (!worker)
		return -ENOMEM;
	rc = worker_init(worker);
	if (rc < 0) {
		worker_free(worker);
		errno = saved_errno;
		return rc;
	}
	pthread_setspecific(thread_end_key, worker);
	weft__thread.worker = worker;
	weft__thread.worker_index = worker->index;
	weft__thread.task = &worker->main.task;
	errno = saved_errno;
	*ret_worker = worker;
	return 0;
}

coldpath struct task *weft__task_self_slow(int *ret_error)
{
	struct worker *worker;
	int rc;

	/* The worker's own loop is no task and must not wait. */
	rc = weft__thread.worker ? -EPERM : runtime_enter(&worker);
	if (rc == 0)
		return weft__thread.task;
	if (ret_error)
		*ret_error = rc;
	return NULL;
}

/* --- weft_run -------------------------------------------------------------- */

void weft__runtime_drained(struct worker *worker)
{
	weft__wake(worker->drain_ticket, 0);
}

/* Parks main until the others have ended. A cancel of main does not end that. */
static void drain(struct worker *worker, bool all)
{
	struct task *main = &worker->main.task;

	worker->drain_all = all;
	while (!weft__runtime_is_drained(worker)) {
		worker->drain_ticket = weft__park_begin_shielded(main);
		weft__park(main, WAIT_OTHER, WEFT_FOREVER);
	}
	worker->drain_ticket = 0;
}

int weft_run(unsigned count, weft_fn *fn, void *arg, int *ret)
{
	struct worker *worker;
	int rc, value;

	if (!fn)
		return -EINVAL;
	if (count != 1)
		return -ENOTSUP;
	if (weft__thread.worker)
		return -EBUSY;
	rc = runtime_enter(&worker);
	if (rc < 0)
		return rc;

	value = fn(arg);
	drain(worker, false);
	for (struct list *node = worker->daemons.next; node != &worker->daemons; node = node->next)
		weft__task_cancel(container_of(node, struct task_ext, daemon)->task);
	drain(worker, true);

	pthread_setspecific(thread_end_key, NULL);
	runtime_leave(worker);
	if (ret)
		*ret = value;
	return 0;
}

/* --- embedding ------------------------------------------------------------- */

int weft_runtime_fd(void)
{
	int rc = 0;

	if (!weft__task_self(&rc))
		return rc;
	return weft__thread.worker->poller.epoll_fd;
}

int64_t weft_runtime_step(void)
{
	struct task *self = weft__thread.task;
	struct worker *worker = weft__thread.worker;
	int64_t next_ns, now_ns;

	if (!self || !(self->flags & TASK_THREAD) || weft__thread.coroutine)
		return -EPERM;
	weft__worker_look(worker);
	weft__yield_now(self);
	/* From here on wakers in other threads must make the fd readable. */
	if (worker->queue.head || !weft__worker_announce_sleep(worker))
		return 0;
	next_ns = weft__wheel_next(&worker->wheel);
	if (next_ns == INT64_MAX)
		return WEFT_FOREVER;
	now_ns = weft__now();
	return next_ns > now_ns ? next_ns - now_ns : 0;
}
