/* SPDX-License-Identifier: MIT
 *
 * local.c - variables of which each task has its own: whose they are, and how they end.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include <base/fault.h>
#include <weft/weft.h>

#include "parties.h"

static weft_local_key *key_with(void (*destructor)(void *value))
{
	weft_local_key *key = NULL;

	CHECK_EQ(weft_local_key_new(&key, destructor), 0);
	CHECK(key != NULL);
	return key;
}

static void *number(intptr_t value)
{
	return (void *)value;
}

/* --- whose they are --------------------------------------------------------------------- */

static weft_local_key *shared_key;

static int keeps_its_own(void *arg)
{
	CHECK(!weft_local_get(shared_key));
	for (intptr_t i = 1; i < 50; i++) {
		CHECK_EQ(weft_local_set(shared_key, number((intptr_t)arg + i)), 0);
		CHECK_EQ(weft_sleep(i % 7 ? 0 : 50000), 0);
		CHECK_EQ(weft_local_get(shared_key), number((intptr_t)arg + i));
	}
	return 0;
}

static int a_crowd(void *unused)
{
	struct party parties[20];

	(void)unused;
	CHECK_EQ(weft_local_set(shared_key, number(7)), 0);
	for (unsigned i = 0; i < 20; i++)
		party_start(&parties[i], (enum kind)(i % KINDS), keeps_its_own,
			    number((intptr_t)i * 1000));
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(weft_local_get(shared_key), 7);
	return 0;
}

TEST(local, each_has_its_own)
{
	shared_key = key_with(NULL);
	a_crowd(NULL);
}

TEST(local, each_has_its_own_on_several_workers)
{
	shared_key = key_with(NULL);
	CHECK_EQ(weft_local_set(shared_key, number(1)), 0);
	CHECK_EQ(weft_run(3, a_crowd, NULL, NULL), 0);
	CHECK_EQ(weft_local_get(shared_key), 1);
}

static void *sees_it(void *arg, void *value)
{
	(void)arg;
	CHECK_EQ(weft_local_get(shared_key), 5);
	CHECK_EQ(weft_local_set(shared_key, number(6)), 0);
	value = weft_yield(value);
	CHECK_EQ(weft_local_get(shared_key), 8);
	return value;
}

static int resumes(void *unused)
{
	weft_coroutine *co;

	(void)unused;
	CHECK_EQ(weft_local_set(shared_key, number(5)), 0);
	CHECK_EQ(weft_coroutine_new(&co, sees_it, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	CHECK_EQ(weft_local_get(shared_key), 6);
	CHECK_EQ(weft_local_set(shared_key, number(8)), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 0);
	return weft_coroutine_free(co);
}

TEST(local, a_coroutine_sees_its_tasks)
{
	struct party party;

	shared_key = key_with(NULL);
	resumes(NULL); /* of a plain thread */
	party_start(&party, PRIVATE, resumes, NULL);
	CHECK_EQ(party_end(&party), 0);
}

static int finds_nothing(void *unused)
{
	(void)unused;
	CHECK(!weft_local_get(shared_key));
	return weft_local_set(shared_key, number(2));
}

/* The main task of weft_run() is another one; a runtime that a call makes is its thread. */
TEST(local, the_main_task_and_its_thread)
{
	shared_key = key_with(NULL);
	CHECK_EQ(weft_local_set(shared_key, number(1)), 0);
	CHECK_EQ(weft_run(1, finds_nothing, NULL, NULL), 0);
	CHECK_EQ(weft_local_get(shared_key), 1);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_sleep(1000), 0);
	CHECK(weft_self() != NULL);
	CHECK_EQ(weft_local_get(shared_key), 1);
}

static int looks(void *unused)
{
	(void)unused;
	return weft_local_get(shared_key) == NULL;
}

TEST(local, an_offloaded_function_sees_the_helpers)
{
	int ret = 0;

	shared_key = key_with(NULL);
	CHECK_EQ(weft_sleep(1000), 0);
	CHECK_EQ(weft_local_set(shared_key, number(1)), 0);
	CHECK_EQ(weft_offload(looks, NULL, &ret), 0);
	CHECK_EQ(ret, 1);
}

/* --- keys -------------------------------------------------------------------------------- */

TEST(local, many_keys_in_any_order)
{
	weft_local_key *keys[100];

	for (int i = 0; i < 100; i++)
		keys[i] = key_with(NULL);
	for (int i = 99; i >= 0; i -= 3)
		CHECK_EQ(weft_local_set(keys[i], &keys[i]), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(weft_local_get(keys[i]), i % 3 ? NULL : (void *)&keys[i]);
}

TEST(local, stale_and_foreign_keys)
{
	weft_local_key *key = key_with(NULL), *again;

	CHECK_EQ(weft_local_set(NULL, &key), -EINVAL);
	CHECK(!weft_local_get(NULL));
	CHECK_EQ(weft_local_key_free(NULL), 0);
	CHECK_EQ(weft_local_set((weft_local_key *)(uintptr_t)12345, &key), -EINVAL);
	CHECK(!weft_local_get((weft_local_key *)(uintptr_t)12345));
	CHECK_EQ(weft_local_key_free((weft_local_key *)(uintptr_t)12345), -EINVAL);

	CHECK_EQ(weft_local_set(key, &key), 0);
	CHECK_EQ(weft_local_key_free(key), 0);
	CHECK(!weft_local_get(key));
	CHECK_EQ(weft_local_set(key, &key), -EINVAL);
	CHECK_EQ(weft_local_key_free(key), -EINVAL);

	/* In the same place: the next one is the first free. */
	again = key_with(NULL);
	CHECK_EQ((uintptr_t)again % WEFT_LOCAL_KEYS, (uintptr_t)key % WEFT_LOCAL_KEYS);
	CHECK(!weft_local_get(again));
	CHECK_EQ(weft_local_set(again, number(3)), 0);
	CHECK(!weft_local_get(key));
	CHECK_EQ(weft_local_set(key, number(4)), -EINVAL);
	CHECK_EQ(weft_local_get(again), 3);
}

TEST(local, no_key_is_left)
{
	static weft_local_key *keys[WEFT_LOCAL_KEYS];
	weft_local_key *more = (weft_local_key *)&keys;
	unsigned count = 0;

	while (weft_local_key_new(&keys[count], NULL) == 0)
		count++;
	CHECK_EQ(count, WEFT_LOCAL_KEYS);
	CHECK_EQ(weft_local_key_new(&more, NULL), -EAGAIN);
	CHECK_EQ(more, (weft_local_key *)&keys);
	CHECK_EQ(weft_local_set(keys[WEFT_LOCAL_KEYS - 1], &more), 0);
	CHECK_EQ(weft_local_key_free(keys[500]), 0);
	CHECK_EQ(weft_local_key_new(&more, NULL), 0);
	CHECK_EQ(weft_local_get(keys[WEFT_LOCAL_KEYS - 1]), &more);
}

/* --- the end ------------------------------------------------------------------------------- */

static _Atomic int ended, ended_sum;
static weft_task *ended_in;
static int ended_with;

static void note_end(void *value)
{
	ended++;
	ended_sum += (int)(intptr_t)value;
	ended_in = weft_self();
	ended_with = weft_sleep(200000);
	CHECK_EQ(weft_self(), ended_in);
}

static int end_by_return(void *value)
{
	return weft_local_set(shared_key, value);
}

static int end_by_exit(void *value)
{
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	weft_exit(3);
}

static void *exits(void *unused, void *value)
{
	(void)unused;
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	weft_exit(4);
}

static int end_in_coroutine(void *value)
{
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, exits, NULL, NULL), 0);
	weft_resume(co, value, NULL);
	return 0;
}

static int end_by_cancel(void *value)
{
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	return weft_sleep_until(WEFT_FOREVER);
}

static int all_ends(void *unused)
{
	weft_fn *ways[] = { end_by_return, end_by_exit, end_in_coroutine };

	(void)unused;
	for (unsigned way = 0; way < 3; way++) {
		for (unsigned kind = 0; kind < KINDS; kind++) {
			struct party party;

			if (kind == THREAD)
				continue;
			ended = ended_sum = 0;
			party_start(&party, (enum kind)kind, ways[way], number(9));
			party_end(&party);
			CHECK_EQ(ended, 1);
			CHECK_EQ(ended_sum, 9);
			CHECK_EQ(ended_with, 0);
		}
	}
	return 0;
}

/* In the task, which may wait; a joiner comes after that. */
TEST(local, destructors_run_at_any_end)
{
	shared_key = key_with(note_end);
	all_ends(NULL);
}

TEST(local, destructors_run_at_any_end_on_several_workers)
{
	shared_key = key_with(note_end);
	CHECK_EQ(weft_run(2, all_ends, NULL, NULL), 0);
}

TEST(local, a_cancelled_task_is_refused_waits_in_a_destructor)
{
	weft_task *task;
	int ret = 0;

	shared_key = key_with(note_end);
	CHECK_EQ(weft_spawn(&task, NULL, end_by_cancel, number(2)), 0);
	CHECK_EQ(weft_sleep(1000), 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, -ECANCELED);
	CHECK_EQ(ended_sum, 2);
	CHECK_EQ(ended_with, -ECANCELED);
}

static int makes_a_daemon(void *unused)
{
	weft_attr attr = { .flags = WEFT_DAEMON };

	(void)unused;
	CHECK_EQ(weft_spawn(NULL, &attr, end_by_cancel, number(4)), 0);
	CHECK_EQ(weft_local_set(shared_key, number(1)), 0);
	return weft_sleep(1000);
}

TEST(local, the_end_of_a_runtime)
{
	shared_key = key_with(note_end);
	CHECK_EQ(weft_run(1, makes_a_daemon, NULL, NULL), 0);
	CHECK_EQ(ended, 2);
	CHECK_EQ(ended_sum, 5);
	CHECK_EQ(weft_run(2, makes_a_daemon, NULL, NULL), 0);
	CHECK_EQ(ended, 4);
	CHECK_EQ(ended_sum, 10);
}

static weft_local_key *second_key;

static void cleanup_sees(void *arg)
{
	CHECK_EQ(weft_local_get(shared_key), arg);
	CHECK_EQ(ended, 0);
}

static int pushes_a_cleanup(void *value)
{
	weft_cleanup node;

	CHECK_EQ(weft_cleanup_push(&node, cleanup_sees, value), 0);
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	weft_exit(0);
}

TEST(local, destructors_come_after_cleanups)
{
	struct party party;

	shared_key = key_with(note_end);
	party_start(&party, PRIVATE, pushes_a_cleanup, number(3));
	party_end(&party);
	CHECK_EQ(ended_sum, 3);
}

static void sets_again(void *value)
{
	ended++;
	CHECK(!weft_local_get(shared_key));
	CHECK_EQ(weft_local_set(shared_key, value), 0);
}

static void sets_the_first(void *value)
{
	ended_sum++;
	if (ended_sum == 1) /* one that has none yet, far behind: the vector moves */
		CHECK_EQ(weft_local_set(second_key, value), 0);
}

TEST(local, rounds_are_bounded)
{
	struct party party;

	shared_key = key_with(sets_again);
	party_start(&party, PRIVATE, end_by_return, number(1));
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(ended, WEFT_LOCAL_ROUNDS);
}

TEST(local, what_a_destructor_sets_is_destroyed_too)
{
	struct party party;

	shared_key = key_with(sets_the_first);
	for (int i = 0; i < 50; i++)
		second_key = key_with(note_end);
	party_start(&party, PRIVATE, end_by_return, number(40));
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(ended, 1);
	CHECK_EQ(ended_sum, 41);
}

static void exits_again(void *value)
{
	ended++;
	ended_sum += (int)(intptr_t)value;
	weft_exit(ended);
}

static int sets_three(void *keys)
{
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_local_set(((weft_local_key **)keys)[i], number(1 << i)), 0);
	return 0;
}

/* More than there are rounds. */
TEST(local, a_destructor_may_end_the_task_once_more)
{
	weft_local_key *keys[8];
	struct party party;
	int ret;

	for (int i = 0; i < 8; i++)
		keys[i] = key_with(exits_again);
	party_start(&party, PRIVATE, sets_three, keys);
	CHECK_EQ(weft_join(party.task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 8);
	CHECK_EQ(ended, 8);
	CHECK_EQ(ended_sum, 255);
}

static void always_exits_and_sets(void *value)
{
	ended++;
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	weft_exit(0);
}

TEST(local, rounds_are_bounded_also_when_each_ends_the_task)
{
	struct party party;

	shared_key = key_with(always_exits_and_sets);
	party_start(&party, PRIVATE, end_by_return, number(1));
	CHECK_EQ(weft_join(party.task, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(ended, WEFT_LOCAL_ROUNDS);
}

static int frees_its_key(void *value)
{
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	CHECK_EQ(weft_local_key_free(shared_key), 0);
	second_key = key_with(note_end);
	return 0;
}

TEST(local, no_destructor_for_a_key_that_is_gone)
{
	struct party party;

	shared_key = key_with(note_end);
	party_start(&party, PRIVATE, frees_its_key, number(1));
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(ended, 0);
}

static int sets_and_unsets(void *value)
{
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	CHECK_EQ(weft_local_set(shared_key, NULL), 0);
	return 0;
}

TEST(local, no_destructor_for_null)
{
	struct party party;

	shared_key = key_with(note_end);
	party_start(&party, PRIVATE, sets_and_unsets, number(1));
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(ended, 0);
}

/* --- threads -------------------------------------------------------------------------------- */

static void note_plainly(void *value)
{
	ended++;
	ended_sum += (int)(intptr_t)value;
	ended_in = weft_self();
}

static void *plain_thread(void *value)
{
	CHECK_EQ(weft_local_set(shared_key, value), 0);
	CHECK_EQ(weft_local_get(shared_key), value);
	return NULL;
}

static int does_nothing(void *unused)
{
	(void)unused;
	return 0;
}

/* It becomes a runtime, and waits at its end. */
static void *thread_with_tasks(void *value)
{
	weft_task *task;

	CHECK_EQ(weft_local_set(shared_key, value), 0);
	CHECK_EQ(weft_spawn(&task, NULL, does_nothing, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(weft_local_get(shared_key), value);
	return NULL;
}

/* Its first value is set when it is one already. */
static void *thread_with_late_values(void *value)
{
	CHECK_EQ(weft_sleep(1000), 0);
	return plain_thread(value);
}

static void run_thread(void *(*body)(void *arg))
{
	pthread_t thread;

	ended = ended_sum = 0;
	ended_in = NULL;
	CHECK_EQ(pthread_create(&thread, NULL, body, number(6)), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(ended, 1);
	CHECK_EQ(ended_sum, 6);
}

TEST(local, the_end_of_a_thread)
{
	shared_key = key_with(note_plainly);
	run_thread(plain_thread);
	CHECK(!ended_in);
}

TEST(local, the_end_of_a_thread_that_is_a_runtime)
{
	shared_key = key_with(note_end);
	run_thread(thread_with_tasks);
	CHECK(ended_in != NULL);
	CHECK_EQ(ended_with, 0);
	run_thread(thread_with_late_values);
	CHECK(ended_in != NULL);
	CHECK_EQ(ended_with, 0);
}

/* A destructor of pthreads, which sets a value when ours have been destroyed. */
static pthread_key_t late_key;

static void sets_late(void *value)
{
	CHECK_EQ(weft_local_set(shared_key, value), 0);
}

static void *thread_with_both(void *value)
{
	CHECK_EQ(weft_local_set(second_key, value), 0);
	CHECK_EQ(pthread_setspecific(late_key, value), 0);
	return NULL;
}

TEST(local, a_thread_sets_while_it_ends)
{
	shared_key = key_with(note_plainly);
	second_key = key_with(NULL);
	/* Ours comes first, with the first value that is ever set in a thread. */
	run_thread(plain_thread);
	CHECK_EQ(pthread_key_create(&late_key, sets_late), 0);
	run_thread(thread_with_both);
}

/* --- memory ----------------------------------------------------------------------------------- */

static int runs_out(void *unused)
{
	weft_local_key *far_key = second_key;
	unsigned n;

	(void)unused;
	/* Its ext, then its vector. */
	for (n = 1;; n++) {
		int rc;

		weft__fault_fail(n);
		rc = weft_local_set(shared_key, number(1));
		if (!weft__fault_fired())
			break;
		CHECK_EQ(rc, -ENOMEM);
		CHECK(!weft_local_get(shared_key));
	}
	CHECK_GT(n, 1);
	CHECK_EQ(weft_local_get(shared_key), 1);
	weft__fault_fail(1);
	CHECK_EQ(weft_local_set(shared_key, number(2)), 0); /* takes nothing */
	CHECK_EQ(weft_local_set(far_key, NULL), 0);
	CHECK(!weft_local_get(far_key));
	CHECK(!weft__fault_fired());
	CHECK_EQ(weft_local_set(far_key, number(3)), -ENOMEM);
	CHECK(weft__fault_fired());
	CHECK_EQ(weft_local_get(shared_key), 2);
	CHECK(!weft_local_get(far_key));
	CHECK_EQ(weft_local_set(far_key, number(3)), 0);
	CHECK_EQ(weft_local_get(shared_key), 2);
	return 0;
}

static void *thread_runs_out(void *unused)
{
	runs_out(unused);
	return NULL;
}

TEST(local, without_memory_nothing_changes)
{
	pthread_t thread;
	struct party party;

	shared_key = key_with(NULL);
	for (int i = 0; i < 30; i++)
		second_key = key_with(NULL);
	party_start(&party, PRIVATE, runs_out, NULL);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(pthread_create(&thread, NULL, thread_runs_out, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* --- typed -------------------------------------------------------------------------------------- */

struct request {
	int number;
	char text[100];
};

WEFT_LOCAL(struct request, request);
WEFT_LOCAL(int, counter);

static int uses_typed(void *arg)
{
	struct request *mine = request();

	CHECK_EQ(mine->number, 0);
	CHECK_STR(mine->text, "");
	CHECK_EQ(*counter(), 0);
	mine->number = (int)(intptr_t)arg;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_sleep(0), 0);
		++*counter();
		CHECK_EQ(request(), mine);
	}
	CHECK_EQ(*counter(), 20);
	CHECK_EQ(request()->number, (int)(intptr_t)arg);
	return 0;
}

static int many_use_typed(void *unused)
{
	struct party parties[20];

	(void)unused;
	for (unsigned i = 0; i < 20; i++)
		party_start(&parties[i], (enum kind)(i % KINDS), uses_typed, number(i + 1));
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	return 0;
}

TEST(local, typed_variables)
{
	many_use_typed(NULL);
	CHECK_EQ(weft_run(1, many_use_typed, NULL, NULL), -EBUSY);
}

/* Threads and workers make the key at once, and agree. */
TEST(local, typed_variables_on_several_workers)
{
	CHECK_EQ(weft_run(3, many_use_typed, NULL, NULL), 0);
}

/* In the last round, when it has been freed before: it is not lost. */
static void uses_another(void *value)
{
	ended++;
	CHECK_EQ(*counter(), ended == 1 ? 20 : 0);
	CHECK_EQ(weft_local_set(shared_key, value), 0);
}

static int uses_both(void *unused)
{
	uses_typed(unused);
	return weft_local_set(shared_key, number(1));
}

TEST(local, a_destructor_uses_a_typed_variable)
{
	struct party party;

	shared_key = key_with(uses_another); /* before counter's, in order of places */
	party_start(&party, PRIVATE, uses_both, NULL);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(ended, WEFT_LOCAL_ROUNDS);
}

static int typed_runs_out(void *unused)
{
	unsigned n;

	(void)unused;
	for (n = 1;; n++) {
		weft__fault_fail(n);
		if (counter())
			break;
		CHECK(weft__fault_fired());
	}
	CHECK_EQ(n, 4); /* the variable, the task's ext, its vector */
	return 0;
}

TEST(local, typed_variables_without_memory)
{
	struct party party;

	party_start(&party, PRIVATE, typed_runs_out, NULL);
	CHECK_EQ(party_end(&party), 0);
}

TEST(local, typed_variables_without_keys)
{
	weft_local_key *keys[WEFT_LOCAL_KEYS];

	for (unsigned i = 0; i < WEFT_LOCAL_KEYS; i++)
		keys[i] = key_with(NULL);
	CHECK(!counter());
	CHECK_EQ(weft_local_key_free(keys[3]), 0);
	CHECK_EQ(*counter(), 0);
	CHECK(!request());
}
