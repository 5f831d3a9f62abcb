/* SPDX-License-Identifier: MIT
 *
 * aliases.c - the other names of the hooked calls: libc's public double
 * underscores, and what a fortified build calls instead of the plain ones.
 */
#include <dlfcn.h>

#include "conform.h"

ssize_t __read(int fd, void *buf, size_t len);
ssize_t __write(int fd, const void *buf, size_t len);
ssize_t __send(int fd, const void *buf, size_t len, int flags);
int __connect(int fd, const struct sockaddr *addr, socklen_t len);
int __close(int fd);
int __poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __select(int count, fd_set *reads, fd_set *writes, fd_set *excepts, struct timeval *limit);
int __fcntl(int fd, int command, ...);
int __nanosleep(const struct timespec *request, struct timespec *remaining);
int __dup2(int from, int to);
int __pipe(int fds[2]);
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags, struct sockaddr *addr,
		       socklen_t *addr_len);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *limit,
		const sigset_t *mask, size_t room);

static char in[100];

static void write_soon(int fd)
{
	struct timespec some = { 0, 20000000 };

	CHECK_EQ(__nanosleep(&some, NULL), 0);
	CHECK_EQ(__write(fd, "hello", 5), 5);
}

CONFORM(aliases, of_reading_and_writing)
{
	int fds[2], copy;

	LOG(__pipe(fds));
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(__read(fds[0], in, sizeof(in))));
	peer(write_soon, fds[1]);
	note_bytes(in, LOG(__read_chk(fds[0], in, sizeof(in), sizeof(in))));
	copy = dup(fds[1]);
	LOG(__dup2(fds[0], copy) == copy);
	LOG(__fcntl(copy, F_SETFL, O_NONBLOCK));
	LOG(__read(copy, in, 10));
	LOG(__fcntl(copy, F_GETFL) & O_NONBLOCK);
	peers_end();
	LOG(__close(copy));
	LOG(__close(fds[0]));
	LOG(__close(fds[1]));
}

CONFORM(aliases, of_sockets)
{
	struct sockaddr_in addr;
	int listener = tcp_listener(4, &addr), fd = socket(AF_INET, SOCK_STREAM, 0), other;

	LOG(__connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	other = accept(listener, NULL, NULL);
	LOG(__send(fd, "abc", 3, 0));
	note_bytes(in, LOG(__recv_chk(other, in, 2, sizeof(in), 0)));
	note_bytes(in, LOG(__recvfrom_chk(other, in, 2, sizeof(in), 0, NULL, NULL)));
	peer(write_soon, fd);
	note_bytes(in, LOG(__recv_chk(other, in, 100, sizeof(in), 0)));
	peer(write_soon, fd);
	note_bytes(in, LOG(__recvfrom_chk(other, in, 100, sizeof(in), 0, NULL, NULL)));
	peers_end();
	LOG(__close(fd));
	LOG(__close(other));
	LOG(__close(listener));
}

CONFORM(aliases, of_readiness)
{
	struct timeval limit = { 5, 0 };
	struct pollfd ask;
	int fds[2];
	fd_set set;

	LOG(__pipe(fds));
	ask = (struct pollfd){ fds[0], POLLIN, 0 };
	peer(write_soon, fds[1]);
	LOG(__poll(&ask, 1, -1));
	LOG(__read(fds[0], in, 100));
	peer(write_soon, fds[1]);
	LOG(__poll_chk(&ask, 1, -1, sizeof(ask)));
	LOG(__read(fds[0], in, 100));
	peer(write_soon, fds[1]);
	LOG(__ppoll_chk(&ask, 1, NULL, NULL, sizeof(ask)));
	LOG(__read(fds[0], in, 100));
	peer(write_soon, fds[1]);
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	LOG(__select(fds[0] + 1, &set, NULL, NULL, &limit));
	peers_end();
	LOG(__close(fds[0]));
	LOG(__close(fds[1]));
}

/* --- a fortified build's checks still end the process ---------------------------------- */

static void overflow(void *which)
{
	struct pollfd ask = { 0, POLLIN, 0 };
	volatile size_t room = 10;

	switch ((int)(intptr_t)which) {
	case 0:
		__read_chk(0, in, 11, room);
		break;
	case 1:
		__recv_chk(0, in, 11, room, 0);
		break;
	case 2:
		__recvfrom_chk(0, in, 11, room, 0, NULL, NULL);
		break;
	case 3:
		__poll_chk(&ask, 2, 0, room);
		break;
	default:
		__ppoll_chk(&ask, 2, NULL, NULL, room);
		break;
	}
}

TEST(aliases, a_buffer_overflow_is_detected)
{
	for (intptr_t i = 0; i < 5; i++)
		CHECK_DEATH(SIGABRT, "buffer overflow detected", overflow, (void *)i);
}

/* --- names ------------------------------------------------------------------------------- */

#ifdef __x86_64__
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__riscv)
#define FIRST_VERSION "GLIBC_2.27"
#else
#define FIRST_VERSION "GLIBC_2.17"
#endif

/* Every name is libc's, too: one that libc does not have would never be called
 * (__send is of the older ABIs only). And none resolves to libc's: the program's
 * own comes first. */
TEST(aliases, every_name_is_interposed)
{
	static const char *const names[] = {
		"socket",
		"socketpair",
		"accept",
		"accept4",
		"connect",
		"__connect",
		"setsockopt",
		"recv",
		"recvfrom",
		"recvmsg",
		"send",
		"__send",
		"sendto",
		"sendmsg",
		"__recv_chk",
		"__recvfrom_chk",
		"read",
		"__read",
		"__read_chk",
		"write",
		"__write",
		"readv",
		"writev",
		"poll",
		"__poll",
		"__poll_chk",
		"ppoll",
		"__ppoll_chk",
		"select",
		"__select",
		"pselect",
		"sleep",
		"usleep",
		"nanosleep",
		"__nanosleep",
		"clock_nanosleep",
		"close",
		"__close",
		"dup",
		"dup2",
		"__dup2",
		"dup3",
		"pipe",
		"__pipe",
		"pipe2",
		"fcntl",
		"__fcntl",
		"fcntl64",
		"ioctl",
		"getaddrinfo",
		"getnameinfo",
		"gethostbyname",
		"gethostbyname2",
		"gethostbyaddr",
		"gethostbyname_r",
		"gethostbyname2_r",
		"gethostbyaddr_r",
		"pthread_mutex_lock",
		"__pthread_mutex_lock",
		"pthread_mutex_trylock",
		"__pthread_mutex_trylock",
		"pthread_mutex_timedlock",
		"pthread_mutex_clocklock",
		"pthread_mutex_unlock",
		"__pthread_mutex_unlock",
		"pthread_mutex_destroy",
		"__pthread_mutex_destroy",
		"pthread_cond_wait",
		"pthread_cond_timedwait",
		"pthread_cond_clockwait",
		"pthread_cond_signal",
		"pthread_cond_broadcast",
		"pthread_cond_destroy",
		"mtx_lock",
		"mtx_trylock",
		"mtx_timedlock",
		"mtx_unlock",
		"mtx_destroy",
		"cnd_wait",
		"cnd_timedwait",
		"cnd_signal",
		"cnd_broadcast",
		"cnd_destroy",
	};
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	CHECK(libc != NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		void *real = dlsym(libc, names[i]), *ours = dlsym(RTLD_DEFAULT, names[i]);

#ifdef __aarch64__
		if (strcmp(names[i], "__send") == 0)
			real = (void *)1;
#endif
		if (!real) /* of programs linked against an older libc: the first of all versions */
			real = dlvsym(libc, names[i], FIRST_VERSION);
		if (!real || ours == real)
			test_note(names[i]);
		CHECK(real != NULL);
		CHECK(ours != real);
	}
}
