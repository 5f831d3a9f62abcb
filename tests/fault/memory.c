/* SPDX-License-Identifier: MIT
 *
 * memory.c - no memory, at every place where it can happen: an error, nothing
 * lost, nothing leaked, no crash. Rows 20, 21 and 23 of the fault table.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/fault.h>
#include <stack/stack.h>
#include <weft/weft.h>

#include "../proc.h"
#include "../test.h"

static int ran;

static int count_run(void *arg)
{
	(void)arg;
	ran++;
	return 3;
}

static void *yield_thrice(void *arg, void *value)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		value = weft_yield(value);
	return value;
}

/* --- row 20: the n-th allocation fails, for every n ----------------------------------- */

/* Each kind of work says 0, or -ENOMEM with the world as it was before. */
static int spawn_private(void)
{
	weft_attr attr = { .name = "private" };
	weft_task *task = (weft_task *)1;
	int rc = weft_spawn(&task, &attr, count_run, NULL), ret = 0;

	if (rc < 0) {
		CHECK_EQ(task, (weft_task *)1);
		return rc;
	}
	rc = weft_join(task, WEFT_FOREVER, &ret);
	if (rc == 0)
		CHECK_EQ(ret, 3);
	else
		CHECK_EQ(weft_detach(task), 0);
	return rc;
}

static int run_runtime(void)
{
	int before = ran, ret = 0, rc = weft_run(1, count_run, NULL, &ret);

	CHECK_EQ(ran - before, rc == 0);
	return rc;
}

static int make_coroutine(void)
{
	weft_attr attr = { .name = "coroutine" };
	weft_coroutine *co;
	int rc = weft_coroutine_new(&co, yield_thrice, NULL, &attr);

	if (rc < 0)
		return rc;
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	return weft_coroutine_free(co);
}

static int make_group(void)
{
	weft_stack_group *group;
	int rc = weft_stack_group_new(&group, 3, 0);

	return rc < 0 ? rc : weft_stack_group_free(group);
}

/* Two coroutines take turns on one stack: the copy is what may fail. */
static int take_turns(void)
{
	weft_coroutine *a = NULL, *b = NULL;
	weft_attr attr = { .stack_bytes = 64 << 10 };
	int rc = weft_stack_group_new(&attr.shared, 1, 64 << 10);

	if (rc < 0)
		return rc;
	rc = weft_coroutine_new(&a, yield_thrice, NULL, &attr);
	if (rc == 0)
		rc = weft_coroutine_new(&b, yield_thrice, NULL, &attr);
	for (int i = 0; i < 6 && rc >= 0; i++)
		rc = weft_resume(i % 2 ? a : b, NULL, NULL);
	weft__fault_fail(0);
	CHECK_EQ(weft_coroutine_free(a), 0);
	CHECK_EQ(weft_coroutine_free(b), 0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	return rc < 0 ? rc : 0;
}

static int sleep_on_shared_stack(void *arg)
{
	*(int *)arg = weft_sleep(1000000);
	ran++;
	return 0;
}

static int spawn_shared(void)
{
	weft_attr attr = { .name = "shared" };
	weft_task *tasks[2] = { NULL, NULL };
	static int results[2];
	int rc = weft_stack_group_new(&attr.shared, 1, 64 << 10);

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = weft_spawn(&tasks[i], &attr, sleep_on_shared_stack, &results[i]);
	for (int i = 0; i < 2; i++) {
		if (!tasks[i])
			continue;
		while (weft_join(tasks[i], WEFT_FOREVER, NULL) == -ENOMEM)
			weft__fault_fail(0);
		CHECK(results[i] == 0 || results[i] == -ENOMEM);
		rc = rc ? rc : results[i];
	}
	weft__fault_fail(0);
	if (attr.shared)
		CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	return rc;
}

static int offloading_task(void *arg)
{
	int ret = 0, rc = weft_offload(count_run, NULL, &ret);

	(void)arg;
	if (rc == 0)
		CHECK_EQ(ret, 3);
	return rc;
}

static int offload(void)
{
	weft_task *task;
	int ret = 0, rc = weft_spawn(&task, NULL, offloading_task, NULL);

	if (rc < 0)
		return rc;
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	return ret;
}

/* --- channels: to make, to fill, to wait in ---------------------------------------------- */

struct big {
	uint64_t words[40];
};

static weft_chan *big_chan;

static int send_big(void *arg)
{
	struct big big = { { (uintptr_t)arg } };

	return weft_chan_send(big_chan, &big, WEFT_FOREVER);
}

static int select_big(void *arg)
{
	struct big big = { { (uintptr_t)arg } };
	weft_case cases[] = { WEFT_SEND(big_chan, &big), WEFT_RECV(NULL, &big) };

	return weft_select(cases, 2, WEFT_FOREVER);
}

/* Values of parked senders on a shared stack lie in memory of their own. Whoever got none
 * says so, and no value appears that was not sent. */
static int pass_values(size_t capacity)
{
	weft_attr attr = { .name = "sender" };
	weft_task *tasks[4] = { NULL };
	weft_fn *const bodies[2] = { send_big, select_big };
	struct big big;
	int rc = weft_chan_new(&big_chan, sizeof(big), capacity), received = 0, sent = 0;

	if (rc < 0)
		return rc;
	rc = weft_stack_group_new(&attr.shared, 1, 64 << 10);
	for (int i = 0; i < 4 && rc == 0; i++)
		rc = weft_spawn(&tasks[i], i < 2 ? &attr : NULL, bodies[i % 2],
				(void *)(intptr_t)(i + 1));
	weft_task_yield();
	while (weft_chan_recv(big_chan, &big, WEFT_NOWAIT) == 0) {
		CHECK_GT(big.words[0], 0);
		received |= 1 << big.words[0];
		weft_task_yield();
	}
	for (int i = 0; i < 4; i++) {
		int ret = 0;

		if (!tasks[i])
			continue;
		while (weft_join(tasks[i], WEFT_FOREVER, &ret) == -ENOMEM)
			weft__fault_fail(0);
		CHECK(ret == 0 || ret == -ENOMEM);
		sent |= ret == 0 ? 2 << i : 0;
		rc = rc ? rc : ret;
	}
	CHECK_EQ(received, sent);
	weft__fault_fail(0);
	if (attr.shared)
		CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	weft_chan_free(big_chan);
	return rc;
}

static int pass_by_rendezvous(void)
{
	return pass_values(0);
}

static int pass_unbounded(void)
{
	return pass_values(WEFT_UNBOUNDED);
}

static int wait_in_thread(void)
{
	weft_chan *timer;
	int rc = weft_timer_new(&timer, weft_in_ms(1), 0);

	if (rc < 0)
		return rc;
	rc = weft_chan_recv(timer, NULL, WEFT_FOREVER);
	weft_chan_free(timer);
	return rc;
}

/* A scope with a deadline, a child on a stack of its own and one on a shared stack. */
static int use_scope(void)
{
	weft_attr attr = { .name = "child" };
	weft_scope *scope;
	int before = ran, spawned = 0, rc = weft_stack_group_new(&attr.shared, 1, 64 << 10);

	if (rc < 0)
		return rc;
	rc = weft_scope_open(&scope, 0);
	if (rc < 0) {
		CHECK_EQ(weft_stack_group_free(attr.shared), 0);
		return rc;
	}
	rc = weft_scope_deadline(scope, weft_in_s(3600));
	if (rc == 0 && (rc = weft_scope_go(scope, count_run, NULL)) == 0)
		spawned++;
	if (rc == 0 && (rc = weft_scope_spawn(scope, &attr, count_run, NULL)) == 0)
		spawned++;
	CHECK_EQ(weft_scope_left(scope), spawned);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	CHECK_EQ(ran - before, spawned);
	CHECK_EQ(weft_scope_close(scope), 0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	return rc;
}

/* Its owner has a shared stack, and a deadline for its wait: that needs memory, too. */
static int wait_on_shared_stack(void *arg)
{
	weft_scope *scope;
	int rc = weft_scope_open(&scope, 0);

	(void)arg;
	if (rc < 0)
		return rc;
	rc = weft_scope_go(scope, count_run, NULL);
	if (rc == 0)
		rc = weft_scope_wait(scope, weft_in_s(3600));
	CHECK(rc == 0 || rc == -ENOMEM);
	CHECK_EQ(weft_scope_close(scope), 0);
	return rc;
}

static int use_scope_shared(void)
{
	weft_attr attr = { .name = "owner" };
	weft_task *task;
	int ret, rc = weft_stack_group_new(&attr.shared, 1, 64 << 10);

	if (rc < 0)
		return rc;
	rc = weft_spawn(&task, &attr, wait_on_shared_stack, NULL);
	if (rc == 0) {
		CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
		rc = ret;
	}
	weft__fault_fail(0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	return rc;
}

enum { FIRED = 10, QUIET = 11 };

/* In a fresh process: nothing is warm, so that every first allocation is among the n. */
static int fail_in_child(int (*work)(void), unsigned n)
{
	pid_t child = fork();
	int status;

	if (!child) {
		bool fired;
		int rc;

		weft__fault_fail(n);
		rc = work();
		fired = weft__fault_fired();
		/* epoll_create1() and eventfd() are failed too, as they do. */
		if (!fired || (rc != -ENOMEM && rc != -EMFILE))
			CHECK_EQ(rc, 0);
		weft__fault_fail(0);
		CHECK_EQ(work(), 0);
		_exit(fired ? FIRED : QUIET);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void fail_everywhere(int (*work)(void), unsigned at_least)
{
	unsigned n = 1;
	int code;

	while ((code = fail_in_child(work, n)) == FIRED)
		n++;
	CHECK_EQ(code, QUIET);
	CHECK_GT(n, at_least);
	CHECK_LT(n, 1000);
}

TEST(memory, spawn_survives_any_failure)
{
	fail_everywhere(spawn_private, 3);
}

TEST(memory, run_survives_any_failure)
{
	fail_everywhere(run_runtime, 2);
}

TEST(memory, coroutine_survives_any_failure)
{
	fail_everywhere(make_coroutine, 2);
}

TEST(memory, group_survives_any_failure)
{
	fail_everywhere(make_group, 2);
}

TEST(memory, turns_on_a_shared_stack_survive_any_failure)
{
	fail_everywhere(take_turns, 4);
}

TEST(memory, shared_tasks_survive_any_failure)
{
	fail_everywhere(spawn_shared, 5);
}

TEST(memory, offload_survives_any_failure)
{
	fail_everywhere(offload, 4);
}

TEST(memory, channels_survive_any_failure)
{
	fail_everywhere(pass_by_rendezvous, 8);
	fail_everywhere(pass_unbounded, 8);
}

TEST(memory, a_plain_thread_that_waits_survives_any_failure)
{
	fail_everywhere(wait_in_thread, 1);
}

TEST(memory, scopes_survive_any_failure)
{
	fail_everywhere(use_scope, 8);
	fail_everywhere(use_scope_shared, 6);
}

/* Fails at each place once. */
static void fail_each(int (*work)(void))
{
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		weft__fault_fail(n);
		work();
		fired = weft__fault_fired();
		weft__fault_fail(0);
	}
}

/* What failed left nothing behind: neither heap nor stacks. malloc's per-thread
 * cache counts as used; ctest switches it off, and by hand it gets some slack. */
static void leaks_nothing(int (*work)(void), int rounds, size_t slack)
{
	uint64_t used_before, used, cached;
	size_t heap_before;

	for (int i = 0; i < 2; i++)
		fail_each(work);
	CHECK_EQ(work(), 0);
	slack += getenv("GLIBC_TUNABLES") ? 0 : 1024;
	weft__stack_count(weft__thread.stacks, &used_before, &cached);
	heap_before = mallinfo2().uordblks;
	for (int i = 0; i < rounds; i++)
		fail_each(work);
	weft__stack_count(weft__thread.stacks, &used, &cached);
	CHECK_EQ(used, used_before);
	CHECK_LE(mallinfo2().uordblks, heap_before + slack);
}

TEST(memory, failures_of_spawn_leak_nothing)
{
	leaks_nothing(spawn_private, 50, 0);
}

TEST(memory, failures_of_coroutines_leak_nothing)
{
	leaks_nothing(make_coroutine, 50, 0);
}

TEST(memory, failures_of_groups_leak_nothing)
{
	leaks_nothing(make_group, 50, 0);
	leaks_nothing(take_turns, 50, 0);
}

TEST(memory, failures_of_shared_tasks_leak_nothing)
{
	leaks_nothing(spawn_shared, 50, 0);
}

TEST(memory, failures_of_scopes_leak_nothing)
{
	leaks_nothing(use_scope, 50, 0);
	leaks_nothing(use_scope_shared, 50, 0);
}

TEST(memory, failures_of_offload_leak_nothing)
{
	leaks_nothing(offload, 2000, 48000); /* a few helper threads more or less */
}

/* --- row 21: no mappings left ------------------------------------------------------------- */

static void spawn_many(void *arg)
{
	long count = (long)arg;
	long maps;

	for (long i = 0; i < count; i++)
		CHECK_EQ(weft_go(count_run, NULL), 0);
	maps = proc_maps();
	while (ran < count)
		weft_task_yield();
	CHECK_LT(maps, 40000);
	_exit(0);
}

TEST_LIMIT(memory, out_of_mappings_is_one_warning_and_no_error, 60)
{
	struct death death;
	const char *said;

	setenv("WEFT_GUARD", "mprotect", 1);
	death = run_to_death(spawn_many, (void *)40000);
	CHECK_EQ(death.code, 0);
	said = strstr(death.text, "no more guard pages");
	CHECK(said != NULL && strstr(said + 1, "no more guard pages") == NULL);
}

/* --- row 23: sizes --------------------------------------------------------------------------- */

TEST(memory, absurd_stack_sizes_are_errors)
{
	size_t sizes[] = { 1, 4096, 16383, ((size_t)1 << 30) + 1, SIZE_MAX / 2, SIZE_MAX };
	weft_stack_group *group;
	weft_coroutine *co;
	weft_task *task;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		weft_attr attr = { .stack_bytes = sizes[i] };

		CHECK_EQ(weft_spawn(&task, &attr, count_run, NULL), -EINVAL);
		CHECK_EQ(weft_coroutine_new(&co, yield_thrice, NULL, &attr), -EINVAL);
		CHECK_EQ(weft_stack_group_new(&group, 1, sizes[i]), -EINVAL);
	}
}

/* Touches so many bytes of its stack. */
static int use_stack(void *arg)
{
	size_t bytes = (size_t)arg;
	volatile char room[bytes];

	for (size_t i = 0; i < bytes; i += 512)
		room[bytes - 1 - i] = 1;
	return room[bytes - 1];
}

TEST(memory, odd_stack_sizes_are_rounded_up)
{
	size_t sizes[] = { 16384, 16385, 100001, 262143, 262145, (3 << 20) + 7, 64 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		weft_attr attr = { .stack_bytes = sizes[i] };
		weft_task *task;
		int ret;

		CHECK_EQ(weft_spawn(&task, &attr, use_stack, (void *)(sizes[i] - 2048)), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, 1);
	}
}
