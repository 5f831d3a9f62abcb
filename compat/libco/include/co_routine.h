/* SPDX-License-Identifier: MIT
 *
 * co_routine.h - the interface of Tencent's libco, for programs that were written for it.
 *
 * Each coroutine here is a task of weft that begins when it is resumed. What differs from the
 * original, and from what each call goes on to in weft's own interface, stands in
 * docs/design/compat.md of weft's source.
 *
 * C++11 to C++17: in C++20 co_yield is a keyword, and no function can have that name.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_ROUTINE_H
#define WEFT_COMPAT_LIBCO_CO_ROUTINE_H

#ifndef __cplusplus
#error "co_routine.h is C++: the native header for C is <weft/task.h>"
#elif __cplusplus > 201703L
#error "co_yield is a keyword in C++20: compile as C++17, or use <weft/task.h>, <weft/coroutine.h>"
#endif

#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** A coroutine. The thread that made it owns it: no other one may pass it to a function. */
struct stCoRoutine_t;
/** A few stacks on which coroutines take turns. */
struct stShareStack_t;
/** A thread's event loop. */
struct stCoEpoll_t;
/** A condition, for coroutines of one thread. */
struct stCoCond_t;

typedef void *(*pfn_co_routine_t)(void *arg);
typedef int (*pfn_co_eventloop_t)(void *arg);

/** How to make a coroutine. Packed, as objects that were compiled with libco's own header
 * have it. */
struct stCoRoutineAttr_t {
	/** Bytes; <= 0 means 128 KiB, and 8 MiB is the most. */
	int stack_size;
	/** Take turns on one of these stacks, whose size counts then; or NULL. */
	stShareStack_t *share_stack;

	stCoRoutineAttr_t() : stack_size(128 * 1024), share_stack(NULL)
	{
	}
} __attribute__((packed));

/* --- coroutines -------------------------------------------------------------------- */

/** Makes a coroutine that will call routine(arg), and does not run it. 0, or -1 and errno. */
int co_create(stCoRoutine_t **co, const stCoRoutineAttr_t *attr, pfn_co_routine_t routine,
	      void *arg);
/** Runs it until it yields, waits or ends; then the caller goes on. One that waits in a call is
 * resumed as if its time were over. */
void co_resume(stCoRoutine_t *co);
/** Suspends the calling coroutine: whoever resumed it goes on. */
void co_yield (stCoRoutine_t *co);
void co_yield_ct();
/** Frees it. If it has not ended, its frames are not run any further, nor unwound. */
void co_release(stCoRoutine_t *co);
/** Lets it begin anew at its next resume. */
void co_reset(stCoRoutine_t *co);
/** The calling coroutine, or that which stands for the thread; NULL before the first call. */
stCoRoutine_t *co_self();

/** Stacks to be shared; coroutines are dealt to them in turn. NULL and errno on failure. */
stShareStack_t *co_alloc_sharestack(int count, int stack_size);
/** Gives them back, which the original cannot. 0; -1 and errno: EBUSY (a coroutine has not
 * ended), EPERM (another thread's). */
int co_free_sharestack(stShareStack_t *stacks);

/* --- the loop ---------------------------------------------------------------------- */

/** The calling thread's. */
stCoEpoll_t *co_get_epoll_ct();
/** Runs what is ready, again and again. After each pass, and every 10 ms when nothing
 * happens, it calls pfn(arg), if there is one, and returns when that has returned -1. */
void co_eventloop(stCoEpoll_t *ctx, pfn_co_eventloop_t pfn, void *arg);
/** poll(2); it parks the coroutine, whether hooks are on for it or not. */
int co_poll(stCoEpoll_t *ctx, struct pollfd fds[], nfds_t nfds, int timeout_ms);

/* --- variables of a coroutine ------------------------------------------------------ */

int co_setspecific(pthread_key_t key, const void *value);
void *co_getspecific(pthread_key_t key);

/* --- hooks: libc's blocking calls park the coroutine ------------------------------- */

/** On and off for the calling coroutine; off at first. Without effect outside of one. */
void co_enable_hook_sys();
void co_disable_hook_sys();
bool co_is_enable_sys_hook();

/** accept(2). */
int co_accept(int fd, struct sockaddr *addr, socklen_t *len);

/** Each hooked coroutine has its own values of these environment variables. Counts once. */
void co_set_env_list(const char *names[], size_t count);

/* --- conditions -------------------------------------------------------------------- */

stCoCond_t *co_cond_alloc();
int co_cond_free(stCoCond_t *cond);
/** Wakes who has waited longest, if anybody waits. */
int co_cond_signal(stCoCond_t *cond);
/** Wakes all who wait. */
int co_cond_broadcast(stCoCond_t *cond);
/** Waits for a signal, or until so many milliseconds are over (<= 0: without end). Returns 0
 * either way; errno is ETIMEDOUT in the latter case. */
int co_cond_timedwait(stCoCond_t *cond, int timeout_ms);

/** Says it on standard error if WEFT_LIBCO_LOG=1 is in the environment. */
void co_log_err(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
