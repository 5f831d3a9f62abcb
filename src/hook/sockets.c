/* SPDX-License-Identifier: MIT
 *
 * sockets.c - making sockets, connecting them, sending and receiving.
 *
 * Waiting, time limits and partial transfers are the io layer's (see
 * io/blocking.h, IO_POSIX). Here is what only a replaced libc call knows:
 * which numbers have a new life, and which options changed.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <hook/hook.h>

const char weft__hook_link_sockets;

void __chk_fail(void) __attribute__((noreturn)); /* libc's: "buffer overflow detected" */

/* --- new sockets ------------------------------------------------------------ */

/* Called with every new number, in tasks and outside. A new socket has no time
 * limits; an accepted one has its listener's. */
static int opened(int fd, unsigned kind, bool nonblocking)
{
	if (fd >= 0 && (weft__thread.task || fd_tracked(fd)))
		weft__fd_opened(fd, kind, nonblocking);
	return fd;
}

HOOK int socket(int domain, int type, int protocol)
{
	return opened(weft__real.socket(domain, type, protocol),
		      weft__fd_socket_kind(domain, type, protocol) | FD_TIMEOUTS,
		      type & SOCK_NONBLOCK);
}

HOOK int socketpair(int domain, int type, int protocol, int fds[2])
{
	int rc = weft__real.socketpair(domain, type, protocol, fds);

	if (rc == 0) {
		unsigned kind = weft__fd_socket_kind(domain, type, protocol) | FD_TIMEOUTS;

		opened(fds[0], kind, type & SOCK_NONBLOCK);
		opened(fds[1], kind, type & SOCK_NONBLOCK);
	}
	return rc;
}

HOOK int accept4(int fd, struct sockaddr *addr, socklen_t *addr_len, int flags)
{
	if (!hooked(HOOK_IO))
		return opened(weft__real.accept4(fd, addr, addr_len, flags), 0,
			      flags & SOCK_NONBLOCK);
	return (int)hook_return(weft__io_accept(fd, addr, addr_len, flags, IO_POSIX));
}

HOOK int accept(int fd, struct sockaddr *addr, socklen_t *addr_len)
{
	if (!hooked(HOOK_IO))
		return opened(weft__real.accept(fd, addr, addr_len), 0, false);
	return (int)hook_return(weft__io_accept(fd, addr, addr_len, 0, IO_POSIX));
}

HOOK int connect(int fd, const struct sockaddr *addr, socklen_t addr_len)
{
	if (!hooked(HOOK_IO))
		return weft__real.connect(fd, addr, addr_len);
	return (int)hook_return(weft__io_connect(fd, addr, addr_len, IO_POSIX));
}
HOOK_ALIAS(__connect, connect);

/* --- options ----------------------------------------------------------------- */

/* A time limit as the kernel takes it: 0 is none, negative seconds do not wait
 * at all (the shortest limit there is). */
static int64_t timeout_ns(const void *value, socklen_t len)
{
	struct timeval limit;
	struct timespec ts;

	if (len < sizeof limit)
		return 0;
	memcpy(&limit, value, sizeof limit);
	if (limit.tv_sec < 0)
		return 1;
	ts = (struct timespec){ limit.tv_sec, limit.tv_usec * 1000 };
	return weft__hook_timespec_ns(&ts);
}

/* With a time to linger, close waits for what has not been sent. */
static void linger_changed(int fd, const void *value, socklen_t len)
{
	struct linger linger = { 0, 0 };

	if (len >= sizeof linger)
		memcpy(&linger, value, sizeof linger);
	if (linger.l_onoff && linger.l_linger > 0)
		weft__fd_flags_change(weft__fd_look(fd), 0, FD_LINGERS);
	else
		weft__fd_flags_change(weft__fd_look(fd), FD_LINGERS, 0);
}

/* @fd is tracked. */
static void option_changed(int fd, int level, int name, const void *value, socklen_t len)
{
	if (level == IPPROTO_TCP && name == TCP_ULP)
		weft__fd_unstream(fd);
	if (level != SOL_SOCKET)
		return;
	if (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW)
		weft__fd_set_timeout(fd, POLL_READABLE, timeout_ns(value, len));
	if (name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW)
		weft__fd_set_timeout(fd, POLL_WRITABLE, timeout_ns(value, len));
	if (name == SO_LINGER)
		linger_changed(fd, value, len);
}

HOOK int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int rc = weft__real.setsockopt(fd, level, name, value, len);

	if (rc == 0 && fd_tracked(fd))
		option_changed(fd, level, name, value, len);
	return rc;
}

/* --- receiving ---------------------------------------------------------------- */

HOOK ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	if (!hooked(HOOK_IO))
		return weft__real.recv(fd, buf, len, flags);
	return hook_return(weft__io_recv(fd, buf, len, flags, IO_POSIX));
}

HOOK ssize_t recvfrom(int fd, void *restrict buf, size_t len, int flags,
		      struct sockaddr *restrict addr, socklen_t *restrict addr_len)
{
	if (!hooked(HOOK_IO))
		return weft__real.recvfrom(fd, buf, len, flags, addr, addr_len);
	return hook_return(weft__io_recvfrom(fd, buf, len, flags, addr, addr_len, IO_POSIX));
}

/* Descriptors that came with a message are new numbers. */
static coldpath void received_fds(struct msghdr *msg)
{
	struct cmsghdr *head;

	for (head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
		size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;
		int fd;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
			if (fd_tracked(fd))
				weft__fd_opened(fd, 0, -1);
		}
	}
}

HOOK ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t got;

	if (!hooked(HOOK_IO) || unlikely(!msg))
		got = weft__real.recvmsg(fd, msg, flags);
	else
		got = hook_return(weft__io_recvmsg(fd, msg, flags, IO_POSIX));
	if (unlikely(got >= 0 && msg->msg_controllen))
		received_fds(msg);
	return got;
}

HOOK ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
HOOK ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	if (unlikely(len > room))
		__chk_fail();
	return recv(fd, buf, len, flags);
}

HOOK ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
			    struct sockaddr *addr, socklen_t *addr_len);
HOOK ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
			    struct sockaddr *addr, socklen_t *addr_len)
{
	if (unlikely(len > room))
		__chk_fail();
	return recvfrom(fd, buf, len, flags, addr, addr_len);
}

/* --- sending ------------------------------------------------------------------ */

HOOK ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	if (!hooked(HOOK_IO))
		return weft__real.send(fd, buf, len, flags);
	return hook_return(weft__io_send(fd, buf, len, flags, IO_POSIX));
}
HOOK_ALIAS(__send, send);

HOOK ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
		    socklen_t addr_len)
{
	if (!hooked(HOOK_IO))
		return weft__real.sendto(fd, buf, len, flags, addr, addr_len);
	return hook_return(weft__io_sendto(fd, buf, len, flags, addr, addr_len, IO_POSIX));
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (!hooked(HOOK_IO) || unlikely(!msg))
		return weft__real.sendmsg(fd, msg, flags);
	return hook_return(weft__io_sendmsg(fd, msg, flags, IO_POSIX));
}
