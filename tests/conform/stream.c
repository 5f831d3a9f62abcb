/* SPDX-License-Identifier: MIT
 *
 * stream.c - stream sockets: partial transfers, ends of all kinds, flags, time
 * limits and errors, each hooked call beside libc's.
 */
#include "conform.h"

static char big[1 << 20], in[1 << 20];

/* Once: the last scenario's peer may be at it still. */
static void fill_big(void)
{
	if (big[0])
		return;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i * 7 % 26);
}

/* --- peers: each owns the descriptor it is given -------------------------------- */

static void say_hello(int fd)
{
	pause_ms(20);
	CHECK_EQ(write(fd, "hello", 5), 5);
}

static void say_hello_and_close(int fd)
{
	say_hello(fd);
	close(fd);
}

static void say_in_pieces(int fd)
{
	for (int i = 0; i < 4; i++) {
		pause_ms(10);
		CHECK_EQ(send(fd, &"abcdefgh"[2 * i], 2, 0), 2);
	}
	pause_ms(10);
	shutdown(fd, SHUT_WR);
}

static void close_soon(int fd)
{
	pause_ms(20);
	close(fd);
}

static void reset_soon(int fd)
{
	pause_ms(20);
	reset_on_close(fd);
	close(fd);
}

static void echo_to_end(int fd)
{
	char buf[3000];
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0)
		CHECK_EQ(send(fd, buf, (size_t)got, 0), got);
	shutdown(fd, SHUT_WR);
}

static void swallow(int fd)
{
	static char sink[5000];

	pause_ms(20);
	while (read(fd, sink, sizeof(sink)) > 0)
		;
	close(fd);
}

static void swallow_a_little(int fd)
{
	char sink[2000];

	pause_ms(20);
	CHECK_GT(read(fd, sink, sizeof(sink)), 0);
	pause_ms(20);
	reset_on_close(fd);
	close(fd);
}

/* --- receiving ------------------------------------------------------------------- */

/* The scenario once over TCP and once over a Unix pair. */
#define BOTH(group, name)                                  \
	static void name##_over(void (*pair)(int fds[2])); \
	CONFORM(group, name)                               \
	{                                                  \
		note("tcp");                               \
		name##_over(tcp_pair);                     \
		note("unix");                              \
		name##_over(unix_pair);                    \
	}                                                  \
	static void name##_over(void (*pair)(int fds[2]))

BOTH(stream, each_receiving_call_waits_for_bytes)
{
	struct iovec iov[2] = { { in, 2 }, { in + 100, 10 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	int fds[2];

	pair(fds);
	peer(say_hello, fds[1]);
	note_bytes(in, LOG(read(fds[0], in, 100)));
	peer(say_hello, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	peer(say_hello, fds[1]);
	note_bytes(in, LOG(recvfrom(fds[0], in, 100, 0, NULL, NULL)));
	peer(say_hello, fds[1]);
	LOG(readv(fds[0], iov, 2));
	note_bytes(in, 2);
	note_bytes(in + 100, 3);
	peer(say_hello, fds[1]);
	LOG(recvmsg(fds[0], &msg, 0));
	note_bytes(in + 100, 3);
	note("flags %x", msg.msg_flags);
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, what_is_there_is_returned_at_once)
{
	int fds[2];

	pair(fds);
	LOG(write(fds[1], "hello", 5));
	note_bytes(in, LOG(recv(fds[0], in, 3, 0)));
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	LOG(write(fds[1], "x", 1));
	LOG(close(fds[1]));
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	LOG(recv(fds[0], in, 100, 0));
	LOG(recv(fds[0], in, 100, 0));
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
}

BOTH(stream, end_of_file_comes_after_the_bytes)
{
	int fds[2];

	pair(fds);
	peer(say_hello_and_close, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	LOG(recv(fds[0], in, 100, 0));
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
}

BOTH(stream, end_of_file_ends_a_wait)
{
	int fds[2];

	pair(fds);
	peer(close_soon, fds[1]);
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
}

BOTH(stream, waitall_waits_for_all)
{
	int fds[2];

	pair(fds);
	peer(say_in_pieces, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 6, MSG_WAITALL)));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_WAITALL)));
	LOG(recv(fds[0], in, 100, MSG_WAITALL));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, waitall_through_recvmsg)
{
	struct iovec iov[3] = { { in, 1 }, { in + 10, 3 }, { in + 20, 3 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	int fds[2];

	pair(fds);
	peer(say_in_pieces, fds[1]);
	LOG(recvmsg(fds[0], &msg, MSG_WAITALL));
	note_bytes(in, 1);
	note_bytes(in + 10, 3);
	note_bytes(in + 20, 3);
	note("iov is untouched: %d", iov[1].iov_base == in + 10 && iov[1].iov_len == 3);
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, waitall_yields_what_a_time_limit_left)
{
	int fds[2];

	pair(fds);
	set_timeout(fds[0], SO_RCVTIMEO, 60);
	LOG(send(fds[1], "hello", 5, 0)); /* before: else that, too, must be in time */
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_WAITALL)));
	LOG(recv(fds[0], in, 100, MSG_WAITALL));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, peek_leaves_the_bytes)
{
	int fds[2];

	pair(fds);
	peer(say_hello, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_PEEK)));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_PEEK | MSG_DONTWAIT)));
	note_bytes(in, LOG(recv(fds[0], in, 2, 0)));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_PEEK)));
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

CONFORM(stream, peek_and_waitall_on_tcp)
{
	int fds[2];

	tcp_pair(fds);
	peer(say_in_pieces, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 6, MSG_PEEK | MSG_WAITALL)));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_WAITALL)));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, dontwait_never_waits)
{
	int fds[2];

	pair(fds);
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT | MSG_PEEK));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT | MSG_WAITALL));
	LOG(write(fds[1], "ab", 2));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_DONTWAIT | MSG_WAITALL)));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, zero_bytes)
{
	int fds[2];

	pair(fds);
	LOG(write(fds[0], in, 0));
	LOG(send(fds[0], in, 0, 0));
	LOG(read(fds[0], in, 0));
	LOG(readv(fds[0], NULL, 0));
	LOG(writev(fds[0], NULL, 0));
	LOG(recv(fds[0], in, 0, MSG_DONTWAIT));
	LOG(write(fds[1], "ab", 2));
	LOG(recv(fds[0], in, 0, 0));
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* --- sending --------------------------------------------------------------------- */

BOTH(stream, each_sending_call_sends_all)
{
	struct iovec iov[3] = { { big, 1000 }, { big + 1000, 300000 }, { big + 301000, 99000 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	int fds[2];

	pair(fds);
	fill_big();
	peer(swallow, fds[1]);
	LOG(write(fds[0], big, 400000));
	LOG(send(fds[0], big, 400000, 0));
	LOG(sendto(fds[0], big, 400000, 0, NULL, 0));
	LOG(writev(fds[0], iov, 3));
	LOG(sendmsg(fds[0], &msg, 0));
	note("iov is untouched: %d", iov[1].iov_base == big + 1000 && iov[1].iov_len == 300000);
	LOG(close(fds[0]));
}

static void collect(int fd)
{
	size_t total = 0;
	ssize_t got;

	while ((got = read(fd, in + total, sizeof(in) - total)) > 0) {
		total += (size_t)got;
		if (total % 7 == 0)
			pause_ms(1);
	}
	CHECK_EQ(got, 0);
	CHECK_EQ(memcmp(in, big, total), 0);
	CHECK_EQ(total, 700000);
	close(fd);
}

BOTH(stream, bytes_come_in_order)
{
	struct iovec iov[2] = { { big, 1 }, { big + 1, 699999 } };
	int fds[2];

	pair(fds);
	fill_big();
	peer(collect, fds[1]);
	LOG(writev(fds[0], iov, 2));
	LOG(close(fds[0]));
}

BOTH(stream, echo_both_ways)
{
	int fds[2], i;

	pair(fds);
	fill_big();
	peer(echo_to_end, fds[1]);
	for (i = 0; i < 20; i++) {
		size_t length = (size_t)i * 331 + 1;

		LOG(send(fds[0], big, length, 0));
		LOG(recv(fds[0], in, length, MSG_WAITALL));
		CHECK_EQ(memcmp(in, big, length), 0);
	}
	LOG(shutdown(fds[0], SHUT_WR));
	LOG(recv(fds[0], in, 10, 0));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* How much fits is the kernel's affair: only its kind is noted. */
static void note_part(const char *what, long result, long all)
{
	note("%s: %s", what,
	     result == -1    ? strerrorname_np(errno)
	     : result == all ? "all"
	     : result > 0    ? "a part"
			     : "nothing");
}

BOTH(stream, sending_without_waiting_sends_a_part)
{
	int fds[2];

	pair(fds);
	note_part("send", send(fds[0], big, sizeof(big), MSG_DONTWAIT), sizeof(big));
	fill(fds[0]);
	LOG(send(fds[0], big, sizeof(big), MSG_DONTWAIT));
	set_nonblocking(fds[0]);
	LOG(send(fds[0], big, sizeof(big), 0));
	LOG(write(fds[0], big, sizeof(big)));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, a_time_limit_ends_sending)
{
	int64_t start_ms;
	int fds[2];

	pair(fds);
	set_timeout(fds[0], SO_SNDTIMEO, 50);
	start_ms = now_ms();
	note_part("send", send(fds[0], big, sizeof(big), 0), sizeof(big));
	note("not early: %d", now_ms() - start_ms >= 49);
	fill(fds[0]);
	LOG(send(fds[0], big, sizeof(big), 0));
	LOG(write(fds[0], big, sizeof(big)));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, reset_amid_sending_returns_the_part)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	pair(fds);
	peer(swallow_a_little, fds[1]);
	note_part("send", send(fds[0], big, sizeof(big), 0), sizeof(big));
	note("then fails: %d", send(fds[0], big, sizeof(big), 0) == -1);
	LOG(send(fds[0], big, sizeof(big), 0));
	LOG(close(fds[0]));
}

/* --- ends and errors --------------------------------------------------------------- */

CONFORM(stream, reset_ends_a_wait)
{
	int fds[2];

	tcp_pair(fds);
	peer(reset_soon, fds[1]);
	LOG(recv(fds[0], in, 100, 0));
	LOG(recv(fds[0], in, 100, 0));
	signal(SIGPIPE, SIG_IGN);
	LOG(send(fds[0], "x", 1, 0));
	LOG(close(fds[0]));
}

CONFORM(stream, reset_while_nobody_waits)
{
	int fds[2];

	tcp_pair(fds);
	LOG(write(fds[1], "hello", 5));
	reset_on_close(fds[1]);
	LOG(close(fds[1]));
	LOG(read(fds[0], in, 100));
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
}

CONFORM(stream, reset_while_sending)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(fds);
	fill(fds[0]);
	peer(reset_soon, fds[1]);
	LOG(send(fds[0], big, 1000, 0));
	LOG(send(fds[0], big, 1000, 0));
	LOG(close(fds[0]));
}

BOTH(stream, half_close_keeps_the_other_half)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	pair(fds);
	LOG(shutdown(fds[0], SHUT_WR));
	LOG(recv(fds[1], in, 100, 0));
	peer(say_hello, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	LOG(send(fds[0], "x", 1, 0));
	LOG(write(fds[0], "x", 1));
	LOG(shutdown(fds[0], SHUT_RD));
	LOG(recv(fds[0], in, 100, 0));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static void shut_soon(int fd)
{
	pause_ms(20);
	shutdown(fd, SHUT_RDWR);
}

BOTH(stream, own_shutdown_ends_a_wait)
{
	int fds[2];

	pair(fds);
	peer(shut_soon, fds[0]);
	LOG(recv(fds[0], in, 100, 0));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static _Atomic int ticks;
static _Atomic bool closed;

static void tick(int unused)
{
	(void)unused;
	while (!closed) {
		ticks++;
		pause_ms(10);
	}
}

/* Nobody reads: close waits as long as it is told, and others run meanwhile. */
CONFORM(stream, a_lingering_close)
{
	struct linger linger = { 1, 1 };
	int64_t start_ms;
	int fds[2];

	ticks = 0;
	closed = false;
	tcp_pair(fds);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	fill(fds[0]);
	peer(tick, 0);
	start_ms = now_ms();
	LOG(close(fds[0]));
	note("waited: %d, others ran: %d", now_ms() - start_ms >= 900, ticks > 10);
	LOG(send(fds[0], "x", 1, 0));
	closed = true;
	peers_end();
	LOG(close(fds[1]));
}

static volatile sig_atomic_t pipes;

static void count_pipe(int sig)
{
	(void)sig;
	pipes++;
}

BOTH(stream, sigpipe_as_native)
{
	struct iovec iov = { in, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2];

	pair(fds);
	pipes = 0;
	signal(SIGPIPE, count_pipe);
	LOG(shutdown(fds[0], SHUT_WR));
	LOG(send(fds[0], "x", 1, 0));
	note("%d", pipes);
	LOG(send(fds[0], "x", 1, MSG_NOSIGNAL));
	note("%d", pipes);
	LOG(write(fds[0], "x", 1));
	note("%d", pipes);
	LOG(writev(fds[0], &iov, 1));
	note("%d", pipes);
	LOG(sendmsg(fds[0], &msg, 0));
	note("%d", pipes);
	LOG(sendmsg(fds[0], &msg, MSG_NOSIGNAL));
	note("%d", pipes);
	signal(SIGPIPE, SIG_DFL);
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

CONFORM(stream, errors_of_the_wrong_descriptor)
{
	struct iovec iov = { in, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int tcp = socket(AF_INET, SOCK_STREAM, 0), pipe_fds[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(pipe(pipe_fds), 0);
	LOG(recv(tcp, in, 1, 0));
	LOG(read(tcp, in, 1));
	LOG(recvmsg(tcp, &msg, 0));
	LOG(send(tcp, in, 1, 0));
	LOG(write(tcp, in, 1));
	LOG(recv(pipe_fds[0], in, 1, 0));
	LOG(recvfrom(pipe_fds[0], in, 1, 0, NULL, NULL));
	LOG(recvmsg(pipe_fds[0], &msg, 0));
	LOG(send(pipe_fds[1], in, 1, 0));
	LOG(sendto(pipe_fds[1], in, 1, 0, NULL, 0));
	LOG(sendmsg(pipe_fds[1], &msg, 0));
	LOG(close(tcp));
	LOG(recv(tcp, in, 1, 0));
	LOG(read(tcp, in, 1));
	LOG(readv(tcp, &iov, 1));
	LOG(recvmsg(tcp, &msg, 0));
	LOG(send(tcp, in, 1, 0));
	LOG(write(tcp, in, 1));
	LOG(writev(tcp, &iov, 1));
	LOG(sendmsg(tcp, &msg, 0));
	LOG(read(-1, in, 1));
	LOG(write(-1, in, 1));
	LOG(recv(-1, in, 1, 0));
	LOG(send(-1, in, 1, 0));
	LOG(close(-1));
	LOG(close(tcp));
	LOG(close(pipe_fds[0]));
	LOG(close(pipe_fds[1]));
}

CONFORM(stream, errors_of_the_wrong_argument)
{
	static struct iovec many[1025];
	struct iovec bad = { in, (size_t)-1 };
	int fds[2];

	unix_pair(fds);
	LOG(write(fds[0], "x", 1));
	LOG(read(fds[1], no_address, 1));
	LOG(recv(fds[1], bad_address, 1, 0));
	LOG(write(fds[0], bad_address, 1));
	LOG(send(fds[0], bad_address, 1, 0));
	LOG(readv(fds[1], many, 1025));
	LOG(writev(fds[0], many, 1025));
	LOG(readv(fds[1], many, minus_one));
	LOG(writev(fds[0], many, minus_one));
	LOG(readv(fds[1], &bad, 1));
	LOG(writev(fds[0], &bad, 1));
	LOG(recvmsg(fds[1], no_address, 0));
	LOG(sendmsg(fds[0], no_address, 0));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

CONFORM(stream, urgent_data)
{
	int fds[2], on = 1;

	tcp_pair(fds);
	LOG(recv(fds[0], in, 1, MSG_OOB));
	LOG(send(fds[1], "abU", 3, MSG_OOB));
	LOG(send(fds[1], "cd", 2, 0));
	pause_ms(20);
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	note_bytes(in, LOG(recv(fds[0], in, 1, MSG_OOB)));
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)), 0);
	LOG(send(fds[1], "efV", 3, MSG_OOB));
	LOG(send(fds[1], "gh", 2, 0));
	pause_ms(20);
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* --- the user's O_NONBLOCK and time limits ------------------------------------------- */

BOTH(stream, user_nonblocking_gets_native_results)
{
	struct iovec iov = { in, 100 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2], on = 1, off = 0;

	pair(fds);
	peer(say_hello, fds[1]); /* the wait below makes weft learn the descriptor */
	LOG(read(fds[0], in, 100));
	LOG(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	set_nonblocking(fds[0]);
	LOG(read(fds[0], in, 100));
	LOG(readv(fds[0], &iov, 1));
	LOG(recv(fds[0], in, 100, 0));
	LOG(recv(fds[0], in, 100, MSG_WAITALL));
	LOG(recvmsg(fds[0], &msg, 0));
	LOG(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	LOG(write(fds[1], "ab", 2));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_WAITALL)));
	LOG(ioctl(fds[0], FIONBIO, &off));
	LOG(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	peer(say_hello, fds[1]);
	LOG(read(fds[0], in, 100));
	LOG(ioctl(fds[0], FIONBIO, &on));
	LOG(read(fds[0], in, 100));
	LOG(fcntl(fds[0], F_SETFL, 0));
	peer(say_hello, fds[1]);
	LOG(recv(fds[0], in, 100, 0));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, nonblocking_through_another_number)
{
	int fds[2], copy;

	pair(fds);
	peer(say_hello, fds[1]);
	LOG(read(fds[0], in, 100));
	copy = dup(fds[0]);
	set_nonblocking(copy);
	LOG(read(fds[0], in, 100));
	LOG(fcntl(copy, F_SETFL, 0));
	peer(say_hello, fds[1]);
	LOG(read(fds[0], in, 100));
	peers_end();
	LOG(close(copy));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static void receive_for(int fd, int64_t limit_ms)
{
	int64_t start_ms = now_ms();

	LOG(recv(fd, in, 100, 0));
	note("not early: %d", now_ms() - start_ms >= limit_ms);
}

BOTH(stream, a_time_limit_ends_receiving)
{
	struct timeval limit = { 0 };
	socklen_t length = sizeof(limit);
	int fds[2];

	pair(fds);
	set_timeout(fds[0], SO_RCVTIMEO, 50);
	receive_for(fds[0], 50);
	LOG(read(fds[0], in, 100));
	LOG(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, &length));
	note("%ld.%06ld", (long)limit.tv_sec, (long)limit.tv_usec);
	set_timeout(fds[0], SO_RCVTIMEO, 20);
	receive_for(fds[0], 20);
	set_timeout(fds[0], SO_RCVTIMEO, 0); /* 0 is no limit at all */
	peer(say_hello, fds[1]);
	receive_for(fds[0], 0);
	set_timeout(fds[0], SO_RCVTIMEO, 5000);
	peer(say_hello, fds[1]);
	receive_for(fds[0], 0);
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

BOTH(stream, errors_of_a_time_limit)
{
	struct timeval bad = { 0, 1000000 }, negative = { -1, 0 };
	int fds[2];

	pair(fds);
	LOG(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof(bad)));
	LOG(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &bad, 1));
	LOG(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &negative, sizeof(negative)));
	LOG(recv(fds[0], in, 100, 0)); /* a negative limit does not wait */
	LOG(close(fds[0]));
	LOG(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &negative, sizeof(negative)));
	LOG(close(fds[1]));
}

CONFORM(stream, time_limit_through_another_number)
{
	int fds[2], copy;

	tcp_pair(fds);
	copy = dup(fds[0]);
	peer(say_hello, fds[1]);
	LOG(read(fds[0], in, 100));
	set_timeout(copy, SO_RCVTIMEO, 30);
	receive_for(fds[0], 30);
	peers_end();
	LOG(close(copy));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* --- ancillary data -------------------------------------------------------------------- */

static long send_fd(int via, int fd)
{
	struct iovec iov = { "F", 1 };
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(via, &msg, 0);
}

static int receive_fd(int via)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };
	int fd = -1;

	LOG(recvmsg(via, &msg, 0));
	note("control %zu flags %x", (size_t)msg.msg_controllen, msg.msg_flags);
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int passed_pipe[2];

static void pass_a_pipe_soon(int fd)
{
	pause_ms(20);
	CHECK_EQ(pipe2(passed_pipe, O_NONBLOCK), 0);
	CHECK_EQ(send_fd(fd, passed_pipe[0]), 1);
	close(passed_pipe[0]);
	CHECK_EQ(write(passed_pipe[1], "through", 7), 7);
}

/* Row 38: what comes through SCM_RIGHTS keeps its flags. */
CONFORM(stream, a_passed_descriptor)
{
	int fds[2], passed;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer(pass_a_pipe_soon, fds[1]);
	passed = receive_fd(fds[0]);
	peers_end();
	LOG((fcntl(passed, F_GETFL) & O_NONBLOCK) != 0);
	note_bytes(in, LOG(read(passed, in, 100)));
	LOG(read(passed, in, 100));
	LOG((fcntl(passed, F_GETFL) & O_NONBLOCK) != 0);
	LOG(close(passed_pipe[1]));
	LOG(read(passed, in, 100));
	LOG(close(passed));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* Ancillary data ends a transfer before the queue is empty: the rest must not be
 * waited for. */
CONFORM(stream, bytes_behind_a_passed_descriptor)
{
	int fds[2], passed;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	LOG(send_fd(fds[1], 0));
	LOG(write(fds[1], "rest", 4));
	passed = receive_fd(fds[0]);
	close(passed);
	LOG(send_fd(fds[1], 0));
	LOG(write(fds[1], "rest", 4));
	note_bytes(in, LOG(read(fds[0], in, 100)));
	note_bytes(in, LOG(read(fds[0], in, 100)));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}
