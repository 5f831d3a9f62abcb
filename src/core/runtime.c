/* SPDX-License-Identifier: MIT
 *
 * runtime.c - how a thread becomes a worker and stops being one; weft_run().
 *
 * A runtime of one worker is its thread: the caller goes on as the task
 * "main", on the thread's own stack, and the worker's loop gets a small stack
 * of its own, entered when no task is ready. In a runtime of several (crew.c) the first
 * one is like that, and the others run their loops on their threads' stacks.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/log.h>
#include <base/observe.h>
#include <base/only_once.h>
#include <base/rng.h>
#include <base/syscall.h>
#include <core/cxx.h>
#include <core/deadline.h>
#include <core/exit.h>
#include <core/leave.h>
#include <core/local.h>
#include <core/park.h>
#include <core/runtime.h>

enum { IDS_BLOCK = 4096, LOOP_STACK_BYTES = 64 << 10, BUDGET_START = 64, SPIN_START_NS = 10000 };

static _Atomic uint64_t ids_dealt = 1;
static struct only_once process_once;
static pthread_key_t thread_end_key;
static bool key_made;

uint64_t weft__runtime_more_ids(struct worker *worker)
{
	uint64_t first = atomic_fetch_add_explicit(&ids_dealt, IDS_BLOCK, memory_order_relaxed);

	worker->next_id = first + 1;
	worker->end_id = first + IDS_BLOCK;
	return first;
}

/* --- beginning and end of a thread's runtime ------------------------------- */

void weft__runtime_leave(struct worker *worker)
{
	if (weft__thread.worker == worker) {
		/* The rest is the thread's: its coroutines may outlive the runtime. */
		weft__thread.worker = NULL;
		weft__trace_end_thread();
		weft__thread.worker_index = 0;
		weft__thread.task = NULL;
	}
	weft__registry_thread_ended(worker);
	observe_thread(-1);
	weft__worker_end_wakes(worker);
	weft__poller_fini(&worker->poller);
	if (worker->loop_slot.top)
		weft__stack_give(&worker->loop_slot);
	free(worker->main.task.ext);
	worker->main.task.id = 0; /* its handles are stale */
	if (!worker->runtime && worker_alive(worker))
		return; /* W5 */
#if WEFT_TSAN
	if (worker->loop_slot.top)
		weft__tsan_free(worker->idle_fiber);
#endif
	weft__worker_unregister(worker);
	weft__worker_free(worker);
}

/* A thread ends. Tasks that it leaves behind can never run again; their stacks
 * stay taken, since other threads may hold handles. */
static void thread_end(void *arg)
{
	struct worker *worker = arg;

	if (worker->main.task.ext)
		weft__deadline_end(&worker->main.task);
	weft__local_thread_end();
	if (worker_alive(worker)) {
		weft__warn(
			"a thread ended and left %lld of its tasks unfinished, and nobody runs them "
			"now: join them before, or use weft_run()",
			(long long)worker_alive(worker));
		weft__leftover_list(worker);
	}
	weft__runtime_leave(worker);
	weft__stack_cache_drop();
}

static void process_init(void)
{
	weft__trace_init();
	key_made = pthread_key_create(&thread_end_key, thread_end) == 0;
	weft__leave_init();
	weft__debug_init();
}

/* The thread's own task. In a worker without one, an identity for whoever looks. */
static void init_main(struct worker *worker, bool runs)
{
	struct task *main = &worker->main.task;

	if (!runs)
		return;
	main->flags = (uint16_t)(TASK_THREAD | TASK_PRIVATE | worker->spawn_flags);
	task_set_state(main, TASK_RUNNING);
	main->id = weft__runtime_more_ids(worker);
	main->wait = first_wait(main->id / IDS_BLOCK);
	task_set_origin(main, NULL, worker->index);
	main->refs = 1;
	main->joiner = JOINER_DETACHED;
}

static void init_clockwork(struct worker *worker, struct runtime *runtime)
{
	int64_t now_ns = weft__now();

	worker->runtime = runtime;
	worker->daemons = runtime ? &runtime->daemons : &worker->own_daemons;
	list_init(&worker->own_daemons.list);
	worker->budget = worker->budget_full = BUDGET_START;
	atomic_store_explicit(&worker->last_look_ns, now_ns, memory_order_relaxed);
	worker->now_coarse = coarse_time(now_ns);
	weft__wheel_init(&worker->wheel, now_ns);
	weft__wheel_init(&worker->movers.wheel, now_ns);
	worker->spin_ns = SPIN_START_NS;
	weft__rng_init(&worker->rng, worker->index);
	if (weft__cxx_present())
		worker->spawn_flags |= TASK_CXX;
	if (runtime)
		worker->spawn_flags |= TASK_CREW;
}

#if WEFT_ASAN
static void thread_stack(const void **ret_low, size_t *ret_bytes)
{
	pthread_attr_t attr;
	void *low;

	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, ret_bytes);
	pthread_attr_destroy(&attr);
	*ret_low = low;
}
#endif

/* Where the loop runs: on a stack of its own beside main, or as its thread. */
static int init_loop(struct worker *worker, bool main_runs)
{
	int class = weft__stack_class(LOOP_STACK_BYTES);
	int rc;

	if (main_runs) {
		rc = weft__stack_take((unsigned)class, &worker->loop_slot);
		if (rc < 0)
			return rc;
		weft__context_make_at(&worker->idle, worker->loop_slot.top, weft__worker_enter);
	}
#if WEFT_ASAN
	if (main_runs) {
		worker->asan_idle.asan_low = worker->loop_slot.low;
		worker->asan_idle.asan_bytes =
			(size_t)(worker->loop_slot.top - worker->loop_slot.low);
	} else {
		thread_stack(&worker->asan_idle.asan_low, &worker->asan_idle.asan_bytes);
	}
#endif
#if WEFT_TSAN
	worker->idle_fiber = main_runs ? weft__tsan_new() : weft__tsan_self();
#endif
	return 0;
}

static int worker_init(struct worker *worker, struct runtime *runtime, uint32_t poller_id,
		       bool main_runs)
{
	int rc = init_loop(worker, main_runs);

	if (rc < 0)
		return rc;
	rc = weft__poller_init(&worker->poller, poller_id);
	if (rc < 0)
		goto no_poller;
	rc = weft__worker_register(worker);
	if (rc < 0)
		goto no_index;

	worker->default_class = (uint8_t)weft__stack_class(0);
	worker->errno_location = &errno;
	worker->tid = (int)weft__syscall(SYS_gettid, 0);
	worker->stacks = weft__thread.stacks;
	init_clockwork(worker, runtime);
	init_main(worker, main_runs);
	return 0;

no_index:
	weft__poller_fini(&worker->poller);
no_poller:
	if (main_runs)
		weft__stack_give(&worker->loop_slot);
	return rc;
}

/* errno is the caller's: hooks and natives alike may come through here. */
coldpath int weft__runtime_enter(struct worker **ret_worker, struct runtime *runtime,
				 uint32_t poller_id, bool main_runs)
{
	int saved_errno = errno;
	struct worker *worker;
	int rc = 0;

	if (weft__shadow_stack_active())
		return -ENOTSUP;
	only_once(&process_once, process_init);
	if (!key_made)
		return -EAGAIN;
	worker = weft__worker_new();
	if (!worker)
		return -ENOMEM;
	rc = worker_init(worker, runtime, poller_id, main_runs);
	if (rc < 0) {
		weft__worker_free(worker);
		errno = saved_errno;
		return rc;
	}
	if (main_runs)
		pthread_setspecific(thread_end_key, worker);
	weft__registry_thread_began(worker);
	weft__thread.worker = worker;
	weft__thread.worker_index = worker->index;
	weft__thread.task = main_runs ? &worker->main.task : NULL;
	observe_thread(1);
	weft__trace_enter(worker);
	errno = saved_errno;
	*ret_worker = worker;
	return 0;
}

coldpath struct task *weft__task_self_slow(int *ret_error)
{
	struct worker *worker;
	int rc;

	/* The worker's own loop is no task and must not wait. */
	rc = weft__thread.worker ? -EPERM : weft__runtime_enter(&worker, NULL, 0, true);
	if (rc == 0)
		return weft__thread.task;
	if (ret_error)
		*ret_error = rc;
	return NULL;
}

/* --- weft_run -------------------------------------------------------------- */

static int run_alone(weft_fn *fn, void *arg, int *ret)
{
	struct worker *worker;
	int rc = weft__runtime_enter(&worker, NULL, 0, true), value;

	if (rc < 0)
		return rc;
	value = weft__main_call(worker, fn, arg);
	weft__runtime_finish(worker);
	weft__runtime_leave(worker);
	if (ret)
		*ret = value;
	return 0;
}

void weft__runtime_finish(struct worker *worker)
{
	weft__runtime_end_all(worker);
	pthread_setspecific(thread_end_key, NULL);
}

int weft_run(unsigned count, weft_fn *fn, void *arg, int *ret)
{
	if (!fn)
		return -EINVAL;
	if (weft__thread.worker)
		return -EBUSY;
	if (count == 0)
		count = weft__crew_default();
	if (count > RUNTIME_WORKERS_MAX)
		return -EINVAL;
	return count == 1 ? run_alone(fn, arg, ret) : weft__crew_run(count, fn, arg, ret);
}
