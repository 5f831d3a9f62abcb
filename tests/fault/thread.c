/* SPDX-License-Identifier: MIT
 *
 * thread.c - rows 14 and 15: pthread_exit() ends a task and nothing else, and
 * pthread_cancel() ends one at its next hooked wait. Built with and without
 * -fexceptions: pthread_cleanup_push() is two different things.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#include <base/compiler.h>

#include "hooked.h"

/* What has been cleaned up, in order. */
static char trace[64];

static void note(void *letter)
{
	size_t length = strlen(trace);

	CHECK_LT(length, sizeof(trace) - 1);
	trace[length] = (char)(intptr_t)letter;
}

#define LETTER(c) ((void *)(intptr_t)(c))

static weft_task *start_with(const weft_attr *attr, weft_fn *fn, void *arg)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, attr, fn, arg), 0);
	return task;
}

/* --- 14 ------------------------------------------------------------------------------- */

static volatile bool never; /* compilers notice what does not return */

static noinline void exit_deep(int depth, void *value)
{
	if (never)
		return;
	pthread_cleanup_push(note, LETTER('a' + depth));
	if (depth == 0)
		pthread_exit(value);
	exit_deep(depth - 1, value);
	pthread_cleanup_pop(0);
	CHECK(!"reached");
}

static int exit_from_below(void *value)
{
	pthread_cleanup_push(note, LETTER('y'));
	pthread_cleanup_push(note, LETTER('-'));
	pthread_cleanup_pop(0);
	pthread_cleanup_push(note, LETTER('z'));
	pthread_cleanup_pop(1);
	exit_deep(3, value);
	pthread_cleanup_pop(0);
	return 1;
}

static int counts;

static int count_on(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(usleep(100), 0);
		counts++;
	}
	return 0;
}

TEST(thread, row14_pthread_exit_ends_that_task_only)
{
	weft_task *other = start(count_on, 0);

	CHECK_EQ(join(start(exit_from_below, 77)), 77);
	CHECK_STR(trace, "zabcdy");
	CHECK_EQ(join(other), 0);
	CHECK_EQ(counts, 10);
	CHECK_EQ(join(start(exit_from_below, -5)), -5);
	CHECK_STR(trace, "zabcdyzabcdy");
}

static int exit_as_c11(void *unused)
{
	(void)unused;
	thrd_exit(12);
	return 1;
}

TEST(thread, row14_thrd_exit)
{
	CHECK_EQ(join(start(exit_as_c11, 0)), 12);
}

TEST(thread, row14_on_shared_and_small_stacks)
{
	weft_attr small = { .stack_bytes = 16 << 10 }, shared = { 0 };
	weft_task *tasks[4];

	CHECK_EQ(weft_stack_group_new(&shared.shared, 1, 0), 0);
	CHECK_EQ(join(start_with(&small, exit_from_below, (void *)3)), 3);
	for (int i = 0; i < 4; i++)
		tasks[i] = start_with(&shared, exit_from_below, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(join(tasks[i]), i);
	CHECK_EQ(weft_stack_group_free(shared.shared), 0);
	CHECK_EQ(strlen(trace), 5 * 6);
}

/* A handler may wait; others run then, and push and pop handlers of their own. */
static void wait_and_note(void *letter)
{
	CHECK_EQ(usleep(2000), 0);
	note(letter);
}

static int exit_slowly(void *value)
{
	pthread_cleanup_push(wait_and_note, LETTER('1'));
	pthread_cleanup_push(wait_and_note, LETTER('2'));
	CHECK_EQ(usleep(1000), 0);
	pthread_exit(value);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return 0;
}

TEST(thread, row14_handlers_may_wait_and_do_not_mix)
{
	weft_task *tasks[8];

	for (int i = 0; i < 8; i++)
		tasks[i] = start(exit_slowly, i + 1);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(join(tasks[i]), i + 1);
	CHECK_STR(trace, "2222222211111111");
}

/* weft's own cleanups, among those of pthreads. */
static int exit_mixed(void *value)
{
	weft_cleanup first, second;

	CHECK_EQ(weft_cleanup_push(&first, note, LETTER('1')), 0);
	exit_deep(1, value);
	CHECK_EQ(weft_cleanup_push(&second, note, LETTER('2')), 0);
	return 1;
}

static int weft_exit_mixed(void *value)
{
	weft_cleanup first;

	CHECK_EQ(weft_cleanup_push(&first, note, LETTER('1')), 0);
	pthread_cleanup_push(note, LETTER('2'));
	weft_exit((int)(intptr_t)value);
	pthread_cleanup_pop(0);
	return 1;
}

TEST(thread, row14_with_weft_cleanups)
{
	CHECK_EQ(join(start(exit_mixed, 4)), 4);
	CHECK_STR(trace, "ab1");
#ifndef __EXCEPTIONS /* those are no list, and weft_exit() does not unwind */
	CHECK_EQ(join(start(weft_exit_mixed, 6)), 6);
	CHECK_STR(trace, "ab121");
#else
	CHECK_EQ(join(start(weft_exit_mixed, 6)), 6);
	CHECK_STR(trace, "ab11");
#endif
}

/* Inside a coroutine: its frames, then those of its resumers. */
static void *exit_in_coroutine(void *arg, void *value)
{
	weft_coroutine *inner = arg;

	pthread_cleanup_push(note, LETTER(inner ? 'o' : 'i'));
	if (inner)
		weft_resume(inner, value, NULL);
	else
		exit_deep(0, value);
	pthread_cleanup_pop(0);
	return NULL;
}

static int exit_inside(void *value)
{
	weft_coroutine *inner, *outer;

	CHECK_EQ(weft_coroutine_new(&inner, exit_in_coroutine, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_new(&outer, exit_in_coroutine, inner, NULL), 0);
	pthread_cleanup_push(note, LETTER('t'));
	weft_resume(outer, value, NULL);
	pthread_cleanup_pop(0);
	return 1;
}

TEST(thread, row14_inside_coroutines)
{
	CHECK_EQ(join(start(exit_inside, 31)), 31);
#ifdef __EXCEPTIONS
	CHECK_STR(trace, "ai"); /* unwinding does not go beyond a coroutine's first frame */
#else
	CHECK_STR(trace, "aiot");
#endif
}

#ifndef __EXCEPTIONS
static void *push_and_yield(void *arg, void *value)
{
	(void)value;
	pthread_cleanup_push(note, LETTER('1'));
	pthread_cleanup_push(note, LETTER('2'));
	weft_yield(arg);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

/* A suspended one that is freed: as weft_cleanup_push() has it. */
static int free_suspended(void *unused)
{
	weft_coroutine *co;

	(void)unused;
	CHECK_EQ(weft_coroutine_new(&co, push_and_yield, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_STR(trace, "21");
	return 0;
}

TEST(thread, row14_a_freed_coroutines_handlers_run)
{
	CHECK_EQ(join(start(free_suspended, 0)), 0);
}
#endif

/* The main task of weft_run(): it ends, and the others go on. */
static int main_exits(void *value)
{
	CHECK_EQ(weft_go(count_on, NULL), 0);
	exit_from_below(value);
	return 1;
}

/* Not inlined: pthread_cleanup_push() may return twice. */
static noinline void run_one_that_exits(unsigned workers)
{
	int result = 0;

	counts = 0;
	memset(trace, 0, sizeof(trace));
	pthread_cleanup_push(note, LETTER('X')); /* not the task's */
	CHECK_EQ(weft_run(workers, main_exits, (void *)21, &result), 0);
	pthread_cleanup_pop(0);
	CHECK_EQ(result, 21);
	CHECK_EQ(counts, 10);
	CHECK_STR(trace, "zabcdy");
}

TEST(thread, row14_the_main_task_of_weft_run)
{
	for (unsigned workers = 1; workers <= 2; workers++)
		run_one_that_exits(workers);
}

/* A thread that has become a runtime: its end is the thread's, after the others'. */
static void *thread_exits(void *value)
{
	pthread_cleanup_push(note, LETTER('p'));
	CHECK_EQ(weft_go(count_on, NULL), 0);
	CHECK_EQ(usleep(100), 0);
	exit_from_below(value);
	pthread_cleanup_pop(0);
	return NULL;
}

static void exit_thread(void *unused)
{
	pthread_t thread;
	void *value;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, thread_exits, (void *)0x123456789a), 0);
	CHECK_EQ(pthread_join(thread, &value), 0);
	CHECK_EQ(value, 0x123456789a);
	CHECK_EQ(counts, 10);
	CHECK_STR(trace, "zabcdyp");
}

TEST(thread, row14_the_main_task_of_a_thread)
{
	struct death death = run_to_death(exit_thread, NULL);

	CHECK_EQ(death.code, 0);
	CHECK_STR(death.text, ""); /* nobody was left behind */
}

#if !WEFT_TSAN /* its own thread goes on, and so the process does */
/* As a program's main thread does it. */
static void exit_main_thread(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_go(count_on, NULL), 0);
	pthread_exit(NULL);
}

TEST(thread, row14_the_programs_main_thread)
{
	struct death death = run_to_death(exit_main_thread, NULL);

	CHECK_EQ(death.signal, 0);
	CHECK_EQ(death.code, 0);
	CHECK_STR(death.text, "");
}

#endif

/* On threads of weft's own; some go on elsewhere while their handlers wait. */
static _Atomic int handled;

static void wait_and_count(void *unused)
{
	(void)unused;
	CHECK_EQ(usleep(300), 0);
	handled++;
}

static int exit_in_crew(void *value)
{
	pthread_cleanup_push(wait_and_count, NULL);
	pthread_cleanup_push(wait_and_count, NULL);
	CHECK_EQ(usleep(300), 0);
	pthread_exit(value);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return 0;
}

static int in_crew(void *unused)
{
	weft_task *tasks[200];

	(void)unused;
	for (int i = 0; i < 200; i++) {
		weft_attr attr = { .flags = i % 2 ? WEFT_SPREAD : WEFT_MIGRATE };

		tasks[i] = start_with(&attr, exit_in_crew, (void *)(intptr_t)i);
	}
	for (int i = 0; i < 200; i++)
		CHECK_EQ(join(tasks[i]), i);
	CHECK_EQ(handled, 400);
	return 3;
}

TEST(thread, row14_in_a_crew)
{
	int result = 0;

	CHECK_EQ(weft_run(2, in_crew, NULL, &result), 0);
	CHECK_EQ(result, 3);
}

static void *plain(void *unused)
{
	pthread_cleanup_push(note, LETTER('q'));
	pthread_exit(unused);
	pthread_cleanup_pop(0);
	return NULL;
}

/* On a helper thread it is the helper that ends; the task gets its turn all the same. */
static int exit_helper(void *unused)
{
	pthread_exit(unused);
}

static int offloads(void *unused)
{
	int result = 5;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_offload(exit_helper, unused, &result), 0);
	return result;
}

TEST(thread, row14_of_a_helper)
{
	CHECK_EQ(join(start(offloads, 0)), 0);
}

TEST(thread, row14_outside_of_tasks_it_is_libcs)
{
	pthread_t thread;
	void *value;

	CHECK_EQ(pthread_create(&thread, NULL, plain, &value), 0);
	CHECK_EQ(pthread_join(thread, &value), 0);
	CHECK(value == &value);
	CHECK_STR(trace, "q");
}
