/* SPDX-License-Identifier: MIT
 *
 * inbox.c - two threads push tasks to a worker, which takes all that is there, again and
 * again: each task comes once, those of one thread in their order. A task that has been
 * taken is pushed again at once, so that the head comes back to what it was.
 */
#include <core/inbox.h>

#include "../test.h"
#include "model.h"

enum { TASKS = 4 };

static struct {
	_Atomic(struct task *) inbox;
	struct task tasks[TASKS];
	bool taken[TASKS + 2];
	unsigned again;
} shared;

static struct task *const tasks = shared.tasks;

static void setup(void)
{
	memset(&shared, 0, sizeof shared);
}

static void push(unsigned number)
{
	model_writes(&tasks[number]);
	tasks[number].result = (int)number + 1;
	inbox_push(&shared.inbox, &tasks[number]);
}

static void first_pusher(void)
{
	push(0);
	push(1);
}

static void second_pusher(void)
{
	push(2);
	push(3);
}

/* The first of a batch goes back once, by another way than it came. */
static void see(struct task *task)
{
	unsigned number = (unsigned)(task - tasks);

	MODEL_CHECK(number < TASKS);
	model_writes(task);
	MODEL_CHECK(task->result == (int)number + 1 || task->result == TASKS + 1);
	if (task->result == TASKS + 1) {
		number = TASKS;
	} else {
		MODEL_CHECK(number % 2 == 0 || shared.taken[number - 1]);
	}
	MODEL_CHECK(!shared.taken[number]);
	shared.taken[number] = true;
}

static bool drain(void)
{
	struct task *list = inbox_take(&shared.inbox);

	if (!list)
		return false;
	while (list) {
		struct task *next = list->next;

		see(list);
		list = next;
	}
	return true;
}

static void worker(void)
{
	for (unsigned round = 0; round < 3; round++) {
		drain();
		model_checkpoint(round);
	}
}

/* As worker(), and what it has taken it pushes again, once. */
static void recycler(void)
{
	for (unsigned round = 0; round < 3; round++) {
		struct task *last = inbox_take(&shared.inbox);

		for (struct task *next; last; last = next) {
			next = last->next;
			see(last);
			if (!shared.again) {
				shared.again = 1;
				last->result = TASKS + 1;
				inbox_push(&shared.inbox, last);
			}
		}
		model_checkpoint(round);
	}
}

static void check(void)
{
	drain();
	for (unsigned i = 0; i < TASKS; i++)
		MODEL_CHECK(shared.taken[i]);
	MODEL_CHECK(shared.taken[TASKS] == shared.again);
}

#define INBOX_MODEL(...)                                                       \
	{                                                                      \
		__VA_ARGS__, .setup = setup, .check = check, .state = &shared, \
			     .state_bytes = sizeof shared, .tso = true         \
	}

static const struct model plain = INBOX_MODEL(.name = "inbox, two pushers",
					      .threads = { worker, first_pusher, second_pusher });
static const struct model again = INBOX_MODEL(.name = "inbox, tasks come again",
					      .threads = { recycler, first_pusher, second_pusher });

TEST(inbox, each_task_comes_once_and_in_order)
{
	model_must_hold(&plain);
}

TEST(inbox, tasks_that_come_again)
{
	model_must_hold(&again);
}

TEST(inbox, found_push_stores_where_it_should_swap)
{
	model_must_fail(&plain,
			&(struct mutant){ .op = MODEL_CAS, .threads = 2, .effect = MUTANT_SPLIT });
}

TEST(inbox, found_worker_stores_where_it_should_exchange)
{
	model_must_fail(&plain,
			&(struct mutant){ .op = MODEL_RMW, .threads = 1, .effect = MUTANT_SPLIT });
}

TEST(inbox, found_push_without_release)
{
	model_must_fail(&plain, &(struct mutant){
					.op = MODEL_CAS, .threads = 2, .effect = MUTANT_NO_ORDER });
}

TEST(inbox, found_worker_without_acquire)
{
	model_must_fail(&plain, &(struct mutant){ .op = MODEL_RMW | MODEL_LOAD,
						  .threads = 1,
						  .effect = MUTANT_NO_ORDER });
}
