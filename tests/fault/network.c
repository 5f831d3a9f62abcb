/* SPDX-License-Identifier: MIT
 *
 * network.c - rows 64 to 69 and 73: what networks do to programs that did not
 * expect it. conform/ has most of them beside libc's calls; here they happen to
 * one of many tasks, and the others must not notice.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "hooked.h"

static char block[1 << 20];

/* --- 64: partial writes --------------------------------------------------------------- */

static int read_in_drops(void *fd)
{
	size_t total = 0, size = 1;
	char buf[4096];
	ssize_t got;

	while ((got = recv(number_of(fd), buf, size, 0)) > 0) {
		for (ssize_t i = 0; i < got; i++, total++)
			CHECK_EQ(buf[i], (char)(total * 7));
		size = size % sizeof(buf) + 61;
		if (size > sizeof(buf))
			size = 1;
	}
	CHECK_EQ(got, 0);
	return (int)total;
}

TEST(network, row64_a_large_write_arrives_whole)
{
	weft_task *reader;
	int fds[2], small = 4096;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7);
	connected_pair(fds);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	reader = start(read_in_drops, fds[1]);
	CHECK_EQ(write(fds[0], block, sizeof(block)), sizeof(block));
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(join(reader), sizeof(block));
}

/* --- 65, 66: resets and half-closes, many at once ----------------------------------------- */

enum { CONNECTIONS = 200 };

static struct sockaddr_in server;

/* One in four of each: says nothing and resets, speaks and resets, half-closes
 * and still listens, behaves. */
static int odd_client(void *arg)
{
	int manner = number_of(arg) % 4, fd = connect_to(&server);
	struct linger reset = { 1, 0 };
	char buf[16];

	if (manner < 2) {
		if (manner == 1)
			CHECK_EQ(send(fd, "hello", 5, 0), 5);
		CHECK_EQ(usleep(1000), 0);
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	} else {
		CHECK_EQ(send(fd, "hello", 5, 0), 5);
		if (manner == 2)
			CHECK_EQ(shutdown(fd, SHUT_WR), 0);
		CHECK_EQ(recv(fd, buf, 5, MSG_WAITALL), 5);
		CHECK_EQ(memcmp(buf, "hello", 5), 0);
		if (manner == 2) /* it sees our end and closes */
			CHECK_EQ(recv(fd, buf, sizeof(buf), 0), 0);
	}
	CHECK_EQ(close(fd), 0);
	return 0;
}

static struct {
	int ended, reset, echoed;
} seen;

static int serve_one(void *arg)
{
	int fd = number_of(arg);
	char buf[16];
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0) {
		seen.echoed++;
		if (send(fd, buf, (size_t)got, MSG_NOSIGNAL) != got) {
			CHECK(errno == ECONNRESET || errno == EPIPE);
			break;
		}
	}
	if (got < 0) {
		CHECK_EQ(errno, ECONNRESET);
		seen.reset++;
	} else if (got == 0) {
		seen.ended++;
	}
	CHECK_EQ(close(fd), 0);
	return 0;
}

TEST(network, row65_66_resets_and_half_closes_among_others)
{
	static weft_task *clients[CONNECTIONS], *servers[CONNECTIONS];
	int listener = listen_on_loopback(CONNECTIONS, &server), i;

	for (i = 0; i < CONNECTIONS; i++)
		clients[i] = start(odd_client, i);
	for (i = 0; i < CONNECTIONS; i++) {
		int fd = accept(listener, NULL, NULL);

		CHECK_GE(fd, 0);
		servers[i] = start(serve_one, fd);
	}
	for (i = 0; i < CONNECTIONS; i++)
		CHECK_EQ(join(clients[i]), 0);
	for (i = 0; i < CONNECTIONS; i++)
		CHECK_EQ(join(servers[i]), 0);
	CHECK_EQ(seen.ended, CONNECTIONS / 2);
	CHECK_GE(seen.reset, CONNECTIONS / 4); /* the silent ones, at least */
	CHECK_GE(seen.echoed, CONNECTIONS / 2);
}

/* --- 67: slowloris ---------------------------------------------------------------------------- */

enum { SLOW = 10000, SPARE = 200 };

static int drip[2 * SLOW], slow_count;

/* Half a request, and then silence. The server has a time limit for that. */
static int wait_for_request(void *arg)
{
	struct timeval limit = { 0, 200000 };
	int fd = number_of(arg);
	char buf[64];

	CHECK_EQ(recv(fd, buf, 3, MSG_WAITALL), 3);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), -1);
	CHECK_EQ(errno, EAGAIN);
	return 0;
}

static int serve_properly(void *arg)
{
	char buf[64];
	ssize_t got;

	while ((got = recv(number_of(arg), buf, sizeof(buf), 0)) > 0)
		CHECK_EQ(send(number_of(arg), buf, (size_t)got, 0), got);
	return (int)got;
}

static void raise_descriptors(int wanted)
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < (rlim_t)wanted) {
		limit.rlim_cur = limit.rlim_max < (rlim_t)wanted ? limit.rlim_max : (rlim_t)wanted;
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	slow_count = ((int)limit.rlim_cur - SPARE) / 2;
	if (slow_count > SLOW)
		slow_count = SLOW;
	else
		test_note("RLIMIT_NOFILE leaves room for fewer than 10,000 connections");
}

TEST_LIMIT(network, row67_ten_thousand_slow_clients, 100)
{
	static weft_task *tasks[SLOW];
	weft_task *proper;
	int fds[2], i;
	char buf[8];

	raise_descriptors(2 * SLOW + SPARE);
	connected_pair(fds);
	proper = start(serve_properly, fds[1]);
	for (i = 0; i < slow_count; i++) {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, &drip[2 * i]), 0);
		tasks[i] = start(wait_for_request, drip[2 * i]);
	}
	CHECK_EQ(weft_task_yield(), 0);
	for (int drop = 0; drop < 3; drop++) {
		for (i = 0; i < slow_count; i++)
			CHECK_EQ(write(drip[2 * i + 1], "G", 1), 1);
		CHECK_EQ(send(fds[0], "prompt", 6, 0), 6); /* who behaves is served */
		CHECK_EQ(recv(fds[0], buf, 6, MSG_WAITALL), 6);
	}
	for (i = 0; i < slow_count; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
	CHECK_EQ(join(proper), 0);
}

/* --- 68: EPOLLERR or EPOLLHUP alone -------------------------------------------------------------- */

static int read_end(void *fd)
{
	char byte;
	ssize_t got = read(number_of(fd), &byte, 1);

	return got < 0 ? -errno : (int)got;
}

static int write_until_error(void *fd)
{
	while (write(number_of(fd), block, 4096) > 0)
		;
	return -errno;
}

static int wait_unasked(void *fd)
{
	struct pollfd ask = { number_of(fd), 0, 0 };

	CHECK_EQ(poll(&ask, 1, -1), 1);
	return ask.revents;
}

TEST(network, row68_hup_and_err_alone_end_waits)
{
	weft_task *reader, *writer, *poller;
	struct linger reset = { 1, 0 };
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(pipe(fds), 0); /* the last writer goes: EPOLLHUP and nothing else */
	reader = start(read_end, fds[0]);
	poller = start(wait_unasked, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(close(fds[1]), 0);
	CHECK_EQ(join(reader), 0);
	CHECK_EQ(join(poller), POLLHUP);

	CHECK_EQ(pipe(fds), 0); /* the last reader goes: EPOLLERR, and no room */
	writer = start(write_until_error, fds[1]);
	poller = start(wait_unasked, fds[1]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(join(writer), -EPIPE);
	CHECK_EQ(join(poller), POLLERR);

	connected_pair(fds); /* reset */
	reader = start(read_end, fds[0]);
	writer = start(write_until_error, fds[0]);
	poller = start(wait_unasked, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	CHECK_EQ(close(fds[1]), 0);
	/* the error is one, and told once: to whoever is first */
	CHECK(join(reader) <= 0);
	CHECK(join(writer) < 0);
	CHECK(join(poller) & POLLHUP);
}

/* --- 69: refused, unreachable, timed out ------------------------------------------------------------ */

static int dial(void *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct timeval limit = { 0, 100000 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), rc;

	addr.sin_addr.s_addr = htonl(number_of(port) ? INADDR_LOOPBACK : INADDR_BROADCAST);
	addr.sin_port = htons((uint16_t)number_of(port));
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	rc = rc < 0 ? -errno : 0;
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(close(fd), 0);
	return rc;
}

TEST(network, row69_refused_unreachable_timed_out)
{
	struct sockaddr_in absent, full;
	weft_task *refused[20], *timed_out[20], *unreachable[20];
	int i, filler[2], listener = listen_on_loopback(0, &full);
	int64_t before_ns;

	close(listen_on_loopback(1, &absent));
	for (i = 0; i < 2; i++) { /* its queue is full: more SYNs are dropped */
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(filler[i], (struct sockaddr *)&full, sizeof(full));
	}
	CHECK_EQ(weft_sleep(20000000), 0);
	before_ns = weft_now();
	for (i = 0; i < 20; i++) {
		timed_out[i] = start(dial, ntohs(full.sin_port));
		refused[i] = start(dial, ntohs(absent.sin_port));
		unreachable[i] = start(dial, 0);
	}
	for (i = 0; i < 20; i++) {
		CHECK_EQ(join(refused[i]), -ECONNREFUSED);
		CHECK_EQ(join(unreachable[i]), -ENETUNREACH);
	}
	for (i = 0; i < 20; i++)
		CHECK_EQ(join(timed_out[i]), -EINPROGRESS);
	CHECK_GE(weft_now() - before_ns, 100000000);
	close(filler[0]);
	close(filler[1]);
	close(listener);
}

/* --- 73: a zero-length datagram ----------------------------------------------------------------------- */

static int count_datagrams(void *fd)
{
	char buf[16];
	int count = 0;

	for (;;) {
		ssize_t got = recv(number_of(fd), buf, sizeof(buf), 0);

		CHECK_GE(got, 0);
		if (got == 3)
			return count;
		CHECK_EQ(got, 0);
		count++;
	}
}

TEST(network, row73_an_empty_datagram_is_no_end)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t length = sizeof(addr);
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0), i;
	weft_task *task;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(bind(in, (struct sockaddr *)&addr, length), 0);
	CHECK_EQ(getsockname(in, (struct sockaddr *)&addr, &length), 0);
	CHECK_EQ(connect(out, (struct sockaddr *)&addr, length), 0);
	task = start(count_datagrams, in);
	CHECK_EQ(weft_task_yield(), 0);
	for (i = 0; i < 10; i++)
		CHECK_EQ(send(out, "", 0, 0), 0);
	CHECK_EQ(write(out, "", 0), 0);
	CHECK_EQ(send(out, "end", 3, 0), 3);
	CHECK_EQ(join(task), 11);
}
