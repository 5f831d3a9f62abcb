/* SPDX-License-Identifier: MIT
 *
 * crowd.c - an echo server of several workers: how much does it do, how evenly, and how
 * promptly beside a task that computes?
 *
 *	bench-crowd <suffix> <who> <connections> <ms> <rate> <beside> <server> [argument ...]
 *
 * The crowd is one thread with an event loop, and shares all CPUs with the server; nobody
 * is pinned. <rate> 0: each connection sends 64 bytes as soon as its last ones have come
 * back. Rows:
 *	echo_<suffix>		the server's CPU time a message
 *	echo_rate_<suffix>	messages a second
 *	even_<suffix>		bench-serve: messages of the busiest worker; 1: as the average
 *	even_conn_<suffix>	the same of connections
 * <rate> n: n messages a second in all, each connection in its turn, whether or not
 * the last has come back. Rows: p50_, p99_ and p999_<suffix>, the time from when a message
 * was due until it has come back; echo_<suffix>, in which a hog of the server is counted,
 * too. The crowd then runs at a real-time priority, if it may: it is to measure the
 * server's delays and not its own.
 * <beside> "hog": another process computes for 10 ms, sleeps for 90 ms, and so on: what
 * a hog costs that the server's scheduler has nothing to do with. "none": nothing.
 */
#include <poll.h>
#include <sys/prctl.h>

#include "../examples/histogram.h"
#include "burn.h"
#include "server.h"

enum { WARM_UP_MS = 100, PATIENCE_MS = 20000 };

struct message {
	int64_t tag; /* '?' and 0: a question, see serve.c */
	int64_t due_ns;
	char padding[MESSAGE - 16];
};

struct connection {
	int fd;
	unsigned got; /* bytes of the message under way */
	struct message in;
};

static const char *suffix, *who;
static struct connection *crowd;
static long connections, messages;
static int poller;
static int64_t rate, record_from_ns = INT64_MAX;
static struct histogram latency;

static void row(const char *what, double value, const char *unit)
{
	char name[96];

	snprintf(name, sizeof(name), "%s_%s", what, suffix);
	bench_row(name, who, value, unit);
}

/* --- messages --------------------------------------------------------------------- */

static void send_one(const struct connection *one, int64_t due_ns)
{
	struct message out = { .tag = 'm', .due_ns = due_ns };

	if (send(one->fd, &out, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		fail("send");
}

static void came_back(struct connection *one)
{
	int64_t now_ns = bench_wall();

	one->got = 0;
	messages++;
	if (!rate)
		send_one(one, now_ns);
	else if (one->in.due_ns >= record_from_ns)
		histogram_add(&latency, now_ns - one->in.due_ns);
}

static void receive(struct connection *one)
{
	ssize_t got = recv(one->fd, (char *)&one->in + one->got, MESSAGE - one->got, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		fail("recv");
	one->got += (unsigned)got;
	if (one->got == MESSAGE)
		came_back(one);
}

/* What has come by then, or the first of it. */
static int receive_until(int64_t until_ns)
{
	struct pollfd pollfd = { .fd = poller, .events = POLLIN };
	struct epoll_event events[EVENTS];
	int64_t left_ns = until_ns - bench_wall();
	struct timespec left = { left_ns / 1000000000, left_ns % 1000000000 };
	int count;

	if (left_ns > 0)
		ppoll(&pollfd, 1, &left, NULL);
	count = epoll_wait(poller, events, EVENTS, 0);
	for (int i = 0; i < count; i++)
		receive(events[i].data.ptr);
	return count;
}

static void check_patience(int64_t heard_ns)
{
	errno = ETIMEDOUT;
	if (bench_wall() - heard_ns > (int64_t)PATIENCE_MS * 1000000)
		fail("the server is silent");
}

static void connect_all(uint16_t port)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	crowd = calloc((size_t)connections, sizeof(*crowd));
	for (long i = 0; i < connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &crowd[i] };

		crowd[i].fd = server_connect(port);
		if (epoll_ctl(poller, EPOLL_CTL_ADD, crowd[i].fd, &event))
			fail("epoll_ctl");
		send_one(&crowd[i], 0);
	}
}

/* --- as fast as they are answered ------------------------------------------------- */

static void flood(int64_t until_ns, long enough)
{
	int64_t heard_ns = bench_wall();

	while (bench_wall() < until_ns || messages < enough) {
		if (receive_until(bench_wall() + 100000000) > 0)
			heard_ns = bench_wall();
		check_patience(heard_ns);
	}
}

/* The largest of a few numbers, as a multiple of their average. */
static double unevenness(const long *counts, unsigned count, unsigned workers)
{
	long sum = 0, most = 0;

	for (unsigned i = 0; i < count; i++) {
		sum += counts[i];
		most = counts[i] > most ? counts[i] : most;
	}
	return sum ? (double)most * workers / (double)sum : 0;
}

/* Asks a bench-serve what its workers have had. */
static void ask_shares(uint16_t port, unsigned workers)
{
	char reply[MESSAGE + 1] = "?", *at = reply, *end;
	long had[2][8];
	unsigned count = 0;
	int fd = server_connect(port);

	if (send(fd, reply, MESSAGE, 0) != MESSAGE ||
	    recv(fd, reply, MESSAGE, MSG_WAITALL) != MESSAGE)
		fail("?");
	close(fd);
	for (; count < 8; count++, at = end) {
		had[0][count] = strtol(at, &end, 10);
		if (end == at)
			break;
		had[1][count] = strtol(end, &end, 10);
	}
	row("even_conn", unevenness(had[0], count, workers), "x");
	row("even", unevenness(had[1], count, workers), "x");
}

static void measure_flood(int64_t ns)
{
	int64_t cpu, wall;
	long before;

	/* Twice round, so that all of them have been accepted. */
	flood(bench_wall() + (int64_t)WARM_UP_MS * 1000000, 2 * connections);
	cpu = server_cpu();
	wall = bench_wall();
	before = messages;
	flood(wall + ns, before + 1);
	cpu = server_cpu() - cpu;
	wall = bench_wall() - wall;
	row("echo", (double)cpu / (double)(messages - before), "ns");
	row("echo_rate", (double)(messages - before) * 1e6 / (double)wall, "k/s");
}

/* --- at a pace -------------------------------------------------------------------- */

static void hog_beside(void)
{
	pid_t hog = fork();

	if (hog < 0)
		fail("fork");
	if (hog)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct timespec pause = { 0, HOG_SLEEPS_NS };

		burn(HOG_BURNS_NS);
		nanosleep(&pause, NULL);
	}
}

static void measure_paced(int64_t ns)
{
	int64_t start_ns, end_ns, due_ns, heard_ns, cpu;
	struct sched_param first;

	while (messages < connections)
		receive_until(bench_wall() + 1000000);
	sched_getparam(0, &first);
	first.sched_priority++; /* than the server's, if it has one, too (CALM of run.sh) */
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		printf("NOTE p999_%s %s no real-time priority for the crowd\n", suffix, who);
	cpu = server_cpu();
	start_ns = due_ns = bench_wall();
	record_from_ns = start_ns + (int64_t)WARM_UP_MS * 1000000;
	end_ns = record_from_ns + ns;
	for (long i = 0; due_ns < end_ns; i++) {
		while (bench_wall() < due_ns)
			receive_until(due_ns);
		send_one(&crowd[i % connections], due_ns);
		due_ns = start_ns + (i + 1) * 1000000000 / rate;
		messages--;
	}
	heard_ns = bench_wall();
	while (messages < connections) {
		receive_until(bench_wall() + 100000000);
		check_patience(heard_ns);
	}
	row("echo", (double)(server_cpu() - cpu) * 1e9 / (double)((end_ns - start_ns) * rate),
	    "ns");
	row("p50", (double)histogram_at(&latency, 0.5) / 1e3, "us");
	row("p99", (double)histogram_at(&latency, 0.99) / 1e3, "us");
	row("p999", (double)histogram_at(&latency, 0.999) / 1e3, "us");
}

/* ---------------------------------------------------------------------------------- */

static void nothing(void)
{
}

int main(int argc, char **argv)
{
	int64_t ns = bench_arg(argc, argv, 4, 1000) * INT64_C(1000000);
	uint16_t port;

	if (argc < 8) {
		fprintf(stderr, "usage: bench-crowd <suffix> <who> <connections> <ms> <rate> "
				"none|hog <server> [...]\n");
		return 2;
	}
	suffix = argv[1];
	who = argv[2];
	connections = fit_descriptors(bench_arg(argc, argv, 3, 1000));
	rate = atoi(argv[5]);
	if (!strcmp(argv[6], "hog"))
		hog_beside();
	port = server_start(argv + 7, nothing);
	connect_all(port);
	if (rate)
		measure_paced(ns);
	else
		measure_flood(ns);
	if (!rate && strstr(server_name, "bench-serve"))
		ask_shares(port, (unsigned)bench_arg(argc, argv, 8, 1));
	server_end();
	return 0;
}
