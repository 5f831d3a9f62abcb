/* SPDX-License-Identifier: MIT
 *
 * libco-echo.cc - an echo server and its clients in one thread, written to the interface of
 * Tencent's libco (compat/libco): libc's blocking calls, and a coroutine each.
 *
 *	libco-echo [clients] [messages of each]
 */
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <co_routine.h>

static sockaddr_in address;
static int listener, clients = 20, messages = 100, answered, left;

static void *echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[256];
	ssize_t n;

	co_enable_hook_sys();
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		write(fd, buf, (size_t)n);
	close(fd);
	return NULL;
}

static void start(std::vector<stCoRoutine_t *> &all, void *(*routine)(void *), void *arg)
{
	stCoRoutine_t *co = NULL;

	if (co_create(&co, NULL, routine, arg) < 0)
		abort();
	all.push_back(co);
	co_resume(co);
}

static void *serve(void *arg)
{
	co_enable_hook_sys();
	for (int i = 0; i < clients; i++)
		start(*(std::vector<stCoRoutine_t *> *)arg, echo,
		      (void *)(intptr_t)co_accept(listener, NULL, NULL));
	return NULL;
}

static void *talk(void *)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char sent[32], got[32];

	co_enable_hook_sys();
	connect(fd, (sockaddr *)&address, sizeof(address));
	for (int i = 0; i < messages; i++) {
		snprintf(sent, sizeof(sent), "message %d of %d", i, fd);
		write(fd, sent, sizeof(sent));
		if (recv(fd, got, sizeof(got), MSG_WAITALL) == (ssize_t)sizeof(got) &&
		    strcmp(got, sent) == 0)
			answered++;
	}
	close(fd);
	left--;
	return NULL;
}

static int is_over(void *)
{
	return left > 0 ? 0 : -1;
}

int main(int argc, char *argv[])
{
	std::vector<stCoRoutine_t *> all;
	socklen_t len = sizeof(address);

	clients = argc > 1 ? atoi(argv[1]) : clients;
	messages = argc > 2 ? atoi(argv[2]) : messages;
	left = clients;
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (sockaddr *)&address, len) < 0 || listen(listener, 1024) < 0 ||
	    getsockname(listener, (sockaddr *)&address, &len) < 0)
		return 1;
	start(all, serve, &all);
	for (int i = 0; i < clients; i++)
		start(all, talk, NULL);
	co_eventloop(co_get_epoll_ct(), is_over, NULL);
	for (stCoRoutine_t *co : all)
		co_release(co);
	printf("%d clients: %d of %d messages came back\n", clients, answered, clients * messages);
	return answered == clients * messages ? 0 : 1;
}
