/* SPDX-License-Identifier: MIT
 *
 * readiness.c - poll, ppoll, select, pselect.
 */
#include <pthread.h>
#include <stdlib.h>

#include <sys/eventfd.h>

#include "conform.h"

static char in[100];

/* --- peers ------------------------------------------------------------------------ */

static void write_soon(int fd)
{
	pause_ms(20);
	CHECK_EQ(write(fd, "x", 1), 1);
}

static void close_soon(int fd)
{
	pause_ms(20);
	close(fd);
}

static void reset_soon(int fd)
{
	pause_ms(20);
	reset_on_close(fd);
	close(fd);
}

static void read_soon(int fd)
{
	static char sink[1 << 20];

	pause_ms(20);
	while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

/* --- poll -------------------------------------------------------------------------- */

static long ask(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int64_t start_ms = now_ms();
	long rc;

	errno = 0;
	rc = poll(fds, count, timeout_ms);
	log_call("poll", rc);
	for (nfds_t i = 0; i < count; i++)
		note("  %d: %x", (int)i, fds[i].revents);
	if (rc == 0 && timeout_ms > 0)
		note("not early: %d", now_ms() - start_ms >= timeout_ms);
	return rc;
}

CONFORM(poll, what_is_ready_at_once)
{
	struct pollfd fds[3];
	int tcp[2], pipe_fds[2];

	tcp_pair(tcp);
	CHECK_EQ(pipe(pipe_fds), 0);
	fds[0] = (struct pollfd){ tcp[0], POLLIN | POLLOUT, 0x55 };
	fds[1] = (struct pollfd){ pipe_fds[0], POLLIN, 0x55 };
	fds[2] = (struct pollfd){ pipe_fds[1], POLLOUT, 0x55 };
	ask(fds, 3, -1);
	ask(fds, 3, 0);
	ask(fds, 3, 1000);
	LOG(write(tcp[1], "x", 1));
	LOG(write(pipe_fds[1], "x", 1));
	pause_ms(10);
	ask(fds, 3, 0);
	ask(fds, 2, -5);
	for (int i = 0; i < 2; i++) {
		close(tcp[i]);
		close(pipe_fds[i]);
	}
}

/* Row 45: a zero timeout asks all the same, also when weft believes it knows. */
CONFORM(poll, zero_timeout_still_asks)
{
	struct pollfd fd;
	int fds[2];

	tcp_pair(fds);
	fd = (struct pollfd){ fds[0], POLLIN, 0 };
	ask(&fd, 1, 0);
	peer(write_soon, fds[1]);
	ask(&fd, 1, -1);
	LOG(read(fds[0], in, 100));
	ask(&fd, 1, 0);
	LOG(write(fds[1], "x", 1));
	ask(&fd, 1, 0);
	LOG(read(fds[0], in, 100));
	ask(&fd, 1, 0);
	peers_end();
	close(fds[0]);
	close(fds[1]);
}

CONFORM(poll, waits_for_any)
{
	struct pollfd fds[4];
	int a[2], b[2];

	tcp_pair(a);
	CHECK_EQ(pipe(b), 0);
	fds[0] = (struct pollfd){ a[0], POLLIN, 0 };
	fds[1] = (struct pollfd){ b[0], POLLIN, 0 };
	fds[2] = (struct pollfd){ a[0], POLLPRI, 0 };
	fds[3] = (struct pollfd){ -1, POLLIN, 0x77 };
	ask(fds, 4, 30);
	peer(write_soon, a[1]);
	ask(fds, 4, -1);
	LOG(read(a[0], in, 100));
	peer(write_soon, b[1]);
	ask(fds, 4, 5000);
	LOG(read(b[0], in, 100));
	ask(fds, 4, 30);
	peers_end();
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

CONFORM(poll, duplicates_all_answer)
{
	struct pollfd fds[4];
	int a[2];

	unix_pair(a);
	fds[0] = fds[1] = (struct pollfd){ a[0], POLLIN, 0 };
	fds[2] = (struct pollfd){ a[0], POLLOUT, 0 };
	fds[3] = (struct pollfd){ a[0], 0, 0 };
	ask(fds, 4, 0);
	fds[2].events = POLLPRI;
	peer(write_soon, a[1]);
	ask(fds, 4, -1);
	peers_end();
	close(a[0]);
	close(a[1]);
}

CONFORM(poll, hang_up_and_error_come_unasked)
{
	struct pollfd fd;
	int a[2];

	tcp_pair(a);
	fd = (struct pollfd){ a[0], 0, 0 };
	peer(reset_soon, a[1]);
	ask(&fd, 1, 5000);
	close(a[0]);

	tcp_pair(a);
	fd = (struct pollfd){ a[0], POLLIN | POLLRDHUP, 0 };
	peer(close_soon, a[1]);
	ask(&fd, 1, 5000);
	close(a[0]);

	unix_pair(a);
	fd = (struct pollfd){ a[0], 0, 0 };
	peer(close_soon, a[1]);
	ask(&fd, 1, 5000);
	close(a[0]);

	CHECK_EQ(pipe(a), 0);
	fd = (struct pollfd){ a[0], POLLIN, 0 };
	peer(close_soon, a[1]);
	ask(&fd, 1, 5000);
	close(a[0]);

	CHECK_EQ(pipe(a), 0);
	fd = (struct pollfd){ a[1], 0, 0 };
	peer(close_soon, a[0]);
	ask(&fd, 1, 5000);
	close(a[1]);
	peers_end();
}

CONFORM(poll, room_to_write)
{
	struct pollfd fd;
	int a[2];

	tcp_pair(a);
	fill(a[0]);
	fd = (struct pollfd){ a[0], POLLOUT, 0 };
	ask(&fd, 1, 20);
	peer(read_soon, a[1]);
	ask(&fd, 1, 5000);
	peers_end();
	close(a[0]);
	close(a[1]);
}

CONFORM(poll, closed_numbers_are_nval)
{
	struct pollfd fds[2];
	int a[2];

	CHECK_EQ(pipe(a), 0);
	fds[0] = (struct pollfd){ a[0], POLLIN, 0 };
	fds[1] = (struct pollfd){ a[1], POLLOUT, 0 };
	close(a[0]);
	close(a[1]);
	ask(fds, 2, -1);
	ask(fds, 1, 0);
	fds[0].events = 0;
	ask(fds, 1, 1000);
	fds[0].fd = -7;
	ask(fds, 1, 20);
}

CONFORM(poll, files_are_always_ready)
{
	char path[] = "/tmp/weft-conform-XXXXXX";
	int file = mkstemp(path), null = open("/dev/null", O_RDWR);
	struct pollfd fds[2] = { { file, POLLIN | POLLOUT, 0 }, { null, POLLIN | POLLOUT, 0 } };

	unlink(path);
	ask(fds, 2, -1);
	fds[0].events = POLLIN;
	fds[1].events = POLLPRI;
	ask(fds, 2, 1000);
	close(file);
	close(null);
}

CONFORM(poll, no_descriptors_is_a_pause)
{
	int64_t start_ms = now_ms();

	LOG(poll(no_address, 0, 30));
	note("not early: %d", now_ms() - start_ms >= 30);
	LOG(poll(no_address, 0, 0));
	LOG(poll(no_address, 1, 0));
	LOG(poll(no_address, (nfds_t)1 << 40, 0));
}

CONFORM(poll, many_descriptors)
{
	static struct pollfd fds[300];
	static int a[150][2];
	int i;

	for (i = 0; i < 150; i++) {
		CHECK_EQ(pipe(a[i]), 0);
		fds[2 * i] = (struct pollfd){ a[i][0], POLLIN, 0 };
		fds[2 * i + 1] = (struct pollfd){ a[i][1], POLLPRI, 0 };
	}
	peer(write_soon, a[149][1]);
	LOG(poll(fds, 300, -1));
	note("%x %x", fds[298].revents, fds[0].revents);
	LOG(poll(fds, 298, 20));
	peers_end();
	for (i = 0; i < 150; i++) {
		close(a[i][0]);
		close(a[i][1]);
	}
}

CONFORM(poll, connection_attempt_refused)
{
	struct sockaddr_in addr;
	struct pollfd fd;
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	close(tcp_listener(1, &addr));
	LOG(connect(sock, (struct sockaddr *)&addr, sizeof(addr)));
	fd = (struct pollfd){ sock, POLLOUT, 0 };
	ask(&fd, 1, 5000);
	close(sock);
}

/* Row 35. */
CONFORM(poll, saturated_eventfd)
{
	struct pollfd fd = { eventfd(0, 0), POLLIN | POLLOUT, 0 };
	uint64_t value = UINT64_MAX - 1;

	ask(&fd, 1, 0);
	LOG(write(fd.fd, &value, 8));
	ask(&fd, 1, 0);
	value = UINT64_MAX;
	LOG(write(fd.fd, &value, 8));
	set_nonblocking(fd.fd);
	value = 1;
	LOG(write(fd.fd, &value, 8));
	LOG(read(fd.fd, &value, 8));
	note("%llx", (unsigned long long)value);
	ask(&fd, 1, 0);
	LOG(read(fd.fd, &value, 8));
	close(fd.fd);
}

/* --- ppoll --------------------------------------------------------------------------- */

static volatile sig_atomic_t signals;
static pthread_t player; /* the thread that plays the scenario, or runs its task */

static void count_signal(int sig)
{
	(void)sig;
	signals++;
}

static void block_usr1(sigset_t *before)
{
	struct sigaction action = { .sa_handler = count_signal };
	sigset_t set;

	signals = 0;
	player = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, before);
}

CONFORM(ppoll, durations)
{
	struct timespec zero = { 0, 0 }, some = { 0, 25000000 }, bad = { 0, 1000000000 };
	struct timespec negative = { -1, 0 }, huge = { INT64_MAX, 999999999 };
	struct pollfd fd;
	int64_t start_ms;
	int a[2];

	CHECK_EQ(pipe(a), 0);
	fd = (struct pollfd){ a[0], POLLIN, 0 };
	LOG(ppoll(&fd, 1, &zero, NULL));
	start_ms = now_ms();
	LOG(ppoll(&fd, 1, &some, NULL));
	note("not early: %d; untouched: %ld", now_ms() - start_ms >= 25, some.tv_nsec);
	LOG(ppoll(&fd, 1, &bad, NULL));
	LOG(ppoll(&fd, 1, &negative, NULL));
	peer(write_soon, a[1]);
	LOG(ppoll(&fd, 1, &huge, NULL)); /* row 40 */
	LOG(read(a[0], in, 1));
	peer(write_soon, a[1]);
	LOG(ppoll(&fd, 1, NULL, NULL));
	peers_end();
	close(a[0]);
	close(a[1]);
}

static void signal_soon(int unused)
{
	(void)unused;
	pause_ms(20);
	pthread_kill(player, SIGUSR1);
}

CONFORM(ppoll, a_signal_that_the_mask_lets_through)
{
	struct timespec limit = { 5, 0 };
	sigset_t before, none;
	struct pollfd fd;
	int a[2];

	CHECK_EQ(pipe(a), 0);
	fd = (struct pollfd){ a[0], POLLIN, 0 };
	block_usr1(&before);
	sigemptyset(&none);
	raise(SIGUSR1);
	note("%d", signals);
	LOG(ppoll(&fd, 1, &limit, &none)); /* it was pending */
	note("%d", signals);
	peer(signal_soon, 0);
	LOG(ppoll(&fd, 1, &limit, &none)); /* it comes while we wait */
	note("%d", signals);
	peers_end();
	LOG(write(a[1], "x", 1));
	LOG(ppoll(&fd, 1, &limit, &none));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(a[0]);
	close(a[1]);
}

/* --- select -------------------------------------------------------------------------- */

static fd_set reads, writes, excepts;

static void zero_sets(void)
{
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_ZERO(&excepts);
}

CONFORM(select, all_three_sets)
{
	struct timeval limit = { 5, 0 };
	int a[2];

	tcp_pair(a);
	zero_sets();
	FD_SET(a[0], &reads);
	FD_SET(a[0], &writes);
	FD_SET(a[0], &excepts);
	LOG(select(a[1] + 1, &reads, &writes, &excepts, NULL));
	note("%d %d %d", FD_ISSET(a[0], &reads), FD_ISSET(a[0], &writes) != 0,
	     FD_ISSET(a[0], &excepts));
	FD_ZERO(&writes);
	FD_SET(a[0], &reads);
	peer(write_soon, a[1]);
	LOG(select(a[1] + 1, &reads, &writes, &excepts, &limit));
	note("%d %d", FD_ISSET(a[0], &reads) != 0, FD_ISSET(a[0], &excepts));
	note("some time is left: %d", limit.tv_sec == 4 && limit.tv_usec > 0);
	LOG(send(a[1], "!", 1, MSG_OOB));
	pause_ms(10);
	FD_SET(a[0], &excepts);
	LOG(select(a[1] + 1, NULL, NULL, &excepts, NULL));
	note("%d", FD_ISSET(a[0], &excepts) != 0);
	peers_end();
	close(a[0]);
	close(a[1]);
}

CONFORM(select, the_limit_passes)
{
	struct timeval limit = { 0, 30000 }, zero = { 0, 0 };
	int64_t start_ms = now_ms();
	int a[2];

	CHECK_EQ(pipe(a), 0);
	zero_sets();
	FD_SET(a[0], &reads);
	LOG(select(a[0] + 1, &reads, NULL, NULL, &limit));
	note("not early: %d", now_ms() - start_ms >= 30);
	note("left %ld.%06ld, set %d", (long)limit.tv_sec, (long)limit.tv_usec,
	     FD_ISSET(a[0], &reads));
	FD_SET(a[0], &reads);
	LOG(select(a[0] + 1, &reads, NULL, NULL, &zero));
	note("set %d", FD_ISSET(a[0], &reads));
	start_ms = now_ms();
	limit.tv_usec = 25000;
	LOG(select(0, NULL, NULL, NULL, &limit));
	note("not early: %d", now_ms() - start_ms >= 25);
	close(a[0]);
	close(a[1]);
}

CONFORM(select, errors)
{
	struct timeval negative = { -1, 0 }, negative_us = { 0, -1 }, long_us = { 0, 1100000 };
	int64_t start_ms;
	int a[2];

	CHECK_EQ(pipe(a), 0);
	zero_sets();
	FD_SET(a[0], &reads);
	LOG(select(-1, &reads, NULL, NULL, NULL));
	LOG(select(a[0] + 1, &reads, NULL, NULL, &negative));
	LOG(select(a[0] + 1, &reads, NULL, NULL, &negative_us));
	start_ms = now_ms();
	LOG(select(a[0] + 1, &reads, NULL, NULL, &long_us));
	note("not early: %d", now_ms() - start_ms >= 1100);
	close(a[0]);
	close(a[1]);
	FD_SET(a[0], &reads);
	LOG(select(a[0] + 1, &reads, NULL, NULL, NULL));
	note("a failed call leaves the set: %d", FD_ISSET(a[0], &reads) != 0);
}

CONFORM(select, a_closed_peer_is_readable)
{
	int a[2];

	unix_pair(a);
	zero_sets();
	FD_SET(a[0], &reads);
	peer(close_soon, a[1]);
	LOG(select(a[0] + 1, &reads, NULL, NULL, NULL));
	note("%d", FD_ISSET(a[0], &reads) != 0);
	peers_end();
	close(a[0]);
}

/* poll would report the hang-up at once; select has no set for it. */
CONFORM(select, a_hang_up_in_the_third_set_is_not_reported)
{
	struct timeval limit = { 0, 60000 };
	int64_t start_ms;
	int a[2];

	unix_pair(a);
	close(a[1]);
	zero_sets();
	FD_SET(a[0], &excepts);
	start_ms = now_ms();
	LOG(select(a[0] + 1, NULL, NULL, &excepts, &limit));
	note("not early: %d", now_ms() - start_ms >= 60);
	close(a[0]);
}

CONFORM(pselect, durations_and_mask)
{
	struct timespec limit = { 0, 30000000 }, long_limit = { 5, 0 }, bad = { 0, -1 };
	int64_t start_ms = now_ms();
	sigset_t before, none;
	int a[2];

	CHECK_EQ(pipe(a), 0);
	zero_sets();
	FD_SET(a[0], &reads);
	LOG(pselect(a[0] + 1, &reads, NULL, NULL, &limit, NULL));
	note("not early: %d; untouched: %ld", now_ms() - start_ms >= 30, limit.tv_nsec);
	LOG(pselect(a[0] + 1, &reads, NULL, NULL, &bad, NULL));

	block_usr1(&before);
	sigemptyset(&none);
	FD_SET(a[0], &reads);
	peer(signal_soon, 0);
	LOG(pselect(a[0] + 1, &reads, NULL, NULL, &long_limit, &none));
	note("%d; a failed call leaves the set: %d", signals, FD_ISSET(a[0], &reads) != 0);
	peers_end();
	peer(write_soon, a[1]);
	LOG(pselect(a[0] + 1, &reads, NULL, NULL, &long_limit, &none));
	note("%d", FD_ISSET(a[0], &reads) != 0);
	peers_end();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(a[0]);
	close(a[1]);
}
