/* SPDX-License-Identifier: MIT
 *
 * datagram.c - sockets that keep messages apart: UDP, Unix datagrams and
 * sequenced packets.
 */
#include "conform.h"

static char in[70000];

/* Two UDP sockets, each connected to the other. */
static void udp_pair(int fds[2])
{
	struct sockaddr_in addr[2];
	socklen_t length = sizeof(addr[0]);

	for (int i = 0; i < 2; i++) {
		memset(&addr[i], 0, sizeof(addr[i]));
		addr[i].sin_family = AF_INET;
		addr[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK_GE(fds[i], 0);
		CHECK_EQ(bind(fds[i], (struct sockaddr *)&addr[i], length), 0);
		CHECK_EQ(getsockname(fds[i], (struct sockaddr *)&addr[i], &length), 0);
	}
	CHECK_EQ(connect(fds[0], (struct sockaddr *)&addr[1], length), 0);
	CHECK_EQ(connect(fds[1], (struct sockaddr *)&addr[0], length), 0);
}

static void unix_dgram_pair(int fds[2])
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
}

static void packet_pair(int fds[2])
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
}

#define EACH_KIND(name)                                    \
	static void name##_over(void (*pair)(int fds[2])); \
	CONFORM(datagram, name)                            \
	{                                                  \
		note("udp");                               \
		name##_over(udp_pair);                     \
		note("unix datagram");                     \
		name##_over(unix_dgram_pair);              \
		note("unix packet");                       \
		name##_over(packet_pair);                  \
	}                                                  \
	static void name##_over(void (*pair)(int fds[2]))

static void say_two(int fd)
{
	pause_ms(20);
	CHECK_EQ(send(fd, "first", 5, 0), 5);
	CHECK_EQ(write(fd, "second one", 10), 10);
}

static void say_nothing(int fd)
{
	pause_ms(20);
	CHECK_EQ(send(fd, "", 0, 0), 0);
}

EACH_KIND(messages_stay_apart)
{
	int fds[2];

	pair(fds);
	peer(say_two, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 100, 0)));
	note_bytes(in, LOG(read(fds[0], in, 100)));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

EACH_KIND(a_long_message_is_cut)
{
	struct iovec iov = { in, 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2];

	pair(fds);
	peer(say_two, fds[1]);
	LOG(recvmsg(fds[0], &msg, 0));
	note("flags %x", msg.msg_flags);
	LOG(recv(fds[0], in, 4, MSG_TRUNC | MSG_PEEK));
	LOG(recv(fds[0], in, 4, 0));
	LOG(recv(fds[0], in, 4, MSG_DONTWAIT));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* Row 73: an empty message is a message, and no end of file. */
EACH_KIND(an_empty_message_ends_a_wait)
{
	int fds[2];

	pair(fds);
	peer(say_nothing, fds[1]);
	LOG(recv(fds[0], in, 100, 0));
	peers_end();
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(write(fds[1], "", 0));
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(send(fds[1], "", 0, 0));
	LOG(send(fds[1], "x", 1, 0));
	LOG(read(fds[0], in, 100));
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

/* WAITALL asks a message socket for nothing. */
EACH_KIND(waitall_takes_one_message)
{
	int fds[2];

	pair(fds);
	peer(say_two, fds[1]);
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_WAITALL)));
	note_bytes(in, LOG(recv(fds[0], in, 100, MSG_WAITALL)));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

EACH_KIND(a_message_too_long_is_refused)
{
	static char huge[300000];
	int fds[2], bytes = 8192;

	pair(fds);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	LOG(send(fds[0], huge, sizeof(huge), 0));
	LOG(write(fds[0], huge, sizeof(huge)));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

EACH_KIND(a_time_limit)
{
	int fds[2];

	pair(fds);
	set_timeout(fds[0], SO_RCVTIMEO, 30);
	LOG(recv(fds[0], in, 100, 0));
	LOG(recv(fds[0], in, 100, MSG_PEEK));
	set_nonblocking(fds[0]);
	LOG(recv(fds[0], in, 100, 0));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static void read_all_slowly(int fd)
{
	char sink[100];

	pause_ms(20);
	for (int i = 0; i < 2000; i++)
		CHECK_EQ(recv(fd, sink, sizeof(sink), 0), 50);
}

/* A full queue of the receiver makes the sender of a Unix socket wait. */
CONFORM(datagram, sending_waits_for_room)
{
	int fds[2], i;
	long sum = 0;

	unix_dgram_pair(fds);
	peer(read_all_slowly, fds[1]);
	for (i = 0; i < 2000; i++)
		sum += send(fds[0], in, 50, 0);
	note("%ld", sum);
	peers_end();
	while (send(fds[0], in, 50, MSG_DONTWAIT) == 50)
		;
	LOG(send(fds[0], in, 50, MSG_DONTWAIT));
	set_timeout(fds[0], SO_SNDTIMEO, 30);
	LOG(send(fds[0], in, 50, 0));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

CONFORM(datagram, addresses)
{
	struct sockaddr_in addr, from = { 0 };
	socklen_t length = sizeof(addr), from_length = sizeof(from);
	int fds[2], plain = socket(AF_INET, SOCK_DGRAM, 0);

	udp_pair(fds);
	CHECK_EQ(getsockname(fds[1], (struct sockaddr *)&addr, &length), 0);
	LOG(send(plain, "x", 1, 0));
	LOG(sendto(plain, "x", 1, 0, NULL, 0));
	LOG(sendto(fds[0], "to", 2, 0, (struct sockaddr *)&addr, length));
	note_bytes(in, LOG(recvfrom(fds[1], in, 100, 0, (struct sockaddr *)&from, &from_length)));
	note("%u %d %x", from_length, from.sin_family, ntohl(from.sin_addr.s_addr));
	addr.sin_port = 0;
	LOG(sendto(fds[0], "to", 2, 0, (struct sockaddr *)&addr, length));
	LOG(sendto(fds[0], "to", 2, 0, (struct sockaddr *)&addr, 3));
	LOG(close(plain));
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static void send_to_nobody(int fd)
{
	pause_ms(20);
	send(fd, "x", 1, 0);
}

CONFORM(datagram, refused)
{
	struct pollfd ask;
	int fds[2];

	udp_pair(fds);
	LOG(close(fds[1]));
	peer(send_to_nobody, fds[0]);
	LOG(recv(fds[0], in, 100, 0)); /* the refusal comes while we wait */
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(send(fds[0], "x", 1, 0));
	ask = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	LOG(poll(&ask, 1, 1000));
	note("%x", ask.revents);
	LOG(send(fds[0], "x", 1, 0)); /* reports the last one's error */
	LOG(recv(fds[0], in, 100, MSG_DONTWAIT));
	LOG(close(fds[0]));
}

static void close_soon(int fd)
{
	pause_ms(20);
	close(fd);
}

CONFORM(datagram, end_of_a_packet_socket)
{
	int fds[2];

	packet_pair(fds);
	peer(close_soon, fds[1]);
	LOG(recv(fds[0], in, 100, 0));
	signal(SIGPIPE, SIG_IGN);
	LOG(send(fds[0], "x", 1, 0));
	LOG(close(fds[0]));

	unix_dgram_pair(fds);
	LOG(close(fds[1]));
	LOG(send(fds[0], "x", 1, 0));
	LOG(close(fds[0]));
}
