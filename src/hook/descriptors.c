/* SPDX-License-Identifier: MIT
 *
 * descriptors.c - what happens to the numbers: close, dup, pipe, fcntl, ioctl.
 *
 * None of them waits, but for a lingering close and a file lock. They
 * are hooked because weft remembers things about a number, and waits on it:
 * before it goes away every waiter is woken with EBADF, and what was
 * remembered is forgotten. That holds for calls from anywhere, tasks or not.
 *
 * Not in a child process, though: a child of fork(2) or vfork(2) shares our
 * epoll instances, and taking a descriptor out there would take it out of the
 * parent's. So they forget only in the process that remembers.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/syscall.h>
#include <core/hook_state.h>
#include <hook/hook.h>

const char weft__hook_link_descriptors;

/* --- whose memory it is --------------------------------------------------------- */

/* Of the process whose descriptors the table describes. */
static pid_t owner_pid;

/* In the child the table describes the child's: io/fd.c has seen to that. */
static void forked_child(void)
{
	owner_pid = getpid();
}

__attribute__((constructor(102))) static void descriptors_load(void)
{
	owner_pid = getpid();
	pthread_atfork(NULL, NULL, forked_child);
}

/* True when something is remembered, and by this process. vfork(2) runs no
 * handlers, so this asks the kernel; 40 ns, next to the close that follows. */
static bool tracked_here(int fd)
{
	return fd_tracked(fd) && (pid_t)weft__syscall(SYS_getpid, 0) == owner_pid;
}

/* --- close ------------------------------------------------------------------------ */

static int close_here(void *fd)
{
	return (int)weft__syscall(SYS_close, (intptr_t)fd);
}

/* Waits, and must close even in a cancelled task: so a helper does it, and we stay
 * until it has. */
static coldpath int close_lingering(int fd)
{
	int rc = -EAGAIN;

	if (weft__poller_owns(fd))
		return -EBADF;
	weft__fd_forget(fd);
	if (hooked(HOOK_IO))
		weft_offload(close_here, (void *)(intptr_t)fd, &rc);
	return rc == -EAGAIN ? close_here((void *)(intptr_t)fd) : rc;
}

HOOK int close(int fd)
{
	if (!tracked_here(fd))
		return weft__real.close(fd);
	if (unlikely(weft__fd_look(fd)->flags & FD_LINGERS))
		return (int)hook_return(close_lingering(fd));
	return (int)hook_return(weft__io_close(fd));
}
HOOK_ALIAS(__close, close);

/* --- dup --------------------------------------------------------------------------- */

static int duplicated(int from, int to)
{
	if (to >= 0 && (fd_tracked(from) || fd_tracked(to)))
		weft__fd_duplicated(from, to);
	return to;
}

HOOK int dup(int fd)
{
	return duplicated(fd, weft__real.dup(fd));
}

/* Before @to is replaced. Nothing happens to it when @from is not open: then its
 * waiters stay. -EBUSY for weft's own descriptors, which must not go. */
static int replace(int from, int to)
{
	if (from == to || !tracked_here(to))
		return 0;
	if (weft__poller_owns(to))
		return -EBUSY;
	if (weft__syscall(SYS_fcntl, from, F_GETFD) >= 0)
		weft__fd_replacing(to);
	return 0;
}

HOOK int dup2(int from, int to)
{
	int rc = replace(from, to);

	if (unlikely(rc < 0))
		return (int)hook_return(rc);
	rc = weft__real.dup2(from, to);
	return from == to ? rc : duplicated(from, rc);
}
HOOK_ALIAS(__dup2, dup2);

HOOK int dup3(int from, int to, int flags)
{
	int rc = flags & ~O_CLOEXEC ? 0 : replace(from, to); /* bad flags replace nothing */

	if (unlikely(rc < 0))
		return (int)hook_return(rc);
	return duplicated(from, weft__real.dup3(from, to, flags));
}

/* --- pipe ----------------------------------------------------------------------------- */

static int piped(int rc, const int fds[2], int flags)
{
	int i;

	for (i = 0; rc == 0 && i < 2; i++)
		if (weft__thread.task || fd_tracked(fds[i]))
			/* packets end a transfer early: the kind must be asked */
			weft__fd_opened(fds[i], flags & O_DIRECT ? 0 : FD_PIPE | FD_KNOWN,
					!!(flags & O_NONBLOCK));
	return rc;
}

HOOK int pipe(int fds[2])
{
	return piped(weft__real.pipe(fds), fds, 0);
}
HOOK_ALIAS(__pipe, pipe);

HOOK int pipe2(int fds[2], int flags)
{
	return piped(weft__real.pipe2(fds, flags), fds, flags);
}

/* --- fcntl ------------------------------------------------------------------------------ */

struct lock_job {
	int fd, command;
	struct flock lock;
};

static int run_lock(void *arg)
{
	struct lock_job *job = arg;
	long rc;

	do
		rc = weft__syscall(SYS_fcntl, job->fd, job->command, &job->lock);
	while (rc == -EINTR);
	return (int)rc;
}

/* A lock is the process's or the description's, so any thread may take it. A
 * cancelled task stays until it is taken: a lock that nobody waits for any more
 * could not be given back (its descriptor may be another file's by then). */
static int lock_offloaded(int fd, int command, const struct flock *lock)
{
	struct lock_job *job;
	int rc, result = -ENOLCK;

	if (!lock)
		return -EFAULT;
	job = weft__malloc(sizeof *job);
	if (!job)
		return -ENOMEM;
	*job = (struct lock_job){ fd, command, *lock };
	rc = weft_offload(run_lock, job, &result);
	weft__free(job);
	return rc == -ENOMEM || rc == -EAGAIN ? -ENOLCK : result;
}

/* Waits for a lock only when it must: most are free. */
static int lock_wait(int fd, int command, struct flock *lock)
{
	int try = command == F_SETLKW ? F_SETLK : F_OFD_SETLK;
	long rc = weft__syscall(SYS_fcntl, fd, try, lock);

	if (rc != -EAGAIN && rc != -EACCES)
		return (int)rc;
	return lock_offloaded(fd, command, lock);
}

/* @real is fcntl or fcntl64: the same on 64-bit machines, but two names. */
static int control(int (*real)(int, int, ...), int fd, int command, void *arg)
{
	int rc;

	if (hooked(HOOK_IO) && (command == F_SETLKW || command == F_OFD_SETLKW))
		return (int)hook_return(lock_wait(fd, command, arg));
	rc = real(fd, command, arg);
	if (rc < 0)
		return rc;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		return duplicated(fd, rc);
	if (command == F_SETFL && fd_tracked(fd))
		weft__fd_set_nonblocking(fd, (intptr_t)arg & O_NONBLOCK);
	return rc;
}

HOOK int fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *); /* or an int, or nothing: passed on as it came */
	va_end(args);
	return control(weft__real.fcntl, fd, command, arg);
}
HOOK_ALIAS(__fcntl, fcntl);

HOOK int fcntl64(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return control(weft__real.fcntl64, fd, command, arg);
}

/* --- ioctl ------------------------------------------------------------------------------- */

HOOK int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	int rc;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	rc = weft__real.ioctl(fd, request, arg);
	if (rc >= 0 && request == FIONBIO && fd_tracked(fd))
		weft__fd_set_nonblocking(fd, *(const int *)arg != 0);
	return rc;
}
