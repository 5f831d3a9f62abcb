/* SPDX-License-Identifier: MIT
 *
 * stream.c - read and write on any kind of descriptor: sockets go to
 * socket.c, files to file.c; pipes, eventfds, terminals and devices are here.
 *
 * These have no MSG_DONTWAIT. preadv2 and pwritev2 with RWF_NOWAIT (offset -1:
 * no offset) do the same where the kernel supports it: pipes since Linux 6.4,
 * eventfds and timerfds for reading, not named pipes and terminals (seen on
 * 6.18). For the rest poll(2) is asked first:
 *   reading: what is readable does not wait, unless another process takes the
 *     data in between; other threads of this one are kept out by the busy word.
 *   writing: a writable pipe takes PIPE_BUF bytes at least, so it gets no more
 *     at a time. An eventfd's counter is looked at (eventfd.c). A terminal promises
 *     nothing: a helper thread writes.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include <base/syscall.h>
#include <io/eventfd.h>
#include <io/file.h>

/* Not ready; or the wrong end of a pipe, which poll(2) never calls ready. */
static ssize_t would_wait(int fd, int wrong_mode)
{
	long mode = weft__syscall(SYS_fcntl, fd, F_GETFL);

	return mode >= 0 && (mode & O_ACCMODE) == wrong_mode ? -EBADF : -EAGAIN;
}

static ssize_t read_asking(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count)
{
	ssize_t rc;

	if (weft__fd_nonblocking(entry, fd))
		return weft__syscall(SYS_readv, fd, vec, count);
	if (!busy_enter(entry))
		return -EAGAIN;
	rc = weft__io_ready_now(fd, POLLIN);
	rc = rc == 0 ? would_wait(fd, O_WRONLY) : weft__syscall(SYS_readv, fd, vec, count);
	busy_leave(entry);
	return rc;
}

static ssize_t read_once(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count)
{
	ssize_t rc;

	if (likely(!(fd_flags(entry) & FD_NO_NOWAIT_READ))) {
		rc = weft__syscall(SYS_preadv2, fd, vec, count, -1, -1, RWF_NOWAIT);
		if (likely(rc != -EOPNOTSUPP && rc != -ENOSYS))
			return rc;
		weft__fd_flags_change(entry, 0, FD_NO_NOWAIT_READ);
	}
	return read_asking(entry, fd, vec, count);
}

/* @writable: what poll(2) says. Eventfds know better, both ways. */
static bool write_would_wait(const struct fd_entry *entry, int fd, const struct iovec *vec,
			     size_t count, bool writable)
{
	uint64_t value;

	if (likely((fd_flags(entry) & FD_PIPE) || count != 1 || vec->iov_len != sizeof value))
		return !writable;
	memcpy(&value, vec->iov_base, sizeof value);
	if (value == UINT64_MAX)
		return false;
	return !writable || weft__eventfd_full(fd, value);
}

static ssize_t write_asking(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count)
{
	struct iovec head;
	ssize_t rc;

	if (weft__fd_nonblocking(entry, fd))
		return weft__syscall(SYS_writev, fd, vec, count);
	if (!busy_enter(entry))
		return -EAGAIN;
	rc = weft__io_ready_now(fd, POLLOUT);
	if (write_would_wait(entry, fd, vec, count, rc != 0)) {
		rc = would_wait(fd, O_RDONLY);
	} else if (weft__iov_bytes(vec, count) <= PIPE_BUF || !(fd_flags(entry) & FD_PIPE)) {
		rc = weft__syscall(SYS_writev, fd, vec, count);
	} else {
		while (vec->iov_len == 0) /* there is one that is not: see the sum */
			vec++;
		head = *vec;
		head.iov_len = head.iov_len < PIPE_BUF ? head.iov_len : PIPE_BUF;
		rc = weft__syscall(SYS_writev, fd, &head, 1);
	}
	busy_leave(entry);
	return rc;
}

static ssize_t write_once(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count)
{
	ssize_t rc;

	if (likely(!(fd_flags(entry) & FD_NO_NOWAIT_WRITE))) {
		rc = weft__syscall(SYS_pwritev2, fd, vec, count, -1, -1, RWF_NOWAIT);
		if (likely(rc != -EOPNOTSUPP && rc != -ENOSYS))
			return rc;
		weft__fd_flags_change(entry, 0, FD_NO_NOWAIT_WRITE);
	}
	if ((fd_flags(entry) & FD_TTY) && !weft__fd_nonblocking(entry, fd))
		return weft__io_ready_now(fd, POLLOUT) == 0
			       ? -EAGAIN
			       : weft__file_write(entry, fd, vec, count, FILE_CURRENT);
	return write_asking(entry, fd, vec, count);
}

/* --- the loops ------------------------------------------------------------- */

static ssize_t read_stream(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count,
			   struct limit *limit)
{
	ssize_t rc;

	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_READABLE, limit->deadline_ns)) {
			rc = read_once(entry, fd, vec, count);
			/* A short read says nothing: the other end may write in
			 * packets (O_DIRECT), which this end cannot see. */
			if (likely(rc != -EAGAIN)) {
				take_turn();
				return rc;
			}
			weft__fd_drained(entry, tick, POLL_READABLE);
		}
		rc = wait_ready(entry, fd, POLL_READABLE, tick, limit);
		if (rc < 0)
			return rc;
	}
}

static ssize_t write_stream(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count,
			    struct limit *limit)
{
	ssize_t bytes = weft__iov_bytes(vec, count), done = 0, rc;
	struct cursor cursor = { vec, count, 0 };
	struct iovec window[CURSOR_WINDOW];

	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, POLL_WRITABLE, limit->deadline_ns)) {
			rc = write_once(entry, fd, vec, count);
			if (likely(rc >= 0)) {
				done += rc;
				if (likely(done >= bytes) || rc == 0)
					break;
				weft__cursor_move(&cursor, (size_t)rc);
				count = weft__cursor_window(&cursor, window);
				vec = window;
				continue;
			}
			if (rc != -EAGAIN)
				break;
			weft__fd_drained(entry, tick, POLL_WRITABLE);
		}
		rc = wait_ready(entry, fd, POLL_WRITABLE, tick, limit);
		if (rc < 0)
			break;
	}
	take_turn();
	return done ? done : rc;
}

/* --- by kind --------------------------------------------------------------- */

static inline int entry_of(int fd, struct fd_entry **ret_entry)
{
	struct fd_entry *entry = weft__fd(fd);

	*ret_entry = entry;
	if (unlikely(!entry))
		return fd_missing(fd);
	return weft__fd_learn(entry, fd);
}

static noinline ssize_t read_other(struct fd_entry *entry, int fd, const struct iovec *vec,
				   size_t count, int64_t deadline_ns)
{
	struct limit limit = limit_of(deadline_ns);

	if (fd_flags(entry) & FD_FILE)
		return weft__file_read(entry, fd, vec, count, FILE_CURRENT);
	return read_stream(entry, fd, vec, count, &limit);
}

static noinline ssize_t write_other(struct fd_entry *entry, int fd, const struct iovec *vec,
				    size_t count, int64_t deadline_ns)
{
	struct limit limit = limit_of(deadline_ns);

	if (fd_flags(entry) & FD_FILE)
		return weft__file_write(entry, fd, vec, count, FILE_CURRENT);
	return write_stream(entry, fd, vec, count, &limit);
}

/* Apart: with vec in its frame, what sockets go through could not be a tail call. */
static noinline ssize_t read_other_buf(struct fd_entry *entry, int fd, void *buf, size_t bytes,
				       int64_t deadline_ns)
{
	struct iovec vec = { buf, bytes };

	return read_other(entry, fd, &vec, 1, deadline_ns);
}

static noinline ssize_t write_other_buf(struct fd_entry *entry, int fd, const void *buf,
					size_t bytes, int64_t deadline_ns)
{
	struct iovec vec = { (void *)buf, bytes };

	return write_other(entry, fd, &vec, 1, deadline_ns);
}

ssize_t weft__io_read(int fd, void *buf, size_t bytes, int64_t deadline_ns)
{
	struct fd_entry *entry;
	int rc = entry_of(fd, &entry);

	if (unlikely(rc < 0))
		return rc;
	if (unlikely(!bytes)) /* never waits, and takes no datagram */
		return weft__syscall(SYS_read, fd, buf, 0);
	if (likely(fd_flags(entry) & FD_SOCKET))
		return weft__io_recv(fd, buf, bytes, 0, deadline_ns);
	return read_other_buf(entry, fd, buf, bytes, deadline_ns);
}

ssize_t weft__io_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns)
{
	struct fd_entry *entry;
	int rc = entry_of(fd, &entry);

	if (unlikely(rc < 0))
		return rc;
	if (likely(fd_flags(entry) & FD_SOCKET))
		return weft__io_sendto(fd, buf, bytes, 0, NULL, 0, deadline_ns);
	if (unlikely(!bytes))
		return weft__syscall(SYS_write, fd, buf, 0);
	return write_other_buf(entry, fd, buf, bytes, deadline_ns);
}

ssize_t weft__io_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count };
	struct fd_entry *entry;
	int rc = entry_of(fd, &entry);

	if (unlikely(rc < 0))
		return rc;
	if (count <= 0 || weft__iov_bytes(iov, (size_t)count) <= 0)
		return weft__syscall(SYS_readv, fd, iov, count);
	if (fd_flags(entry) & FD_SOCKET)
		return weft__io_recvmsg(fd, &msg, 0, deadline_ns);
	return read_other(entry, fd, iov, (size_t)count, deadline_ns);
}

ssize_t weft__io_writev(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
	const struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count };
	struct fd_entry *entry;
	int rc = entry_of(fd, &entry);

	if (unlikely(rc < 0))
		return rc;
	if (count <= 0 || weft__iov_bytes(iov, (size_t)count) < 0)
		return weft__syscall(SYS_writev, fd, iov, count);
	if (fd_flags(entry) & FD_SOCKET)
		return weft__io_sendmsg(fd, &msg, 0, deadline_ns);
	if (weft__iov_bytes(iov, (size_t)count) == 0)
		return weft__syscall(SYS_writev, fd, iov, count);
	return write_other(entry, fd, iov, (size_t)count, deadline_ns);
}
