/* SPDX-License-Identifier: MIT
 *
 * shared.c - rows 24 and 25: pointers into frames that are off their shared stack, and copies
 * that find no memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <base/compiler.h>
#include <stack/shared.h>
#include <test.h>
#include <weft/weft.h>

/* --- 24: a pointer into another's vacated stack ---------------------------------------- */

struct thing {
	struct thing *self;
	unsigned char bytes[64];
};

static struct thing *volatile escaped;
static weft_attr attr = { .name = "lender" }, reader = { .name = "reader" };

static int suspend(void)
{
	return weft_sleep(20000000);
}

/* Its thing lies deep below, where the frames of a small task do not come. */
static noinline int lend_from_below(void)
{
	struct thing room[(16 << 10) / sizeof(struct thing)], *mine = &room[0];
	int rc;

	memset(room, 0x11, sizeof(room));
	mine->self = mine;
	escaped = mine;
	rc = suspend();
	CHECK_EQ(mine->self, mine); /* for its owner it is as it was */
	for (size_t i = 0; i < sizeof(mine->bytes); i++)
		CHECK_EQ(mine->bytes[i], 0x11);
	return rc;
}

static int lend(void *unused)
{
	(void)unused;
	return lend_from_below();
}

static int look(void *unused)
{
	struct thing *stale = escaped;

	(void)unused;
	CHECK_EQ(weft_task_yield(), 0); /* the stack is ours: lender's frames are gone */
#if WEFT_POISON_VACATED
	CHECK_EQ((uintptr_t)stale->self, UINT64_C(0x0101010101010101) * WEFT_POISON_BYTE);
	for (size_t i = 0; i < sizeof(stale->bytes); i++)
		CHECK_EQ(stale->bytes[i], WEFT_POISON_BYTE);
#endif
	/* A write through it is lost, and does no harm to its owner. */
	memset(stale->bytes, 0x22, sizeof(stale->bytes));
	return 3;
}

static int spawn_pair(weft_fn *second, weft_task **tasks)
{
	int result;

	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 0), 0);
	reader.shared = attr.shared;
	CHECK_EQ(weft_spawn(&tasks[0], &attr, lend, NULL), 0);
	CHECK_EQ(weft_spawn(&tasks[1], &reader, second, NULL), 0);
	CHECK_EQ(weft_join(tasks[1], WEFT_FOREVER, &result), 0);
	return result;
}

TEST(shared, row24_what_is_read_there_shows)
{
	weft_task *tasks[2];
	int result;

	CHECK_EQ(spawn_pair(look, tasks), 3);
	CHECK_EQ(weft_join(tasks[0], WEFT_FOREVER, &result), 0);
	CHECK_EQ(result, 0);
	CHECK_EQ(weft_stack_group_free(attr.shared), 0);
}

#if WEFT_POISON_VACATED && !WEFT_ASAN && !WEFT_TSAN
static int follow(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_task_yield(), 0);
	return escaped->self->bytes[3]; /* "self" is poison */
}

static void die_following(void *unused)
{
	weft_task *tasks[2];

	(void)unused;
	spawn_pair(follow, tasks);
}

TEST(shared, row24_a_pointer_that_comes_from_there_is_explained)
{
	struct death death = run_to_death(die_following, NULL);

	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "weft: task ") != NULL);
	CHECK(strstr(death.text, "\"reader\" (spawned at ") != NULL);
	CHECK(strstr(death.text, "a pointer that it has read from frames that are not there") !=
	      NULL);
}

static void die_otherwise(void *unused)
{
	volatile uintptr_t nowhere = 8;

	(void)unused;
	CHECK_EQ(weft_sleep(1), 0);
	*(volatile int *)nowhere = 1;
}

TEST(shared, row24_other_faults_are_not_called_so)
{
	struct death death = run_to_death(die_otherwise, NULL);

	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "frames") == NULL);
}
#endif

/* --- 25: no memory for the copy ----------------------------------------------------------- */

enum { TASKS = 5, TURNS = 40, BYTES = 1500 /* a copy is a request of its own */ };

/* Every n-th request fails, again and again. */
static unsigned every;
static unsigned failed;

static void arm_again(void)
{
	if (every && weft__fault_fired()) {
		failed++;
		weft__fault_fail(every);
	}
}

static unsigned char byte_of(int id, int turn, int i)
{
	return (unsigned char)(id * 31 + turn * 7 + i);
}

/* Frames of a size of its own, full of what only it knows. */
static noinline int keep_bytes(int id, int turn, int (*leave)(void))
{
	volatile unsigned char bytes[BYTES];
	int rc;

	for (int i = 0; i < BYTES; i++)
		bytes[i] = byte_of(id, turn, i);
	rc = leave();
	for (int i = 0; i < BYTES; i++)
		CHECK_EQ(bytes[i], byte_of(id, turn, i));
	return rc;
}

static int yield_task(void)
{
	arm_again();
	return weft_task_yield();
}

static int sleep_task(void)
{
	int rc;

	arm_again();
	rc = weft_sleep(10000);
	CHECK(rc == 0 || rc == -ENOMEM);
	return rc;
}

static int turns[TASKS];

static int take_turns(void *arg)
{
	int id = (int)(intptr_t)arg;

	for (int turn = 0; turn < TURNS; turn++) {
		keep_bytes(id, turn, turn % 3 ? yield_task : sleep_task);
		turns[id]++;
	}
	return id;
}

static void run_tasks(unsigned n)
{
	weft_attr sharing = { 0 };
	weft_task *tasks[TASKS];

	CHECK_EQ(weft_stack_group_new(&sharing.shared, 2, 0), 0);
	memset(turns, 0, sizeof(turns));
	for (intptr_t i = 0; i < TASKS; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &sharing, take_turns, (void *)i), 0);
	every = n;
	weft__fault_fail(n);
	for (int i = 0; i < TASKS; i++) {
		int result = -1;

		while (weft_join(tasks[i], WEFT_FOREVER, &result) == -ENOMEM)
			;
		CHECK_EQ(result, i);
		CHECK_EQ(turns[i], TURNS);
	}
	every = 0;
	weft__fault_fail(0);
	CHECK_EQ(weft_stack_group_free(sharing.shared), 0);
}

TEST_LIMIT(shared, row25_every_nth_copy_of_a_task_fails, 60)
{
	for (unsigned n = 1; n <= 20; n++) {
		failed = 0;
		run_tasks(n);
		CHECK_GT(failed, 0);
	}
}

/* Coroutines say it: the resume fails, nothing has changed, and it works the next time. */
static int yield_coroutine(void)
{
	int rc;

	arm_again();
	do {
		rc = weft_yield_with((void *)1, NULL);
		CHECK(rc == 0 || rc == -ENOMEM);
	} while (rc < 0);
	return rc;
}

static void *take_turns_inside(void *arg, void *value)
{
	int id = (int)(intptr_t)arg;

	for (int turn = 0; turn < TURNS; turn++) {
		keep_bytes(id, turn, yield_coroutine);
		turns[id]++;
	}
	return value;
}

static int resume_for_sure(weft_coroutine *co)
{
	int rc;

	arm_again();
	do
		rc = weft_resume(co, (void *)5, NULL);
	while (rc == -ENOMEM);
	CHECK_GE(rc, 0);
	return rc;
}

static int run_coroutines(void *group)
{
	weft_attr sharing = { .shared = group };
	weft_coroutine *cos[TASKS];
	int alive = TASKS;

	memset(turns, 0, sizeof(turns));
	for (intptr_t i = 0; i < TASKS; i++)
		CHECK_EQ(weft_coroutine_new(&cos[i], take_turns_inside, (void *)i, &sharing), 0);
	weft__fault_fail(every);
	while (alive > 0) {
		for (int i = 0; i < TASKS; i++)
			if (weft_coroutine_status(cos[i]) != WEFT_DEAD)
				alive -= resume_for_sure(cos[i]) == 0;
	}
	weft__fault_fail(0);
	for (int i = 0; i < TASKS; i++) {
		CHECK_EQ(turns[i], TURNS);
		CHECK_EQ(weft_coroutine_free(cos[i]), 0);
	}
	return 0;
}

TEST_LIMIT(shared, row25_every_nth_copy_of_a_coroutine_fails, 60)
{
	weft_attr sharing = { 0 };

	CHECK_EQ(weft_stack_group_new(&sharing.shared, 2, 0), 0);
	for (every = 1; every <= 20; every++) {
		failed = 0;
		run_coroutines(sharing.shared);
		CHECK_GT(failed, 0);
	}
	every = 0;
	CHECK_EQ(weft_stack_group_free(sharing.shared), 0);
}

/* The resumer is a task on the same stack, and steps aside for those it resumes. */
TEST_LIMIT(shared, row25_coroutines_on_their_resumers_stack, 60)
{
	weft_attr sharing = { 0 };

	CHECK_EQ(weft_stack_group_new(&sharing.shared, 1, 0), 0);
	for (every = 1; every <= 20; every++) {
		weft_task *task;
		int result = -1, rc;

		failed = 0;
		CHECK_EQ(weft_spawn(&task, &sharing, run_coroutines, sharing.shared), 0);
		do
			rc = weft_join(task, WEFT_FOREVER, &result);
		while (rc == -ENOMEM);
		CHECK_EQ(rc, 0);
		CHECK_EQ(result, 0);
		CHECK_GT(failed, 0);
	}
	every = 0;
	CHECK_EQ(weft_stack_group_free(sharing.shared), 0);
}

/* Tasks park inside of coroutines, both on one stack: the way back takes a detour. */
static void *sleep_inside(void *arg, void *value)
{
	int id = (int)(intptr_t)arg;

	for (int turn = 0; turn < TURNS / 4; turn++) {
		keep_bytes(id, turn, sleep_task);
		turns[id]++;
		while (weft_yield_with(value, &value) == -ENOMEM)
			;
	}
	return value;
}

static weft_stack_group *both;

static int park_inside(void *arg)
{
	weft_attr sharing = { .shared = both };
	weft_coroutine *co;

	while (weft_coroutine_new(&co, sleep_inside, arg, &sharing) == -ENOMEM)
		;
	while (resume_for_sure(co))
		;
	CHECK_EQ(weft_coroutine_free(co), 0);
	return (int)(intptr_t)arg;
}

TEST_LIMIT(shared, row25_tasks_that_park_inside_coroutines, 60)
{
	weft_attr sharing = { 0 };

	CHECK_EQ(weft_stack_group_new(&both, 1, 0), 0);
	sharing.shared = both;
	for (every = 2; every <= 20; every++) {
		weft_task *tasks[TASKS];
		int result;

		memset(turns, 0, sizeof(turns));
		for (intptr_t i = 0; i < TASKS; i++)
			CHECK_EQ(weft_spawn(&tasks[i], &sharing, park_inside, (void *)i), 0);
		failed = 0;
		weft__fault_fail(every);
		for (int i = 0; i < TASKS; i++) {
			while (weft_join(tasks[i], WEFT_FOREVER, &result) == -ENOMEM)
				;
			CHECK_EQ(result, i);
			CHECK_EQ(turns[i], TURNS / 4);
		}
		weft__fault_fail(0);
		CHECK_GT(failed, 0);
	}
	CHECK_EQ(weft_stack_group_free(both), 0);
}
