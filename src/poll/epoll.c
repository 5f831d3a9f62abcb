/* SPDX-License-Identifier: MIT
 *
 * epoll.c - the poller on Linux's epoll.
 *
 * E1 A registration lasts until remove, or until the last descriptor of its
 *    file is closed. It is never modified but to re-arm it.
 * E2 The last thing every wake does is a write to wake_fd that succeeds, and
 *    an edge-triggered eventfd reports each write; so nobody has to read it
 *    between two wakes, which saves a system call for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

#include <base/fault.h>
#include <base/log.h>
#include <base/syscall.h>
#include <base/trace.h>
#include <poll/poll.h>

enum {
	SOON_STAGES = 2,
	SOON_STEP = 4,
	EVENTS = 128,     /* per system call: 1.5 KiB; more tasks than that grow cold waiting */
	OWNED_MAX = 1024, /* descriptors of pollers that weft__poller_owns() knows */
	NS_PER_MS = 1000000
};

#define INTEREST (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* The data of an event: generation << 32 | fd. No fd is all ones. */
#define WAKE_DATA UINT64_MAX

static _Atomic uint32_t last_id;
static _Atomic bool no_pwait2;

/* --- the descriptors of all pollers ---------------------------------------- */

/* 0: free, else the number + 1. */
static _Atomic int owned[OWNED_MAX];
static _Atomic unsigned owned_top; /* entries from here on have never been used */

static void own(int fd)
{
	for (unsigned i = 0; i < OWNED_MAX; i++) {
		unsigned top = atomic_load(&owned_top);
		int none = 0;

		if (!atomic_compare_exchange_strong(&owned[i], &none, fd + 1))
			continue;
		while (top <= i && !atomic_compare_exchange_weak(&owned_top, &top, i + 1))
			;
		return;
	}
}

static void disown(int fd)
{
	unsigned top = atomic_load(&owned_top);

	for (unsigned i = 0; i < top; i++) {
		int was = fd + 1;

		if (atomic_compare_exchange_strong(&owned[i], &was, 0))
			return;
	}
}

bool weft__poller_owns(int fd)
{
	/* Relaxed: who asks about a poller that another thread is just making
	 * or ending has no answer coming. */
	unsigned top = atomic_load_explicit(&owned_top, memory_order_relaxed);

	for (unsigned i = 0; i < top; i++)
		if (atomic_load_explicit(&owned[i], memory_order_relaxed) == fd + 1)
			return true;
	return false;
}

/* The lowest number we want: beyond what select(2) can hold if the limit
 * allows it, else near the limit's top. Not higher than that: the kernel's
 * table of descriptors is as long as the highest number. */
static int floor_number(void)
{
	struct rlimit limit;
	int soft;

	if (weft__syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		return 0;
	soft = limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
	return soft > FD_SETSIZE + 64 ? FD_SETSIZE : soft - soft / 16;
}

/* Keeps its number when there is no room above. */
static int move_up(int fd)
{
	for (int low = floor_number(); low > fd; low /= 2) {
		long high = weft__syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, low);

		if (high >= 0) {
			weft__syscall(SYS_close, fd);
			fd = (int)high;
			break;
		}
	}
	own(fd);
	return fd;
}

static void close_own(int fd)
{
	disown(fd);
	weft__syscall(SYS_close, fd);
}

/* --- life ------------------------------------------------------------------ */

static int watch_wake_fd(struct poller *poller)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = WAKE_DATA };

	if (weft__fault_hit())
		return -ENOMEM;
	return (int)weft__syscall(SYS_epoll_ctl, poller->epoll_fd, EPOLL_CTL_ADD, poller->wake_fd,
				  &event);
}

uint32_t weft__poller_ids(uint32_t count)
{
	uint32_t first;

	do /* none of them may be 0 */
		first = atomic_fetch_add_explicit(&last_id, count, memory_order_relaxed) + 1;
	while (first == 0 || first + count - 1 < first);
	return first;
}

static int open_both(struct poller *poller)
{
	long rc;

	rc = weft__fault_hit() ? -EMFILE : weft__syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	if (rc < 0)
		return (int)rc;
	poller->epoll_fd = move_up((int)rc);

	rc = weft__fault_hit() ? -EMFILE
			       : weft__syscall(SYS_eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (rc < 0)
		goto no_eventfd;
	poller->wake_fd = move_up((int)rc);

	rc = watch_wake_fd(poller);
	if (rc == 0)
		return 0;
	close_own(poller->wake_fd);
no_eventfd:
	close_own(poller->epoll_fd);
	return (int)rc;
}

int weft__poller_init(struct poller *poller, uint32_t id)
{
	int rc;

	*poller = (struct poller){ .id = id ? id : weft__poller_ids(1) };
	poller->events = weft__malloc(EVENTS * sizeof *poller->events);
	if (!poller->events)
		return -ENOMEM;
	rc = open_both(poller);
	if (rc < 0)
		weft__free(poller->events);
	return rc;
}

int weft__poller_reopen(struct poller *poller)
{
	unsigned top = atomic_load(&owned_top);

	for (unsigned i = 0; i < top; i++) {
		int fd = atomic_exchange(&owned[i], 0) - 1;

		if (fd >= 0)
			weft__syscall(SYS_close, fd);
	}
	poller->id = weft__poller_ids(1);
	return open_both(poller);
}

void weft__poller_fini(struct poller *poller)
{
	close_own(poller->wake_fd);
	close_own(poller->epoll_fd);
	weft__free(poller->events);
}

/* --- registration ---------------------------------------------------------- */

int weft__poller_add(struct poller *poller, int fd, uint32_t generation)
{
	struct epoll_event event = { .events = INTEREST,
				     .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd };
	long rc;

	if (weft__fault_hit())
		return -ENOSPC;
	rc = weft__syscall(SYS_epoll_ctl, poller->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	/* It is there: armed by us before, or the same file under this number
	 * in an earlier life (dup2 back). Arming again reports what is ready,
	 * with the generation of now. */
	if (rc == -EEXIST)
		rc = weft__syscall(SYS_epoll_ctl, poller->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	return (int)rc;
}

void weft__poller_remove(struct poller *poller, int fd)
{
	/* ENOENT, EBADF: it is gone already, which is what we want. */
	(void)weft__syscall(SYS_epoll_ctl, poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* --- waiting --------------------------------------------------------------- */

static long wait_ms(const struct poller *poller, int64_t timeout_ns)
{
	int64_t ms = -1;

	if (timeout_ns >= 0) /* rounded up: never early */
		ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);
	return weft__syscall(SYS_epoll_pwait, poller->epoll_fd, poller->events, EVENTS,
			     ms > INT_MAX ? INT_MAX : ms, NULL, 0);
}

static long wait_once(const struct poller *poller, int64_t timeout_ns)
{
	struct timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
	long rc;

	if (likely(!atomic_load_explicit(&no_pwait2, memory_order_relaxed))) {
		rc = weft__syscall(SYS_epoll_pwait2, poller->epoll_fd, poller->events, EVENTS,
				   timeout_ns < 0 ? NULL : &ts, NULL, 0);
		/* Linux before 5.11; or a filter that knows no better than EPERM. */
		if (likely(rc != -ENOSYS && rc != -EPERM))
			return rc;
		atomic_store_explicit(&no_pwait2, true, memory_order_relaxed);
	}
	return wait_ms(poller, timeout_ns);
}

static always_inline unsigned bits_of(uint32_t events)
{
	unsigned bits = 0;

	if (events & EPOLLIN)
		bits |= POLL_READABLE;
	if (events & EPOLLOUT)
		bits |= POLL_WRITABLE;
	if (unlikely(events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
		if (events & EPOLLPRI)
			bits |= POLL_READABLE | POLL_URGENT;
		if (events & EPOLLRDHUP)
			bits |= POLL_READABLE | POLL_HANGUP;
		if (events & (EPOLLHUP | EPOLLERR))
			bits |= POLL_READABLE | POLL_WRITABLE | POLL_HANGUP | POLL_ERROR;
	}
	return bits;
}

_Atomic(poll_soon_fn *) weft__on_fd_soon;

/* Asks for the memory of events to come: a chain of loads, each started
 * SOON_STEP events before it is followed. */
static always_inline void announce(const struct poller *poller, long i, long count)
{
	/* relaxed: a hint, and code is always there */
	poll_soon_fn *soon = atomic_load_explicit(&weft__on_fd_soon, memory_order_relaxed);

	if (unlikely(!soon))
		return;
	for (unsigned stage = 0; stage < SOON_STAGES; stage++) {
		long ahead = i + (long)(SOON_STAGES - stage) * SOON_STEP;

		if (ahead < count && poller->events[ahead].data.u64 != WAKE_DATA)
			soon((int)(uint32_t)poller->events[ahead].data.u64, stage);
	}
}

/* The callback may register, remove and wake, but not wait: events is in use. */
static int deliver(const struct poller *poller, long count, poll_ready_fn *ready)
{
	int delivered = 0;

	for (long i = 0; i < count; i++) {
		uint64_t data = poller->events[i].data.u64;

		announce(poller, i, count);
		if (unlikely(data == WAKE_DATA))
			continue;
		ready((int)(uint32_t)data, (uint32_t)(data >> 32),
		      bits_of(poller->events[i].events));
		delivered++;
	}
	return delivered;
}

int weft__poller_wait(struct poller *poller, int64_t timeout_ns, poll_ready_fn *ready)
{
	long count;

	trace_poll(timeout_ns);
	count = wait_once(poller, timeout_ns);
	trace_polled(timeout_ns, count);
	poller->polls++;
	if (unlikely(count < 0)) {
		if (count != -EINTR)
			weft__die("epoll_wait: %s; has the program closed "
				  "a descriptor that is not its own?",
				  strerror((int)-count));
		return 0;
	}
	/* A full buffer is not refilled: the first of these tasks would be cold
	 * again by the time they run. What is left comes with the next wait. */
	return deliver(poller, count, ready);
}

/* Among the events may be the wake of a worker that has gone to sleep just now: it is
 * given back, as a new one. */
int weft__poller_wait_for(struct poller *poller, struct poller *other, poll_ready_fn *ready)
{
	long count =
		weft__syscall(SYS_epoll_pwait, other->epoll_fd, poller->events, EVENTS, 0, NULL, 0);

	for (long i = 0; i < count; i++)
		if (poller->events[i].data.u64 == WAKE_DATA)
			weft__poller_wake(other);
	return count > 0 ? deliver(poller, count, ready) : 0;
}

void weft__poller_wake(struct poller *poller)
{
	uint64_t one = 1;

	/* Saturated by someone's misuse: empty it and write again (E2). Several
	 * may do so at once: whoever reads, writes afterwards. (As the waker
	 * of Rust's mio.) */
	while (weft__syscall(SYS_write, poller->wake_fd, &one, sizeof one) == -EAGAIN) {
		uint64_t sum;

		(void)weft__syscall(SYS_read, poller->wake_fd, &sum, sizeof sum);
	}
}
