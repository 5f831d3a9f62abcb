/* SPDX-License-Identifier: MIT
 *
 * jump.c - row 43: the machine was suspended, and when it goes on hours have passed. Each
 * timer that is overdue fires once, in order; loops do not catch up on what they missed.
 *
 * The jump is made by this program's own clock_gettime(), which weft is linked to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <base/thread.h>
#include <core/timer.h>
#include <core/worker.h>
#include <test.h>
#include <weft/weft.h>

#define HOUR_NS INT64_C(3600000000000)
#define MS_NS   INT64_C(1000000)

static _Atomic int64_t ahead_ns;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int64_t ns;

	if (syscall(SYS_clock_gettime, clock, now) < 0)
		return -1;
	if (clock != CLOCK_MONOTONIC)
		return 0;
	ns = now->tv_nsec + ahead_ns % 1000000000;
	now->tv_sec += ahead_ns / 1000000000 + ns / 1000000000;
	now->tv_nsec = ns % 1000000000;
	return 0;
}

static uint64_t random_state = 88172645463325252u;

/* Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* --- the wheel by itself --------------------------------------------------------------- */

enum { TIMERS = 20000 };

/* A wheel that walked each of its 33 us would need months for this. */
TEST(jump, row43_the_wheel_does_not_walk_the_gap)
{
	static struct timer timers[TIMERS];
	const int64_t year_ns = 24 * 365 * HOUR_NS, start_ns = 17 * HOUR_NS + 12345;
	static struct wheel wheel;
	struct timer *timer;
	int64_t last_ns = 0;
	int fired = 0;

	weft__wheel_init(&wheel, start_ns);
	for (int i = 0; i < TIMERS; i++) {
		/* from microseconds to ninety years ahead, each magnitude alike */
		uint64_t range = UINT64_C(1) << (10 + next_random() % 51);

		timers[i].when_ns = start_ns + (int64_t)(next_random() % range);
		timers[i].ticket = 1;
		weft__timer_arm(&wheel, &timers[i]);
	}
	for (timer = weft__wheel_advance(&wheel, start_ns + 90 * year_ns); timer;
	     timer = timer->next) {
		CHECK_EQ(timer->ticket--, 1);
		CHECK_EQ(timer->pprev, NULL);
		CHECK_GE(timer->when_ns >> TIMER_TICK_SHIFT, last_ns - 1);
		last_ns = timer->when_ns >> TIMER_TICK_SHIFT;
		fired++;
	}
	CHECK_EQ(fired, TIMERS);
	CHECK_EQ(wheel.armed, 0);
	CHECK_EQ(weft__wheel_advance(&wheel, start_ns + 91 * year_ns), NULL);
	CHECK_EQ(weft__wheel_next(&wheel), INT64_MAX);
}

/* --- in a runtime ------------------------------------------------------------------------ */

enum { SLEEPERS = 600 };

static struct sleeper {
	int64_t deadline_ns;
	_Atomic int woken;
} sleepers[SLEEPERS];

static _Atomic int woken, waiting;
static int order[SLEEPERS];

static int sleep_once(void *arg)
{
	struct sleeper *self = arg;

	waiting++;
	CHECK_EQ(weft_sleep_until(self->deadline_ns), 0);
	CHECK_GE(weft_now(), self->deadline_ns);
	self->woken++;
	order[woken++] = (int)(self - sleepers);
	return 0;
}

static int fds[2];

/* The same by way of a wait with a deadline. */
static int wait_once(void *arg)
{
	struct sleeper *self = arg;

	waiting++;
	CHECK_EQ(weft_wait_fd(fds[0], WEFT_READABLE, self->deadline_ns), -ETIMEDOUT);
	CHECK_GE(weft_now(), self->deadline_ns);
	self->woken++;
	order[woken++] = (int)(self - sleepers);
	return 0;
}

static _Atomic bool over;
static _Atomic int turns;

/* Between two turns at least a period passes, also after the jump. */
static int go_round(void *unused)
{
	int64_t before_ns = weft_now();

	(void)unused;
	while (!over) {
		CHECK_EQ(weft_sleep(MS_NS), 0);
		CHECK_GE(weft_now() - before_ns, MS_NS);
		before_ns = weft_now();
		turns++;
	}
	return 0;
}

static weft_task *start(unsigned flags, weft_fn *fn, void *arg)
{
	weft_attr attr = { .flags = flags };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, fn, arg), 0);
	return task;
}

/* Some are due within the next hours, in no order, the others after the jump. */
static void start_sleepers(unsigned flags, weft_task **tasks, weft_fn *fn)
{
	int64_t now_ns = weft_now();

	woken = waiting = 0;
	for (int i = 0; i < SLEEPERS; i++) {
		int64_t hours = i % 3 ? 3 : 100;

		sleepers[i].deadline_ns = now_ns + (hours == 100 ? 90 * HOUR_NS : HOUR_NS / 2) +
					  (int64_t)(next_random() % (uint64_t)(3 * HOUR_NS));
		sleepers[i].woken = 0;
		tasks[i] = start(flags, i % 2 ? fn : sleep_once, &sleepers[i]);
	}
	while (waiting < SLEEPERS)
		CHECK_EQ(weft_sleep(MS_NS), 0);
	CHECK_EQ(weft_sleep(MS_NS), 0);
	CHECK_EQ(woken, 0);
}

/* @ordered: they all woke on one worker. */
static void check_woken(int count, bool ordered)
{
	CHECK_EQ(woken, count);
	for (int i = 1; i < count && ordered; i++)
		CHECK_LE(sleepers[order[i - 1]].deadline_ns >> TIMER_TICK_SHIFT,
			 (sleepers[order[i]].deadline_ns >> TIMER_TICK_SHIFT) + 1);
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_LE(sleepers[i].woken, 1);
}

static void wait_for_turns(int count)
{
	int end = turns + count;

	while (turns < end)
		CHECK_EQ(weft_sleep(MS_NS), 0);
}

static int jump_ahead(void *flags)
{
	static weft_task *tasks[SLEEPERS];
	weft_task *loops[4];
	bool alone = !weft__thread.worker->runtime;
	uint64_t switches;

	CHECK_EQ(pipe2(fds, O_NONBLOCK), 0);
	for (int i = 0; i < 4; i++) /* each worker has something to do now and then */
		loops[i] = start((unsigned)(uintptr_t)flags | WEFT_SPREAD, go_round, NULL);
	start_sleepers((unsigned)(uintptr_t)flags, tasks, wait_once);
	switches = weft__thread.worker->switches;
	ahead_ns += 4 * HOUR_NS;
	while (woken < SLEEPERS / 3 * 2) /* a worker's thread may be held up */
		CHECK_EQ(weft_sleep(MS_NS), 0);
	wait_for_turns(40);
	check_woken(SLEEPERS / 3 * 2, alone);
	/* Two or three switches for each that woke, and for each turn: nobody woke in vain. */
	if (alone)
		CHECK_LT(weft__thread.worker->switches - switches, SLEEPERS * 3 + 40 * 12);
	ahead_ns += 100 * HOUR_NS;
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	check_woken(SLEEPERS, alone);
	over = true;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_join(loops[i], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(jump, row43_sleepers_of_one_worker)
{
	CHECK_EQ(weft_run(1, jump_ahead, NULL, NULL), 0);
}

TEST(jump, row43_sleepers_of_a_crew)
{
	CHECK_EQ(weft_run(2, jump_ahead, NULL, NULL), 0);
}

/* Their timers are in a wheel that others may look at, too. */
TEST(jump, row43_movable_sleepers)
{
	CHECK_EQ(weft_run(2, jump_ahead, (void *)(uintptr_t)WEFT_MIGRATE, NULL), 0);
}
