/* SPDX-License-Identifier: MIT
 *
 * trace.c - weft_trace_start() and _stop(), $WEFT_TRACE, and the writing at exit.
 *
 * How a recording is stopped while others write: base/trace.c ends the generation, so that each
 * thread lets go of its ring at its next look; meanwhile the rings are copied, and what
 * may be torn is dropped (base/trace.h, R3 and R4). Nobody is waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/fault.h>
#include <base/lock.h>
#include <base/log.h>
#include <base/only_once.h>
#include <core/worker.h>
#include <debug/trace.h>
#include <weft/debug.h>

/* Held while a trace is started or written. Before the lock of base/trace.c. */
static struct lock lock;
static struct only_once once;
static char trace_path[PATH_MAX];
static struct instant {
	uint64_t ticks;
	int64_t ns;
} begin;

/* --- time ------------------------------------------------------------------ */

/* Both clocks at once: of some tries the one that took the least time in between. */
static struct instant read_clocks(void)
{
	struct instant best = { 0, 0 };
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = weft__trace_ticks();
		int64_t ns = weft__now();
		uint64_t took = weft__trace_ticks() - before;

		if (took >= shortest)
			continue;
		shortest = took;
		best = (struct instant){ before + took / 2, ns };
	}
	return best;
}

static void calibrate(struct trace *trace, struct instant end)
{
	trace->begin = begin.ticks;
	trace->begin_ns = begin.ns;
	trace->end = end.ticks;
	trace->ns_per_tick = end.ticks > begin.ticks ? (double)(end.ns - begin.ns) /
							       (double)(end.ticks - begin.ticks)
						     : 1;
}

/* --- the file -------------------------------------------------------------- */

static int open_file(void)
{
	return (int)weft__syscall(SYS_openat, AT_FDCWD, trace_path,
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

/* Absolute: the directory may be another one when it is written. */
static int keep_path(const char *path)
{
	size_t length = strlen(path), dir = 0;

	if (path[0] != '/') {
		long rc = weft__syscall(SYS_getcwd, trace_path, sizeof trace_path);

		if (rc < 0)
			return (int)rc;
		dir = strlen(trace_path);
		trace_path[dir++] = '/';
	}
	if (dir + length >= sizeof trace_path)
		return -ENAMETOOLONG;
	memcpy(trace_path + dir, path, length + 1);
	return 0;
}

/* --- start ----------------------------------------------------------------- */

static pid_t recorded_pid;

static void stop_at_exit(void)
{
	int rc;

	if (recorded_pid != getpid()) /* a fork's child: not its trace */
		return;
	rc = weft_trace_stop();
	if (rc < 0 && rc != -EALREADY)
		weft__warn("the trace could not be written to %s: %s", trace_path, strerror(-rc));
}

LOCK_OVER_FORK(lock)

/* After base/trace.c has done so: handlers before a fork(2) run backwards. */
static void init_once(void)
{
	pthread_atfork(take_lock, drop_lock, drop_lock);
	atexit(stop_at_exit);
}

/* The lock is held. */
static int start(const char *path, size_t events)
{
	size_t size = TRACE_EVENTS_MIN;
	int rc;

	if (weft__trace_recording())
		return -EBUSY;
	rc = keep_path(path);
	if (rc < 0)
		return rc;
	rc = open_file();
	if (rc < 0)
		return rc;
	weft__syscall(SYS_close, rc);
	while (size < events)
		size *= 2;
	rc = weft__trace_begin(size);
	if (rc < 0)
		return rc;
	only_once(&once, init_once);
	recorded_pid = getpid();
	begin = read_clocks();
	return 0;
}

int weft_trace_start(const char *path, size_t events_per_worker)
{
	int rc;

	if (!path || !*path || events_per_worker > TRACE_EVENTS_MAX)
		return -EINVAL;
	lock_take(&lock);
	rc = start(path, events_per_worker ? events_per_worker : TRACE_EVENTS_DEFAULT);
	lock_drop(&lock);
	if (rc == 0 && weft__thread.worker)
		weft__trace_enter(weft__thread.worker);
	return rc;
}

void weft__trace_init(void)
{
	const char *path = secure_getenv("WEFT_TRACE");
	int rc;

	if (!path || !*path)
		return;
	rc = weft_trace_start(path, 0);
	if (rc < 0 && rc != -EBUSY)
		weft__warn("WEFT_TRACE=%s: no trace is recorded: %s", path, strerror(-rc));
}

/* --- stop ------------------------------------------------------------------ */

static int copy_track(struct trace_track *track, struct trace_ring *ring)
{
	size_t size = ring->mask + 1;

	*track = (struct trace_track){ .serial = ring->serial,
				       .worker = ring->worker,
				       .bytes = size *
						(sizeof *track->records + sizeof *track->flows) };
	track->records = weft__map(track->bytes);
	if (!track->records)
		return -ENOMEM;
	track->flows = (uint32_t *)(void *)(track->records + size);
	track->count = weft__trace_copy(ring, track->records, &track->lost);
	return 0;
}

/* Lets go of each ring, copied or not. */
static int copy_all(struct trace *trace, struct trace_ring *ring)
{
	struct trace_ring *next;
	size_t count = 0;
	int rc = 0;

	for (next = ring; next; next = next->next)
		count++;
	trace->tracks = count ? weft__calloc(count, sizeof *trace->tracks) : NULL;
	if (count && !trace->tracks)
		rc = -ENOMEM;
	for (; ring; ring = next) {
		next = ring->next;
		if (rc == 0)
			rc = copy_track(&trace->tracks[trace->count], ring);
		if (rc == 0)
			trace->count++;
		weft__trace_let_go(ring);
	}
	return rc;
}

static void free_all(struct trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		munmap(trace->tracks[i].records, trace->tracks[i].bytes);
	free(trace->tracks);
	free(trace->tasks);
}

/* The lock is held. */
static int stop(void)
{
	struct instant end = read_clocks();
	struct trace trace = { 0 };
	struct trace_ring *rings;
	int rc, fd;

	rc = weft__trace_end(&rings, &trace.missed);
	if (rc < 0)
		return rc;
	if (weft__thread.worker)
		trace_look(); /* ours is let go at once */
	rc = copy_all(&trace, rings);
	calibrate(&trace, end);
	if (rc == 0)
		rc = weft__trace_learn(&trace);
	if (rc == 0) {
		rc = fd = open_file();
		if (fd >= 0) {
			rc = weft__trace_write(&trace, fd);
			weft__syscall(SYS_close, fd);
		}
	}
	free_all(&trace);
	return rc;
}

int weft_trace_stop(void)
{
	int rc;

	lock_take(&lock);
	rc = stop();
	lock_drop(&lock);
	return rc;
}
