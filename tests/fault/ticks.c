/* SPDX-License-Identifier: MIT
 *
 * ticks.c - rows 46 and 50 in a runtime of two workers: a signal every 100 us on each of
 * their threads, as profilers send it, while tasks of all kinds switch, move, spawn, sleep
 * and transfer. Registers stay intact, nothing is lost, and no call says EINTR.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <base/compiler.h>
#include <base/thread.h>

#include "hooked.h"

#ifndef sigev_notify_thread_id /* glibc 2.36 does not say it */
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { PERIOD_NS = 100000, WORKERS = 2 };

/* The worker that the caller runs on just now. */
static noinline unsigned here(void)
{
	return weft__thread_now()->worker_index;
}

static _Atomic unsigned ticks_on[64];

/* Leaves nothing of what it may use as it was. */
static void litter(int sig)
{
	volatile char stack[1024];
	volatile double a = 3.25, b = 1.5;

	(void)sig;
	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = (char)0xee;
	a = a * b + stack[5];
#if defined(__x86_64__)
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7;"
			 "pcmpeqd %%xmm8, %%xmm8; pcmpeqd %%xmm15, %%xmm15" ::
				 : "xmm0", "xmm7", "xmm8", "xmm15");
#endif
	errno = 4242;
	ticks_on[weft__thread_now()->worker_index]++;
}

/* The handler's errno is the task's: it must put it back, as everywhere. */
static void on_tick(int sig)
{
	int *location = &errno, saved = *location;

	litter(sig);
	*location = saved;
}

/* --- the clocks ------------------------------------------------------------------------ */

static _Atomic bool over;
static _Atomic int ticking;

static timer_t tick_on_this_thread(int sig)
{
	struct itimerspec period = { { 0, PERIOD_NS }, { 0, PERIOD_NS } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = sig };
	timer_t timer;

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &period, NULL), 0);
	return timer;
}

/* Stays on its worker, and keeps that ticking. */
static int tick(void *sig)
{
	timer_t timer = tick_on_this_thread(number_of(sig));

	ticking++;
	while (!over)
		CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(timer_delete(timer), 0);
	return 0;
}

static weft_task *start_with(unsigned flags, weft_fn *fn, intptr_t number)
{
	weft_attr attr = { .flags = flags };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, fn, (void *)number), 0);
	return task;
}

static void start_ticking(weft_task **clocks, int flags)
{
	struct sigaction action = { .sa_handler = on_tick, .sa_flags = flags };

	CHECK_EQ(sigaction(SIGPROF, &action, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		clocks[i] = start_with(WEFT_SPREAD, tick, i ? SIGUSR1 : SIGPROF);
	while (ticking < WORKERS)
		CHECK_EQ(weft_sleep(100000), 0);
}

static void stop_ticking(weft_task **clocks)
{
	int threads = 0;

	over = true;
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(join(clocks[i]), 0);
	for (int i = 0; i < 64; i++)
		threads += ticks_on[i] > 5;
	CHECK_EQ(threads, WORKERS);
}

/* --- 46: registers ------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t x)
{
	x ^= x << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
	x ^= x >> 7;
	return x ^ x << 17;
}

static _Atomic unsigned moves;

static always_inline void leave(uint64_t x)
{
	if (x % 16 == 0)
		CHECK_EQ(weft_sleep(50000), 0);
	else
		CHECK_EQ(weft_task_yield(), 0);
}

/* What lives in registers over a switch is compared with memory after it. */
static noinline uint64_t turn(uint64_t x)
{
	volatile uint64_t copy = x;
	uint64_t a = x * 3, b = ~x, c = x >> 5, d = x ^ 0xff, e = x + 17, f = x * x;
	double g = (double)(x >> 12), h = g * 0.5, i = g + 3, j = g / 7;
	double expected;

	leave(x);
	x = copy;
	CHECK_EQ(a, x * 3);
	CHECK_EQ(b, ~x);
	CHECK_EQ(c, x >> 5);
	CHECK_EQ(d, x ^ 0xff);
	CHECK_EQ(e, x + 17);
	CHECK_EQ(f, x * x);
	expected = (double)(x >> 12);
	CHECK(g == expected && h == expected * 0.5 && i == expected + 3 && j == expected / 7);
	return next_random(x);
}

/* Between switches, too: long computations that signals come into. */
static noinline uint64_t compute(uint64_t x)
{
	double sum = 0, same = 0;
	uint64_t y = x;

	for (int i = 0; i < 2000; i++) {
		x = next_random(x);
		sum += (double)(x >> 40);
	}
	for (int i = 0; i < 2000; i++) {
		y = next_random(y);
		same += (double)(y >> 40);
	}
	CHECK(x == y && sum == same);
	return x;
}

enum { TURNS = 6000 };

static int turn_and_turn(void *number)
{
	uint64_t x = 88172645463325252u + (uint64_t)(intptr_t)number;
	unsigned last = here();

	for (int i = 0; i < TURNS; i++) {
		x = turn(x);
		if (i % 32 == 0)
			x = compute(x);
		moves += here() != last;
		last = here();
	}
	return 0;
}

static int switch_in_a_storm(void *unused)
{
	weft_task *clocks[WORKERS], *tasks[12];

	(void)unused;
	start_ticking(clocks, SA_RESTART);
	for (int i = 0; i < 12; i++)
		tasks[i] = start_with(i % 3 == 0 ? WEFT_SPREAD : WEFT_MIGRATE, turn_and_turn, i);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(join(tasks[i]), 0);
	stop_ticking(clocks);
	CHECK_GT(moves, 0);
	return 0;
}

TEST_LIMIT(ticks, row46_registers_of_tasks_that_move, 60)
{
	CHECK_EQ(weft_run(WORKERS, switch_in_a_storm, NULL, NULL), 0);
}

/* --- 50: everything at once ----------------------------------------------------------------- */

enum { BRANCHES = 3, DEPTH = 6, ECHOES = 300, NAPS = 150, FILES = 40, BLOCK = 60000 };

static _Atomic int leaves;

static int grow(void *depth)
{
	weft_task *children[BRANCHES];

	if (number_of(depth) == 0) {
		leaves++;
		return 1;
	}
	for (int i = 0; i < BRANCHES; i++)
		children[i] = start_with(i == 0 ? WEFT_MIGRATE : 0, grow, number_of(depth) - 1);
	for (int i = 0; i < BRANCHES; i++)
		CHECK_EQ(join(children[i]), 1);
	return 1;
}

/* Natively these would say EINTR, or leave time over. */
static int nap(void *unused)
{
	struct timespec some = { 0, 700000 }, rest = { 7, 7 };

	(void)unused;
	for (int i = 0; i < NAPS; i++) {
		int64_t before_ns = weft_now();

		errno = 0;
		CHECK_EQ(nanosleep(&some, &rest), 0);
		CHECK_GE(weft_now() - before_ns, some.tv_nsec);
		CHECK_EQ(rest.tv_sec, 7);
		CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL), 0);
		CHECK_EQ(weft_sleep(100000), 0);
	}
	return 0;
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static int echo(void *fd)
{
	unsigned char buf[4096];
	ssize_t got;

	while ((got = recv(number_of(fd), buf, sizeof(buf), 0)) > 0)
		CHECK_EQ(send(number_of(fd), buf, (size_t)got, 0), got);
	CHECK_EQ(got, 0);
	CHECK_EQ(close(number_of(fd)), 0);
	return 0;
}

static int ask(void *fd)
{
	unsigned char buf[512];

	for (size_t i = 0; i < ECHOES; i++) {
		size_t bytes = 1 + i % sizeof(buf);

		for (size_t at = 0; at < bytes; at++)
			buf[at] = byte_at(i + at);
		CHECK_EQ(write(number_of(fd), buf, bytes), bytes);
		memset(buf, 0, sizeof(buf));
		CHECK_EQ(recv(number_of(fd), buf, bytes, MSG_WAITALL), bytes);
		for (size_t at = 0; at < bytes; at++)
			CHECK_EQ(buf[at], byte_at(i + at));
	}
	CHECK_EQ(close(number_of(fd)), 0);
	return 0;
}

static int use_file(void *unused)
{
	char path[] = "/tmp/weft-fault-XXXXXX";
	unsigned char *block = malloc(BLOCK), *back = malloc(BLOCK);
	int fd = mkstemp(path);

	(void)unused;
	unlink(path);
	for (size_t i = 0; i < BLOCK; i++)
		block[i] = byte_at(i);
	for (int i = 0; i < FILES; i++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(write(fd, block, BLOCK), BLOCK);
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(read(fd, back, BLOCK), BLOCK);
		CHECK_EQ(memcmp(block, back, BLOCK), 0);
		CHECK_EQ(weft_task_yield(), 0);
	}
	close(fd);
	free(block);
	free(back);
	return 0;
}

static int answer(void *unused)
{
	CHECK_EQ(usleep(200), 0);
	return unused ? 1 : 2;
}

static int offload(void *unused)
{
	for (int i = 0; i < 100; i++) {
		int result = 0;

		CHECK_EQ(weft_offload(answer, unused, &result), 0);
		CHECK_EQ(result, 2);
	}
	return 0;
}

static int live_in_a_storm(void *handler_flags)
{
	struct itimerval prof = { { 0, 100 }, { 0, 100 } }, none = { 0 };
	weft_task *clocks[WORKERS], *tasks[24];
	int count = 0, expected = 1;

	start_ticking(clocks, number_of(handler_flags));
	CHECK_EQ(setitimer(ITIMER_PROF, &prof, NULL), 0);
	for (int round = 0; round < 3; round++) {
		unsigned flags = round == 0 ? 0 : round == 1 ? WEFT_MIGRATE : WEFT_SPREAD;
		int fds[2];

		connected_pair(fds);
		tasks[count++] = start_with(flags, echo, fds[0]);
		tasks[count++] = start_with(flags, ask, fds[1]);
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		tasks[count++] = start_with(flags, echo, fds[0]);
		tasks[count++] = start_with(flags, ask, fds[1]);
		tasks[count++] = start_with(flags, nap, 0);
		tasks[count++] = start_with(flags, use_file, 0);
		tasks[count++] = start_with(flags, offload, 0);
		tasks[count++] = start_with(flags, grow, DEPTH);
	}
	for (int i = 0; i < count; i++)
		CHECK_GE(join(tasks[i]), 0);
	for (int i = 0; i < DEPTH; i++)
		expected *= BRANCHES;
	CHECK_EQ(leaves, 3 * expected);
	CHECK_EQ(setitimer(ITIMER_PROF, &none, NULL), 0);
	stop_ticking(clocks);
	return 0;
}

TEST_LIMIT(ticks, row50_a_profiler_without_sa_restart, 60)
{
	CHECK_EQ(weft_run(WORKERS, live_in_a_storm, NULL, NULL), 0);
}

TEST_LIMIT(ticks, row50_a_profiler_with_sa_restart, 60)
{
	CHECK_EQ(weft_run(WORKERS, live_in_a_storm, (void *)(intptr_t)SA_RESTART, NULL), 0);
}
