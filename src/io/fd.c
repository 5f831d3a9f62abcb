/* SPDX-License-Identifier: MIT
 *
 * fd.c - the table of descriptors, readiness, and parking on it.
 *
 * Why no wake-up is lost. A task reads the tick T, makes its system call, and
 * hears EAGAIN. What makes the descriptor ready after that answer is an edge
 * in our poller if it is armed there (F5), or is reported by the arming. When
 * that event is handled, by whichever thread, one of three things is true:
 *   - before the task takes the lock in park: the tick is not T any more, and
 *     park returns at once;
 *   - after the task has queued itself: the event finds its waiter and wakes it;
 *   - nothing in between: both hold the entry's lock.
 * Clearing a sticky bit is a compare-and-swap on the word that holds the tick, so
 * an event's bit is never cleared by an answer older than the event.
 */
#include <pthread.h>
#include <sys/mman.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/log.h>
#include <base/only_once.h>
#include <core/runtime.h>
#include <io/fd.h>

enum {
	TICK_ONE = 256,
	BOTH = POLL_READABLE | POLL_WRITABLE,
	NO_WATCH_LOOK_NS = 4000000 /* how often a descriptor without a watch is tried */
};

_Atomic(struct fd_entry *) weft__fd_chunks[FD_CHUNKS];
_Atomic uint32_t weft__fd_status = 1;

/* --- waiters --------------------------------------------------------------- */

/* object: descriptor << 8 | bits; a dump may read it. */
static inline void *waiter_object(int fd, unsigned bits)
{
	return (void *)((uintptr_t)(unsigned)fd << 8 | bits);
}

static inline unsigned waiter_bits(const struct waiter *waiter)
{
	return (uintptr_t)waiter->object & 0xff;
}

/* F6. The lock is held: once unlinked, a waiter may be gone, so it is woken
 * before anybody else can see that. */
static void wake_waiters(struct fd_entry *entry, unsigned bits, int result)
{
	struct list *node = entry->waiters.next;

	while (node != &entry->waiters) {
		struct waiter *waiter = container_of(node, struct waiter, link);
		uint64_t ticket = waiter->ticket;

		node = node->next;
		if (!(waiter_bits(waiter) & bits))
			continue;
		list_remove(&waiter->link);
		weft__wake(ticket, result);
	}
}

/* --- readiness ------------------------------------------------------------- */

/* An event: its bits, and a new tick. Release (in cas32) pairs with fd_tick(). */
static always_inline void raise_bits(struct fd_entry *entry, unsigned bits)
{
	uint32_t word;

	do
		word = atomic_load_explicit(&entry->ready, memory_order_relaxed);
	while (!cas32(&entry->ready, word, (word + TICK_ONE) | bits));
}

static void on_ready(int fd, uint32_t generation, unsigned bits)
{
	struct fd_entry *entry = weft__fd_look(fd);

	spin_lock(&entry->lock);
	if (likely(entry->generation == generation)) {
		raise_bits(entry, bits);
		wake_waiters(entry, bits, 0);
	}
	spin_unlock(&entry->lock);
}

/* The chain from a number to the task that will run: the entry, then the control
 * block of its first waiter, which shares a page with that task's stack. Nothing
 * is followed but the entry, without its lock: a wrong guess costs one line. */
no_tsan static void on_soon(int fd, unsigned stage)
{
	struct fd_entry *entry = weft__fd_look(fd);
	const char *block;

	if (stage == 0) {
		__builtin_prefetch(entry, 1);
		return;
	}
	/* A lone waiter lies in the second line of its task. */
	block = (const char *)entry->waiters.next - offsetof(struct task, waiter.link);
	__builtin_prefetch(block, 1);
	__builtin_prefetch(block + 64, 1);
}

void weft__fd_drained(struct fd_entry *entry, uint32_t tick, unsigned bits)
{
	uint32_t word = atomic_load_explicit(&entry->ready, memory_order_relaxed);

	while ((word & bits) && (word ^ tick) < TICK_ONE) {
		if (likely(cas32(&entry->ready, word, word & ~bits)))
			return;
		word = atomic_load_explicit(&entry->ready, memory_order_relaxed);
	}
}

void weft__fd_fresh(struct fd_entry *entry)
{
	const uint32_t sticky = POLL_HANGUP | POLL_ERROR | POLL_URGENT;
	uint32_t word;

	do
		word = atomic_load_explicit(&entry->ready, memory_order_relaxed);
	while ((word & sticky) && !cas32(&entry->ready, word, word & ~sticky));
}

void weft__fd_nudge(struct fd_entry *entry)
{
	spin_lock(&entry->lock);
	if (fd_flags(entry) & FD_INIT) {
		raise_bits(entry, BOTH);
		wake_waiters(entry, BOTH, 0);
	}
	spin_unlock(&entry->lock);
}

/* --- the table ------------------------------------------------------------- */

static _Atomic unsigned chunks_top; /* chunks from here on were never made */
static struct only_once fork_once;

/* The waiters are the parent's tasks, and its poller; and some thread that is not here
 * may have held a lock. */
static void reset_in_child(void)
{
	unsigned top = atomic_load_explicit(&chunks_top, memory_order_relaxed);

	for (unsigned c = 0; c < top; c++) {
		struct fd_entry *chunk = weft__fd_look((int)(c << FD_CHUNK_BITS));

		for (unsigned i = 0; chunk && i < 1u << FD_CHUNK_BITS; i++) {
			if (atomic_load_explicit(&chunk[i].lock.held, memory_order_relaxed))
				spin_unlock(&chunk[i].lock);
			if (!(fd_flags(&chunk[i]) & FD_INIT))
				continue;
			list_init(&chunk[i].waiters);
			chunk[i].poller = 0;
			atomic_store_explicit(&chunk[i].busy, 0, memory_order_relaxed);
		}
	}
}

static void register_fork(void)
{
	pthread_atfork(NULL, NULL, reset_in_child);
}

static void note_chunk(unsigned c)
{
	unsigned top = atomic_load(&chunks_top);

	while (top <= c && !atomic_compare_exchange_weak(&chunks_top, &top, c + 1))
		;
}

struct fd_entry *weft__fd_make(int fd)
{
	const size_t bytes = sizeof(struct fd_entry) << FD_CHUNK_BITS;
	struct fd_entry *chunk, *theirs = NULL;

	if ((unsigned)fd >> 30)
		return NULL;
	only_once(&fork_once, register_fork);
	note_chunk((unsigned)fd >> FD_CHUNK_BITS);
	chunk = weft__map(bytes); /* zeroed, and only what is touched is there */
	if (!chunk)
		return NULL;
	atomic_store_explicit(&weft__on_fd_ready, on_ready, memory_order_relaxed);
	atomic_store_explicit(&weft__on_fd_soon, on_soon, memory_order_relaxed);
	/* release pairs with the acquire in weft__fd_look() */
	if (!atomic_compare_exchange_strong_explicit(
		    &weft__fd_chunks[(unsigned)fd >> FD_CHUNK_BITS], &theirs, chunk,
		    memory_order_release, memory_order_acquire)) {
		munmap(chunk, bytes);
		chunk = theirs;
	}
	return &chunk[fd & ((1 << FD_CHUNK_BITS) - 1)];
}

void weft__fd_flags_change(struct fd_entry *entry, uint32_t clear, uint32_t set)
{
	uint32_t flags;

	do
		flags = fd_flags(entry);
	while (!cas32(&entry->flags, flags, (flags & ~clear) | set));
}

/* The lock is held. True when the number was not in use before: so no event can
 * have come. The tick stays, that what is asked by now may clear bits. */
static bool ensure_init(struct fd_entry *entry, uint32_t ready)
{
	if (likely(fd_flags(entry) & FD_INIT))
		return false;
	list_init(&entry->waiters);
	atomic_store_explicit(&entry->ready, ready, memory_order_relaxed);
	weft__fd_flags_change(entry, 0, FD_INIT);
	return true;
}

void weft__fd_init(struct fd_entry *entry)
{
	spin_lock(&entry->lock);
	ensure_init(entry, BOTH);
	spin_unlock(&entry->lock);
}

/* --- parking --------------------------------------------------------------- */

/* The poller of our runtime that armed it last, or NULL. */
static struct poller *poller_of(const struct runtime *runtime, const struct fd_entry *entry)
{
	uint32_t place;

	if (!runtime)
		return NULL;
	place = entry->poller - runtime->poller_first;
	return place < runtime->poller_count ? &runtime->workers[place]->poller : NULL;
}

/* The lock is held. F5. */
static int arm(struct fd_entry *entry, int fd)
{
	struct worker *worker = weft__thread.worker;
	struct poller *poller = &worker->poller, *other;
	int rc;

	if (likely(entry->poller == poller->id))
		return 0;
	other = poller_of(worker->runtime, entry);
	if (other && (weft__thread.task->flags & WEFT_MIGRATE))
		return 0;
	if (other)
		weft__poller_remove(other, fd); /* or each event would be reported by both */
	rc = weft__poller_add(poller, fd, entry->generation);
	if (rc == 0)
		entry->poller = poller->id;
	else if (rc == -EPERM)
		weft__fd_flags_change(entry, 0, FD_UNPOLLABLE);
	return rc;
}

/* 0: queued; 1: an event has come since @tick; else the error of arm(). Without
 * a watch to be had (-ENOSPC, -ENOMEM) it is queued all the same. */
static int enqueue(struct fd_entry *entry, int fd, uint32_t tick, struct waiter *waiter)
{
	int rc = 1;

	spin_lock(&entry->lock);
	/* New here, and the kernel has said "not now" already. */
	if (ensure_init(entry, BOTH & ~waiter_bits(waiter)) ||
	    likely((fd_tick(entry) ^ tick) < TICK_ONE)) {
		rc = arm(entry, fd);
		if (rc == 0 || rc == -ENOSPC || rc == -ENOMEM)
			list_push_back(&entry->waiters, &waiter->link);
	}
	spin_unlock(&entry->lock);
	return rc;
}

static bool unqueue(struct fd_entry *entry, struct waiter *waiter)
{
	bool linked;

	spin_lock(&entry->lock);
	linked = list_linked(&waiter->link);
	if (linked)
		list_remove(&waiter->link);
	spin_unlock(&entry->lock);
	return linked;
}

/* No event will come: look again soon. The caller's deadline still counts. */
static int park_without_watch(struct fd_entry *entry, struct task *self, unsigned bits,
			      int64_t deadline_ns)
{
	int64_t look_ns = weft__now() + NO_WATCH_LOOK_NS;
	int rc;

	weft__warn_once("the kernel has no room for another epoll watch; some descriptors "
			"are looked at every 4 ms instead (fs.epoll.max_user_watches)");
	if (deadline_ns <= look_ns)
		return weft__park(self, WAIT_FD, deadline_ns);
	rc = weft__park(self, WAIT_FD, look_ns);
	if (rc != -ETIMEDOUT)
		return rc;
	raise_bits(entry, bits);
	return 0;
}

/* The event and the close unlink whom they wake; others do not. */
static inline int unqueue_unless_woken(struct fd_entry *entry, struct task *self, int rc)
{
	if (unlikely(rc < 0))
		unqueue(entry, &self->waiter);
	return rc;
}

/* All that stays on the stack while the task is parked. */
static noinline int park_queued(struct fd_entry *entry, struct task *self, int64_t deadline_ns)
{
	return unqueue_unless_woken(entry, self, weft__park(self, WAIT_FD, deadline_ns));
}

/* A plain thread: makes it a runtime, and begins again. Apart, since the address of
 * error would keep weft__fd_park()'s frame. */
static coldpath int become_task(struct fd_entry *entry, int fd, unsigned bits, uint32_t tick,
				int64_t deadline_ns)
{
	int error;

	if (!weft__task_self(&error))
		return error;
	return weft__fd_park(entry, fd, bits, tick, deadline_ns);
}

int weft__fd_park(struct fd_entry *entry, int fd, unsigned bits, uint32_t tick, int64_t deadline_ns)
{
	struct task *self = weft__thread.task;
	uint64_t ticket;
	int rc;

	if (unlikely(!self))
		return become_task(entry, fd, bits, tick, deadline_ns);
	ticket = weft__park_begin(self);
	if (unlikely(!ticket))
		return weft__park_refusal(self);
	self->waiter = (struct waiter){ .ticket = ticket, .object = waiter_object(fd, bits) };
	rc = enqueue(entry, fd, tick, &self->waiter);
	if (likely(rc == 0))
		return park_queued(entry, self, deadline_ns);
	if (rc == -ENOSPC || rc == -ENOMEM) {
		rc = park_without_watch(entry, self, bits, deadline_ns);
		return unqueue_unless_woken(entry, self, rc);
	}
	weft__park_abort(self);
	return rc > 0 ? 0 : rc;
}

int weft__fd_wait(int fd, unsigned bits, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	uint32_t tick;

	if (unlikely(!entry))
		return fd_missing(fd);
	tick = fd_tick(entry);
	if ((tick & bits) || !(fd_flags(entry) & FD_INIT))
		return 0;
	if (deadline_ns == WEFT_NOWAIT)
		return -EAGAIN;
	return weft__fd_park(entry, fd, bits, tick, deadline_ns);
}

int weft__fd_queue(struct fd_entry *entry, int fd, unsigned bits, uint32_t tick,
		   struct waiter *waiter, uint64_t ticket)
{
	*waiter = (struct waiter){ .ticket = ticket, .object = waiter_object(fd, bits) };
	return enqueue(entry, fd, tick, waiter);
}

bool weft__fd_unqueue(struct fd_entry *entry, struct waiter *waiter)
{
	return unqueue(entry, waiter);
}

/* --- lives ----------------------------------------------------------------- */

/* The lock is held. Ends the number's present life (F3) and begins the next. */
static void begin_life(struct fd_entry *entry, uint32_t flags)
{
	uint32_t word = atomic_load_explicit(&entry->ready, memory_order_relaxed);

	if (likely(fd_flags(entry) & FD_INIT))
		wake_waiters(entry, ~0u, -EBADF);
	else
		list_init(&entry->waiters);
	entry->generation++;
	entry->poller = 0;
	atomic_store_explicit(&entry->receive_timeout_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->send_timeout_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->status,
			      atomic_load_explicit(&weft__fd_status, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&entry->flags, flags | FD_INIT, memory_order_relaxed);
	/* Only drained() competes, and what it says is of the former life. */
	atomic_store_explicit(&entry->ready, ((word + TICK_ONE) & ~(TICK_ONE - 1u)) | BOTH,
			      memory_order_release);
}

void weft__fd_opened(int fd, unsigned kind, int nonblocking)
{
	struct fd_entry *entry = weft__fd(fd);
	uint32_t flags = kind & (FD_KIND | FD_KNOWN | FD_TIMEOUTS | FD_LINGERS);

	if (!entry)
		return; /* it will be asked for later */
	if (nonblocking >= 0)
		flags |= FD_STATUS | (nonblocking ? FD_NONBLOCK : 0);
	spin_lock(&entry->lock);
	begin_life(entry, flags);
	spin_unlock(&entry->lock);
}

static void end_life(int fd, uint32_t flags)
{
	struct fd_entry *entry = weft__fd_look(fd);
	struct worker *worker = weft__thread.worker;
	uint32_t poller;

	if (!entry || !fd_flags(entry)) /* nothing is known of it */
		return;
	spin_lock(&entry->lock);
	poller = entry->poller;
	begin_life(entry, flags);
	spin_unlock(&entry->lock);
	/* The kernel does it by itself unless a duplicate lives on. For another
	 * worker's poller we leave it at that: F2 makes its events harmless. */
	if (worker && poller == worker->poller.id)
		weft__poller_remove(&worker->poller, fd);
}

void weft__fd_forget(int fd)
{
	end_life(fd, 0);
}

void weft__fd_replacing(int fd)
{
	end_life(fd, FD_KNOWN);
}
