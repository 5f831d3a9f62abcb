/* SPDX-License-Identifier: MIT
 *
 * hooked.h - what the fault tests of hooked calls have in common.
 */
#ifndef WEFT_TESTS_HOOKED_H
#define WEFT_TESTS_HOOKED_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/weft.h>

#include "test.h"

static inline weft_task *start(weft_fn *fn, intptr_t number)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, fn, (void *)number), 0);
	return task;
}

static inline int join(weft_task *task)
{
	int result;

	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	return result;
}

static inline int number_of(void *arg)
{
	return (int)(intptr_t)arg;
}

static inline int listen_on_loopback(int backlog, struct sockaddr_in *ret_addr)
{
	socklen_t length = sizeof(*ret_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sin_family = AF_INET;
	ret_addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_GE(fd, 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)ret_addr, length), 0);
	CHECK_EQ(listen(fd, backlog), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)ret_addr, &length), 0);
	return fd;
}

static inline int connect_to(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_GE(fd, 0);
	CHECK_EQ(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

/** Two connected TCP ends. */
static inline void connected_pair(int fds[2])
{
	struct sockaddr_in addr;
	int listener = listen_on_loopback(1, &addr);

	fds[0] = connect_to(&addr);
	fds[1] = accept(listener, NULL, NULL);
	CHECK_GE(fds[1], 0);
	close(listener);
}

#endif
