/* SPDX-License-Identifier: MIT
 *
 * fork.c - the child of fork(2) has one thread, and keeps one task: the caller's.
 *
 * As POSIX has it for threads, the other tasks do not exist there: their stacks are
 * copies that nobody runs, their descriptors and timers are the parent's affair. The
 * calling task goes on as if it were alone in a runtime of one worker, whatever it was
 * before; with a poller of its own, since an epoll set would be shared with the parent. When
 * it ends the process exits, unless it is main.
 *
 * F1 Handlers take what another thread may hold at that moment: the registry's lock
 *    here, the arena's and others' in their own files. A spinlock that another thread
 *    holds is made anew.
 * F2 Ids below first_id are of tasks that do not exist here: a handle of one may be
 *    joined (-ESRCH) and cancelled (-ESRCH).
 */
#include <pthread.h>
#include <string.h>

#include <base/clock.h>
#include <base/lock.h>
#include <base/log.h>
#include <base/syscall.h>
#include <core/deadline.h>
#include <core/exit.h>
#include <core/runtime.h>

/* Others use it, and so this file is part of every static link, where a constructor alone would not
 * bring it in. */
uint64_t weft__first_id;

static void reset_queues(struct worker *worker)
{
	worker->queue.head = worker->later.head = worker->aside.head = NULL;
	worker->spawn_flags &= (uint16_t)~TASK_CREW;
	worker->pending = NULL;
	atomic_store_explicit(&worker->inbox, NULL, memory_order_relaxed);
	atomic_store_explicit(&worker->fresh.word, 0, memory_order_relaxed);
	atomic_store_explicit(&worker->ready.word, 0, memory_order_relaxed);
	worker->crowded = false;
	worker->slices = 0;
	worker->announced = worker->spinning = worker->saw_work = worker->lookout = false;
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	atomic_store_explicit(&worker->covered, 0, memory_order_relaxed);
	atomic_store_explicit(&worker->wakers, 0, memory_order_relaxed);
}

static void reset_timers(struct worker *worker)
{
	int64_t now_ns = weft__now();

	weft__wheel_init(&worker->wheel, now_ns);
	memset(&worker->movers, 0, sizeof worker->movers);
	weft__wheel_init(&worker->movers.wheel, now_ns);
}

static void reset_counts(struct worker *worker, bool is_main)
{
	worker->drain_ticket = 0;
	worker->daemons = &worker->own_daemons;
	memset(&worker->own_daemons, 0, sizeof worker->own_daemons);
	list_init(&worker->own_daemons.list);
	atomic_store_explicit(&worker->spawned, is_main ? 0 : 1, memory_order_relaxed);
	worker->begun = is_main ? 0 : 1;
	atomic_store_explicit(&worker->ended, 0, memory_order_relaxed);
	atomic_store_explicit(&worker->daemons_spawned, 0, memory_order_relaxed);
	atomic_store_explicit(&worker->daemons_ended, 0, memory_order_relaxed);
	weft__first_id = weft__runtime_more_ids(worker);
	worker->next_id = worker->end_id;
}

/* The caller of fork(2), wherever it ran. */
static void keep_task(struct worker *worker, struct task *self)
{
	self->flags &= (uint16_t) ~(WEFT_MIGRATE | TASK_STAYS | TASK_CHILD | TASK_CREW);
	task_set_worker(self, worker->index);
	/* Whoever holds its handle or waits for it is not here. */
	atomic_store_explicit(&self->joiner, JOINER_DETACHED, memory_order_relaxed);
	atomic_store_explicit(&self->refs, 1, memory_order_relaxed);
	if (self->flags & WEFT_DAEMON) {
		list_push_back(&worker->own_daemons.list, &self->ext->daemon);
		count_one(&worker->daemons_spawned);
	}
}

static void in_child(void)
{
	struct worker *worker = weft__thread.worker;
	struct task *self = weft__thread.task;
	int rc;

	weft__registry_forked(worker);
	weft__registry_unlock();
	weft__exit_forked();
	weft__cover_forked();
	if (!worker)
		return;
	worker->runtime = NULL;
	worker->tid = (int)weft__syscall(SYS_gettid, 0);
	reset_queues(worker);
	reset_timers(worker);
	reset_counts(worker, !self || (self->flags & TASK_THREAD));
	if (self) {
		keep_task(worker, self);
		weft__deadline_forked(self);
		worker->orphan = !(self->flags & TASK_THREAD);
	}
	rc = weft__poller_reopen(&worker->poller);
	if (rc < 0)
		weft__die("fork: the child has no epoll of its own: error %d", -rc);
}

AT_LOAD_BEFORE_FORKS(3) static void register_fork(void)
{
	pthread_atfork(weft__registry_lock, weft__registry_unlock, in_child);
}
