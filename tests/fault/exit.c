/* SPDX-License-Identifier: MIT
 *
 * exit.c - row 13: exit() inside of a task is the end of the process, as in any thread:
 * handlers run once, files are flushed, the status is right, and nothing waits for anything.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "hooked.h"

/* Where the handlers write what they have done. */
static int marks[2], pair[2];

static void mark(const char *letter)
{
	CHECK_EQ(write(marks[1], letter, 1), 1);
}

static void first_handler(void)
{
	mark("1");
}

static void second_handler(void)
{
	mark("2");
}

/* In a task a handler may wait, while others run on. */
static void waiting_handler(void)
{
	CHECK_EQ(usleep(3000), 0);
	mark("w");
}

/* --- company: tasks of every kind ---------------------------------------------------- */

static _Atomic bool busy_ran;

static int computes(void *unused)
{
	(void)unused;
	for (;;) {
		busy_ran = true;
		weft_task_yield();
	}
	return 0;
}

static int sleeps(void *unused)
{
	(void)unused;
	for (;;)
		usleep(500);
	return 0;
}

static int reads(void *unused)
{
	char byte;

	(void)unused;
	return (int)read(pair[0], &byte, 1);
}

static int blocks(void *unused)
{
	struct timespec long_time = { 1000, 0 };

	return nanosleep(&long_time, unused);
}

static int offloads(void *unused)
{
	(void)unused;
	return weft_offload(blocks, NULL, NULL);
}

/* Waits with a lock of libc's held: exit() must not want it. */
static int holds_stdio(void *file)
{
	flockfile(file);
	usleep(1000000000);
	funlockfile(file);
	return 0;
}

static int joins(void *unused)
{
	(void)unused;
	return join(start(reads, 0));
}

static void bring_company(FILE *file)
{
	weft_fn *all[] = { computes, sleeps, reads, offloads, joins };

	for (unsigned i = 0; i < 2 * sizeof(all) / sizeof(*all); i++) {
		weft_attr attr = { .flags = i % 2 ? WEFT_SPREAD : WEFT_MIGRATE };

		CHECK_EQ(weft_spawn(NULL, &attr, all[i / 2], NULL), 0);
	}
	CHECK_EQ(weft_go(holds_stdio, file), 0);
	CHECK_EQ(weft_go(computes, NULL), 0);
	CHECK_EQ(usleep(5000), 0);
}

/* --- who calls exit() ------------------------------------------------------------------- */

static int exits(void *status)
{
	exit(number_of(status));
}

static void *exits_in_coroutine(void *arg, void *value)
{
	exit(number_of(arg));
	return value;
}

static int resumes_and_exits(void *status)
{
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, exits_in_coroutine, status, NULL), 0);
	return weft_resume(co, NULL, NULL);
}

/* From the thread of a worker that is not the first. */
static pthread_t first_thread;

static int exits_elsewhere(void *status)
{
	while (pthread_equal(pthread_self(), first_thread)) /* it has been stolen, or not yet */
		usleep(100);
	exit(number_of(status));
}

static int offloads_exit(void *status)
{
	return weft_offload(exits, status, NULL);
}

static int returns_soon(void *status)
{
	return number_of(status);
}

static struct {
	unsigned workers;
	weft_fn *who;
	unsigned flags;
	bool from_main;
	int status;
	char path[32];
} now;

static int live(void *unused)
{
	weft_attr attr = { .flags = now.flags };
	FILE *held = fopen(now.path, "a"), *file = fopen(now.path, "a");
	weft_task *task;

	(void)unused;
	CHECK(held != NULL && file != NULL);
	CHECK_GT(fputs("unflushed\n", file), 0);
	CHECK_EQ(atexit(first_handler), 0);
	CHECK_EQ(atexit(waiting_handler), 0);
	CHECK_EQ(atexit(second_handler), 0);
	first_thread = pthread_self();
	bring_company(held);
	if (now.from_main)
		return now.who((void *)(intptr_t)now.status);
	CHECK_EQ(weft_spawn(&task, &attr, now.who, (void *)(intptr_t)now.status), 0);
	return join(task);
}

static void check_exit(unsigned workers, weft_fn *who, unsigned flags, bool from_main)
{
	char buf[64] = "";
	int file, status;
	pid_t child;

	now.workers = workers;
	now.who = who;
	now.flags = flags;
	now.from_main = from_main;
	now.status = 40 + (int)workers;
	strcpy(now.path, "/tmp/weft-fault-XXXXXX");
	file = mkstemp(now.path);
	CHECK_EQ(pipe(marks), 0);
	connected_pair(pair);
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0) {
		if (!workers)
			live(NULL); /* a runtime that makes itself */
		else
			weft_run(workers, live, NULL, NULL);
		_exit(99);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	unlink(now.path);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), now.status);
	CHECK_EQ(read(marks[0], buf, sizeof(buf)), 3);
	CHECK_STR(buf, "2w1");
	CHECK_EQ(pread(file, buf, sizeof(buf), 0), 10);
	CHECK_EQ(memcmp(buf, "unflushed\n", 10), 0);
	close(file);
	close(marks[0]);
	close(marks[1]);
	close(pair[0]);
	close(pair[1]);
}

TEST(exit, row13_from_main)
{
	for (unsigned workers = 0; workers <= 3; workers++)
		check_exit(workers, exits, 0, true);
}

TEST(exit, row13_from_a_task)
{
	unsigned flags[] = { 0, WEFT_MIGRATE, WEFT_SPREAD };

	for (unsigned workers = 0; workers <= 3; workers++)
		for (int i = 0; i < 3; i++)
			check_exit(workers, exits, flags[i], false);
}

TEST(exit, row13_from_a_thread_of_wefts)
{
	check_exit(2, exits_elsewhere, WEFT_SPREAD | WEFT_MIGRATE, false);
	check_exit(3, exits_elsewhere, WEFT_SPREAD | WEFT_MIGRATE, false);
}

TEST(exit, row13_from_a_coroutine)
{
	for (unsigned workers = 0; workers <= 2; workers++)
		check_exit(workers, resumes_and_exits, 0, false);
}

TEST(exit, row13_from_a_helper)
{
	for (unsigned workers = 0; workers <= 2; workers++)
		check_exit(workers, offloads_exit, 0, false);
}

/* weft_exit() in the main task of a thread is exit(). */
static int weft_exits(void *status)
{
	weft_exit(number_of(status));
}

TEST(exit, row13_by_weft_exit_in_main)
{
	check_exit(0, weft_exits, 0, true);
	check_exit(1, weft_exits, 0, true);
	check_exit(2, weft_exits, 0, true);
}

/* Main returns from main(): the others are not waited for. */
static void just_return(void *unused)
{
	(void)unused;
	CHECK_EQ(join(start(returns_soon, 3)), 3);
	CHECK_EQ(weft_go(sleeps, NULL), 0);
	exit(7);
}

TEST(exit, row13_main_ends_with_tasks_alive)
{
	struct death death = run_to_death(just_return, NULL);

	CHECK_EQ(death.code, 7);
	CHECK_STR(death.text, "");
}
