/* SPDX-License-Identifier: MIT
 *
 * weft/io.h - descriptors: waiting for them, reading, writing, connecting.
 *
 * Every call parks the calling task and not its thread. The descriptors may be
 * of any kind and need no preparation: O_NONBLOCK is neither needed nor set,
 * and sockets shared with other processes keep their flags. From a plain
 * thread the first call makes that thread a runtime (see task.h).
 *
 * Errors that all share: -EBADF (not open, or closed by another task during
 * the wait), -ETIMEDOUT, -ECANCELED, -ENOMEM; -EAGAIN with WEFT_NOWAIT when it
 * would have to wait; and whatever the kernel says. All are cancellation
 * points; a cancel or timeout that comes after a part has been transferred
 * returns the part. Not async-signal-safe.
 *
 * Close a descriptor that these calls have seen with weft_close() (or with
 * close() when libweft-hook is in the process); or, when other code closes it,
 * say so before by weft_fd_forget(). weft remembers what it knows of a number.
 */
#ifndef WEFT_IO_API_H
#define WEFT_IO_API_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** What a descriptor is ready for. */
enum weft_fd_events {
	WEFT_READABLE = 1, /**< a read does not wait (data, end of file, or an error) */
	WEFT_WRITABLE = 2, /**< a write does not wait */
	WEFT_HANGUP = 4,   /**< an error, or the other side has closed; always reported */
	WEFT_PRIORITY = 8  /**< urgent data */
};

/**
 * weft_wait_fd - park until a descriptor is ready
 * @fd:          descriptor
 * @events:      a set of enum weft_fd_events
 * @deadline_ns: absolute; WEFT_NOWAIT asks the kernel once
 *
 * Any number of tasks may wait for one descriptor. Return: the events that
 * are ready, > 0; -EINVAL (an unknown event); or as above.
 */
WEFT_API int weft_wait_fd(int fd, unsigned events, int64_t deadline_ns);

/**
 * weft_read - read(2) up to @bytes
 *
 * Sockets, pipes, terminals ...: waits for the first byte. Files: a helper
 * thread reads when the page cache has not got it; @deadline_ns is not used.
 * Return: bytes read, 0 at the end of file.
 */
WEFT_API ssize_t weft_read(int fd, void *buf, size_t bytes, int64_t deadline_ns);

/** weft_write - write(2) all of @bytes. Return: @bytes; fewer when an error,
 * the deadline or a cancel came after a part. */
WEFT_API ssize_t weft_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns);

/** weft_readv, weft_writev - the same from and to several buffers */
WEFT_API ssize_t weft_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns);
WEFT_API ssize_t weft_writev(int fd, const struct iovec *iov, int count, int64_t deadline_ns);

/**
 * weft_read_full - read until the buffer is full or the end of file comes
 *
 * Return: @bytes; fewer at the end of file. An error returns its code, and the
 * bytes read before it are lost to the caller.
 */
WEFT_API ssize_t weft_read_full(int fd, void *buf, size_t bytes, int64_t deadline_ns);

/** weft_write_full - write all: @bytes or an error, never a part */
WEFT_API ssize_t weft_write_full(int fd, const void *buf, size_t bytes, int64_t deadline_ns);

/** weft_pread, weft_pwrite - pread(2), pwrite(2); by a helper thread when it would block */
WEFT_API ssize_t weft_pread(int fd, void *buf, size_t bytes, off_t offset);
WEFT_API ssize_t weft_pwrite(int fd, const void *buf, size_t bytes, off_t offset);

/** weft_fsync - fsync(2) on a helper thread */
WEFT_API int weft_fsync(int fd);

/** weft_recv, weft_send ... - as the libc calls of that name, with a deadline.
 * MSG_DONTWAIT tries once. A blocking send of a stream sends all. */
WEFT_API ssize_t weft_recv(int fd, void *buf, size_t bytes, int flags, int64_t deadline_ns);
WEFT_API ssize_t weft_send(int fd, const void *buf, size_t bytes, int flags, int64_t deadline_ns);
WEFT_API ssize_t weft_recvfrom(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
			       socklen_t *from_bytes, int64_t deadline_ns);
WEFT_API ssize_t weft_sendto(int fd, const void *buf, size_t bytes, int flags,
			     const struct sockaddr *to, socklen_t to_bytes, int64_t deadline_ns);
WEFT_API ssize_t weft_recvmsg(int fd, struct msghdr *msg, int flags, int64_t deadline_ns);
WEFT_API ssize_t weft_sendmsg(int fd, const struct msghdr *msg, int flags, int64_t deadline_ns);

/**
 * weft_accept - accept4(2)
 * @addr:       the peer's address; may be NULL
 * @addr_bytes: room in @addr; then the address's length
 * @flags:      SOCK_CLOEXEC, SOCK_NONBLOCK
 *
 * Return: the new descriptor. Without a free one (-EMFILE, -ENFILE, -ENOBUFS)
 * other tasks run before it returns, so that a loop around it cannot starve
 * those that would close some.
 */
WEFT_API int weft_accept(int fd, struct sockaddr *addr, socklen_t *addr_bytes, int flags,
			 int64_t deadline_ns);

/** weft_connect - connect(2). After -ETIMEDOUT or -ECANCELED the attempt goes on. */
WEFT_API int weft_connect(int fd, const struct sockaddr *addr, socklen_t addr_bytes,
			  int64_t deadline_ns);

/** weft_close - wake every task that waits for @fd with -EBADF, then close(2) */
WEFT_API int weft_close(int fd);

/** weft_fd_forget - the same without the close: for one that other code will close now,
 * or that has got an upper layer (TCP_ULP) after weft has seen it */
WEFT_API void weft_fd_forget(int fd);

struct addrinfo;

/**
 * weft_resolve - getaddrinfo(3) on a helper thread
 * @host:     name or address; may be NULL as in getaddrinfo()
 * @service:  name or port number; may be NULL
 * @hints:    may be NULL
 * @ret_list: the addresses, for freeaddrinfo()
 *
 * Return: 0, -ENOENT (no such name, no address), -EAGAIN (the name server
 * fails for now), -EIO (it fails for good), -EINVAL (flags, socket type, a
 * service unknown to it), -EAFNOSUPPORT, -ENOMEM, -ETIMEDOUT, -ECANCELED, or
 * the error of the system call that failed.
 */
WEFT_API int weft_resolve(const char *host, const char *service, const struct addrinfo *hints,
			  int64_t deadline_ns, struct addrinfo **ret_list);

WEFT_END_DECLS

#endif
