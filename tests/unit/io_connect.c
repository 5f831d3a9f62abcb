/* SPDX-License-Identifier: MIT
 *
 * io_connect.c - connecting and accepting.
 */
#include "io.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/un.h>

enum { MS = 1000000 };

#define ARG(fd) ((void *)(intptr_t)(fd))
#define ADDR(a) ((struct sockaddr *)(a)), sizeof *(a)

static int accept_one(void *arg)
{
	return weft_accept((int)(intptr_t)arg, NULL, NULL, SOCK_CLOEXEC, WEFT_FOREVER);
}

static struct timeval option(int fd, int name)
{
	struct timeval tv = { -7, 0 };
	socklen_t bytes = sizeof tv;

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, name, &tv, &bytes), 0);
	return tv;
}

RUN_TEST(connect, meets_accept)
{
	struct sockaddr_in addr, peer;
	socklen_t bytes = sizeof peer;
	int listener = listen_tcp(&addr, 8), fd = socket(AF_INET, SOCK_STREAM, 0), other;
	weft_task *task = start(accept_one, ARG(listener));
	char byte;

	settle();
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), 0);
	other = finish(task);
	CHECK_GE(other, 0);
	CHECK(fcntl(other, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(fcntl(other, F_GETFL), O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
	CHECK_EQ(fcntl(listener, F_GETFL), O_RDWR);
	CHECK_EQ(weft_send(fd, "x", 1, 0, WEFT_FOREVER), 1);
	CHECK_EQ(weft_recv(other, &byte, 1, 0, WEFT_FOREVER), 1);
	/* What the kernel thinks of the socket is as after a blocking connect. */
	CHECK_EQ(connect(fd, ADDR(&addr)), -1);
	CHECK_EQ(errno, EISCONN);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), -EISCONN);

	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), 0);
	other = weft_accept(listener, (struct sockaddr *)&peer, &bytes, SOCK_NONBLOCK,
			    WEFT_FOREVER);
	CHECK_GE(other, 0);
	CHECK_EQ(bytes, sizeof peer);
	CHECK_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(fcntl(other, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK(weft__fd_nonblocking(weft__fd(other), other));
	return 0;
}

RUN_TEST(connect, refused)
{
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 8), fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(weft_close(listener), 0);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), -ECONNREFUSED);
	/* And once more on the same socket, as Linux allows. */
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(weft_connect(0, ADDR(&addr), WEFT_FOREVER), -ENOTSOCK);
	CHECK_EQ(weft_connect(900, ADDR(&addr), WEFT_FOREVER), -EBADF);
	return 0;
}

/* A listener whose queue is full does not answer: connections hang. */
static void fill(const struct sockaddr_in *addr)
{
	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		connect(fd, (const struct sockaddr *)addr, sizeof *addr);
	}
	usleep(20000);
}

static int connect_forever(void *arg)
{
	struct sockaddr_in *addr = arg;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return weft_connect(fd, ADDR(addr), WEFT_FOREVER);
}

RUN_TEST(connect, timed_out_and_cancelled)
{
	struct timeval users = { 0, 20000 };
	struct sockaddr_in addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	weft_task *task;
	int64_t until;

	listen_tcp(&addr, 0);
	fill(&addr);
	until = weft_in_ms(20);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), until), -ETIMEDOUT);
	CHECK_GE(weft_now(), until);
	/* The attempt goes on, and a second call waits for the same. */
	CHECK_EQ(weft_connect(fd, ADDR(&addr), weft_in_ms(5)), -ETIMEDOUT);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_NOWAIT), -EALREADY);
	CHECK_EQ(option(fd, SO_SNDTIMEO).tv_sec, 0);

	task = start(connect_forever, &addr);
	settle();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(finish(task), -ECANCELED);

	/* As POSIX: SO_SNDTIMEO bounds it, and is kept. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &users, sizeof users), 0);
	until = weft_in_ms(20);
	CHECK_EQ(weft__io_connect(fd, ADDR(&addr), IO_POSIX), -EINPROGRESS);
	CHECK_GE(weft_now(), until);
	CHECK_EQ(option(fd, SO_SNDTIMEO).tv_usec, 20000);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(weft__io_connect(fd, ADDR(&addr), IO_POSIX), -EINPROGRESS);
	CHECK_EQ(weft__io_connect(fd, ADDR(&addr), IO_POSIX), -EALREADY);
	return 0;
}

RUN_TEST(connect, closed_while_waiting)
{
	struct sockaddr_in addr;
	weft_task *task;
	int next;

	listen_tcp(&addr, 0);
	fill(&addr);
	next = dup(0);
	close(next); /* the number that the task's socket will get */
	task = start(connect_forever, &addr);
	settle();
	CHECK_EQ(weft_close(next), 0);
	CHECK_EQ(finish(task), -EBADF);
	return 0;
}

/* --- AF_UNIX ----------------------------------------------------------------------- */

static struct sockaddr_un abstract_name(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path + 1, sizeof addr.sun_path - 1, "weft-%s-%d", name, (int)getpid());
	return addr;
}

static int accept_later(void *arg)
{
	weft_sleep(5 * MS);
	return accept_one(arg);
}

RUN_TEST(connect, unix_listener_with_a_full_queue)
{
	struct sockaddr_un addr = abstract_name("queue");
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = -1, rc = 0, count = 0;
	weft_task *task;

	CHECK_EQ(bind(listener, ADDR(&addr)), 0);
	CHECK_EQ(listen(listener, 1), 0);
	while (rc == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		rc = weft_connect(fd, ADDR(&addr), WEFT_NOWAIT);
		CHECK_LT(++count, 10);
	}
	CHECK_EQ(rc, -EAGAIN);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), weft_in_ms(3)), -ETIMEDOUT);
	task = start(accept_later, ARG(listener));
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), 0);
	CHECK_GE(finish(task), 0);
	return 0;
}

/* --- accepting -------------------------------------------------------------------- */

RUN_TEST(accept, deadline_nonblock_and_errors)
{
	struct timeval tv = { 0, 3000 };
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 8), pipes[2];
	int64_t until = weft_in_ms(3);

	CHECK_EQ(weft_accept(listener, NULL, NULL, 0, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_accept(listener, NULL, NULL, 0, until), -ETIMEDOUT);
	CHECK_GE(weft_now(), until);
	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
	weft__fd_set_timeout(listener, POLL_READABLE, 3 * MS);
	until = weft_in_ms(3);
	CHECK_EQ(weft__io_accept(listener, NULL, NULL, 0, IO_POSIX), -EAGAIN);
	CHECK_GE(weft_now(), until);

	CHECK_EQ(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	weft__fd_set_nonblocking(listener, true);
	CHECK_EQ(weft__io_accept(listener, NULL, NULL, 0, IO_POSIX), -EAGAIN);

	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(weft_accept(pipes[0], NULL, NULL, 0, WEFT_FOREVER), -ENOTSOCK);
	CHECK_EQ(weft_accept(900, NULL, NULL, 0, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_accept(socket(AF_INET, SOCK_DGRAM, 0), NULL, NULL, 0, WEFT_FOREVER),
		 -EOPNOTSUPP);
	CHECK_EQ(weft_accept(socket(AF_INET, SOCK_STREAM, 0), NULL, NULL, 0, WEFT_FOREVER),
		 -EINVAL);
	CHECK_EQ(weft_accept(listener, NULL, NULL, 1 << 30, WEFT_FOREVER), -EINVAL);
	return 0;
}

/* On Linux a connection takes over its listener's timeouts, and we know. */
RUN_TEST(accept, connections_inherit_timeouts)
{
	struct timeval tv = { 0, 4000 };
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 8), fd = socket(AF_INET, SOCK_STREAM, 0), other;
	int64_t until;
	char byte;

	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), 0);
	other = weft_accept(listener, NULL, NULL, 0, WEFT_FOREVER);
	CHECK_EQ(option(other, SO_RCVTIMEO).tv_usec, 4000);
	until = weft_in_ms(4);
	CHECK_EQ(weft__io_recv(other, &byte, 1, 0, IO_POSIX), -EAGAIN);
	CHECK_GE(weft_now(), until);
	return 0;
}

RUN_TEST(accept, several_tasks_on_one_listener)
{
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 8);
	weft_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = start(accept_one, ARG(listener));
	settle();
	for (int i = 0; i < 3; i++)
		CHECK_EQ(connect_forever(&addr), 0);
	for (int i = 0; i < 3; i++)
		CHECK_GE(finish(tasks[i]), 0);
	return 0;
}

/* A connection that is reset before it is accepted. */
RUN_TEST(accept, aborted_connection)
{
	struct linger hard = { 1, 0 };
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 8), fd = socket(AF_INET, SOCK_STREAM, 0), other;
	char byte;

	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
	CHECK_EQ(weft_close(fd), 0);
	other = weft_accept(listener, NULL, NULL, 0, weft_in_s(5));
	CHECK_GE(other, 0); /* Linux hands it out; its first read tells */
	CHECK_EQ(weft_recv(other, &byte, 1, 0, WEFT_FOREVER), -ECONNRESET);
	return 0;
}

/* --- no descriptors left ---------------------------------------------------------- */

static struct {
	int listener, failures, spare, got;
} squeeze;

/* The usual server loop, which tries again at once. */
static int accept_stubbornly(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = weft_accept(squeeze.listener, NULL, NULL, 0, WEFT_FOREVER)) == -EMFILE)
		squeeze.failures++;
	squeeze.got = fd;
	return fd < 0 ? fd : 0;
}

RUN_TEST(accept, without_descriptors_others_still_run)
{
	struct rlimit limit = { 128, 128 };
	struct sockaddr_in addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0), last = -1, next;
	weft_task *task;

	squeeze.listener = listen_tcp(&addr, 8);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(weft_connect(fd, ADDR(&addr), WEFT_FOREVER), 0);
	while ((next = dup(0)) >= 0)
		last = next;
	task = start(accept_stubbornly, NULL);
	CHECK_EQ(weft_sleep(20 * MS), 0); /* this task gets its turns */
	CHECK_GE(squeeze.failures, 2);
	CHECK_LT(squeeze.failures, 200); /* and the other does not burn the CPU */
	close(last);
	CHECK_EQ(finish(task), 0);
	CHECK_EQ(squeeze.got, last);
	return 0;
}

/* --- two threads accept ------------------------------------------------------------ */

enum { CONNECTIONS = 400 };
static _Atomic int accepted_total;

static int accept_until_late(void *arg)
{
	int fd;

	while ((fd = weft_accept((int)(intptr_t)arg, NULL, NULL, 0, WEFT_FOREVER)) >= 0) {
		if (++accepted_total == CONNECTIONS)
			shutdown((int)(intptr_t)arg, SHUT_RD);
		weft_close(fd);
	}
	return fd == -EINVAL ? 0 : fd;
}

static void *accept_thread(void *arg)
{
	int ret = -1;

	CHECK_EQ(weft_run(1, accept_until_late, arg, &ret), 0);
	CHECK_EQ(ret, 0);
	return NULL;
}

TEST(accept, two_runtimes_on_one_listener)
{
	struct linger hard = { 1, 0 };
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 1000);
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, accept_thread, ARG(listener)), 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		CHECK_EQ(connect(fd, ADDR(&addr)), 0);
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
		close(fd); /* leaves no TIME_WAIT behind */
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(accepted_total, CONNECTIONS);
}

/* --- several processes accept -------------------------------------------------------- */

/* Each child accepts, and answers pings. The parent connects and then pings both: one
 * that stands still in accept(2) because the other took the connection is silent. */
enum { CHILDREN = 2, PINGS = 4000 };

static int answer_pings(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	while (weft_read(fd, &byte, 1, WEFT_FOREVER) == 1)
		CHECK_EQ(weft_write(fd, &byte, 1, WEFT_FOREVER), 1);
	_exit(0); /* the parent is done */
}

static int accept_all(void *arg)
{
	int *fds = arg, fd;

	CHECK_EQ(weft_go(answer_pings, fds), 0);
	while ((fd = weft_accept(fds[1], NULL, NULL, 0, WEFT_FOREVER)) >= 0)
		weft_close(fd);
	return fd;
}

TEST(accept, processes_that_share_a_listener)
{
	struct linger hard = { 1, 0 };
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 64), pipes[CHILDREN][2];
	char byte = 'p';

	for (int i = 0; i < CHILDREN; i++) {
		open_pair(SOCK_STREAM, pipes[i]);
		if (fork() == 0) {
			int fds[2] = { pipes[i][1], listener };

			for (int k = 0; k <= i; k++)
				close(pipes[k][0]);
			weft_run(1, accept_all, fds, NULL);
			_exit(1);
		}
		close(pipes[i][1]);
	}
	for (int n = 0; n < PINGS; n++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		CHECK_EQ(connect(fd, ADDR(&addr)), 0);
		/* An orderly end comes when one of them has accepted and closed. */
		CHECK_EQ(recv(fd, &byte, 1, 0), 0);
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
		close(fd);
		for (int i = 0; i < CHILDREN; i++)
			CHECK_EQ(send(pipes[i][0], &byte, 1, 0), 1);
		for (int i = 0; i < CHILDREN; i++)
			CHECK_EQ(recv(pipes[i][0], &byte, 1, 0), 1);
	}
}
