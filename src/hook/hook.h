/* SPDX-License-Identifier: MIT
 *
 * hook.h - what the files of the hook library share: the gate that every
 * hooked call goes through, libc's own functions, and the way out.
 *
 * H1 Outside a task a hook costs one thread-local load and a branch, and
 *    then is libc's function. What others may wait for looks for them, too: mutex.c.
 * H2 Everything behind the gate speaks in negative error codes; errno is
 *    written by weft__hook_fail() alone, and only when the call fails.
 * H3 libc's functions are found when the library is loaded. Before that, and
 *    for a name that cannot be found, the table holds plain system calls: no
 *    hook ever resolves a symbol while malloc may be on the stack.
 * H4 Nothing that a helper thread or another task touches lies in a caller's
 *    frame when that may be on a shared stack.
 */
#ifndef WEFT_HOOK_HOOK_H
#define WEFT_HOOK_HOOK_H

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include <core/park.h>
#include <io/blocking.h>

/** A libc name that the library takes over. */
#define HOOK __attribute__((visibility("default")))

/** A second public name of a hook, as libc has it. */
#if __has_attribute(copy) /* gcc compares the attributes of the two */
#define HOOK_ALIAS(name, of) \
	extern __typeof(of) name __attribute__((alias(#of), visibility("default"), copy(of)))
#else
#define HOOK_ALIAS(name, of) \
	extern __typeof(of) name __attribute__((alias(#of), visibility("default")))
#endif

/** What WEFT_HOOKS names. */
enum hook_group { HOOK_IO = 1, HOOK_TIME = 2, HOOK_DNS = 4, HOOK_SYNC = 8, HOOK_ALL = 15 };

/** The groups that are on in this process. */
extern unsigned weft__hook_groups;

/** What the kernel takes a signal mask to be, on every 64-bit machine. */
enum { KERNEL_SIGSET_BYTES = 8 };

/** libc's functions (H3). */
struct real {
	int (*socket)(int, int, int);
	int (*socketpair)(int, int, int, int *);
	int (*accept)(int, struct sockaddr *, socklen_t *);
	int (*accept4)(int, struct sockaddr *, socklen_t *, int);
	int (*connect)(int, const struct sockaddr *, socklen_t);
	int (*setsockopt)(int, int, int, const void *, socklen_t);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	ssize_t (*send)(int, const void *, size_t, int);
	ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*readv)(int, const struct iovec *, int);
	ssize_t (*writev)(int, const struct iovec *, int);
	int (*poll)(struct pollfd *, nfds_t, int);
	int (*ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
	int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
	int (*pselect)(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
		       const sigset_t *);
	unsigned (*sleep)(unsigned);
	int (*usleep)(useconds_t);
	int (*nanosleep)(const struct timespec *, struct timespec *);
	int (*clock_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
	int (*close)(int);
	int (*dup)(int);
	int (*dup2)(int, int);
	int (*dup3)(int, int, int);
	int (*pipe)(int *);
	int (*pipe2)(int *, int);
	int (*fcntl)(int, int, ...);
	int (*fcntl64)(int, int, ...);
	int (*ioctl)(int, unsigned long, ...);
	int (*getaddrinfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	int (*getnameinfo)(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t,
			   int);
	int (*gethostbyname_r)(const char *, struct hostent *, char *, size_t, struct hostent **,
			       int *);
	int (*gethostbyname2_r)(const char *, int, struct hostent *, char *, size_t,
				struct hostent **, int *);
	int (*gethostbyaddr_r)(const void *, socklen_t, int, struct hostent *, char *, size_t,
			       struct hostent **, int *);
	struct hostent *(*gethostbyname)(const char *);
	struct hostent *(*gethostbyname2)(const char *, int);
	struct hostent *(*gethostbyaddr)(const void *, socklen_t, int);
	void (*pthread_exit)(void *);
	int (*pthread_cancel)(pthread_t);
	void (*pthread_testcancel)(void);
	int (*pthread_setcancelstate)(int, int *);
	void (*__pthread_register_cancel)(__pthread_unwind_buf_t *);
	void (*__pthread_unregister_cancel)(__pthread_unwind_buf_t *);
	void (*__pthread_register_cancel_defer)(__pthread_unwind_buf_t *);
	void (*__pthread_unregister_cancel_restore)(__pthread_unwind_buf_t *);
	void (*__pthread_unwind_next)(__pthread_unwind_buf_t *);
	int (*pthread_mutex_lock)(pthread_mutex_t *);
	int (*pthread_mutex_trylock)(pthread_mutex_t *);
	int (*pthread_mutex_timedlock)(pthread_mutex_t *, const struct timespec *);
	int (*pthread_mutex_clocklock)(pthread_mutex_t *, clockid_t, const struct timespec *);
	int (*pthread_mutex_unlock)(pthread_mutex_t *);
	int (*pthread_mutex_destroy)(pthread_mutex_t *);
	int (*pthread_cond_wait)(pthread_cond_t *, pthread_mutex_t *);
	int (*pthread_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	int (*pthread_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t,
				      const struct timespec *);
	int (*pthread_cond_signal)(pthread_cond_t *);
	int (*pthread_cond_broadcast)(pthread_cond_t *);
	int (*pthread_cond_destroy)(pthread_cond_t *);
	int (*pthread_rwlock_rdlock)(pthread_rwlock_t *);
	int (*pthread_rwlock_tryrdlock)(pthread_rwlock_t *);
	int (*pthread_rwlock_timedrdlock)(pthread_rwlock_t *, const struct timespec *);
	int (*pthread_rwlock_clockrdlock)(pthread_rwlock_t *, clockid_t, const struct timespec *);
	int (*pthread_rwlock_wrlock)(pthread_rwlock_t *);
	int (*pthread_rwlock_trywrlock)(pthread_rwlock_t *);
	int (*pthread_rwlock_timedwrlock)(pthread_rwlock_t *, const struct timespec *);
	int (*pthread_rwlock_clockwrlock)(pthread_rwlock_t *, clockid_t, const struct timespec *);
	int (*pthread_rwlock_unlock)(pthread_rwlock_t *);
	int (*pthread_rwlock_destroy)(pthread_rwlock_t *);
	int (*sem_wait)(sem_t *);
	int (*sem_trywait)(sem_t *);
	int (*sem_timedwait)(sem_t *, const struct timespec *);
	int (*sem_clockwait)(sem_t *, clockid_t, const struct timespec *);
	int (*sem_post)(sem_t *);
	int (*sem_destroy)(sem_t *);
	int (*pthread_join)(pthread_t, void **);
	int (*pthread_timedjoin_np)(pthread_t, void **, const struct timespec *);
	int (*pthread_clockjoin_np)(pthread_t, void **, clockid_t, const struct timespec *);
	int (*pthread_barrier_wait)(pthread_barrier_t *);
	int (*pthread_barrier_destroy)(pthread_barrier_t *);
};
extern struct real weft__real;

/** Puts itself between us and libc's mutexes, where ThreadSanitizer looks on: told.c. */
void weft__hook_tell_tsan(void);

/** The gate: the calling task, when its calls of @group are hooked; else NULL. */
static always_inline struct task *hooked(enum hook_group group)
{
	struct task *task = weft__thread.task;

	if (likely(!task))
		return NULL;
	if (unlikely((task->flags & WEFT_NO_HOOKS) || !(weft__hook_groups & group)))
		return NULL;
	return task;
}

/** errno = -rc; the result of a failed call. Not inline: the task may have
 * changed threads since the last look at errno. */
long weft__hook_fail(long rc);

/** Ends the calling task when pthread_cancel() has asked it to: thread.c. */
void weft__hook_testcancel(void);

static always_inline long hook_return(long rc)
{
	return likely(rc >= 0) ? rc : weft__hook_fail(rc);
}

/**
 * fd_tracked - true when weft may remember something about a number
 *
 * Descriptors change hands outside of tasks too: a thread closes what a task
 * waits for, main() sets flags before it spawns. What weft remembers must
 * follow, but a process without a runtime has nothing to follow and pays a
 * load for the question.
 */
static inline bool fd_tracked(int fd)
{
	return weft__fd_look(fd) != NULL;
}

/* --- time ------------------------------------------------------------------ */

/** True when the kernel would take it for a duration. */
static inline bool timespec_valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000;
}

/** In nanoseconds; saturates at WEFT_FOREVER. */
int64_t weft__hook_timespec_ns(const struct timespec *ts);

/* --- helper threads --------------------------------------------------------- */

/**
 * A libc call on a helper thread, for a task that may be cancelled meanwhile.
 * Embedded first in a block from malloc that owns all it refers to (H4).
 * Whoever is last, the helper or the task, frees it by @drop.
 */
struct hook_job {
	_Atomic uint32_t refs;
	int error; /* errno after @run, for who wants it */
	void (*run)(struct hook_job *job);
	void (*drop)(struct hook_job *job);
};

/**
 * weft__hook_job_run - run a job, parked meanwhile
 *
 * Return: 0: it has run, and the caller must weft__hook_job_put() it after a
 * look at its results. Else -ECANCELED, -ENOMEM, -EAGAIN: the job is gone.
 */
int weft__hook_job_run(struct task *self, struct hook_job *job);
void weft__hook_job_put(struct hook_job *job);

#endif
