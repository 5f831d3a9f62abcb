/* SPDX-License-Identifier: MIT
 *
 * task_program.c - tells which groups of calls park the task and not the thread:
 * others run meanwhile, or they do not. It is linked to libweft alone; preload.sh
 * preloads the hooks.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <weft/weft.h>

static int others;

static int count(void *arg)
{
	(void)arg;
	others++;
	return 0;
}

static int before(void)
{
	weft_task_yield();
	others = 0;
	return weft_go(count, NULL);
}

/* A mutex that is held, waited for until a time. */
static int wait_for_mutex(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 2000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return pthread_mutex_lock(&mutex) == 0 &&
	       pthread_mutex_timedlock(&mutex, &until) == ETIMEDOUT &&
	       pthread_mutex_unlock(&mutex) == 0;
}

int main(void)
{
	struct timeval limit = { 0, 20000 };
	struct addrinfo *list = NULL;
	int fds[2], io, time, dns, sync;
	char byte;

	if (weft_sleep(1) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
	    setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
		return 1;
	before();
	io = recv(fds[0], &byte, 1, 0) == -1 && others == 1;
	before();
	time = usleep(2000) == 0 && others == 1;
	before();
	dns = getaddrinfo("localhost", NULL, NULL, &list) == 0 && others == 1;
	if (list)
		freeaddrinfo(list);
	before();
	sync = wait_for_mutex() && others == 1;
	printf("enabled %d io %d time %d dns %d sync %d\n", weft_hook_enabled(), io, time, dns,
	       sync);
	return 0;
}
