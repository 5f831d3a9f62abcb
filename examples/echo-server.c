/* SPDX-License-Identifier: MIT
 *
 * echo-server.c - the server every C programmer writes first: accept, then
 * recv and send until the peer is done. Nothing in it is asynchronous.
 *
 * Linked with weft each connection is a task, and all of them share one
 * thread; built with USE_THREADS each is a thread. The source is the same.
 *
 *	echo-server [port]		0, or none: any free port
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spawn.h"

/* One connection, from its first byte to its last. */
static int serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buffer[1024];
	ssize_t got, put = 0, done;

	while (put >= 0 && (got = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		for (done = 0; done < got && put >= 0; done += put)
			put = send(fd, buffer + done, (size_t)(got - done), MSG_NOSIGNAL);
	}
	close(fd);
	return 0;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&address, &length)) {
		perror("echo-server");
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

/* What goes wrong for one connection goes wrong for many: say it once. */
static void complain(const char *what, int error)
{
	static int said;

	if (said++)
		return;
	printf("cannot %s: %s\n", what, strerror(error));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int listener, fd, rc;

	signal(SIGTERM, quit);
	signal(SIGINT, quit);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			complain("accept", errno);
			usleep(10000); /* out of descriptors: one may come free */
			continue;
		}
		rc = start(serve, (void *)(intptr_t)fd);
		if (rc < 0) {
			complain("serve another", -rc);
			close(fd);
		}
	}
}
