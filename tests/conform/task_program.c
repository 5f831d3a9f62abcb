/* SPDX-License-Identifier: MIT
 *
 * task_program.c - tells which groups of calls park the task and not the thread:
 * others run meanwhile, or they do not. It is linked to libweft alone; preload.sh
 * preloads the hooks.
 */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
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

int main(void)
{
	struct timeval limit = { 0, 20000 };
	struct addrinfo *list = NULL;
	int fds[2], io, time, dns;
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
	printf("enabled %d io %d time %d dns %d\n", weft_hook_enabled(), io, time, dns);
	return 0;
}
