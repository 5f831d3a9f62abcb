/* SPDX-License-Identifier: MIT
 *
 * spawn.h - start(fn, arg): run fn(arg) beside the caller. A weft task, or with
 * USE_THREADS a detached POSIX thread; nothing else in a program differs.
 */
#ifndef EXAMPLES_SPAWN_H
#define EXAMPLES_SPAWN_H

#ifndef USE_THREADS

#include <weft/task.h>

/** 0, or a negative errno. */
static inline int start(int (*fn)(void *arg), void *arg)
{
	return weft_go(fn, arg);
}

#else

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct start_call {
	int (*fn)(void *arg);
	void *arg;
};

static inline void *start_thread(void *arg)
{
	struct start_call call = *(struct start_call *)arg;

	free(arg);
	call.fn(call.arg);
	return NULL;
}

/** 0, or a negative errno. The stack is as small as a careful program dares. */
static inline int start(int (*fn)(void *arg), void *arg)
{
	struct start_call *call = malloc(sizeof(*call));
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (!call)
		return -ENOMEM;
	call->fn = fn;
	call->arg = arg;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, start_thread, call);
	pthread_attr_destroy(&attr);
	if (rc)
		free(call);
	return -rc;
}

#endif
#endif
