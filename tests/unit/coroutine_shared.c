/* SPDX-License-Identifier: MIT
 *
 * coroutine_shared.c - coroutines that take turns on shared stacks: who is on
 * the stack changes at every resume, yield, transfer and end, and no frame may
 * notice. Resumers share the stacks with those they resume, and tasks too.
 */
#include <errno.h>
#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <test.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#define P(n) ((void *)(intptr_t)(n))
#define I(p) ((int)(intptr_t)(p))

static weft_stack_group *group, *group2;

static weft_coroutine *make_on(weft_stack_group *on, weft_coroutine_fn *fn, void *arg)
{
	weft_attr attr = { .shared = on };
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, fn, arg, &attr), 0);
	return co;
}

static void one_stack(void)
{
	CHECK_EQ(weft_stack_group_new(&group, 1, 64 << 10), 0);
}

static void two_stacks(void)
{
	one_stack();
	CHECK_EQ(weft_stack_group_new(&group2, 1, 64 << 10), 0);
}

static void no_stack(void)
{
	CHECK_EQ(weft_stack_group_free(group), 0);
	CHECK_EQ(weft_stack_group_free(group2), 0);
}

/* --- interleaving ---------------------------------------------------------- */

/* Fills a frame of its own size, and checks it each time it comes back. */
static void *checks_its_frame(void *arg, void *value)
{
	unsigned words = 8 + (unsigned)I(arg) * 7 % 57;
	unsigned frame[64];
	unsigned round = 0;

	for (;;) {
		unsigned seed = (unsigned)I(arg) * 2654435761u + round++;

		for (unsigned i = 0; i < words; i++)
			frame[i] = seed + i;
		value = weft_yield(P(I(value) + 1));
		for (unsigned i = 0; i < words; i++)
			CHECK_EQ(frame[i], seed + i);
		if (!value)
			return P(round);
	}
}

TEST_LIMIT(coroutine_shared, hundred_thousand_on_one_stack, 60)
{
	/* ASan may want a second stack for each, of megabytes; TSan makes a fiber a switch. */
	enum { MANY = WEFT_ASAN ? 2000 : WEFT_TSAN ? 10000 : 100000, ROUNDS = 3 };
	weft_coroutine **cos = calloc(MANY, sizeof *cos);
	void *out;

	one_stack();
	for (int i = 0; i < MANY; i++)
		cos[i] = make_on(group, checks_its_frame, P(i));
	for (int round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < MANY; i++) {
			int k = (int)((unsigned)i * 7919ull % MANY);

			CHECK_EQ(weft_resume(cos[k], P(round), &out), 1);
			CHECK_EQ(out, round + 1);
		}
	}
	CHECK_EQ(weft_stack_group_free(group), -EBUSY);
	for (int i = 0; i < MANY; i++) {
		if (i % 2) { /* half of them end, half are freed as they are */
			CHECK_EQ(weft_resume(cos[i], NULL, &out), 0);
			CHECK_EQ(out, ROUNDS);
		}
		CHECK_EQ(weft_coroutine_free(cos[i]), 0);
	}
	no_stack();
	free(cos);
}

/* One that is alone on its stack is never moved: not even its address. */
static void *yields_an_address(void *arg, void *value)
{
	volatile int here = 0;

	(void)value;
	while (!weft_yield((void *)&here))
		here++;
	return arg;
}

TEST(coroutine_shared, alone_it_is_not_copied)
{
	weft_coroutine *co;
	void *at;

	one_stack();
	co = make_on(group, yields_an_address, NULL);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_resume(co, NULL, &at), 1);
		CHECK_EQ(*(int *)at, i); /* still there */
	}
	CHECK_EQ(weft_coroutine_free(co), 0);
	no_stack();
}

/* --- nesting ---------------------------------------------------------------- */

struct level {
	int depth, salt;
};

/* As in coroutine.c; the level's record lies on the heap, and ret_out in the frame. */
static void *nest(void *arg, void *value)
{
	struct level *level = arg, *next;
	weft_stack_group *on = level->depth % 3 ? group : group2;
	unsigned frame[32];
	weft_coroutine *co;
	void *out = NULL;

	(void)value;
	for (int i = 0; i < 32; i++)
		frame[i] = (unsigned)(level->salt * 31 + level->depth + i);
	if (!level->depth) {
		CHECK_EQ(weft_yield(P(1)), 5);
		return P(100);
	}
	next = malloc(sizeof *next);
	*next = (struct level){ level->depth - 1, level->salt };
	co = make_on(level->depth % 5 ? on : NULL, nest, next);
	CHECK_EQ(weft_resume(co, P(4), &out), 1);
	CHECK_EQ(out, level->depth);
	CHECK_EQ(weft_yield(P(I(out) + 1)), 5);
	CHECK_EQ(weft_resume(co, P(5), &out), 0);
	CHECK_EQ(out, level->depth + 99);
	CHECK_EQ(weft_coroutine_free(co), 0);
	free(next);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(frame[i], (unsigned)(level->salt * 31 + level->depth + i));
	return P(I(out) + 1);
}

/* A chain of resumers of which only two are on their stacks at a time. */
TEST(coroutine_shared, nested_on_the_same_stacks)
{
	struct level levels[4];
	weft_coroutine *cos[4];
	void *out;

	two_stacks();
	for (int i = 0; i < 4; i++) {
		levels[i] = (struct level){ .depth = 40 + i, .salt = i };
		cos[i] = make_on(i % 2 ? group : group2, nest, &levels[i]);
		CHECK_EQ(weft_resume(cos[i], P(4), &out), 1);
		CHECK_EQ(out, 41 + i);
	}
	for (int i = 3; i >= 0; i--) {
		CHECK_EQ(weft_resume(cos[i], P(5), &out), 0);
		CHECK_EQ(out, 140 + i);
		CHECK_EQ(weft_coroutine_free(cos[i]), 0);
	}
	no_stack();
}

static void *resumes_private(void *arg, void *value)
{
	unsigned frame[16];
	void *out = NULL;
	int rc;

	for (unsigned i = 0; i < 16; i++)
		frame[i] = i * 3;
	while ((rc = weft_resume(arg, value, &out)) == 1)
		value = weft_yield(out);
	CHECK_EQ(rc, 0);
	for (unsigned i = 0; i < 16; i++)
		CHECK_EQ(frame[i], i * 3);
	return out;
}

/* Runs on a stack of its own, and lets others onto its resumer's. */
static void *lets_others_on(void *arg, void *value)
{
	void *out;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_resume(arg, P(i + 1), &out), 1);
		CHECK_EQ(out, i + 2);
		value = weft_yield(value);
	}
	return P(33);
}

TEST(coroutine_shared, evicted_by_a_grandchild)
{
	weft_coroutine *grandchild, *child, *parent;
	void *out;

	one_stack();
	grandchild = make_on(group, checks_its_frame, P(5));
	child = make_on(NULL, lets_others_on, grandchild);
	parent = make_on(group, resumes_private, child);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_resume(parent, P(10 + i), &out), 1);
		CHECK_EQ(out, 10 + i);
	}
	CHECK_EQ(weft_resume(parent, P(1), &out), 0);
	CHECK_EQ(out, 33);
	CHECK_EQ(weft_coroutine_free(grandchild), 0);
	CHECK_EQ(weft_coroutine_free(child), 0);
	CHECK_EQ(weft_coroutine_free(parent), 0);
	no_stack();
}

/* --- transfer ---------------------------------------------------------------- */

static weft_coroutine *peers[4];

static void *run_in_ring(void *arg, void *value)
{
	unsigned frame[24];
	int self = I(arg);

	for (unsigned i = 0; i < 24; i++)
		frame[i] = (unsigned)self + i;
	while (I(value) < 400)
		CHECK_EQ(weft_transfer(peers[(self + 1) % 4], P(I(value) + 1), &value), 0);
	for (unsigned i = 0; i < 24; i++)
		CHECK_EQ(frame[i], (unsigned)self + i);
	return P(self + 1000);
}

static void *starts_the_ring(void *arg, void *value)
{
	void *out = NULL;

	(void)arg;
	CHECK_EQ(weft_resume(peers[0], value, &out), 0);
	return out;
}

/* Some on the same stack, one on another, one on its own; the resumer too. */
TEST(coroutine_shared, transfers)
{
	weft_coroutine *outer;
	void *out;

	two_stacks();
	peers[0] = make_on(group, run_in_ring, P(0));
	peers[1] = make_on(group, run_in_ring, P(1));
	peers[2] = make_on(NULL, run_in_ring, P(2));
	peers[3] = make_on(group2, run_in_ring, P(3));
	outer = make_on(group, starts_the_ring, NULL);
	CHECK_EQ(weft_resume(outer, P(0), &out), 0);
	CHECK_EQ(out, 1000);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_coroutine_free(peers[i]), 0);
	CHECK_EQ(weft_coroutine_free(outer), 0);
	no_stack();
}

/* --- reset, free, cleanups ---------------------------------------------------- */

static char notes[64];

static void say(void *arg)
{
	strcat(notes, *(const char **)arg); /* the argument lies in the frame */
}

static void *pushes(void *arg, void *value)
{
	const char *text = arg;
	weft_cleanup node;

	weft_cleanup_push(&node, say, &text);
	value = weft_yield(value);
	weft_cleanup_pop(&node, 0);
	return value;
}

static void *frees_its_argument(void *arg, void *value)
{
	unsigned frame[16];

	for (unsigned i = 0; i < 16; i++)
		frame[i] = i * 5;
	CHECK_EQ(weft_coroutine_free(arg), 0);
	for (unsigned i = 0; i < 16; i++)
		CHECK_EQ(frame[i], i * 5);
	return value;
}

TEST(coroutine_shared, cleanups_find_their_frames)
{
	weft_coroutine *a, *b, *c;

	one_stack();
	a = make_on(group, pushes, "a");
	b = make_on(group, pushes, "b");
	c = make_on(group, frees_its_argument, b);
	CHECK_EQ(weft_resume(a, NULL, NULL), 1);
	CHECK_EQ(weft_resume(b, NULL, NULL), 1);
	CHECK_EQ(weft_coroutine_free(a), 0);     /* not on its stack */
	CHECK_EQ(weft_resume(c, NULL, NULL), 0); /* b's stack is the freer's */
	CHECK_STR(notes, "ab");
	CHECK_EQ(weft_coroutine_free(c), 0);
	no_stack();
}

TEST(coroutine_shared, reset_anywhere)
{
	weft_coroutine *a, *b;
	void *out;

	one_stack();
	a = make_on(group, pushes, "a");
	b = make_on(group, checks_its_frame, P(2));
	CHECK_EQ(weft_coroutine_reset(a, NULL, "r"), 0); /* new */
	CHECK_EQ(weft_resume(a, P(1), &out), 1);
	CHECK_EQ(weft_resume(b, P(1), &out), 1);
	CHECK_EQ(weft_coroutine_reset(a, NULL, "s"), 0); /* away */
	CHECK_STR(notes, "r");
	CHECK_EQ(weft_resume(a, P(3), &out), 1);
	CHECK_EQ(out, 3);
	CHECK_EQ(weft_coroutine_reset(a, NULL, "t"), 0); /* there */
	CHECK_STR(notes, "rs");
	CHECK_EQ(weft_coroutine_reset(b, NULL, P(9)), 0); /* away, no cleanups */
	CHECK_EQ(weft_resume(b, P(4), &out), 1);
	CHECK_EQ(out, 5);
	CHECK_EQ(weft_resume(a, P(4), &out), 1);
	CHECK_EQ(weft_resume(a, P(6), &out), 0);
	CHECK_EQ(out, 6);
	CHECK_EQ(weft_coroutine_reset(a, NULL, "u"), 0); /* dead */
	CHECK_EQ(weft_resume(a, P(8), &out), 1);
	CHECK_EQ(weft_coroutine_free(a), 0);
	CHECK_STR(notes, "rsu"); /* t was popped */
	CHECK_EQ(weft_coroutine_free(b), 0);
	no_stack();
}

/* --- FP words, names ---------------------------------------------------------- */

static void *rounds_up(void *arg, void *value)
{
	fesetround(FE_UPWARD);
	for (int i = 0; i < I(arg); i++) {
		value = weft_yield(value);
		CHECK_EQ(fegetround(), FE_UPWARD);
	}
	return value;
}

TEST(coroutine_shared, keeps_fp_and_a_name)
{
	weft_attr attr = { .name = "up", .flags = WEFT_KEEP_FP };
	weft_coroutine *a, *b;

	one_stack();
	attr.shared = group;
	fesetround(FE_DOWNWARD);
	CHECK_EQ(weft_coroutine_new(&a, rounds_up, P(3), &attr), 0);
	CHECK_EQ(weft_coroutine_new(&b, rounds_up, P(3), &attr), 0);
	CHECK_STR(weft_coroutine_name(a), "up");
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_resume(a, NULL, NULL), i < 3);
		CHECK_EQ(fegetround(), FE_DOWNWARD);
		CHECK_EQ(weft_resume(b, NULL, NULL), i < 3);
		CHECK_EQ(fegetround(), FE_DOWNWARD);
	}
	CHECK_EQ(weft_coroutine_free(a), 0);
	CHECK_EQ(weft_coroutine_free(b), 0);
	no_stack();
}

/* --- without memory ------------------------------------------------------------ */

/* Large enough that a copy of it is one of malloc's. */
struct frame {
	unsigned words[512];
};

static void fill(struct frame *frame, unsigned seed)
{
	for (unsigned i = 0; i < 512; i++)
		frame->words[i] = seed + i;
}

static void check(const struct frame *frame, unsigned seed)
{
	for (unsigned i = 0; i < 512; i++)
		CHECK_EQ(frame->words[i], seed + i);
}

static void *leaves_once(void *arg, void *value)
{
	struct frame frame;
	void *in = P(7);

	fill(&frame, 1000);
	weft__fault_fail(1);
	CHECK_EQ(weft_yield_with(value, &in), -ENOMEM); /* our resumer needs our place */
	weft__fault_fail(1);
	CHECK_EQ(weft_transfer(arg, value, &in), -ENOMEM);
	CHECK(weft__fault_fired());
	CHECK_EQ(in, 7);
	check(&frame, 1000);
	CHECK_EQ(weft_coroutine_status(weft_coroutine_self()), WEFT_RUNNING);
	CHECK_EQ(weft_coroutine_status(arg), WEFT_READY);
	CHECK_EQ(weft_yield_with(value, &in), 0);
	CHECK_EQ(in, 8);
	check(&frame, 1000);
	return P(9);
}

static void *resumes_twice(void *arg, void *value)
{
	struct frame frame;
	void *out = P(7);

	fill(&frame, 2000);
	weft__fault_fail(1);
	CHECK_EQ(weft_resume(arg, value, &out), -ENOMEM); /* it needs our place */
	CHECK_EQ(out, 7);
	CHECK_EQ(weft_coroutine_status(arg), WEFT_READY);
	CHECK_EQ(weft_resume(arg, value, &out), 1);
	CHECK_EQ(out, value);
	check(&frame, 2000);
	weft__fault_fail(1);
	CHECK_EQ(weft_resume(arg, P(8), &out), -ENOMEM);
	CHECK_EQ(weft_coroutine_status(arg), WEFT_SUSPENDED);
	CHECK_EQ(weft_resume(arg, P(8), &out), 0);
	CHECK_EQ(out, 9);
	check(&frame, 2000);
	return P(10);
}

TEST(coroutine_shared, without_memory_for_a_copy)
{
	weft_coroutine *inner, *outer, *peer;
	void *out;

	one_stack();
	peer = make_on(group, checks_its_frame, P(3));
	inner = make_on(group, leaves_once, peer);
	outer = make_on(group, resumes_twice, inner);
	CHECK_EQ(weft_resume(outer, P(1), &out), 0);
	CHECK_EQ(out, 10);
	CHECK_EQ(weft_coroutine_free(peer), 0);
	CHECK_EQ(weft_coroutine_free(inner), 0);
	CHECK_EQ(weft_coroutine_free(outer), 0);
	no_stack();
}

/* The n-th allocation fails, for every n. */
TEST(coroutine_shared, without_memory_for_a_new_one)
{
	weft_coroutine *a;
	weft_attr attr = { .name = "named" };
	int failed = 0;
	void *out;

	one_stack();
	attr.shared = group;
	for (unsigned n = 0; n < 16; n++) {
		int rc;

		weft__fault_fail(n / 2 + 1); /* twice each: some find a second choice, once */
		rc = weft_coroutine_new(&a, checks_its_frame, P(3), &attr);
		CHECK(rc == 0 || (rc == -ENOMEM && weft__fault_fired()));
		failed += rc != 0;
		if (rc == 0)
			CHECK_EQ(weft_coroutine_free(a), 0);
	}
	weft__fault_fail(0);
	CHECK_GE(failed, 1);
	a = make_on(group, checks_its_frame, P(3));
	CHECK_EQ(weft_resume(a, P(1), &out), 1);
	CHECK_EQ(weft_coroutine_free(a), 0);
	no_stack();
}

/* --- tasks --------------------------------------------------------------------- */

static void *waits(void *arg, void *value)
{
	unsigned frame[40];
	unsigned seed = (unsigned)I(arg);

	for (int round = 0; round < 3; round++) {
		weft_coroutine *self = weft_coroutine_self();

		for (unsigned i = 0; i < 40; i++)
			frame[i] = seed + i;
		CHECK_EQ(weft_sleep(100000 + seed % 7 * 10000), 0);
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(weft_coroutine_self(), self);
		for (unsigned i = 0; i < 40; i++)
			CHECK_EQ(frame[i], seed + i);
		value = weft_yield(P(I(value) + 1));
	}
	return P(1000);
}

/* A task's own frame, and up to two coroutines, of which some share stacks. */
struct plan {
	weft_stack_group **task, **outer, **inner;
};

static weft_stack_group *none;

static void *resumes_inner(void *arg, void *value)
{
	struct plan *plan = arg;
	weft_coroutine *co = make_on(*plan->inner, waits, P((intptr_t)plan & 0xffff));
	void *out = NULL;
	int rc;

	while ((rc = weft_resume(co, value, &out)) == 1) {
		CHECK_EQ(out, I(value) + 1);
		CHECK_EQ(weft_task_yield(), 0);
		value = weft_yield(out);
	}
	CHECK_EQ(rc, 0);
	CHECK_EQ(weft_coroutine_free(co), 0);
	return out;
}

static int follows_plan(void *arg)
{
	struct plan *plan = arg;
	weft_coroutine *co = make_on(*plan->outer, resumes_inner, plan);
	unsigned frame[30];
	void *out = NULL;

	for (unsigned i = 0; i < 30; i++)
		frame[i] = i * 9;
	for (int round = 0; round < 4; round++) {
		CHECK_EQ(weft_resume(co, P(round), &out), round < 3);
		CHECK_EQ(out, round < 3 ? round + 1 : 1000);
		CHECK(weft_coroutine_self() == NULL);
		CHECK_EQ(weft_task_yield(), 0);
	}
	CHECK_EQ(weft_coroutine_free(co), 0);
	for (unsigned i = 0; i < 30; i++)
		CHECK_EQ(frame[i], i * 9);
	return 0;
}

/* Every way to be on one of two shared stacks, or on none; five tasks each. */
static int all_plans(void *arg)
{
	weft_stack_group **ways[] = { &none, &group, &group2 };
	static struct plan plans[27];
	weft_task *tasks[27 * 5];

	(void)arg;
	two_stacks();
	for (int i = 0; i < 27; i++)
		plans[i] = (struct plan){ ways[i / 9], ways[i / 3 % 3], ways[i % 3] };
	for (int i = 0; i < 27 * 5; i++) {
		weft_attr attr = { .shared = *plans[i % 27].task };

		CHECK_EQ(weft_spawn(&tasks[i], &attr, follows_plan, &plans[i % 27]), 0);
	}
	for (int i = 0; i < 27 * 5; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	no_stack();
	return 0;
}

TEST(coroutine_shared, tasks_park_inside)
{
	CHECK_EQ(weft_run(1, all_plans, NULL, NULL), 0);
}

/* The first wait of a plain thread makes it a runtime, inside coroutines. */
TEST(coroutine_shared, plain_thread_parks_inside)
{
	struct plan same = { &none, &group, &group }, other = { &none, &group, &group2 };

	two_stacks();
	CHECK_EQ(follows_plan(&same), 0);
	CHECK_EQ(follows_plan(&other), 0);
	no_stack();
}

static void *exits(void *arg, void *value)
{
	const char *text = arg;
	weft_cleanup node;

	weft_cleanup_push(&node, say, &text);
	if (value) {
		weft_coroutine *co = make_on(group, exits, "inner ");

		weft_resume(co, NULL, NULL);
	} else {
		weft_exit(3);
	}
	CHECK(!"continued");
	return NULL;
}

static int exits_inside(void *arg)
{
	weft_coroutine *co = make_on(group, exits, "outer ");
	const char *text = "task";
	weft_cleanup node;

	(void)arg;
	weft_cleanup_push(&node, say, &text);
	weft_resume(co, P(1), NULL);
	CHECK(!"continued");
	return 0;
}

static int joins_exiters(void *arg)
{
	(void)arg;
	one_stack();
	for (int i = 0; i < 2; i++) {
		weft_attr attr = { .shared = i ? group : NULL };
		weft_task *task;
		int result;

		notes[0] = '\0';
		CHECK_EQ(weft_spawn(&task, &attr, exits_inside, NULL), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
		CHECK_EQ(result, 3);
		CHECK_STR(notes, "inner outer task");
	}
	return 0;
}

/* Each frame is brought back for its cleanups. */
TEST(coroutine_shared, exit_inside_ends_the_task)
{
	CHECK_EQ(weft_run(1, joins_exiters, NULL, NULL), 0);
}
