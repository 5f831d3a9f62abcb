/* SPDX-License-Identifier: MIT
 *
 * helper.c - see helper.h.
 */
#include <pthread.h>
#include <signal.h>

#include <base/helper.h>
#include <base/observe.h>

/* Signals are blocked around, so that the thread inherits that. */
int weft__helper_start(void *(*fn)(void *arg), size_t stack_bytes)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, stack_bytes);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, fn, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		observe_thread(1);
	return -rc;
}
