/* SPDX-License-Identifier: MIT
 *
 * real.c - libc's own functions, and what happens when the library is loaded.
 *
 * The table starts out full: each entry makes the system call itself. So a
 * hook may be called at any time - by an earlier constructor, by a malloc that
 * dlsym() calls - and never has to resolve a name on the way. (dlsym may
 * allocate; an allocator that reads a file on its first use would come back
 * here and wait for itself.) The name service has no system call to stand in
 * for it and is not used by allocators: these entries resolve at need.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/log.h>
#include <base/syscall.h>
#include <core/hook_state.h>
#include <hook/allocator.h>
#include <hook/early.h>
#include <hook/hook.h>
#include <hook/once.h>
#include <sync/post.h>
#include <weft/types.h>

#ifndef WEFT_HOOK_VERSION
#define WEFT_HOOK_VERSION WEFT_VERSION /* a test sets another one */
#endif

unsigned weft__hook_groups = HOOK_ALL;

/* --- before libc's functions are known: the system calls -------------------- */

#define EARLY(type, name, params, ...)                                \
	static type early_##name params                               \
	{                                                             \
		return (type)hook_return(weft__syscall(__VA_ARGS__)); \
	}

EARLY(int, socket, (int domain, int type, int protocol), SYS_socket, domain, type, protocol)
EARLY(int, socketpair, (int domain, int type, int protocol, int *fds), SYS_socketpair, domain, type,
      protocol, fds)
EARLY(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), SYS_accept, fd, addr, len)
EARLY(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags), SYS_accept4, fd,
      addr, len, flags)
EARLY(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), SYS_connect, fd, addr,
      len)
EARLY(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
      SYS_setsockopt, fd, level, name, value, len)
EARLY(ssize_t, recv, (int fd, void *buf, size_t len, int flags), SYS_recvfrom, fd, buf, len, flags)
EARLY(ssize_t, recvfrom,
      (int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *addr_len),
      SYS_recvfrom, fd, buf, len, flags, addr, addr_len)
EARLY(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), SYS_recvmsg, fd, msg, flags)
EARLY(ssize_t, send, (int fd, const void *buf, size_t len, int flags), SYS_sendto, fd, buf, len,
      flags)
EARLY(ssize_t, sendto,
      (int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
       socklen_t addr_len),
      SYS_sendto, fd, buf, len, flags, addr, addr_len)
EARLY(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), SYS_sendmsg, fd, msg, flags)
EARLY(ssize_t, read, (int fd, void *buf, size_t len), SYS_read, fd, buf, len)
EARLY(ssize_t, write, (int fd, const void *buf, size_t len), SYS_write, fd, buf, len)
EARLY(ssize_t, readv, (int fd, const struct iovec *iov, int count), SYS_readv, fd, iov, count)
EARLY(ssize_t, writev, (int fd, const struct iovec *iov, int count), SYS_writev, fd, iov, count)
EARLY(int, close, (int fd), SYS_close, fd)
EARLY(int, dup, (int fd), SYS_dup, fd)
EARLY(int, dup3, (int from, int to, int flags), SYS_dup3, from, to, flags)
EARLY(int, pipe, (int *fds), SYS_pipe2, fds, 0)
EARLY(int, pipe2, (int *fds, int flags), SYS_pipe2, fds, flags)

static int early_dup2(int from, int to)
{
	if (from == to) /* dup3 refuses it, dup2 checks it */
		return hook_return(weft__syscall(SYS_fcntl, from, F_GETFD)) < 0 ? -1 : to;
	return early_dup3(from, to, 0);
}

static int early_fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	return (int)hook_return(weft__syscall(SYS_fcntl, fd, command, arg));
}

#define early_fcntl64 early_fcntl

static int early_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	long arg;

	va_start(args, request);
	arg = va_arg(args, long);
	va_end(args);
	return (int)hook_return(weft__syscall(SYS_ioctl, fd, request, arg));
}

/* ppoll and pselect6 write back what is left: into copies, as libc does. */

static int early_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		       const sigset_t *mask)
{
	struct timespec copy = timeout ? *timeout : (struct timespec){ 0 };

	return (int)hook_return(weft__syscall(SYS_ppoll, fds, count, timeout ? &copy : NULL, mask,
					      KERNEL_SIGSET_BYTES));
}

static int early_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	return early_ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

static int early_pselect(int count, fd_set *reads, fd_set *writes, fd_set *excepts,
			 const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec copy = timeout ? *timeout : (struct timespec){ 0 };
	struct {
		const sigset_t *mask;
		size_t bytes;
	} signals = { mask, KERNEL_SIGSET_BYTES };

	return (int)hook_return(weft__syscall(SYS_pselect6, count, reads, writes, excepts,
					      timeout ? &copy : NULL, &signals));
}

static int early_select(int count, fd_set *reads, fd_set *writes, fd_set *excepts,
			struct timeval *timeout)
{
	struct timespec ts = { 0 };

	if (timeout)
		ts = (struct timespec){ timeout->tv_sec, timeout->tv_usec * 1000L };
	return early_pselect(count, reads, writes, excepts, timeout ? &ts : NULL, NULL);
}

static int early_clock_nanosleep(clockid_t clock, int flags, const struct timespec *request,
				 struct timespec *remaining)
{
	return (int)-weft__syscall(SYS_clock_nanosleep, clock, flags, request, remaining);
}

static int early_nanosleep(const struct timespec *request, struct timespec *remaining)
{
	return (int)hook_return(weft__syscall(SYS_nanosleep, request, remaining));
}

static int early_usleep(useconds_t useconds)
{
	struct timespec ts = { useconds / 1000000, useconds % 1000000 * 1000L };

	return early_nanosleep(&ts, NULL);
}

static unsigned early_sleep(unsigned seconds)
{
	struct timespec ts = { seconds, 0 };

	return early_nanosleep(&ts, &ts) < 0 ? (unsigned)ts.tv_sec : 0;
}

/* --- the name service: resolved at need ------------------------------------- */

static void resolve_all(void);

static int early_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			     struct addrinfo **ret)
{
	resolve_all();
	return weft__real.getaddrinfo(node, service, hints, ret);
}

static int early_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
			     socklen_t host_len, char *service, socklen_t service_len, int flags)
{
	resolve_all();
	return weft__real.getnameinfo(addr, len, host, host_len, service, service_len, flags);
}

static int early_gethostbyname_r(const char *name, struct hostent *host, char *buf, size_t size,
				 struct hostent **ret, int *herr)
{
	resolve_all();
	return weft__real.gethostbyname_r(name, host, buf, size, ret, herr);
}

static int early_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf,
				  size_t size, struct hostent **ret, int *herr)
{
	resolve_all();
	return weft__real.gethostbyname2_r(name, family, host, buf, size, ret, herr);
}

static int early_gethostbyaddr_r(const void *addr, socklen_t len, int family, struct hostent *host,
				 char *buf, size_t size, struct hostent **ret, int *herr)
{
	resolve_all();
	return weft__real.gethostbyaddr_r(addr, len, family, host, buf, size, ret, herr);
}

static struct hostent *early_gethostbyname(const char *name)
{
	resolve_all();
	return weft__real.gethostbyname(name);
}

static struct hostent *early_gethostbyname2(const char *name, int family)
{
	resolve_all();
	return weft__real.gethostbyname2(name, family);
}

static struct hostent *early_gethostbyaddr(const void *addr, socklen_t len, int family)
{
	resolve_all();
	return weft__real.gethostbyaddr(addr, len, family);
}

/* --- ends of threads: likewise ------------------------------------------------- */

static void early_pthread_exit(void *value)
{
	resolve_all();
	weft__real.pthread_exit(value);
}

static int early_pthread_cancel(pthread_t thread)
{
	resolve_all();
	return weft__real.pthread_cancel(thread);
}

static void early_pthread_testcancel(void)
{
	resolve_all();
	weft__real.pthread_testcancel();
}

static int early_pthread_setcancelstate(int state, int *ret_old)
{
	resolve_all();
	return weft__real.pthread_setcancelstate(state, ret_old);
}

#define EARLY_CLEANUP(name)                                   \
	static void early_##name(__pthread_unwind_buf_t *buf) \
	{                                                     \
		resolve_all();                                \
		weft__real.name(buf);                         \
	}

EARLY_CLEANUP(__pthread_register_cancel)
EARLY_CLEANUP(__pthread_unregister_cancel)
EARLY_CLEANUP(__pthread_register_cancel_defer)
EARLY_CLEANUP(__pthread_unregister_cancel_restore)
EARLY_CLEANUP(__pthread_unwind_next)

/* --- mutexes and conditions: early.h; the rest likewise --------------------------- */

#define early_pthread_mutex_lock    weft__early_mutex_lock
#define early_pthread_mutex_trylock weft__early_mutex_trylock
#define early_pthread_mutex_unlock  weft__early_mutex_unlock

#define LATE(name, params, ...)                      \
	static int early_##name params               \
	{                                            \
		resolve_all();                       \
		return weft__real.name(__VA_ARGS__); \
	}

LATE(pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *until), mutex, until)
LATE(pthread_mutex_clocklock,
     (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *until), mutex, clock, until)
LATE(pthread_mutex_destroy, (pthread_mutex_t * mutex), mutex)
LATE(pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t *mutex), cond, mutex)
LATE(pthread_cond_timedwait,
     (pthread_cond_t * cond, pthread_mutex_t *mutex, const struct timespec *until), cond, mutex,
     until)
LATE(pthread_cond_clockwait,
     (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until),
     cond, mutex, clock, until)
LATE(pthread_cond_signal, (pthread_cond_t * cond), cond)
LATE(pthread_cond_broadcast, (pthread_cond_t * cond), cond)
LATE(pthread_cond_destroy, (pthread_cond_t * cond), cond)
LATE(pthread_rwlock_rdlock, (pthread_rwlock_t * lock), lock)
LATE(pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock), lock)
LATE(pthread_rwlock_timedrdlock, (pthread_rwlock_t * lock, const struct timespec *until), lock,
     until)
LATE(pthread_rwlock_clockrdlock,
     (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *until), lock, clock, until)
LATE(pthread_rwlock_wrlock, (pthread_rwlock_t * lock), lock)
LATE(pthread_rwlock_trywrlock, (pthread_rwlock_t * lock), lock)
LATE(pthread_rwlock_timedwrlock, (pthread_rwlock_t * lock, const struct timespec *until), lock,
     until)
LATE(pthread_rwlock_clockwrlock,
     (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *until), lock, clock, until)
LATE(pthread_rwlock_unlock, (pthread_rwlock_t * lock), lock)
LATE(pthread_rwlock_destroy, (pthread_rwlock_t * lock), lock)
LATE(sem_wait, (sem_t * sem), sem)
LATE(sem_trywait, (sem_t * sem), sem)
LATE(sem_timedwait, (sem_t * sem, const struct timespec *until), sem, until)
LATE(sem_clockwait, (sem_t * sem, clockid_t clock, const struct timespec *until), sem, clock, until)
LATE(sem_post, (sem_t * sem), sem)
LATE(sem_destroy, (sem_t * sem), sem)
LATE(pthread_join, (pthread_t thread, void **ret), thread, ret)
LATE(pthread_timedjoin_np, (pthread_t thread, void **ret, const struct timespec *until), thread,
     ret, until)
LATE(pthread_clockjoin_np,
     (pthread_t thread, void **ret, clockid_t clock, const struct timespec *until), thread, ret,
     clock, until)
LATE(pthread_barrier_wait, (pthread_barrier_t * barrier), barrier)
LATE(pthread_barrier_destroy, (pthread_barrier_t * barrier), barrier)

/* --- the table --------------------------------------------------------------- */

/* clang-format off */
#define EACH_REAL(X)                                                                      \
	X(socket) X(socketpair) X(accept) X(accept4) X(connect) X(setsockopt)             \
	X(recv) X(recvfrom) X(recvmsg) X(send) X(sendto) X(sendmsg)                       \
	X(read) X(write) X(readv) X(writev)                                               \
	X(poll) X(ppoll) X(select) X(pselect)                                             \
	X(sleep) X(usleep) X(nanosleep) X(clock_nanosleep)                                \
	X(close) X(dup) X(dup2) X(dup3) X(pipe) X(pipe2) X(fcntl) X(fcntl64) X(ioctl)     \
	X(getaddrinfo) X(getnameinfo)                                                     \
	X(gethostbyname) X(gethostbyname2) X(gethostbyaddr)                               \
	X(gethostbyname_r) X(gethostbyname2_r) X(gethostbyaddr_r)                         \
	X(pthread_exit) X(pthread_cancel) X(pthread_testcancel) X(pthread_setcancelstate) \
	X(__pthread_register_cancel) X(__pthread_unregister_cancel)                       \
	X(__pthread_register_cancel_defer) X(__pthread_unregister_cancel_restore)         \
	X(__pthread_unwind_next)                                                          \
	X(pthread_mutex_lock) X(pthread_mutex_trylock) X(pthread_mutex_timedlock)         \
	X(pthread_mutex_clocklock) X(pthread_mutex_unlock) X(pthread_mutex_destroy)       \
	X(pthread_cond_wait) X(pthread_cond_timedwait) X(pthread_cond_clockwait)          \
	X(pthread_cond_signal) X(pthread_cond_broadcast) X(pthread_cond_destroy)          \
	X(pthread_rwlock_rdlock) X(pthread_rwlock_tryrdlock)                              \
	X(pthread_rwlock_timedrdlock) X(pthread_rwlock_clockrdlock)                       \
	X(pthread_rwlock_wrlock) X(pthread_rwlock_trywrlock)                              \
	X(pthread_rwlock_timedwrlock) X(pthread_rwlock_clockwrlock)                       \
	X(pthread_rwlock_unlock) X(pthread_rwlock_destroy)                                \
	X(sem_wait) X(sem_trywait) X(sem_timedwait) X(sem_clockwait) X(sem_post)          \
	X(sem_destroy)                                                                    \
	X(pthread_join) X(pthread_timedjoin_np) X(pthread_clockjoin_np)                   \
	X(pthread_barrier_wait) X(pthread_barrier_destroy)
/* clang-format on */

#define EARLY_ENTRY(name) .name = early_##name,
struct real weft__real = { EACH_REAL(EARLY_ENTRY) };

/* A function pointer from dlsym(), as POSIX spells it. The entry changes only when
 * there is one: without (a static libc) the system call stays. */
static void resolve(const char *name, void *entry)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found)
		memcpy(entry, &found, sizeof found);
}

static void resolve_all(void)
{
#define RESOLVE(name) resolve(#name, &weft__real.name);
	EACH_REAL(RESOLVE)
	if (weft__real.getaddrinfo == early_getaddrinfo)
		weft__die("libweft-hook finds no getaddrinfo in libc: is libc linked statically?");
}

/* --- at load ------------------------------------------------------------------ */

/* The two libraries share structures, so one release's hook must not run on
 * another's library. */
static void check_version(void)
{
	if (strcmp(weft_version(), WEFT_HOOK_VERSION) == 0 && weft__hook_layout == WEFT_HOOK_LAYOUT)
		return;
	weft__die("libweft-hook %s runs on libweft %s: install both from one release",
		  WEFT_HOOK_VERSION, weft_version());
}

static void warn_word(const char *word, size_t length)
{
	char copy[32] = "";

	strncat(copy, word, length < sizeof copy ? length : sizeof copy - 1);
	weft__warn(
		"WEFT_HOOKS: no group is named \"%s\"; there are io, time, dns, sync, all and none",
		copy);
}

/* WEFT_HOOKS=io,time,dns: only these. "none": none. Unknown words are reported:
 * a misspelt group would silently block the thread. */
static unsigned parse_groups(const char *list)
{
	static const struct {
		const char *name;
		unsigned group;
	} words[] = { { "io", HOOK_IO },     { "time", HOOK_TIME }, { "dns", HOOK_DNS },
		      { "sync", HOOK_SYNC }, { "all", HOOK_ALL },   { "none", 0 } };
	unsigned groups = 0, i;

	while (*list) {
		size_t length = strcspn(list, ",");

		for (i = 0; i < sizeof words / sizeof *words; i++)
			if (strlen(words[i].name) == length &&
			    strncmp(words[i].name, list, length) == 0)
				break;
		if (i < sizeof words / sizeof *words)
			groups |= words[i].group;
		else if (length > 0)
			warn_word(list, length);
		list += length;
		list += *list == ',';
	}
	return groups;
}

/* In the child of fork(2): whom the others waited for is not here, and neither are they. */
static void forget_parent(void)
{
	weft__lot_forked();
	weft__post_office_forked();
	weft__once_forked();
}

/* Early among the constructors of this library; those of libc have run. */
__attribute__((constructor(101))) static void hook_load(void)
{
	const char *list = getenv("WEFT_HOOKS");

	check_version();
	resolve_all();
	weft__hook_tell_tsan();
	weft__hook_allocator_init();
	pthread_atfork(NULL, NULL, forget_parent);
	if (list)
		weft__hook_groups = parse_groups(list);
	weft__hook_present = weft__hook_groups != 0;
}

/* --- linking the archive -------------------------------------------------------- */

/* One undefined reference to weft__hook_link (-Wl,-u,weft__hook_link, as
 * weft-hook.pc says) pulls the whole archive in: a program whose libraries
 * alone call recv() needs recv() hooked all the same. */
extern const char weft__hook_link_sockets, weft__hook_link_plain, weft__hook_link_readiness,
	weft__hook_link_time, weft__hook_link_descriptors, weft__hook_link_dns,
	weft__hook_link_hostent, weft__hook_link_thread, weft__hook_link_mutex,
	weft__hook_link_cond, weft__hook_link_c11, weft__hook_link_statics, weft__hook_link_rwlock,
	weft__hook_link_semaphore, weft__hook_link_join, weft__hook_link_once,
	weft__hook_link_barrier;

HOOK const char *const weft__hook_link[] = {
	&weft__hook_link_sockets, &weft__hook_link_plain,       &weft__hook_link_readiness,
	&weft__hook_link_time,    &weft__hook_link_descriptors, &weft__hook_link_dns,
	&weft__hook_link_hostent, &weft__hook_link_thread,      &weft__hook_link_mutex,
	&weft__hook_link_cond,    &weft__hook_link_c11,         &weft__hook_link_statics,
	&weft__hook_link_rwlock,  &weft__hook_link_semaphore,   &weft__hook_link_join,
	&weft__hook_link_once,    &weft__hook_link_barrier,
};
