/* SPDX-License-Identifier: MIT
 *
 * lifecycle.c - row 74 and what belongs to it: hooked calls before there is a
 * runtime, hooks switched off, cancelled calls.
 */
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/select.h>
#include <time.h>

#include "hooked.h"

/* --- 74: calls before init, init twice --------------------------------------------------- */

TEST(lifecycle, row74_hooked_calls_before_init_are_libcs)
{
	struct timespec some = { 0, 1000000 };
	struct pollfd ask;
	int fds[2], flags;
	char byte;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	ask = (struct pollfd){ fds[0], POLLIN, 0 };
	CHECK_EQ(poll(&ask, 1, -1), 1);
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	flags = fcntl(fds[0], F_GETFL);
	CHECK_EQ(fcntl(fds[0], F_SETFL, flags | O_NONBLOCK), 0);
	CHECK_EQ(read(fds[0], &byte, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(nanosleep(&some, NULL), 0);
	CHECK_EQ(weft_hook_enabled(), 0);
	CHECK_EQ(weft_hook_enable(), -EPERM);
	CHECK_EQ(weft_hook_disable(), -EPERM);
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(close(fds[1]), 0);
	CHECK_EQ(weft_self(), NULL); /* none of that made a runtime */
}

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

static int run_again(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_run(1, nothing, NULL, NULL), -EBUSY);
	CHECK_EQ(weft_hook_enabled(), 1);
	return 5;
}

TEST(lifecycle, row74_init_twice)
{
	int result, round;

	for (round = 0; round < 3; round++) { /* one after the other is fine */
		CHECK_EQ(weft_run(1, run_again, NULL, &result), 0);
		CHECK_EQ(result, 5);
	}
	CHECK_EQ(weft_go(nothing, NULL), 0);
	CHECK_EQ(weft_run(1, nothing, NULL, NULL), -EBUSY); /* there is an implicit one */
}

/* What was opened and changed before the runtime is as the user left it. */
TEST(lifecycle, row74_descriptors_from_before_init)
{
	struct timeval limit = { 0, 20000 };
	int fds[2], nonblocking[2];
	char byte;

	connected_pair(fds);
	CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	CHECK_EQ(pipe2(nonblocking, O_NONBLOCK), 0);
	CHECK_EQ(weft_sleep(1), 0);
	CHECK_EQ(recv(fds[0], &byte, 1, 0), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(read(nonblocking[0], &byte, 1), -1);
	CHECK_EQ(errno, EAGAIN);
}

/* --- hooks off ------------------------------------------------------------------------------- */

static bool other_ran;

static int note_run(void *unused)
{
	(void)unused;
	other_ran = true;
	return 0;
}

static int sleep_unhooked(void *unused)
{
	(void)unused;
	if (weft_hook_enabled()) {
		CHECK_EQ(weft_hook_disable(), 0);
		CHECK_EQ(weft_hook_enabled(), 0);
	}
	CHECK_EQ(weft_go(note_run, NULL), 0);
	CHECK_EQ(usleep(5000), 0);
	CHECK(!other_ran); /* the thread slept, and not the task alone */
	CHECK_EQ(weft_hook_enable(), 0);
	CHECK_EQ(weft_hook_enabled(), 1);
	CHECK_EQ(usleep(5000), 0);
	CHECK(other_ran);
	return 0;
}

TEST(lifecycle, hooks_can_be_switched_off)
{
	weft_attr attr = { .flags = WEFT_NO_HOOKS };
	weft_task *task;

	CHECK_EQ(join(start(sleep_unhooked, 0)), 0);
	other_ran = false;
	CHECK_EQ(weft_spawn(&task, &attr, sleep_unhooked, NULL), 0);
	CHECK_EQ(join(task), 0);
}

/* --- cancellation ------------------------------------------------------------------------------- */

enum { CALLS = 18 };

static int fds[2], listener, full_fd, udp_fd;
static struct sockaddr_in full;

static long call(int which)
{
	static char block[1 << 20];
	struct timespec long_time = { 100, 0 };
	struct pollfd ask = { fds[0], POLLIN, 0 };
	struct iovec iov = { block, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	switch (which) {
	case 0:
		return read(fds[0], block, 10);
	case 1:
		return recv(fds[0], block, 10, 0);
	case 2:
		return recv(fds[0], block, 10, MSG_WAITALL);
	case 3:
		return recvfrom(udp_fd, block, 10, 0, NULL, NULL);
	case 4:
		return recvmsg(fds[0], &msg, 0);
	case 5:
		return readv(fds[0], &iov, 1);
	case 6:
		return send(full_fd, block, sizeof(block), 0);
	case 7:
		return write(full_fd, block, sizeof(block));
	case 8:
		return writev(full_fd, &iov, 1);
	case 9:
		return sendmsg(full_fd, &msg, 0);
	case 10:
		return accept(listener, NULL, NULL);
	case 11:
		return poll(&ask, 1, -1);
	case 12:
		return ppoll(&ask, 1, &long_time, &(sigset_t){ { 0 } });
	case 13:
		return select(fds[0] + 1, &set, NULL, NULL, NULL);
	case 14:
		return nanosleep(&long_time, &long_time);
	case 15:
		return usleep(1000000000);
	case 16:
		return sleep(100) > 90 ? -1 : 0;
	default:
		errno = clock_nanosleep(CLOCK_REALTIME, 0, &long_time, NULL);
		return -1;
	}
}

static int be_cancelled(void *which)
{
	long rc = call(number_of(which));

	CHECK_EQ(rc, -1);
	CHECK_EQ(errno, ECANCELED);
	/* and the next one does not wait either */
	CHECK_EQ(poll(NULL, 0, 100000), -1);
	CHECK_EQ(errno, ECANCELED);
	return 1;
}

TEST(lifecycle, a_cancelled_task_gets_ecanceled)
{
	weft_task *tasks[CALLS];
	int i, full_fds[2];
	struct sockaddr_in addr;
	static char block[1 << 16];

	connected_pair(fds);
	/* Not TCP: it makes room by itself, some time after it was full. */
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, full_fds), 0);
	full_fd = full_fds[0];
	while (send(full_fd, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	listener = listen_on_loopback(1, &addr);
	udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(bind(udp_fd, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET },
		      sizeof(struct sockaddr_in)),
		 0);
	for (i = 0; i < CALLS; i++)
		tasks[i] = start(be_cancelled, i);
	CHECK_EQ(weft_sleep(50000000), 0);
	for (i = 0; i < CALLS; i++) {
		CHECK_EQ(weft_join(tasks[i], WEFT_NOWAIT, NULL), -EAGAIN);
		CHECK_EQ(weft_cancel(tasks[i]), 0);
	}
	for (i = 0; i < CALLS; i++)
		CHECK_EQ(join(tasks[i]), 1);
}

static int dial_cancelled(void *unused)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)unused;
	CHECK_EQ(connect(fd, (struct sockaddr *)&full, sizeof(full)), -1);
	CHECK_EQ(errno, ECANCELED);
	close(fd);
	return 1;
}

TEST(lifecycle, a_cancelled_connect)
{
	int filler[2], i;
	weft_task *task;

	listener = listen_on_loopback(0, &full);
	for (i = 0; i < 2; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(filler[i], (struct sockaddr *)&full, sizeof(full));
	}
	CHECK_EQ(weft_sleep(20000000), 0);
	task = start(dial_cancelled, 0);
	CHECK_EQ(weft_sleep(20000000), 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(join(task), 1);
}

static int resolve_cancelled(void *unused)
{
	struct addrinfo *list = NULL;

	(void)unused;
	CHECK_EQ(weft_cancel(weft_self()), 0);
	CHECK_EQ(getaddrinfo("localhost", NULL, NULL, &list), EAI_SYSTEM);
	CHECK_EQ(errno, ECANCELED);
	CHECK_EQ(list, NULL);
	CHECK_EQ(gethostbyname("localhost"), NULL);
	CHECK_EQ(errno, ECANCELED);
	return 1;
}

TEST(lifecycle, a_cancelled_resolution)
{
	CHECK_EQ(join(start(resolve_cancelled, 0)), 1);
}

/* --- runtimes side by side ---------------------------------------------------------------------------- */

static int echo_once(void *fd)
{
	char byte;

	CHECK_EQ(read(number_of(fd), &byte, 1), 1);
	byte++;
	CHECK_EQ(write(number_of(fd), &byte, 1), 1);
	return 0;
}

static void *run_thread(void *fd)
{
	CHECK_EQ(weft_run(1, echo_once, fd, NULL), 0);
	return NULL;
}

/* The two ends of a pair in the tasks of two threads, each a runtime. */
TEST(lifecycle, two_runtimes_talk)
{
	pthread_t thread;
	char byte = 'a';
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(pthread_create(&thread, NULL, run_thread, (void *)(intptr_t)pair[1]), 0);
	CHECK_EQ(weft_sleep(20000000), 0);
	CHECK_EQ(write(pair[0], &byte, 1), 1);
	CHECK_EQ(read(pair[0], &byte, 1), 1);
	CHECK_EQ(byte, 'b');
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
