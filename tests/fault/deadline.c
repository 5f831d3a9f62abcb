/* SPDX-License-Identifier: MIT
 *
 * deadline.c - hooked calls of libc under a deadline that the task has pushed: they end when
 * it comes, with ETIMEDOUT, and do not say that they have done what they have not.
 */
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include "hooked.h"

static int pair[2];

static int do_read(void)
{
	char byte;

	return (int)read(pair[0], &byte, 1);
}

static int do_recv(void)
{
	char byte;

	return (int)recv(pair[0], &byte, 1, 0);
}

static int do_recvmsg(void)
{
	char byte;
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1 };

	return (int)recvmsg(pair[0], &msg, 0);
}

static int do_nanosleep(void)
{
	struct timespec hundred = { 100, 0 }, left = { 0, 0 };
	int rc = nanosleep(&hundred, &left);

	CHECK(left.tv_sec == 99);
	return rc;
}

static int do_usleep(void)
{
	return usleep(100000000);
}

static int do_sleep(void)
{
	CHECK_EQ(sleep(100), 100);
	return -1;
}

static int do_clock_nanosleep(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 100;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
	return -(errno != 0);
}

static int do_poll(void)
{
	struct pollfd fds[1] = { { .fd = pair[0], .events = POLLIN } };

	return poll(fds, 1, 100000);
}

static int do_poll_many(void)
{
	struct pollfd fds[2] = { { .fd = pair[0], .events = POLLIN },
				 { .fd = pair[1], .events = POLLIN } };

	return poll(fds, 2, -1);
}

static int do_poll_none(void)
{
	return poll(NULL, 0, 100000);
}

static int do_ppoll(void)
{
	struct pollfd fds[1] = { { .fd = pair[0], .events = POLLIN } };
	struct timespec hundred = { 100, 0 };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(fds, 1, &hundred, &none);
}

static int do_select(void)
{
	struct timeval hundred = { 100, 0 };
	fd_set set;
	int rc;

	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	rc = select(pair[0] + 1, &set, NULL, NULL, &hundred);
	CHECK_EQ(hundred.tv_sec, 99);
	return rc;
}

static int (*const calls[])(void) = { do_read,      do_recv,      do_recvmsg,         do_nanosleep,
				      do_usleep,    do_sleep,     do_clock_nanosleep, do_poll,
				      do_poll_many, do_poll_none, do_ppoll,           do_select };

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void must_be_late(int (*call)(void))
{
	errno = 0;
	CHECK_EQ(call(), -1);
	CHECK_EQ(errno, ETIMEDOUT);
}

static int calls_all(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < CALLS; i++) {
		weft_deadline *deadline;

		CHECK_EQ(weft_deadline_push(&deadline, weft_in_ms(2)), 0);
		must_be_late(calls[i]);
		CHECK_GE(weft_now(), weft_deadline_get());
		for (unsigned j = 0; j < CALLS; j++)
			must_be_late(calls[j]);
		CHECK_EQ(weft_deadline_pop(deadline), 1);
		CHECK_EQ(usleep(100), 0);
		CHECK_EQ(poll(NULL, 0, 1), 0);
	}
	return 0;
}

static void run_all(void)
{
	weft_attr shared = { 0 };
	weft_task *tasks[3];

	CHECK_EQ(weft_stack_group_new(&shared.shared, 1, 0), 0);
	CHECK_EQ(weft_spawn(&tasks[0], NULL, calls_all, NULL), 0);
	CHECK_EQ(weft_spawn(&tasks[1], &shared, calls_all, NULL), 0);
	CHECK_EQ(weft_spawn(&tasks[2], &shared, calls_all, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(weft_stack_group_free(shared.shared), 0);
}

TEST(deadline, hooked_calls)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	run_all();
}

TEST(deadline, hooked_calls_of_datagrams)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	run_all();
}

/* A socket's own timeout that comes first is EAGAIN as ever. */
static int has_timeouts(void *unused)
{
	struct timeval long_time = { 100, 0 }, short_time = { 0, 2000 };
	weft_deadline *deadline;

	(void)unused;
	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof(long_time)), 0);
	CHECK_EQ(weft_deadline_push(&deadline, weft_in_ms(2)), 0);
	must_be_late(do_recv);
	must_be_late(do_recv);
	must_be_late(do_recvmsg);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof(short_time)), 0);
	CHECK_EQ(weft_deadline_push(&deadline, weft_in_s(100)), 0);
	CHECK_EQ(do_recv(), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(do_recvmsg(), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(weft_deadline_pop(deadline), 0);
	return 0;
}

TEST(deadline, timeouts_of_the_socket)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(join(start(has_timeouts, 0)), 0);
}

/* What needs a helper thread: refused at once, with the reason. */
static int resolves_late(void *unused)
{
	weft_deadline *deadline;
	struct addrinfo *list;

	(void)unused;
	CHECK_EQ(weft_deadline_push(&deadline, WEFT_NOWAIT), 0);
	errno = 0;
	CHECK_EQ(getaddrinfo("localhost", "80", NULL, &list), EAI_SYSTEM);
	CHECK_EQ(errno, ETIMEDOUT);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(getaddrinfo("127.0.0.1", "80", NULL, &list), 0);
	freeaddrinfo(list);
	return 0;
}

TEST(deadline, name_resolution)
{
	CHECK_EQ(join(start(resolves_late, 0)), 0);
}

/* Its cleanups lie in frames, and the deadline between them on the heap: in their order. */
static char trail[8];
static unsigned steps;

static void note(void *letter)
{
	trail[steps++] = *(const char *)letter;
	trail[steps++] = usleep(10) == 0 ? '.' : '!';
}

static int exits(void *unused)
{
	weft_deadline *deadline;

	(void)unused;
	steps = 0;
	memset(trail, 0, sizeof(trail));
	pthread_cleanup_push(note, (char *)"a");
	CHECK_EQ(weft_deadline_push(&deadline, WEFT_NOWAIT), 0);
	pthread_cleanup_push(note, (char *)"b");
	pthread_exit((void *)3);
	pthread_cleanup_pop(0);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	pthread_cleanup_pop(0);
	return 0;
}

TEST(deadline, ends_where_it_was_pushed_by_pthread_exit)
{
	int ret = 0;

	CHECK_EQ(join(start(exits, 0)), 3);
	CHECK_STR(trail, "b!a.");
	CHECK_EQ(weft_run(1, exits, NULL, &ret), -EBUSY);
}

TEST(deadline, so_it_does_in_the_main_task)
{
	int ret = 0;

	CHECK_EQ(weft_run(1, exits, NULL, &ret), 0);
	CHECK_EQ(ret, 3);
	CHECK_STR(trail, "b!a.");
}
