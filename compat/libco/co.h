/* SPDX-License-Identifier: MIT
 *
 * co.h - what the files of the library share. It is C, as weft is; names.cc gives C++'s
 * names to it.
 *
 * C1 A coroutine is a task (core/handoff.h), so whatever parks a task parks a coroutine.
 *    Here is only what libco has beside that: records, variables, and the words of its
 *    interface.
 * C2 All of a coroutine's record belongs to its thread. Conditions and locks too: nothing
 *    here is atomic but the wakes, which are weft's.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_H
#define WEFT_COMPAT_LIBCO_CO_H

#ifdef __cplusplus
extern "C" {
#else
#include <base/compiler.h>
#include <base/list.h>
#include <core/handoff.h>
#endif

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct stCoRoutine_t;
struct stShareStack_t;
struct stCoEpoll_t;
struct stCoRoutineEnv_t;
struct stCoCond_t;
struct stCoMutexState_t;
struct coctx_t;

/* --- routine.c -------------------------------------------------------------------------- */

/** 0, or a negative errno. @stack_bytes is as libco takes it. */
int weft__co_create(struct stCoRoutine_t **ret_co, int stack_bytes, struct stShareStack_t *stacks,
		    void *(*routine)(void *arg), void *arg);
void weft__co_resume(struct stCoRoutine_t *co);
void weft__co_yield(void);
void weft__co_release(struct stCoRoutine_t *co);
void weft__co_reset(struct stCoRoutine_t *co);
struct stShareStack_t *weft__co_alloc_sharestack(int count, int stack_bytes);
/** 0, or a negative errno. */
int weft__co_free_sharestack(struct stShareStack_t *stacks);

/* --- thread.c --------------------------------------------------------------------------- */

/** The calling thread's, made if need be. NULL: it cannot be; errno says why. */
struct stCoRoutineEnv_t *weft__co_env(void);
/** The calling thread's, or NULL. */
struct stCoRoutineEnv_t *weft__co_env_now(void);
struct stCoRoutine_t *weft__co_self(void);
struct stCoEpoll_t *weft__co_loop(void);
void weft__co_eventloop(struct stCoEpoll_t *loop, int (*pass)(void *arg), void *arg);
int weft__co_poll(struct stCoEpoll_t *loop, struct pollfd *fds, nfds_t count, int timeout_ms);
void weft__co_hook(bool on);
bool weft__co_hooked(void);
void weft__co_log(const char *format, va_list args);

/* --- specific.c ------------------------------------------------------------------------- */

/** 0 or an error number, as pthread_setspecific(). */
int weft__co_setspecific(pthread_key_t key, const void *value);
void *weft__co_getspecific(pthread_key_t key);
void *weft__co_specific_block(pthread_key_t key, size_t bytes);

/* --- cond.c ----------------------------------------------------------------------------- */

struct stCoCond_t *weft__co_cond_alloc(void);
void weft__co_cond_free(struct stCoCond_t *cond);
/** Wakes the first who waits. False: nobody does. */
bool weft__co_cond_signal(struct stCoCond_t *cond);
/** 0; -1 and errno when there is no memory. */
int weft__co_cond_wait(struct stCoCond_t *cond, int timeout_ms);

struct stCoMutexState_t *weft__co_mutex_alloc(void);
void weft__co_mutex_free(struct stCoMutexState_t *mutex);
void weft__co_mutex_lock(struct stCoMutexState_t *mutex);
void weft__co_mutex_unlock(struct stCoMutexState_t *mutex);

/* --- environ.c, context.c ------------------------------------------------------------------ */

void weft__co_set_env_list(const char *const *names, size_t count);
void weft__co_context_make(struct coctx_t *ctx, void *(*fn)(void *first, void *second),
			   const void *first, const void *second);

#ifdef __cplusplus
}
#else

#include "../misuse.h"

/* --- the record ------------------------------------------------------------------------------ */

struct co_values;
struct co_environ;

struct stCoRoutine_t {
	struct handoff hand;
	void *(*routine)(void *arg);
	void *arg;
	size_t stack_bytes;
	struct stShareStack_t *stacks;
	struct co_values *values;   /* specific.c; or NULL */
	struct co_environ *environ; /* environ.c; or NULL */
	void *resolver;             /* resolver.c; or NULL */
	bool is_thread;             /* it stands for a thread, and is no coroutine */
	bool over;                  /* the routine has returned */
	bool released;              /* freed when its task ends */
};

/** The calling coroutine, or NULL outside of one. */
static inline struct stCoRoutine_t *co_running(void)
{
	struct handoff *hand = weft__handoff_self();

	return hand ? container_of(hand, struct stCoRoutine_t, hand) : NULL;
}

/** The same while hooks are on for it. */
struct stCoRoutine_t *weft__co_running_hooked(void);

void weft__co_values_free(struct co_values *values);
void weft__co_environ_free(struct co_environ *environ);

#endif
#endif
