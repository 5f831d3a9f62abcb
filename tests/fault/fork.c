/* SPDX-License-Identifier: MIT
 *
 * fork.c - row 32: fork(2) in a task. The child has the calling task, and a runtime of one
 * worker that works; the parent notices nothing.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <core/runtime.h>
#include <weft/weft.h>

#include "../test.h"

static _Atomic int others_ran;
static _Atomic bool over;
static pid_t parent;
static weft_task *other_task;

static int spin_around(void *arg)
{
	(void)arg;
	while (!over) {
		if (getpid() == parent)
			atomic_fetch_add(&others_ran, 1);
		else
			_exit(99); /* runs in the child */
		if (weft_sleep(20000) < 0)
			break;
	}
	return 0;
}

static int answer(void *arg)
{
	return (int)(intptr_t)arg + 1;
}

static int read_byte(void *arg)
{
	char byte;

	CHECK_EQ(weft_read((int)(intptr_t)arg, &byte, 1, WEFT_FOREVER), 1);
	return byte;
}

/* All that a process may want of its runtime. */
static void live_in_child(void)
{
	int64_t start_ns = weft_now();
	weft_task *task;
	int ret, fds[2];
	char buf[4];

	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_sleep(3000000), 0);
	CHECK(weft_now() - start_ns >= 3000000);
	CHECK_EQ(weft_spawn(&task, NULL, answer, (void *)4), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 5);
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(weft_spawn(&task, NULL, read_byte, (void *)(intptr_t)fds[0]), 0);
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_write(fds[1], "q", 1, WEFT_FOREVER), 1);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 'q');
	CHECK_EQ(weft_read(fds[0], buf, 1, weft_in_ms(1)), -ETIMEDOUT);
	CHECK_EQ(weft_offload(answer, (void *)7, &ret), 0);
	CHECK_EQ(ret, 8);
	CHECK_EQ(weft_join(other_task, WEFT_FOREVER, &ret), -ESRCH);
	CHECK_EQ(weft_cancel(other_task), -ESRCH);
}

static int exit_status(pid_t child)
{
	int status;

	while (weft_sleep(1000000) == 0) {
		pid_t rc = waitpid(child, &status, WNOHANG);

		CHECK(rc >= 0);
		if (rc == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	}
	return -1000;
}

/* arg: 0: the child exits by itself; 1: its task just returns. */
static int fork_here(void *arg)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		live_in_child();
		if (!arg)
			_exit(17);
		return 5;
	}
	return exit_status(child);
}

static _Atomic int *exits; /* of children that just returned; in shared memory */

static void note_exit(void)
{
	if (getpid() != parent)
		atomic_fetch_add(exits, 1);
}

static int fork_in_all_ways(void *arg)
{
	static const unsigned flags[] = { 0, WEFT_MIGRATE, WEFT_SPREAD,
					  WEFT_SPREAD | WEFT_MIGRATE };
	weft_task *spinners[8], *task;
	int ret, before;

	(void)arg;
	for (int i = 0; i < 8; i++) {
		weft_attr attr = { .flags = flags[i % 4] };

		CHECK_EQ(weft_spawn(&spinners[i], &attr, spin_around, NULL), 0);
	}
	other_task = spinners[0];
	for (int i = 0; i < 16; i++) {
		weft_attr attr = { .flags = flags[i % 4] };

		CHECK_EQ(weft_spawn(&task, &attr, fork_here, (void *)(intptr_t)(i / 4 % 2)), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, i / 4 % 2 ? 0 : 17);
	}
	CHECK_EQ(fork_here(NULL), 17); /* main */
	before = others_ran;
	CHECK_EQ(weft_sleep(5000000), 0);
	CHECK(others_ran > before);
	over = true;
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_join(spinners[i], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST_LIMIT(fork, row32_one_worker, 60)
{
	parent = getpid();
	exits = mmap(NULL, sizeof *exits, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	CHECK(exits != MAP_FAILED);
	atexit(note_exit);
	CHECK_EQ(weft_run(1, fork_in_all_ways, NULL, NULL), 0);
	CHECK_EQ(*exits, 8);
}

TEST_LIMIT(fork, row32_several_workers, 60)
{
	parent = getpid();
	CHECK_EQ(weft_run(3, fork_in_all_ways, NULL, NULL), 0);
}

/* The child of main, too, may end weft_run() as ever. */
static int fork_and_return(void *arg)
{
	pid_t *child = arg;

	CHECK_EQ(weft_go(answer, NULL), 0);
	*child = fork();
	return *child == 0 ? 23 : 24;
}

TEST(fork, row32_weft_run_returns_in_both)
{
	pid_t child;
	int ret = 0, status;

	CHECK_EQ(weft_run(3, fork_and_return, &child, &ret), 0);
	if (child == 0) {
		CHECK_EQ(ret, 23);
		CHECK_EQ(weft_run(2, fork_and_return, &child, &ret), 0);
		if (child == 0)
			_exit(31);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WEXITSTATUS(status), 31);
		_exit(29);
	}
	CHECK_EQ(ret, 24);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 29);
}

/* --- scopes: their children are not here ---------------------------------------------------- */

static int linger(void *arg)
{
	(void)arg;
	return weft_sleep_until(WEFT_FOREVER);
}

static int own_in_child(weft_scope **scopes)
{
	weft_scope *scope;

	CHECK_EQ(weft_scope_left(scopes[0]), -ESRCH);
	CHECK_EQ(weft_scope_wait(scopes[0], WEFT_FOREVER), -ESRCH);
	CHECK_EQ(weft_scope_go(scopes[1], linger, NULL), -ESRCH);
	CHECK_EQ(weft_scope_open(&scope, 0), 0);
	CHECK_EQ(weft_scope_go(scope, linger, NULL), 0);
	CHECK_EQ(weft_scope_cancel(scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_scope_close(scopes[1]), 0); /* and the new one, in it */
	CHECK_EQ(weft_scope_left(scope), -ESRCH);
	CHECK_EQ(weft_scope_deadline(scopes[0], WEFT_FOREVER), -ESRCH);
	return 27; /* scopes[0] is closed as a cleanup */
}

static int fork_with_scopes(void *arg)
{
	weft_scope *scopes[2];

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_scope_open(&scopes[i], 0), 0);
		CHECK_EQ(weft_scope_go(scopes[i], linger, NULL), 0);
		CHECK_EQ(weft_scope_deadline(scopes[i], weft_in_s(3600)), 0);
	}
	weft_task_yield();
	*(pid_t *)arg = fork();
	if (*(pid_t *)arg == 0)
		return own_in_child(scopes);
	CHECK_EQ(weft_scope_left(scopes[0]), 1);
	CHECK_EQ(weft_scope_close(scopes[0]), 0);
	return 28;
}

static void fork_scopes(unsigned workers)
{
	int ret = 0, status;
	pid_t child;

	CHECK_EQ(weft_run(workers, fork_with_scopes, &child, &ret), 0);
	if (child == 0)
		_exit(ret);
	CHECK_EQ(ret, 28);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 27);
}

TEST(fork, row32_with_open_scopes)
{
	fork_scopes(1);
	fork_scopes(2);
}

/* In the new process it is nobody's child: it may not use the scope that it was in, and what it
 * opens is bounded by itself alone. */
static int fork_as_child(void *scope)
{
	weft_scope *own;
	pid_t child = fork();
	int status;

	if (child == 0) {
		CHECK_EQ(weft_scope_go(scope, linger, NULL), -ESRCH);
		CHECK_EQ(weft_scope_open(&own, 0), 0);
		CHECK_EQ(weft_scope_go(own, answer, NULL), 0);
		CHECK_EQ(weft_scope_wait(own, WEFT_FOREVER), 0);
		CHECK_EQ(weft_scope_close(own), 0);
		return 0; /* and with it, the process */
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(fork, row32_by_a_child_of_a_scope)
{
	weft_scope *scope;

	CHECK_EQ(weft_scope_open(&scope, 0), 0);
	CHECK_EQ(weft_scope_go(scope, fork_as_child, scope), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(weft_scope_close(scope), 0);
}
