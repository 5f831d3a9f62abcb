/* SPDX-License-Identifier: MIT
 *
 * socket.c - receiving and sending, by MSG_DONTWAIT.
 *
 * The walk of an echo server's message: recv takes less than the buffer holds,
 * so the socket is drained and its bit goes away without asking again; send
 * takes all; the next recv finds no bit and parks, without a system call. An
 * event sets the bit and wakes. Two system calls a message and a share of one
 * epoll_wait.
 *
 * When a short receive means drained:
 *   TCP: always, but for urgent data (POLL_URGENT: the mark cuts reads) and an end
 *     (POLL_HANGUP: its edge may have come already).
 *   AF_UNIX streams: unless ancillary data cut it. recvmsg tells even when no
 *     room for such data is given (MSG_CTRUNC), so it is used for these.
 *   All others: never; they are asked until they say EAGAIN.
 */
#include <sys/ioctl.h>
#include <string.h>

#include <base/syscall.h>
#include <io/wait.h>

/* Such receives do not take from the head of the stream. */
#define ODD_FLAGS (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)
/* Such never wait, whatever the socket. */
#define NO_WAIT_FLAGS (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

/* One read or write moves so much at most (MAX_RW_COUNT of the kernel). */
#define TRANSFER_MAX ((size_t)0x7ffff000)

/* --- receiving ------------------------------------------------------------- */

static inline void note_short(struct fd_entry *entry, int fd, uint32_t tick, int flags,
			      uint32_t kind)
{
	if (unlikely(!(fd_flags(entry) & FD_KNOWN)))
		(void)weft__fd_learn(entry, fd);
	if ((fd_flags(entry) & kind) && !(flags & ODD_FLAGS))
		fd_short(entry, tick, POLL_READABLE);
}

static always_inline ssize_t receive_once(struct fd_entry *entry, uint32_t tick, int fd, void *buf,
					  size_t bytes, int flags, struct sockaddr *from,
					  socklen_t *from_bytes)
{
	ssize_t rc =
		weft__syscall(SYS_recvfrom, fd, buf, bytes, flags | MSG_DONTWAIT, from, from_bytes);

	if (likely(rc > 0)) {
		if (likely((size_t)rc < bytes))
			note_short(entry, fd, tick, flags, FD_TCP);
	} else if (rc == -EAGAIN && !(flags & (MSG_OOB | MSG_ERRQUEUE))) {
		weft__fd_drained(entry, tick, POLL_READABLE);
	}
	return rc;
}

static ssize_t receive_msg_once(struct fd_entry *entry, int fd, struct msghdr *msg, int flags)
{
	uint32_t tick = fd_tick(entry);
	ssize_t rc = weft__syscall(SYS_recvmsg, fd, msg, flags | MSG_DONTWAIT);
	uint32_t kind = FD_TCP;

	if (rc == -EAGAIN && !(flags & (MSG_OOB | MSG_ERRQUEUE)))
		weft__fd_drained(entry, tick, POLL_READABLE);
	if (rc <= 0)
		return rc;
	if (msg->msg_controllen == 0 && !(msg->msg_flags & MSG_CTRUNC))
		kind |= FD_UNIX_STREAM;
	if (rc < weft__iov_bytes(msg->msg_iov, msg->msg_iovlen))
		note_short(entry, fd, tick, flags, kind);
	return rc;
}

/* MSG_WAITALL on a stream: on until it is full, ends, or fails. An error that
 * comes after a part belongs to the next call, so it must not be fetched here. */
static noinline ssize_t receive_all(struct fd_entry *entry, int fd, struct msghdr *msg,
				    size_t bytes, int flags, struct limit *limit)
{
	struct cursor cursor = { msg->msg_iov, msg->msg_iovlen, 0 };
	struct iovec window[CURSOR_WINDOW];
	struct msghdr part = *msg;
	ssize_t done = 0, rc;
	int left;

	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (done && (tick & POLL_ERROR) &&
		    (weft__syscall(SYS_ioctl, fd, FIONREAD, &left) < 0 || left == 0))
			return done;
		if (worth_trying(entry, tick, POLL_READABLE, limit->deadline_ns)) {
			rc = receive_msg_once(entry, fd, &part, flags & ~MSG_WAITALL);
			if (rc > 0) {
				/* What the first part says of the peer and of
				 * ancillary data is what the call says. */
				if (!done) {
					msg->msg_namelen = part.msg_namelen;
					msg->msg_controllen = part.msg_controllen;
				}
				msg->msg_flags = part.msg_flags;
				done += rc;
				if ((size_t)done == bytes || part.msg_controllen)
					return done;
				weft__cursor_move(&cursor, (size_t)rc);
				part = (struct msghdr){ .msg_iov = window,
							.msg_iovlen = weft__cursor_window(&cursor,
											  window) };
				continue;
			}
			if (rc != -EAGAIN)
				return done ? done : rc;
		}
		rc = wait_ready(entry, fd, POLL_READABLE, tick, limit);
		if (rc < 0)
			return done ? done : rc;
	}
}

/* MSG_WAITALL with MSG_PEEK: from the start again at each event. */
static ssize_t peek_all(struct fd_entry *entry, int fd, struct msghdr *msg, size_t bytes, int flags,
			struct limit *limit)
{
	struct msghdr before = *msg;
	ssize_t rc;
	int error;

	for (;;) {
		uint32_t tick = fd_tick(entry);

		*msg = before;
		rc = receive_msg_once(entry, fd, msg, flags & ~MSG_WAITALL);
		if ((rc <= 0 && rc != -EAGAIN) || rc == (ssize_t)bytes ||
		    (rc > 0 && (tick & POLL_HANGUP)))
			return rc;
		error = wait_ready(entry, fd, POLL_READABLE, tick, limit);
		if (error < 0)
			return rc > 0 ? rc : error;
	}
}

/* True when MSG_WAITALL means something: streams only. */
static bool waits_for_all(struct fd_entry *entry, int fd, int flags)
{
	if (likely(!(flags & MSG_WAITALL)) || (flags & NO_WAIT_FLAGS))
		return false;
	return weft__fd_learn(entry, fd) == 0 && (fd_flags(entry) & FD_STREAM);
}

static noinline ssize_t receive_msg(struct fd_entry *entry, int fd, struct msghdr *msg, int flags,
				    struct limit *limit)
{
	ssize_t rc;

	if (unlikely(waits_for_all(entry, fd, flags))) {
		rc = weft__iov_bytes(msg->msg_iov, msg->msg_iovlen);
		if (rc > 0)
			return (flags & MSG_PEEK ? peek_all : receive_all)(
				entry, fd, msg, (size_t)rc, flags, limit);
	}
	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_READABLE, limit->deadline_ns) ||
		    (flags & NO_WAIT_FLAGS)) {
			rc = receive_msg_once(entry, fd, msg, flags);
			if (rc != -EAGAIN || (flags & NO_WAIT_FLAGS)) {
				take_turn();
				return rc;
			}
		}
		rc = wait_ready(entry, fd, POLL_READABLE, tick, limit);
		if (rc < 0)
			return rc;
	}
}

ssize_t weft__io_recvmsg(int fd, struct msghdr *msg, int flags, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);

	if (unlikely(!entry))
		return fd_missing(fd);
	return receive_msg(entry, fd, msg, flags, &limit);
}

/* One buffer, by recvmsg. */
static noinline ssize_t receive_as_msg(struct fd_entry *entry, int fd, void *buf, size_t bytes,
				       int flags, struct limit *limit)
{
	struct iovec vec = { buf, bytes };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1 };

	return receive_msg(entry, fd, &msg, flags, limit);
}

ssize_t weft__io_recvfrom(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
			  socklen_t *from_bytes, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);
	ssize_t rc;

	if (unlikely(!entry))
		return fd_missing(fd);
	if (!from && ((fd_flags(entry) & FD_UNIX_STREAM) || waits_for_all(entry, fd, flags)))
		return receive_as_msg(entry, fd, buf, bytes, flags, &limit);
	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_READABLE, limit.deadline_ns) ||
		    (flags & NO_WAIT_FLAGS)) {
			rc = receive_once(entry, tick, fd, buf, bytes, flags, from, from_bytes);
			if (rc != -EAGAIN || (flags & NO_WAIT_FLAGS)) {
				take_turn();
				return rc;
			}
		}
		rc = wait_ready(entry, fd, POLL_READABLE, tick, &limit);
		if (rc < 0)
			return rc;
	}
}

/* The limit when it comes to waiting; WEFT_NOWAIT: it must not. Apart: it needs a frame. */
static noinline int64_t resolved(struct fd_entry *entry, int fd, int64_t limit)
{
	struct limit full = limit_of(limit);

	(void)weft__fd_learn(entry, fd); /* if it is closed, the wait will say so */
	return weft__io_may_wait(entry, fd, POLL_READABLE, &full) ? limit_code(&full) : WEFT_NOWAIT;
}

/* -EAGAIN: wait for what comes after @tick. */
static noinline ssize_t recv_attempt(struct fd_entry *entry, int fd, void *buf, size_t bytes,
				     int flags, uint32_t tick)
{
	ssize_t rc = receive_once(entry, tick, fd, buf, bytes, flags, NULL, NULL);

	if (likely(rc != -EAGAIN))
		take_turn();
	return rc;
}

static coldpath ssize_t recv_rarely(int fd, void *buf, size_t bytes, int flags, int64_t limit)
{
	return weft__io_recvfrom(fd, buf, bytes, flags, NULL, NULL, limit);
}

/* This is where the tasks of a server spend their lives. Each byte of its frame is a
 * byte of every idle connection (on a shared stack), and part of a cache line to be
 * fetched when it wakes; so it calls and inlines nothing that needs room. */
ssize_t weft__io_recv(int fd, void *buf, size_t bytes, int flags, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	int64_t limit = deadline_ns;

	if (unlikely(!entry))
		return fd_missing(fd);
	if (unlikely((flags & (MSG_WAITALL | NO_WAIT_FLAGS)) || (fd_flags(entry) & FD_UNIX_STREAM)))
		return recv_rarely(fd, buf, bytes, flags, limit);
	for (;;) {
		uint32_t tick = fd_tick(entry);
		ssize_t rc = -EAGAIN;

		if (worth_trying(entry, tick, POLL_READABLE, limit))
			rc = recv_attempt(entry, fd, buf, bytes, flags, tick);
		if (likely(rc != -EAGAIN))
			return rc;
		if (limit == IO_POSIX || unlikely(!(fd_flags(entry) & FD_KNOWN)))
			limit = resolved(entry, fd, limit);
		if (unlikely(limit == WEFT_NOWAIT))
			return -EAGAIN;
		rc = weft__fd_park(entry, fd, POLL_READABLE, tick, limit < 0 ? -limit : limit);
		if (unlikely(rc < 0))
			return rc == -ETIMEDOUT && limit < 0 ? weft__io_timed_out() : rc;
	}
}

/* --- sending --------------------------------------------------------------- */

/*
 * S1 After a part, SIGPIPE is not ours to raise and an error not ours to
 *    fetch: as in the kernel's own blocking send they wait for the next call.
 */

/* A part has been sent. True: stop here (S1). */
static inline bool after_part(struct fd_entry *entry, uint32_t tick, int *flags)
{
	*flags |= MSG_NOSIGNAL;
	if (fd_flags(entry) & FD_STREAM)
		fd_short(entry, tick, POLL_WRITABLE);
	return fd_tick(entry) & POLL_ERROR;
}

/* That the peer is gone a native call tells by its result alone; SIGPIPE belongs to libc's. */
static inline int send_flags(int flags, const struct limit *limit)
{
	return limit->posix ? flags : flags | MSG_NOSIGNAL;
}

/* Data with the SYN (TCP fast open) and no cookie yet: the connection begins,
 * and the data must be sent once it is there. */
static bool fast_open_began(ssize_t rc, int *flags)
{
	if (likely(rc != -EINPROGRESS) || !(*flags & MSG_FASTOPEN))
		return false;
	*flags &= ~MSG_FASTOPEN;
	return true;
}

static inline ssize_t send_result(size_t done, ssize_t rc)
{
	take_turn();
	return done ? (ssize_t)done : rc;
}

ssize_t weft__io_sendto(int fd, const void *buf, size_t bytes, int flags, const struct sockaddr *to,
			socklen_t to_bytes, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);
	bool once = flags & MSG_DONTWAIT;
	size_t done = 0;
	ssize_t rc;

	if (unlikely(!entry))
		return fd_missing(fd);
	flags = send_flags(flags, &limit);
	if (unlikely(bytes > TRANSFER_MAX))
		bytes = TRANSFER_MAX;
	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_WRITABLE, limit.deadline_ns) || once) {
			rc = weft__syscall(SYS_sendto, fd, (const char *)buf + done, bytes - done,
					   flags | MSG_DONTWAIT, to, to_bytes);
			if (likely(rc >= 0)) {
				done += (size_t)rc;
				if (likely(done == bytes) || once ||
				    after_part(entry, tick, &flags))
					return send_result(done, rc);
				continue;
			}
			if (fast_open_began(rc, &flags))
				to = NULL, to_bytes = 0;
			else if (rc != -EAGAIN)
				return send_result(done, rc);
			weft__fd_drained(entry, tick, POLL_WRITABLE);
			if (once)
				return rc;
		}
		rc = wait_ready(entry, fd, POLL_WRITABLE, tick, &limit);
		if (unlikely(rc < 0))
			return send_result(done, rc);
		if (done && (fd_tick(entry) & POLL_ERROR))
			return (ssize_t)done;
	}
}

ssize_t weft__io_send(int fd, const void *buf, size_t bytes, int flags, int64_t deadline_ns)
{
	return weft__io_sendto(fd, buf, bytes, flags, NULL, 0, deadline_ns);
}

/* The first attempt is the caller's message as it is (a datagram is not to be
 * cut, ancillary data goes out once); what is left of a stream follows. */
ssize_t weft__io_sendmsg(int fd, const struct msghdr *msg, int flags, int64_t deadline_ns)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);
	bool once = flags & MSG_DONTWAIT;
	struct iovec window[CURSOR_WINDOW];
	struct cursor cursor;
	struct msghdr rest;
	size_t done = 0;
	ssize_t rc, bytes;

	if (unlikely(!entry))
		return fd_missing(fd);
	flags = send_flags(flags, &limit);
	cursor = (struct cursor){ msg->msg_iov, msg->msg_iovlen, 0 };
	bytes = weft__iov_bytes(msg->msg_iov, msg->msg_iovlen);
	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_WRITABLE, limit.deadline_ns) || once) {
			rc = weft__syscall(SYS_sendmsg, fd, msg, flags | MSG_DONTWAIT);
			if (likely(rc >= 0)) {
				done += (size_t)rc;
				if (likely((ssize_t)done >= bytes) || once ||
				    after_part(entry, tick, &flags))
					return send_result(done, rc);
				weft__cursor_move(&cursor, (size_t)rc);
				rest = (struct msghdr){ .msg_iov = window,
							.msg_iovlen = weft__cursor_window(&cursor,
											  window) };
				msg = &rest;
				continue;
			}
			if (!fast_open_began(rc, &flags) && rc != -EAGAIN)
				return send_result(done, rc);
			weft__fd_drained(entry, tick, POLL_WRITABLE);
			if (once)
				return rc;
		}
		rc = wait_ready(entry, fd, POLL_WRITABLE, tick, &limit);
		if (unlikely(rc < 0))
			return send_result(done, rc);
		if (done && (fd_tick(entry) & POLL_ERROR))
			return (ssize_t)done;
	}
}
