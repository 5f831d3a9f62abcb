/* SPDX-License-Identifier: MIT
 *
 * parties.h - who takes part in the tests of locks, channels and their like: tasks of every kind
 * and plain threads, started and awaited alike.
 */
#ifndef WEFT_TESTS_UNIT_PARTIES_H
#define WEFT_TESTS_UNIT_PARTIES_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <core/task_each.h>
#include <weft/weft.h>

#include "../test.h"

enum kind { PRIVATE, SHARED, MOVABLE, SPREAD, THREAD, KINDS };

struct party {
	enum kind kind;
	weft_fn *fn;
	void *arg;
	int result;
	_Atomic bool over;
	weft_task *task;
	pthread_t thread;
};

static inline int party_body(void *arg)
{
	struct party *party = arg;

	party->result = party->fn(party->arg);
	atomic_store(&party->over, true);
	return party->result;
}

static inline void *party_thread(void *arg)
{
	party_body(arg);
	return NULL;
}

/** Of the calling thread; made at its first use. */
static inline weft_stack_group *party_group(void)
{
	static __thread weft_stack_group *group;

	if (!group)
		CHECK_EQ(weft_stack_group_new(&group, 1, 0), 0);
	return group;
}

/** Its body's frame may be on a shared stack: what others look at lies elsewhere. */
static inline void party_start(struct party *party, enum kind kind, weft_fn *fn, void *arg)
{
	static const unsigned flags[KINDS] = { [MOVABLE] = WEFT_MIGRATE, [SPREAD] = WEFT_SPREAD };
	weft_attr attr = { .flags = flags[kind] };

	*party = (struct party){ .kind = kind, .fn = fn, .arg = arg };
	if (kind == SHARED)
		attr.shared = party_group();
	if (kind == THREAD)
		CHECK_EQ(pthread_create(&party->thread, NULL, party_thread, party), 0);
	else
		CHECK_EQ(weft_spawn(&party->task, &attr, party_body, party), 0);
}

/** What its body returned. The tasks of the calling thread run meanwhile. */
static inline int party_end(struct party *party)
{
	int result;

	if (party->kind != THREAD) {
		CHECK_EQ(weft_join(party->task, WEFT_FOREVER, &result), 0);
		return result;
	}
	while (!atomic_load(&party->over))
		CHECK_EQ(weft_sleep(50000), 0);
	CHECK_EQ(pthread_join(party->thread, NULL), 0);
	return party->result;
}

/** Gives the others, in this thread and elsewhere, time to come to their wait. */
static inline void let_others(void)
{
	for (int i = 0; i < 20; i++)
		weft_task_yield();
	CHECK_EQ(weft_sleep(2000000), 0);
}

struct waiters {
	const void *object;
	int count;
};

static inline bool count_waiter(struct task *task, void *arg)
{
	struct waiters *waiters = arg;
	struct task_view view;

	if (weft__task_view(task, &view) && view.waiting && view.copy.task.state == WAIT_OBJECT &&
	    waited_object(&view.copy.task) == waiters->object)
		waiters->count++;
	return true;
}

/** Lets others run until so many parties wait for @object, which begins with its waitable. */
static inline void await_waiters(const void *object, int count)
{
	struct waiters waiters = { object, 0 };
	struct task_visitor visitor = { .task = count_waiter, .arg = &waiters };

	for (;;) {
		weft_task_yield();
		waiters.count = 0;
		weft__task_each(&visitor);
		if (waiters.count >= count)
			return;
		CHECK_EQ(weft_sleep(50000), 0);
	}
}

/** Runs fn(arg) as main of a runtime of so many workers. */
static inline void run_on(unsigned workers, weft_fn *fn, void *arg)
{
	CHECK_EQ(weft_run(workers, fn, arg, NULL), 0);
}

/** Each of two kinds of parties, as a number that both kinds can be had from. */
enum { PAIRS = KINDS * KINDS };

static inline enum kind first_of(int pair)
{
	return (enum kind)(pair / KINDS);
}

static inline enum kind second_of(int pair)
{
	return (enum kind)(pair % KINDS);
}

/** What weft_dump() says just now. */
static inline const char *dump_text(void)
{
	static char text[1 << 16];
	int fd = memfd_create("dump", MFD_CLOEXEC);
	ssize_t length;

	CHECK_GE(fd, 0);
	CHECK_EQ(weft_dump(fd), 0);
	length = pread(fd, text, sizeof(text) - 1, 0);
	CHECK_GT(length, 0);
	text[length] = '\0';
	close(fd);
	return text;
}

static inline void check_said(const char *text, const char *needle)
{
	if (!strstr(text, needle))
		test_fail_strings(__FILE__, __LINE__, "the dump lacks", needle, text);
}

#endif
