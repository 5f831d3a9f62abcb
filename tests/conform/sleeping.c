/* SPDX-License-Identifier: MIT
 *
 * sleeping.c - sleep, usleep, nanosleep, clock_nanosleep. Lower bounds only.
 */
#include "conform.h"

static int64_t clock_now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

/* Runs @call, and notes that it took at least @least_ns. */
#define LOG_TIMED(call, least_ns)                                                              \
	do {                                                                                   \
		int64_t start_ns = clock_now_ns(CLOCK_MONOTONIC);                              \
		LOG(call);                                                                     \
		note("not early: %d", clock_now_ns(CLOCK_MONOTONIC) - start_ns >= (least_ns)); \
	} while (0)

/* Row 41. */
CONFORM(sleeping, never_early)
{
	struct timespec some = { 0, 12345678 }, rest = { 77, 77 };

	LOG_TIMED(sleep(1), 1000000000);
	LOG_TIMED(usleep(15000), 15000000);
	LOG_TIMED(nanosleep(&some, &rest), 12345678);
	note("the remainder is untouched: %ld %ld", (long)rest.tv_sec, rest.tv_nsec);
	some.tv_nsec = 1;
	for (int i = 0; i < 20; i++)
		LOG_TIMED(nanosleep(&some, NULL), 1);
}

CONFORM(sleeping, nothing_to_sleep)
{
	struct timespec zero = { 0, 0 };

	LOG(sleep(0));
	LOG(usleep(0));
	LOG(nanosleep(&zero, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &zero, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &zero, NULL));
}

/* Row 39. */
CONFORM(sleeping, errors)
{
	struct timespec negative = { -1, 0 }, negative_ns = { 0, -1 }, too_many = { 0, 1000000000 };
	struct timespec some = { 0, 1000000 };

	LOG(nanosleep(&negative, NULL));
	LOG(nanosleep(&negative_ns, NULL));
	LOG(nanosleep(&too_many, NULL));
	LOG(nanosleep(no_address, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_MONOTONIC, 0, &negative, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &too_many, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &negative_ns, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_BOOTTIME, 0, &negative, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_MONOTONIC, 0, no_address, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &some, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &some, NULL));
	LOG_ERROR(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &some, NULL));
	LOG_ERROR(clock_nanosleep(999, 0, &some, NULL));
	LOG_ERROR(clock_nanosleep(999, 0, &negative, NULL));
}

CONFORM(sleeping, every_clock)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME,
					    CLOCK_TAI };
	struct timespec some = { 0, 11000000 }, then;
	size_t i;

	for (i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		int64_t start_ns = clock_now_ns(clocks[i]);

		LOG_ERROR(clock_nanosleep(clocks[i], 0, &some, NULL));
		note("not early: %d", clock_now_ns(clocks[i]) - start_ns >= 11000000);
		start_ns = clock_now_ns(clocks[i]);
		then = timespec_of(start_ns + 15000000);
		LOG_ERROR(clock_nanosleep(clocks[i], TIMER_ABSTIME, &then, NULL));
		note("not early: %d", clock_now_ns(clocks[i]) - start_ns >= 15000000);
		then = timespec_of(start_ns - 1000000000);
		LOG_ERROR(clock_nanosleep(clocks[i], TIMER_ABSTIME, &then, NULL));
	}
}

/* More than one step of the clocks that can be set. */
CONFORM(sleeping, longer_than_a_step)
{
	int64_t start_ns = clock_now_ns(CLOCK_REALTIME);
	struct timespec then = timespec_of(start_ns + 1200000000);

	LOG_ERROR(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &then, NULL));
	note("not early: %d", clock_now_ns(CLOCK_REALTIME) - start_ns >= 1200000000);
}

static volatile bool stop_burning;

static void stop_soon(int ms)
{
	pause_ms(ms);
	stop_burning = true;
}

static void burn(int unused)
{
	(void)unused;
	while (!stop_burning) {
		int64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + 1000000;

		while (clock_now_ns(CLOCK_MONOTONIC) < end_ns)
			;
		pause_ms(1);
	}
}

/* CPU time passes only while somebody works. */
CONFORM(sleeping, on_cpu_time)
{
	int64_t start_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct timespec some = { 0, 20000000 };

	stop_burning = false;
	peer(burn, 0);
	LOG_ERROR(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &some, NULL));
	note("not early: %d", clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns >= 20000000);
	stop_soon(0);
	peers_end();
}

static _Atomic int awake;

static void sleep_and_count(int ms)
{
	usleep((useconds_t)ms * 1000);
	awake++;
}

CONFORM(sleeping, sleepers_sleep_side_by_side)
{
	int64_t start_ms = now_ms();

	awake = 0;
	for (int i = 0; i < 50; i++)
		peer(sleep_and_count, 200);
	peers_end();
	note("%d awake, in less than their sum: %d", awake, now_ms() - start_ms < 50 * 200);
}
