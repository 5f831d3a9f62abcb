/* SPDX-License-Identifier: MIT
 *
 * conform.c - the stage for conform.h's scenarios.
 */
#include "conform.h"

#include <linux/sockios.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <weft/weft.h>

enum { STORY_BYTES = 64 << 10, PEERS_MAX = 64 };

static struct {
	char text[STORY_BYTES];
	size_t length;
} story;

static struct {
	peer_fn *fn;
	int number;
	pthread_t thread;
	weft_task *task;
} peers[PEERS_MAX];
static int peer_count;
static bool by_task;
static bool tell; /* WEFT_CONFORM_TELL=1: as it happens, to see where a case hangs */

void *volatile bad_address = (void *)1, *volatile no_address;
volatile int minus_one = -1;

bool played_by_task(void)
{
	return by_task;
}

/* --- the story ---------------------------------------------------------------- */

void note(const char *fmt, ...)
{
	int saved_errno = errno, length;
	va_list args;

	va_start(args, fmt);
	length = vsnprintf(story.text + story.length, STORY_BYTES - story.length, fmt, args);
	va_end(args);
	CHECK_LT(story.length + (size_t)length + 1, STORY_BYTES);
	if (tell)
		test_note(story.text + story.length);
	story.length += (size_t)length;
	story.text[story.length++] = '\n';
	errno = saved_errno;
}

long log_call(const char *text, long result)
{
	int error = errno;

	/* A call that succeeds leaves errno alone. */
	if (result == -1)
		note("%s = -1 %s", text, strerrorname_np(error));
	else
		note("%s = %ld%s%s", text, result, error ? " but errno is " : "",
		     error ? strerrorname_np(error) : "");
	errno = error;
	return result;
}

void log_error(const char *text, int error)
{
	note("%s = %s", text, error ? strerrorname_np(error) : "0");
}

void note_bytes(const void *buf, long length)
{
	const unsigned char *bytes = buf;
	unsigned long sum = 5381;
	long i;

	if (length < 0)
		return;
	for (i = 0; i < length; i++)
		sum = sum * 33 + bytes[i];
	note("  %ld bytes, sum %lx, \"%.*s\"", length, sum, (int)(length < 40 ? length : 40),
	     length && bytes[0] >= ' ' ? (const char *)bytes : "");
}

/* --- peers ---------------------------------------------------------------------- */

static int peer_task(void *arg)
{
	intptr_t i = (intptr_t)arg;

	peers[i].fn(peers[i].number);
	return 0;
}

static void *peer_thread(void *arg)
{
	peer_task(arg);
	return NULL;
}

void peer(peer_fn *fn, int number)
{
	intptr_t i = peer_count++;

	CHECK_LT(i, PEERS_MAX);
	peers[i].fn = fn;
	peers[i].number = number;
	if (by_task)
		CHECK_EQ(weft_spawn(&peers[i].task, NULL, peer_task, (void *)i), 0);
	else
		CHECK_EQ(pthread_create(&peers[i].thread, NULL, peer_thread, (void *)i), 0);
}

void peers_end(void)
{
	int i;

	for (i = 0; i < peer_count; i++)
		if (by_task)
			CHECK_EQ(weft_join(peers[i].task, WEFT_FOREVER, NULL), 0);
		else
			CHECK_EQ(pthread_join(peers[i].thread, NULL), 0);
	peer_count = 0;
}

void pause_ms(int ms)
{
	usleep((useconds_t)ms * 1000);
}

struct timespec in_ms(clockid_t clock, int ms)
{
	struct timespec then;

	clock_gettime(clock, &then);
	then.tv_sec += (then.tv_nsec + ms * 1000000L) / 1000000000;
	then.tv_nsec = (then.tv_nsec + ms * 1000000L) % 1000000000;
	return then;
}

bool has_come(clockid_t clock, const struct timespec *then)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec > then->tv_sec ||
	       (now.tv_sec == then->tv_sec && now.tv_nsec >= then->tv_nsec);
}

/* Of TCP: what has been sent is acknowledged, the rest waits for the peer to read. Others have no
 * such thing. */
static bool nothing_on_its_way(int fd)
{
	int unread, unsent;

	return ioctl(fd, SIOCOUTQ, &unread) < 0 || ioctl(fd, SIOCOUTQNSD, &unsent) < 0 ||
	       unread == unsent;
}

void fill(int fd)
{
	static char block[1 << 16];
	bool quiet;

	do {
		quiet = nothing_on_its_way(fd);
		while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
			quiet = false;
		if (!quiet)
			pause_ms(1);
	} while (!quiet);
}

int64_t now_ms(void)
{
	return weft_now() / 1000000;
}

/* --- playing -------------------------------------------------------------------- */

static void *play(void *scenario)
{
	scenario_fn *fn;

	memcpy(&fn, &scenario, sizeof(fn));
	story.length = 0;
	fn();
	peers_end();
	story.text[story.length] = '\0';
	return NULL;
}

static int play_task(void *scenario)
{
	CHECK_EQ(weft_hook_enabled(), 1);
	play(scenario);
	return 0;
}

static volatile bool scribbling;

/* The other user of the shared stack: whenever the player waits, his frames make
 * room and are overwritten. */
static int scribble(void *unused)
{
	(void)unused;
	while (scribbling) {
		volatile char frame[32 << 10];

		for (size_t i = 0; i < sizeof(frame); i++)
			frame[i] = (char)0xee;
		CHECK_EQ(weft_sleep(1000000), 0);
	}
	return 0;
}

static void play_on_shared_stack(void *scenario)
{
	weft_task *player, *scribbler;
	weft_attr attr = { .flags = 0 };

	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 128 << 10), 0);
	scribbling = true;
	CHECK_EQ(weft_spawn(&player, &attr, play_task, scenario), 0);
	CHECK_EQ(weft_spawn(&scribbler, &attr, scribble, NULL), 0);
	CHECK_EQ(weft_join(player, WEFT_FOREVER, NULL), 0);
	scribbling = false;
	CHECK_EQ(weft_join(scribbler, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
}

static void compare(const char *who, const char *expected, const char *got)
{
	if (strcmp(expected, got) == 0)
		return;
	fprintf(stderr, "--- by a thread:\n%s--- by a %s:\n%s", expected, who, got);
	test_fail(__FILE__, __LINE__, "a task's story is the thread's");
}

void conform(scenario_fn *fn)
{
	static char by_thread[STORY_BYTES];
	weft_task *task;
	pthread_t thread;
	void *scenario;

	tell = getenv("WEFT_CONFORM_TELL") != NULL;
	memcpy(&scenario, &fn, sizeof(scenario));
	CHECK_EQ(pthread_create(&thread, NULL, play, scenario), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	memcpy(by_thread, story.text, story.length + 1);
	CHECK_GT(story.length, 0);

	by_task = true;
	CHECK_EQ(weft_spawn(&task, NULL, play_task, scenario), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	compare("task", by_thread, story.text);

	play_on_shared_stack(scenario);
	compare("task on a shared stack", by_thread, story.text);
}

/* --- sockets ---------------------------------------------------------------------- */

int tcp_listener(int backlog, struct sockaddr_in *ret_addr)
{
	socklen_t length = sizeof(*ret_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_GE(fd, 0);
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sin_family = AF_INET;
	ret_addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(bind(fd, (struct sockaddr *)ret_addr, length), 0);
	CHECK_EQ(listen(fd, backlog), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)ret_addr, &length), 0);
	return fd;
}

static void shrink(int fd)
{
	int bytes = 16 << 10;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void tcp_pair(int fds[2])
{
	struct sockaddr_in addr;
	int on = 1, listener = tcp_listener(1, &addr);

	shrink(listener);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_GE(fds[0], 0);
	shrink(fds[0]);
	CHECK_EQ(connect(fds[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
	fds[1] = accept(listener, NULL, NULL);
	CHECK_GE(fds[1], 0);
	close(listener);
	setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void unix_pair(int fds[2])
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	shrink(fds[0]);
	shrink(fds[1]);
}

void reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
}

void set_nonblocking(int fd)
{
	CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

void set_timeout(int fd, int option, int ms)
{
	struct timeval limit = { ms / 1000, ms % 1000 * 1000 };

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit)), 0);
}
