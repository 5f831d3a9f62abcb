/* SPDX-License-Identifier: MIT
 *
 * trace.c - rings: made, written, read, let go. See trace.h for the rules.
 */
#include <errno.h>
#include <pthread.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/lock.h>
#include <base/only_once.h>
#include <base/ticks_cpu.h>
#include <base/trace.h>

_Atomic uint32_t weft__trace_generation;

/* The recording under way. The lock is held for a few instructions and an mmap(2). */
static struct lock lock;
static struct trace_ring *first, **last = &first;
static unsigned rings, missed;
static size_t ring_events;
static bool counts_ticks;

/* --- writing --------------------------------------------------------------- */

bool weft__trace_counts_ticks(void)
{
	return counts_ticks;
}

uint64_t weft__trace_ticks(void)
{
	return likely(counts_ticks) ? cpu_ticks() : (uint64_t)weft__now();
}

/* release pairs with the acquires in weft__trace_copy(): the words with those of
 * the words (R4), head with that of head. */
void weft__trace_put(struct trace_ring *ring, uint64_t what, uint64_t task, uint64_t arg)
{
	uint64_t n = atomic_load_explicit(&ring->head, memory_order_relaxed);
	_Atomic uint64_t *words = &ring->words[(n & ring->mask) * TRACE_WORDS];

	atomic_store_explicit(&words[0], weft__trace_ticks(), memory_order_release);
	atomic_store_explicit(&words[1], what, memory_order_release);
	atomic_store_explicit(&words[2], task, memory_order_release);
	atomic_store_explicit(&words[3], arg, memory_order_release);
	atomic_store_explicit(&ring->head, n + 1, memory_order_release);
}

/* --- reading --------------------------------------------------------------- */

static void copy_record(struct trace_ring *ring, uint64_t n, struct trace_record *to)
{
	_Atomic uint64_t *words = &ring->words[(n & ring->mask) * TRACE_WORDS];

	/* acquire pairs with the releases in weft__trace_put() */
	to->ticks = atomic_load_explicit(&words[0], memory_order_acquire);
	to->what = atomic_load_explicit(&words[1], memory_order_acquire);
	to->task = atomic_load_explicit(&words[2], memory_order_acquire);
	to->arg = atomic_load_explicit(&words[3], memory_order_acquire);
}

size_t weft__trace_copy(struct trace_ring *ring, struct trace_record *to, uint64_t *ret_lost)
{
	uint64_t size = ring->mask + 1, head, from, good;

	head = atomic_load_explicit(&ring->head, memory_order_acquire);
	from = head > size ? head - size : 0;
	for (uint64_t n = from; n < head; n++)
		copy_record(ring, n, &to[n - from]);

	/* Record number "now" may be in work: it spoils the one a ring before. */
	good = atomic_load_explicit(&ring->head, memory_order_acquire) + 1;
	good = good > size ? good - size : 0;
	if (good < from)
		good = from;
	if (good > head)
		good = head;
	for (uint64_t n = good; n < head && good > from; n++)
		to[n - good] = to[n - from];
	*ret_lost = good;
	return head - good;
}

/* --- life ------------------------------------------------------------------ */

void weft__trace_let_go(struct trace_ring *ring)
{
	/* acq_rel: the thread's last record comes before the unmapping */
	if (atomic_fetch_sub_explicit(&ring->owners, 1, memory_order_acq_rel) == 1)
		munmap(ring, ring->bytes);
}

/* The lock is held. Zeroed, and only what is touched is there. */
static struct trace_ring *ring_new(unsigned worker)
{
	size_t room = sizeof(struct trace_ring) + ring_events * sizeof(struct trace_record);
	size_t bytes = room + ring_events / 4 * sizeof(struct trace_known);
	struct trace_ring *ring = weft__map(bytes);

	if (!ring) {
		missed++;
		return NULL;
	}
	ring->mask = ring_events - 1;
	ring->known = (struct trace_known *)(void *)((char *)ring + room);
	ring->bytes = bytes;
	ring->serial = ++rings;
	ring->worker = worker;
	ring->tid = (unsigned)weft__syscall(SYS_gettid, 0);
	atomic_init(&ring->owners, 2);
	*last = ring;
	last = &ring->next;
	return ring;
}

void weft__trace_end_thread(void)
{
	struct thread *thread = weft__thread_now();

	if (thread->trace)
		weft__trace_let_go(thread->trace);
	thread->trace = NULL;
	thread->worker_index &= ~THREAD_TRACED;
	thread->trace_generation = 0;
}

coldpath void weft__trace_follow(void)
{
	struct thread *thread = weft__thread_now();
	uint32_t generation;

	weft__trace_end_thread();
	lock_take(&lock);
	generation = atomic_load_explicit(&weft__trace_generation, memory_order_relaxed);
	thread->trace_generation = generation;
	if (generation & 1)
		thread->trace = ring_new(thread->worker_index);
	lock_drop(&lock);
	if (thread->trace)
		thread->worker_index |= THREAD_TRACED;
}

/* --- the recording --------------------------------------------------------- */

LOCK_OVER_FORK(lock)

/* The lock is held. */
static struct trace_ring *detach(void)
{
	struct trace_ring *list = first;

	atomic_fetch_add_explicit(&weft__trace_generation, 1, memory_order_relaxed);
	first = NULL;
	last = &first;
	rings = missed = 0;
	return list;
}

/* The child of a fork(2) is another process: what it did is no part of the trace.
 * Of the threads only the caller is here; it drops its ring at its next look. */
static void forget(void)
{
	if (weft__trace_recording()) {
		struct trace_ring *ring = detach(), *next;

		for (; ring; ring = next) {
			next = ring->next;
			if (ring != weft__thread.trace)
				atomic_store_explicit(&ring->owners, 1, memory_order_relaxed);
			weft__trace_let_go(ring);
		}
	}
	drop_lock();
}

static void init_once(void)
{
	counts_ticks = cpu_ticks_steady();
	pthread_atfork(take_lock, drop_lock, forget);
}

int weft__trace_begin(size_t events)
{
	static struct only_once once;
	int rc = -EBUSY;

	only_once(&once, init_once);
	lock_take(&lock);
	if (!weft__trace_recording()) {
		ring_events = events;
		atomic_fetch_add_explicit(&weft__trace_generation, 1, memory_order_relaxed);
		rc = 0;
	}
	lock_drop(&lock);
	return rc;
}

int weft__trace_end(struct trace_ring **ret_rings, unsigned *ret_missed)
{
	int rc = -EALREADY;

	lock_take(&lock);
	if (weft__trace_recording()) {
		*ret_missed = missed;
		*ret_rings = detach();
		rc = 0;
	}
	lock_drop(&lock);
	return rc;
}
