/* SPDX-License-Identifier: MIT
 *
 * libco_calls.cc - what libc's calls do in libco's coroutines, and co_poll(). Most cases are
 * of calls with which the original blocks the thread, answers wrongly or crashes.
 */
#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "libco.h"

/* The wall clock, as the program sees it. */
static long clock_jump_s;

extern "C" int gettimeofday(struct timeval *tv, void *) noexcept
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	tv->tv_sec = now.tv_sec + clock_jump_s;
	tv->tv_usec = now.tv_nsec / 1000;
	return 0;
}

namespace
{

int ends[2]; /* of a connection, or a pipe */

/* For a while that the original would not have waited. */
void pause_ms(int ms)
{
	CHECK_EQ(co_poll(co_get_epoll_ct(), NULL, 0, ms), 0);
}

/* --- co_poll and poll --------------------------------------------------------------------- */

void *polls_at_once(void *)
{
	struct pollfd fd = { ends[0], POLLIN, 0 };

	CHECK_EQ(co_poll(co_get_epoll_ct(), &fd, 1, 0), 0); /* it calls a null pointer */
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(co_poll(co_get_epoll_ct(), &fd, 1, 0), 1);
	CHECK_EQ(fd.revents, POLLIN);
	CHECK_EQ(co_poll(co_get_epoll_ct(), NULL, 0, 0), 0);
	finished++;
	return NULL;
}

TEST(libco_calls, co_poll_without_waiting)
{
	CHECK_EQ(pipe(ends), 0);
	co_release(start(polls_at_once));
	CHECK_EQ(finished, 1);
}

void *polls_for_the_same(void *)
{
	struct pollfd fd = { ends[0], POLLIN, 0 };

	CHECK_EQ(co_poll(co_get_epoll_ct(), &fd, 1, 10000), 1);
	CHECK_EQ(fd.revents, POLLIN);
	finished++;
	return NULL;
}

/* The second of them learns of nothing but its timeout. */
TEST(libco_calls, two_poll_one_descriptor)
{
	stCoRoutine_t *a, *b;

	CHECK_EQ(pipe(ends), 0);
	a = start(polls_for_the_same);
	b = start(polls_for_the_same);
	CHECK_EQ(finished, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	loop_until_finished(2);
	co_release(a);
	co_release(b);
}

void *polls_many(void *)
{
	struct pollfd fds[3] = { { ends[0], POLLIN, 0 },
				 { -1, POLLIN, 0 },
				 { ends[0], POLLOUT, 0 } };

	co_enable_hook_sys();
	CHECK_EQ(poll(fds, 2, 1), 0);
	CHECK_EQ(poll(fds, 3, -1), 1);
	CHECK_EQ(fds[0].revents, 0);
	CHECK_EQ(fds[2].revents, POLLOUT);
	finished++;
	return NULL;
}

TEST(libco_calls, poll_of_several_and_none_and_the_same_twice)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stCoRoutine_t *co = start(polls_many);

	loop_until_finished(1);
	co_release(co);
}

/* --- how long a call waits ------------------------------------------------------------------ */

void *reads_default(void *)
{
	char byte;

	co_enable_hook_sys();
	CHECK_EQ(read(ends[0], &byte, 1), 1); /* EAGAIN after a second */
	finished++;
	return NULL;
}

void *reads_without_limit(void *fd)
{
	struct timeval none = { 0, 0 };
	char byte;

	co_enable_hook_sys();
	CHECK_EQ(setsockopt(*(int *)fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)), 0);
	CHECK_EQ(recv(*(int *)fd, &byte, 1, 0), 1); /* EAGAIN at once */
	finished++;
	return NULL;
}

void *makes_and_reads(void *fds)
{
	co_enable_hook_sys();
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)fds), 0);
	return reads_without_limit(fds);
}

TEST(libco_calls, a_read_waits_without_end_by_default_and_with_a_limit_of_0)
{
	int others[2], made[2];
	stCoRoutine_t *co[3];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
	co[0] = start(reads_default);
	co[1] = start(reads_without_limit, others);
	co[2] = start(makes_and_reads, made);
	pause_ms(1100);
	CHECK_EQ(finished, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(write(others[1], "x", 1), 1);
	CHECK_EQ(write(made[1], "x", 1), 1);
	loop_until_finished(3);
	for (int i = 0; i < 3; i++)
		co_release(co[i]);
}

void *reads_with_limit(void *)
{
	struct timeval limit = { 0, 20000 };
	char byte;

	co_enable_hook_sys();
	CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	errno = 0;
	CHECK_EQ(recv(ends[0], &byte, 1, 0), -1);
	CHECK_EQ(errno, EAGAIN);
	finished++;
	return NULL;
}

TEST(libco_calls, a_read_with_a_limit_ends_by_it)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stCoRoutine_t *co = start(reads_with_limit);

	CHECK_EQ(finished, 0);
	loop_until_finished(1);
	co_release(co);
}

void *sleeps_shortly(void *)
{
	co_enable_hook_sys();
	CHECK_EQ(poll(NULL, 0, 20), 0);
	finished++;
	return NULL;
}

/* A clock that is set back by an hour makes the original's timers an hour late. */
TEST(libco_calls, timers_do_not_follow_the_wall_clock)
{
	stCoRoutine_t *co = start(sleeps_shortly);

	clock_jump_s = -3600;
	loop_until_finished(1);
	co_release(co);
}

int count_pass(void *passes)
{
	++*(int *)passes;
	return finished ? -1 : 0;
}

void *sleeps_long(void *)
{
	co_enable_hook_sys();
	CHECK_EQ(poll(NULL, 0, 300), 0);
	finished++;
	return NULL;
}

/* A pass each millisecond, that is 300. */
TEST(libco_calls, an_idle_loop_does_not_spin)
{
	stCoRoutine_t *co = start(sleeps_long);
	int passes = 0;

	co_eventloop(co_get_epoll_ct(), count_pass, &passes);
	CHECK_LE(passes, 100);
	co_release(co);
}

/* --- fcntl, and numbers ---------------------------------------------------------------------------- */

void *asks_fcntl(void *)
{
	int copy;

	co_enable_hook_sys();
	copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0); /* -1 */
	CHECK_GE(copy, 0);
	CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(close(copy), 0);
	errno = 0;
	CHECK_EQ(fcntl(-1, F_GETFL), -1); /* a line number */
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
	CHECK_GT(fcntl(ends[1], F_GETPIPE_SZ), 0);
	finished++;
	return NULL;
}

TEST(libco_calls, fcntl_is_libcs)
{
	CHECK_EQ(pipe(ends), 0);
	co_release(start(asks_fcntl));
	CHECK_EQ(finished, 1);
}

int high_fd;

void *uses_a_high_number(void *)
{
	char byte;
	int fd;

	co_enable_hook_sys();
	CHECK_EQ(read(high_fd, &byte, 1), 1);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_GE(fd, 0);
	CHECK_EQ(dup2(fd, high_fd), high_fd);
	CHECK_EQ(close(high_fd), 0);
	CHECK_EQ(close(fd), 0);
	finished++;
	return NULL;
}

/* From 102400 on it has no place, and does not look. */
TEST(libco_calls, a_descriptor_may_have_any_number)
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 110000) {
		struct rlimit more = { 110000, 110000 };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0) /* as root */
			limit = more;
	}
	limit.rlim_cur = limit.rlim_max < 110000 ? limit.rlim_max : 110000;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(pipe(ends), 0);
	high_fd = fcntl(ends[0], F_DUPFD, (int)limit.rlim_cur - 2);
	CHECK_GE(high_fd, 0);
	stCoRoutine_t *co = start(uses_a_high_number);

	CHECK_EQ(write(ends[1], "x", 1), 1);
	loop_until_finished(1);
	co_release(co);
}

/* --- calls that block its thread -------------------------------------------------------------------- */

int listener(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	CHECK_EQ(listen(fd, 8), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return fd;
}

void *accepts(void *fd)
{
	int peer;

	co_enable_hook_sys();
	trace += 'a';
	peer = co_accept(*(int *)fd, NULL, NULL);
	CHECK_GE(peer, 0);
	trace += 'A';
	CHECK_EQ(write(peer, "hello", 5), 5);
	CHECK_EQ(close(peer), 0);
	finished++;
	return NULL;
}

void *connects(void *addr)
{
	char text[8] = "";
	struct iovec parts[2] = { { text, 2 }, { text + 2, 6 } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	co_enable_hook_sys();
	trace += 'c';
	CHECK_EQ(connect(fd, (struct sockaddr *)addr, sizeof(struct sockaddr_in)), 0);
	trace += 'C';
	CHECK_EQ(readv(fd, parts, 2), 5);
	CHECK_STR(text, "hello");
	CHECK_EQ(close(fd), 0);
	finished++;
	return NULL;
}

TEST(libco_calls, accept_and_readv_park)
{
	struct sockaddr_in addr;
	int fd = listener(&addr);
	stCoRoutine_t *server = start(accepts, &fd), *client = start(connects, &addr);

	loop_until_finished(2);
	CHECK_EQ(trace[0], 'a');
	CHECK_EQ(trace[1], 'c');
	co_release(server);
	co_release(client);
}

void *sends_much(void *bytes)
{
	struct iovec part = { calloc(1, *(size_t *)bytes), *(size_t *)bytes };
	struct msghdr msg = {};

	co_enable_hook_sys();
	msg.msg_iov = &part;
	msg.msg_iovlen = 1;
	CHECK_EQ(sendmsg(ends[1], &msg, 0), (ssize_t) * (size_t *)bytes);
	free(part.iov_base);
	finished++;
	return NULL;
}

TEST(libco_calls, sendmsg_parks_until_all_is_sent)
{
	size_t bytes = 4 << 20, got = 0;
	char buf[65536];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stCoRoutine_t *co = start(sends_much, &bytes);

	CHECK_EQ(finished, 0);
	while (got < bytes) {
		ssize_t n = recv(ends[0], buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			pause_ms(1);
	}
	loop_until_finished(1);
	co_release(co);
}

void *selects(void *)
{
	struct timeval limit = { 10, 0 };
	fd_set set;

	co_enable_hook_sys();
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	CHECK_EQ(select(ends[0] + 1, &set, NULL, NULL, &limit), 1);
	finished++;
	return NULL;
}

void *sleeps_variously(void *)
{
	struct timespec ms = { 0, 1000000 };

	co_enable_hook_sys();
	CHECK_EQ(usleep(1000), 0);
	CHECK_EQ(nanosleep(&ms, NULL), 0);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL), 0);
	finished++;
	return NULL;
}

TEST(libco_calls, select_and_sleeps_park)
{
	CHECK_EQ(pipe(ends), 0);
	stCoRoutine_t *a = start(selects), *b = start(sleeps_variously);

	CHECK_EQ(finished, 0); /* both have given the thread back */
	CHECK_EQ(write(ends[1], "x", 1), 1);
	loop_until_finished(2);
	co_release(a);
	co_release(b);
}

void *resolves(void *)
{
	struct addrinfo *found = NULL, hints = {};

	co_enable_hook_sys();
	hints.ai_flags = AI_NUMERICSERV;
	trace += 'r';
	if (getaddrinfo("localhost", "80", &hints, &found) == 0)
		freeaddrinfo(found);
	trace += 'R';
	finished++;
	return NULL;
}

void *resolves_by_name(void *)
{
	struct hostent *host;

	co_enable_hook_sys();
	host = gethostbyname("127.0.0.1");
	CHECK(host != NULL);
	CHECK_EQ(host->h_length, 4);
	finished++;
	return NULL;
}

TEST(libco_calls, names_are_looked_up_beside_the_thread)
{
	stCoRoutine_t *a = start(resolves), *b;

	trace += '.';
	CHECK_STR(trace.c_str(), "r."); /* the thread goes on meanwhile */
	b = start(resolves_by_name);
	loop_until_finished(2);
	co_release(a);
	co_release(b);
}

/* A helper looks it up, and finds nobody when it is done. */
TEST(libco_calls, release_during_a_lookup)
{
	stCoRoutine_t *co = start(resolves);

	co_release(co);
	pause_ms(1);
	CHECK_STR(trace.c_str(), "r");
}

/* --- off by default, and one at a time -------------------------------------------------------------- */

void *asks_for_hooks(void *)
{
	CHECK(!co_is_enable_sys_hook());
	co_enable_hook_sys();
	CHECK(co_is_enable_sys_hook());
	co_yield_ct();
	CHECK(co_is_enable_sys_hook());
	co_disable_hook_sys();
	CHECK(!co_is_enable_sys_hook());
	CHECK_EQ(poll(NULL, 0, 1), 0); /* blocks */
	finished++;
	return NULL;
}

TEST(libco_calls, hooks_are_each_coroutines_own_and_off_at_first)
{
	stCoRoutine_t *a = start(asks_for_hooks), *b = start(asks_for_hooks);

	CHECK(!co_is_enable_sys_hook());
	co_enable_hook_sys(); /* of the thread: no effect */
	CHECK(!co_is_enable_sys_hook());
	co_resume(a);
	CHECK_EQ(finished, 1);
	co_resume(b);
	CHECK_EQ(finished, 2);
	co_release(a);
	co_release(b);
}

/* --- an echo server -------------------------------------------------------------------------------- */

enum { CLIENTS = 20, ROUNDS = 50 };

void *echoes(void *fd)
{
	char buf[64];
	ssize_t n;

	co_enable_hook_sys();
	while ((n = read((int)(intptr_t)fd, buf, sizeof(buf))) > 0)
		CHECK_EQ(write((int)(intptr_t)fd, buf, (size_t)n), n);
	close((int)(intptr_t)fd);
	finished++;
	return NULL;
}

stCoRoutine_t *sessions[CLIENTS];

void *serves(void *fd)
{
	co_enable_hook_sys();
	for (int i = 0; i < CLIENTS; i++)
		sessions[i] = start(echoes, (void *)(intptr_t)co_accept(*(int *)fd, NULL, NULL));
	return NULL;
}

void *talks(void *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	co_enable_hook_sys();
	CHECK_EQ(connect(fd, (struct sockaddr *)addr, sizeof(struct sockaddr_in)), 0);
	for (int i = 0; i < ROUNDS; i++) {
		char sent[32], got[32] = "";

		snprintf(sent, sizeof(sent), "%d.%d", fd, i);
		CHECK_EQ(write(fd, sent, sizeof(sent)), (ssize_t)sizeof(sent));
		CHECK_EQ(recv(fd, got, sizeof(got), MSG_WAITALL), (ssize_t)sizeof(got));
		CHECK_STR(got, sent);
	}
	close(fd);
	finished++;
	return NULL;
}

TEST(libco_calls, an_echo_server_loses_nothing)
{
	struct sockaddr_in addr;
	int fd = listener(&addr);
	stCoRoutine_t *server = start(serves, &fd), *clients[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(talks, &addr);
	loop_until_finished(2 * CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		co_release(sessions[i]);
		co_release(clients[i]);
	}
	co_release(server);
}

} // namespace
