/* SPDX-License-Identifier: MIT
 *
 * parties.h - the same body as each kind of party that an object may meet: a task on a
 * private stack, one on a shared stack, and a plain thread.
 */
#ifndef WEFT_TESTS_UNIT_PARTIES_H
#define WEFT_TESTS_UNIT_PARTIES_H

#include <pthread.h>
#include <stdbool.h>

#include <weft/task.h>

#include "../test.h"

enum party_kind { PARTY_TASK, PARTY_SHARED, PARTY_THREAD, PARTY_KINDS };

struct test_party {
	enum party_kind kind;
	weft_fn *fn;
	void *arg;
	weft_task *task;
	pthread_t thread;
	int ret;
	_Atomic bool ended;
};

static inline void *party_thread_main(void *arg)
{
	struct test_party *party = arg;

	party->ret = party->fn(party->arg);
	party->ended = true;
	return NULL;
}

static inline weft_stack_group *party_group(void)
{
	static __thread weft_stack_group *group;

	if (!group)
		CHECK_EQ(weft_stack_group_new(&group, 1, 64 << 10), 0);
	return group;
}

static inline void party_start(struct test_party *party, enum party_kind kind, weft_fn *fn,
			       void *arg)
{
	weft_attr attr = { .shared = kind == PARTY_SHARED ? party_group() : NULL };

	*party = (struct test_party){ .kind = kind, .fn = fn, .arg = arg };
	if (kind == PARTY_THREAD)
		CHECK_EQ(pthread_create(&party->thread, NULL, party_thread_main, party), 0);
	else
		CHECK_EQ(weft_spawn(&party->task, &attr, fn, arg), 0);
}

/** Waits for its end; others of this runtime run meanwhile. Return: what the body returned. */
static inline int party_join(struct test_party *party)
{
	if (party->kind != PARTY_THREAD) {
		CHECK_EQ(weft_join(party->task, WEFT_FOREVER, &party->ret), 0);
		return party->ret;
	}
	while (!party->ended)
		CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(pthread_join(party->thread, NULL), 0);
	return party->ret;
}

/** Lets tasks run until they wait; gives threads the time to. Nothing may depend on it but
 * which of two right ways is taken. */
static inline void let_others_wait(void)
{
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_sleep(1000000), 0);
}

#endif
