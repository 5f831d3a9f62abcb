/* SPDX-License-Identifier: MIT
 *
 * trace_program.c - small programs whose traces are known: trace_json.sh runs
 * them, trace_json.py judges what they leave.
 *
 *	trace_program <sequence|wrap|threads|across|crew|running|exit> <file>
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/trace.h>
#include <core/worker.h>
#include <weft/weft.h>

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "trace_program: %s: %s\n", what, strerror(-rc));
	exit(2);
}

/* --- sequence: one of each ------------------------------------------------- */

static int pipe_fds[2];

static int reader(void *arg)
{
	char byte;

	(void)arg;
	return (int)weft_read(pipe_fds[0], &byte, 1, WEFT_FOREVER);
}

static int writer(void *arg)
{
	(void)arg;
	must(weft_sleep(2000000), "weft_sleep");
	return (int)weft_write(pipe_fds[1], "x", 1, WEFT_FOREVER);
}

static int sleeper(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER) < 0 ? 0 : 1;
}

static int job(void *arg)
{
	return arg != NULL;
}

static int helped(void *arg)
{
	return weft_offload(job, arg, NULL);
}

static weft_task *spawn(const char *name, weft_fn *fn)
{
	weft_attr attr = { .name = name };
	weft_task *task;

	must(weft_spawn(&task, &attr, fn, NULL), "weft_spawn");
	return task;
}

static int sequence(void *path)
{
	weft_task *tasks[5];

	must(pipe(pipe_fds), "pipe");
	printf("fd %d\n", pipe_fds[0]);
	must(weft_trace_start(path, 0), "weft_trace_start");
	tasks[0] = spawn("reader", reader);
	tasks[1] = spawn("writer", writer);
	tasks[2] = spawn("sl\"e\\e\tp\x01\xff\xc3\xa9 \xe2\x82\xac", sleeper);
	tasks[3] = spawn("helped by a thread", helped);
	tasks[4] = spawn(NULL, job);
	for (int i = 0; i < 2; i++)
		must(weft_join(tasks[i], WEFT_FOREVER, NULL), "weft_join");
	must(weft_cancel(tasks[2]), "weft_cancel");
	for (int i = 2; i < 5; i++)
		must(weft_join(tasks[i], WEFT_FOREVER, NULL), "weft_join");
	trace_steal(3, 5); /* as a thief would say */
	must(weft_trace_stop(), "weft_trace_stop");
	return 0;
}

/* --- wrap: the ring is too small, by far ------------------------------------- */

static int turns(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		weft_task_yield();
	return 0;
}

static int wrap(void *path)
{
	weft_task *tasks[2] = { spawn("left", turns), spawn("right", turns) };

	must(weft_trace_start(path, 64), "weft_trace_start");
	for (int i = 0; i < 2; i++)
		must(weft_join(tasks[i], WEFT_FOREVER, NULL), "weft_join");
	must(weft_trace_stop(), "weft_trace_stop");
	return 0;
}

/* --- threads: come, go and switch while others start and stop ---------------- */

enum { THREADS = 3, ROUNDS = 8, LIVES = 100 };

static _Atomic int stopping;
static weft_task *_Atomic cross[THREADS]; /* woken by other threads, by a cancel */
static _Atomic int lives[THREADS], let_go[THREADS];

static int wait_for_cancel(void *arg)
{
	return weft_sleep_until(WEFT_FOREVER) + (int)(intptr_t)arg;
}

static int life_of_thread(void *arg)
{
	long mine = (long)arg;

	for (int i = 0; i < 1000; i++) {
		weft_task *task = spawn("crossed", wait_for_cancel), *other;

		let_go[mine] = 0;
		cross[mine] = task;
		for (int turn = 0; turn < 50 && cross[mine]; turn++) {
			weft_task_yield();
			other = atomic_exchange(&cross[(mine + 1) % THREADS], NULL);
			if (!other)
				continue;
			weft_cancel(other);
			let_go[(mine + 1) % THREADS] = 1;
		}
		if (atomic_exchange(&cross[mine], NULL))
			weft_cancel(task);
		else /* the handle must not be dropped while it is in use */
			while (!let_go[mine])
				weft_task_yield();
		weft_join(task, WEFT_FOREVER, NULL);
		lives[mine]++;
	}
	return 0;
}

/* Each round is a runtime of its own: rings are made and left behind. */
static void *thread_main(void *arg)
{
	while (!stopping)
		must(weft_run(1, life_of_thread, arg, NULL), "weft_run");
	return NULL;
}

/* Long enough that every thread has looked around. */
static void let_live(void)
{
	int until[THREADS];

	for (int i = 0; i < THREADS; i++)
		until[i] = lives[i] + LIVES;
	for (int i = 0; i < THREADS; i++)
		while (lives[i] < until[i])
			usleep(500);
}

static void threads(char *path)
{
	pthread_t ids[THREADS];

	for (long i = 0; i < THREADS; i++)
		must(-pthread_create(&ids[i], NULL, thread_main, (void *)i), "pthread_create");
	for (int i = 0; i < ROUNDS; i++) {
		must(weft_trace_start(path, i % 2 ? 4096 : 256), "weft_trace_start");
		let_live();
		must(weft_trace_stop(), "weft_trace_stop");
	}
	stopping = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
}

/* --- across: a task of one thread is woken by another ------------------------ */

static weft_task *_Atomic waiting;
static _Atomic int woken;

static int wait_here(void *arg)
{
	weft_task *task = spawn("waiting", wait_for_cancel);

	weft_task_yield(); /* it runs, and parks */
	waiting = task;
	while (!woken) /* the handle must not be dropped while it is in use */
		weft_sleep(1000000);
	return weft_join(task, WEFT_FOREVER, arg);
}

static int wake_there(void *arg)
{
	(void)arg;
	while (!waiting)
		weft_sleep(1000000);
	must(weft_cancel(waiting), "weft_cancel");
	woken = 1;
	return 0;
}

static void *waiting_thread(void *arg)
{
	must(weft_run(1, wait_here, arg, NULL), "weft_run");
	return NULL;
}

static void across(char *path)
{
	pthread_t thread;

	must(weft_trace_start(path, 0), "weft_trace_start");
	must(-pthread_create(&thread, NULL, waiting_thread, NULL), "pthread_create");
	must(weft_run(1, wake_there, NULL, NULL), "weft_run");
	pthread_join(thread, NULL);
	must(weft_trace_stop(), "weft_trace_stop");
}

/* --- crew: several workers, and tasks that move ------------------------------ */

enum { CREW = 3, CROWD = 60 };

static _Atomic int seen_by[CREW + 1];

static int wander(void *arg)
{
	for (int i = 0; i < 20; i++) {
		if (i % 5 == (intptr_t)arg % 5)
			weft_sleep(100000);
		else
			weft_task_yield();
		seen_by[weft__thread_now()->worker->place % CREW] = 1;
	}
	return 0;
}

static int wander_in_crowd(void *path)
{
	weft_attr attr = { .name = "wanders" };
	weft_task *tasks[CROWD];
	int rounds = 0;

	must(weft_trace_start(path, 0), "weft_trace_start");
	do { /* until each is recorded, and has had some of it */
		for (intptr_t i = 0; i < CROWD; i++) {
			attr.flags = i % 2 ? WEFT_MIGRATE : 0;
			must(weft_spawn(&tasks[i], &attr, wander, (void *)i), "weft_spawn");
		}
		for (int i = 0; i < CROWD; i++)
			must(weft_join(tasks[i], WEFT_FOREVER, NULL), "weft_join");
	} while (++rounds < 10 || (rounds < 1000 && !(seen_by[0] && seen_by[1] && seen_by[2])));
	must(weft_trace_stop(), "weft_trace_stop");
	return 0;
}

/* --- running: another thread computes, and never looks around ---------------- */

static _Atomic int computing;

static int compute(void *arg)
{
	(void)arg;
	computing = 1;
	while (!stopping)
		;
	return 0;
}

static int start_computing(void *arg)
{
	weft_task *task = spawn("computes", compute);

	(void)arg;
	return weft_join(task, WEFT_FOREVER, NULL);
}

static void *computing_thread(void *arg)
{
	must(weft_run(1, start_computing, arg, NULL), "weft_run");
	return NULL;
}

static void running(char *path)
{
	pthread_t thread;

	must(weft_trace_start(path, 0), "weft_trace_start");
	must(-pthread_create(&thread, NULL, computing_thread, NULL), "pthread_create");
	while (!computing)
		usleep(1000);
	usleep(5000);
	must(weft_trace_stop(), "weft_trace_stop");
	stopping = 1;
	pthread_join(thread, NULL);
}

/* --- exit: nobody stops it --------------------------------------------------- */

static int leave(void *arg)
{
	(void)arg;
	exit(0);
}

static int leave_open(void *arg)
{
	weft_task *task = spawn("leaves", leave);

	(void)arg;
	return weft_join(task, WEFT_FOREVER, NULL);
}

int main(int argc, char **argv)
{
	const char *mode = argc == 3 ? argv[1] : "";

	if (!strcmp(mode, "sequence")) {
		must(weft_run(1, sequence, argv[2], NULL), "weft_run");
	} else if (!strcmp(mode, "wrap")) {
		must(weft_run(1, wrap, argv[2], NULL), "weft_run");
	} else if (!strcmp(mode, "threads")) {
		threads(argv[2]);
	} else if (!strcmp(mode, "across")) {
		across(argv[2]);
	} else if (!strcmp(mode, "crew")) {
		must(weft_run(CREW, wander_in_crowd, argv[2], NULL), "weft_run");
	} else if (!strcmp(mode, "running")) {
		running(argv[2]);
	} else if (!strcmp(mode, "exit")) {
		must(setenv("WEFT_TRACE", argv[2], 1), "setenv");
		must(weft_run(1, leave_open, NULL, NULL), "weft_run");
	} else {
		fprintf(stderr, "usage: trace_program <program> <file>\n");
		return 2;
	}
	return 0;
}
