/* SPDX-License-Identifier: MIT
 *
 * trace.c - the flight recorder's rings, and its start and stop. What is in the file
 * is judged by trace_json.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/trace.h>
#include <weft/weft.h>

#include "../test.h"

#define DEVNULL "/dev/null"

static char path[64];

/* A new file of this case's own; the caller unlinks it. */
static const char *new_path(void)
{
	int fd;

	strcpy(path, "/tmp/weft-trace-XXXXXX");
	fd = mkstemp(path);
	CHECK_GE(fd, 0);
	close(fd);
	return path;
}

static long size_of(const char *name)
{
	struct stat st;

	CHECK_EQ(stat(name, &st), 0);
	return (long)st.st_size;
}

/* --- rings ----------------------------------------------------------------- */

static struct trace_ring *begin_ring(size_t events)
{
	CHECK_EQ(weft__trace_begin(events), 0);
	CHECK(!weft__thread.trace);
	trace_look();
	CHECK(weft__thread.trace);
	return weft__thread.trace;
}

static void end_rings(void)
{
	struct trace_ring *rings, *next;
	unsigned missed;

	CHECK_EQ(weft__trace_end(&rings, &missed), 0);
	for (; rings; rings = next) {
		next = rings->next;
		weft__trace_let_go(rings);
	}
	trace_look();
	CHECK(!weft__thread.trace);
}

TEST(trace, a_ring_keeps_what_was_put)
{
	struct trace_ring *ring = begin_ring(64);
	struct trace_record records[64];
	uint64_t lost;

	CHECK_EQ(weft__trace_copy(ring, records, &lost), 0);
	trace_steal(7, 3);
	trace_event(TRACE_CANCEL, 5, 11, 12);
	CHECK_EQ(weft__trace_copy(ring, records, &lost), 2);
	CHECK_EQ(lost, 0);
	CHECK_EQ(trace_kind(&records[0]), TRACE_STEAL);
	CHECK_EQ(trace_aux(&records[0]), 7);
	CHECK_EQ(records[0].arg, 3);
	CHECK_EQ(trace_kind(&records[1]), TRACE_CANCEL);
	CHECK_EQ(trace_aux(&records[1]), 5);
	CHECK_EQ(records[1].task, 11);
	CHECK_EQ(records[1].arg, 12);
	CHECK_GE(records[1].ticks, records[0].ticks);
	end_rings();
}

/* All but the one whose place is written next. */
TEST(trace, the_oldest_are_overwritten)
{
	struct trace_ring *ring = begin_ring(64);
	struct trace_record records[64];
	uint64_t lost;

	for (unsigned n = 0; n < 200; n++)
		trace_event(TRACE_TIMER, 0, n, 0);
	CHECK_EQ(weft__trace_copy(ring, records, &lost), 63);
	CHECK_EQ(lost, 200 - 63);
	for (unsigned i = 0; i < 63; i++)
		CHECK_EQ(records[i].task, 200 - 63 + i);
	end_rings();
}

/* R3: the reader lets go first, and the writer writes on until it looks. */
TEST(trace, a_ring_outlives_its_recording)
{
	struct trace_ring *ring = begin_ring(64), *rings;
	unsigned missed;

	CHECK_EQ(weft__trace_end(&rings, &missed), 0);
	CHECK_EQ(rings, ring);
	weft__trace_let_go(ring);
	trace_event(TRACE_TIMER, 0, 1, 0);
	CHECK_EQ(weft__thread.trace, ring);
	trace_look();
	CHECK(!weft__thread.trace);
	trace_event(TRACE_TIMER, 0, 1, 0); /* to nowhere */
}

static _Atomic int enough;
static struct trace_ring *_Atomic shared_ring;

/* Records whose words belong together. */
static void *write_on(void *arg)
{
	uint64_t n = 0;

	trace_look();
	CHECK(weft__thread.trace);
	shared_ring = weft__thread.trace;
	for (; !enough || n < 100000; n++)
		trace_event(TRACE_TIMER, n & 0xffffffff, n, ~n);
	weft__trace_end_thread();
	return arg;
}

/* R4: what is copied meanwhile is whole, and in sequence. */
TEST(trace, a_copy_under_way_of_the_writer_has_no_torn_record)
{
	struct trace_record records[64];
	unsigned disturbed = 0; /* copies with records dropped */
	uint64_t lost;
	struct trace_ring *rings;
	unsigned missed;
	pthread_t thread;

	CHECK_EQ(weft__trace_begin(64), 0);
	CHECK_EQ(pthread_create(&thread, NULL, write_on, NULL), 0);
	while (!shared_ring)
		sched_yield();
	for (int round = 0; round < 300000 && disturbed < 3000; round++) {
		size_t count = weft__trace_copy(shared_ring, records, &lost);

		CHECK_LE(count, 63);
		for (size_t i = 0; i < count; i++) {
			CHECK_EQ(records[i].task, lost + i);
			CHECK_EQ(records[i].arg, ~(lost + i));
			CHECK_EQ(trace_aux(&records[i]), (lost + i) & 0xffffffff);
		}
		disturbed += count < 63 && lost > 0;
	}
	enough = 1;
	pthread_join(thread, NULL);
	CHECK_EQ(weft__trace_end(&rings, &missed), 0);
	CHECK_EQ(weft__trace_copy(rings, records, &lost), 63);
	weft__trace_let_go(rings);
}

/* --- start and stop -------------------------------------------------------- */

TEST(trace, start_and_stop_say_what_is_wrong)
{
	CHECK_EQ(weft_trace_stop(), -EALREADY);
	CHECK_EQ(weft_trace_start(NULL, 0), -EINVAL);
	CHECK_EQ(weft_trace_start("", 0), -EINVAL);
	CHECK_EQ(weft_trace_start(DEVNULL, SIZE_MAX), -EINVAL);
	CHECK_EQ(weft_trace_start("/nowhere/at/all", 0), -ENOENT);
	CHECK_EQ(weft_trace_stop(), -EALREADY);
	CHECK_EQ(weft_trace_start(DEVNULL, 0), 0);
	CHECK_EQ(weft_trace_start(DEVNULL, 0), -EBUSY);
	CHECK_EQ(weft_trace_stop(), 0);
	CHECK_EQ(weft_trace_stop(), -EALREADY);
}

TEST(trace, a_full_disk_is_reported)
{
	if (access("/dev/full", W_OK) < 0)
		SKIP("no /dev/full");
	CHECK_EQ(weft_trace_start("/dev/full", 0), 0);
	CHECK_EQ(weft_trace_stop(), -ENOSPC);
	CHECK_EQ(weft_trace_stop(), -EALREADY);
}

TEST(trace, a_relative_path_is_meant_from_where_it_was_given)
{
	const char *name = new_path();

	CHECK_EQ(chdir("/tmp"), 0);
	CHECK_EQ(weft_trace_start(name + strlen("/tmp/"), 0), 0);
	CHECK_EQ(size_of(name), 0);
	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(weft_trace_stop(), 0);
	CHECK_GT(size_of(name), 0);
	unlink(name);
}

static int turn(void *arg)
{
	++*(int *)arg;
	return 0;
}

static int start_and_stop(void *arg)
{
	unsigned index = weft__thread.worker_index;
	weft_task *task;

	CHECK(!weft__thread.trace);
	CHECK_EQ(weft_trace_start(DEVNULL, 100), 0);
	CHECK(weft__thread.trace);
	CHECK_EQ(weft__thread.trace->mask, 127);
	CHECK_EQ(weft__thread.trace->worker, index);
	CHECK_NE(weft__thread.worker_index, index);
	CHECK_EQ(weft_spawn(&task, NULL, turn, arg), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_trace_stop(), 0);
	CHECK(!weft__thread.trace);
	CHECK_EQ(weft__thread.worker_index, index);
	CHECK_EQ(weft_spawn(&task, NULL, turn, arg), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST(trace, the_thread_that_starts_and_stops_follows_at_once)
{
	int turns = 0;

	CHECK_EQ(weft_run(1, start_and_stop, &turns, NULL), 0);
	CHECK_EQ(turns, 2);
	CHECK(!weft__thread.trace);
}

/* --- what must go on while it is recorded ---------------------------------- */

static int doze(void *arg)
{
	CHECK_EQ(weft_sleep(3000000), 0);
	*(bool *)arg = true;
	return 0;
}

static void *wake_from_outside(void *arg)
{
	*(volatile bool *)arg = true;
	return NULL;
}

static int help(void *arg)
{
	wake_from_outside(arg);
	return 0;
}

static int offload(void *arg)
{
	return weft_offload(help, arg, NULL);
}

/* The budget that the trace hides is counted all the same: else nobody would look at
 * timers and inbox while tasks are ready. */
static int spin(void *arg)
{
	volatile bool dozed = false, helped = false;
	weft_task *task;

	CHECK_EQ(weft_trace_start(DEVNULL, 0), 0);
	CHECK_EQ(weft_spawn(&task, NULL, doze, (void *)&dozed), 0);
	while (!dozed)
		weft_task_yield();
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_spawn(&task, NULL, offload, (void *)&helped), 0);
	while (weft_join(task, WEFT_NOWAIT, NULL) == -EAGAIN)
		weft_task_yield();
	CHECK(helped);
	CHECK_EQ(weft_trace_stop(), 0);
	return arg != NULL;
}

TEST(trace, timers_and_other_threads_are_heard_while_tasks_yield)
{
	CHECK_EQ(weft_run(1, spin, NULL, NULL), 0);
}

/* An embedder's step looks around without a pick: the hidden budget is not set by it. */
TEST(trace, a_recording_begun_elsewhere_is_joined_in_a_step)
{
	bool dozed = false;
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, doze, &dozed), 0);
	CHECK_EQ(weft__trace_begin(64), 0);
	while (!dozed)
		CHECK_GE(weft_runtime_step(), 0);
	CHECK(weft__thread.trace);
	CHECK_GT(weft__thread.trace->head, 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	end_rings();
}

/* --- processes ------------------------------------------------------------- */

static int status_of(pid_t pid)
{
	int status = 0;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

TEST(trace, the_child_of_a_fork_is_not_recorded)
{
	const char *name = new_path();
	long size;
	pid_t pid;

	CHECK_EQ(weft_trace_start(name, 64), 0);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_sleep(1000), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		if (!WEFT_TSAN) /* it loses sight of its fibers in a fork's child */
			CHECK_EQ(weft_sleep(1000), 0);
		trace_look();
		CHECK(!weft__thread.trace);
		CHECK_EQ(weft_trace_stop(), -EALREADY);
		CHECK_EQ(weft_trace_start(DEVNULL, 0), 0); /* one of its own */
		exit(0);
	}
	CHECK_EQ(status_of(pid), 0);
	CHECK_EQ(size_of(name), 0);
	CHECK_EQ(weft_trace_stop(), 0);
	size = size_of(name);
	CHECK_GT(size, 0);
	unlink(name);
}

static int exit_in_a_task(void *arg)
{
	(void)arg;
	exit(0);
}

TEST(trace, exit_writes_it)
{
	const char *name = new_path();
	pid_t pid = fork();

	CHECK_GE(pid, 0);
	if (pid == 0) {
		weft_task *task;

		CHECK_EQ(setenv("WEFT_TRACE", name, 1), 0);
		CHECK_EQ(weft_spawn(&task, NULL, exit_in_a_task, NULL), 0);
		weft_join(task, WEFT_FOREVER, NULL);
		abort();
	}
	CHECK_EQ(status_of(pid), 0);
	CHECK_GT(size_of(name), 0);
	unlink(name);
}

/* --- no memory ------------------------------------------------------------- */

static int record_something(void *arg)
{
	int rc = weft_trace_start(DEVNULL, 64);

	CHECK_EQ(rc, 0);
	for (int i = 0; i < 10; i++)
		weft_task_yield();
	rc = weft_trace_stop();
	CHECK_EQ(weft_trace_stop(), -EALREADY);
	CHECK(!weft__thread.trace);
	*(int *)arg = rc;
	return 0;
}

/* Without a ring the thread is not recorded; without room to write, the stop says so. */
TEST(trace, no_memory)
{
	bool refused = false;
	int rc = 0;

	for (unsigned n = 1;; n++) {
		CHECK(n < 100);
		weft__fault_fail(n);
		if (weft_run(1, record_something, &rc, NULL) == 0) {
			CHECK(rc == 0 || rc == -ENOMEM);
			refused |= rc < 0;
		}
		if (!weft__fault_fired())
			break;
	}
	CHECK_EQ(rc, 0);
	CHECK(refused);
}
