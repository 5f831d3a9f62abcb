/* SPDX-License-Identifier: MIT
 *
 * time.c - sleeping: the task parks on its worker's timer wheel.
 *
 * A parked sleep is not ended by a signal: the handler runs on the thread, and
 * no task is interrupted by it. It ends early by a cancel alone: ECANCELED,
 * with the time that was left where the call has a place for it.
 *
 * The wheel runs on CLOCK_MONOTONIC. A sleep until a time on a clock that can
 * be set, or that runs while the machine is suspended, goes in steps of at
 * most a second and reads that clock again after each: a jump of the clock is
 * noticed within a second, and a sleep that the clock has not reached is never
 * ended. Clocks that count CPU time, and the alarm clocks, are waited for
 * on a helper thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/fault.h>
#include <hook/hook.h>
#include <weft/time.h>

const char weft__hook_link_time;

enum { STEP_NS = 1000000000 };

int64_t weft__hook_timespec_ns(const struct timespec *ts)
{
	if (ts->tv_sec >= WEFT_FOREVER / 1000000000)
		return WEFT_FOREVER;
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

/* The time until @deadline_ns, at least 0. */
static int64_t left_until(int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns - weft__now();

	return left_ns > 0 ? left_ns : 0;
}

static void timespec_set(struct timespec *ts, int64_t ns)
{
	ts->tv_sec = ns / 1000000000;
	ts->tv_nsec = ns % 1000000000;
}

HOOK unsigned sleep(unsigned seconds)
{
	int64_t deadline_ns;
	int rc;

	if (!hooked(HOOK_TIME))
		return weft__real.sleep(seconds);
	deadline_ns = weft_in_s(seconds);
	rc = weft_sleep_until(deadline_ns);
	if (likely(rc == 0))
		return 0;
	weft__hook_fail(rc);
	return (unsigned)((left_until(deadline_ns) + 999999999) / 1000000000);
}

HOOK int usleep(useconds_t useconds)
{
	if (!hooked(HOOK_TIME))
		return weft__real.usleep(useconds);
	return (int)hook_return(weft_sleep_until(weft_in_us(useconds)));
}

/* A duration on a clock that goes with CLOCK_MONOTONIC. 0 or -errno. */
static int sleep_relative(const struct timespec *request, struct timespec *remaining)
{
	int64_t deadline_ns;
	int rc;

	if (!request)
		return -EFAULT;
	if (!timespec_valid(request))
		return -EINVAL;
	deadline_ns = weft_in_ns(weft__hook_timespec_ns(request));
	rc = weft_sleep_until(deadline_ns);
	if (unlikely(rc < 0 && remaining))
		timespec_set(remaining, left_until(deadline_ns));
	return rc;
}

HOOK int nanosleep(const struct timespec *request, struct timespec *remaining)
{
	if (!hooked(HOOK_TIME))
		return weft__real.nanosleep(request, remaining);
	return (int)hook_return(sleep_relative(request, remaining));
}
HOOK_ALIAS(__nanosleep, nanosleep);

/* --- clock_nanosleep -------------------------------------------------------- */

/* Until @clock shows @target_ns; it may jump. */
static int sleep_in_steps(clockid_t clock, int64_t target_ns)
{
	for (;;) {
		int64_t left_ns = target_ns - weft__clock_ns(clock);
		int rc;

		if (left_ns <= 0)
			return 0;
		rc = weft_sleep_until(weft_in_ns(left_ns < STEP_NS ? left_ns : STEP_NS));
		if (rc < 0)
			return rc;
	}
}

static int sleep_absolute(clockid_t clock, const struct timespec *request)
{
	int64_t target_ns;

	if (!request)
		return -EFAULT;
	if (!timespec_valid(request))
		return -EINVAL;
	target_ns = weft__hook_timespec_ns(request);
	if (clock == CLOCK_MONOTONIC)
		return weft_sleep_until(target_ns);
	return sleep_in_steps(clock, target_ns);
}

/* A duration that goes on while the machine is suspended. */
static int sleep_boottime(const struct timespec *request, struct timespec *remaining)
{
	int64_t target_ns, now_ns;
	int rc;

	if (!request)
		return -EFAULT;
	if (!timespec_valid(request))
		return -EINVAL;
	now_ns = weft__clock_ns(CLOCK_BOOTTIME);
	target_ns = weft__hook_timespec_ns(request);
	target_ns = target_ns > WEFT_FOREVER - now_ns ? WEFT_FOREVER : now_ns + target_ns;
	rc = sleep_in_steps(CLOCK_BOOTTIME, target_ns);
	if (rc < 0 && remaining) {
		target_ns -= weft__clock_ns(CLOCK_BOOTTIME);
		timespec_set(remaining, target_ns > 0 ? target_ns : 0);
	}
	return rc;
}

struct clock_job {
	struct hook_job job;
	clockid_t clock;
	int flags, result;
	struct timespec request;
};

static void run_clock(struct hook_job *job)
{
	struct clock_job *self = container_of(job, struct clock_job, job);

	self->result = weft__real.clock_nanosleep(self->clock, self->flags, &self->request, NULL);
}

static void drop_clock(struct hook_job *job)
{
	weft__free(container_of(job, struct clock_job, job));
}

/* What the wheel does not know. A calling thread's CPU clock does not advance
 * while it sleeps; libc and kernel refuse it, and a helper's would be refused
 * just so. Helpers take no signals, so there is no EINTR and no remainder. */
static int sleep_offloaded(struct task *self, clockid_t clock, int flags,
			   const struct timespec *request)
{
	struct clock_job *job;
	int rc;

	if (!request)
		return -EFAULT;
	job = weft__malloc(sizeof *job);
	if (!job)
		return -ENOMEM;
	*job = (struct clock_job){ .job = { .run = run_clock, .drop = drop_clock },
				   .clock = clock,
				   .flags = flags,
				   .request = *request };
	rc = weft__hook_job_run(self, &job->job);
	if (rc < 0)
		return rc;
	rc = -job->result;
	weft__hook_job_put(&job->job);
	return rc;
}

/* Returns the error number and leaves errno alone, as POSIX has it. */
HOOK int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request,
			 struct timespec *remaining)
{
	struct task *self = hooked(HOOK_TIME);
	bool absolute = flags & TIMER_ABSTIME;
	int rc;

	if (!self)
		return weft__real.clock_nanosleep(clock, flags, request, remaining);
	switch (clock) {
	case CLOCK_REALTIME: /* setting it does not change a relative sleep */
	case CLOCK_TAI:
	case CLOCK_MONOTONIC:
		rc = absolute ? sleep_absolute(clock, request) : sleep_relative(request, remaining);
		break;
	case CLOCK_BOOTTIME:
		rc = absolute ? sleep_absolute(clock, request) : sleep_boottime(request, remaining);
		break;
	default:
		rc = sleep_offloaded(self, clock, flags, request);
		break;
	}
	if (unlikely(rc == -ECANCELED))
		weft__hook_testcancel();
	return -rc;
}
