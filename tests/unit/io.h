/* SPDX-License-Identifier: MIT
 *
 * io.h - what the tests of the io layer share.
 */
#ifndef WEFT_TESTS_UNIT_IO_H
#define WEFT_TESTS_UNIT_IO_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <io/blocking.h>
#include <test.h>
#include <weft/weft.h>

/* A case whose body is the main task of a runtime. */
#define RUN_TEST(group, name)                                                \
	static int body_##group##_##name(void *arg);                         \
	TEST(group, name)                                                    \
	{                                                                    \
		int ret = -1;                                                \
		CHECK_EQ(weft_run(1, body_##group##_##name, NULL, &ret), 0); \
		CHECK_EQ(ret, 0);                                            \
	}                                                                    \
	static int body_##group##_##name(void *arg __attribute__((unused)))

static inline weft_task *start(weft_fn *fn, void *arg)
{
	weft_task *task = NULL;

	CHECK_EQ(weft_spawn(&task, NULL, fn, arg), 0);
	return task;
}

static inline int finish(weft_task *task)
{
	int ret = -1;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	return ret;
}

/* Lets every other task run until it waits. */
static inline void settle(void)
{
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_task_yield(), 0);
}

static inline void open_pair(int type, int fds[2])
{
	CHECK_EQ(socketpair(AF_UNIX, type, 0, fds), 0);
}

static inline int listen_tcp(struct sockaddr_in *addr, int backlog)
{
	socklen_t bytes = sizeof *addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK_GE(fd, 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)addr, bytes), 0);
	CHECK_EQ(listen(fd, backlog), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)addr, &bytes), 0);
	return fd;
}

/* Connected TCP sockets; neither is known to weft yet. */
static inline void open_tcp(int fds[2])
{
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr, 8);

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(fds[0], (struct sockaddr *)&addr, sizeof addr), 0);
	fds[1] = accept(listener, NULL, NULL);
	CHECK_GE(fds[1], 0);
	close(listener);
}

static inline unsigned ready_bits(int fd)
{
	return fd_tick(weft__fd(fd)) & 255;
}

#endif
