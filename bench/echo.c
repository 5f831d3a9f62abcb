/* SPDX-License-Identifier: MIT
 *
 * echo.c - how much of its CPU does an echo server need for a message?
 *
 *	bench-echo <who> <connections> <milliseconds> <server> [argument ...]
 *
 * Starts the server, which must print "... 127.0.0.1:<port>", gives it the
 * first CPU we may use, takes the last one itself, and plays the crowd: each
 * connection sends 64 bytes, waits for them to come back, and sends again. The
 * same event loop drives every server, so that only the server differs. Row:
 * echo, the server's CPU time (user and system, all its threads) between two
 * moments of full load, divided by the messages that came back between them.
 */
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

enum { MESSAGE = 64, EVENTS = 512, WARM_UP_MS = 300, PATIENCE_MS = 20000 };

static int poller;
static int *received; /* bytes of the message under way, by descriptor */
static long messages;
static pid_t server;
static const char *server_name;

static void fail(const char *what)
{
	fprintf(stderr, "bench-echo: %s: %s: %s\n", server_name, what, strerror(errno));
	if (server > 0)
		kill(server, SIGKILL);
	exit(1);
}

/* The first or the last CPU of those we may use. */
static void pin(pid_t pid, int last)
{
	cpu_set_t all, one;
	int found = -1;

	sched_getaffinity(0, sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE && (last || found < 0); cpu++)
		if (CPU_ISSET(cpu, &all))
			found = cpu;
	CPU_ZERO(&one);
	CPU_SET(found, &one);
	sched_setaffinity(pid, sizeof(one), &one);
}

/* Return: the port it says it listens on. */
static uint16_t start_server(char **argv)
{
	char line[256], *colon;
	int ends[2];
	FILE *said;

	if (pipe(ends) || (server = fork()) < 0)
		fail("fork");
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(0, 0);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	said = fdopen(ends[0], "r");
	while (said && fgets(line, sizeof(line), said)) {
		colon = strstr(line, "127.0.0.1:");
		if (colon)
			return (uint16_t)atoi(strchr(colon, ':') + 1);
	}
	errno = ESRCH;
	fail("it names no port");
	return 0;
}

static int64_t server_cpu(void)
{
	clockid_t id;

	if (clock_getcpuclockid(server, &id))
		fail("clock_getcpuclockid");
	return bench_clock(id);
}

static void send_one(int fd)
{
	static const char message[MESSAGE] = "sixty-four bytes, there and back";

	if (send(fd, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		fail("send");
}

static void connect_one(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct epoll_event event = { .events = EPOLLIN };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	event.data.fd = fd;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
		fail("connect");
	send_one(fd);
}

static void answer(int fd)
{
	char buffer[MESSAGE];
	ssize_t got = recv(fd, buffer, (size_t)(MESSAGE - received[fd]), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		fail("recv");
	received[fd] += (int)got;
	if (received[fd] == MESSAGE) {
		received[fd] = 0;
		messages++;
		send_one(fd);
	}
}

/* Until the clock says @until, and so many messages have come back. */
static void drive(int64_t until, long enough)
{
	struct epoll_event events[EVENTS];
	int64_t heard = bench_wall();
	int count;

	while (bench_wall() < until || messages < enough) {
		count = epoll_wait(poller, events, EVENTS, 100);
		for (int i = 0; i < count; i++)
			answer(events[i].data.fd);
		if (count > 0)
			heard = bench_wall();
		errno = ETIMEDOUT;
		if (bench_wall() - heard > (int64_t)PATIENCE_MS * 1000000)
			fail("the server is silent");
	}
}

/* How many connections the limit on descriptors lets us have. */
static long fit_descriptors(long connections)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if ((rlim_t)connections + 64 > files.rlim_cur)
		connections = (long)files.rlim_cur - 64;
	received = calloc((size_t)connections + 64, sizeof(*received));
	return connections;
}

static void measure(const char *who, int ms, long connections)
{
	int64_t cpu, wall;
	long before;

	/* Twice round, so that all of them have been accepted. */
	drive(bench_wall() + (int64_t)WARM_UP_MS * 1000000, 2 * connections);
	cpu = server_cpu();
	wall = bench_wall();
	before = messages;
	drive(wall + (int64_t)ms * 1000000, before + 1);
	cpu = server_cpu() - cpu;
	wall = bench_wall() - wall;
	bench_row("echo", who, (double)cpu / (double)(messages - before), "ns");
	bench_row("echo_rate", who, (double)(messages - before) * 1e6 / (double)wall, "k/s");
}

int main(int argc, char **argv)
{
	long wanted = bench_arg(argc, argv, 2, 5000), connections;
	uint16_t port;

	if (argc < 5) {
		fprintf(stderr, "usage: bench-echo <who> <connections> <ms> <server> [...]\n");
		return 2;
	}
	connections = fit_descriptors(wanted);
	if (connections < wanted)
		printf("NOTE echo %s %ld connections: no more descriptors\n", argv[1], connections);
	server_name = argv[4];
	port = start_server(argv + 4);
	pin(0, 1);
	poller = epoll_create1(EPOLL_CLOEXEC);
	for (long i = 0; i < connections; i++)
		connect_one(port);
	measure(argv[1], (int)bench_arg(argc, argv, 3, 1000), connections);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
