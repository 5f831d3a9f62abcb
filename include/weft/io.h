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
 * the wait), -ETIMEDOUT, -ECANCELED, -ENOMEM, -EAGAIN (WEFT_NOWAIT, and it
 * would have to wait), or whatever the kernel says. A cancel or timeout that comes after a
 * part has been transferred returns the part.
 *
 * Close a descriptor that these calls have seen with weft_close() (or with
 * close() when libweft-hook is in the process); or, when other code closes it,
 * say so before by weft_fd_forget(). weft remembers what it knows of a number.
 *
 * Where nothing else is said: any thread, any number of tasks for one descriptor; cancellation
 * point; not async-signal-safe.
 *
 * @fd:          descriptor
 * @buf:         at least @bytes bytes; it may lie in the caller's frame, with a shared
 *               stack too
 * @bytes:       how many
 * @iov:         the buffers
 * @count:       how many buffers
 * @flags:       as of the system call
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
 * @deadline_ns: absolute, in nanoseconds on the weft_now() clock; WEFT_NOWAIT asks the
 *               kernel once; WEFT_FOREVER waits
 *
 * Return: the events that are ready, > 0, -EINVAL (an unknown event), or a shared error.
 */
WEFT_API int weft_wait_fd(int fd, unsigned events, int64_t deadline_ns);

/**
 * weft_read - read(2) up to @bytes
 *
 * Sockets, pipes, terminals ...: waits for the first byte. Files: a helper
 * thread reads when the page cache has not got it; @deadline_ns is not used.
 *
 * Return: bytes read, 0 at the end of file, or a shared error.
 */
WEFT_API ssize_t weft_read(int fd, void *buf, size_t bytes, int64_t deadline_ns);

/**
 * weft_write - write(2) all of @bytes
 *
 * No call here that writes to a socket or sends raises SIGPIPE: a peer that is gone is -EPIPE, as if
 * MSG_NOSIGNAL were given each time. A pipe does, as with write(2).
 *
 * Return: @bytes; fewer when an error, the deadline or a cancel came after a part;
 * or a shared error.
 */
WEFT_API ssize_t weft_write(int fd, const void *buf, size_t bytes, int64_t deadline_ns);

/**
 * weft_readv, weft_writev - read and write with several buffers
 *
 * As weft_read() and weft_write() otherwise.
 *
 * Return: bytes read or written, or a shared error.
 */
WEFT_API ssize_t weft_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns);
WEFT_API ssize_t weft_writev(int fd, const struct iovec *iov, int count, int64_t deadline_ns);

/**
 * weft_read_full - read until the buffer is full or the end of file comes
 *
 * Return: @bytes; fewer at the end of file; or a shared error. An error returns its code,
 * and the bytes read before it are lost to the caller.
 */
WEFT_API ssize_t weft_read_full(int fd, void *buf, size_t bytes, int64_t deadline_ns);

/**
 * weft_write_full - write all, or say why not
 *
 * Return: @bytes, or a shared error. An error returns its code, also after a part.
 */
WEFT_API ssize_t weft_write_full(int fd, const void *buf, size_t bytes, int64_t deadline_ns);

/**
 * weft_pread, weft_pwrite - read and write a file at a place of it
 * @offset: in bytes, from the beginning of the file
 *
 * As pread(2) and pwrite(2); by a helper thread when it would block. The task waits for
 * the end of the transfer whatever happens.
 *
 * Return: bytes read or written, 0 at the end of file, -ECANCELED (before it began), -ENOMEM,
 * -EAGAIN (no helper thread could be made), or what pread(2) or pwrite(2) failed with.
 */
WEFT_API ssize_t weft_pread(int fd, void *buf, size_t bytes, off_t offset);
WEFT_API ssize_t weft_pwrite(int fd, const void *buf, size_t bytes, off_t offset);

/**
 * weft_fsync - fsync(2) on a helper thread
 *
 * Return: 0, -ECANCELED (before it began), -ENOMEM, -EAGAIN (no helper thread could be made),
 * or what fsync(2) failed with.
 */
WEFT_API int weft_fsync(int fd);

/**
 * weft_recv, weft_send ... - receive and send messages, with a deadline
 * @flags:      as of the system call; MSG_DONTWAIT tries once
 * @from:       the sender's address; may be NULL
 * @from_bytes: room in @from; then the address's length
 * @to:         the receiver's address
 * @to_bytes:   length of @to
 * @msg:        buffers, address and control data
 *
 * As the system calls of that name. A send on a stream sends all.
 *
 * Return: bytes received or sent, or a shared error.
 */
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
 * Return: the new descriptor, or a shared error. Without a free one (-EMFILE, -ENFILE, -ENOBUFS)
 * other tasks run before it returns, so that a loop around it cannot starve
 * those that would close some.
 */
WEFT_API int weft_accept(int fd, struct sockaddr *addr, socklen_t *addr_bytes, int flags,
			 int64_t deadline_ns);

/**
 * weft_connect - connect(2)
 * @addr:       the peer's address
 * @addr_bytes: its length
 *
 * After -ETIMEDOUT or -ECANCELED the attempt goes on.
 *
 * Return: 0, -ECONNREFUSED (nobody listens there), or a shared error.
 */
WEFT_API int weft_connect(int fd, const struct sockaddr *addr, socklen_t addr_bytes,
			  int64_t deadline_ns);

/**
 * weft_close - wake every task that waits for @fd with -EBADF, then close(2)
 *
 * Return: 0, -EBADF (not open), or what close(2) failed with. It is closed then, too.
 * Not a cancellation point.
 */
WEFT_API int weft_close(int fd);

/**
 * weft_fd_forget - wake every task that waits for @fd with -EBADF, and forget it
 *
 * For a descriptor that other code will close now, or that has got an upper layer (TCP_ULP)
 * after weft has seen it. Not a cancellation point.
 */
WEFT_API void weft_fd_forget(int fd);

struct addrinfo;

/**
 * weft_resolve - getaddrinfo(3) on a helper thread
 * @host:     name or address; may be NULL as in getaddrinfo()
 * @service:  name or port number; may be NULL
 * @hints:    may be NULL
 * @ret_list: the addresses, for freeaddrinfo()
 *
 * The helper goes on after a timeout or a cancel, and its result is thrown away.
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
