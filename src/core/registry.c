/* SPDX-License-Identifier: MIT
 *
 * registry.c - all workers of the process: their indices, and their memory.
 */
#include <errno.h>
#include <pthread.h>

#include <base/fault.h>
#include <base/lock.h>
#include <base/sanitizer.h>
#include <core/runtime.h>

enum { WORKERS_MAX = OWNER_GUEST };

/* Slot 0 stays empty: index 0 means "no worker". */
static _Atomic(struct worker *) workers[WORKERS_MAX];
_Atomic unsigned weft__worker_high;
static struct lock workers_lock;

struct worker *weft__worker(unsigned index)
{
	/* acquire pairs with the release in weft__worker_register() */
	return atomic_load_explicit(&workers[index], memory_order_acquire);
}

int weft__worker_register(struct worker *worker)
{
	int rc = -EAGAIN;

	lock_take(&workers_lock);
	for (unsigned i = 1; i < WORKERS_MAX; i++) {
		if (atomic_load_explicit(&workers[i], memory_order_relaxed))
			continue;
		worker->index = (uint16_t)i;
		if (i > weft__worker_high)
			weft__worker_high = i;
		atomic_store_explicit(&workers[i], worker, memory_order_release);
		rc = 0;
		break;
	}
	lock_drop(&workers_lock);
	return rc;
}

void weft__worker_unregister(struct worker *worker)
{
	atomic_store_explicit(&workers[worker->index], NULL, memory_order_release);
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

struct worker *weft__worker_new(void)
{
	struct worker *worker;

	lock_take(&workers_lock);
	worker = workers_free;
	if (worker)
		workers_free = *(struct worker **)(void *)worker;
	lock_drop(&workers_lock);
	if (!worker) {
		worker = weft__map(sizeof *worker);
		if (worker)
			weft__asan_root(worker, sizeof *worker);
	}
	if (worker)
		worker_clear(worker);
	return worker;
}

void weft__worker_free(struct worker *worker)
{
	lock_take(&workers_lock);
	*(struct worker **)(void *)worker = workers_free;
	workers_free = worker;
	lock_drop(&workers_lock);
}

void weft__registry_lock(void)
{
	lock_take(&workers_lock);
}

void weft__registry_unlock(void)
{
	lock_drop(&workers_lock);
}

void weft__registry_thread_began(struct worker *worker)
{
	lock_take(&workers_lock);
	worker->pthread = pthread_self();
	worker->os_thread = &weft__thread;
	lock_drop(&workers_lock);
}

void weft__registry_thread_ended(struct worker *worker)
{
	lock_take(&workers_lock);
	worker->os_thread = NULL;
	lock_drop(&workers_lock);
}

struct worker *weft__registry_lock_thread(pthread_t thread)
{
	lock_take(&workers_lock);
	for (unsigned i = 1; i <= weft__worker_high; i++) {
		struct worker *worker = weft__worker(i);

		if (worker && worker->os_thread && pthread_equal(worker->pthread, thread))
			return worker;
	}
	return NULL;
}

void weft__registry_forked(const struct worker *kept)
{
	for (unsigned i = 1; i <= weft__worker_high; i++)
		if (atomic_load_explicit(&workers[i], memory_order_relaxed) != kept)
			atomic_store_explicit(&workers[i], NULL, memory_order_relaxed);
}
