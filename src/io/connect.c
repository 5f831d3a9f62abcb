/* SPDX-License-Identifier: MIT
 *
 * connect.c - connecting without O_NONBLOCK.
 *
 * connect(2) has no flag that says "do not wait", and O_NONBLOCK is not ours to
 * set (D12). But the kernel takes its patience from SO_SNDTIMEO, and a negative
 * value stores zero: no wait at all (sock_set_timeout() in net/core/sock.c; tried
 * on 6.18). So the option is set, the attempt made, the option restored; 0.5 us
 * more. Nobody can do anything with an unconnected socket that reads this option
 * but connect it, so no other owner notices. One microsecond, the other
 * candidate, is rounded up to a tick of the kernel's clock: the thread would
 * stand still for 1 to 10 ms a connection. The kernel remarks on the negative
 * value in its log, ten times after boot and then never again.
 */
#include <sys/time.h>

#include <base/syscall.h>
#include <io/wait.h>
#include <weft/time.h>

enum {
	RETRY_MIN_NS = 200000,  /* an AF_UNIX listener with a full queue: first pause ... */
	RETRY_MAX_NS = 10000000 /* ... and longest */
};

/* --- connecting ------------------------------------------------------------ */

/* connect(2) that never waits. Only a stream socket has the patience to. */
static long connect_at_once(int fd, const struct sockaddr *addr, socklen_t addr_bytes)
{
	const struct timeval none = { .tv_sec = -1 };
	struct timeval users;
	socklen_t room = sizeof users;
	long rc, connected;

	rc = weft__syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &users, &room);
	if (rc < 0)
		return rc;
	weft__syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
	connected = weft__syscall(SYS_connect, fd, addr, addr_bytes);
	weft__syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &users, sizeof users);
	return connected;
}

/* The attempt is under way. When poll(2) says writable it is over, well or
 * badly, and another connect cannot wait any more: it fetches the outcome, and
 * tells the kernel that somebody has noticed, as the blocking call does.
 * @begun: what the attempt said; when the time limit is over, that is the answer. */
static int await_connected(struct fd_entry *entry, int fd, const struct sockaddr *addr,
			   socklen_t addr_bytes, int begun, struct limit *limit)
{
	for (;;) {
		uint32_t tick = fd_tick(entry);
		int rc;

		if (weft__io_ready_now(fd, POLLOUT)) {
			rc = (int)weft__syscall(SYS_connect, fd, addr, addr_bytes);
			return rc == -EISCONN ? 0 : rc;
		}
		weft__fd_drained(entry, tick, POLL_READABLE | POLL_WRITABLE);
		rc = wait_ready(entry, fd, POLL_WRITABLE, tick, limit);
		if (rc < 0)
			return rc == -EAGAIN ? begun : rc;
	}
}

/* AF_UNIX: the listener's queue is full, and nothing tells when it is not. */
static int pause_for_queue(struct fd_entry *entry, int fd, int64_t *pause_ns, struct limit *limit)
{
	int64_t until_ns = weft_in_ns(*pause_ns);
	int rc;

	if (!weft__io_may_wait(entry, fd, POLL_WRITABLE, limit))
		return -EAGAIN;
	rc = weft_sleep_until(until_ns < limit->deadline_ns ? until_ns : limit->deadline_ns);
	if (rc < 0)
		return rc;
	if (until_ns >= limit->deadline_ns)
		return limit->posix ? -EAGAIN : -ETIMEDOUT;
	*pause_ns = *pause_ns * 2 < RETRY_MAX_NS ? *pause_ns * 2 : RETRY_MAX_NS;
	return 0;
}

static inline bool under_way(long rc)
{
	return rc == -EINPROGRESS || rc == -EALREADY;
}

int weft__io_connect(int fd, const struct sockaddr *addr, socklen_t addr_bytes, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);
	int64_t pause_ns = RETRY_MIN_NS;
	long rc;

	if (unlikely(!entry))
		return fd_missing(fd);
	rc = weft__fd_learn(entry, fd);
	if (rc < 0)
		return (int)rc;
	if (limit.posix && weft__fd_nonblocking(entry, fd))
		return (int)weft__syscall(SYS_connect, fd, addr, addr_bytes);
	for (;;) {
		weft__fd_fresh(entry);
		rc = connect_at_once(fd, addr, addr_bytes);
		if (rc != -EAGAIN || addr->sa_family != AF_UNIX)
			break;
		rc = pause_for_queue(entry, fd, &pause_ns, &limit);
		if (rc < 0)
			return (int)rc;
	}
	if (!under_way(rc) || limit.deadline_ns == WEFT_NOWAIT)
		return (int)rc;
	return await_connected(entry, fd, addr, addr_bytes, (int)rc, &limit);
}
