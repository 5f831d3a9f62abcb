/* SPDX-License-Identifier: MIT
 *
 * select.c - weft_select(): the select of the sync layer, and descriptors for it. A level is
 * asked of the kernel, as poll.c does and for its reasons; the tick closes the gap
 * between the question and the wait.
 */
#include <time.h>

#include <base/syscall.h>
#include <io/events.h>
#include <io/wait.h>
#include <sync/select.h>
#include <weft/io.h>

/* What the kernel says is the case's result: events, or -EBADF. */
static int ready(weft_case *which, struct watch *watch)
{
	struct fd_entry *entry = weft__fd(which->fd);
	struct pollfd pollfd = { .fd = which->fd, .events = events_to_poll(which->events) };
	struct timespec zero = { 0, 0 };
	long rc;

	if (which->events & ~(unsigned)FD_EVENTS_ALL)
		return -EINVAL;
	watch->tick = entry ? fd_tick(entry) : 0;
	do
		rc = weft__syscall(SYS_ppoll, &pollfd, 1, &zero, NULL, 0);
	while (rc == -EINTR);
	if (rc > 0)
		which->result = events_from_poll(pollfd.revents, which->events);
	return (int)rc;
}

static unsigned bits_of(unsigned events)
{
	unsigned bits = POLL_ERROR; /* that is always reported */

	if (events & (WEFT_READABLE | WEFT_PRIORITY | WEFT_HANGUP))
		bits |= POLL_READABLE;
	if (events & WEFT_WRITABLE)
		bits |= POLL_WRITABLE;
	return bits;
}

static int arm(weft_case *which, struct watch *watch, uint64_t ticket)
{
	struct fd_entry *entry = weft__fd(which->fd);
	int rc;

	if (!entry)
		return SOURCE_BLIND;
	rc = weft__fd_queue(entry, which->fd, bits_of(which->events), watch->tick, &watch->waiter,
			    ticket);
	if (rc == -ENOSPC || rc == -ENOMEM || rc == -EPERM)
		return SOURCE_BLIND;
	return rc == 0 ? 0 : 1; /* an event, or an error that the next look will find */
}

/* Whoever closed it has unlinked our waiter. */
static bool disarm(weft_case *which, struct watch *watch)
{
	struct fd_entry *entry = weft__fd_look(which->fd);

	return !(entry && weft__fd_unqueue(entry, &watch->waiter));
}

static const struct select_source descriptors = { ready, arm, disarm };

int weft_select(weft_case *cases, unsigned count, int64_t deadline_ns)
{
	return weft__select(cases, count, deadline_ns, &descriptors);
}
