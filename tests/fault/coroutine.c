/* SPDX-License-Identifier: MIT
 *
 * coroutine.c - bad use of coroutines: each is an error, and everything works
 * as before after it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <test.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#define P(n) ((void *)(intptr_t)(n))

static weft_coroutine *make(weft_coroutine_fn *fn, void *arg)
{
	weft_coroutine *co = NULL;

	CHECK_EQ(weft_coroutine_new(&co, fn, arg, NULL), 0);
	return co;
}

static void *yields(void *arg, void *value)
{
	for (;;)
		value = weft_yield(value);
	return arg;
}

static void *returns(void *arg, void *value)
{
	return value ? value : arg;
}

/* @co works: what every case ends with. */
static void check_works(weft_coroutine *co)
{
	void *out = NULL;

	for (int i = 1; i < 3; i++) {
		CHECK_EQ(weft_resume(co, P(i), &out), 1);
		CHECK_EQ(out, i);
	}
	CHECK_EQ(weft_coroutine_free(co), 0);
}

static void *resumes_wrongly(void *arg, void *value)
{
	weft_coroutine *self = weft_coroutine_self();
	void *out = P(9);

	CHECK_EQ(weft_resume(self, NULL, &out), -EDEADLK);
	if (value)
		CHECK_EQ(weft_resume(value, NULL, &out), -EBUSY);
	else
		CHECK_EQ(weft_resume(arg, self, NULL), 1);
	CHECK_EQ(out, 9);
	CHECK_EQ(weft_coroutine_self(), self);
	return yields(NULL, weft_yield(NULL));
}

/* Row 3: resume of a running coroutine: of oneself, of a resumer further up. */
TEST(fault, resume_running_or_self)
{
	weft_coroutine *inner = make(resumes_wrongly, NULL);
	weft_coroutine *outer = make(resumes_wrongly, inner);

	CHECK_EQ(weft_resume(outer, NULL, NULL), 1);
	check_works(inner);
	check_works(outer);
}

/* Row 4. */
TEST(fault, resume_dead)
{
	weft_coroutine *co = make(returns, NULL), *other = make(yields, NULL);
	void *out = NULL;

	CHECK_EQ(weft_resume(co, P(5), &out), 0);
	CHECK_EQ(out, 5);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_resume(co, P(6), &out), -ESRCH);
		CHECK_EQ(out, 5);
	}
	CHECK_EQ(weft_coroutine_status(co), WEFT_DEAD);
	CHECK_EQ(weft_coroutine_free(co), 0);
	check_works(other);
}

static void *uses_from_elsewhere(void *arg)
{
	weft_coroutine **cos = arg, *mine = make(yields, NULL);

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_resume(cos[i], NULL, NULL), -EPERM);
		CHECK_EQ(weft_coroutine_free(cos[i]), -EPERM);
		CHECK_EQ(weft_coroutine_reset(cos[i], NULL, NULL), -EPERM);
	}
	CHECK_EQ(weft_coroutine_status(cos[0]), WEFT_SUSPENDED);
	check_works(mine);
	return NULL;
}

/* Row 5: suspended, new or dead, another thread's is another thread's. */
TEST(fault, resume_from_another_thread)
{
	weft_coroutine *cos[3] = { make(yields, NULL), make(yields, NULL), make(returns, NULL) };
	pthread_t thread;

	CHECK_EQ(weft_resume(cos[0], NULL, NULL), 1);
	CHECK_EQ(weft_resume(cos[2], NULL, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, uses_from_elsewhere, cos), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	check_works(cos[0]);
	check_works(cos[1]);
	CHECK_EQ(weft_coroutine_free(cos[2]), 0);
}

static void *makes_on_group(void *arg)
{
	weft_attr attr = { .shared = arg };
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, yields, NULL, &attr), -EPERM);
	CHECK_EQ(weft_stack_group_free(arg), -EPERM);
	return NULL;
}

TEST(fault, group_of_another_thread)
{
	weft_stack_group *group;
	pthread_t thread;

	CHECK_EQ(weft_stack_group_new(&group, 1, 0), 0);
	CHECK_EQ(pthread_create(&thread, NULL, makes_on_group, group), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

static struct {
	weft_stack_group *group;
	weft_coroutine *cos[3]; /* the first one is on it, and no other: nothing is copied */
} left_behind;

static void *leaves_some_behind(void *unused)
{
	weft_attr attr = { 0 };

	CHECK_EQ(weft_stack_group_new(&left_behind.group, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		attr.shared = i == 0 ? left_behind.group : NULL;
		CHECK_EQ(weft_coroutine_new(&left_behind.cos[i], yields, NULL, &attr), 0);
		CHECK_EQ(weft_resume(left_behind.cos[i], NULL, NULL), 1);
	}
	return unused;
}

/* The next thread has the thread-local variables of the one before at the same addresses, as
 * libc gives it the same stack. It is another thread all the same. */
TEST(fault, of_a_thread_that_has_ended)
{
	void *(*const bodies[])(void *) = { leaves_some_behind, uses_from_elsewhere,
					    makes_on_group };
	void *args[] = { NULL, left_behind.cos, NULL };

	for (int i = 0; i < 3; i++) {
		pthread_t thread;

		args[2] = left_behind.group;
		CHECK_EQ(pthread_create(&thread, NULL, bodies[i], args[i]), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

/* Row 6. */
TEST(fault, yield_outside)
{
	weft_coroutine *co = make(yields, NULL);
	void *in = P(3);

	CHECK(weft_yield(P(1)) == NULL);
	CHECK_EQ(weft_yield_with(P(1), &in), -EPERM);
	CHECK_EQ(weft_transfer(co, P(1), &in), -EPERM);
	CHECK_EQ(in, 3);
	check_works(co);
}

static void *frees_wrongly(void *arg, void *value)
{
	weft_coroutine *self = weft_coroutine_self();

	CHECK_EQ(weft_coroutine_free(self), -EBUSY);
	CHECK_EQ(weft_coroutine_reset(self, NULL, NULL), -EBUSY);
	if (value) {
		CHECK_EQ(weft_coroutine_free(value), -EBUSY); /* our resumer */
		CHECK_EQ(weft_coroutine_reset(value, NULL, NULL), -EBUSY);
	} else {
		CHECK_EQ(weft_resume(arg, self, NULL), 1);
	}
	return yields(NULL, weft_yield(NULL));
}

/* Row 7. */
TEST(fault, free_while_running)
{
	weft_coroutine *inner = make(frees_wrongly, NULL);
	weft_coroutine *outer = make(frees_wrongly, inner);

	CHECK_EQ(weft_resume(outer, NULL, NULL), 1);
	check_works(inner);
	check_works(outer);
}

static int cleaned;

static void clean(void *arg)
{
	cleaned = cleaned * 10 + *(int *)arg; /* in the frame that will never return */
}

static void *holds_things(void *arg, void *value)
{
	int one = 1, two = 2;
	weft_cleanup a, b;

	CHECK_EQ(weft_cleanup_push(&a, clean, &one), 0);
	CHECK_EQ(weft_cleanup_push(&b, clean, &two), 0);
	return yields(arg, value);
}

/* Row 8. */
TEST(fault, free_suspended_runs_cleanups)
{
	weft_coroutine *co = make(holds_things, NULL);

	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(cleaned, 0);
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(cleaned, 21);
	CHECK_EQ(weft_coroutine_free(co), -ESRCH);
	CHECK_EQ(cleaned, 21);
}

static void check_stale(weft_coroutine *co)
{
	void *out = P(4);

	CHECK_EQ(weft_resume(co, NULL, &out), -ESRCH);
	CHECK_EQ(out, 4);
	CHECK_EQ(weft_coroutine_status(co), -ESRCH);
	CHECK_EQ(weft_coroutine_reset(co, NULL, NULL), -ESRCH);
	CHECK_EQ(weft_coroutine_free(co), -ESRCH);
	CHECK(weft_coroutine_name(co) == NULL);
}

/* Row 9: a handle of memory that is free, or serves another one by now. */
static void stale_handles(weft_stack_group *group)
{
	enum { MANY = 200 };
	weft_attr attr = { .shared = group };
	weft_coroutine *old[MANY], *new[MANY];
	int reused = 0;

	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_coroutine_new(&old[i], yields, NULL, &attr), 0);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(weft_coroutine_free(old[i]), 0);
		check_stale(old[i]);
	}
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_coroutine_new(&new[i], yields, NULL, &attr), 0);
	for (int i = 0; i < MANY; i++) {
		check_stale(old[i]);
		for (int k = 0; k < MANY; k++) {
			uintptr_t differs = (uintptr_t)old[i] ^ (uintptr_t) new[k];

			CHECK_NE(old[i], new[k]);
			reused += !(differs & 0xffffffffffc0);
		}
	}
	CHECK_GT(reused, 0); /* or else nothing was tested */
	for (int i = 0; i < MANY; i++)
		check_works(new[i]);
}

TEST(fault, stale_handles)
{
	stale_handles(NULL);
}

TEST(fault, stale_handles_of_shared)
{
	weft_stack_group *group;

	CHECK_EQ(weft_stack_group_new(&group, 1, 0), 0);
	stale_handles(group);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

static int returns_its_argument(void *arg)
{
	return *(int *)arg;
}

/* The memory goes back and forth between coroutines and tasks. */
static int stale_either_way(void *unused)
{
	enum { MANY = 50 };
	weft_coroutine *cos[MANY];
	weft_task *tasks[MANY];
	int three = 3, result;

	(void)unused;
	for (int i = 0; i < MANY; i++)
		cos[i] = make(yields, NULL);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_coroutine_free(cos[i]), 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, returns_its_argument, &three), 0);
	for (int i = 0; i < MANY; i++)
		check_stale(cos[i]);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, &result), 0);
		CHECK_EQ(result, 3);
	}
	for (int i = 0; i < MANY; i++)
		cos[i] = make(yields, NULL);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(weft_join(tasks[i], WEFT_NOWAIT, NULL), -ESRCH);
		CHECK_EQ(weft_cancel(tasks[i]), -ESRCH);
		CHECK_EQ(weft_detach(tasks[i]), -ESRCH);
		CHECK_EQ(weft_task_id(tasks[i]), 0);
	}
	for (int i = 0; i < MANY; i++)
		check_works(cos[i]);
	return 0;
}

TEST(fault, stale_handles_of_tasks_and_coroutines)
{
	CHECK_EQ(weft_run(1, stale_either_way, NULL, NULL), 0);
}

static void *reset_under_test(void *arg, void *value)
{
	(void)value;
	return arg;
}

/* Row 10: the body returns, and the coroutine can be used again. */
TEST(fault, body_returns)
{
	weft_coroutine *co = make(returns, P(3));
	void *out;

	CHECK_EQ(weft_resume(co, NULL, &out), 0);
	CHECK_EQ(out, 3);
	CHECK_EQ(weft_coroutine_reset(co, reset_under_test, P(8)), 0);
	CHECK_EQ(weft_resume(co, NULL, &out), 0);
	CHECK_EQ(out, 8);
	CHECK_EQ(weft_coroutine_reset(co, yields, NULL), 0);
	check_works(co);
}

/* --- overflow: rows 1 and 2, of coroutines -------------------------------------- */

static int recurse(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	return depth ? recurse(depth - 1) + frame[0] : 0;
}

static void *overflows(void *arg, void *value)
{
	(void)arg;
	return P(recurse(1 << 20) + (value != NULL));
}

static void run_named(weft_coroutine_fn *fn, void *arg)
{
	weft_attr attr = { .name = "glutton", .stack_bytes = 16 << 10 };
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, fn, arg, &attr), 0);
	weft_resume(co, NULL, NULL);
}

static void overflow(void *arg)
{
	(void)arg;
	run_named(overflows, NULL);
}

TEST(fault, overflow_names_the_coroutine)
{
	struct death death = run_to_death(overflow, NULL);

	/* A sanitizer exits in its own way after our report. */
	CHECK(death.signal == SIGSEGV || death.code > 0);
	CHECK(strstr(death.text, "coroutine \"glutton\"") != NULL);
}

#if defined(__x86_64__)

/* Tells where its frame is. Then, as if a frame had stepped over the guard
 * without touching it, yields from the address it is given. */
static void *jumps_the_guard(void *arg, void *value)
{
	(void)arg, (void)value;
	value = weft_yield(__builtin_frame_address(0));
	__asm__ volatile("mov %0, %%rsp\n\tcall *%1"
			 :
			 : "r"((uintptr_t)value & ~(uintptr_t)15), "r"(weft_yield)
			 : "memory");
	__builtin_unreachable();
}

static void jump(void *arg)
{
	weft_attr attr = { .name = "glutton", .stack_bytes = 16 << 10 };
	weft_coroutine *highest = NULL;
	char *low = NULL, *high = NULL;

	(void)arg;
	for (int i = 0; i < 8; i++) {
		weft_coroutine *co;
		void *frame;

		CHECK_EQ(weft_coroutine_new(&co, jumps_the_guard, NULL, &attr), 0);
		CHECK_EQ(weft_resume(co, NULL, &frame), 1);
		if (!low || (char *)frame < low)
			low = frame;
		if ((char *)frame > high) {
			high = frame;
			highest = co;
		}
	}
	weft_resume(highest, low - 4096, NULL);
}

TEST(fault, a_yield_from_beyond_the_stack)
{
	CHECK_DEATH(SIGABRT, "coroutine \"glutton\"", jump, NULL);
}

#endif
