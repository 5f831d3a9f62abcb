/* SPDX-License-Identifier: MIT
 *
 * io_poll.c - waiting for one of several descriptors.
 */
#include "io.h"

#include <base/fault.h>

enum { MS = 1000000, MANY = 40 };

#define ARG(fd) ((void *)(intptr_t)(fd))

static int poll_one(int fd, short events, int64_t deadline_ns)
{
	struct pollfd pollfd = { fd, events, 0 };
	int rc = weft__io_poll(&pollfd, 1, deadline_ns);

	return rc <= 0 ? rc : pollfd.revents;
}

RUN_TEST(poll, says_what_the_kernel_says)
{
	int pair[2], file = open("/proc/self/exe", O_RDONLY);
	char byte;

	open_pair(SOCK_STREAM, pair);
	CHECK_EQ(poll_one(pair[0], POLLIN, WEFT_NOWAIT), 0);
	CHECK_EQ(poll_one(pair[0], POLLIN | POLLOUT, WEFT_FOREVER), POLLOUT);
	CHECK_EQ(poll_one(file, POLLIN | POLLOUT, WEFT_FOREVER), POLLIN | POLLOUT);
	CHECK_EQ(poll_one(900, POLLIN, WEFT_FOREVER), POLLNVAL);
	CHECK_EQ(poll_one(-1, POLLIN, weft_in_ms(1)), 0);
	/* Level, not edge: as often as asked. */
	CHECK_EQ(send(pair[1], "x", 1, 0), 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(poll_one(pair[0], POLLIN, WEFT_FOREVER), POLLIN);
	CHECK_EQ(weft_recv(pair[0], &byte, 1, 0, WEFT_FOREVER), 1);
	CHECK_EQ(poll_one(pair[0], POLLIN, WEFT_NOWAIT), 0);
	weft_close(pair[1]);
	CHECK_EQ(poll_one(pair[0], 0, WEFT_FOREVER), POLLHUP);
	return 0;
}

RUN_TEST(poll, deadline_is_never_early)
{
	struct pollfd three[3];
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	for (int i = 0; i < 3; i++)
		three[i] = (struct pollfd){ pair[i % 2], POLLIN, 99 };
	for (int count = 0; count < 4; count++) {
		int64_t until = weft_in_ms(2);

		CHECK_EQ(weft__io_poll(three, (size_t)count, until), 0);
		CHECK_GE(weft_now(), until);
		if (count)
			CHECK_EQ(three[0].revents, 0);
	}
	CHECK_EQ(weft__io_poll(NULL, 0, WEFT_NOWAIT), 0);
	return 0;
}

/* What arrived is seen by a poll that does not wait, though no event was fetched. */
RUN_TEST(poll, nowait_asks_the_kernel)
{
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	CHECK_EQ(poll_one(pair[0], POLLIN, weft_in_ms(1)), 0);
	CHECK_EQ(send(pair[1], "x", 1, 0), 1);
	CHECK_EQ(poll_one(pair[0], POLLIN, WEFT_NOWAIT), POLLIN);
	return 0;
}

struct many {
	struct pollfd fds[MANY];
	size_t count;
	int64_t deadline_ns;
};

static int poll_many(void *arg)
{
	struct many *many = arg;

	return weft__io_poll(many->fds, many->count, many->deadline_ns);
}

static struct many watch(int pairs[MANY][2], size_t count)
{
	struct many many = { .count = count, .deadline_ns = WEFT_FOREVER };

	for (size_t i = 0; i < count; i++) {
		open_pair(SOCK_STREAM, pairs[i]);
		many.fds[i] = (struct pollfd){ pairs[i][0], POLLIN, 0 };
	}
	return many;
}

RUN_TEST(poll, any_of_many_wakes)
{
	static const size_t counts[] = { 1, 2, 8, 9, MANY };

	for (int i = 0; i < 5; i++) {
		int pairs[MANY][2];
		struct many many = watch(pairs, counts[i]);

		for (size_t which = 0; which < counts[i]; which += 7) {
			weft_task *task = start(poll_many, &many);
			char byte;

			settle();
			CHECK_EQ(send(pairs[which][1], "x", 1, 0), 1);
			CHECK_EQ(finish(task), 1);
			for (size_t k = 0; k < counts[i]; k++)
				CHECK_EQ(many.fds[k].revents, k == which ? POLLIN : 0);
			CHECK_EQ(recv(pairs[which][0], &byte, 1, 0), 1);
		}
		for (size_t k = 0; k < counts[i]; k++)
			weft_close(pairs[k][0]), weft_close(pairs[k][1]);
	}
	return 0;
}

RUN_TEST(poll, a_descriptor_twice)
{
	struct many many = { .count = 3, .deadline_ns = WEFT_FOREVER };
	int pair[2];
	weft_task *task;

	open_pair(SOCK_STREAM, pair);
	for (int i = 0; i < 3; i++)
		many.fds[i] = (struct pollfd){ i == 1 ? -1 : pair[0], POLLIN, 7 };
	task = start(poll_many, &many);
	settle();
	CHECK_EQ(send(pair[1], "x", 1, 0), 1);
	CHECK_EQ(finish(task), 2);
	CHECK_EQ(many.fds[1].revents, 0);
	return 0;
}

RUN_TEST(poll, cancel_and_close)
{
	int pairs[MANY][2];
	struct many many = watch(pairs, 3);
	weft_task *task = start(poll_many, &many);

	settle();
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(finish(task), -ECANCELED);
	task = start(poll_many, &many);
	settle();
	CHECK_EQ(weft_close(pairs[1][0]), 0);
	CHECK_EQ(finish(task), 1);
	CHECK_EQ(many.fds[0].revents, 0);
	CHECK_EQ(many.fds[1].revents, POLLNVAL);
	CHECK_EQ(many.fds[2].revents, 0);
	/* No waiter is left behind: these events find nobody. */
	CHECK_EQ(send(pairs[0][1], "x", 1, 0), 1);
	CHECK_EQ(send(pairs[2][1], "x", 1, 0), 1);
	weft_sleep(MS);
	return 0;
}

/* Readable all the time, and only urgent data is asked for: it must not spin. */
RUN_TEST(poll, an_event_of_another_kind_does_not_spin)
{
	weft_stats_data before, after;
	struct many many = { .count = 1, .deadline_ns = WEFT_FOREVER };
	weft_task *task;
	int pair[2];

	open_tcp(pair);
	CHECK_EQ(send(pair[1], "x", 1, 0), 1);
	many.fds[0] = (struct pollfd){ pair[0], POLLPRI, 0 };
	task = start(poll_many, &many);
	weft_sleep(2 * MS);
	weft_stats(&before);
	weft_sleep(10 * MS);
	weft_stats(&after);
	CHECK_LT(after.switches - before.switches, 20);
	CHECK_EQ(send(pair[1], "!", 1, MSG_OOB), 1);
	CHECK_EQ(finish(task), 1);
	CHECK_EQ(many.fds[0].revents, POLLPRI);
	return 0;
}

RUN_TEST(poll, survives_the_nth_failure)
{
	int pairs[MANY][2];
	struct many many = watch(pairs, 12);

	for (unsigned n = 1;; n++) {
		int rc;

		weft__fault_fail(n);
		many.deadline_ns = weft_in_ms(3);
		rc = poll_many(&many);
		CHECK(rc == 0 || rc == -ENOMEM);
		if (!weft__fault_fired())
			break;
	}
	weft__fault_fail(0);
	return 0;
}

static int wait_readable(void *arg)
{
	return weft_wait_fd((int)(intptr_t)arg, WEFT_READABLE, WEFT_FOREVER);
}

RUN_TEST(poll, wait_fd)
{
	int64_t until = weft_in_ms(2);
	weft_task *tasks[2];
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	CHECK_EQ(weft_wait_fd(pair[0], WEFT_READABLE, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_wait_fd(pair[0], WEFT_READABLE, until), -ETIMEDOUT);
	CHECK_GE(weft_now(), until);
	CHECK_EQ(weft_wait_fd(pair[0], WEFT_READABLE | WEFT_WRITABLE, WEFT_FOREVER), WEFT_WRITABLE);
	CHECK_EQ(weft_wait_fd(pair[0], 64, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_wait_fd(-1, WEFT_READABLE, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_wait_fd(900, WEFT_READABLE, WEFT_FOREVER), -EBADF);
	for (int i = 0; i < 2; i++)
		tasks[i] = start(wait_readable, ARG(pair[0]));
	settle();
	CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(finish(tasks[i]), WEFT_READABLE | WEFT_HANGUP);
	return 0;
}

struct attempt {
	int fd, calls;
};

static long attempt_read(void *arg)
{
	struct attempt *attempt = arg;
	char byte;

	attempt->calls++;
	return recv(attempt->fd, &byte, 1, MSG_DONTWAIT) < 0 ? -errno : 1;
}

static int retry_read(void *arg)
{
	struct attempt *attempt = arg;

	return (int)weft__io_retry(attempt->fd, POLL_READABLE, WEFT_FOREVER, attempt_read, arg);
}

RUN_TEST(poll, retry_waits_between_attempts)
{
	struct attempt attempt = { 0 };
	weft_task *task;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	attempt.fd = pair[0];
	task = start(retry_read, &attempt);
	settle();
	weft_sleep(MS);
	CHECK_EQ(attempt.calls, 1);
	CHECK_EQ(send(pair[1], "x", 1, 0), 1);
	CHECK_EQ(finish(task), 1);
	CHECK_EQ(attempt.calls, 2);
	CHECK_EQ(weft__io_retry(pair[0], POLL_READABLE, WEFT_NOWAIT, attempt_read, &attempt),
		 -EAGAIN);
	return 0;
}
