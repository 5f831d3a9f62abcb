/* SPDX-License-Identifier: MIT
 *
 * local.c - the values of a task that ends as a thread does: pthread_exit(), pthread_cancel(),
 * and of a thread that does so with tasks of its own.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "hooked.h"

static weft_local_key *key;
static _Atomic int ended;
static int ended_with;

static void note_end(void *value)
{
	ended += (int)(intptr_t)value;
	ended_with = usleep(200);
}

static int exits(void *value)
{
	CHECK_EQ(weft_local_set(key, value), 0);
	pthread_exit((void *)7);
}

static int exits_in_cleanup(void *value)
{
	CHECK_EQ(weft_local_set(key, value), 0);
	pthread_cleanup_push(pthread_exit, (void *)8);
	pthread_exit((void *)7);
	pthread_cleanup_pop(0);
	return 0;
}

static int cancels_itself(void *value)
{
	CHECK_EQ(weft_local_set(key, value), 0);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	usleep(100);
	CHECK(false);
	return 0;
}

static void *exits_in_coroutine(void *unused, void *value)
{
	(void)unused;
	exits(value);
	return NULL;
}

static int has_coroutine(void *value)
{
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, exits_in_coroutine, NULL, NULL), 0);
	weft_resume(co, value, NULL);
	return 0;
}

static void end_of(weft_fn *body, int expected)
{
	weft_task *task;
	int ret = 0;

	ended = 0;
	CHECK_EQ(weft_spawn(&task, NULL, body, (void *)5), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, expected);
	CHECK_EQ(ended, 5);
	CHECK_EQ(ended_with, 0);
}

TEST(local, a_task_ends_as_a_thread)
{
	CHECK_EQ(weft_local_key_new(&key, note_end), 0);
	end_of(exits, 7);
	end_of(exits_in_cleanup, 8);
	end_of(cancels_itself, (int)(intptr_t)PTHREAD_CANCELED);
	end_of(has_coroutine, 7);
}

TEST(local, so_does_the_main_task)
{
	int ret = 0;

	CHECK_EQ(weft_local_key_new(&key, note_end), 0);
	CHECK_EQ(weft_run(1, exits, (void *)5, &ret), 0);
	CHECK_EQ(ret, 7);
	CHECK_EQ(ended, 5);
	CHECK_EQ(weft_run(2, has_coroutine, (void *)6, &ret), 0);
	CHECK_EQ(ret, 7);
	CHECK_EQ(ended, 11);
}

static int sets(void *value)
{
	CHECK_EQ(usleep(100), 0);
	return weft_local_set(key, value);
}

/* Its task ends first. */
static void *thread_exits(void *value)
{
	CHECK_EQ(weft_local_set(key, value), 0);
	CHECK_EQ(weft_go(sets, (void *)30), 0);
	pthread_exit(NULL);
}

TEST(local, a_thread_with_tasks)
{
	pthread_t thread;

	CHECK_EQ(weft_local_key_new(&key, note_end), 0);
	CHECK_EQ(pthread_create(&thread, NULL, thread_exits, (void *)2), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(ended, 32);
	CHECK_EQ(ended_with, 0);
}

/* The main task of weft_run(): a destructor that ends it once more. */
static void exits_too(void *value)
{
	ended += (int)(intptr_t)value;
	pthread_exit((void *)9);
}

static int returns(void *value)
{
	return weft_local_set(key, value);
}

TEST(local, a_destructor_exits)
{
	weft_local_key *second;
	int ret = 0;

	CHECK_EQ(weft_local_key_new(&key, exits_too), 0);
	CHECK_EQ(weft_local_key_new(&second, note_end), 0);
	CHECK_EQ(weft_run(1, returns, (void *)5, &ret), 0);
	CHECK_EQ(ret, 9);
	CHECK_EQ(ended, 5);
	end_of(returns, 9);
}
