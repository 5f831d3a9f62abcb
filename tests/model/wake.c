/* SPDX-License-Identifier: MIT
 *
 * wake.c - core/inbox.c as it is: how other threads put tasks into a worker's inbox and end
 * its sleep; and that nobody is at its eventfd once the runtime has closed it (W4, W5).
 */
#include <base/syscall.h>
#include <core/runtime.h>

#include "../test.h"
#include "model.h"

/* weft__worker_end_wakes() gives up the CPU until the wakers have gone. */
#undef weft__syscall
#define weft__syscall(...) model_relax()

#include <core/inbox.c>

enum { TASKS = 2 };

enum mutants { NO_SECOND_LOOK = 1, NO_WAIT_FOR_WAKERS };

static struct {
	_Atomic uint32_t eventfd;
	bool closed;
	struct task tasks[TASKS];
	bool ran[TASKS];
} shared;

static struct worker worker;

static const struct model_part worker_parts[] = {
	{ &worker.queue, sizeof worker.queue },
	{ &worker.inbox, sizeof worker.inbox },
	{ (void *)&worker.sleeping, sizeof worker.sleeping },
	{ (void *)&worker.wakers, sizeof worker.wakers },
	{ NULL, 0 },
};

/* --- what inbox.c calls ----------------------------------------------------------------- */

void weft__poller_wake(struct poller *poller)
{
	MODEL_CHECK(poller == &worker.poller);
	MODEL_CHECK(!shared.closed);
	model_post(&shared.eventfd);
}

struct worker *weft__worker(unsigned index)
{
	return index == 1 ? &worker : NULL;
}

void weft__movable_deliver(struct task *task)
{
	(void)task;
	MODEL_CHECK(!"no task of this model may move");
}

#include "untraced.h"

/* --- threads -------------------------------------------------------------------------------- */

static void setup(void)
{
	memset(&shared, 0, sizeof shared);
	memset(&worker, 0, sizeof worker);
	for (unsigned i = 0; i < TASKS; i++) {
		shared.tasks[i].origin = UINT64_C(1) << 48;
		shared.tasks[i].state = WAIT_OTHER;
	}
	MODEL_CHECK(task_worker(&shared.tasks[0]) == 1);
}

static void wake_first(void)
{
	model_writes(&shared.tasks[0]);
	weft__ready_elsewhere(&shared.tasks[0]);
}

static void wake_second(void)
{
	model_writes(&shared.tasks[1]);
	weft__ready_elsewhere(&shared.tasks[1]);
}

static bool run_queue(void)
{
	struct task *task;
	bool any = false;

	while ((task = queue_pop(&worker.queue)) != NULL) {
		model_writes(task);
		MODEL_CHECK(task_state(task) == TASK_READY && !shared.ran[task - shared.tasks]);
		shared.ran[task - shared.tasks] = true;
		any = true;
	}
	return any;
}

static bool all_ran(void)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (!shared.ran[i])
			return false;
	return true;
}

/* As wait_for_work() in worker.c does it. It ends with its last task, and closes its
 * eventfd, whoever may be late. */
static void sleeper(void)
{
	while (!all_ran()) {
		weft__inbox_drain(&worker);
		if (run_queue())
			continue;
		if (model_mutant() == NO_SECOND_LOOK)
			atomic_store(&worker.sleeping, 1);
		else if (!weft__worker_announce_sleep(&worker))
			continue;
		model_await(&shared.eventfd);
		atomic_store_explicit(&worker.sleeping, 0, memory_order_relaxed);
	}
	if (model_mutant() != NO_WAIT_FOR_WAKERS)
		weft__worker_end_wakes(&worker);
	shared.closed = true;
}

static void check(void)
{
	MODEL_CHECK(all_ran());
	MODEL_CHECK(shared.closed);
}

static const struct model waking = { .name = "inbox, sleep, wake, end",
				     .threads = { sleeper, wake_first, wake_second },
				     .setup = setup,
				     .check = check,
				     .state = &shared,
				     .state_bytes = sizeof shared,
				     .parts = worker_parts,
				     .tso = true };

TEST_LIMIT(wake, two_wakers_and_a_sleeper, 60)
{
	model_must_hold(&waking);
}

TEST(wake, found_no_second_look)
{
	model_must_fail(&waking, &(struct mutant){ .flag = NO_SECOND_LOOK });
}

TEST(wake, found_announce_without_fence)
{
	model_must_fail(&waking,
			&(struct mutant){ .op = MODEL_FENCE, .threads = 1, .effect = MUTANT_SKIP });
}

TEST(wake, found_wakers_not_waited_for)
{
	model_must_fail(&waking, &(struct mutant){ .flag = NO_WAIT_FOR_WAKERS });
}

/* Two wakers of which one does not take sleeping away: both write. The second may be late. */
TEST(wake, found_waker_that_does_not_count_itself)
{
	model_must_fail(&waking, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 2 | 4,
						   .at = &worker.wakers,
						   .effect = MUTANT_SKIP });
}

TEST(wake, found_push_without_release)
{
	model_must_fail(&waking, &(struct mutant){ .op = MODEL_CAS,
						   .threads = 2 | 4,
						   .at = &worker.inbox,
						   .effect = MUTANT_NO_ORDER });
}
