/* SPDX-License-Identifier: MIT
 *
 * echo-load.c - ten thousand clients of an echo server, each a task of plain
 * blocking C that sends 64 bytes, waits for them, and checks every one.
 *
 * Two phases. *Paced*: each client sends once a second, more or less, so that
 * any server keeps up: its latency says how promptly it serves. It runs
 * from the moment a message was due, so that a stalled server or client is
 * not flattered by the messages it kept from being sent. *Flood*: each client
 * sends again as soon as it has its answer; here the message rate and the CPU
 * time per message tell, and latency is just clients divided by rate.
 *
 *	echo-load port server-pid clients paced-seconds flood-seconds [label]
 *
 * Shows its progress on stderr; ends with one line of figures on stdout.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "meter.h"
#include "spawn.h"

#define WORDS       8                    /* of 8 bytes, in a message */
#define PACE_NS     INT64_C(1000000000)  /* mean time between two messages of a client */
#define WAVE        256                  /* clients that knock at once; servers listen for more */
#define PATIENCE_NS INT64_C(20000000000) /* what is not answered by then is lost */

enum phase { ARRIVE, PACED, FLOOD, LEAVE };
static const char *const phase_name[] = { "arrive", "paced", "flood", "leave" };

/* All tasks share one thread, so plain numbers do. */
static struct {
	enum phase phase;
	const char *label;
	uint16_t port;
	pid_t server;
	long connected, refused, gone; /* had an answer; never had one; is done */
	long wrong, lost;              /* echoes that differ; clients left without one */
	struct meter meter, tick;      /* of this phase, of this second */
} load;

static int64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Sebastiano Vigna's splitmix64: equal inputs only give equal words. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* --- one client --------------------------------------------------------------- */

static int dial_once(uint32_t index)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	/* One address has 28,000 ports to call from: take another one in time. */
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / 10000);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(load.port);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int dial(uint32_t index)
{
	int fd = -1;

	for (int attempt = 0; attempt < 5 && (fd = dial_once(index)) < 0; attempt++)
		usleep(100000);
	return fd;
}

/* 1: out went there and in came back. */
static int exchange(int fd, const void *out, void *in, size_t bytes)
{
	ssize_t part;

	for (size_t done = 0; done < bytes; done += (size_t)part) {
		part = send(fd, (const char *)out + done, bytes - done, MSG_NOSIGNAL);
		if (part <= 0)
			return 0;
	}
	for (size_t done = 0; done < bytes; done += (size_t)part) {
		part = recv(fd, (char *)in + done, bytes - done, 0);
		if (part <= 0)
			return 0;
	}
	return 1;
}

/* Waits for the moment of the next message and returns it. */
static int64_t wait_turn(int64_t last_due, uint64_t random)
{
	int64_t due = last_due + PACE_NS / 2 + (int64_t)(random % (uint64_t)PACE_NS);
	struct timespec until = { due / 1000000000, due % 1000000000 };

	if (load.phase == FLOOD)
		return now_ns();
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	return load.phase == FLOOD ? now_ns() : due;
}

static int converse(int fd, uint32_t index)
{
	uint64_t out[WORDS], in[WORDS];
	int64_t due = now_ns();

	for (uint64_t number = 0; load.phase != LEAVE; number++) {
		for (uint64_t i = 0; i < WORDS; i++)
			out[i] = mix((uint64_t)index << 40 ^ number * WORDS ^ i);
		if (!exchange(fd, out, in, sizeof(out)))
			return number ? -1 : 0;
		load.wrong += memcmp(out, in, sizeof(out)) != 0;
		histogram_add(&load.tick.latency, now_ns() - due);
		load.connected += number == 0;
		due = wait_turn(due, out[0]);
	}
	/* A half-close: the server sees the end, and ends its side too. */
	shutdown(fd, SHUT_WR);
	return recv(fd, in, sizeof(in), 0) == 0 ? 1 : -1;
}

static int client(void *arg)
{
	uint32_t index = (uint32_t)(uintptr_t)arg;
	int fd = dial(index), rc = 0;

	if (fd >= 0) {
		rc = converse(fd, index);
		close(fd);
	}
	load.refused += rc == 0;
	load.lost += rc < 0;
	load.gone++;
	return 0;
}

/* --- the conductor ------------------------------------------------------------ */

/* Adds this second to its phase. */
static void gather(void)
{
	histogram_merge(&load.meter.latency, &load.tick.latency);
	meter_begin(&load.tick, load.server);
}

/* A line of progress, when it is time. On a terminal it stays in its place. */
static void progress(int64_t interval_ns)
{
	int tty = isatty(STDERR_FILENO);
	struct figures now;

	if (now_ns() - load.tick.begun_ns < interval_ns)
		return;
	now = meter_read(&load.tick, load.server);
	fprintf(stderr, "%s%-9s%-8s%10ld%12.0f%9.2f%9.2f%10.2f%9.1f%12.2f%s", tty ? "\r" : "",
		load.label, phase_name[load.phase], load.connected - (load.gone - load.refused),
		now.rate, now.p50_us / 1e3, now.p99_us / 1e3, now.p999_us / 1e3,
		(double)now.rss_kib / 1024, now.cpu_us, tty ? "\033[K" : "\n");
	gather();
}

static void begin(enum phase phase)
{
	load.phase = phase;
	meter_begin(&load.tick, load.server);
	meter_begin(&load.meter, load.server);
}

static void arrive(long clients)
{
	int64_t end = now_ns() + PATIENCE_NS;

	begin(ARRIVE);
	for (long i = 0; i < clients; i++) {
		if (start(client, (void *)(uintptr_t)i) < 0) {
			load.refused++;
			load.gone++;
		}
		/* In waves: a queue of connections that overflows costs a second. */
		while (i - load.connected - load.refused >= (i == clients - 1 ? 0 : WAVE)) {
			if (now_ns() > end)
				return;
			usleep(1000);
			progress(500000000);
		}
	}
}

/* The first part of a phase only warms up: it takes so long until all have woken. */
static struct figures conduct(enum phase phase, double seconds)
{
	double warm_up = phase == FLOOD ? 1.6 : 0.5;
	int64_t end;

	load.phase = phase;
	usleep((useconds_t)(warm_up * 1e6));
	begin(phase);
	end = now_ns() + (int64_t)(seconds * 1e9);
	while (now_ns() < end) {
		usleep(10000);
		progress(1000000000);
	}
	progress(500000000);
	gather();
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr); /* the last line of a phase stays */
	return meter_read(&load.meter, load.server);
}

/* 0 when every client got what it sent, and a goodbye. */
static int leave(long clients)
{
	int64_t end = now_ns() + PATIENCE_NS;

	load.phase = LEAVE;
	while (load.gone < clients && now_ns() < end)
		usleep(1000);
	load.lost += clients - load.gone;
	return load.wrong || load.lost || load.refused;
}

int main(int argc, char **argv)
{
	struct figures paced, flood;
	struct rlimit files;
	long clients;
	int rc;

	if (argc < 6) {
		fprintf(stderr,
			"usage: echo-load port server-pid clients paced-s flood-s [label]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	load.port = (uint16_t)atoi(argv[1]);
	load.server = atoi(argv[2]);
	clients = atol(argv[3]);
	load.label = argc > 6 ? argv[6] : "server";
	fprintf(stderr, "%-9s%-8s%10s%12s%9s%9s%10s%9s%12s\n", "server", "phase", "connected",
		"messages/s", "p50 ms", "p99 ms", "p99.9 ms", "RSS MB", "CPU us/msg");
	arrive(clients);
	paced = conduct(PACED, atof(argv[4]));
	flood = conduct(FLOOD, atof(argv[5]));
	rc = leave(clients);
	printf("connected=%ld refused=%ld wrong=%ld lost=%ld rss_kib=%ld"
	       " paced_rate=%.0f paced_cpu_us=%.3f p50_us=%.1f p99_us=%.1f p999_us=%.1f"
	       " rate=%.0f cpu_us=%.3f flood_p50_us=%.0f flood_p99_us=%.0f flood_p999_us=%.0f\n",
	       load.connected, load.refused, load.wrong, load.lost, flood.rss_kib, paced.rate,
	       paced.cpu_us, paced.p50_us, paced.p99_us, paced.p999_us, flood.rate, flood.cpu_us,
	       flood.p50_us, flood.p99_us, flood.p999_us);
	return rc;
}
