/* SPDX-License-Identifier: MIT
 *
 * readiness.c - poll and select and their kin: any number of descriptors, one
 * parked task.
 *
 * What counts as ready is always the kernel's word: every call asks it first,
 * also with a zero timeout, and asks it again after each wake-up. So duplicate
 * numbers, closed ones (POLLNVAL, EBADF) and unpollable ones need no rules here.
 *
 * A signal does not end the wait; but ppoll and pselect with a mask promise
 * that a signal which only their mask lets through does. While such a call is
 * parked the thread runs other tasks, under its own mask; so it looks every
 * SIGNAL_STEP_NS with the caller's mask, and lets the kernel deliver then.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/syscall.h>
#include <hook/hook.h>
#include <weft/time.h>

const char weft__hook_link_readiness;

void __chk_fail(void) __attribute__((noreturn)); /* libc's: "buffer overflow detected" */

enum { SIGNAL_STEP_NS = 10000000, STALL_FIRST_NS = 1000000, STALL_MAX_NS = 16000000 };

/* --- poll -------------------------------------------------------------------- */

HOOK int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int64_t deadline_ns = WEFT_FOREVER;

	if (!hooked(HOOK_IO) || unlikely(!fds && count))
		return weft__real.poll(fds, count, timeout_ms);
	if (timeout_ms >= 0)
		deadline_ns = timeout_ms ? weft_in_ms(timeout_ms) : WEFT_NOWAIT;
	return (int)hook_return(weft__io_poll(fds, count, deadline_ns));
}
HOOK_ALIAS(__poll, poll);

HOOK int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room);
HOOK int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room)
{
	if (unlikely(room / sizeof *fds < count))
		__chk_fail();
	return poll(fds, count, timeout_ms);
}

/* The deadline of an optional duration. */
static int deadline_of(const struct timespec *timeout, int64_t *ret_deadline_ns)
{
	int64_t ns;

	*ret_deadline_ns = WEFT_FOREVER;
	if (!timeout)
		return 0;
	if (!timespec_valid(timeout))
		return -EINVAL;
	ns = weft__hook_timespec_ns(timeout);
	*ret_deadline_ns = ns ? weft_in_ns(ns) : WEFT_NOWAIT;
	return 0;
}

/* The earlier one: @deadline_ns, or the next look for signals. */
static int64_t next_look(int64_t deadline_ns)
{
	int64_t look_ns = weft_in_ns(SIGNAL_STEP_NS);

	return look_ns < deadline_ns ? look_ns : deadline_ns;
}

static int poll_masked(struct pollfd *fds, nfds_t count, int64_t deadline_ns, const sigset_t *mask)
{
	for (;;) {
		struct timespec zero = { 0, 0 };
		long rc = weft__syscall(SYS_ppoll, fds, count, &zero, mask, KERNEL_SIGSET_BYTES);

		if (rc != 0 || deadline_ns == WEFT_NOWAIT || weft__now() >= deadline_ns)
			return (int)rc;
		rc = weft__io_poll(fds, count, next_look(deadline_ns));
		if (rc < 0)
			return (int)rc;
	}
}

HOOK int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
	       const sigset_t *mask)
{
	int64_t deadline_ns;
	int rc;

	if (!hooked(HOOK_IO) || unlikely(!fds && count))
		return weft__real.ppoll(fds, count, timeout, mask);
	rc = deadline_of(timeout, &deadline_ns);
	if (rc == 0)
		rc = mask ? poll_masked(fds, count, deadline_ns, mask)
			  : weft__io_poll(fds, count, deadline_ns);
	return (int)hook_return(rc);
}

HOOK int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		     const sigset_t *mask, size_t room);
HOOK int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		     const sigset_t *mask, size_t room)
{
	if (unlikely(room / sizeof *fds < count))
		__chk_fail();
	return ppoll(fds, count, timeout, mask);
}

/* --- select ------------------------------------------------------------------- */

/* A select under way. All of it in one block from malloc: the caller's sets may
 * be longer than FD_SETSIZE, and the list of descriptors is as long as they say. */
struct selection {
	int limit;    /* the caller's first argument, cut to what can be open */
	size_t bytes; /* of a set, in whole longs */
	unsigned long *user[3];
	unsigned long *copy[3];
	const sigset_t *mask;
	struct pollfd *fds;
	size_t count;
};

enum { READS, WRITES, EXCEPTS };

/* What each set asks of poll, as the kernel's select does. */
static const short set_events[3] = { POLLIN | POLLRDNORM | POLLRDBAND,
				     POLLOUT | POLLWRNORM | POLLWRBAND, POLLPRI };

static bool is_set(const unsigned long *set, int fd)
{
	const int bits = 8 * sizeof *set;

	return set && (set[fd / bits] >> (fd % bits) & 1);
}

/* Asks the kernel without waiting; writes the caller's sets only for a result. */
static int select_now(struct selection *sel)
{
	struct timespec zero = { 0, 0 };
	struct {
		const sigset_t *mask;
		size_t bytes;
	} signals = { sel->mask, KERNEL_SIGSET_BYTES };
	unsigned long *sets[3];
	long rc;
	int i;

	for (i = 0; i < 3; i++) {
		sets[i] = sel->user[i] ? sel->copy[i] : NULL;
		if (sets[i])
			memcpy(sets[i], sel->user[i], sel->bytes);
	}
	rc = weft__syscall(SYS_pselect6, sel->limit, sets[0], sets[1], sets[2], &zero, &signals);
	if (rc > 0)
		for (i = 0; i < 3; i++)
			if (sets[i])
				memcpy(sel->user[i], sets[i], sel->bytes);
	return (int)rc;
}

static void select_clear(struct selection *sel)
{
	int i;

	for (i = 0; i < 3; i++)
		if (sel->user[i])
			memset(sel->user[i], 0, sel->bytes);
}

static void select_list(struct selection *sel)
{
	int fd, i;

	sel->count = 0;
	for (fd = 0; fd < sel->limit; fd++) {
		short events = 0;

		for (i = 0; i < 3; i++)
			if (is_set(sel->user[i], fd))
				events |= set_events[i];
		if (events)
			sel->fds[sel->count++] = (struct pollfd){ .fd = fd, .events = events };
	}
}

/* poll reports hang-ups and errors that no set asked for: then it is ready at
 * once, every time, while select goes on waiting. Rare (a dead peer in the third
 * set alone); looks at growing intervals instead of spinning. */
static int stall(int64_t *stall_ns, int64_t deadline_ns)
{
	int64_t until_ns = weft_in_ns(*stall_ns);

	if (*stall_ns < STALL_MAX_NS)
		*stall_ns *= 2;
	return weft_sleep_until(until_ns < deadline_ns ? until_ns : deadline_ns);
}

static int select_wait(struct selection *sel, int64_t deadline_ns)
{
	int64_t stall_ns = STALL_FIRST_NS;
	int rc;

	for (;;) {
		rc = select_now(sel);
		if (rc != 0)
			return rc;
		if (deadline_ns == WEFT_NOWAIT || weft__now() >= deadline_ns)
			break;
		rc = weft__io_poll(sel->fds, sel->count,
				   sel->mask ? next_look(deadline_ns) : deadline_ns);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			rc = select_now(sel);
			if (rc != 0)
				return rc;
			rc = stall(&stall_ns, deadline_ns);
			if (rc < 0)
				return rc;
		}
	}
	select_clear(sel);
	return 0;
}

/* Room for three sets and a list, in one block. */
static int select_alloc(struct selection *sel)
{
	unsigned long *block;
	int i;

	block = weft__malloc(3 * sel->bytes + (size_t)sel->limit * sizeof *sel->fds + 1);
	if (!block)
		return -ENOMEM;
	for (i = 0; i < 3; i++)
		sel->copy[i] = block + (size_t)i * sel->bytes / sizeof *block;
	sel->fds = (struct pollfd *)(block + 3 * sel->bytes / sizeof *block);
	return 0;
}

static int select_task(int limit, fd_set *const sets[3], int64_t deadline_ns, const sigset_t *mask)
{
	struct selection sel = { .limit = limit, .mask = mask };
	int i, rc;

	if (limit < 0)
		return -EINVAL;
	sel.bytes = ((size_t)limit + 8 * sizeof(long) - 1) / (8 * sizeof(long)) * sizeof(long);
	for (i = 0; i < 3; i++)
		sel.user[i] = (unsigned long *)sets[i];
	rc = select_alloc(&sel);
	if (rc < 0)
		return rc;
	select_list(&sel);
	rc = select_wait(&sel, deadline_ns);
	weft__free(sel.copy[0]);
	return rc;
}

/* Linux leaves in @timeout what was not slept. */
static void select_remainder(struct timeval *timeout, int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns == WEFT_NOWAIT ? 0 : deadline_ns - weft__now();

	if (deadline_ns == WEFT_FOREVER)
		return; /* saturated: it is as long as before */
	if (left_ns < 0)
		left_ns = 0;
	timeout->tv_sec = left_ns / 1000000000;
	timeout->tv_usec = left_ns % 1000000000 / 1000;
}

HOOK int select(int limit, fd_set *restrict reads, fd_set *restrict writes,
		fd_set *restrict excepts, struct timeval *restrict timeout)
{
	fd_set *const sets[3] = { reads, writes, excepts };
	struct timespec ts = { 0, 0 };
	int64_t deadline_ns;
	int rc;

	if (!hooked(HOOK_IO))
		return weft__real.select(limit, reads, writes, excepts, timeout);
	if (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0))
		return (int)hook_return(-EINVAL);
	if (timeout) {
		/* libc takes a second or more of microseconds, too. */
		if (__builtin_add_overflow(timeout->tv_sec, timeout->tv_usec / 1000000, &ts.tv_sec))
			ts.tv_sec = INT64_MAX;
		ts.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	}
	rc = deadline_of(timeout ? &ts : NULL, &deadline_ns);
	if (rc == 0)
		rc = select_task(limit, sets, deadline_ns, NULL);
	if (timeout)
		select_remainder(timeout, deadline_ns);
	return (int)hook_return(rc);
}
HOOK_ALIAS(__select, select);

HOOK int pselect(int limit, fd_set *restrict reads, fd_set *restrict writes,
		 fd_set *restrict excepts, const struct timespec *restrict timeout,
		 const sigset_t *restrict mask)
{
	fd_set *const sets[3] = { reads, writes, excepts };
	int64_t deadline_ns;
	int rc;

	if (!hooked(HOOK_IO))
		return weft__real.pselect(limit, reads, writes, excepts, timeout, mask);
	rc = deadline_of(timeout, &deadline_ns);
	if (rc == 0)
		rc = select_task(limit, sets, deadline_ns, mask);
	return (int)hook_return(rc);
}
