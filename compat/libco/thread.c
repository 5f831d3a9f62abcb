/* SPDX-License-Identifier: MIT
 *
 * thread.c - what a thread has: a record for itself, an event loop, and whether the calls of
 * its coroutines are hooked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/log.h>
#include <io/blocking.h>
#include <weft/hook.h>
#include <weft/task.h>
#include <weft/time.h>

#include "co.h"

/* The function of co_eventloop() is called so often at the least. */
#define PASS_NS INT64_C(10000000)
/* Without one, main sleeps. Any time will do: it is there to be told from a deadlock. */
#define ASLEEP_NS INT64_C(3600000000000)

struct stCoEpoll_t {
	char unused;
};

struct stCoRoutineEnv_t {
	struct stCoRoutine_t self;
	struct stCoEpoll_t loop;
};

/* Initial-exec: a load, like weft's own. */
static __thread struct stCoRoutineEnv_t env __attribute__((tls_model("initial-exec")));

struct stCoRoutineEnv_t *weft__co_env_now(void)
{
	return env.self.is_thread ? &env : NULL;
}

/* The thread becomes a runtime, and its own calls stay libc's, as in libco. */
static coldpath struct stCoRoutineEnv_t *make_env(void)
{
	int rc = 0;
	struct task *self = weft__task_self(&rc);

	if (!self) {
		errno = -rc;
		return NULL;
	}
	if (self->flags & TASK_THREAD)
		weft_hook_disable();
	env.self.is_thread = true;
	return &env;
}

struct stCoRoutineEnv_t *weft__co_env(void)
{
	return likely(env.self.is_thread) ? &env : make_env();
}

struct stCoRoutine_t *weft__co_self(void)
{
	struct stCoRoutine_t *co = co_running();

	if (co)
		return co;
	return env.self.is_thread ? &env.self : NULL;
}

/* --- hooks ----------------------------------------------------------------------------- */

void weft__co_hook(bool on)
{
	if (!co_running())
		return;
	if (on)
		weft_hook_enable();
	else
		weft_hook_disable();
}

bool weft__co_hooked(void)
{
	return co_running() && weft_hook_enabled();
}

struct stCoRoutine_t *weft__co_running_hooked(void)
{
	struct stCoRoutine_t *co = co_running();

	return co && weft_hook_enabled() ? co : NULL;
}

/* --- the loop -------------------------------------------------------------------------- */

struct stCoEpoll_t *weft__co_loop(void)
{
	struct stCoRoutineEnv_t *own = weft__co_env();

	return own ? &own->loop : NULL;
}

/* Whoever is ready runs directly after whoever leaves: main is not asked. */
static void __attribute__((noreturn)) sleep_for_ever(void)
{
	for (;;)
		weft_sleep(ASLEEP_NS);
}

void weft__co_eventloop(struct stCoEpoll_t *loop, int (*pass)(void *arg), void *arg)
{
	const struct task *self;

	if (!loop || loop != weft__co_loop()) {
		MISUSE(EINVAL, "co_eventloop: this is not the loop of the calling thread");
		return;
	}
	self = weft__task_self(NULL);
	if (!(self->flags & TASK_THREAD)) {
		MISUSE(EPERM, "co_eventloop: it is for the thread itself, not for a coroutine");
		return;
	}
	if (!pass)
		sleep_for_ever();
	do {
		int rc = weft__handoff_pass(PASS_NS);

		if (rc < 0) {
			MISUSE(-rc, "co_eventloop: a runtime of several workers has a loop");
			return;
		}
	} while (pass(arg) != -1);
}

int weft__co_poll(struct stCoEpoll_t *loop, struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int64_t deadline_ns = WEFT_FOREVER;
	int rc;

	(void)loop; /* there is one a thread */
	if (timeout_ms >= 0)
		deadline_ns = timeout_ms ? weft_in_ms(timeout_ms) : WEFT_NOWAIT;
	rc = fds || !count ? weft__io_poll(fds, count, deadline_ns) : -EFAULT;
	if (likely(rc >= 0))
		return rc;
	if (rc == -ECANCELED)
		weft__handoff_check();
	errno = -rc;
	return -1;
}

/* --- the log ----------------------------------------------------------------------------- */

void weft__co_log(const char *format, va_list args)
{
	const char *env_says = getenv("WEFT_LIBCO_LOG");

	if (!env_says || strcmp(env_says, "1") != 0)
		return;
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}
