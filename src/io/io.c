/* SPDX-License-Identifier: MIT
 *
 * io.c - the public face, weft/io.h.
 */
#include <netdb.h>

#include <base/syscall.h>
#include <io/events.h>
#include <io/blocking.h>
#include <weft/io.h>

/* Negative deadlines have a meaning of their own below: here they are past. */
static inline int64_t given(int64_t deadline_ns)
{
	return deadline_ns < 0 ? 1 : deadline_ns;
}

ssize_t weft_read(int fd, void *buf, size_t bytes, int64_t deadline_ns)
{
	return weft__io_read(fd, buf, bytes, given(deadline_ns));
}

ssize_t weft_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns)
{
	return weft__io_write(fd, buf, bytes, given(deadline_ns));
}

ssize_t weft_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
	return weft__io_readv(fd, iov, count, given(deadline_ns));
}

ssize_t weft_writev(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
	return weft__io_writev(fd, iov, count, given(deadline_ns));
}

ssize_t weft_read_full(int fd, void *buf, size_t bytes, int64_t deadline_ns)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t rc = weft_read(fd, (char *)buf + done, bytes - done, deadline_ns);

		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
		done += (size_t)rc;
	}
	return (ssize_t)done;
}

ssize_t weft_write_full(int fd, const void *buf, size_t bytes, int64_t deadline_ns)
{
	size_t done = 0;

	/* A part comes back when something went wrong: the next call says what. */
	while (done < bytes) {
		ssize_t rc = weft_write(fd, (const char *)buf + done, bytes - done, deadline_ns);

		if (rc < 0)
			return rc;
		done += (size_t)rc;
	}
	return (ssize_t)done;
}

ssize_t weft_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return weft__io_pread(fd, buf, bytes, offset);
}

ssize_t weft_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	return weft__io_pwrite(fd, buf, bytes, offset);
}

int weft_fsync(int fd)
{
	return weft__io_fsync(fd, false);
}

ssize_t weft_recv(int fd, void *buf, size_t bytes, int flags, int64_t deadline_ns)
{
	return weft__io_recv(fd, buf, bytes, flags, given(deadline_ns));
}

ssize_t weft_send(int fd, const void *buf, size_t bytes, int flags, int64_t deadline_ns)
{
	return weft__io_send(fd, buf, bytes, flags, given(deadline_ns));
}

ssize_t weft_recvfrom(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
		      socklen_t *from_bytes, int64_t deadline_ns)
{
	return weft__io_recvfrom(fd, buf, bytes, flags, from, from_bytes, given(deadline_ns));
}

ssize_t weft_sendto(int fd, const void *buf, size_t bytes, int flags, const struct sockaddr *to,
		    socklen_t to_bytes, int64_t deadline_ns)
{
	return weft__io_sendto(fd, buf, bytes, flags, to, to_bytes, given(deadline_ns));
}

ssize_t weft_recvmsg(int fd, struct msghdr *msg, int flags, int64_t deadline_ns)
{
	return weft__io_recvmsg(fd, msg, flags, given(deadline_ns));
}

ssize_t weft_sendmsg(int fd, const struct msghdr *msg, int flags, int64_t deadline_ns)
{
	return weft__io_sendmsg(fd, msg, flags, given(deadline_ns));
}

int weft_accept(int fd, struct sockaddr *addr, socklen_t *addr_bytes, int flags,
		int64_t deadline_ns)
{
	return weft__io_accept(fd, addr, addr_bytes, flags, given(deadline_ns));
}

int weft_connect(int fd, const struct sockaddr *addr, socklen_t addr_bytes, int64_t deadline_ns)
{
	return weft__io_connect(fd, addr, addr_bytes, given(deadline_ns));
}

/* --- waiting, closing ------------------------------------------------------ */

int weft_wait_fd(int fd, unsigned events, int64_t deadline_ns)
{
	struct pollfd pollfd = { .fd = fd, .events = events_to_poll(events) };
	int rc;

	if (events & ~(unsigned)FD_EVENTS_ALL)
		return -EINVAL;
	if (fd < 0)
		return -EBADF;
	rc = weft__io_poll(&pollfd, 1, given(deadline_ns));
	if (rc <= 0)
		return rc < 0 ? rc : deadline_ns == WEFT_NOWAIT ? -EAGAIN : -ETIMEDOUT;
	return events_from_poll(pollfd.revents, events);
}

int weft__io_close(int fd)
{
	if (weft__poller_owns(fd))
		return -EBADF;
	weft__fd_forget(fd);
	return (int)weft__syscall(SYS_close, fd);
}

int weft_close(int fd)
{
	return weft__io_close(fd);
}

void weft_fd_forget(int fd)
{
	weft__fd_forget(fd);
}

/* --- names ----------------------------------------------------------------- */

static int error_of(int status, int error)
{
	switch (status) {
	case 0:
		return 0;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_FAIL:
		return -EIO;
	case EAI_FAMILY:
	case EAI_ADDRFAMILY:
		return -EAFNOSUPPORT;
	case EAI_BADFLAGS:
	case EAI_SOCKTYPE:
	case EAI_SERVICE:
		return -EINVAL;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return error ? -error : -EIO;
	default:
		return -ENOENT;
	}
}

int weft_resolve(const char *host, const char *service, const struct addrinfo *hints,
		 int64_t deadline_ns, struct addrinfo **ret_list)
{
	int status, error;
	int rc = weft__io_resolve(host, service, hints, given(deadline_ns), ret_list, &status,
				  &error);

	return rc < 0 ? rc : error_of(status, error);
}
