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
#include "server.h"

enum { WARM_UP_MS = 300, PATIENCE_MS = 20000 };

static int poller;
static int *received; /* bytes of the message under way, by descriptor */
static long messages;

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

static void first_cpu(void)
{
	pin(0, 0);
}

static void send_one(int fd)
{
	static const char message[MESSAGE] = "sixty-four bytes, there and back";

	if (send(fd, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		fail("send");
}

static void connect_one(uint16_t port)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = server_connect(port);

	event.data.fd = fd;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
		fail("epoll_ctl");
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
	received = calloc((size_t)connections + 64, sizeof(*received));
	if (connections < wanted)
		printf("NOTE echo %s %ld connections: no more descriptors\n", argv[1], connections);
	port = server_start(argv + 4, first_cpu);
	pin(0, 1);
	poller = epoll_create1(EPOLL_CLOEXEC);
	for (long i = 0; i < connections; i++)
		connect_one(port);
	measure(argv[1], (int)bench_arg(argc, argv, 3, 1000), connections);
	server_end();
	return 0;
}
