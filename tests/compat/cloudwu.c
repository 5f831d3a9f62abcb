/* SPDX-License-Identifier: MIT
 *
 * cloudwu.c - compat/cloudwu: what the original does, and each of its defects.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <base/fault.h>
#include <weft/coroutine.h>
#include <weft/task.h>
#include <weft/time.h>

#include <coroutine.h>

#include <test.h>

static char said[4096]; /* what the coroutines of a case say */

#define SAY(...)                                                               \
	do {                                                                   \
		size_t say__at = strlen(said);                                 \
		snprintf(said + say__at, sizeof(said) - say__at, __VA_ARGS__); \
	} while (0)

/* As coroutine_resume(), and what became of errno. */
static int resumed(struct schedule *S, int id)
{
	errno = 0;
	coroutine_resume(S, id);
	return errno;
}

static int yielded(struct schedule *S)
{
	errno = 0;
	coroutine_yield(S);
	return errno;
}

static void once(struct schedule *S, void *ud)
{
	(void)S;
	++*(int *)ud;
}

static void twice(struct schedule *S, void *ud)
{
	++*(int *)ud;
	coroutine_yield(S);
	++*(int *)ud;
}

static void forever(struct schedule *S, void *ud)
{
	for (;; ++*(int *)ud)
		coroutine_yield(S);
}

/* --- what programs rely on -------------------------------------------------------------- */

static void five(struct schedule *S, void *ud)
{
	for (int i = 0; i < 5; i++) {
		SAY("coroutine %d : %d\n", coroutine_running(S), *(int *)ud + i);
		coroutine_yield(S);
	}
}

TEST(cloudwu, two_that_count_in_turn_say_what_they_say_there)
{
	static const char expected[] = "main start\n"
				       "coroutine 0 : 0\ncoroutine 1 : 100\n"
				       "coroutine 0 : 1\ncoroutine 1 : 101\n"
				       "coroutine 0 : 2\ncoroutine 1 : 102\n"
				       "coroutine 0 : 3\ncoroutine 1 : 103\n"
				       "coroutine 0 : 4\ncoroutine 1 : 104\n"
				       "main end\n";
	struct schedule *S = coroutine_open();
	int low = 0, high = 100;
	int first = coroutine_new(S, five, &low), second = coroutine_new(S, five, &high);

	SAY("main start\n");
	while (coroutine_status(S, first) && coroutine_status(S, second)) {
		coroutine_resume(S, first);
		coroutine_resume(S, second);
	}
	SAY("main end\n");
	coroutine_close(S);
	CHECK_STR(said, expected);
}

static void looks_at_itself(struct schedule *S, void *ud)
{
	int self = coroutine_running(S);

	CHECK_EQ(coroutine_status(S, self), COROUTINE_RUNNING);
	*(int *)ud = self;
	coroutine_yield(S);
	CHECK_EQ(coroutine_running(S), self);
}

TEST(cloudwu, states_have_the_numbers_of_the_original)
{
	struct schedule *S = coroutine_open();
	int self = -1, id = coroutine_new(S, looks_at_itself, &self);

	CHECK_EQ(COROUTINE_DEAD, 0);
	CHECK_EQ(COROUTINE_READY, 1);
	CHECK_EQ(COROUTINE_RUNNING, 2);
	CHECK_EQ(COROUTINE_SUSPEND, 3);
	CHECK_EQ(coroutine_status(S, id), COROUTINE_READY);
	CHECK_EQ(coroutine_running(S), -1);
	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(self, id);
	CHECK_EQ(coroutine_status(S, id), COROUTINE_SUSPEND);
	CHECK_EQ(coroutine_running(S), -1);
	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(coroutine_status(S, id), COROUTINE_DEAD);
	coroutine_close(S);
}

static void keeps_its_frame(struct schedule *S, void *ud)
{
	const int seed = *(int *)ud;
	int frame[200];

	for (int i = 0; i < 200; i++)
		frame[i] = seed * 1000 + i;
	for (int round = 0; round < 3; round++) {
		coroutine_yield(S);
		for (int i = 0; i < 200; i++)
			CHECK_EQ(frame[i], seed * 1000 + i);
	}
	*(int *)ud = -1;
}

TEST(cloudwu, a_thousand_keep_their_frames_on_one_stack)
{
	enum { MANY = 1000 };
	static int seeds[MANY];
	struct schedule *S = coroutine_open();

	for (int i = 0; i < MANY; i++) {
		seeds[i] = i;
		CHECK_EQ(coroutine_new(S, keeps_its_frame, &seeds[i]), i);
	}
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(resumed(S, i), 0);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(seeds[i], -1);
		CHECK_EQ(coroutine_status(S, i), COROUTINE_DEAD);
	}
	coroutine_close(S);
}

static void fills_its_stack(struct schedule *S, void *ud)
{
	volatile char frame[900 * 1024];

	frame[0] = frame[sizeof(frame) - 1] = 7;
	coroutine_yield(S);
	*(int *)ud = frame[0] + frame[sizeof(frame) - 1];
}

TEST(cloudwu, the_stack_has_a_mebibyte)
{
	struct schedule *S = coroutine_open();
	int sum = 0, other = 0, id = coroutine_new(S, fills_its_stack, &sum);

	coroutine_resume(S, id);
	coroutine_resume(S, coroutine_new(S, once, &other));
	coroutine_resume(S, id);
	CHECK_EQ(sum, 14);
	coroutine_close(S);
}

/* --- numbers ------------------------------------------------------------------------------- */

TEST(cloudwu, a_stale_number_is_nobody)
{
	struct schedule *S = coroutine_open();
	int ran = 0, stranger = 0, id = coroutine_new(S, once, &ran);

	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(ran, 1);
	for (int i = 0; i < 10000; i++) {
		int other = coroutine_new(S, twice, &stranger);

		CHECK_NE(other, id);
		CHECK_EQ(resumed(S, id), ESRCH);
		CHECK_EQ(coroutine_status(S, id), COROUTINE_DEAD);
		CHECK_EQ(stranger, 2 * i);
		coroutine_resume(S, other);
		coroutine_resume(S, other);
		CHECK_EQ(stranger, 2 * i + 2);
	}
	CHECK_EQ(ran, 1);
	coroutine_close(S);
}

TEST(cloudwu, numbers_go_around_those_that_live)
{
	enum { LONG = 9, SHORT = 3000 };
	struct schedule *S = coroutine_open();
	int counts[LONG] = { 0 }, ids[LONG], ran = 0;

	for (int i = 0; i < LONG; i++) {
		ids[i] = coroutine_new(S, forever, &counts[i]);
		CHECK_GE(ids[i], i * 11);
		for (int k = 0; k < 10; k++)
			coroutine_resume(S, coroutine_new(S, once, &ran));
	}
	for (int i = 0; i < SHORT; i++)
		coroutine_resume(S, coroutine_new(S, once, &ran));
	CHECK_EQ(ran, SHORT + 10 * LONG);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < LONG; i++)
			CHECK_EQ(resumed(S, ids[i]), 0);
	for (int i = 0; i < LONG; i++)
		CHECK_EQ(counts[i], 2);
	coroutine_close(S);
}

TEST(cloudwu, numbers_that_nobody_had_are_an_error)
{
	struct schedule *S = coroutine_open();

	CHECK_EQ(resumed(S, 0), EINVAL);
	CHECK_EQ(resumed(S, -1), EINVAL);
	CHECK_EQ(resumed(S, 1 << 30), EINVAL);
	CHECK_EQ(coroutine_status(S, 5), COROUTINE_DEAD);
	CHECK_EQ(coroutine_status(S, -5), COROUTINE_DEAD);
	coroutine_close(S);
}

/* --- nesting ---------------------------------------------------------------------------------- */

static void nest(struct schedule *S, void *ud)
{
	int depth = *(int *)ud, deeper = depth + 1, frame[64], self = coroutine_running(S);
	static int depths[100];

	for (int i = 0; i < 64; i++)
		frame[i] = depth + i;
	SAY("%d ", depth);
	if (depth < 5) {
		/* What a child is given must not lie in this frame. */
		depths[deeper] = deeper;
		int child = coroutine_new(S, nest, &depths[deeper]);

		coroutine_resume(S, child);
		CHECK_EQ(coroutine_running(S), self);
		CHECK_EQ(coroutine_status(S, child), COROUTINE_SUSPEND);
		coroutine_yield(S);
		coroutine_resume(S, child);
		CHECK_EQ(coroutine_status(S, child), COROUTINE_DEAD);
	} else {
		CHECK_EQ(coroutine_status(S, 0), COROUTINE_RUNNING);
		CHECK_EQ(resumed(S, 0), EBUSY);
		CHECK_EQ(resumed(S, self), EDEADLK);
		CHECK_EQ(coroutine_running(S), self);
		coroutine_yield(S);
	}
	SAY("~%d ", depth);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(frame[i], depth + i);
}

TEST(cloudwu, coroutines_resume_each_other)
{
	struct schedule *S = coroutine_open();
	int depth = 0, id = coroutine_new(S, nest, &depth);

	coroutine_resume(S, id);
	CHECK_STR(said, "0 1 2 3 4 5 ");
	CHECK_EQ(coroutine_status(S, id), COROUTINE_SUSPEND);
	coroutine_resume(S, id);
	CHECK_STR(said, "0 1 2 3 4 5 ~5 ~4 ~3 ~2 ~1 ~0 ");
	CHECK_EQ(coroutine_running(S), -1);
	coroutine_close(S);
}

struct two {
	struct schedule *other;
	int id;
};

static void resumes_in_another(struct schedule *S, void *ud)
{
	struct two *two = ud;

	CHECK_EQ(resumed(two->other, two->id), 0);
	CHECK_EQ(coroutine_running(two->other), -1);
	CHECK_EQ(yielded(S), 0);
	coroutine_resume(two->other, two->id);
}

static struct schedule *outer_schedule;

static void knows_two(struct schedule *S, void *ud)
{
	(void)ud;
	CHECK_EQ(coroutine_running(outer_schedule), 0);
	CHECK_EQ(coroutine_running(S), 1);
	CHECK_EQ(yielded(outer_schedule), EPERM); /* not the caller's to suspend */
	CHECK_EQ(yielded(S), 0);
	CHECK_EQ(resumed(outer_schedule, 0), EBUSY);
}

TEST(cloudwu, schedules_nest)
{
	static struct two two;
	struct schedule *inner = coroutine_open();

	outer_schedule = coroutine_open();
	coroutine_new(inner, forever, NULL);
	two = (struct two){ inner, coroutine_new(inner, knows_two, NULL) };
	coroutine_new(outer_schedule, resumes_in_another, &two);
	coroutine_resume(outer_schedule, 0);
	CHECK_EQ(coroutine_status(outer_schedule, 0), COROUTINE_SUSPEND);
	coroutine_resume(outer_schedule, 0);
	CHECK_EQ(coroutine_status(outer_schedule, 0), COROUTINE_DEAD);
	CHECK_EQ(coroutine_status(inner, 1), COROUTINE_DEAD);
	coroutine_close(outer_schedule);
	coroutine_close(inner);
}

static void *native_body(void *arg, void *value)
{
	(void)value;
	CHECK_EQ(yielded(arg), EPERM); /* it would suspend this one, and not the one below */
	weft_yield(NULL);
	return NULL;
}

static void resumes_a_native_one(struct schedule *S, void *ud)
{
	weft_coroutine *native;

	(void)ud;
	CHECK_EQ(weft_coroutine_new(&native, native_body, S, NULL), 0);
	CHECK_EQ(weft_resume(native, NULL, NULL), 1);
	CHECK_EQ(yielded(S), 0);
	CHECK_EQ(weft_resume(native, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_free(native), 0);
	weft_yield(NULL); /* by weft's own name: the same */
}

TEST(cloudwu, native_coroutines_mix_with_these)
{
	struct schedule *S = coroutine_open();
	int id = coroutine_new(S, resumes_a_native_one, NULL);

	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(coroutine_running(S), -1);
	CHECK_EQ(coroutine_status(S, id), COROUTINE_SUSPEND);
	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(coroutine_status(S, id), COROUTINE_DEAD);
	coroutine_close(S);
}

/* --- misuse ------------------------------------------------------------------------------------- */

TEST(cloudwu, what_is_not_there_is_an_error)
{
	struct schedule *S = coroutine_open();

	errno = 0;
	CHECK_EQ(coroutine_new(NULL, once, NULL), -1);
	CHECK_EQ(errno, EINVAL);
	errno = 0;
	CHECK_EQ(coroutine_new(S, NULL, NULL), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(resumed(NULL, 0), EINVAL);
	CHECK_EQ(yielded(NULL), EINVAL);
	CHECK_EQ(yielded(S), EPERM); /* in no coroutine */
	CHECK_EQ(coroutine_status(NULL, 0), COROUTINE_DEAD);
	CHECK_EQ(coroutine_running(NULL), -1);
	coroutine_close(NULL);
	coroutine_close(S);
}

static void misuses(void *arg)
{
	struct schedule *S = coroutine_open();

	(void)arg;
	for (int i = 0; i < 100; i++)
		coroutine_resume(S, 42);
	coroutine_yield(S);
	coroutine_close(S);
}

static int occurrences(const char *text, const char *of)
{
	int count = 0;

	while ((text = strstr(text, of))) {
		text++;
		count++;
	}
	return count;
}

TEST(cloudwu, a_mistake_is_said_once)
{
	struct death death = run_to_death(misuses, NULL);

	CHECK_EQ(death.code, 0);
	CHECK_EQ(occurrences(death.text, "no coroutine ever had the number 42"), 1);
	CHECK_EQ(occurrences(death.text, "not the coroutine that runs"), 1);
	CHECK_EQ(occurrences(death.text, "\n"), 2);
}

static void *in_another_thread(void *arg)
{
	struct schedule *S = arg;
	int ran = 0;

	errno = 0;
	CHECK_EQ(coroutine_new(S, once, &ran), -1);
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(resumed(S, 0), EPERM);
	errno = 0;
	coroutine_close(S);
	CHECK_EQ(errno, EPERM);
	return NULL;
}

TEST(cloudwu, other_threads_are_kept_out)
{
	struct schedule *S = coroutine_open();
	int ran = 0;
	pthread_t thread;

	coroutine_new(S, once, &ran);
	CHECK_EQ(pthread_create(&thread, NULL, in_another_thread, S), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(ran, 0);
	CHECK_EQ(resumed(S, 0), 0);
	CHECK_EQ(ran, 1);
	coroutine_close(S);
}

/* --- closing ---------------------------------------------------------------------------------------- */

static void closes_its_own(struct schedule *S, void *ud)
{
	errno = 0;
	coroutine_close(S);
	*(int *)ud = errno;
}

TEST(cloudwu, a_schedule_in_use_is_not_closed)
{
	struct schedule *S = coroutine_open();
	int error = 0, id = coroutine_new(S, closes_its_own, &error);

	CHECK_EQ(resumed(S, id), EBUSY); /* that of the body's last call */
	CHECK_EQ(error, EBUSY);
	coroutine_close(S);
}

static int cleaned, ran_late;

static void clean(void *arg)
{
	struct schedule *S = arg;

	CHECK_EQ(yielded(S), EPERM); /* it will not be resumed any more */
	CHECK_EQ(coroutine_running(S), 0);
	CHECK_EQ(resumed(S, coroutine_new(S, once, &ran_late)), 0);
	coroutine_new(S, once, &ran_late); /* and one that is left behind */
	cleaned++;
}

static void has_a_cleanup(struct schedule *S, void *ud)
{
	weft_cleanup node;

	(void)ud;
	weft_cleanup_push(&node, clean, S);
	coroutine_yield(S);
}

TEST(cloudwu, closing_runs_cleanups_and_frees_all)
{
	struct schedule *S = coroutine_open();
	int count = 0;

	coroutine_new(S, has_a_cleanup, NULL);
	for (int i = 0; i < 100; i++)
		coroutine_resume(S, coroutine_new(S, forever, &count));
	coroutine_resume(S, 0);
	coroutine_resume(S, 1); /* another one is on the stack now */
	coroutine_close(S);
	CHECK_EQ(cleaned, 1);
	CHECK_EQ(ran_late, 1);
}

/* --- inside of tasks ------------------------------------------------------------------------------------ */

static void waits(struct schedule *S, void *ud)
{
	(void)S;
	(void)ud;
	SAY("a ");
	weft_sleep(2000000);
	SAY("c ");
}

static int resumes_who_waits(void *arg)
{
	return resumed(arg, 0);
}

TEST(cloudwu, a_coroutine_may_wait_in_a_task)
{
	struct schedule *S = coroutine_open();
	int ran = 0, result = -1, id;
	weft_task *task;

	coroutine_new(S, waits, NULL);
	id = coroutine_new(S, once, &ran);
	CHECK_EQ(weft_spawn(&task, NULL, resumes_who_waits, S), 0);
	weft_task_yield();
	CHECK_STR(said, "a ");
	CHECK_EQ(coroutine_status(S, 0), COROUTINE_RUNNING);
	CHECK_EQ(resumed(S, id), EBUSY); /* it is the task's turn in this schedule */
	CHECK_EQ(ran, 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	CHECK_EQ(result, 0);
	CHECK_STR(said, "a c ");
	CHECK_EQ(resumed(S, id), 0);
	CHECK_EQ(ran, 1);
	coroutine_close(S);
}

static void ends_its_task(struct schedule *S, void *ud)
{
	(void)S;
	(void)ud;
	weft_exit(7);
}

static void resumes_the_end(struct schedule *S, void *ud)
{
	(void)ud;
	coroutine_resume(S, 1);
}

TEST(cloudwu, a_schedule_survives_the_end_of_a_task_in_it)
{
	struct schedule *S = coroutine_open();
	int ran = 0, result;
	weft_task *task;

	coroutine_new(S, resumes_the_end, NULL);
	coroutine_new(S, ends_its_task, NULL);
	CHECK_EQ(weft_spawn(&task, NULL, resumes_who_waits, S), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	CHECK_EQ(result, 7);
	CHECK_EQ(resumed(S, coroutine_new(S, once, &ran)), 0);
	CHECK_EQ(ran, 1);
	CHECK_EQ(coroutine_status(S, 0), COROUTINE_DEAD);
	CHECK_EQ(coroutine_status(S, 1), COROUTINE_DEAD);
	coroutine_close(S);
}

/* --- without memory ----------------------------------------------------------------------------------------- */

/* True when all went well. */
static bool whole_life(void)
{
	struct schedule *S = coroutine_open();
	int count = 0, want = 0;
	bool well = true;

	if (!S) {
		CHECK_EQ(errno, ENOMEM);
		return false;
	}
	for (int i = 0; i < 20; i++) { /* the table grows */
		int id = coroutine_new(S, twice, &count);

		if (id < 0) {
			CHECK_EQ(errno, ENOMEM);
			well = false;
			continue;
		}
		if (resumed(S, id) == 0)
			want++;
		else
			well = false;
	}
	CHECK_EQ(count, want);
	coroutine_close(S);
	return well;
}

TEST(cloudwu, no_memory_is_an_error_and_nothing_is_lost)
{
	unsigned n = 1;

	for (;; n++) {
		weft__fault_fail(n);
		bool well = whole_life();
		bool fired = weft__fault_fired();

		weft__fault_fail(0);
		if (!fired) {
			CHECK(well);
			break;
		}
	}
	CHECK_GT(n, 20);
}
