/* SPDX-License-Identifier: MIT
 *
 * poller.c - the poller alone: no runtime, no tasks.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/fault.h>
#include <poll/poll.h>
#include <test.h>

enum { MS = 1000000 };

static struct {
	int fd, count;
	uint32_t generation;
	unsigned bits;
} seen;

static void note(int fd, uint32_t generation, unsigned bits)
{
	seen.fd = fd;
	seen.generation = generation;
	seen.bits |= bits;
	seen.count++;
}

static int look(struct poller *poller)
{
	seen.count = 0;
	seen.bits = 0;
	return weft__poller_wait(poller, 0, note);
}

static struct poller open_poller(void)
{
	struct poller poller;

	CHECK_EQ(weft__poller_init(&poller, 0), 0);
	return poller;
}

static void open_pair(int fds[2])
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

TEST(poller, descriptors_are_high_and_known_as_its_own)
{
	struct rlimit limit;
	struct poller poller;
	int fd;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	poller = open_poller();
	if (limit.rlim_cur > FD_SETSIZE + 64) {
		CHECK_GE(poller.epoll_fd, FD_SETSIZE);
		CHECK_GE(poller.wake_fd, FD_SETSIZE);
	}
	CHECK(weft__poller_owns(poller.epoll_fd));
	CHECK(weft__poller_owns(poller.wake_fd));
	CHECK(!weft__poller_owns(0));
	CHECK(fcntl(poller.epoll_fd, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(poller.wake_fd, F_GETFD) & FD_CLOEXEC);
	fd = poller.epoll_fd;
	weft__poller_fini(&poller);
	CHECK(!weft__poller_owns(fd));
	CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(poller, small_descriptor_limit)
{
	struct rlimit limit = { 12, 12 };
	struct poller poller;
	int pair[2];

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	poller = open_poller();
	open_pair(pair);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 1), 0);
	CHECK_EQ(look(&poller), 1);
	weft__poller_fini(&poller);
}

TEST(poller, no_descriptor_left_is_an_error)
{
	struct rlimit limit = { 256, 256 };
	struct poller poller;
	int last = -1, fd;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fd = dup(0)) >= 0)
		last = fd;
	CHECK_EQ(weft__poller_init(&poller, 0), -EMFILE);
	close(last);
	/* epoll gets one, eventfd none, and the first goes back. */
	CHECK_EQ(weft__poller_init(&poller, 0), -EMFILE);
	CHECK_EQ(dup(0), last);
	CHECK_EQ(dup(0), -1);
}

TEST(poller, init_survives_the_nth_failure)
{
	int before = dup(0), after;

	close(before);
	for (unsigned n = 1;; n++) {
		struct poller poller;
		int rc;

		weft__fault_fail(n);
		rc = weft__poller_init(&poller, 0);
		if (rc == 0)
			weft__poller_fini(&poller);
		if (!weft__fault_fired()) {
			CHECK_EQ(rc, 0);
			CHECK_GT(n, 3);
			break;
		}
		CHECK(rc == -ENOMEM || rc == -EMFILE);
	}
	after = dup(0);
	CHECK_EQ(after, before);
}

TEST(poller, edge_once_with_generation)
{
	struct poller poller = open_poller();
	int pair[2];

	open_pair(pair);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 0xfffffffe), 0);
	CHECK_EQ(look(&poller), 1); /* writable from the beginning */
	CHECK_EQ(seen.bits, POLL_WRITABLE);
	CHECK_EQ(look(&poller), 0);

	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(look(&poller), 1);
	CHECK_EQ(seen.fd, pair[0]);
	CHECK_EQ(seen.generation, 0xfffffffe);
	CHECK(seen.bits & POLL_READABLE);
	CHECK_EQ(look(&poller), 0); /* an edge, though the byte is still there */
	weft__poller_fini(&poller);
}

TEST(poller, add_again_arms_again_with_the_new_generation)
{
	struct poller poller = open_poller();
	int pair[2];

	open_pair(pair);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 1), 0);
	CHECK_EQ(look(&poller), 1);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 2), 0); /* EEXIST inside */
	CHECK_EQ(look(&poller), 1);
	CHECK_EQ(seen.generation, 2);
	CHECK(seen.bits & POLL_READABLE);
	weft__poller_fini(&poller);
}

TEST(poller, remove_is_always_fine)
{
	struct poller poller = open_poller();
	int pair[2];

	open_pair(pair);
	weft__poller_remove(&poller, pair[0]); /* ENOENT */
	CHECK_EQ(weft__poller_add(&poller, pair[0], 1), 0);
	weft__poller_remove(&poller, pair[0]);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(look(&poller), 0);
	close(pair[0]);
	weft__poller_remove(&poller, pair[0]); /* EBADF */
	weft__poller_fini(&poller);
}

TEST(poller, what_cannot_be_polled)
{
	struct poller poller = open_poller();
	int file = open("/proc/self/exe", O_RDONLY);
	int directory = open("/", O_RDONLY | O_DIRECTORY);

	CHECK_GE(file, 0);
	CHECK_GE(directory, 0);
	CHECK_EQ(weft__poller_add(&poller, file, 1), -EPERM);
	CHECK_EQ(weft__poller_add(&poller, directory, 1), -EPERM);
	close(file);
	CHECK_EQ(weft__poller_add(&poller, file, 1), -EBADF);
	weft__poller_fini(&poller);
}

TEST(poller, no_watch_left)
{
	struct poller poller = open_poller();
	int pair[2];

	open_pair(pair);
	weft__fault_fail(1);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 1), -ENOSPC);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 1), 0);
	weft__poller_fini(&poller);
}

/* EPOLLHUP, EPOLLERR without EPOLLIN or EPOLLOUT wake both ways. */
TEST(poller, hang_up_and_error_alone)
{
	struct poller poller = open_poller();
	int reads[2], writes[2];

	CHECK_EQ(pipe(reads), 0);
	CHECK_EQ(weft__poller_add(&poller, reads[0], 1), 0);
	CHECK_EQ(look(&poller), 0);
	close(reads[1]);
	CHECK_EQ(look(&poller), 1); /* EPOLLHUP alone */
	CHECK_EQ(seen.bits, POLL_READABLE | POLL_WRITABLE | POLL_HANGUP | POLL_ERROR);

	CHECK_EQ(pipe(writes), 0);
	CHECK_EQ(fcntl(writes[1], F_SETFL, O_NONBLOCK), 0);
	while (write(writes[1], &poller, sizeof poller) > 0)
		;
	CHECK_EQ(weft__poller_add(&poller, writes[1], 1), 0);
	CHECK_EQ(look(&poller), 0);
	close(writes[0]);
	CHECK_EQ(look(&poller), 1); /* EPOLLERR */
	CHECK_EQ(seen.bits, POLL_READABLE | POLL_WRITABLE | POLL_HANGUP | POLL_ERROR);
	weft__poller_fini(&poller);
}

TEST(poller, half_close_is_readable_and_not_an_error)
{
	struct poller poller = open_poller();
	int pair[2];

	open_pair(pair);
	CHECK_EQ(weft__poller_add(&poller, pair[0], 1), 0);
	CHECK_EQ(look(&poller), 1);
	CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
	CHECK_EQ(look(&poller), 1);
	CHECK(seen.bits & POLL_READABLE);
	CHECK(seen.bits & POLL_HANGUP);
	CHECK(!(seen.bits & POLL_ERROR));
	weft__poller_fini(&poller);
}

TEST(poller, more_ready_than_one_system_call_reports)
{
	enum { PAIRS = 700 };
	struct poller poller = open_poller();
	struct rlimit limit;
	int total = 0, got;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 2 * PAIRS + 64)
		SKIP("needs 1464 descriptors");
	for (int i = 0; i < PAIRS; i++) {
		int pair[2];

		open_pair(pair);
		CHECK_EQ(weft__poller_add(&poller, pair[0], 1), 0);
	}
	/* What one wait has no room for comes with the next, and nothing twice. */
	while ((got = look(&poller)) > 0)
		total += got;
	CHECK_EQ(total, PAIRS);
	CHECK_GE(poller.polls, 3);
	weft__poller_fini(&poller);
}

TEST(poller, timeouts_are_never_early)
{
	static const int64_t times[] = { 1, 40000, 1500000, 3 * MS };
	struct poller poller = open_poller();

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		int64_t begin = weft__now();

		CHECK_EQ(weft__poller_wait(&poller, times[i], note), 0);
		CHECK_GE(weft__now() - begin, times[i]);
	}
	weft__poller_fini(&poller);
}

TEST(poller, huge_timeout_ends_by_a_wake)
{
	struct poller poller = open_poller();

	weft__poller_wake(&poller);
	CHECK_EQ(weft__poller_wait(&poller, INT64_MAX, note), 0);
	weft__poller_wake(&poller);
	CHECK_EQ(weft__poller_wait(&poller, -1, note), 0);
	weft__poller_fini(&poller);
}

/* --- waking ----------------------------------------------------------------- */

static void *wake_later(void *poller)
{
	usleep(20000);
	weft__poller_wake(poller);
	return NULL;
}

TEST(poller, wakes_from_another_thread)
{
	struct poller poller = open_poller();
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, wake_later, &poller), 0);
		CHECK_EQ(weft__poller_wait(&poller, -1, note), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	/* And one wake ends one wait. */
	CHECK_EQ(look(&poller), 0);
	CHECK_EQ(poll(&(struct pollfd){ poller.epoll_fd, POLLIN, 0 }, 1, 0), 0);
	weft__poller_fini(&poller);
}

TEST(poller, saturated_eventfd_still_wakes)
{
	struct poller poller = open_poller();
	uint64_t full = UINT64_MAX - 1;

	CHECK_EQ(write(poller.wake_fd, &full, sizeof full), sizeof full);
	CHECK_EQ(weft__poller_wait(&poller, -1, note), 0); /* that edge */
	CHECK_EQ(poll(&(struct pollfd){ poller.epoll_fd, POLLIN, 0 }, 1, 0), 0);
	weft__poller_wake(&poller);
	CHECK_EQ(poll(&(struct pollfd){ poller.epoll_fd, POLLIN, 0 }, 1, 0), 1);
	CHECK_EQ(weft__poller_wait(&poller, -1, note), 0);
	weft__poller_fini(&poller);
}

static void *wake_often(void *poller)
{
	for (int i = 0; i < 20000; i++)
		weft__poller_wake(poller);
	return NULL;
}

TEST(poller, many_wakers_at_the_edge_of_saturation)
{
	struct poller poller = open_poller();
	uint64_t nearly_full = UINT64_MAX - 1 - 7;
	pthread_t threads[2];

	CHECK_EQ(write(poller.wake_fd, &nearly_full, sizeof nearly_full), sizeof nearly_full);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wake_often, &poller), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(weft__poller_wait(&poller, -1, note), 0);
	weft__poller_fini(&poller);
}

static void close_its_descriptor(void *arg)
{
	struct poller poller = open_poller();

	(void)arg;
	close(poller.epoll_fd);
	weft__poller_wait(&poller, 0, note);
}

TEST(poller, a_closed_epoll_descriptor_is_diagnosed)
{
	CHECK_DEATH(SIGABRT, "epoll_wait", close_its_descriptor, NULL);
}

TEST(poller, ids_are_never_reused)
{
	struct poller a = open_poller(), b;

	weft__poller_fini(&a);
	b = open_poller();
	CHECK_NE(a.id, b.id);
	CHECK_NE(b.id, 0);
	weft__poller_fini(&b);
}
