/* SPDX-License-Identifier: MIT
 *
 * blocking.h - blocking calls that park the task: the one implementation
 * behind io.h and the hooks.
 *
 * Each tries the kernel without waiting, and parks while it says EAGAIN. None
 * touches O_NONBLOCK. All return >= 0 or -errno and leave errno alone. Call
 * them on the stack of a task or of a coroutine inside one.
 *
 * The deadline of each is absolute; WEFT_NOWAIT tries once (-EAGAIN, and
 * -EINPROGRESS of connect); WEFT_FOREVER. Or it is
 *
 *   IO_POSIX: do as the libc call does. If the user has set O_NONBLOCK, the
 *   kernel's own -EAGAIN (-EINPROGRESS); otherwise wait as long as SO_RCVTIMEO
 *   or SO_SNDTIMEO say, and answer -EAGAIN (-EINPROGRESS) when that is over.
 *
 * With a real deadline O_NONBLOCK is not looked at, and the end of it is
 * -ETIMEDOUT. Common errors: -ECANCELED (the task; nothing was transferred),
 * -EBADF (also: closed by another task meanwhile), -ENOMEM, and the kernel's.
 *
 * Blocking writes go on after a partial transfer until all is written; ended
 * early by an error, a deadline or a cancel they return what was transferred,
 * as the kernel does. MSG_DONTWAIT, MSG_ERRQUEUE and MSG_OOB never wait.
 */
#ifndef WEFT_IO_BLOCKING_H
#define WEFT_IO_BLOCKING_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <io/fd.h>

#define IO_POSIX ((int64_t)-1)

ssize_t weft__io_recv(int fd, void *buf, size_t bytes, int flags, int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_recvfrom(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
			  socklen_t *from_bytes, int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_recvmsg(int fd, struct msghdr *msg, int flags, int64_t deadline_ns) WEFT_PRIVATE;

ssize_t weft__io_send(int fd, const void *buf, size_t bytes, int flags,
		      int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_sendto(int fd, const void *buf, size_t bytes, int flags, const struct sockaddr *to,
			socklen_t to_bytes, int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_sendmsg(int fd, const struct msghdr *msg, int flags,
			 int64_t deadline_ns) WEFT_PRIVATE;

/* Any kind of descriptor; files go to a helper thread unless their pages are
 * in the page cache. (A file has no timeout: its deadline is not looked at.) */
ssize_t weft__io_read(int fd, void *buf, size_t bytes, int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_readv(int fd, const struct iovec *iov, int count,
		       int64_t deadline_ns) WEFT_PRIVATE;
ssize_t weft__io_writev(int fd, const struct iovec *iov, int count,
			int64_t deadline_ns) WEFT_PRIVATE;

/* Files only (others: -ESPIPE as native). */
ssize_t weft__io_pread(int fd, void *buf, size_t bytes, off_t offset);
ssize_t weft__io_pwrite(int fd, const void *buf, size_t bytes, off_t offset);
int weft__io_fsync(int fd, bool data_only);

/** @flags as of accept4(2). The new descriptor is known to the table already. */
int weft__io_accept(int fd, struct sockaddr *addr, socklen_t *addr_bytes, int flags,
		    int64_t deadline_ns) WEFT_PRIVATE;
int weft__io_connect(int fd, const struct sockaddr *addr, socklen_t addr_bytes,
		     int64_t deadline_ns) WEFT_PRIVATE;

/** poll(2) with its meaning, except that the limit is a deadline (not
 * IO_POSIX). WEFT_NOWAIT asks the kernel too. Returns how many are ready, 0
 * when the deadline passes, -ECANCELED, -ENOMEM, -EINVAL, -EFAULT. */
int weft__io_poll(struct pollfd *fds, size_t count, int64_t deadline_ns) WEFT_PRIVATE;

/**
 * weft__io_retry - the loop of all of these, for other calls (splice, epoll_wait ...)
 * @bits:    what EAGAIN means it lacks: POLL_READABLE or POLL_WRITABLE
 * @attempt: one system call that does not block: >= 0, or -errno
 * @arg:     for @attempt; may lie on the caller's stack
 *
 * Calls @attempt until it says something else than -EAGAIN.
 */
long weft__io_retry(int fd, unsigned bits, int64_t deadline_ns, long (*attempt)(void *arg),
		    void *arg) WEFT_PRIVATE;

/** Forgets @fd (F3), then closes it. -EBADF also for weft's own descriptors. */
int weft__io_close(int fd) WEFT_PRIVATE;

struct addrinfo;

/**
 * weft__io_resolve - getaddrinfo(3) on a helper thread
 * @ret_status: its result when the call itself returns 0: 0 or an EAI_ code;
 *              with EAI_SYSTEM the errno is in *ret_errno
 * @ret_list:   for freeaddrinfo(); set when *ret_status is 0
 *
 * Inputs are copied; after a timeout or cancel the helper's late answer frees
 * itself. Return: 0, -ETIMEDOUT, -ECANCELED, -ENOMEM, -EAGAIN.
 */
int weft__io_resolve(const char *host, const char *service, const struct addrinfo *hints,
		     int64_t deadline_ns, struct addrinfo **ret_list, int *ret_status,
		     int *ret_errno) WEFT_PRIVATE;

#endif
