/* SPDX-License-Identifier: MIT
 *
 * signals.c - row 47: a signal every 100 us while tasks read, write, connect,
 * accept, poll and sleep. Its handler is installed without SA_RESTART. What
 * is transferred must be whole, and no call may fail but for poll and select,
 * which may say EINTR as they may natively.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "hooked.h"

enum { ROUNDS = 150, BLOCK = 200000 };

static volatile sig_atomic_t storm;

static void count_signal(int sig)
{
	(void)sig;
	storm++;
}

static void begin_storm(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval every = { { 0, 100 }, { 0, 100 } };

	CHECK_EQ(weft_sleep(1), 0); /* from here on main is a task, too */
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void end_storm(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };

	CHECK_EQ(setitimer(ITIMER_REAL, &none, NULL), 0);
	CHECK_GT(storm, 10);
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static int send_blocks(void *arg)
{
	unsigned char *block = malloc(BLOCK);
	int fd = number_of(arg), i;

	for (i = 0; i < BLOCK; i++)
		block[i] = byte_at((size_t)i);
	for (i = 0; i < 5; i++) {
		ssize_t sent = write(fd, block, BLOCK);

		CHECK_EQ(sent, BLOCK);
		CHECK_EQ(usleep(300), 0);
	}
	CHECK_EQ(close(fd), 0);
	free(block);
	return 0;
}

static int receive_blocks(void *arg)
{
	unsigned char buf[3000];
	int fd = number_of(arg);
	size_t total = 0;
	ssize_t got, i;

	while ((got = read(fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < got; i++, total++)
			CHECK_EQ(buf[i], byte_at(total % BLOCK));
	CHECK_EQ(got, 0);
	CHECK_EQ(total, 5 * BLOCK);
	close(fd);
	return 0;
}

TEST_LIMIT(signals, row47_streams_in_a_storm, 60)
{
	weft_task *tasks[6];
	int fds[2], i;

	begin_storm();
	for (i = 0; i < 6; i += 2) {
		if (i == 0)
			connected_pair(fds);
		else if (i == 2)
			CHECK_EQ(pipe(fds), 0);
		else
			CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		tasks[i] = start(receive_blocks, fds[0]);
		tasks[i + 1] = start(send_blocks, fds[1]);
	}
	for (i = 0; i < 6; i++)
		CHECK_EQ(join(tasks[i]), 0);
	end_storm();
}

static struct sockaddr_in server;

static int serve(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		int fd = accept(number_of(arg), NULL, NULL);
		char byte;

		CHECK_GE(fd, 0);
		CHECK_EQ(recv(fd, &byte, 1, 0), 1);
		CHECK_EQ(send(fd, &byte, 1, 0), 1);
		CHECK_EQ(recv(fd, &byte, 1, 0), 0);
		CHECK_EQ(close(fd), 0);
	}
	return 0;
}

static int dial(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < ROUNDS; i++) {
		int fd = connect_to(&server);
		char byte = (char)i, back;

		CHECK_EQ(send(fd, &byte, 1, 0), 1);
		CHECK_EQ(recv(fd, &back, 1, MSG_WAITALL), 1);
		CHECK_EQ(back, byte);
		CHECK_EQ(close(fd), 0);
		CHECK_EQ(usleep(100), 0);
	}
	return 0;
}

TEST_LIMIT(signals, row47_connections_in_a_storm, 60)
{
	int listener = listen_on_loopback(8, &server);
	weft_task *one, *other;

	begin_storm();
	one = start(serve, listener);
	other = start(dial, 0);
	CHECK_EQ(join(other), 0);
	CHECK_EQ(join(one), 0);
	end_storm();
}

static int sleep_in_storm(void *unused)
{
	struct timespec some = { 0, 2000000 }, rest = { 7, 7 };
	int i;

	(void)unused;
	for (i = 0; i < 30; i++) {
		int64_t before_ns = weft_now();

		CHECK_EQ(nanosleep(&some, &rest), 0);
		CHECK_GE(weft_now() - before_ns, 2000000);
		CHECK_EQ(rest.tv_sec, 7);
		CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL), 0);
	}
	CHECK_EQ(sleep(1), 0);
	return 0;
}

static int poll_in_storm(void *unused)
{
	int64_t before_ns = weft_now();
	int rc;

	(void)unused;
	do
		rc = poll(NULL, 0, 50);
	while (rc < 0 && errno == EINTR);
	CHECK_EQ(rc, 0);
	CHECK_GE(weft_now() - before_ns, 50000000);
	return 0;
}

TEST_LIMIT(signals, row47_sleepers_in_a_storm, 60)
{
	weft_task *tasks[8];
	int i;

	begin_storm();
	for (i = 0; i < 8; i++)
		tasks[i] = start(i < 4 ? sleep_in_storm : poll_in_storm, 0);
	for (i = 0; i < 8; i++)
		CHECK_EQ(join(tasks[i]), 0);
	end_storm();
}

static int use_file(void *unused)
{
	char path[] = "/tmp/weft-fault-XXXXXX";
	unsigned char *block = malloc(BLOCK), *back = malloc(BLOCK);
	int fd = mkstemp(path), i;

	(void)unused;
	unlink(path);
	for (i = 0; i < BLOCK; i++)
		block[i] = byte_at((size_t)i);
	for (i = 0; i < 20; i++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(write(fd, block, BLOCK), BLOCK);
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(read(fd, back, BLOCK), BLOCK);
		CHECK_EQ(memcmp(block, back, BLOCK), 0);
	}
	close(fd);
	free(block);
	free(back);
	return 0;
}

TEST_LIMIT(signals, row47_files_in_a_storm, 60)
{
	weft_task *one, *other;

	begin_storm();
	one = start(use_file, 0);
	other = start(use_file, 0);
	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(other), 0);
	end_storm();
}
