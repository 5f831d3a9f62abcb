/* SPDX-License-Identifier: MIT
 *
 * early.c - rows 74 and 76: hooked calls before the library's constructor has run.
 * Functions of .preinit_array are the earliest code of a program; nothing has
 * been resolved then, and each hook must do its work by system call.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "hooked.h"

static char early_bytes[64];
static int early_failures, early_line;

#define EXPECT(cond)                           \
	do {                                   \
		if (!(cond)) {                 \
			early_failures++;      \
			early_line = __LINE__; \
		}                              \
	} while (0)

static void use_pipes(void)
{
	int fds[2], more[2], zero = 0;
	struct iovec iov = { early_bytes, 3 };

	EXPECT(pipe(fds) == 0);
	EXPECT(write(fds[1], "abc", 3) == 3);
	EXPECT(read(fds[0], early_bytes, sizeof(early_bytes)) == 3);
	EXPECT(writev(fds[1], &iov, 1) == 3);
	EXPECT(readv(fds[0], &iov, 1) == 3);
	EXPECT(pipe2(more, O_CLOEXEC) == 0);
	EXPECT(fcntl(more[0], F_GETFD) == FD_CLOEXEC);
	EXPECT(dup2(fds[0], more[0]) == more[0]);
	EXPECT(dup2(fds[0], fds[0]) == fds[0]);
	EXPECT(dup2(-1, -1) == -1 && errno == EBADF);
	EXPECT(dup3(fds[0], more[1], 0) == more[1]);
	EXPECT(ioctl(fds[0], FIONBIO, &zero) == 0);
	EXPECT(close(dup(fds[0])) == 0);
	EXPECT(close(fds[0]) == 0);
	EXPECT(close(fds[1]) == 0);
	EXPECT(close(more[0]) == 0);
	EXPECT(close(more[1]) == 0);
	errno = 0;
	EXPECT(read(fds[0], early_bytes, 1) == -1);
	EXPECT(errno == EBADF);
}

/* As allocators do; and what is locked here is unlocked when libc's functions are known. */
static pthread_mutex_t early_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t early_recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t early_checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

static void use_mutexes(void)
{
	EXPECT(pthread_mutex_lock(&early_mutex) == 0);
	EXPECT(pthread_mutex_trylock(&early_mutex) == EBUSY);
	EXPECT(pthread_mutex_unlock(&early_mutex) == 0);
	EXPECT(pthread_mutex_trylock(&early_mutex) == 0);
	EXPECT(pthread_mutex_lock(&early_recursive) == 0);
	EXPECT(pthread_mutex_lock(&early_recursive) == 0);
	EXPECT(pthread_mutex_trylock(&early_recursive) == 0);
	EXPECT(pthread_mutex_unlock(&early_recursive) == 0);
	EXPECT(pthread_mutex_lock(&early_checking) == 0);
	EXPECT(pthread_mutex_lock(&early_checking) == EDEADLK);
}

static void use_sockets(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t length = sizeof(addr);
	struct timeval limit = { 1, 0 };
	struct iovec iov = { early_bytes, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2], fd, client, server;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(send(pair[0], "x", 1, 0) == 1);
	EXPECT(recv(pair[1], early_bytes, 1, 0) == 1);
	EXPECT(sendto(pair[0], "x", 1, 0, NULL, 0) == 1);
	EXPECT(recvfrom(pair[1], early_bytes, 1, 0, NULL, NULL) == 1);
	EXPECT(sendmsg(pair[0], &msg, 0) == 1);
	EXPECT(recvmsg(pair[1], &msg, 0) == 1);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT(bind(fd, (struct sockaddr *)&addr, length) == 0);
	EXPECT(listen(fd, 4) == 0);
	EXPECT(getsockname(fd, (struct sockaddr *)&addr, &length) == 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	EXPECT(connect(client, (struct sockaddr *)&addr, length) == 0);
	server = accept(fd, NULL, NULL);
	EXPECT(server >= 0);
	EXPECT(close(server) == 0);
	EXPECT(close(client) == 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(connect(client, (struct sockaddr *)&addr, length) == 0);
	server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	EXPECT(server >= 0);
	close(server);
	close(client);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void use_time(void)
{
	struct timespec some = { 0, 1000000 }, bad = { 0, -1 };
	struct timeval limit = { 0, 1000 };
	struct pollfd none = { -1, 0, 0 };

	EXPECT(nanosleep(&some, NULL) == 0);
	EXPECT(nanosleep(&bad, NULL) == -1 && errno == EINVAL);
	EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL) == 0);
	EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL) == EINVAL);
	EXPECT(usleep(1000) == 0);
	EXPECT(sleep(0) == 0);
	EXPECT(poll(&none, 1, 1) == 0);
	EXPECT(ppoll(&none, 1, &some, NULL) == 0);
	EXPECT(some.tv_nsec == 1000000);
	EXPECT(select(0, NULL, NULL, NULL, &limit) == 0);
	EXPECT(pselect(0, NULL, NULL, NULL, &some, NULL) == 0);
	EXPECT(some.tv_nsec == 1000000);
}

static void use_all(void)
{
	use_pipes();
	use_mutexes();
	use_sockets();
	use_time();
}

__attribute__((section(".preinit_array"), used)) static void (*const first_of_all)(void) = use_all;

TEST(early, every_call_works_before_the_constructor)
{
	if (early_failures)
		test_fail_values(__FILE__, early_line, "an early call", early_failures, 0);
	CHECK_EQ(memcmp(early_bytes, "x", 1), 0);
}

/* A case runs in a fork, where libc's owners are others: after the library's constructor, before
 * that. */
__attribute__((constructor)) static void unlock_mutexes(void)
{
	EXPECT(pthread_mutex_unlock(&early_mutex) == 0);
	EXPECT(pthread_mutex_destroy(&early_checking) == EBUSY);
	EXPECT(pthread_mutex_unlock(&early_checking) == 0);
	EXPECT(pthread_mutex_unlock(&early_checking) == EPERM);
	EXPECT(pthread_mutex_unlock(&early_recursive) == 0);
	EXPECT(pthread_mutex_unlock(&early_recursive) == 0);
	EXPECT(pthread_mutex_unlock(&early_recursive) == EPERM);
	EXPECT(pthread_mutex_destroy(&early_recursive) == 0);
	EXPECT(pthread_mutex_destroy(&early_checking) == 0);
	EXPECT(pthread_mutex_destroy(&early_mutex) == 0);
}

TEST(early, what_was_locked_then_is_unlocked_later)
{
	if (early_failures)
		test_fail_values(__FILE__, early_line, "an early lock", early_failures, 0);
}
