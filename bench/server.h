/* SPDX-License-Identifier: MIT
 *
 * server.h - what the programs share that play the crowd of an echo server: they start
 * it, and find its port and its CPU time.
 */
#ifndef WEFT_BENCH_SERVER_H
#define WEFT_BENCH_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bench.h"

enum { MESSAGE = 64, EVENTS = 512 };

static pid_t server;
static const char *server_name;

static inline void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s: %s\n", server_name, what, strerror(errno));
	if (server > 0)
		kill(server, SIGKILL);
	exit(1);
}

/** The port that a server says it listens on, as "... 127.0.0.1:<port>". */
static inline uint16_t server_port(FILE *said)
{
	char line[256], *colon;

	while (said && fgets(line, sizeof(line), said)) {
		colon = strstr(line, "127.0.0.1:");
		if (colon)
			return (uint16_t)atoi(strchr(colon, ':') + 1);
	}
	errno = ESRCH;
	fail("it names no port");
	return 0;
}

/** Starts it; it ends with us. @prepare is called in the child. Return: its port. */
static inline uint16_t server_start(char **argv, void (*prepare)(void))
{
	int ends[2];

	server_name = argv[0];
	if (pipe(ends) || (server = fork()) < 0)
		fail("fork");
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prepare();
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	return server_port(fdopen(ends[0], "r"));
}

/** CPU time of all its threads so far. */
static inline int64_t server_cpu(void)
{
	clockid_t id;

	if (clock_getcpuclockid(server, &id))
		fail("clock_getcpuclockid");
	return bench_clock(id);
}

static inline void server_end(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/** A blocking connection to 127.0.0.1. */
static inline int server_connect(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("connect");
	return fd;
}

/** How many connections the limit on descriptors lets us have. */
static inline long fit_descriptors(long connections)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if ((rlim_t)connections + 64 > files.rlim_cur)
		connections = (long)files.rlim_cur - 64;
	return connections;
}

#endif
