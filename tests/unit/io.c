/* SPDX-License-Identifier: MIT
 *
 * io.c - reading and writing: sockets, pipes, other things that can be polled.
 */
#include "io.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include <base/fault.h>

enum { MS = 1000000, BIG = 3 << 20 };

#define ARG(fd) ((void *)(intptr_t)(fd))

static uint64_t parks(void)
{
	weft_stats_data stats;

	CHECK_EQ(weft_stats(&stats), 0);
	return stats.parks;
}

/* --- bytes through ------------------------------------------------------------- */

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8));
}

static int write_big(void *arg)
{
	unsigned char *data = malloc(BIG);
	ssize_t rc;

	for (size_t i = 0; i < BIG; i++)
		data[i] = pattern(i);
	rc = weft_write((int)(intptr_t)arg, data, BIG, WEFT_FOREVER);
	free(data);
	CHECK_EQ(weft_close((int)(intptr_t)arg), 0);
	return rc == BIG ? 0 : -1;
}

/* In odd sizes, so that parts do not fall together. */
static void read_big(int fd)
{
	unsigned char buf[7001];
	size_t at = 0;
	ssize_t rc;

	while ((rc = weft_read(fd, buf, 1 + at % sizeof buf, WEFT_FOREVER)) > 0)
		for (ssize_t i = 0; i < rc; i++, at++)
			CHECK_EQ(buf[i], pattern(at));
	CHECK_EQ(rc, 0);
	CHECK_EQ(at, BIG);
}

static void pass_big(int from, int to)
{
	weft_task *writer = start(write_big, ARG(from));

	read_big(to);
	CHECK_EQ(finish(writer), 0);
	CHECK_EQ(weft_close(to), 0);
}

RUN_TEST(io, megabytes_through_a_pipe)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	pass_big(fds[1], fds[0]);
	return 0;
}

RUN_TEST(io, megabytes_through_a_named_pipe)
{
	char path[] = "fifo-XXXXXX", name[32];
	int read_end, write_end;

	CHECK(mkdtemp(path));
	snprintf(name, sizeof name, "%s/fifo", path);
	CHECK_EQ(mkfifo(name, 0600), 0);
	read_end = open(name, O_RDONLY | O_NONBLOCK);
	write_end = open(name, O_WRONLY);
	CHECK_EQ(fcntl(read_end, F_SETFL, O_RDONLY), 0);
	unlink(name);
	rmdir(path);
	pass_big(write_end, read_end);
	return 0;
}

RUN_TEST(io, megabytes_through_a_socket_pair)
{
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	pass_big(fds[1], fds[0]);
	return 0;
}

RUN_TEST(io, megabytes_through_tcp)
{
	int fds[2];

	open_tcp(fds);
	pass_big(fds[1], fds[0]);
	return 0;
}

/* Each leg on its own stack that others use meanwhile. */
RUN_TEST(io, megabytes_by_tasks_on_one_shared_stack)
{
	weft_stack_group *group;
	weft_attr attr = { 0 };
	weft_task *tasks[4];
	int fds[2][2];

	CHECK_EQ(weft_stack_group_new(&group, 1, 64 << 10), 0);
	attr.shared = group;
	CHECK_EQ(pipe(fds[0]), 0);
	open_tcp(fds[1]);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, write_big, ARG(fds[i][1])), 0);
	read_big(fds[0][0]);
	read_big(fds[1][0]);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(finish(tasks[i]), 0);
	CHECK_EQ(weft_stack_group_free(group), 0);
	return 0;
}

static int write_vectors(void *arg)
{
	static char parts[20][9000];
	struct iovec vec[22] = { { NULL, 0 } };

	for (int i = 0; i < 20; i++) {
		memset(parts[i], 'a' + i, sizeof parts[i]);
		vec[i + 1] = (struct iovec){ parts[i], sizeof parts[i] };
	}
	vec[21] = (struct iovec){ parts, 0 };
	return (int)weft_writev((int)(intptr_t)arg, vec, 22, WEFT_FOREVER);
}

static void vectors_through(int from, int to)
{
	char a[100], b[300];
	struct iovec vec[3] = { { a, sizeof a }, { NULL, 0 }, { b, sizeof b } };
	weft_task *writer = start(write_vectors, ARG(from));
	int at = 0;

	settle();
	while (at < 20 * 9000) {
		ssize_t rc = weft_readv(to, vec, 3, WEFT_FOREVER);

		CHECK_GT(rc, 0);
		for (ssize_t i = 0; i < rc; i++, at++)
			CHECK_EQ((i < 100 ? a[i] : b[i - 100]), 'a' + at / 9000);
	}
	CHECK_EQ(finish(writer), 20 * 9000);
}

RUN_TEST(io, vectors_of_many_parts)
{
	int small = 4096, fds[2];

	open_pair(SOCK_STREAM, fds);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	vectors_through(fds[0], fds[1]);
	CHECK_EQ(pipe(fds), 0);
	vectors_through(fds[1], fds[0]);
	return 0;
}

RUN_TEST(io, full_reads_and_writes)
{
	char buf[10];
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(weft_write_full(fds[1], "hello ", 6, WEFT_FOREVER), 6);
	CHECK_EQ(weft_write_full(fds[1], "world", 5, WEFT_FOREVER), 5);
	CHECK_EQ(weft_read_full(fds[0], buf, 10, WEFT_FOREVER), 10);
	CHECK_EQ(memcmp(buf, "hello worl", 10), 0);
	weft_close(fds[1]);
	CHECK_EQ(weft_read_full(fds[0], buf, 10, WEFT_FOREVER), 1);
	CHECK_EQ(weft_read_full(fds[0], buf, 10, WEFT_FOREVER), 0);
	return 0;
}

/* --- the fast path --------------------------------------------------------------- */

/* After a short read the bit is gone without an EAGAIN, and stays so while the
 * other direction works. */
RUN_TEST(io, short_reads_clear_the_bit)
{
	int tcp[2], unix_pair[2], fds[2];
	char buf[64];

	open_tcp(tcp);
	open_pair(SOCK_STREAM, unix_pair);
	for (int i = 0; i < 2; i++) {
		memcpy(fds, i ? unix_pair : tcp, sizeof fds);
		CHECK_EQ(send(fds[1], "ping", 4, 0), 4);
		CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 4);
		/* The first receive learnt what it is; AF_UNIX needs that before. */
		CHECK(i || !(ready_bits(fds[0]) & POLL_READABLE));
		CHECK_EQ(send(fds[1], "ping", 4, 0), 4);
		CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 4);
		CHECK(!(ready_bits(fds[0]) & POLL_READABLE));
		CHECK_EQ(weft_send(fds[0], "pong", 4, 0, WEFT_FOREVER), 4);
		CHECK(!(ready_bits(fds[0]) & POLL_READABLE));
		CHECK_EQ(recv(fds[1], buf, sizeof buf, 0), 4);
		/* A full buffer proves nothing. */
		CHECK_EQ(send(fds[1], "ping", 4, 0), 4);
		weft_task_yield();
		CHECK_EQ(weft_recv(fds[0], buf, 4, 0, WEFT_FOREVER), 4);
	}
	return 0;
}

/* --- when it must wait ------------------------------------------------------------- */

RUN_TEST(io, deadline_is_never_early)
{
	char byte;
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	for (int ms = 0; ms < 4; ms++) {
		int64_t until = weft_in_ms(ms);

		CHECK_EQ(weft_recv(fds[0], &byte, 1, 0, until), -ETIMEDOUT);
		CHECK_GE(weft_now(), until);
	}
	CHECK_EQ(weft_recv(fds[0], &byte, 1, 0, -5), -ETIMEDOUT); /* long past */
	CHECK_EQ(weft_recv(fds[0], &byte, 1, 0, 1), -ETIMEDOUT);
	return 0;
}

/* Not waiting asks the kernel, also when no event has been fetched yet. */
RUN_TEST(io, nowait_sees_what_no_event_has_told)
{
	char byte;
	int fds[2];

	open_tcp(fds);
	CHECK_EQ(weft_recv(fds[0], &byte, 1, 0, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_recv(fds[0], &byte, 1, 0, weft_in_ms(1)), -ETIMEDOUT);
	CHECK(!(ready_bits(fds[0]) & POLL_READABLE));
	CHECK_EQ(send(fds[1], "n", 1, 0), 1);
	CHECK_EQ(weft_recv(fds[0], &byte, 1, 0, WEFT_NOWAIT), 1);
	return 0;
}

static int recv_forever(void *arg)
{
	char buf[8];

	return (int)weft_recv((int)(intptr_t)arg, buf, sizeof buf, 0, WEFT_FOREVER);
}

RUN_TEST(io, cancel_ends_a_wait)
{
	weft_task *task;
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	task = start(recv_forever, ARG(fds[0]));
	settle();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(finish(task), -ECANCELED);
	/* Nobody is left in the list: an event finds no waiter. */
	CHECK_EQ(send(fds[1], "x", 1, 0), 1);
	CHECK_EQ(recv_forever(ARG(fds[0])), 1);
	return 0;
}

static int send_too_much(void *arg)
{
	static char data[8 << 20];

	return (int)weft_send((int)(intptr_t)arg, data, sizeof data, 0, WEFT_FOREVER);
}

RUN_TEST(io, a_part_is_returned_when_cancelled_or_late)
{
	static char data[8 << 20];
	ssize_t sent, got = 0, rc;
	char buf[65536];
	weft_task *task;
	int fds[2];

	open_tcp(fds);
	task = start(send_too_much, ARG(fds[0]));
	settle();
	CHECK_EQ(weft_cancel(task), 0);
	sent = finish(task);
	CHECK_GT(sent, 0);
	CHECK_LT(sent, 8 << 20);
	rc = weft_send(fds[0], data, sizeof data, 0, weft_in_ms(5));
	CHECK(rc > 0 || rc == -ETIMEDOUT);
	sent += rc > 0 ? rc : 0;
	CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
	while ((rc = weft_recv(fds[1], buf, sizeof buf, 0, WEFT_FOREVER)) > 0)
		got += rc;
	CHECK_EQ(got, sent);
	return 0;
}

/* A task whose descriptors are always ready leaves room for others. */
static int count_turns(void *arg)
{
	int *turns = arg;

	while (*turns >= 0) {
		++*turns;
		weft_task_yield();
	}
	return 0;
}

RUN_TEST(io, always_ready_does_not_starve_others)
{
	int fds[2], turns = 0;
	char byte = 0;
	weft_task *other = start(count_turns, &turns);
	uint64_t before = parks();

	open_pair(SOCK_STREAM, fds);
	for (int i = 0; i < 5000; i++) {
		CHECK_EQ(weft_send(fds[0], &byte, 1, 0, WEFT_FOREVER), 1);
		CHECK_EQ(weft_recv(fds[1], &byte, 1, 0, WEFT_FOREVER), 1);
	}
	CHECK_EQ(parks(), before);
	CHECK_GE(turns, 2);
	turns = -1;
	return finish(other);
}

/* --- ends and errors ------------------------------------------------------------- */

/* Data and end in one event: a short read must not hide the end. */
RUN_TEST(io, end_of_file_behind_a_short_read)
{
	char buf[64];
	int fds[2];

	for (int i = 0; i < 2; i++) {
		if (i)
			open_tcp(fds);
		else
			open_pair(SOCK_STREAM, fds);
		CHECK_EQ(weft_recv(fds[0], buf, 1, 0, weft_in_ms(1)), -ETIMEDOUT);
		CHECK_EQ(send(fds[1], "end", 3, 0), 3);
		CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
		CHECK_EQ(weft_sleep(MS), 0); /* the event is fetched */
		CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 3);
		CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 0);
		CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 0);
	}
	return 0;
}

/* Each event fetched or not, in every order, data then end then nothing more. */
static int recv_until_end(void *arg)
{
	int total = 0, rc;
	char buf[64];

	while ((rc = (int)weft_recv((int)(intptr_t)arg, buf, sizeof buf, 0, WEFT_FOREVER)) > 0)
		total += rc;
	return rc < 0 ? rc : total;
}

RUN_TEST(io, half_close_while_waiting)
{
	weft_task *task;
	int fds[2];

	open_tcp(fds);
	task = start(recv_until_end, ARG(fds[0]));
	settle();
	CHECK_EQ(send(fds[1], "abc", 3, 0), 3);
	weft_sleep(MS);
	CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
	CHECK_EQ(finish(task), 3);
	/* The other direction still works. */
	CHECK_EQ(weft_send(fds[0], "back", 4, 0, WEFT_FOREVER), 4);
	CHECK_EQ(recv_forever(ARG(fds[1])), 4);
	return 0;
}

/* The peer has closed its half and does not read: our writer waits, and the
 * thread sleeps meanwhile. */
RUN_TEST(io, a_full_buffer_after_half_close_does_not_spin)
{
	weft_stats_data before, after;
	weft_task *task;
	int fds[2];

	open_tcp(fds);
	CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
	task = start(send_too_much, ARG(fds[0]));
	weft_sleep(5 * MS);
	weft_stats(&before);
	weft_sleep(20 * MS);
	weft_stats(&after);
	CHECK_LT(after.switches - before.switches, 20);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_GT(finish(task), 0);
	return 0;
}

static void reset(int fd)
{
	struct linger hard = { 1, 0 };

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
	CHECK_EQ(weft_close(fd), 0);
}

RUN_TEST(io, reset_by_the_peer)
{
	weft_task *reader;
	char buf[8];
	int fds[2];

	open_tcp(fds);
	reader = start(recv_forever, ARG(fds[0]));
	settle();
	reset(fds[1]);
	CHECK_EQ(finish(reader), -ECONNRESET);
	CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 0);
	CHECK_EQ(weft_send(fds[0], buf, 1, MSG_NOSIGNAL, WEFT_FOREVER), -EPIPE);
	return 0;
}

/* As the kernel's blocking send: first the part, then the error; and no signal
 * for the part. */
RUN_TEST(io, reset_after_a_part_was_sent)
{
	weft_task *writer;
	int fds[2];

	open_tcp(fds);
	writer = start(send_too_much, ARG(fds[0]));
	settle();
	reset(fds[1]);
	CHECK_GT(finish(writer), 0);
	CHECK_EQ(weft_send(fds[0], "x", 1, MSG_NOSIGNAL, WEFT_FOREVER), -ECONNRESET);
	CHECK_EQ(weft_send(fds[0], "x", 1, MSG_NOSIGNAL, WEFT_FOREVER), -EPIPE);
	return 0;
}

/* Nobody handles SIGPIPE here: it would end us. */
RUN_TEST(io, a_peer_that_is_gone_is_an_error_and_no_signal)
{
	struct iovec iov = { "xy", 2 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[1]);
	CHECK_EQ(weft_write(fds[0], "x", 1, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_write_full(fds[0], "x", 1, WEFT_NOWAIT), -EPIPE);
	CHECK_EQ(weft_writev(fds[0], &iov, 1, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_send(fds[0], "x", 1, 0, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_sendto(fds[0], "x", 1, 0, NULL, 0, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_sendmsg(fds[0], &msg, 0, weft_in_s(1)), -EPIPE);
	CHECK_EQ(weft_close(fds[0]), 0);
	return 0;
}

RUN_TEST(io, errors_of_the_kernel_pass_through)
{
	char buf[8];
	int fds[2];

	CHECK_EQ(weft_recv(-1, buf, 1, 0, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_recv(900, buf, 1, 0, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_read(900, buf, 1, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_read(-1, buf, 1, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_close(900), -EBADF);
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(weft_recv(fds[0], buf, 1, 0, WEFT_FOREVER), -ENOTSOCK);
	CHECK_EQ(weft_read(fds[1], buf, 1, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_write(fds[0], buf, 1, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_readv(fds[0], NULL, -1, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_read(fds[0], NULL, 0, WEFT_FOREVER), 0);
	return 0;
}

/* --- flags and oddities ------------------------------------------------------------- */

RUN_TEST(io, dontwait_never_waits)
{
	char byte;
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	CHECK_EQ(weft_recv(fds[0], &byte, 1, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
	CHECK_EQ(weft_recv(fds[0], &byte, 1, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
	while (weft_send(fds[0], &byte, 1, MSG_DONTWAIT, WEFT_FOREVER) == 1)
		;
	CHECK_EQ(weft_send(fds[0], &byte, 1, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
	return 0;
}

static int send_in_two_halves(void *arg)
{
	CHECK_EQ(weft_send((int)(intptr_t)arg, "12345", 5, 0, WEFT_FOREVER), 5);
	weft_sleep(2 * MS);
	CHECK_EQ(weft_send((int)(intptr_t)arg, "67890", 5, 0, WEFT_FOREVER), 5);
	return 0;
}

static void wait_all(int fds[2])
{
	char buf[10] = "";
	weft_task *task = start(send_in_two_halves, ARG(fds[1]));

	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_PEEK | MSG_WAITALL, WEFT_FOREVER), 10);
	CHECK_EQ(finish(task), 0);
	CHECK_EQ(memcmp(buf, "1234567890", 10), 0);
	task = start(send_in_two_halves, ARG(fds[1]));
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, WEFT_FOREVER), 10);
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, WEFT_FOREVER), 10);
	CHECK_EQ(finish(task), 0);

	CHECK_EQ(send(fds[1], "part", 4, 0), 4);
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, weft_in_ms(2)), 4);
	CHECK_EQ(send(fds[1], "end", 3, 0), 3);
	CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, WEFT_FOREVER), 3);
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, WEFT_FOREVER), 0);
}

RUN_TEST(io, waitall)
{
	int fds[2];

	open_tcp(fds);
	wait_all(fds);
	open_pair(SOCK_STREAM, fds);
	wait_all(fds);
	return 0;
}

RUN_TEST(io, waitall_then_reset_keeps_the_error_for_the_next_call)
{
	char buf[10];
	int fds[2];
	weft_task *task;

	open_tcp(fds);
	CHECK_EQ(send(fds[1], "abc", 3, 0), 3);
	task = start(recv_forever, ARG(fds[0]));
	CHECK_EQ(finish(task), 3);
	CHECK_EQ(send(fds[1], "abc", 3, 0), 3);
	reset(fds[1]);
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, WEFT_FOREVER), 3);
	CHECK_EQ(weft_recv(fds[0], buf, 10, MSG_WAITALL, WEFT_FOREVER), -ECONNRESET);
	return 0;
}

RUN_TEST(io, datagrams_keep_their_borders)
{
	char buf[16];
	int fds[2];

	open_pair(SOCK_DGRAM, fds);
	CHECK_EQ(weft_send(fds[0], "one", 3, 0, WEFT_FOREVER), 3);
	CHECK_EQ(weft_send(fds[0], "", 0, 0, WEFT_FOREVER), 0);
	CHECK_EQ(weft_send(fds[0], "three", 5, 0, WEFT_FOREVER), 5);
	CHECK_EQ(weft_recv(fds[1], buf, sizeof buf, MSG_WAITALL, WEFT_FOREVER), 3);
	CHECK_EQ(weft_recv(fds[1], buf, sizeof buf, 0, WEFT_FOREVER), 0); /* not an end */
	CHECK_EQ(weft_recv(fds[1], buf, 2, 0, WEFT_FOREVER), 2);          /* cut */
	CHECK_EQ(weft_recv(fds[1], buf, sizeof buf, 0, weft_in_ms(1)), -ETIMEDOUT);
	return 0;
}

RUN_TEST(io, udp_with_addresses)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in from;
	socklen_t bytes = sizeof addr;
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[16];

	CHECK_EQ(bind(a, (struct sockaddr *)&addr, sizeof addr), 0);
	CHECK_EQ(getsockname(a, (struct sockaddr *)&addr, &bytes), 0);
	CHECK_EQ(weft_recvfrom(a, buf, sizeof buf, 0, NULL, NULL, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_sendto(b, "hi", 2, 0, (struct sockaddr *)&addr, sizeof addr, WEFT_FOREVER),
		 2);
	CHECK_EQ(weft_recvfrom(a, buf, sizeof buf, 0, (struct sockaddr *)&from, &bytes,
			       WEFT_FOREVER),
		 2);
	CHECK_EQ(bytes, sizeof from);
	CHECK_EQ(weft_connect(a, (struct sockaddr *)&from, sizeof from, WEFT_FOREVER), 0);
	CHECK_EQ(weft_connect(b, (struct sockaddr *)&addr, sizeof addr, WEFT_FOREVER), 0);
	CHECK_EQ(weft_close(a), 0);
	/* The port is gone: one send, and the receive tells of it; then it waits again. */
	CHECK_EQ(weft_send(b, "hi", 2, 0, WEFT_FOREVER), 2);
	CHECK_EQ(weft_recv(b, buf, sizeof buf, 0, WEFT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(weft_recv(b, buf, sizeof buf, 0, weft_in_ms(2)), -ETIMEDOUT);
	return 0;
}

static void send_with_fd(int fd, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec vec = { (void *)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &vec,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof control };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int zero = 0;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof zero);
	memcpy(CMSG_DATA(cmsg), &zero, sizeof zero);
	CHECK_EQ(weft_sendmsg(fd, &msg, 0, WEFT_FOREVER), (ssize_t)strlen(text));
}

/* A message with a descriptor cuts a read short though more is there. */
RUN_TEST(io, ancillary_data_cuts_reads)
{
	char buf[64], control[CMSG_SPACE(sizeof(int))];
	struct iovec vec = { buf, sizeof buf };
	struct msghdr msg = { .msg_iov = &vec,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof control };
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	CHECK_EQ(weft_recv(fds[0], buf, 1, 0, weft_in_ms(1)), -ETIMEDOUT);
	send_with_fd(fds[1], "first");
	CHECK_EQ(weft_send(fds[1], "second", 6, 0, WEFT_FOREVER), 6);
	send_with_fd(fds[1], "third");
	CHECK_EQ(weft_send(fds[1], "fourth", 6, 0, WEFT_FOREVER), 6);
	weft_sleep(MS); /* their events are fetched */
	CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 5);
	CHECK_EQ(weft_recvmsg(fds[0], &msg, 0, WEFT_FOREVER), 6 + 5);
	CHECK_EQ(msg.msg_controllen,
		 CMSG_LEN(sizeof(int)) + (sizeof control - CMSG_LEN(sizeof(int))));
	CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 6);
	return 0;
}

/* The mark of urgent data cuts reads too. */
RUN_TEST(io, urgent_data_cuts_reads)
{
	char buf[64];
	int fds[2];

	open_tcp(fds);
	CHECK_EQ(weft_recv(fds[0], buf, 1, 0, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(send(fds[1], "abc", 3, 0), 3);
	CHECK_EQ(send(fds[1], "!", 1, MSG_OOB), 1);
	CHECK_EQ(send(fds[1], "def", 3, 0), 3);
	weft_sleep(MS);
	CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 3);
	CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, MSG_OOB, WEFT_FOREVER), 1);
	CHECK_EQ(weft_recv(fds[0], buf, sizeof buf, 0, WEFT_FOREVER), 3);
	CHECK_EQ(buf[0], 'd');
	CHECK_EQ(weft_recv(fds[0], buf, 1, MSG_OOB, WEFT_FOREVER), -EINVAL); /* as native */
	return 0;
}

/* --- IO_POSIX: what the hooks build on ------------------------------------------------ */

RUN_TEST(io, posix_honours_the_users_nonblock)
{
	char buf[4096];
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	CHECK_EQ(fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK), 0);
	CHECK_EQ(weft__io_recv(fds[0], buf, 1, 0, IO_POSIX), -EAGAIN);
	CHECK_EQ(weft__io_recv(fds[0], buf, 1, 0, IO_POSIX), -EAGAIN);
	CHECK_EQ(weft__io_read(fds[0], buf, 1, IO_POSIX), -EAGAIN);
	while (weft__io_send(fds[0], buf, sizeof buf, 0, IO_POSIX) > 0)
		;
	CHECK_EQ(weft__io_send(fds[0], buf, 1, 0, IO_POSIX), -EAGAIN);
	/* No event has been fetched, and yet it sees the byte. */
	CHECK_EQ(send(fds[1], "x", 1, 0), 1);
	CHECK_EQ(weft__io_recv(fds[0], buf, 1, 0, IO_POSIX), 1);
	CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDWR | O_NONBLOCK);
	/* A real deadline is stronger. */
	CHECK_EQ(weft_recv(fds[0], buf, 1, 0, weft_in_ms(1)), -ETIMEDOUT);

	CHECK_EQ(pipe2(fds, O_NONBLOCK), 0);
	CHECK_EQ(weft__io_read(fds[0], buf, 1, IO_POSIX), -EAGAIN);
	while (weft__io_write(fds[1], buf, sizeof buf, IO_POSIX) > 0)
		;
	CHECK_EQ(weft__io_write(fds[1], buf, sizeof buf, IO_POSIX), -EAGAIN);
	return 0;
}

RUN_TEST(io, posix_honours_the_sockets_timeouts)
{
	struct timeval tv = { 0, 5000 };
	static char big[8 << 20];
	int64_t begin;
	int fds[2];

	open_pair(SOCK_STREAM, fds);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv), 0);
	begin = weft_now();
	CHECK_EQ(weft__io_recv(fds[0], big, 1, 0, IO_POSIX), -EAGAIN);
	CHECK_GE(weft_now() - begin, 5 * MS);
	begin = weft_now();
	CHECK_GT(weft__io_send(fds[0], big, sizeof big, 0, IO_POSIX), 0);
	CHECK_GE(weft_now() - begin, 5 * MS);
	CHECK_EQ(weft__io_send(fds[0], big, 1, 0, IO_POSIX), -EAGAIN);
	weft__fd_set_timeout(fds[0], POLL_READABLE, 2 * MS);
	begin = weft_now();
	CHECK_EQ(weft__io_recv(fds[0], big, 1, 0, IO_POSIX), -EAGAIN);
	CHECK_GE(weft_now() - begin, 2 * MS);
	return 0;
}

/* --- other things that can be polled --------------------------------------------------- */

static int add_to_eventfd(void *arg)
{
	uint64_t three = 3;

	return (int)weft_write((int)(intptr_t)arg, &three, sizeof three, WEFT_FOREVER);
}

RUN_TEST(io, eventfd_and_timerfd)
{
	struct itimerspec soon = { .it_value.tv_nsec = 3 * MS };
	int event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t value = 0;
	int64_t begin = weft_now();
	weft_task *task;

	CHECK_EQ(timerfd_settime(timer, 0, &soon, NULL), 0);
	CHECK_EQ(weft_read(timer, &value, sizeof value, WEFT_FOREVER), 8);
	CHECK_GE(value, 1);
	CHECK_GE(weft_now() - begin, 3 * MS);

	CHECK_EQ(weft_read(event, &value, sizeof value, WEFT_NOWAIT), -EAGAIN);
	task = start(add_to_eventfd, ARG(event));
	CHECK_EQ(weft_read(event, &value, sizeof value, WEFT_FOREVER), 8);
	CHECK_EQ(value, 3);
	CHECK_EQ(finish(task), 8);
	value = UINT64_MAX - 1;
	CHECK_EQ(write(event, &value, sizeof value), 8);
	CHECK_EQ(weft_write(event, &value, sizeof value, weft_in_ms(2)), -ETIMEDOUT);
	return 0;
}

RUN_TEST(io, terminals)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char buf[16];

	CHECK_GE(master, 0);
	CHECK_EQ(grantpt(master), 0);
	CHECK_EQ(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0)
		SKIP("no pseudo-terminals here");
	CHECK_EQ(weft_read(slave, buf, sizeof buf, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_write(master, "line one\nline two\n", 18, WEFT_FOREVER), 18);
	CHECK_EQ(weft_read(slave, buf, sizeof buf, WEFT_FOREVER), 9);
	CHECK_EQ(weft_read(slave, buf, sizeof buf, WEFT_FOREVER), 9); /* a short read is no end */
	CHECK_EQ(weft_write(slave, "x", 1, WEFT_FOREVER), 1);
	return 0;
}

/* --- many ---------------------------------------------------------------------------- */

enum { MANY = 1000 };

RUN_TEST(io, a_thousand_tasks_on_a_thousand_sockets)
{
	static weft_task *tasks[MANY];
	static int fds[MANY][2];
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 2 * MANY + 64)
		SKIP("needs 2064 descriptors");
	for (int i = 0; i < MANY; i++) {
		open_pair(SOCK_STREAM, fds[i]);
		tasks[i] = start(recv_until_end, ARG(fds[i][0]));
	}
	settle();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(send(fds[i][1], "abcd", 4, 0), 4);
		weft_sleep(MS);
	}
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_close(fds[i][1]), 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(finish(tasks[i]), 12);
	return 0;
}

/* Each allocation on the way fails once: an error or success, and no hang. */
RUN_TEST(io, echo_survives_the_nth_failure)
{
	for (unsigned n = 1;; n++) {
		weft_task *task;
		int fds[2], rc;

		open_pair(SOCK_STREAM, fds);
		weft__fault_fail(n);
		rc = weft_spawn(&task, NULL, recv_until_end, ARG(fds[0]));
		if (rc == 0) {
			ssize_t sent;

			settle();
			sent = weft_send(fds[1], "abc", 3, 0, weft_in_ms(50));
			weft_close(fds[1]);
			CHECK_EQ(sent, 3);
			CHECK_EQ(finish(task), 3);
		} else {
			CHECK_EQ(rc, -ENOMEM);
			weft_close(fds[1]);
		}
		weft_close(fds[0]);
		if (!weft__fault_fired())
			break;
	}
	weft__fault_fail(0);
	return 0;
}
