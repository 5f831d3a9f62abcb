/* SPDX-License-Identifier: MIT
 *
 * names.cc - libco's interface has C++'s names. Nothing of C++'s runtime is needed for it.
 */
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "co.h"
#include "include/co_comm.h"
#include "include/co_epoll.h"
#include "include/co_routine.h"
#include "include/co_routine_inner.h"
#include "include/co_routine_specific.h"

#pragma GCC visibility push(default)

/* --- co_routine.h ----------------------------------------------------------------------- */

int co_create(stCoRoutine_t **co, const stCoRoutineAttr_t *attr, pfn_co_routine_t routine,
	      void *arg)
{
	int rc = weft__co_create(co, attr ? attr->stack_size : 0, attr ? attr->share_stack : NULL,
				 routine, arg);

	if (rc == 0)
		return 0;
	if (co)
		*co = NULL;
	errno = -rc;
	return -1;
}

void co_resume(stCoRoutine_t *co)
{
	weft__co_resume(co);
}

void co_yield (stCoRoutine_t *)
{
	weft__co_yield();
}

void co_yield_ct()
{
	weft__co_yield();
}

void co_release(stCoRoutine_t *co)
{
	weft__co_release(co);
}

void co_reset(stCoRoutine_t *co)
{
	weft__co_reset(co);
}

stCoRoutine_t *co_self()
{
	return weft__co_self();
}

stShareStack_t *co_alloc_sharestack(int count, int stack_size)
{
	return weft__co_alloc_sharestack(count, stack_size);
}

int co_free_sharestack(stShareStack_t *stacks)
{
	int rc = weft__co_free_sharestack(stacks);

	if (rc == 0)
		return 0;
	errno = -rc;
	return -1;
}

stCoEpoll_t *co_get_epoll_ct()
{
	return weft__co_loop();
}

void co_eventloop(stCoEpoll_t *ctx, pfn_co_eventloop_t pfn, void *arg)
{
	weft__co_eventloop(ctx, pfn, arg);
}

int co_poll(stCoEpoll_t *ctx, struct pollfd fds[], nfds_t nfds, int timeout_ms)
{
	return weft__co_poll(ctx, fds, nfds, timeout_ms);
}

int co_setspecific(pthread_key_t key, const void *value)
{
	return weft__co_setspecific(key, value);
}

void *co_getspecific(pthread_key_t key)
{
	return weft__co_getspecific(key);
}

void *weft_co_specific(pthread_key_t key, size_t bytes)
{
	return weft__co_specific_block(key, bytes);
}

void co_enable_hook_sys()
{
	weft__co_hook(true);
}

void co_disable_hook_sys()
{
	weft__co_hook(false);
}

bool co_is_enable_sys_hook()
{
	return weft__co_hooked();
}

int co_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return accept(fd, addr, len);
}

void co_set_env_list(const char *names[], size_t count)
{
	weft__co_set_env_list(names, count);
}

stCoCond_t *co_cond_alloc()
{
	return weft__co_cond_alloc();
}

int co_cond_free(stCoCond_t *cond)
{
	weft__co_cond_free(cond);
	return 0;
}

int co_cond_signal(stCoCond_t *cond)
{
	weft__co_cond_signal(cond);
	return 0;
}

int co_cond_broadcast(stCoCond_t *cond)
{
	while (weft__co_cond_signal(cond)) {
	}
	return 0;
}

int co_cond_timedwait(stCoCond_t *cond, int timeout_ms)
{
	return weft__co_cond_wait(cond, timeout_ms);
}

void co_log_err(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	weft__co_log(format, args);
	va_end(args);
}

/* --- co_comm.h ---------------------------------------------------------------------------- */

clsCoMutex::clsCoMutex() : m_state(weft__co_mutex_alloc())
{
}

clsCoMutex::~clsCoMutex()
{
	weft__co_mutex_free(m_state);
}

void clsCoMutex::CoLock()
{
	weft__co_mutex_lock(m_state);
}

void clsCoMutex::CoUnLock()
{
	weft__co_mutex_unlock(m_state);
}

/* --- co_routine_inner.h --------------------------------------------------------------------- */

void co_init_curr_thread_env()
{
	weft__co_env();
}

stCoRoutineEnv_t *co_get_curr_thread_env()
{
	return weft__co_env_now();
}

void co_yield_env(stCoRoutineEnv_t *)
{
	weft__co_yield();
}

void co_free(stCoRoutine_t *co)
{
	weft__co_release(co);
}

stCoRoutine_t *GetCurrThreadCo()
{
	return weft__co_self();
}

stCoRoutine_t *GetCurrCo(stCoRoutineEnv_t *)
{
	return weft__co_self();
}

/* --- coctx.h, co_epoll.h ---------------------------------------------------------------------- */

int coctx_init(coctx_t *ctx)
{
	*ctx = coctx_t();
	return 0;
}

int coctx_make(coctx_t *ctx, coctx_pfn_t pfn, const void *first, const void *second)
{
	weft__co_context_make(ctx, pfn, first, second);
	return 0;
}

struct co_epoll_res *co_epoll_res_alloc(int count)
{
	struct co_epoll_res *res = (struct co_epoll_res *)calloc(1, sizeof(*res));

	if (!res)
		return NULL;
	res->size = count;
	res->events = (struct epoll_event *)calloc((size_t)count, sizeof(*res->events));
	if (!res->events) {
		free(res);
		return NULL;
	}
	return res;
}

void co_epoll_res_free(struct co_epoll_res *res)
{
	if (!res)
		return;
	free(res->events);
	free(res);
}

int co_epoll_create(int size)
{
	return epoll_create(size);
}

int co_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return epoll_ctl(epfd, op, fd, event);
}

int co_epoll_wait(int epfd, struct co_epoll_res *res, int maxevents, int timeout_ms)
{
	return epoll_wait(epfd, res->events, maxevents < res->size ? maxevents : res->size,
			  timeout_ms);
}
