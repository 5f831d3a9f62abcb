/* SPDX-License-Identifier: MIT
 *
 * descriptors.c - pipes, eventfds, files, terminals; close, dup, fcntl, ioctl.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "conform.h"

static char big[1 << 20], in[1 << 20];

static void write_soon(int fd)
{
	pause_ms(20);
	CHECK_EQ(write(fd, "hello", 5), 5);
}

static void close_soon(int fd)
{
	pause_ms(20);
	close(fd);
}

static void swallow(int fd)
{
	static char sink[10000];

	pause_ms(20);
	while (read(fd, sink, sizeof(sink)) > 0)
		;
	close(fd);
}

/* --- pipes -------------------------------------------------------------------------- */

CONFORM(pipes, reading_waits)
{
	struct iovec iov[2] = { { in, 2 }, { in + 10, 10 } };
	int fds[2];

	LOG(pipe(fds));
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(read(fds[0], in, 100)));
	peer(write_soon, fds[1]);
	LOG(readv(fds[0], iov, 2));
	note_bytes(in + 10, 3);
	peers_end();
	peer(close_soon, fds[1]);
	LOG(read(fds[0], in, 100));
	LOG(read(fds[0], in, 100));
	LOG(read(fds[0], in, 0));
	peers_end();
	LOG(close(fds[0]));
}

CONFORM(pipes, writing_waits_until_all_is_written)
{
	struct iovec iov[2] = { { big, 100000 }, { big + 100000, 300000 } };
	int fds[2];

	LOG(pipe2(fds, O_CLOEXEC));
	LOG(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	peer(swallow, fds[0]);
	LOG(write(fds[1], big, 500000));
	LOG(writev(fds[1], iov, 2));
	LOG(write(fds[1], big, 0));
	LOG(close(fds[1]));
}

CONFORM(pipes, user_nonblocking)
{
	long total = 0, got;
	int fds[2];

	LOG(pipe2(fds, O_NONBLOCK));
	LOG(read(fds[0], in, 100));
	while ((got = write(fds[1], big, 5000)) > 0)
		total += got;
	LOG(write(fds[1], big, 5000));
	LOG(write(fds[1], big, 1));
	note("%ld", total);
	LOG((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	LOG(close(fds[1]));
	LOG(read(fds[0], in, sizeof(in)) == total);
	LOG(read(fds[0], in, 100));
	LOG(close(fds[0]));
}

/* A write of up to PIPE_BUF bytes is never cut in two. */
CONFORM(pipes, short_writes_are_atomic)
{
	int fds[2], i;
	long sum = 0;

	LOG(pipe(fds));
	peer(swallow, fds[0]);
	for (i = 0; i < 300; i++)
		sum += write(fds[1], big, 3000);
	note("%ld", sum);
	LOG(close(fds[1]));
}

CONFORM(pipes, packets)
{
	int fds[2];

	LOG(pipe2(fds, O_DIRECT));
	LOG(write(fds[1], "one", 3));
	LOG(write(fds[1], "three", 5));
	note_bytes(in, LOG(read(fds[0], in, 100)));
	note_bytes(in, LOG(read(fds[0], in, 2)));
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(read(fds[0], in, 100)));
	peers_end();
	LOG(close(fds[0]));
	LOG(close(fds[1]));
}

static volatile sig_atomic_t pipes;

static void count_pipe(int sig)
{
	(void)sig;
	pipes++;
}

CONFORM(pipes, without_a_reader)
{
	struct iovec iov = { big, 10 };
	int fds[2];

	LOG(pipe(fds));
	pipes = 0;
	signal(SIGPIPE, count_pipe);
	LOG(close(fds[0]));
	LOG(write(fds[1], "x", 1));
	LOG(writev(fds[1], &iov, 1));
	note("%d", pipes);
	LOG(close(fds[1]));
	LOG(pipe(fds));
	peer(close_soon, fds[0]);
	while (write(fds[1], big, 3000) > 0) /* it goes away while we wait */
		;
	note("%s %d", strerrorname_np(errno), pipes);
	peers_end();
	LOG(close(fds[1]));
	signal(SIGPIPE, SIG_DFL);
}

CONFORM(pipes, the_wrong_end)
{
	int fds[2];

	LOG(pipe(fds));
	LOG(write(fds[0], "x", 1));
	LOG(read(fds[1], in, 1));
	LOG(pipe2(fds, 0x40000000));
	LOG(pipe(bad_address));
}

CONFORM(pipes, fifos)
{
	char path[] = "/tmp/weft-conform-XXXXXX";
	int read_fd, write_fd;

	CHECK(mkdtemp(path) != NULL);
	CHECK_EQ(chdir(path), 0);
	CHECK_EQ(mkfifo("fifo", 0600), 0);
	read_fd = open("fifo", O_RDWR);
	write_fd = open("fifo", O_WRONLY);
	peer(write_soon, write_fd);
	note_bytes(in, LOG(read(read_fd, in, 100)));
	LOG(fcntl(read_fd, F_GETFL) & O_NONBLOCK);
	close(read_fd);
	read_fd = open("fifo", O_RDONLY | O_NONBLOCK);
	LOG(read(read_fd, in, 100));
	LOG(fcntl(read_fd, F_SETFL, 0));
	peer(swallow, read_fd);
	LOG(write(write_fd, big, 300000));
	close(write_fd);
	peers_end();
	unlink("fifo");
	CHECK_EQ(chdir("/"), 0);
	rmdir(path);
}

/* --- counters ------------------------------------------------------------------------- */

static void add_five(int fd)
{
	uint64_t five = 5;

	pause_ms(20);
	CHECK_EQ(write(fd, &five, 8), 8);
}

static void take_soon(int fd)
{
	uint64_t value;

	pause_ms(20);
	CHECK_EQ(read(fd, &value, 8), 8);
}

CONFORM(counters, eventfd)
{
	int fd = eventfd(0, 0);
	uint64_t value = 0;

	peer(add_five, fd);
	LOG(read(fd, &value, 8));
	note("%llu", (unsigned long long)value);
	LOG(read(fd, &value, 7));
	LOG(write(fd, &value, 7));
	value = UINT64_MAX;
	LOG(write(fd, &value, 8));
	set_nonblocking(fd);
	LOG(read(fd, &value, 8));
	close(fd);
	fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	LOG(read(fd, &value, 8));
	note("%llu", (unsigned long long)value);
	LOG(read(fd, &value, 8));
	LOG(read(fd, &value, 8));
	LOG(read(fd, &value, 8));
	close(fd);
}

/* Row 35: no room for one more, and none for many. */
CONFORM(counters, saturated_eventfd)
{
	uint64_t most = UINT64_MAX - 1, one = 1, value;
	int fd = eventfd(0, 0);

	LOG(write(fd, &most, 8));
	peer(take_soon, fd);
	LOG(write(fd, &one, 8));
	peers_end();
	LOG(read(fd, &value, 8));
	note("%llx", (unsigned long long)value);
	most--;
	LOG(write(fd, &most, 8)); /* one is left: poll says writable */
	value = 100;
	peer(take_soon, fd);
	LOG(write(fd, &value, 8));
	peers_end();
	LOG(read(fd, &value, 8));
	note("%llu", (unsigned long long)value);
	close(fd);
}

CONFORM(counters, timerfd)
{
	struct itimerspec when = { .it_value = { 0, 20000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t value = 0;

	timerfd_settime(fd, 0, &when, NULL);
	LOG(read(fd, &value, 8));
	note("%llu", (unsigned long long)value);
	set_nonblocking(fd);
	LOG(read(fd, &value, 8));
	close(fd);
}

/* --- files ------------------------------------------------------------------------------ */

CONFORM(files, reading_and_writing)
{
	char path[] = "/tmp/weft-conform-XXXXXX", local[64];
	struct iovec iov[2] = { { local, 3 }, { in, 100 } };
	int fd = mkstemp(path);

	memset(in, 0, sizeof(in));
	LOG(write(fd, "0123456789", 10));
	LOG(read(fd, in, 100));
	LOG(lseek(fd, 2, SEEK_SET));
	note_bytes(local, LOG(read(fd, local, 4)));
	LOG(readv(fd, iov, 2));
	note_bytes(local, 3);
	note_bytes(in, 1);
	LOG(lseek(fd, 0, SEEK_CUR));
	memcpy(local, "tail", 5); /* in a frame that may be on a shared stack */
	LOG(write(fd, local, 4));
	iov[0].iov_len = 2;
	iov[1].iov_len = 2;
	LOG(writev(fd, iov, 2));
	LOG(lseek(fd, 0, SEEK_SET));
	note_bytes(in, LOG(read(fd, in, 100)));
	LOG(read(fd, in, 0));
	LOG(write(fd, in, 0));
	LOG(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND)); /* files do not care */
	LOG(lseek(fd, 0, SEEK_SET));
	LOG(write(fd, "end", 3));
	LOG(lseek(fd, 0, SEEK_CUR));
	LOG(read(fd, in, 1));
	LOG(close(fd));
	fd = open(path, O_RDONLY);
	LOG(write(fd, "x", 1));
	LOG(read(fd, no_address, 1));
	LOG(recv(fd, in, 1, 0));
	close(fd);
	fd = open(path, O_WRONLY);
	LOG(read(fd, in, 1));
	close(fd);
	unlink(path);
}

CONFORM(files, large)
{
	char path[] = "/tmp/weft-conform-XXXXXX";
	int fd = mkstemp(path), i;

	unlink(path);
	for (i = 0; i < (int)sizeof(big); i++)
		big[i] = (char)(i * 13);
	LOG(write(fd, big, sizeof(big)));
	LOG(lseek(fd, 0, SEEK_SET));
	LOG(read(fd, in, sizeof(in)));
	LOG(memcmp(in, big, sizeof(in)));
	LOG(read(fd, in, sizeof(in)));
	close(fd);
}

CONFORM(files, errors_of_the_disk)
{
	char path[] = "/tmp/weft-conform-XXXXXX";
	struct rlimit limit = { 1000, RLIM_INFINITY }, before;
	int fd = mkstemp(path), dir = open("/", O_RDONLY), full = open("/dev/full", O_WRONLY);

	unlink(path);
	LOG(read(dir, in, 10));
	LOG(write(full, "x", 1));
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	LOG(write(fd, big, 2000));
	LOG(write(fd, big, 2000));
	setrlimit(RLIMIT_FSIZE, &before);
	close(fd);
	close(dir);
	close(full);
}

CONFORM(files, devices)
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
	int status = open("/proc/self/cmdline", O_RDONLY);

	LOG(read(null, in, 10));
	LOG(write(null, in, 10));
	LOG(read(zero, in, 100));
	LOG(write(zero, in, 1));
	LOG(read(status, in, 3));
	close(null);
	close(zero);
	close(status);
}

static void type_soon(int terminal)
{
	pause_ms(20);
	CHECK_EQ(write(terminal, "line\n", 5), 5);
}

CONFORM(files, terminals)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	CHECK_GE(master, 0);
	CHECK_EQ(grantpt(master), 0);
	CHECK_EQ(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK_GE(slave, 0);
	peer(type_soon, master);
	note_bytes(in, LOG(read(slave, in, 100)));
	peers_end();
	LOG(write(slave, "out", 3));
	note_bytes(in, LOG(read(master, in, 6))); /* the echo, then what was written */
	set_nonblocking(slave);
	LOG(read(slave, in, 100));
	close(slave);
	close(master);
}

/* --- numbers ------------------------------------------------------------------------------ */

CONFORM(numbers, dup_shares_flags)
{
	int fds[2], copy;

	CHECK_EQ(pipe(fds), 0);
	copy = dup(fds[0]);
	note("%d", copy > fds[0]);
	LOG(fcntl(copy, F_SETFL, O_NONBLOCK));
	LOG(read(fds[0], in, 1));
	LOG(fcntl(fds[0], F_SETFL, 0));
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(read(copy, in, 100)));
	LOG(close(fds[0])); /* the description lives on in the copy */
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(read(copy, in, 100)));
	peers_end();
	LOG(dup2(copy, copy) == copy);
	LOG(dup3(copy, copy, 0));
	LOG(dup2(copy, fds[0]) == fds[0]);
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(read(fds[0], in, 100)));
	peers_end();
	LOG(dup3(copy, fds[0], O_CLOEXEC) == fds[0]);
	LOG(fcntl(fds[0], F_GETFD));
	LOG(fcntl(copy, F_DUPFD, 500));
	LOG(fcntl(copy, F_DUPFD_CLOEXEC, 600));
	LOG(fcntl(600, F_GETFD));
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(read(500, in, 100)));
	peers_end();
	close(500);
	close(600);
	close(copy);
	close(fds[0]);
	close(fds[1]);
}

CONFORM(numbers, errors)
{
	struct rlimit limit;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	LOG(dup(-1));
	LOG(dup2(-1, fds[0]));
	LOG(fcntl(fds[0], F_GETFD)); /* still open */
	LOG(dup2(fds[0], -1));
	LOG(dup2(fds[0], (int)limit.rlim_cur));
	LOG(dup2(-1, -1));
	LOG(dup3(fds[0], fds[1], 12345));
	LOG(dup3(-1, fds[1], 0));
	LOG(fcntl(fds[1], F_GETFD));
	LOG(fcntl(fds[0], 12345));
	LOG(fcntl(-1, F_GETFL));
	LOG(fcntl(-1, F_SETFL, O_NONBLOCK));
	LOG(fcntl(fds[0], F_DUPFD, -1));
	LOG(ioctl(-1, FIONBIO, &(int){ 1 }));
	LOG(ioctl(fds[0], FIONBIO, bad_address));
	LOG(ioctl(fds[0], 0x12345, NULL));
	LOG(ioctl(fds[0], FIONREAD, &(int){ 0 }));
	LOG(socket(-1, 0, 0));
	LOG(socket(AF_INET, SOCK_STREAM, 12345));
	LOG(socketpair(AF_INET, SOCK_STREAM, 0, fds));
	LOG(socketpair(AF_UNIX, SOCK_STREAM, 0, no_address));
}

static void unlock_soon(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	pause_ms(30);
	CHECK_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

CONFORM(numbers, waiting_for_a_lock)
{
	char path[] = "/tmp/weft-conform-XXXXXX";
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int a = mkstemp(path), b = open(path, O_RDWR);

	unlink(path);
	LOG(fcntl(a, F_OFD_SETLK, &lock));
	LOG(fcntl(b, F_OFD_SETLK, &lock));
	peer(unlock_soon, a);
	LOG(fcntl(b, F_OFD_SETLKW, &lock));
	peers_end();
	lock.l_type = 77;
	LOG(fcntl(b, F_OFD_SETLKW, &lock));
	LOG(fcntl(b, F_SETLKW, no_address));
	close(a);
	close(b);
}
