/* SPDX-License-Identifier: MIT
 *
 * poll.c - waiting for one of several descriptors, as poll(2) does.
 *
 * poll is about levels and we are told edges, so the kernel is asked (without
 * waiting) at the beginning and after each event; the sticky bits say only
 * what a read would find, not what a poll reports. What makes the wait safe is
 * the tick: taken before the kernel is asked, compared when the task queues.
 * The waiters of several descriptors do not fit the control block, and must
 * not lie on a shared stack, so they are on the heap.
 */
#include <string.h>
#include <time.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/syscall.h>
#include <core/deadline.h>
#include <io/wait.h>
#include <weft/time.h>

enum {
	FEW = 8, /* so many ticks fit the frame */
	NO_WATCH_LOOK_NS = 4000000
};

static inline long ask_kernel(struct pollfd *fds, size_t count)
{
	struct timespec zero = { 0, 0 };

	return weft__syscall(SYS_ppoll, fds, count, &zero, NULL, 0);
}

static unsigned bits_of(short events)
{
	unsigned bits = POLL_ERROR; /* that is always reported */

	if (events & (POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI | POLLRDHUP))
		bits |= POLL_READABLE;
	if (events & (POLLOUT | POLLWRNORM | POLLWRBAND))
		bits |= POLL_WRITABLE;
	return bits;
}

static void take_ticks(const struct pollfd *fds, size_t count, uint32_t *ticks)
{
	for (size_t i = 0; i < count; i++) {
		struct fd_entry *entry = fds[i].fd < 0 ? NULL : weft__fd(fds[i].fd);

		ticks[i] = entry ? fd_tick(entry) : 0;
	}
}

/* Queues at each descriptor. 0; -EAGAIN: an event has come, ask again; *blind:
 * some descriptor will not tell. */
static int queue_all(const struct pollfd *fds, size_t count, const uint32_t *ticks,
		     struct waiter *waiters, uint64_t ticket, bool *blind)
{
	for (size_t i = 0; i < count; i++) {
		struct fd_entry *entry = fds[i].fd < 0 ? NULL : weft__fd(fds[i].fd);
		int rc = 0;

		if (entry)
			rc = weft__fd_queue(entry, fds[i].fd, bits_of(fds[i].events), ticks[i],
					    &waiters[i], ticket);
		else if (fds[i].fd >= 0)
			*blind = true;
		if (rc == -ENOSPC || rc == -ENOMEM || rc == -EPERM)
			*blind = true;
		else if (rc != 0)
			return -EAGAIN;
	}
	return 0;
}

/* Under the entry's lock: neighbours in the queue write our links, too. False: somebody
 * has unlinked it, or it never was. */
static bool unqueue_one(int fd, struct waiter *waiter)
{
	struct fd_entry *entry = fd < 0 ? NULL : weft__fd_look(fd);

	return entry && weft__fd_unqueue(entry, waiter);
}

static void unqueue_all(const struct pollfd *fds, size_t count, struct waiter *waiters)
{
	for (size_t i = 0; i < count; i++)
		unqueue_one(fds[i].fd, &waiters[i]);
}

/* Closed by another task: whoever closed it has unlinked our waiter. The number
 * may have an owner again, so the kernel cannot be asked. */
static int report_closed(struct pollfd *fds, size_t count, struct waiter *waiters)
{
	int ready = 0;

	for (size_t i = 0; i < count; i++) {
		fds[i].revents = 0;
		if (fds[i].fd >= 0 && !unqueue_one(fds[i].fd, &waiters[i])) {
			fds[i].revents = POLLNVAL;
			ready++;
		}
	}
	return ready;
}

/* One wait. 0: ask the kernel; > 0: closed descriptors; -EAGAIN: @deadline_ns has come; else
 * why it is over. */
static int park_once(struct task *self, struct pollfd *fds, size_t count, const uint32_t *ticks,
		     struct waiter *waiters, int64_t deadline_ns)
{
	uint64_t ticket = weft__park_begin(self);
	int64_t until_ns = deadline_ns;
	bool blind = false;
	int rc;

	if (!ticket)
		return weft__park_refusal(self);
	memset(waiters, 0, count * sizeof *waiters);
	rc = queue_all(fds, count, ticks, waiters, ticket, &blind);
	if (rc == 0) {
		if (blind && until_ns > weft__now() + NO_WATCH_LOOK_NS)
			until_ns = weft__now() + NO_WATCH_LOOK_NS;
		rc = weft__park(self, count > 1 ? WAIT_FDS : WAIT_FD, until_ns);
		if (rc == -EBADF)
			rc = report_closed(fds, count, waiters);
		else if (rc == -ETIMEDOUT && !weft__deadline_ended(self))
			rc = until_ns == deadline_ns ? -EAGAIN : 0;
	} else {
		weft__park_abort(self);
		rc = 0;
	}
	unqueue_all(fds, count, waiters);
	return rc;
}

/* The kernel has said "none" after @ticks were taken. */
static int wait_for_one(struct task *self, struct pollfd *fds, size_t count, uint32_t *ticks,
			struct waiter *waiters, int64_t deadline_ns)
{
	for (;;) {
		int rc = park_once(self, fds, count, ticks, waiters, deadline_ns);
		long ready;

		if (rc != 0 && rc != -EAGAIN)
			return rc;
		take_ticks(fds, count, ticks);
		ready = ask_kernel(fds, count);
		if (ready != 0 || rc == -EAGAIN)
			return (int)ready;
	}
}

/* Many: ticks and waiters in one block. */
static noinline int poll_many(struct task *self, struct pollfd *fds, size_t count,
			      int64_t deadline_ns)
{
	struct waiter *waiters;
	uint32_t *ticks;
	long ready = ask_kernel(fds, count);

	if (ready != 0 || deadline_ns == WEFT_NOWAIT)
		return (int)ready;
	waiters = weft__malloc(count * (sizeof *waiters + sizeof *ticks));
	if (!waiters)
		return -ENOMEM;
	ticks = (uint32_t *)(waiters + count);
	take_ticks(fds, count, ticks);
	ready = ask_kernel(fds, count);
	if (ready == 0)
		ready = wait_for_one(self, fds, count, ticks, waiters, deadline_ns);
	weft__free(waiters);
	return (int)ready;
}

int weft__io_poll(struct pollfd *fds, size_t count, int64_t deadline_ns)
{
	int rc;
	struct task *self = weft__task_self(&rc);
	uint32_t ticks[FEW];
	struct waiter *waiters;

	if (!self)
		return rc;
	if (count > FEW)
		return poll_many(self, fds, count, deadline_ns);
	if (count == 0)
		return deadline_ns == WEFT_NOWAIT ? 0 : weft_sleep_until(deadline_ns);

	take_ticks(fds, count, ticks);
	rc = (int)ask_kernel(fds, count);
	if (rc != 0 || deadline_ns == WEFT_NOWAIT) {
		take_turn();
		return rc;
	}
	if (count == 1)
		return wait_for_one(self, fds, 1, ticks, &self->waiter, deadline_ns);
	waiters = weft__malloc(count * sizeof *waiters);
	if (!waiters)
		return -ENOMEM;
	rc = wait_for_one(self, fds, count, ticks, waiters, deadline_ns);
	weft__free(waiters);
	return rc;
}
