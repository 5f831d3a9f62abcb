/* SPDX-License-Identifier: MIT
 *
 * coroutine.c - coroutines with private stacks: values, states, nesting,
 * transfer, reset, cleanups, FP words; with and without a runtime around them.
 */
#include <errno.h>
#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include <test.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#define P(n) ((void *)(intptr_t)(n))
#define I(p) ((int)(intptr_t)(p))

static weft_coroutine *make(weft_coroutine_fn *fn, void *arg)
{
	weft_coroutine *co = NULL;

	CHECK_EQ(weft_coroutine_new(&co, fn, arg, NULL), 0);
	CHECK(co != NULL);
	return co;
}

/* --- values and states ----------------------------------------------------- */

static void *add_up(void *arg, void *value)
{
	int sum = I(arg);

	for (int i = 0; i < 3; i++) {
		sum += I(value);
		value = weft_yield(P(sum));
	}
	return P(sum + I(value));
}

TEST(coroutine, values_go_both_ways)
{
	weft_coroutine *co = make(add_up, P(100));
	void *out = NULL;

	CHECK_EQ(weft_resume(co, P(1), &out), 1);
	CHECK_EQ(out, 101);
	CHECK_EQ(weft_resume(co, P(10), &out), 1);
	CHECK_EQ(out, 111);
	CHECK_EQ(weft_resume(co, P(20), NULL), 1); /* nobody wants the value */
	CHECK_EQ(weft_resume(co, P(7), &out), 0);
	CHECK_EQ(out, 138);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

static void *look_at_self(void *arg, void *value)
{
	weft_coroutine *self = weft_coroutine_self();

	CHECK_EQ(self, *(weft_coroutine **)arg);
	CHECK_EQ(weft_coroutine_status(self), WEFT_RUNNING);
	weft_yield(NULL);
	CHECK_EQ(weft_coroutine_self(), self);
	return value;
}

TEST(coroutine, states_follow_the_diagram)
{
	weft_coroutine *co = make(look_at_self, &co);

	CHECK(weft_coroutine_self() == NULL);
	CHECK_EQ(weft_coroutine_status(co), WEFT_READY);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(weft_coroutine_status(co), WEFT_SUSPENDED);
	CHECK(weft_coroutine_self() == NULL);
	CHECK_EQ(weft_resume(co, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_status(co), WEFT_DEAD);
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(weft_coroutine_status(co), -ESRCH);
}

static void *yield_with(void *arg, void *value)
{
	void *in = NULL;

	CHECK_EQ(weft_yield_with(value, &in), 0);
	CHECK_EQ(in, 2);
	CHECK_EQ(weft_yield_with(in, NULL), 0);
	return arg;
}

TEST(coroutine, yield_with_tells_the_same)
{
	weft_coroutine *co = make(yield_with, P(9));
	void *out;

	CHECK_EQ(weft_resume(co, P(1), &out), 1);
	CHECK_EQ(out, 1);
	CHECK_EQ(weft_resume(co, P(2), &out), 1);
	CHECK_EQ(out, 2);
	CHECK_EQ(weft_resume(co, P(3), &out), 0);
	CHECK_EQ(out, 9);
	weft_coroutine_free(co);
}

/* The functions of the library, as other languages call them. */
TEST(coroutine, functions_by_address)
{
	int (*resume)(weft_coroutine *, void *, void **) = weft_resume;
	weft_coroutine *co = make(add_up, P(0));
	void *out;

	CHECK_EQ(resume(co, P(5), &out), 1);
	CHECK_EQ(out, 5);
	CHECK_EQ(weft_resume(co, P(5), &out), 1);
	CHECK_EQ(resume(co, P(5), &out), 1);
	CHECK_EQ(out, 15);
	CHECK_EQ(resume(co, P(5), &out), 0);
	weft_coroutine_free(co);
}

static void *yield_by_address(void *arg, void *value)
{
	void *(*yield)(void *) = weft_yield;

	for (int i = 0; i < 1000; i++)
		value = yield(value);
	return arg;
}

TEST(coroutine, yields_by_address)
{
	weft_coroutine *co = make(yield_by_address, NULL);
	void *out;

	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(weft_resume(co, P(i), &out), 1);
		CHECK_EQ(out, i);
	}
	CHECK_EQ(weft_resume(co, NULL, &out), 0);
	weft_coroutine_free(co);
}

TEST(coroutine, names_are_kept_and_cut)
{
	weft_coroutine *co;
	weft_attr attr = { .name = "parser" };

	CHECK_EQ(weft_coroutine_new(&co, add_up, NULL, &attr), 0);
	CHECK_STR(weft_coroutine_name(co), "parser");
	weft_coroutine_free(co);
	CHECK(weft_coroutine_name(co) == NULL);

	attr.name = "a name of more than thirty-one bytes";
	CHECK_EQ(weft_coroutine_new(&co, add_up, NULL, &attr), 0);
	CHECK_STR(weft_coroutine_name(co), "a name of more than thirty-one ");
	weft_coroutine_free(co);

	co = make(add_up, NULL);
	CHECK_STR(weft_coroutine_name(co), "");
	weft_coroutine_free(co);
}

TEST(coroutine, bad_arguments)
{
	weft_coroutine *co = P(1);
	weft_attr small = { .stack_bytes = 1 }, flag = { .flags = 1u << 20 };

	CHECK_EQ(weft_coroutine_new(&co, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_coroutine_new(&co, add_up, NULL, &small), -EINVAL);
	CHECK_EQ(weft_coroutine_new(&co, add_up, NULL, &flag), -EINVAL);
	CHECK_EQ(co, 1);
	CHECK_EQ(weft_coroutine_free(NULL), 0);
	CHECK_EQ(weft_coroutine_status(NULL), -ESRCH);
	CHECK(weft_coroutine_name(NULL) == NULL);
	CHECK_EQ(weft_resume(NULL, NULL, NULL), -ESRCH);
	CHECK_EQ(weft_coroutine_reset(NULL, NULL, NULL), -ESRCH);
}

/* --- nesting --------------------------------------------------------------- */

static weft_attr smallest = { .stack_bytes = 16 << 10 };

struct level {
	int depth;
	int visits;
};

/* Resumes one more level, which yields once and returns; goes up and down twice. */
static void *nest(void *arg, void *value)
{
	struct level *level = arg;
	struct level next = { .depth = level->depth - 1 };
	weft_coroutine *co;
	void *out;

	(void)value;
	if (!level->depth) {
		level->visits++;
		CHECK_EQ(weft_yield(P(1)), 5);
		level->visits++;
		return P(1);
	}
	CHECK_EQ(weft_coroutine_new(&co, nest, &next, &smallest), 0);
	CHECK_EQ(weft_resume(co, P(4), &out), 1);
	CHECK_EQ(weft_yield(P(I(out) + 1)), 5);
	CHECK_EQ(weft_resume(co, P(5), &out), 0);
	CHECK_EQ(weft_coroutine_free(co), 0);
	level->visits += next.visits;
	return P(I(out) + 1);
}

TEST(coroutine, nested_ten_thousand_deep)
{
	enum { DEPTH = 10000 };
	struct level level = { .depth = DEPTH };
	weft_coroutine *co;
	void *out;

	CHECK_EQ(weft_coroutine_new(&co, nest, &level, &smallest), 0);
	CHECK_EQ(weft_resume(co, P(4), &out), 1);
	CHECK_EQ(out, DEPTH + 1);
	CHECK_EQ(weft_resume(co, P(5), &out), 0);
	CHECK_EQ(out, DEPTH + 1);
	CHECK_EQ(level.visits, 2);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

/* --- transfer -------------------------------------------------------------- */

static weft_coroutine *peers[3];

static void *run_in_ring(void *arg, void *value)
{
	int self = I(arg);

	while (I(value) < 30)
		CHECK_EQ(weft_transfer(peers[(self + 1) % 3], P(I(value) + 1), &value), 0);
	return P(self * 1000 + I(value));
}

TEST(coroutine, transfer_in_a_ring)
{
	void *out = NULL;

	for (int i = 0; i < 3; i++)
		peers[i] = make(run_in_ring, P(i));
	/* 0 counts 0, 3, .. 30: it is the one that returns, to the resumer of all. */
	CHECK_EQ(weft_resume(peers[0], P(0), &out), 0);
	CHECK_EQ(out, 30);
	CHECK_EQ(weft_coroutine_status(peers[0]), WEFT_DEAD);
	CHECK_EQ(weft_coroutine_status(peers[1]), WEFT_SUSPENDED);
	CHECK_EQ(weft_coroutine_status(peers[2]), WEFT_SUSPENDED);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_coroutine_free(peers[i]), 0);
}

static void *frees_its_predecessor(void *arg, void *value)
{
	CHECK_EQ(weft_coroutine_status(value), WEFT_SUSPENDED);
	CHECK_EQ(weft_coroutine_free(value), 0);
	CHECK_EQ(weft_yield(P(77)), 2);
	return arg;
}

static void *transfers_away(void *arg, void *value)
{
	(void)value;
	weft_transfer(arg, weft_coroutine_self(), NULL);
	CHECK(!"continued");
	return NULL;
}

/* The peer inherits the resumer: all of it, for the first one is gone. */
TEST(coroutine, peer_inherits_the_resumer)
{
	weft_coroutine *second = make(frees_its_predecessor, P(78));
	weft_coroutine *first = make(transfers_away, second), *third;
	void *out;

	CHECK_EQ(weft_resume(first, NULL, &out), 1);
	CHECK_EQ(out, 77);
	CHECK_EQ(weft_coroutine_status(first), -ESRCH);
	third = make(add_up, NULL); /* in the first one's memory, perhaps */
	CHECK_EQ(weft_resume(third, P(1), NULL), 1);
	CHECK_EQ(weft_resume(second, P(2), &out), 0);
	CHECK_EQ(out, 78);
	weft_coroutine_free(second);
	weft_coroutine_free(third);
}

static void *transfers_badly(void *arg, void *value)
{
	void *in = NULL;

	CHECK_EQ(weft_transfer(weft_coroutine_self(), P(3), &in), 0);
	CHECK_EQ(in, 3);
	CHECK_EQ(weft_transfer(NULL, NULL, NULL), -ESRCH);
	CHECK_EQ(weft_transfer(value, NULL, NULL), -EBUSY); /* our resumer */
	CHECK_EQ(weft_transfer(arg, NULL, NULL), -ESRCH);   /* dead */
	return P(1);
}

static void *resumes_its_value(void *arg, void *value)
{
	void *out;

	(void)arg;
	CHECK_EQ(weft_resume(value, weft_coroutine_self(), &out), 0);
	return out;
}

static void *returns_at_once(void *arg, void *value)
{
	(void)arg;
	return value;
}

TEST(coroutine, transfer_errors_change_nothing)
{
	weft_coroutine *dead = make(returns_at_once, NULL);
	weft_coroutine *inner = make(transfers_badly, dead), *outer = make(resumes_its_value, NULL);
	void *out;

	CHECK_EQ(weft_transfer(inner, NULL, NULL), -EPERM);
	CHECK_EQ(weft_resume(dead, NULL, NULL), 0);
	CHECK_EQ(weft_resume(outer, inner, &out), 0);
	CHECK_EQ(out, 1);
	weft_coroutine_free(dead);
	weft_coroutine_free(inner);
	weft_coroutine_free(outer);
}

/* --- reset ----------------------------------------------------------------- */

static void note(void *arg)
{
	strcat(arg, "x");
}

static void *pushes_one(void *arg, void *value)
{
	weft_cleanup node;

	CHECK_EQ(weft_cleanup_push(&node, note, arg), 0);
	weft_yield(value);
	CHECK_EQ(weft_cleanup_pop(&node, 0), 0);
	return P(1);
}

TEST(coroutine, reset_begins_anew)
{
	char notes[8] = "";
	weft_coroutine *co = make(pushes_one, notes);
	void *out;

	CHECK_EQ(weft_coroutine_reset(co, NULL, notes), 0); /* READY */
	CHECK_EQ(weft_resume(co, P(2), &out), 1);
	CHECK_EQ(out, 2);
	CHECK_EQ(weft_coroutine_reset(co, NULL, notes), 0); /* SUSPENDED */
	CHECK_STR(notes, "x");
	CHECK_EQ(weft_coroutine_status(co), WEFT_READY);
	CHECK_EQ(weft_resume(co, P(3), &out), 1);
	CHECK_EQ(out, 3);
	CHECK_EQ(weft_resume(co, NULL, &out), 0);
	CHECK_EQ(out, 1);
	CHECK_STR(notes, "x");
	CHECK_EQ(weft_coroutine_reset(co, add_up, P(5)), 0); /* DEAD, other body */
	CHECK_EQ(weft_resume(co, P(6), &out), 1);
	CHECK_EQ(out, 11);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

/* --- cleanups -------------------------------------------------------------- */

static char order[16];

static void append(void *arg)
{
	CHECK(weft_coroutine_self() != NULL);
	strcat(order, arg);
}

static void *pushes_three(void *arg, void *value)
{
	weft_cleanup a, b, c, gone;

	(void)value;
	weft_cleanup_push(&a, append, "a");
	weft_cleanup_push(&b, append, "b");
	weft_cleanup_push(&gone, append, "-");
	CHECK_EQ(weft_cleanup_pop(&a, 0), -EINVAL);
	CHECK_EQ(weft_cleanup_pop(&gone, 1), 0);
	weft_cleanup_push(&c, append, "c");
	weft_yield(NULL);
	CHECK(!"continued");
	return arg;
}

TEST(coroutine, cleanups_run_newest_first)
{
	weft_coroutine *co = make(pushes_three, NULL);

	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_STR(order, "-");
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_STR(order, "-cba");
}

static void misbehave(void *arg)
{
	weft_coroutine *self = weft_coroutine_self(), *other = make(returns_at_once, NULL);
	weft_cleanup node;
	void *out;

	CHECK_EQ(weft_yield_with(NULL, NULL), -EPERM);
	CHECK(weft_yield(P(1)) == NULL);
	CHECK_EQ(weft_transfer(other, NULL, NULL), -EPERM);
	CHECK_EQ(weft_coroutine_free(self), -EBUSY);
	CHECK_EQ(weft_coroutine_reset(self, NULL, NULL), -EBUSY);
	CHECK_EQ(weft_resume(self, NULL, NULL), -EDEADLK);
	CHECK_EQ(weft_resume(other, P(4), &out), 0);
	CHECK_EQ(out, 4);
	CHECK_EQ(weft_cleanup_push(&node, append, "n"), 0);
	CHECK_EQ(weft_cleanup_pop(&node, 1), 0);
	weft_coroutine_free(other);
	*(int *)arg = 1;
}

static void *pushes_misbehave(void *arg, void *value)
{
	weft_cleanup node;

	weft_cleanup_push(&node, misbehave, arg);
	return weft_yield(value);
}

/* A cleanup may use coroutines, and cannot suspend the one that it cleans up. */
TEST(coroutine, cleanups_cannot_yield)
{
	int done = 0;
	weft_coroutine *co = make(pushes_misbehave, &done);

	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(done, 1);
	CHECK_STR(order, "n");
}

TEST(coroutine, cleanups_need_somebody)
{
	weft_cleanup node;

	CHECK_EQ(weft_cleanup_push(&node, append, ""), -EPERM);
	CHECK_EQ(weft_cleanup_pop(&node, 0), -EPERM);
}

/* --- FP words -------------------------------------------------------------- */

static void *rounds_up(void *arg, void *value)
{
	for (int i = 0; i < 3; i++) {
		fesetround(FE_UPWARD);
		value = weft_yield(value);
		if (arg)
			CHECK_EQ(fegetround(), FE_UPWARD);
	}
	return value;
}

TEST(coroutine, keep_fp_is_for_both_sides)
{
	weft_attr attr = { .flags = WEFT_KEEP_FP };
	weft_coroutine *co, *peer;

	CHECK_EQ(fesetround(FE_DOWNWARD), 0);
	CHECK_EQ(weft_coroutine_new(&co, rounds_up, P(1), &attr), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_resume(co, NULL, NULL), i < 3);
		CHECK_EQ(fegetround(), FE_DOWNWARD);
	}
	weft_coroutine_free(co);

	/* Without the flag the words are the thread's. */
	peer = make(rounds_up, NULL);
	CHECK_EQ(weft_resume(peer, NULL, NULL), 1);
	CHECK_EQ(fegetround(), FE_UPWARD);
	weft_coroutine_free(peer);
}

static void *rounds_and_transfers(void *arg, void *value)
{
	fesetround(FE_TOWARDZERO);
	CHECK_EQ(weft_transfer(arg, value, &value), 0);
	CHECK_EQ(fegetround(), FE_TOWARDZERO);
	return value;
}

TEST(coroutine, keep_fp_across_transfers)
{
	weft_attr attr = { .flags = WEFT_KEEP_FP };
	weft_coroutine *up, *zero;

	fesetround(FE_DOWNWARD);
	CHECK_EQ(weft_coroutine_new(&up, rounds_up, P(1), &attr), 0);
	CHECK_EQ(weft_coroutine_new(&zero, rounds_and_transfers, up, &attr), 0);
	CHECK_EQ(weft_resume(zero, NULL, NULL), 1);
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	CHECK_EQ(weft_resume(zero, NULL, NULL), 0);
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	CHECK_EQ(weft_resume(up, NULL, NULL), 1);
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	weft_coroutine_free(up);
	weft_coroutine_free(zero);
}

/* --- many ------------------------------------------------------------------ */

static void *checks_its_frame(void *arg, void *value)
{
	unsigned char frame[512];

	for (;;) {
		unsigned char seed = (unsigned char)(I(arg) + I(value));

		memset(frame, seed, sizeof frame);
		value = weft_yield(value);
		for (size_t i = 0; i < sizeof frame; i++)
			CHECK_EQ(frame[i], seed);
	}
	return NULL;
}

TEST(coroutine, many_interleaved)
{
	enum { MANY = 5000, ROUNDS = 20 };
	weft_coroutine **cos = calloc(MANY, sizeof *cos);
	void *out;

	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_coroutine_new(&cos[i], checks_its_frame, P(i), &smallest), 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY; i++) {
			int k = (int)((unsigned)i * 7919u % MANY);

			CHECK_EQ(weft_resume(cos[k], P(round), &out), 1);
			CHECK_EQ(out, round);
		}
	}
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(weft_coroutine_free(cos[i]), 0);
	free(cos);
}

/* --- in tasks -------------------------------------------------------------- */

static char trace[64];

static void say(const char *text)
{
	strcat(trace, text);
}

static void *sleeps_between(void *arg, void *value)
{
	for (int i = 0; i < 2; i++) {
		weft_coroutine *self = weft_coroutine_self();

		say(arg);
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(weft_sleep(1000000), 0);
		CHECK_EQ(weft_coroutine_self(), self);
		value = weft_yield(value);
	}
	return value;
}

static int drives_a_coroutine(void *arg)
{
	weft_coroutine *co = make(sleeps_between, arg);
	weft_task *self = weft_self();

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_resume(co, NULL, NULL), i < 2);
		CHECK(weft_coroutine_self() == NULL);
		CHECK(!self || weft_self() == self);
		self = weft_self();
	}
	CHECK_EQ(weft_coroutine_free(co), 0);
	return 0;
}

static int runs_two(void *arg)
{
	weft_task *a, *b;

	(void)arg;
	CHECK_EQ(weft_spawn(&a, NULL, drives_a_coroutine, "a"), 0);
	CHECK_EQ(weft_spawn(&b, NULL, drives_a_coroutine, "b"), 0);
	CHECK_EQ(weft_join(a, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(b, WEFT_FOREVER, NULL), 0);
	return 0;
}

/* The whole task parks, and comes back into the coroutine. */
TEST(coroutine, parks_with_its_task)
{
	CHECK_EQ(weft_run(1, runs_two, NULL, NULL), 0);
	CHECK_EQ(strlen(trace), 4);
	CHECK(strncmp(trace, "ab", 2) == 0);
}

/* On a plain thread the first wait makes a runtime, in the middle of it. */
TEST(coroutine, makes_a_runtime_inside)
{
	drives_a_coroutine("x");
	CHECK_STR(trace, "xx");
}

static weft_coroutine *shared_co;

static int meddles(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_coroutine_status(shared_co), WEFT_RUNNING);
	CHECK_EQ(weft_resume(shared_co, NULL, NULL), -EBUSY);
	CHECK_EQ(weft_coroutine_free(shared_co), -EBUSY);
	return 0;
}

static int resumes_shared(void *arg)
{
	shared_co = make(sleeps_between, "");
	CHECK_EQ(weft_resume(shared_co, NULL, NULL), 1);
	CHECK_EQ(weft_coroutine_free(shared_co), 0);
	(void)arg;
	return 0;
}

static int runs_meddler(void *arg)
{
	weft_task *a, *b;

	(void)arg;
	CHECK_EQ(weft_spawn(&a, NULL, resumes_shared, NULL), 0);
	CHECK_EQ(weft_spawn(&b, NULL, meddles, NULL), 0);
	CHECK_EQ(weft_join(a, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_join(b, WEFT_FOREVER, NULL), 0);
	return 0;
}

/* One that waits inside a parked task runs, to other tasks. */
TEST(coroutine, busy_while_its_task_is_parked)
{
	CHECK_EQ(weft_run(1, runs_meddler, NULL, NULL), 0);
}

static int yields_in_task(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_yield_with(NULL, NULL), -EPERM);
	CHECK(weft_yield(P(1)) == NULL);
	return 0;
}

TEST(coroutine, tasks_do_not_yield)
{
	CHECK_EQ(weft_run(1, yields_in_task, NULL, NULL), 0);
}

static weft_coroutine *left_behind[2];

static void *exits_inside(void *arg, void *value)
{
	weft_cleanup node;

	weft_cleanup_push(&node, append, arg ? "o" : "i");
	if (arg)
		weft_resume(arg, value, NULL);
	else
		weft_exit(42);
	CHECK(!"continued");
	return NULL;
}

static int exits_two_deep(void *arg)
{
	weft_cleanup node;

	(void)arg;
	weft_cleanup_push(&node, (void (*)(void *))note, order);
	left_behind[0] = make(exits_inside, NULL);
	left_behind[1] = make(exits_inside, left_behind[0]);
	weft_resume(left_behind[1], NULL, NULL);
	CHECK(!"continued");
	return 0;
}

static int joins_the_exiter(void *arg)
{
	weft_task *task;
	int result = 0;

	(void)arg;
	CHECK_EQ(weft_spawn(&task, NULL, exits_two_deep, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
	CHECK_EQ(result, 42);
	CHECK_STR(order, "iox");
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_coroutine_status(left_behind[i]), WEFT_DEAD);
		CHECK_EQ(weft_coroutine_free(left_behind[i]), 0);
	}
	return 0;
}

/* weft_exit() inside coroutines ends them all, with their cleanups. */
TEST(coroutine, exit_inside_ends_the_task)
{
	CHECK_EQ(weft_run(1, joins_the_exiter, NULL, NULL), 0);
}
