/* SPDX-License-Identifier: MIT
 *
 * time.c - rows 39 to 41, 44 and 45: odd durations, limits that saturate, and a
 * time limit that races with what it limits.
 */
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <time.h>

#include "hooked.h"

static int fds[2];

static int write_late(void *arg)
{
	CHECK_EQ(usleep(20000), 0);
	CHECK_EQ(write(number_of(arg), "x", 1), 1);
	return 0;
}

/* --- 39 ----------------------------------------------------------------------------- */

TEST(time, row39_negative_durations)
{
	struct timespec negative = { -1, 0 }, negative_ns = { 0, -1 };
	struct timeval negative_tv = { -1, 0 };
	struct pollfd ask;
	weft_task *task;

	CHECK_EQ(weft_sleep(1), 0);
	CHECK_EQ(nanosleep(&negative, NULL), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(nanosleep(&negative_ns, NULL), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &negative, NULL), EINVAL);
	CHECK_EQ(select(0, NULL, NULL, NULL, &negative_tv), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(ppoll(NULL, 0, &negative, NULL), -1);
	CHECK_EQ(errno, EINVAL);

	CHECK_EQ(pipe(fds), 0); /* poll: any negative number is "without end" */
	task = start(write_late, fds[1]);
	ask = (struct pollfd){ fds[0], POLLIN, 0 };
	CHECK_EQ(poll(&ask, 1, INT_MIN), 1);
	CHECK_EQ(join(task), 0);
}

/* --- 40 ----------------------------------------------------------------------------- */

static int sleep_longest(void *which)
{
	struct timespec longest = { INT64_MAX, 999999999 };

	errno = 0;
	switch (number_of(which)) {
	case 0:
		/* what is left is told, so it cannot look like a sleep of no time */
		return sleep(UINT_MAX) > UINT_MAX - 10 ? -errno : 0;
	case 1:
		return usleep(UINT_MAX) < 0 ? -errno : 0;
	case 2:
		return nanosleep(&longest, NULL) < 0 ? -errno : 0;
	case 3:
		return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &longest, NULL);
	case 4:
		return -clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &longest, NULL);
	case 5:
		return -clock_nanosleep(CLOCK_BOOTTIME, 0, &longest, NULL);
	case 6:
		return poll(NULL, 0, INT_MAX) < 0 ? -errno : 0;
	case 7:
		return ppoll(NULL, 0, &longest, NULL) < 0 ? -errno : 0;
	default:
		return pselect(0, NULL, NULL, NULL, &longest, NULL) < 0 ? -errno : 0;
	}
}

TEST(time, row40_the_longest_durations_saturate)
{
	weft_task *tasks[9];
	int i;

	for (i = 0; i < 9; i++)
		tasks[i] = start(sleep_longest, i);
	CHECK_EQ(weft_sleep(50000000), 0);
	for (i = 0; i < 9; i++) {
		CHECK_EQ(weft_join(tasks[i], WEFT_NOWAIT, NULL), -EAGAIN);
		CHECK_EQ(weft_cancel(tasks[i]), 0);
	}
	for (i = 0; i < 9; i++)
		CHECK_EQ(join(tasks[i]), -ECANCELED);
}

/* --- 41 ----------------------------------------------------------------------------- */

static int sleep_exactly(void *us)
{
	struct timespec duration = { 0, number_of(us) * 1000L };
	int64_t before_ns = weft_now();

	CHECK_EQ(nanosleep(&duration, NULL), 0);
	CHECK_GE(weft_now() - before_ns, duration.tv_nsec);
	before_ns = weft_now();
	CHECK_EQ(poll(NULL, 0, number_of(us) / 1000), 0);
	CHECK_GE(weft_now() - before_ns, number_of(us) / 1000 * INT64_C(1000000));
	return 0;
}

TEST(time, row41_never_early)
{
	static weft_task *tasks[500];
	int i;

	for (i = 0; i < 500; i++)
		tasks[i] = start(sleep_exactly, i * 97);
	for (i = 0; i < 500; i++)
		CHECK_EQ(join(tasks[i]), 0);
}

/* --- 44 ------------------------------------------------------------------------------ */

static int write_after(void *us)
{
	CHECK_EQ(weft_sleep(number_of(us) * INT64_C(1000)), 0);
	CHECK_EQ(write(fds[1], "abc", 3), 3);
	return 0;
}

/* The byte arrives about when the limit passes. Either the call has all of it, or
 * it has none and the byte is still there. */
TEST(time, row44_timeout_against_completion)
{
	int received = 0, timed_out = 0, round;
	char buf[8];

	connected_pair(fds);
	for (round = 0; round < 300; round++) {
		struct timeval limit = { 0, 1000 };
		weft_task *task;
		ssize_t got;

		CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
		task = start(write_after, 850 + round);
		got = recv(fds[0], buf, sizeof(buf), 0);
		if (got < 0) {
			CHECK_EQ(errno, EAGAIN);
			timed_out++;
			CHECK_EQ(join(task), 0);
			got = recv(fds[0], buf, sizeof(buf), 0);
		} else {
			received++;
			CHECK_EQ(join(task), 0);
		}
		CHECK_EQ(got, 3);
		CHECK_EQ(recv(fds[0], buf, sizeof(buf), MSG_DONTWAIT), -1);
	}
	CHECK_EQ(received + timed_out, 300);
}

/* --- 45 ------------------------------------------------------------------------------- */

TEST(time, row45_a_zero_timeout_asks_the_kernel)
{
	struct pollfd ask;
	struct timeval zero;
	fd_set set;
	char byte;
	int round;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(weft_sleep(1), 0);
	ask = (struct pollfd){ fds[0], POLLIN, 0 };
	for (round = 0; round < 3; round++) {
		CHECK_EQ(poll(&ask, 1, 0), 0);
		/* nothing runs in between: no event can have been seen */
		CHECK_EQ(write(fds[1], "x", 1), 1);
		CHECK_EQ(poll(&ask, 1, 0), 1);
		FD_ZERO(&set);
		FD_SET(fds[0], &set);
		zero = (struct timeval){ 0, 0 };
		CHECK_EQ(select(fds[0] + 1, &set, NULL, NULL, &zero), 1);
		CHECK_EQ(read(fds[0], &byte, 1), 1);
	}
}

/* A loop around a zero timeout is how many programs wait: others must run. */
static int poll_in_a_loop(void *unused)
{
	struct pollfd ask = { fds[0], POLLIN, 0 };

	(void)unused;
	while (poll(&ask, 1, 0) == 0)
		;
	return ask.revents;
}

TEST(time, row45_a_loop_of_zero_timeouts_lets_others_run)
{
	weft_task *poller, *writer;

	CHECK_EQ(pipe(fds), 0);
	poller = start(poll_in_a_loop, 0);
	writer = start(write_late, fds[1]);
	CHECK_EQ(join(writer), 0);
	CHECK_EQ(join(poller), POLLIN);
}
