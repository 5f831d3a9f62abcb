/* SPDX-License-Identifier: MIT
 *
 * connecting.c - accept and connect, and the sockets they make.
 */
#include <stdlib.h>

#include "conform.h"

static struct sockaddr_in server;
static struct sockaddr_un unix_server;
static char in[100];

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_GE(fd, 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&server, sizeof(server)), 0);
	return fd;
}

static void dial_soon(int count)
{
	pause_ms(20);
	while (count-- > 0)
		close(dial());
}

static void accept_soon(int listener)
{
	pause_ms(20);
	close(accept(listener, NULL, NULL));
}

/* An address where nobody listens: bound once, and closed. */
static void nobody(struct sockaddr_in *addr)
{
	close(tcp_listener(1, addr));
}

static int unix_listener(int backlog)
{
	static int serial;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int length;

	memset(&unix_server, 0, sizeof(unix_server));
	unix_server.sun_family = AF_UNIX;
	length = snprintf(unix_server.sun_path + 1, sizeof(unix_server.sun_path) - 1,
			  "weft-conform-%ld-%d", (long)getpid(), serial++);
	CHECK_GT(length, 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&unix_server, sizeof(unix_server)), 0);
	CHECK_EQ(listen(fd, backlog), 0);
	return fd;
}

/* --- accept ------------------------------------------------------------------------ */

CONFORM(accept, waits_for_a_connection)
{
	struct sockaddr_in from = { 0 };
	socklen_t length = sizeof(from);
	int listener = tcp_listener(8, &server), fd;

	peer(dial_soon, 3);
	fd = accept(listener, (struct sockaddr *)&from, &length);
	note("%d %u %d %x", fd >= 0, length, from.sin_family, ntohl(from.sin_addr.s_addr));
	LOG(recv(fd, in, 10, 0));
	LOG(close(fd));
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	LOG((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	LOG(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	LOG(close(fd));
	fd = accept4(listener, NULL, NULL, 0);
	LOG((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	LOG(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	LOG(close(fd));
	peers_end();
	LOG(close(listener));
}

CONFORM(accept, what_is_there_is_taken_at_once)
{
	int listener = tcp_listener(8, &server), fd, i;

	dial_soon(4);
	for (i = 0; i < 4; i++) {
		fd = accept(listener, NULL, NULL);
		note("%d", fd >= 0);
		LOG(close(fd));
	}
	set_nonblocking(listener);
	LOG(accept(listener, NULL, NULL));
	LOG(close(listener));
}

CONFORM(accept, an_accepted_socket_does_not_inherit_nonblocking)
{
	int listener = tcp_listener(8, &server), fd;

	set_nonblocking(listener);
	LOG(accept(listener, NULL, NULL));
	dial_soon(1);
	fd = accept(listener, NULL, NULL);
	LOG((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	LOG(recv(fd, in, 10, 0));
	LOG(close(fd));
	LOG(close(listener));
}

CONFORM(accept, a_time_limit)
{
	int listener = tcp_listener(8, &server);
	int64_t start_ms = now_ms();

	set_timeout(listener, SO_RCVTIMEO, 40);
	LOG(accept(listener, NULL, NULL));
	note("not early: %d", now_ms() - start_ms >= 40);
	LOG(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	LOG(close(listener));
}

CONFORM(accept, an_accepted_socket_inherits_the_time_limit)
{
	int listener = tcp_listener(8, &server), fd, client;
	int64_t start_ms;

	set_timeout(listener, SO_RCVTIMEO, 40);
	client = dial();
	fd = accept(listener, NULL, NULL);
	start_ms = now_ms();
	LOG(recv(fd, in, 10, 0));
	note("not early: %d", now_ms() - start_ms >= 40);
	LOG(close(fd));
	LOG(close(client));
	LOG(close(listener));
}

static void shut_soon(int fd)
{
	pause_ms(20);
	shutdown(fd, SHUT_RDWR);
}

CONFORM(accept, errors)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int fd = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), fds[2];
	int listener = tcp_listener(8, &server);

	CHECK_EQ(pipe(fds), 0);
	LOG(accept(fd, NULL, NULL));
	LOG(accept(udp, NULL, NULL));
	LOG(accept(fds[0], NULL, NULL));
	LOG(accept(-1, NULL, NULL));
	LOG(accept4(listener, NULL, NULL, 0x40000000));
	dial_soon(2);
	LOG(accept(listener, bad_address, &length));
	length = (socklen_t)-1;
	LOG(accept(listener, (struct sockaddr *)&from, &length));
	peer(shut_soon, listener);
	LOG(accept(listener, NULL, NULL));
	LOG(accept(listener, NULL, NULL));
	LOG(close(listener));
	LOG(accept(listener, NULL, NULL));
	LOG(close(fd));
	LOG(close(udp));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static void reset_one(int unused)
{
	int fd = dial();

	(void)unused;
	reset_on_close(fd);
	close(fd);
}

/* Linux hands a connection out that was reset while it waited; the first use
 * tells. */
CONFORM(accept, a_connection_that_was_reset)
{
	int listener = tcp_listener(8, &server), fd;

	reset_one(0);
	pause_ms(20);
	fd = accept(listener, NULL, NULL);
	note("%d", fd >= 0);
	LOG(recv(fd, in, 10, 0));
	LOG(recv(fd, in, 10, 0));
	LOG(close(fd));
	LOG(close(listener));
}

CONFORM(accept, unix_sockets)
{
	struct sockaddr_un from;
	socklen_t length = sizeof(from);
	int listener = unix_listener(8), fd, client = socket(AF_UNIX, SOCK_STREAM, 0);

	LOG(connect(client, (struct sockaddr *)&unix_server, sizeof(unix_server)));
	fd = accept(listener, (struct sockaddr *)&from, &length);
	note("%d %u %d", fd >= 0, length, from.sun_family);
	LOG(write(client, "abc", 3));
	note_bytes(in, LOG(read(fd, in, 100)));
	LOG(close(client));
	LOG(read(fd, in, 100));
	LOG(close(fd));
	LOG(close(listener));
}

/* --- connect ------------------------------------------------------------------------ */

CONFORM(connect, to_a_listener)
{
	int listener = tcp_listener(8, &server), fd = socket(AF_INET, SOCK_STREAM, 0);

	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(fcntl(fd, F_GETFL) & O_NONBLOCK);
	LOG(send(fd, "x", 1, 0));
	LOG(close(fd));
	LOG(close(listener));
}

CONFORM(connect, refused)
{
	struct sockaddr_in addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener = tcp_listener(8, &server), error;
	socklen_t length = sizeof(error);

	nobody(&addr);
	LOG(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	LOG(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	note("%d", error); /* connect has taken it */
	LOG(send(fd, "x", 1, MSG_NOSIGNAL));
	LOG(recv(fd, in, 1, 0));
	LOG(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(send(fd, "x", 1, 0));
	LOG(close(fd));
	LOG(close(listener));
}

static int ask_error(int fd)
{
	struct pollfd ask = { .fd = fd, .events = POLLOUT };
	socklen_t length = sizeof(int);
	int error = -1;

	LOG(poll(&ask, 1, 2000));
	note("%x", ask.revents);
	LOG(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	return error;
}

CONFORM(connect, nonblocking)
{
	struct sockaddr_in addr;
	int listener = tcp_listener(8, &server),
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	nobody(&addr);
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	note("%s", strerrorname_np(ask_error(fd)));
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(recv(fd, in, 1, 0));
	LOG(close(fd));

	fd = socket(AF_INET, SOCK_STREAM, 0);
	set_nonblocking(fd);
	LOG(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	note("%s", strerrorname_np(ask_error(fd)));
	LOG((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	LOG(close(fd));
	LOG(close(listener));
}

/* A listener whose queue is full leaves SYNs unanswered: what connects then waits.
 * Returns the clients that fill it. */
static void fill_queue(int listener, int fds[2])
{
	(void)listener;
	fds[0] = dial();
	for (int i = 1; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK_GE(fds[i], 0);
		connect(fds[i], (struct sockaddr *)&server, sizeof(server));
	}
	pause_ms(20);
}

/* The limit of sending is connect's, too. */
CONFORM(connect, a_time_limit)
{
	int listener = tcp_listener(0, &server), fd = socket(AF_INET, SOCK_STREAM, 0), fds[2];
	int64_t start_ms;

	fill_queue(listener, fds);
	set_timeout(fd, SO_SNDTIMEO, 60);
	start_ms = now_ms();
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	note("not early: %d", now_ms() - start_ms >= 59);
	LOG(fcntl(fd, F_GETFL) & O_NONBLOCK);
	start_ms = now_ms();
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	note("waited again: %d", now_ms() - start_ms >= 59);
	LOG(close(fd));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
	LOG(close(listener));
}

static void drain_soon(int listener)
{
	pause_ms(20);
	close(accept(listener, NULL, NULL));
	close(accept(listener, NULL, NULL));
}

/* The kernel tries again after a second. */
CONFORM(connect, waits_for_room_in_the_queue)
{
	int listener = tcp_listener(0, &server), fd = socket(AF_INET, SOCK_STREAM, 0), fds[2];

	fill_queue(listener, fds);
	peer(drain_soon, listener);
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(fcntl(fd, F_GETFL) & O_NONBLOCK);
	LOG(send(fd, "x", 1, 0));
	peers_end();
	LOG(close(fd));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
	LOG(close(listener));
}

CONFORM(connect, errors)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct sockaddr_in odd = { .sin_family = 12345 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), fds[2], listener = tcp_listener(8, &server);

	CHECK_EQ(pipe(fds), 0);
	LOG(connect(fd, (struct sockaddr *)&odd, sizeof(odd)));
	LOG(connect(fd, (struct sockaddr *)&addr, 3));
	LOG(connect(fd, no_address, sizeof(addr)));
	LOG(connect(fd, (struct sockaddr *)&addr, 100000));
	LOG(connect(fds[0], (struct sockaddr *)&server, sizeof(server)));
	LOG(connect(-1, (struct sockaddr *)&server, sizeof(server)));
	LOG(connect(listener, (struct sockaddr *)&server, sizeof(server)));
	addr.sin_addr.s_addr = htonl(INADDR_BROADCAST); /* TCP has no way there */
	LOG(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	LOG(close(fd));
	LOG(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	LOG(close(listener));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

CONFORM(connect, datagram_sockets_only_remember)
{
	struct sockaddr_in addr;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	nobody(&addr);
	LOG(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	LOG(connect(fd, &none, sizeof(none)));
	LOG(send(fd, "x", 1, 0));
	LOG(close(fd));
}

CONFORM(connect, unix_sockets)
{
	struct sockaddr_un absent = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" };
	int listener = unix_listener(8), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int dgram = socket(AF_UNIX, SOCK_DGRAM, 0);

	LOG(connect(fd, (struct sockaddr *)&absent, sizeof(absent)));
	LOG(connect(dgram, (struct sockaddr *)&unix_server, sizeof(unix_server)));
	LOG(connect(fd, (struct sockaddr *)&unix_server, sizeof(unix_server)));
	LOG(connect(fd, (struct sockaddr *)&unix_server, sizeof(unix_server)));
	LOG(close(listener));
	LOG(recv(fd, in, 1, 0));
	LOG(close(fd));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	LOG(connect(fd, (struct sockaddr *)&unix_server, sizeof(unix_server)));
	LOG(close(fd));
	LOG(close(dgram));
}

/* Unix: a full queue makes connect wait, EAGAIN when it may not. */
CONFORM(connect, unix_queue_full)
{
	int listener = unix_listener(0), fds[4], i;

	for (i = 0; i < 4; i++)
		fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	LOG(connect(fds[0], (struct sockaddr *)&unix_server, sizeof(unix_server)));
	set_nonblocking(fds[1]);
	LOG(connect(fds[1], (struct sockaddr *)&unix_server, sizeof(unix_server)));
	set_timeout(fds[2], SO_SNDTIMEO, 40);
	LOG(connect(fds[2], (struct sockaddr *)&unix_server, sizeof(unix_server)));
	peer(accept_soon, listener);
	LOG(connect(fds[3], (struct sockaddr *)&unix_server, sizeof(unix_server)));
	LOG(fcntl(fds[3], F_GETFL) & O_NONBLOCK);
	peers_end();
	for (i = 0; i < 4; i++)
		LOG(close(fds[i]));
	LOG(close(listener));
}
