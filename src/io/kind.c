/* SPDX-License-Identifier: MIT
 *
 * kind.c - what sort of thing a descriptor is, whether its user has set
 * O_NONBLOCK, and his timeouts: asked once in a number's life, unless
 * whoever made the descriptor has told us.
 *
 * O_NONBLOCK and the timeouts belong to the description, which may have other
 * numbers here and other owners elsewhere. A change through one number of this
 * process is seen (by the hooks); it makes what was learnt of all others void
 * if that number has been duplicated. A change by another process, or by a raw
 * system call, is seen at the number's next life only: a task of ours then
 * waits where the kernel's call would not, as a thread that was blocked in the
 * call at the time of the change would, too.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <base/syscall.h>
#include <io/fd.h>

static long socket_option(int fd, int option, void *value, size_t bytes)
{
	socklen_t room = (socklen_t)bytes;

	return weft__syscall(SYS_getsockopt, fd, SOL_SOCKET, option, value, &room);
}

unsigned weft__fd_socket_kind(int domain, int type, int protocol)
{
	unsigned kind = FD_KNOWN | FD_SOCKET;

	if ((type & 0xf) != SOCK_STREAM)
		return kind;
	if (domain == AF_UNIX)
		kind |= FD_UNIX_STREAM;
	/* Not MPTCP, SMC and whatever else cuts its stream in its own way. */
	if ((domain == AF_INET || domain == AF_INET6) && (protocol == 0 || protocol == IPPROTO_TCP))
		kind |= FD_TCP;
	return kind;
}

/* An upper layer in the kernel (kTLS) cuts the stream by its records. */
static bool has_upper_layer(int fd)
{
	char name[16];
	socklen_t room = sizeof name;

	return weft__syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_ULP, name, &room) == 0 && room;
}

/* Two questions for TCP; three for the others. */
static unsigned learn_socket(int fd, int protocol)
{
	int domain = -1, type = -1;

	if (protocol == IPPROTO_TCP)
		return FD_KNOWN | FD_SOCKET | (has_upper_layer(fd) ? 0 : FD_TCP);
	if (socket_option(fd, SO_DOMAIN, &domain, sizeof domain) < 0 ||
	    socket_option(fd, SO_TYPE, &type, sizeof type) < 0 || domain != AF_UNIX)
		return FD_KNOWN | FD_SOCKET;
	return weft__fd_socket_kind(domain, type, protocol);
}

static unsigned learn_device(int fd)
{
	char termios[256]; /* more than any CPU's */

	return FD_KNOWN | (weft__syscall(SYS_ioctl, fd, TCGETS, termios) == 0 ? FD_TTY : 0);
}

static long learn_other(int fd)
{
	struct stat status; /* as the kernel's: both are 64-bit ABIs */
	long rc = weft__syscall(SYS_fstat, fd, &status);

	if (rc < 0)
		return rc;
	switch (status.st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK:
	case S_IFDIR:
		return FD_KNOWN | FD_FILE | FD_UNPOLLABLE;
	case S_IFIFO:
		return FD_KNOWN | FD_PIPE;
	case S_IFCHR:
		return learn_device(fd);
	default:
		return FD_KNOWN;
	}
}

int weft__fd_learn(struct fd_entry *entry, int fd)
{
	int protocol;
	long kind;

	if (likely(fd_flags(entry) & FD_KNOWN))
		return 0;
	kind = socket_option(fd, SO_PROTOCOL, &protocol, sizeof protocol);
	if (kind == 0)
		kind = learn_socket(fd, protocol);
	else if (kind == -ENOTSOCK)
		kind = learn_other(fd);
	if (kind < 0)
		return (int)kind;
	weft__fd_init(entry);
	weft__fd_flags_change(entry, 0, (uint32_t)kind);
	return 0;
}

/* --- what the user may change ---------------------------------------------- */

/* True when @what has been learnt and holds. Threads that share a descriptor may find
 * out at the same time that it does not: then each asks. */
static bool current(struct fd_entry *entry, uint32_t what)
{
	uint32_t status = atomic_load_explicit(&weft__fd_status, memory_order_relaxed);

	/* acquire pairs with weft__fd_timeout(): the times are there when the flag is */
	if (likely(fd_status_current(entry)))
		return atomic_load_explicit(&entry->flags, memory_order_acquire) & what;
	weft__fd_flags_change(entry, FD_STATUS | FD_TIMEOUTS, 0);
	/* release pairs with fd_status_current() */
	atomic_store_explicit(&entry->status, status, memory_order_release);
	return false;
}

static void set_nonblocking(struct fd_entry *entry, bool nonblocking)
{
	weft__fd_flags_change(entry, nonblocking ? 0 : FD_NONBLOCK,
			      FD_STATUS | (nonblocking ? FD_NONBLOCK : 0));
}

bool weft__fd_nonblocking(struct fd_entry *entry, int fd)
{
	long status;

	if (!current(entry, FD_STATUS)) {
		status = weft__syscall(SYS_fcntl, fd, F_GETFL, 0);
		if (status < 0)
			return true; /* the call's own error is what counts */
		set_nonblocking(entry, status & O_NONBLOCK);
	}
	return fd_flags(entry) & FD_NONBLOCK;
}

static _Atomic int64_t *timeout_of(struct fd_entry *entry, unsigned bit)
{
	return bit == POLL_READABLE ? &entry->receive_timeout_ns : &entry->send_timeout_ns;
}

static void set_timeout(struct fd_entry *entry, unsigned bit, int64_t timeout_ns)
{
	/* relaxed: FD_TIMEOUTS tells that it is there */
	atomic_store_explicit(timeout_of(entry, bit), timeout_ns, memory_order_relaxed);
}

static int64_t ask_timeout(int fd, int option)
{
	struct timeval tv;

	if (socket_option(fd, option, &tv, sizeof tv) < 0)
		return 0;
	return (int64_t)tv.tv_sec * 1000000000 + (int64_t)tv.tv_usec * 1000;
}

int64_t weft__fd_timeout(struct fd_entry *entry, int fd, unsigned bit)
{
	if (!current(entry, FD_TIMEOUTS)) {
		set_timeout(entry, POLL_READABLE, ask_timeout(fd, SO_RCVTIMEO));
		set_timeout(entry, POLL_WRITABLE, ask_timeout(fd, SO_SNDTIMEO));
		/* release (in cas32()) pairs with the acquire in current() */
		weft__fd_flags_change(entry, 0, FD_TIMEOUTS);
	}
	return atomic_load_explicit(timeout_of(entry, bit), memory_order_relaxed);
}

/* Other numbers of the description must ask again. */
static void changed(struct fd_entry *entry)
{
	if (fd_flags(entry) & FD_DUPLICATED) {
		uint32_t status =
			atomic_fetch_add_explicit(&weft__fd_status, 1, memory_order_relaxed);

		/* relaxed: what the entry says already holds */
		atomic_store_explicit(&entry->status, status + 1, memory_order_relaxed);
	}
}

void weft__fd_set_nonblocking(int fd, bool nonblocking)
{
	struct fd_entry *entry = weft__fd_look(fd);

	if (!entry)
		return;
	(void)current(entry, FD_STATUS);
	changed(entry);
	set_nonblocking(entry, nonblocking);
}

void weft__fd_set_timeout(int fd, unsigned bit, int64_t timeout_ns)
{
	struct fd_entry *entry = weft__fd_look(fd);

	if (!entry)
		return;
	(void)current(entry, FD_TIMEOUTS);
	changed(entry);
	set_timeout(entry, bit, timeout_ns);
}

void weft__fd_duplicated(int from, int to)
{
	struct fd_entry *old = weft__fd(from), *new;

	if (!old)
		return;
	weft__fd_opened(to, fd_flags(old), -1);
	new = weft__fd_look(to);
	weft__fd_flags_change(old, 0, FD_DUPLICATED);
	if (new)
		weft__fd_flags_change(new, FD_TIMEOUTS, FD_DUPLICATED);
}

void weft__fd_unstream(int fd)
{
	struct fd_entry *entry = weft__fd_look(fd);

	if (entry && weft__fd_learn(entry, fd) == 0)
		weft__fd_flags_change(entry, FD_STREAM, 0);
}
