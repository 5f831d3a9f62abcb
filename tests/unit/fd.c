/* SPDX-License-Identifier: MIT
 *
 * fd.c - the table of descriptors: readiness, waiters, lives.
 */
#include "io.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <base/clock.h>
#include <base/fault.h>
#include <core/worker.h>

enum { MS = 1000000, TICK = 256 };

/* --- the table and the word -------------------------------------------------- */

TEST(fd, entries_stay_and_bad_numbers_have_none)
{
	struct fd_entry *zero = weft__fd(0), *far = weft__fd(1000000);

	CHECK(zero && far);
	CHECK_EQ(weft__fd(0), zero);
	CHECK_EQ(weft__fd(1000000), far);
	CHECK_EQ(weft__fd_look(1000000), far);
	CHECK(!weft__fd(-1));
	CHECK(!weft__fd(INT32_MAX));
	CHECK(!weft__fd_look(500000000));
	CHECK_EQ((uintptr_t)zero % 64, 0);
}

TEST(fd, no_memory_for_the_table_is_an_error)
{
	char byte;

	weft__fault_fail(1);
	CHECK_EQ(weft__io_recv(3, &byte, 1, 0, WEFT_NOWAIT), -ENOMEM);
	CHECK_EQ(weft__io_recv(-1, &byte, 1, 0, WEFT_NOWAIT), -EBADF);
}

TEST(fd, drained_takes_only_what_no_event_has_renewed)
{
	struct fd_entry *entry;
	uint32_t tick;

	weft__fd_opened(5, 0, -1);
	entry = weft__fd(5);
	tick = fd_tick(entry);
	CHECK_EQ(tick & 255, POLL_READABLE | POLL_WRITABLE);
	weft__fd_drained(entry, tick, POLL_READABLE);
	CHECK_EQ(fd_tick(entry), tick & ~(unsigned)POLL_READABLE);
	weft__fd_drained(entry, tick, POLL_WRITABLE); /* the other bit, same tick */
	CHECK_EQ(fd_tick(entry) & 255, 0);

	tick = fd_tick(entry);
	weft__on_fd_ready(5, entry->generation, POLL_READABLE);
	CHECK_EQ(fd_tick(entry), tick + TICK + POLL_READABLE);
	weft__fd_drained(entry, tick, POLL_READABLE); /* too old an answer */
	CHECK(fd_tick(entry) & POLL_READABLE);
	weft__fd_drained(entry, fd_tick(entry), POLL_READABLE);
	CHECK(!(fd_tick(entry) & POLL_READABLE));
}

TEST(fd, short_transfer_means_nothing_after_an_end_or_urgent_data)
{
	static const unsigned reasons[] = { POLL_HANGUP, POLL_URGENT };

	for (int i = 0; i < 2; i++) {
		struct fd_entry *entry = weft__fd(5);

		weft__fd_opened(5, 0, -1);
		weft__on_fd_ready(5, entry->generation, POLL_READABLE | reasons[i]);
		fd_short(entry, fd_tick(entry), POLL_READABLE);
		CHECK(fd_tick(entry) & POLL_READABLE);
		weft__fd_drained(entry, fd_tick(entry), POLL_READABLE);
		CHECK(!(fd_tick(entry) & POLL_READABLE));
	}
}

TEST(fd, event_of_a_former_life_is_ignored)
{
	struct fd_entry *entry;
	uint32_t old, tick;

	weft__fd_opened(5, 0, -1);
	entry = weft__fd(5);
	old = entry->generation;
	weft__fd_forget(5);
	weft__fd_drained(entry, fd_tick(entry), POLL_READABLE | POLL_WRITABLE);
	tick = fd_tick(entry);
	weft__on_fd_ready(5, old, POLL_READABLE | POLL_HANGUP);
	CHECK_EQ(fd_tick(entry), tick);
}

/* --- kinds and what the user sets --------------------------------------------- */

static unsigned kind_of(int fd)
{
	CHECK_GE(fd, 0);
	CHECK_EQ(weft__fd_learn(weft__fd(fd), fd), 0);
	return fd_flags(weft__fd(fd)) & FD_KIND;
}

TEST(fd, kinds)
{
	int pipes[2];

	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(kind_of(socket(AF_INET, SOCK_STREAM, 0)), FD_SOCKET | FD_TCP);
	CHECK_EQ(kind_of(socket(AF_INET, SOCK_DGRAM, 0)), FD_SOCKET);
	CHECK_EQ(kind_of(socket(AF_UNIX, SOCK_STREAM, 0)), FD_SOCKET | FD_UNIX_STREAM);
	CHECK_EQ(kind_of(socket(AF_UNIX, SOCK_SEQPACKET, 0)), FD_SOCKET);
	CHECK_EQ(kind_of(pipes[0]), FD_PIPE);
	CHECK_EQ(kind_of(eventfd(0, 0)), 0);
	CHECK_EQ(kind_of(open("/dev/null", O_RDWR)), 0);
	CHECK_EQ(kind_of(open("/", O_RDONLY)), FD_FILE | FD_UNPOLLABLE);
	CHECK_EQ(kind_of(posix_openpt(O_RDWR | O_NOCTTY)), FD_TTY);
	CHECK_EQ(weft__fd_learn(weft__fd(900), 900), -EBADF);
	CHECK_EQ(weft__fd_socket_kind(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0),
		 FD_KNOWN | FD_SOCKET | FD_TCP);
	CHECK_EQ(weft__fd_socket_kind(AF_INET, SOCK_STREAM, 262), FD_KNOWN | FD_SOCKET); /* MPTCP */
}

static bool nonblocking(int fd)
{
	return weft__fd_nonblocking(weft__fd(fd), fd);
}

TEST(fd, nonblocking_is_asked_once_and_told_of_changes)
{
	int pair[2], copy;

	open_pair(SOCK_STREAM, pair);
	CHECK(!nonblocking(pair[0]));
	/* Behind our back: what was learnt stands. */
	CHECK_EQ(fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK), 0);
	CHECK(!nonblocking(pair[0]));
	weft__fd_set_nonblocking(pair[0], true);
	CHECK(nonblocking(pair[0]));
	CHECK(!fd_known_blocking(weft__fd(pair[0])));

	/* A duplicate shares the flag; told through either, both know. */
	copy = dup(pair[0]);
	weft__fd_duplicated(pair[0], copy);
	CHECK(nonblocking(copy));
	CHECK_EQ(fcntl(copy, F_SETFL, O_RDWR), 0);
	weft__fd_set_nonblocking(copy, false);
	CHECK(!nonblocking(copy));
	CHECK(!nonblocking(pair[0]));
	CHECK(fd_known_blocking(weft__fd(pair[0])));

	/* A new life is asked anew. */
	CHECK_EQ(fcntl(copy, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	weft__fd_forget(pair[0]);
	CHECK(nonblocking(pair[0]));
}

TEST(fd, timeouts_are_the_sockets)
{
	struct timeval tv = { 2, 500000 };
	int pair[2], copy;

	open_pair(SOCK_STREAM, pair);
	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
	CHECK_EQ(weft__fd_timeout(weft__fd(pair[0]), pair[0], POLL_READABLE), 2500000000);
	CHECK_EQ(weft__fd_timeout(weft__fd(pair[0]), pair[0], POLL_WRITABLE), 0);
	weft__fd_set_timeout(pair[0], POLL_WRITABLE, 7);
	CHECK_EQ(weft__fd_timeout(weft__fd(pair[0]), pair[0], POLL_WRITABLE), 7);

	copy = dup(pair[0]);
	weft__fd_duplicated(pair[0], copy);
	CHECK_EQ(weft__fd_timeout(weft__fd(copy), copy, POLL_READABLE), 2500000000);
	tv.tv_sec = 3;
	CHECK_EQ(setsockopt(copy, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
	weft__fd_set_timeout(copy, POLL_READABLE, 3500000000);
	CHECK_EQ(weft__fd_timeout(weft__fd(pair[0]), pair[0], POLL_READABLE), 3500000000);
}

/* --- waiting ------------------------------------------------------------------ */

static int read_byte(void *arg)
{
	char byte;
	ssize_t rc = weft_read((int)(intptr_t)arg, &byte, 1, WEFT_FOREVER);

	return rc == 1 ? byte : (int)rc;
}

static int wait_writable(void *arg)
{
	int fd = (int)(intptr_t)arg;

	weft__fd_drained(weft__fd(fd), fd_tick(weft__fd(fd)), POLL_WRITABLE);
	return weft__fd_wait(fd, POLL_WRITABLE, WEFT_FOREVER);
}

#define ARG(fd) ((void *)(intptr_t)(fd))

RUN_TEST(fd, close_wakes_all_with_ebadf)
{
	weft_task *tasks[4];
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	for (int i = 0; i < 3; i++)
		tasks[i] = start(read_byte, ARG(pair[0]));
	settle();
	tasks[3] = start(wait_writable, ARG(pair[0]));
	settle();
	CHECK_EQ(weft_close(pair[0]), 0);
	for (int i = 0; i < 4; i++) {
		int ret = finish(tasks[i]);

		/* The last one may have been told that it is writable. */
		CHECK(ret == -EBADF || (i == 3 && ret == 0));
	}
	CHECK_EQ(fcntl(pair[0], F_GETFD), -1);
	return 0;
}

RUN_TEST(fd, forget_leaves_the_descriptor_open)
{
	int pair[2];
	weft_task *task;

	open_pair(SOCK_STREAM, pair);
	task = start(read_byte, ARG(pair[0]));
	settle();
	weft_fd_forget(pair[0]);
	CHECK_EQ(finish(task), -EBADF);
	CHECK_GE(fcntl(pair[0], F_GETFD), 0);
	CHECK_EQ(write(pair[1], "a", 1), 1);
	CHECK_EQ(finish(start(read_byte, ARG(pair[0]))), 'a');
	return 0;
}

RUN_TEST(fd, same_number_again_gets_no_stale_wake)
{
	int old[2], fresh[2], kept;
	weft_task *task;

	open_pair(SOCK_STREAM, old);
	task = start(read_byte, ARG(old[0]));
	settle();
	kept = dup(old[0]); /* so the kernel does not unregister by itself */
	CHECK_EQ(weft_close(old[0]), 0);
	CHECK_EQ(finish(task), -EBADF);
	CHECK_EQ(write(old[1], "old", 3), 3);

	open_pair(SOCK_STREAM, fresh);
	CHECK_EQ(fresh[0], old[0]);
	task = start(read_byte, ARG(fresh[0]));
	settle();
	CHECK_EQ(weft_join(task, weft_in_ms(20), NULL), -ETIMEDOUT);
	CHECK_EQ(write(old[1], "old", 3), 3);
	CHECK_EQ(weft_join(task, weft_in_ms(20), NULL), -ETIMEDOUT);
	CHECK_EQ(write(fresh[1], "n", 1), 1);
	CHECK_EQ(finish(task), 'n');
	close(kept);
	return 0;
}

/* The same file comes back under its old number: epoll says EEXIST. */
RUN_TEST(fd, the_same_file_under_the_same_number_again)
{
	int pair[2], kept;
	weft_task *task;

	open_pair(SOCK_STREAM, pair);
	task = start(read_byte, ARG(pair[0]));
	settle();
	kept = dup(pair[0]);
	/* As another runtime's poller would leave it behind: still registered. */
	weft__fd(pair[0])->poller = 0;
	CHECK_EQ(weft_close(pair[0]), 0);
	CHECK_EQ(finish(task), -EBADF);
	CHECK_EQ(dup2(kept, pair[0]), pair[0]);
	task = start(read_byte, ARG(pair[0]));
	settle();
	CHECK_EQ(write(pair[1], "b", 1), 1);
	CHECK_EQ(finish(task), 'b');
	return 0;
}

RUN_TEST(fd, two_readers_are_both_served)
{
	weft_task *first, *second;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	first = start(read_byte, ARG(pair[0]));
	second = start(read_byte, ARG(pair[0]));
	settle();
	CHECK_EQ(write(pair[1], "1", 1), 1);
	CHECK_EQ(finish(first), '1'); /* the older one, and only it */
	CHECK_EQ(weft_join(second, weft_in_ms(10), NULL), -ETIMEDOUT);
	CHECK_EQ(write(pair[1], "2", 1), 1);
	CHECK_EQ(finish(second), '2');

	/* One event for two bytes serves two. */
	first = start(read_byte, ARG(pair[0]));
	second = start(read_byte, ARG(pair[0]));
	settle();
	CHECK_EQ(write(pair[1], "34", 2), 2);
	CHECK_EQ(finish(first) + finish(second), '3' + '4');
	return 0;
}

RUN_TEST(fd, a_cancelled_reader_does_not_swallow_the_event)
{
	weft_task *first, *second;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	first = start(read_byte, ARG(pair[0]));
	second = start(read_byte, ARG(pair[0]));
	settle();
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(weft_cancel(first), 0);
	CHECK_EQ(finish(second), 'x');
	CHECK_EQ(finish(first), -ECANCELED);
	return 0;
}

RUN_TEST(fd, reader_and_writer_wait_apart)
{
	weft_task *reader, *writer;
	char buf[4096];
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	while (send(pair[0], buf, sizeof buf, MSG_DONTWAIT) > 0)
		;
	reader = start(read_byte, ARG(pair[0]));
	settle();
	writer = start(wait_writable, ARG(pair[0]));
	settle();
	CHECK_EQ(write(pair[1], "r", 1), 1);
	CHECK_EQ(finish(reader), 'r');
	CHECK_EQ(weft_join(writer, weft_in_ms(10), NULL), -ETIMEDOUT);
	while (recv(pair[1], buf, sizeof buf, MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(finish(writer), 0);
	return 0;
}

RUN_TEST(fd, wait_by_the_sticky_bits)
{
	int64_t until;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	CHECK_EQ(weft__fd_wait(pair[0], POLL_READABLE, WEFT_NOWAIT), 0); /* try it */
	weft__fd_opened(pair[0], 0, -1);
	weft__fd_drained(weft__fd(pair[0]), fd_tick(weft__fd(pair[0])), POLL_READABLE);
	CHECK_EQ(weft__fd_wait(pair[0], POLL_READABLE, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft__fd_wait(pair[0], POLL_WRITABLE, WEFT_NOWAIT), 0);
	until = weft_in_ms(5);
	while (weft__fd_wait(pair[0], POLL_READABLE, until) == 0)
		weft__fd_drained(weft__fd(pair[0]), fd_tick(weft__fd(pair[0])), POLL_READABLE);
	CHECK_GE(weft_now(), until);
	CHECK_EQ(weft__fd_wait(-1, POLL_READABLE, WEFT_NOWAIT), -EBADF);
	return 0;
}

/* An event after the kernel's answer and before the wait: park must see it. */
RUN_TEST(fd, event_between_the_answer_and_the_wait)
{
	struct fd_entry *entry;
	uint32_t tick;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	entry = weft__fd(pair[0]);
	weft__fd_opened(pair[0], 0, -1);
	tick = fd_tick(entry);
	weft__on_fd_ready(pair[0], entry->generation, POLL_READABLE);
	weft__fd_drained(entry, tick, POLL_READABLE);
	CHECK_EQ(weft__fd_park(entry, pair[0], POLL_READABLE, tick, WEFT_FOREVER), 0);
	return 0;
}

RUN_TEST(fd, bytes_that_came_before_the_first_wait)
{
	struct fd_entry *entry;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	entry = weft__fd(pair[0]);
	weft__fd_opened(pair[0], 0, -1);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	/* Arming reports them, though their edge is long past. */
	CHECK_EQ(weft__fd_park(entry, pair[0], POLL_READABLE, fd_tick(entry), weft_in_s(10)), 0);
	return 0;
}

RUN_TEST(fd, what_cannot_be_polled_is_said_so)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct fd_entry *entry = weft__fd(fd);

	CHECK_EQ(weft__fd_park(entry, fd, POLL_READABLE, fd_tick(entry), WEFT_FOREVER), -EPERM);
	CHECK(fd_flags(entry) & FD_UNPOLLABLE);
	CHECK_EQ(weft__fd_park(weft__fd(900), 900, POLL_READABLE, 0, WEFT_FOREVER), -EBADF);
	return 0;
}

RUN_TEST(fd, without_a_watch_it_is_looked_at_now_and_then)
{
	weft_task *task;
	int64_t until;
	char byte;
	int pair[2];

	open_pair(SOCK_STREAM, pair);
	CHECK_EQ(weft_recv(pair[0], &byte, 1, 0, WEFT_NOWAIT), -EAGAIN);
	task = start(read_byte, ARG(pair[0]));
	weft__fault_fail(1); /* ENOSPC at its epoll_ctl */
	settle();
	CHECK(weft__fault_fired());
	weft__fault_fail(0);
	CHECK_EQ(write(pair[1], "w", 1), 1);
	CHECK_EQ(finish(task), 'w');

	until = weft_in_ms(2); /* and a deadline below that pace holds */
	weft__fd(pair[0])->poller = 0;
	weft__fault_fail(1);
	CHECK_EQ(weft_recv(pair[0], &byte, 1, 0, until), -ETIMEDOUT);
	CHECK_GE(weft_now(), until);
	return 0;
}

/* --- several runtimes ---------------------------------------------------------- */

static int read_with_deadline(void *arg)
{
	char byte;

	return (int)weft_read((int)(intptr_t)arg, &byte, 1, weft_in_ms(5));
}

TEST(fd, outlives_the_runtime_that_armed_it)
{
	int pair[2], ret;

	open_pair(SOCK_STREAM, pair);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_run(1, read_with_deadline, ARG(pair[0]), &ret), 0);
		CHECK_EQ(ret, -ETIMEDOUT);
	}
	CHECK_EQ(write(pair[1], "z", 1), 1);
	CHECK_EQ(weft_run(1, read_byte, ARG(pair[0]), &ret), 0);
	CHECK_EQ(ret, 'z');
}

static struct {
	int pair[2];
	_Atomic int armed, served;
} both;

static int arm_then_stand_still(void *arg)
{
	(void)arg;
	CHECK_EQ(read_with_deadline(ARG(both.pair[0])), -ETIMEDOUT);
	both.armed = 1;
	while (!both.served) /* this worker does not look at its poller any more */
		usleep(1000);
	return 0;
}

static void *other_runtime(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_run(1, arm_then_stand_still, NULL, NULL), 0);
	return NULL;
}

TEST(fd, a_runtime_that_does_not_poll_delays_no_other)
{
	pthread_t thread;
	int ret;

	open_pair(SOCK_STREAM, both.pair);
	CHECK_EQ(pthread_create(&thread, NULL, other_runtime, NULL), 0);
	while (!both.armed)
		usleep(1000);
	CHECK_EQ(write(both.pair[1], "q", 1), 1);
	CHECK_EQ(weft_run(1, read_byte, ARG(both.pair[0]), &ret), 0);
	CHECK_EQ(ret, 'q');
	both.served = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

enum { ROUNDS = 3000 };

/* Two runtimes read one socket; every byte arrives once, nobody is forgotten. */
static int read_share(void *arg)
{
	int got = 0;
	char byte;

	(void)arg;
	while (weft_recv(both.pair[0], &byte, 1, 0, WEFT_FOREVER) == 1)
		got++;
	both.served += got;
	return got;
}

static void *share_thread(void *arg)
{
	CHECK_EQ(weft_run(1, read_share, arg, NULL), 0);
	return NULL;
}

TEST(fd, two_runtimes_share_one_socket)
{
	pthread_t threads[2];

	open_tcp(both.pair);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, share_thread, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(send(both.pair[1], "s", 1, 0), 1);
		if (i % 16 == 0)
			usleep(50);
	}
	shutdown(both.pair[1], SHUT_WR);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(both.served, ROUNDS);
}
