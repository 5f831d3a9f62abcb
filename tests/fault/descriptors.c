/* SPDX-License-Identifier: MIT
 *
 * descriptors.c - rows 26 to 31, 35 to 37: descriptors run out, go away, or are
 * not what one thinks, while tasks wait on them.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include <base/compiler.h>

#include "hooked.h"

static void limit_descriptors(rlim_t limit)
{
	struct rlimit now;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
	now.rlim_cur = limit;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
}

/* Takes every number that is left below the limit. */
static int take_all(int fds[], int room)
{
	int count = 0;

	while (count < room && (fds[count] = dup(0)) >= 0)
		count++;
	CHECK_EQ(errno, EMFILE);
	return count;
}

/* --- 26: EMFILE in accept --------------------------------------------------------- */

static struct {
	int listener, failures, accepted;
	bool stop;
} naive;

/* The loop that everybody writes. */
static int accept_naively(void *unused)
{
	(void)unused;
	while (!naive.stop) {
		int fd = accept(naive.listener, NULL, NULL);

		if (fd < 0) {
			CHECK_EQ(errno, EMFILE);
			naive.failures++;
			continue;
		}
		naive.accepted++;
		close(fd);
		naive.stop = true;
	}
	return 0;
}

static int64_t cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

TEST(descriptors, row26_accept_without_descriptors_does_not_spin)
{
	static int fds[256];
	struct sockaddr_in addr;
	int64_t cpu_before_ns;
	weft_task *task;
	int count, client;

	CHECK_EQ(weft_sleep(1), 0); /* a runtime needs descriptors of its own */
	naive.listener = listen_on_loopback(8, &addr);
	client = connect_to(&addr);
	limit_descriptors(200);
	count = take_all(fds, 256);
	task = start(accept_naively, 0);
	CHECK_EQ(weft_sleep(1000000), 0); /* others run meanwhile */
	cpu_before_ns = cpu_ns();
	CHECK_EQ(weft_sleep(300000000), 0);
	CHECK_LT(cpu_ns() - cpu_before_ns, 150000000);
	CHECK_GT(naive.failures, 0);
	CHECK_LT(naive.failures, 3000);
	close(fds[--count]); /* and the connection has not been lost */
	CHECK_EQ(join(task), 0);
	CHECK_EQ(naive.accepted, 1);
	close(client);
}

/* --- 27: RLIMIT_NOFILE reached ------------------------------------------------------- */

static int pair[2];

static int echo_pair(void *unused)
{
	char buf[16];
	ssize_t got;

	(void)unused;
	while ((got = read(pair[1], buf, sizeof(buf))) > 0)
		CHECK_EQ(write(pair[1], buf, (size_t)got), got);
	return (int)got;
}

static void *wake_by_write(void *unused)
{
	(void)unused;
	usleep(20000);
	CHECK_EQ(write(pair[0], "thread", 6), 6);
	return NULL;
}

TEST(descriptors, row27_without_descriptors_everything_else_goes_on)
{
	static int fds[256];
	struct pollfd ask;
	weft_task *task;
	pthread_t thread;
	char buf[16];
	int count;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_sleep(1), 0); /* there is a runtime */
	limit_descriptors(200);
	count = take_all(fds, 256);

	task = start(echo_pair, 0);
	CHECK_EQ(write(pair[0], "hello", 5), 5);
	ask = (struct pollfd){ pair[0], POLLIN, 0 };
	CHECK_EQ(poll(&ask, 1, -1), 1);
	CHECK_EQ(read(pair[0], buf, sizeof(buf)), 5);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(pthread_create(&thread, NULL, wake_by_write, NULL), 0);
	CHECK_EQ(read(pair[0], buf, sizeof(buf)), 6);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), -1);
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(shutdown(pair[0], SHUT_WR), 0);
	CHECK_EQ(join(task), 0);
	CHECK_GT(count, 0);
}

static int nothing(void *unused)
{
	(void)unused;
	return 7;
}

TEST(descriptors, row27_a_runtime_needs_descriptors)
{
	static int fds[256];
	int count, result = 0;

	limit_descriptors(200);
	count = take_all(fds, 256);
	CHECK_EQ(weft_run(1, nothing, NULL, &result), -EMFILE);
	CHECK_EQ(weft_go(nothing, NULL), -EMFILE);
	CHECK_EQ(result, 0);
	while (count > 0)
		close(fds[--count]);
	CHECK_EQ(weft_run(1, nothing, NULL, &result), 0);
	CHECK_EQ(result, 7);
}

/* --- 28: what epoll refuses -------------------------------------------------------------- */

TEST(descriptors, row28_what_epoll_refuses_is_served)
{
	char path[] = "/tmp/weft-fault-XXXXXX", buf[16];
	int file = mkstemp(path), null = open("/dev/null", O_RDWR);

	unlink(path);
	CHECK_EQ(weft_sleep(1), 0);
	CHECK_EQ(write(file, "contents", 8), 8);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	CHECK_EQ(read(file, buf, sizeof(buf)), 8);
	CHECK_EQ(memcmp(buf, "contents", 8), 0);
	CHECK_EQ(read(file, buf, sizeof(buf)), 0);
	CHECK_EQ(write(null, buf, 8), 8);
	CHECK_EQ(read(null, buf, 8), 0);
}

static int read_one(void *fd)
{
	char byte;
	ssize_t got = read(number_of(fd), &byte, 1);

	return got < 0 ? -errno : got == 0 ? 0 : byte;
}

/* EEXIST: the description is in the epoll set already, put there under another
 * generation of the number: a thread closed it, which cannot take it out of this
 * worker's set, while a duplicate kept it alive. */
static void *close_and_bring_back(void *fds)
{
	int *numbers = fds;

	CHECK_EQ(close(numbers[0]), 0);
	CHECK_EQ(dup2(numbers[1], numbers[0]), numbers[0]);
	return NULL;
}

TEST(descriptors, row28_a_description_that_epoll_still_has)
{
	int fds[2], numbers[2];
	weft_task *task;
	pthread_t thread;

	CHECK_EQ(pipe(fds), 0);
	numbers[0] = fds[0];
	numbers[1] = dup(fds[0]);
	task = start(read_one, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(pthread_create(&thread, NULL, close_and_bring_back, numbers), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(join(task), -EBADF);
	task = start(read_one, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(write(fds[1], "b", 1), 1);
	CHECK_EQ(join(task), 'b');
}

/* ENOENT: it went out of the epoll set behind weft's back. */
TEST(descriptors, row28_a_description_that_epoll_has_no_more)
{
	int fds[2], other[2];
	weft_task *task;

	CHECK_EQ(pipe(fds), 0);
	task = start(read_one, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(pipe(other), 0);
	CHECK_EQ(syscall(SYS_dup3, other[0], fds[0], 0), fds[0]);
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(join(task), -EBADF);
	CHECK_EQ(dup2(other[0], fds[0]), fds[0]);
	task = start(read_one, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(write(other[1], "c", 1), 1);
	CHECK_EQ(join(task), 'c');
}

/* --- 29 to 31: the number goes away under its waiters ---------------------------------------- */

static int poll_one(void *fd)
{
	struct pollfd ask = { number_of(fd), POLLIN, 0 };

	CHECK_EQ(poll(&ask, 1, -1), 1);
	return ask.revents;
}

static int fill_and_write(void *fd)
{
	static char block[1 << 16];

	while (write(number_of(fd), block, sizeof(block)) > 0)
		;
	return -errno;
}

TEST(descriptors, row29_close_wakes_all)
{
	weft_task *readers[5], *writer, *poller;
	int fds[2], i;

	connected_pair(fds);
	for (i = 0; i < 5; i++)
		readers[i] = start(read_one, fds[0]);
	writer = start(fill_and_write, fds[0]);
	poller = start(poll_one, fds[0]);
	CHECK_EQ(weft_sleep(20000000), 0);
	CHECK_EQ(close(fds[0]), 0);
	for (i = 0; i < 5; i++)
		CHECK_EQ(join(readers[i]), -EBADF);
	/* what was sent before is a success; the next write finds it closed */
	CHECK_EQ(join(writer), -EBADF);
	CHECK_EQ(join(poller), POLLNVAL);
}

static void *close_it(void *fd)
{
	usleep(10000);
	CHECK_EQ(close(number_of(fd)), 0);
	return NULL;
}

TEST(descriptors, row29_close_by_another_thread)
{
	weft_task *task;
	pthread_t thread;
	int fds[2];

	connected_pair(fds);
	task = start(read_one, fds[0]);
	CHECK_EQ(pthread_create(&thread, NULL, close_it, (void *)(intptr_t)fds[0]), 0);
	CHECK_EQ(join(task), -EBADF);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int accept_one(void *fd)
{
	int got = accept(number_of(fd), NULL, NULL);

	return got < 0 ? -errno : got;
}

TEST(descriptors, row29_close_wakes_an_accept)
{
	struct sockaddr_in addr;
	int listener = listen_on_loopback(1, &addr);
	weft_task *a = start(accept_one, listener), *b = start(accept_one, listener);

	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(close(listener), 0);
	CHECK_EQ(join(a), -EBADF);
	CHECK_EQ(join(b), -EBADF);
}

/* The event for the old pipe is in the kernel's queue when its number begins a
 * new life; it must not be taken for the new one's. */
TEST(descriptors, row30_no_stale_wake)
{
	int round;

	for (round = 0; round < 50; round++) {
		int old[2], new[2];
		weft_task *task, *next;

		CHECK_EQ(pipe(old), 0);
		task = start(read_one, old[0]);
		CHECK_EQ(weft_task_yield(), 0); /* it waits */
		CHECK_EQ(write(old[1], "o", 1), 1);
		CHECK_EQ(close(old[0]), 0);
		CHECK_EQ(pipe(new), 0);
		CHECK_EQ(new[0], old[0]);
		next = start(read_one, new[0]);
		CHECK_EQ(join(task), -EBADF);
		CHECK_EQ(weft_sleep(100000), 0);
		CHECK_EQ(write(new[1], "n", 1), 1);
		CHECK_EQ(join(next), 'n');
		close(old[1]);
		close(new[0]);
		close(new[1]);
	}
}

/* The same through numbers that a raw system call made: nobody told weft. */
TEST(descriptors, row30_a_number_reused_after_close)
{
	int old[2], new[2];
	weft_task *task;

	CHECK_EQ(pipe(old), 0);
	task = start(read_one, old[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(close(old[0]), 0);
	CHECK_EQ(join(task), -EBADF);
	CHECK_EQ(syscall(SYS_pipe2, new, 0), 0);
	CHECK_EQ(new[0], old[0]);
	task = start(read_one, new[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(write(new[1], "n", 1), 1);
	CHECK_EQ(join(task), 'n');
}

TEST(descriptors, row31_dup2_over_a_waited_descriptor)
{
	weft_task *readers[3], *after;
	int a[2], b[2], i;

	connected_pair(a);
	CHECK_EQ(pipe(b), 0);
	for (i = 0; i < 3; i++)
		readers[i] = start(read_one, a[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(dup2(-1, a[0]), -1); /* fails: nobody is disturbed */
	CHECK_EQ(dup3(b[0], a[0], 12345), -1);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(dup2(b[0], a[0]), a[0]);
	for (i = 0; i < 3; i++)
		CHECK_EQ(join(readers[i]), -EBADF);
	after = start(read_one, a[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(write(b[1], "p", 1), 1);
	CHECK_EQ(join(after), 'p');

	after = start(read_one, a[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(dup3(a[1], a[0], O_CLOEXEC), a[0]);
	CHECK_EQ(join(after), -EBADF);
}

/* --- 32: the child of a fork leaves the parent's waits and tasks alone ------------ */

#if !WEFT_TSAN /* which takes the child for a race */

static int marks[2];

static int leave_mark(void *unused)
{
	(void)unused;
	CHECK_EQ(write(marks[1], "m", 1), 1);
	return 0;
}

TEST(descriptors, row32_a_child_keeps_the_calling_task_alone)
{
	int fds[2], done[2], status;
	weft_task *task, *other;
	char buf[8];
	pid_t child;

	connected_pair(fds);
	CHECK_EQ(pipe(done), 0);
	CHECK_EQ(pipe(marks), 0);
	task = start(read_one, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	other = start(leave_mark, 0); /* ready to run when the fork comes */
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0) {
		close(fds[0]); /* must not take it out of the parent's epoll set */
		dup2(0, fds[0]);
		usleep(2000); /* must not run the parent's task */
		CHECK_EQ(write(done[1], "d", 1), 1);
		_exit(read(fds[1], buf, 1) == 1 && buf[0] == 'x' ? 0 : 1);
	}
	CHECK_EQ(syscall(SYS_read, done[0], buf, 1), 1);
	CHECK_EQ(join(other), 0);
	CHECK_EQ(read(marks[0], buf, sizeof(buf)), 1);
	CHECK_EQ(write(fds[1], "y", 1), 1);
	CHECK_EQ(join(task), 'y');
	CHECK_EQ(write(fds[0], "x", 1), 1);
	CHECK_EQ(syscall(SYS_wait4, child, &status, 0, NULL), child);
	CHECK_EQ(status, 0);
}

#endif

/* --- 35: eventfd saturated -------------------------------------------------------------------------- */

static int add_one(void *fd)
{
	uint64_t one = 1;

	CHECK_EQ(write(number_of(fd), &one, sizeof(one)), 8);
	return 0;
}

TEST(descriptors, row35_saturated_eventfd)
{
	uint64_t most = UINT64_MAX - 1, value;
	int fd = eventfd(0, 0), i;
	weft_task *tasks[3];

	CHECK_EQ(write(fd, &most, sizeof(most)), 8);
	for (i = 0; i < 3; i++)
		tasks[i] = start(add_one, fd);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(read(fd, &value, sizeof(value)), 8);
	CHECK_EQ(value, most);
	for (i = 0; i < 3; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(read(fd, &value, sizeof(value)), 8);
	CHECK_EQ(value, 3);
}

/* --- 36: several readers ------------------------------------------------------------------------------ */

enum { READERS = 8 };

TEST(descriptors, row36_every_reader_is_served)
{
	weft_task *tasks[READERS];
	int fds[2], i, sum = 0;

	connected_pair(fds);
	for (i = 0; i < READERS; i++)
		tasks[i] = start(read_one, fds[0]);
	CHECK_EQ(weft_sleep(2000000), 0);
	CHECK_EQ(write(fds[1], "\1\2\3\4\5\6\7\10", READERS), READERS);
	for (i = 0; i < READERS; i++)
		sum += join(tasks[i]);
	CHECK_EQ(sum, READERS * (READERS + 1) / 2);
}

TEST(descriptors, row36_one_message_a_time)
{
	weft_task *tasks[READERS];
	int fds[2], i, sum = 0;

	CHECK_EQ(pipe(fds), 0);
	for (i = 0; i < READERS; i++)
		tasks[i] = start(read_one, fds[0]);
	for (i = 0; i < READERS; i++) {
		char byte = (char)(i + 1);

		CHECK_EQ(weft_sleep(1000000), 0);
		CHECK_EQ(write(fds[1], &byte, 1), 1);
	}
	for (i = 0; i < READERS; i++)
		sum += join(tasks[i]);
	CHECK_EQ(sum, READERS * (READERS + 1) / 2);
}

TEST(descriptors, row36_every_acceptor_is_served)
{
	weft_task *tasks[READERS];
	int clients[READERS], listener, i;
	struct sockaddr_in addr;

	listener = listen_on_loopback(READERS, &addr);
	for (i = 0; i < READERS; i++)
		tasks[i] = start(accept_one, listener);
	CHECK_EQ(weft_sleep(2000000), 0);
	for (i = 0; i < READERS; i++)
		clients[i] = connect_to(&addr);
	for (i = 0; i < READERS; i++)
		CHECK_GT(join(tasks[i]), 2);
	for (i = 0; i < READERS; i++)
		close(clients[i]);
}

/* --- 37: inherited standard input ------------------------------------------------------------------------ */

TEST(descriptors, row37_inherited_nonblocking_stdin)
{
	int fds[2];
	char byte;

	/* as the shell would have done it, before main() */
	CHECK_EQ(syscall(SYS_pipe2, fds, O_NONBLOCK), 0);
	CHECK_EQ(syscall(SYS_dup3, fds[0], 0, 0), 0);
	CHECK_EQ(weft_sleep(1), 0);
	CHECK_EQ(read(0, &byte, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_NE(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(write(fds[1], "z", 1), 1);
	CHECK_EQ(read(0, &byte, 1), 1);
	CHECK_EQ(byte, 'z');
}

TEST(descriptors, row37_inherited_stdin_is_a_file)
{
	char path[] = "/tmp/weft-fault-XXXXXX", buf[16];
	int file = mkstemp(path);

	unlink(path);
	CHECK_EQ(syscall(SYS_write, file, "line one\nline two\n", 18), 18);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	CHECK_EQ(syscall(SYS_dup3, file, 0, 0), 0);
	CHECK_EQ(weft_sleep(1), 0);
	CHECK_EQ(read(0, buf, 9), 9);
	CHECK_EQ(read(0, buf, sizeof(buf)), 9);
	CHECK_EQ(memcmp(buf, "line two\n", 9), 0);
	CHECK_EQ(read(0, buf, sizeof(buf)), 0);
}
