/* SPDX-License-Identifier: MIT
 *
 * dup.c - row 31: dup2() or dup3() over a number that tasks wait on, as row 29 has it of
 * close(): all are woken, wherever they wait and whoever calls it, and the number's new life
 * has nothing of the old one.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <io/fd.h>

#include "hooked.h"

static int read_one(void *fd)
{
	char byte;
	ssize_t got = read(number_of(fd), &byte, 1);

	return got < 0 ? -errno : got == 0 ? 0 : byte;
}

static int poll_one(void *fd)
{
	struct pollfd ask = { number_of(fd), POLLIN, 0 };

	CHECK_EQ(poll(&ask, 1, -1), 1);
	return ask.revents;
}

static int accept_one(void *fd)
{
	int got = accept(number_of(fd), NULL, NULL);

	return got < 0 ? -errno : got;
}

static int write_much(void *fd)
{
	static char block[1 << 16];

	while (write(number_of(fd), block, sizeof(block)) > 0)
		;
	return -errno;
}

static int wait_by_weft(void *fd)
{
	return weft_wait_fd(number_of(fd), WEFT_READABLE, weft_in_s(100));
}

static weft_task *start_with(unsigned flags, weft_fn *fn, intptr_t number)
{
	weft_attr attr = { .flags = flags };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, fn, (void *)number), 0);
	return task;
}

/* --- who replaces it, and how ---------------------------------------------------------- */

static struct {
	int from, to, how;
} order;

static int replace(void *unused)
{
	(void)unused;
	switch (order.how) {
	case 0:
		return dup2(order.from, order.to);
	case 1:
		return dup3(order.from, order.to, 0);
	default:
		return dup3(order.from, order.to, O_CLOEXEC);
	}
}

static void *replace_in_thread(void *unused)
{
	CHECK_EQ(replace(unused), order.to);
	return NULL;
}

enum by { BY_CALLER, BY_THREAD, BY_NEXT_WORKER, BY_OTHER_WORKER, BY_MOVABLE, BYS };

static void replace_by(enum by who)
{
	weft_task *tasks[2];
	pthread_t thread;

	switch (who) {
	case BY_CALLER:
		CHECK_EQ(replace(NULL), order.to);
		break;
	case BY_THREAD:
		CHECK_EQ(pthread_create(&thread, NULL, replace_in_thread, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		break;
	case BY_MOVABLE:
		CHECK_EQ(join(start_with(WEFT_MIGRATE, replace, 0)), order.to);
		break;
	default: /* one on each worker; only the second of them does it, or the first */
		tasks[0] = start_with(WEFT_SPREAD, who == BY_NEXT_WORKER ? replace : wait_by_weft,
				      who == BY_NEXT_WORKER ? 0 : -1);
		tasks[1] = start_with(WEFT_SPREAD, who == BY_NEXT_WORKER ? wait_by_weft : replace,
				      who == BY_NEXT_WORKER ? -1 : 0);
		CHECK_EQ(join(tasks[who == BY_NEXT_WORKER ? 0 : 1]), order.to);
		CHECK_EQ(join(tasks[who == BY_NEXT_WORKER ? 1 : 0]), -EBADF);
	}
}

/* --- the row ------------------------------------------------------------------------------ */

enum { WAITERS = 6 };

static int count_waiters(int fd)
{
	struct fd_entry *entry = weft__fd_look(fd);
	int count = 0;

	if (!entry)
		return 0;
	spin_lock(&entry->lock);
	if (fd_flags(entry) & FD_INIT)
		for (struct list *node = entry->waiters.next; node != &entry->waiters;
		     node = node->next)
			count++;
	spin_unlock(&entry->lock);
	return count;
}

/* A worker's thread may be held up for any time, and its tasks with it. */
static void await_waiters(int fd, int count)
{
	while (count_waiters(fd) < count)
		CHECK_EQ(weft_sleep(100000), 0);
}

/* Readers, a writer and pollers of @fd; each says EBADF, or POLLNVAL. */
static void start_waiters(weft_task **tasks, unsigned flags, int fd)
{
	weft_fn *all[WAITERS] = {
		read_one, read_one, poll_one, write_much, wait_by_weft, poll_one
	};

	for (int i = 0; i < WAITERS; i++)
		tasks[i] = start_with(flags, all[i], fd);
	await_waiters(fd, WAITERS);
}

static void check_none_woken(weft_task **tasks)
{
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_NOWAIT, NULL), -EAGAIN);
}

static void check_all_woken(weft_task **tasks)
{
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(join(tasks[i]), i == 2 || i == 5 ? POLLNVAL : -EBADF);
}

static void check_replaced(unsigned flags, enum by who, int how)
{
	int old[2], new[2], keeper;
	weft_task *tasks[WAITERS], *after;
	char byte;

	connected_pair(old);
	CHECK_EQ(pipe(new), 0);
	keeper = dup(old[0]); /* the description lives on */
	start_waiters(tasks, flags, old[0]);

	CHECK_EQ(dup2(-1, old[0]), -1); /* these fail, and nobody is disturbed */
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(dup3(new[0], old[0], 12345), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(dup3(old[0], old[0], 0), -1);
	CHECK_EQ(dup2(old[0], old[0]), old[0]);
	CHECK_EQ(weft_sleep(1000000), 0);
	check_none_woken(tasks);

	order.from = new[0];
	order.to = old[0];
	order.how = how;
	replace_by(who);
	check_all_woken(tasks);
	CHECK_EQ(fcntl(old[0], F_GETFD), how == 2 ? FD_CLOEXEC : 0);

	/* What comes for the old description is not taken for the new one's. */
	after = start_with(flags, read_one, old[0]);
	CHECK_EQ(write(old[1], "o", 1), 1);
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_join(after, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(write(new[1], "n", 1), 1);
	CHECK_EQ(join(after), 'n');
	CHECK_EQ(read(keeper, &byte, 1), 1);
	CHECK_EQ(byte, 'o');
	close(keeper);
	close(old[0]);
	close(old[1]);
	close(new[0]);
	close(new[1]);
}

static int replace_all(void *workers)
{
	unsigned flags[] = { 0, WEFT_SPREAD, WEFT_MIGRATE, WEFT_SPREAD | WEFT_MIGRATE };

	(void)workers;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		for (int who = 0; who < BYS; who++)
			for (int how = 0; how < 3; how++)
				check_replaced(flags[i], (enum by)who, how);
	return 0;
}

TEST_LIMIT(dup, row31_over_a_waited_number, 60)
{
	CHECK_EQ(weft_run(1, replace_all, NULL, NULL), 0);
}

TEST_LIMIT(dup, row31_over_a_waited_number_in_a_crew, 60)
{
	CHECK_EQ(weft_run(2, replace_all, NULL, NULL), 0);
}

static int replace_listener(void *unused)
{
	struct sockaddr_in addrs[2];
	weft_task *acceptors[4], *after;
	int fds[2], client;

	(void)unused;
	for (int i = 0; i < 2; i++)
		fds[i] = listen_on_loopback(4, &addrs[i]);
	for (int i = 0; i < 4; i++)
		acceptors[i] = start_with(i % 2 ? WEFT_MIGRATE : WEFT_SPREAD, accept_one, fds[0]);
	await_waiters(fds[0], 4);
	CHECK_EQ(dup2(fds[1], fds[0]), fds[0]);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(join(acceptors[i]), -EBADF);
	after = start_with(WEFT_SPREAD, accept_one, fds[0]);
	client = connect_to(&addrs[1]);
	CHECK_GE(join(after), 0);
	close(client);
	return 0;
}

TEST(dup, row31_over_a_listener)
{
	CHECK_EQ(weft_run(1, replace_listener, NULL, NULL), 0);
	CHECK_EQ(weft_run(2, replace_listener, NULL, NULL), 0);
}

/* --- a race: readers come and go while the number changes hands ------------------------------ */

static int number, pipes[2][2];
static _Atomic bool over;
static _Atomic int got;

static int read_and_read(void *unused)
{
	char byte;

	(void)unused;
	while (!over) {
		if (read(number, &byte, 1) == 1)
			got++;
		else
			CHECK_EQ(errno, EBADF);
	}
	return 0;
}

/* Each byte that is written is read by somebody, whatever the number is just then. */
static int race(void *unused)
{
	weft_task *tasks[8];
	int sent = 0;

	(void)unused;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pipe(pipes[i]), 0);
	number = dup(pipes[0][0]);
	for (int i = 0; i < 8; i++)
		tasks[i] = start_with(i % 2 ? WEFT_MIGRATE : WEFT_SPREAD, read_and_read, 0);
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(dup2(pipes[i % 2][0], number), number);
		CHECK_EQ(write(pipes[i % 2][1], "xy", 2), 2);
		sent += 2;
		while (got < sent)
			CHECK_EQ(weft_sleep(20000), 0);
	}
	over = true;
	CHECK_EQ(write(pipes[1][1], "........", 8), 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(join(tasks[i]), 0);
	return 0;
}

TEST_LIMIT(dup, row31_nothing_is_lost_in_a_race, 60)
{
	CHECK_EQ(weft_run(2, race, NULL, NULL), 0);
}
