/* SPDX-License-Identifier: MIT
 *
 * fibers.c - TSan is told of every switch: wherever an execution goes on after one,
 * it is the fiber it was before, in as many functions as before. TSan itself is asked:
 * it notes both for each allocation.
 */
#include <stdlib.h>

#include <base/sanitizer.h>
#include <test.h>
#include <weft/coroutine.h>
#include <weft/task.h>
#include <weft/time.h>

#if WEFT_TSAN
int __tsan_get_alloc_stack(void *addr, void **trace, size_t size, int *thread_id, void *os_id);
#else
static int __tsan_get_alloc_stack(void *addr, void **trace, size_t size, int *thread_id,
				  void *os_id)
{
	(void)addr, (void)trace, (void)size, (void)os_id;
	*thread_id = 0;
	return 0;
}
#endif

/* Where TSan believes us to be. */
struct place {
	int depth, fiber;
};

static noinline struct place here(void)
{
	void *trace[128], *block = malloc(1);
	uint64_t os_id;
	struct place place;

	place.depth = __tsan_get_alloc_stack(block, trace, 128, &place.fiber, &os_id);
	free(block);
	return place;
}

/* @call switches, once or more, and comes back as if it had not. */
#define STAYS(call)                                     \
	do {                                            \
		struct place stays__before = here();    \
		call;                                   \
		stays(stays__before, here(), __LINE__); \
	} while (0)

static void stays(struct place before, struct place after, int line)
{
	if (before.depth != after.depth)
		test_fail_values(__FILE__, line, "in as many functions", before.depth, after.depth);
	if (before.fiber != after.fiber)
		test_fail_values(__FILE__, line, "the same fiber", before.fiber, after.fiber);
}

#if defined(__clang__) ? __clang_major__ >= 14 : __GNUC__ >= 13
#define FIBERS_ARE_REUSED 0
#else
#define FIBERS_ARE_REUSED 1 /* base/sanitizer.c */
#endif

enum { TURNS = 3 };

/* --- parking, yielding and ending, on every kind of stack ------------------------ */

static weft_stack_group *none, *one, *two;

struct plan {
	weft_stack_group **task, **outer, **inner;
};

static weft_coroutine *make_on(weft_stack_group *on, weft_coroutine_fn *fn, void *arg)
{
	weft_attr attr = { .shared = on };
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, fn, arg, &attr), 0);
	return co;
}

static void *parks_and_yields(void *arg, void *value)
{
	for (int i = 0; i < TURNS; i++) {
		STAYS(weft_task_yield());
		STAYS(weft_yield(arg));
		STAYS(weft_sleep(1));
	}
	return value;
}

static void *resumes_inner(void *arg, void *value)
{
	const struct plan *plan = arg;
	weft_coroutine *co = make_on(*plan->inner, parks_and_yields, NULL);

	for (int i = 0; i < TURNS + 1; i++) {
		STAYS(weft_resume(co, NULL, NULL));
		STAYS(weft_task_yield());
		STAYS(weft_yield(NULL));
	}
	STAYS(CHECK_EQ(weft_coroutine_reset(co, parks_and_yields, NULL), 0));
	STAYS(weft_resume(co, NULL, NULL));
	STAYS(CHECK_EQ(weft_coroutine_free(co), 0)); /* suspended */
	return value;
}

static int follows_plan(void *arg)
{
	const struct plan *plan = arg;
	weft_coroutine *co = make_on(*plan->outer, resumes_inner, arg);

	for (int i = 0; i < TURNS + 2; i++) {
		STAYS(CHECK_EQ(weft_resume(co, NULL, NULL), i < TURNS + 1));
		STAYS(weft_task_yield());
	}
	CHECK_EQ(weft_coroutine_free(co), 0);
	return 0;
}

TEST(fibers, stay_whatever_they_stand_on)
{
	weft_stack_group **ways[] = { &none, &one, &two };
	static struct plan plans[27];
	weft_task *tasks[27 * 2];

	CHECK_EQ(weft_stack_group_new(&one, 1, 64 << 10), 0);
	CHECK_EQ(weft_stack_group_new(&two, 1, 64 << 10), 0);
	for (int i = 0; i < 27; i++)
		plans[i] = (struct plan){ ways[i / 9], ways[i / 3 % 3], ways[i % 3] };
	for (int i = 0; i < 27 * 2; i++) {
		weft_attr attr = { .shared = *plans[i % 27].task };

		CHECK_EQ(weft_spawn(&tasks[i], &attr, follows_plan, &plans[i % 27]), 0);
	}
	for (int i = 0; i < 27 * 2; i++)
		STAYS(CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0));
}

/* --- the other ways to leave ------------------------------------------------------- */

static void ignore(void *arg)
{
	(void)arg;
}

static void *transfers(void *arg, void *value)
{
	weft_coroutine **peers = arg;
	weft_cleanup node;

	CHECK_EQ(weft_cleanup_push(&node, ignore, NULL), 0);
	for (;;) {
		weft_coroutine *peer = peers[peers[0] == weft_coroutine_self()];

		STAYS(CHECK_EQ(weft_transfer(peer, value, &value), 0));
		STAYS(weft_yield(NULL));
	}
}

static void *yields(void *arg, void *value)
{
	STAYS(value = weft_yield(arg));
	return value;
}

static void *transfers_to_yields(void *arg, void *value)
{
	STAYS(CHECK_EQ(weft_transfer(arg, value, &value), 0));
	return value;
}

/* Who yields has been resumed by nobody: it goes where its peer would. */
static void check_heir(weft_stack_group *a, weft_stack_group *b)
{
	weft_coroutine *heir = make_on(b, yields, NULL),
		       *co = make_on(a, transfers_to_yields, heir);

	STAYS(CHECK_EQ(weft_resume(co, NULL, NULL), 1));
	STAYS(CHECK_EQ(weft_resume(co, NULL, NULL), 0));
	CHECK_EQ(weft_coroutine_free(co), 0);
	CHECK_EQ(weft_coroutine_free(heir), 0);
}

static void check_transfers(weft_stack_group *a, weft_stack_group *b)
{
	weft_coroutine *peers[2];

	peers[0] = make_on(a, transfers, peers);
	peers[1] = make_on(b, transfers, peers);
	for (int i = 0; i < 2 * TURNS; i++)
		STAYS(CHECK_EQ(weft_resume(peers[i % 2], NULL, NULL), 1));
	for (int i = 0; i < 2; i++) /* their cleanups run */
		STAYS(CHECK_EQ(weft_coroutine_free(peers[i]), 0));
}

TEST(fibers, stay_across_transfers)
{
	CHECK_EQ(weft_stack_group_new(&one, 1, 64 << 10), 0);
	check_transfers(NULL, NULL);
	check_transfers(one, NULL);
	check_transfers(one, one);
	check_heir(NULL, NULL);
	check_heir(one, NULL);
	check_heir(one, one);
}

static void *exits(void *arg, void *value)
{
	(void)arg, (void)value;
	weft_exit(7);
}

static int exits_inside(void *arg)
{
	weft_coroutine *co = make_on(arg, exits, NULL);

	weft_resume(co, NULL, NULL);
	return 0;
}

TEST(fibers, stay_when_others_exit)
{
	weft_stack_group *ways[] = { NULL, one };
	weft_task *task;
	int ret;

	CHECK_EQ(weft_stack_group_new(&one, 1, 64 << 10), 0);
	ways[1] = one;
	for (int i = 0; i < 4; i++) {
		weft_attr attr = { .shared = ways[i / 2] };

		CHECK_EQ(weft_spawn(&task, &attr, exits_inside, ways[i % 2]), 0);
		STAYS(CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0));
		CHECK_EQ(ret, 7);
	}
}

static void *tells_depth(void *arg, void *value)
{
	(void)value;
	*(int *)arg = here().depth;
	weft_yield(NULL);
	return NULL;
}

TEST(fibers, begin_anew_after_a_reset)
{
	weft_coroutine *co;
	int first, second;

	co = make_on(NULL, tells_depth, &first);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(weft_coroutine_reset(co, tells_depth, &second), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	if (!FIBERS_ARE_REUSED) /* such a fiber still has its last life's */
		CHECK_EQ(first, second);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

/* --- more of them than TSan bears ---------------------------------------------------- */

static noinline int deep(int frames)
{
	int sum = 0;

	if (frames > 0)
		sum = deep(frames - 1) + 1;
	else
		for (int i = 0; i < TURNS; i++)
			weft_yield(NULL);
	__asm__ volatile("" : "+r"(sum)); /* or it becomes a loop */
	return sum;
}

static void *goes_deep(void *arg, void *value)
{
	(void)value;
	return (void *)(intptr_t)deep((int)(intptr_t)arg);
}

/* They return from functions that they have entered on another fiber, and all of
 * them are in more functions than one fiber can be. */
TEST_LIMIT(fibers, a_crowd_is_kept_in_bounds, 60)
{
	enum { CROWD = 1500, FRAMES = FIBERS_ARE_REUSED ? 50 : 400 };
	static weft_coroutine *cos[CROWD];

	for (int i = 0; i < CROWD; i++)
		cos[i] = make_on(NULL, goes_deep, (void *)(intptr_t)(i % FRAMES));
	for (int alive = 1; alive;) {
		alive = 0;
		for (int i = 0; i < CROWD; i++) {
			void *out = NULL;
			int rc;

			if (weft_coroutine_status(cos[i]) == WEFT_DEAD)
				continue;
			STAYS(rc = weft_resume(cos[i], NULL, &out));
			CHECK_GE(rc, 0);
			alive |= rc;
			if (rc == 0)
				CHECK_EQ(out, i % FRAMES);
		}
	}
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(weft_coroutine_free(cos[i]), 0);
}
