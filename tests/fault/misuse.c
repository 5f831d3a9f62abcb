/* SPDX-License-Identifier: MIT
 *
 * misuse.c - what a program gets that gives NULL for a result, frees once too often, or crashes: an
 * error, or a line that says what happened and to whom.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include <weft/weft.h>

#include "../test.h"

/* --- no place for the result --------------------------------------------------------------- */

static void *body(void *arg, void *in)
{
	return arg ? arg : in;
}

static void generate(void *arg)
{
	weft_yield(arg);
}

TEST(misuse, a_result_has_nowhere_to_go)
{
	CHECK_EQ(weft_chan_new(NULL, 4, 0), -EINVAL);
	CHECK_EQ(weft_timer_new(NULL, 0, 0), -EINVAL);
	CHECK_EQ(weft_promise_new(NULL), -EINVAL);
	CHECK_EQ(weft_actor_spawn(NULL, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_supervisor_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_scope_open(NULL, 0), -EINVAL);
	CHECK_EQ(weft_deadline_push(NULL, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_stack_group_new(NULL, 1, 0), -EINVAL);
	CHECK_EQ(weft_coroutine_new(NULL, body, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_generator_new(NULL, generate, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_local_key_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_stats(NULL), -EINVAL);
	CHECK_EQ(weft_stats_worker(0, NULL), -EINVAL);
}

/* --- freed once too often ------------------------------------------------------------------ */

static void free_chan_twice(void *unused)
{
	weft_chan *chan;

	(void)unused;
	weft_chan_new(&chan, 4, 0);
	weft_chan_free(chan);
	weft_chan_free(chan);
}

static void free_promise_twice(void *unused)
{
	weft_promise *promise;

	(void)unused;
	weft_promise_new(&promise);
	weft_promise_free(promise);
	weft_promise_free(promise);
}

static void free_supervisor_twice(void *unused)
{
	weft_supervisor *supervisor;

	(void)unused;
	weft_supervisor_new(&supervisor, NULL);
	weft_supervisor_free(supervisor);
	weft_supervisor_free(supervisor);
}

static void *nothing(void *arg)
{
	return arg;
}

static void free_beside_a_thread(void *arg)
{
	pthread_t thread; /* counting is another then */

	pthread_create(&thread, NULL, nothing, NULL);
	free_chan_twice(arg);
}

TEST(misuse, freed_once_too_often)
{
	CHECK_DEATH(SIGABRT, "weft: weft_chan_free: 0x", free_chan_twice, NULL);
	CHECK_DEATH(SIGABRT, "it was freed once too often", free_promise_twice, NULL);
	CHECK_DEATH(SIGABRT, "weft: weft_supervisor_free: 0x", free_supervisor_twice, NULL);
	CHECK_DEATH(SIGABRT, "free", free_beside_a_thread, NULL); /* libc's or our words */
}

/* --- crashes ------------------------------------------------------------------------------- */

static int store_into(void *arg)
{
	*(volatile char *)arg = 1;
	return 0;
}

static void crash_in_a_task(void *arg)
{
	weft_attr attr = { .name = "clumsy" };
	weft_task *task;

	weft_spawn(&task, &attr, store_into, arg);
	weft_join(task, WEFT_FOREVER, NULL);
}

static int idle(void *unused)
{
	(void)unused;
	return 0;
}

/* The handler is there from the first private stack on. */
static void begin(void)
{
	weft_go(idle, NULL);
	weft_task_yield();
}

static void crash_in_main(void *arg)
{
	begin();
	store_into(arg);
}

static void *crash_outside(void *arg)
{
	store_into(arg);
	return NULL;
}

static void crash_in_a_thread(void *arg)
{
	pthread_t thread;

	begin();
	pthread_create(&thread, NULL, crash_outside, arg);
	pthread_join(thread, NULL);
}

static unsigned descend(unsigned depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	return depth ? descend(depth - 1) + (unsigned)frame[0] : 0;
}

static void use_up_the_thread(void *unused)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	(void)unused;
	setrlimit(RLIMIT_STACK, &limit);
	begin();
	descend(1u << 30);
}

TEST(misuse, a_crash_says_who_it_was)
{
	struct death death;

	CHECK_DEATH(SIGSEGV, "weft: SIGSEGV in task 2 \"clumsy\" (spawned at ", crash_in_a_task,
		    (void *)16);
	CHECK_DEATH(SIGSEGV, "at address 0x10.", crash_in_a_task, (void *)16);
	CHECK_DEATH(SIGSEGV, "weft: SIGSEGV in task 1, the main task of its thread", crash_in_main,
		    (void *)16);
	CHECK_DEATH(SIGSEGV, "the thread's own stack is used up; see ulimit -s", use_up_the_thread,
		    NULL);
	death = run_to_death(crash_in_a_thread, (void *)16);
	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(!strstr(death.text, "weft:"));
}
