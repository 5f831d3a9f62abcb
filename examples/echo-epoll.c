/* SPDX-License-Identifier: MIT
 *
 * echo-epoll.c - the echo server as an event loop, by hand: what weft is
 * measured against. Edge-triggered, each socket registered once, one recv and
 * one send a message: a read that falls short has emptied the socket, so no
 * second one asks for EAGAIN.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a full socket did not take; while there is some we do not read on. */
struct backlog {
	char *bytes;
	uint32_t at, end;
};

static struct backlog *backlogs; /* by descriptor */

static void hang_up(int fd)
{
	free(backlogs[fd].bytes);
	backlogs[fd].bytes = NULL;
	close(fd);
}

static void keep(int fd, const char *bytes, size_t count)
{
	backlogs[fd] = (struct backlog){ malloc(count), 0, (uint32_t)count };
	if (backlogs[fd].bytes)
		memcpy(backlogs[fd].bytes, bytes, count);
	else
		hang_up(fd);
}

/* 1 when nothing is left over. */
static int flush(int fd)
{
	struct backlog *left = &backlogs[fd];
	ssize_t put = send(fd, left->bytes + left->at, left->end - left->at, MSG_NOSIGNAL);

	if (put < 0) {
		if (errno != EAGAIN)
			hang_up(fd);
		return 0;
	}
	left->at += (uint32_t)put;
	if (left->at < left->end)
		return 0;
	free(left->bytes);
	left->bytes = NULL;
	return 1;
}

static void echo(int fd, uint32_t events)
{
	char buffer[1024];
	ssize_t got, put;

	if (backlogs[fd].bytes && !flush(fd))
		return;
	do {
		got = recv(fd, buffer, sizeof(buffer), 0);
		if (got < 0 && errno == EAGAIN)
			return;
		put = got > 0 ? send(fd, buffer, (size_t)got, MSG_NOSIGNAL) : 0;
		if (got <= 0 || (put < 0 && errno != EAGAIN)) {
			hang_up(fd);
			return;
		}
		if (put < got) {
			put = put < 0 ? 0 : put;
			keep(fd, buffer + put, (size_t)(got - put));
			return;
		}
	} while (got == sizeof(buffer) || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)));
}

static void accept_all(int poller, int listener)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		event.data.fd = fd;
		if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
			close(fd);
	}
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&address, &length)) {
		perror("echo-epoll");
		exit(1);
	}
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void quit(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	/* Level-triggered: whom EMFILE keeps out stays in sight. */
	struct epoll_event events[128], listening = { .events = EPOLLIN };
	int poller = epoll_create1(EPOLL_CLOEXEC), listener, count;
	struct rlimit files;

	signal(SIGTERM, quit);
	signal(SIGINT, quit);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 1 << 20 ? files.rlim_max : 1 << 20;
	setrlimit(RLIMIT_NOFILE, &files);
	backlogs = calloc(files.rlim_cur, sizeof(*backlogs));
	listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	listening.data.fd = listener;
	if (!backlogs || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening)) {
		perror("echo-epoll");
		return 1;
	}
	for (;;) {
		count = epoll_wait(poller, events, 128, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				accept_all(poller, listener);
			else
				echo(events[i].data.fd, events[i].events);
		}
	}
}
