/* SPDX-License-Identifier: MIT
 *
 * accept.c - accepting without O_NONBLOCK.
 *
 * accept(2) has no flag that says "do not wait" either. What connect.c does with
 * SO_SNDTIMEO would be wrong here with SO_RCVTIMEO: a connection inherits the
 * listener's timeouts at its handshake, so sockets accepted by any owner would
 * fail to block (seen on 6.18: recv on one gives EAGAIN at once). io_uring's
 * accept can do it (Linux 6.10), where containers let it; it costs more than
 * what follows (2.6 us against 2.4 us). So the kernel is asked by poll(2) whether
 * a connection is there, and nobody else may take it before we do:
 *   other threads are kept out by the busy word;
 *   other processes, once this one has forked or is a fork's child, by a record
 *   lock on the socket (fcntl(2), another 1.7 us; it ends with its process).
 *   Processes that share the socket in another way, or accept without weft,
 *   can still take it. Then accept(2) stands still until the next connection.
 *   Set O_NONBLOCK there, which is honoured, or give each process a socket of
 *   its own (SO_REUSEPORT).
 */
#include <fcntl.h>
#include <pthread.h>

#include <base/syscall.h>
#include <io/wait.h>
#include <weft/time.h>

enum {
	SQUEEZED_NS = 1000000, /* pause before an accept that failed for want of descriptors */
	CROWDED_NS = 50000     /* pause while another process is in there */
};

/* --- several processes ------------------------------------------------------ */

static _Atomic bool forked;

static void note_fork(void)
{
	atomic_store_explicit(&forked, true, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, note_fork, note_fork);
}

static long lock_listener(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	return weft__syscall(SYS_fcntl, fd, F_SETLK, &lock);
}

/* False: another process is between its poll and its accept. A lock that cannot
 * be had at all (-ENOLCK) is done without. */
static bool enter_alone(int fd)
{
	long rc;

	if (likely(!atomic_load_explicit(&forked, memory_order_relaxed)))
		return true;
	rc = lock_listener(fd, F_WRLCK);
	return rc != -EAGAIN && rc != -EACCES;
}

static void leave_alone(int fd)
{
	if (unlikely(atomic_load_explicit(&forked, memory_order_relaxed)))
		(void)lock_listener(fd, F_UNLCK);
}

/* --- one attempt ------------------------------------------------------------- */

/* False: accept fails at once, whatever poll says, so it need not be kept from
 * waiting. */
static bool is_listening(struct fd_entry *entry, int fd)
{
	int listening = 0;
	socklen_t room = sizeof listening;

	if (likely(fd_flags(entry) & FD_LISTENING))
		return true;
	if (weft__syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &room) < 0 ||
	    !listening)
		return false;
	weft__fd_flags_change(entry, 0, FD_LISTENING);
	return true;
}

/* The busy word is held. -EBUSY: try again in a moment. */
static long accept_if_there(struct fd_entry *entry, int fd, struct sockaddr *addr,
			    socklen_t *addr_bytes, int flags)
{
	long rc;

	if (!enter_alone(fd))
		return -EBUSY;
	rc = weft__io_ready_now(fd, POLLIN);
	/* Whatever is wrong with it, accept itself shall say. */
	if (rc == 0 && is_listening(entry, fd))
		rc = -EAGAIN;
	else
		rc = weft__syscall(SYS_accept4, fd, addr, addr_bytes, flags);
	leave_alone(fd);
	return rc;
}

/* accept4(2) that does not wait. */
static long accept_at_once(struct fd_entry *entry, int fd, struct sockaddr *addr,
			   socklen_t *addr_bytes, int flags)
{
	long rc;

	if (weft__fd_nonblocking(entry, fd))
		return weft__syscall(SYS_accept4, fd, addr, addr_bytes, flags);
	if (!busy_enter(entry))
		return -EAGAIN;
	rc = accept_if_there(entry, fd, addr, addr_bytes, flags);
	busy_leave(entry);
	return rc;
}

/* What we know of a connection without asking. Only AF_UNIX starts its timeouts
 * anew, all others take over the listener's. */
static void adopt(struct fd_entry *listener, int listener_fd, int fd, int flags)
{
	uint32_t kind = fd_flags(listener) & (FD_KNOWN | FD_SOCKET | FD_STREAM | FD_LINGERS);
	int64_t receive_ns = 0, send_ns = 0;

	if (!(kind & FD_UNIX_STREAM)) {
		receive_ns = weft__fd_timeout(listener, listener_fd, POLL_READABLE);
		send_ns = weft__fd_timeout(listener, listener_fd, POLL_WRITABLE);
	}
	weft__fd_opened(fd, kind | FD_TIMEOUTS, !!(flags & SOCK_NONBLOCK));
	if (unlikely(receive_ns))
		weft__fd_set_timeout(fd, POLL_READABLE, receive_ns);
	if (unlikely(send_ns))
		weft__fd_set_timeout(fd, POLL_WRITABLE, send_ns);
}

/* No descriptor or memory is left. As the native call we say so at once; but
 * others run first, who may close some, and when it happens again the loop
 * around us is slowed down. Without that it would keep the CPU for nothing. */
static void squeezed(struct fd_entry *entry)
{
	if (fd_flags(entry) & FD_SQUEEZED) {
		(void)weft_sleep(SQUEEZED_NS);
		return;
	}
	weft__fd_flags_change(entry, 0, FD_SQUEEZED);
	if (weft__thread.task)
		weft__yield_now(weft__thread.task);
}

static int accepted(struct fd_entry *entry, int fd, long rc, int flags, const struct limit *limit)
{
	if (likely(rc >= 0)) {
		adopt(entry, fd, (int)rc, flags);
		if (unlikely(fd_flags(entry) & FD_SQUEEZED))
			weft__fd_flags_change(entry, FD_SQUEEZED, 0);
		take_turn();
	} else if ((rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM) &&
		   limit->deadline_ns != WEFT_NOWAIT && !weft__fd_nonblocking(entry, fd)) {
		squeezed(entry);
	}
	return (int)rc;
}

/* True: try again. False: *rc is the call's result. */
static bool crowded(struct fd_entry *entry, int fd, struct limit *limit, long *rc)
{
	if (!weft__io_may_wait(entry, fd, POLL_READABLE, limit)) {
		*rc = -EAGAIN;
		return false;
	}
	*rc = weft_sleep(CROWDED_NS);
	return *rc == 0;
}

int weft__io_accept(int fd, struct sockaddr *addr, socklen_t *addr_bytes, int flags,
		    int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);
	long rc;

	if (unlikely(!entry))
		return fd_missing(fd);
	rc = weft__fd_learn(entry, fd);
	if (rc < 0)
		return (int)rc;
	if (!(fd_flags(entry) & FD_SOCKET))
		return -ENOTSOCK;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_READABLE, limit.deadline_ns)) {
			rc = accept_at_once(entry, fd, addr, addr_bytes, flags);
			if (rc == -EBUSY && crowded(entry, fd, &limit, &rc))
				continue;
			if (rc != -EAGAIN)
				return accepted(entry, fd, rc, flags, &limit);
			weft__fd_drained(entry, tick, POLL_READABLE);
		}
		rc = wait_ready(entry, fd, POLL_READABLE, tick, &limit);
		if (rc < 0)
			return (int)rc;
	}
}
