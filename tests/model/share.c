/* SPDX-License-Identifier: MIT
 *
 * share.c - core/share.c, lookout.c, inbox.c and injector.c as they are: workers that look for work,
 * steal, keep batches, sleep, and are woken. Only the loop around them stands here, as
 * in worker.c; and time, descriptors and chance, of which there are none.
 *
 * As in idle_frame.h a task computes for ever: whoever has taken one is lost to the others,
 * and must have left nothing beside a sleeper.
 */
#include <base/rng.h>
#include <base/syscall.h>
#include <core/runtime.h>

#include "../test.h"
#include "model.h"

#define rng_below(rng, bound) ((void)(rng), (void)(bound), 0u)
#undef weft__syscall
#define weft__syscall(...) model_relax()

/* Nobody looks at a runtime that has ended. */
static void check_not_ended(void);
#define idle_notify(idle) (check_not_ended(), idle_notify(idle))

#include <core/inbox.c>
#include <core/injector.c>
#include <core/share.c>
#include <core/lookout.c>

enum { WORKERS = 3, TASKS = 3 };
enum mutants { KEEPS_DUTY = 1, VISITORS_LEFT };

static struct {
	_Atomic uint32_t eventfds[WORKERS];
	_Atomic uint32_t event; /* a movable task waits for it at worker 1's poller */
	struct private_task tasks[TASKS];
	bool ran[TASKS];
	bool ended; /* the runtime */
} shared;

static void check_not_ended(void)
{
	MODEL_CHECK(!shared.ended);
}

static struct runtime runtime;
static struct worker workers[WORKERS];

/* Of a worker, what takes part; its counters do not. */
#define PARTS(w)                                                                                   \
	{ &(w).queue, sizeof(w).queue }, { &(w).inbox, sizeof(w).inbox },                          \
		{ (void *)&(w).sleeping, sizeof(w).sleeping }, { &(w).fresh, sizeof(w).fresh },    \
		{ (w).ready.slots, sizeof(w).ready.slots },                                        \
		{ (void *)&(w).ready.word, sizeof(w).ready.word }, { &(w).lookout, sizeof(bool) }, \
		{ &(w).announced, sizeof(bool) }, { &(w).spinning, sizeof(bool) },                 \
		{ &(w).saw_work, sizeof(bool) },                                                   \
	{                                                                                          \
		(void *)&(w).wakers, sizeof(w).wakers                                              \
	}

static const struct model_part parts[] = {
	PARTS(workers[0]),
	PARTS(workers[1]),
	PARTS(workers[2]),
	{ &runtime.idle, sizeof runtime.idle },
	{ &runtime.injector, sizeof runtime.injector },
	{ (void *)&runtime.lookout, sizeof runtime.lookout },
	{ (void *)&runtime.visitors, sizeof runtime.visitors },
	{ NULL, 0 },
};

/* --- what share.c and inbox.c call ------------------------------------------------------------ */

_Atomic(poll_ready_fn *) weft__on_fd_ready;

/* A second later each time: a spinner looks once, and then gives up. */
int64_t weft__now(void)
{
	static int64_t now_ns;

	return now_ns += 1000000000;
}

void weft__spin_lock_slow(struct spinlock *lock)
{
	do
		model_relax();
	while (!cas32(&lock->held, 0, 1));
}

static unsigned worker_number(const struct poller *poller)
{
	return (unsigned)(container_of(poller, struct worker, poller) - workers);
}

void weft__poller_wake(struct poller *poller)
{
	model_post(&shared.eventfds[worker_number(poller)]);
}

int weft__poller_wait_for(struct poller *poller, struct poller *other, poll_ready_fn *ready)
{
	(void)poller, (void)other, (void)ready;
	return 0;
}

void weft__movers_fire(struct movers *movers, int64_t now_ns)
{
	(void)movers, (void)now_ns;
}

void weft__runtime_check_drained(struct worker *worker)
{
	(void)worker;
}

/* The budget of picks is large. */
void weft__worker_tick(struct worker *worker)
{
	(void)worker;
	MODEL_CHECK(!"no look around is due");
}

/* No worker is alone. */
struct task *weft__worker_pick_more(struct worker *worker)
{
	return weft__share_pick(worker);
}

void weft__movable_deliver(struct task *task)
{
	(void)task;
}

struct worker *weft__worker(unsigned index)
{
	return &workers[index - 1];
}

#include "untraced.h"

/* --- a worker, as in worker.c ------------------------------------------------------------------- */

static void setup(void)
{
	memset(&shared, 0, sizeof shared);
	memset(&runtime, 0, sizeof runtime);
	memset(workers, 0, sizeof workers);
	runtime.idle.workers = runtime.count = runtime.places_max = WORKERS;
	runtime.idle.spinners_max = 1;
	atomic_store(&runtime.places, WORKERS);
	for (uint8_t i = 0; i < WORKERS; i++) {
		runtime.workers[i] = &workers[i];
		workers[i].runtime = &runtime;
		workers[i].place = i;
		workers[i].index = i + 1;
		workers[i].budget = UINT32_MAX;
	}
	for (unsigned i = 0; i < TASKS; i++)
		shared.tasks[i].task.origin = UINT64_C(1) << 48;
}

static void run(const struct task *task)
{
	bool *ran = &shared.ran[(const struct private_task *)task - shared.tasks];

	MODEL_CHECK(!*ran);
	*ran = true;
}

/* An event of the poller makes a movable task ready, and wakes whoever sleeps there. */
static void poll(struct worker *worker, int64_t timeout_ns)
{
	if (timeout_ns)
		model_await(&shared.eventfds[worker->place]);
	if (worker->place == 1 && atomic_exchange(&shared.event, 0)) {
		weft__thread.worker = worker;
		weft__share_ready(&runtime, &shared.tasks[2].task);
	}
}

static void wait_for_work(struct worker *worker)
{
	int64_t timeout_ns = -1;

	weft__inbox_drain(worker);
	if (worker->queue.head)
		timeout_ns = 0;
	if (timeout_ns && !weft__worker_announce_sleep(worker))
		return;
	if (timeout_ns)
		timeout_ns = weft__share_before_sleep(worker, timeout_ns);
	model_checkpoint(timeout_ns ? 1 : 2);
	poll(worker, timeout_ns);
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	weft__share_after_sleep(worker);
}

static void loop(struct worker *worker)
{
	struct task *next;

	for (;;) {
		model_checkpoint(3);
		next = worker_pick(worker);
		if (next && (worker->spinning || worker->saw_work) && model_mutant() != KEEPS_DUTY)
			weft__share_pass_on(worker);
		if (!next)
			next = weft__share_hunt(worker);
		if (next)
			break;
		model_checkpoint(4);
		wait_for_work(worker);
	}
	run(next);
}

static void worker_1(void)
{
	loop(&workers[1]);
}

static void worker_2(void)
{
	loop(&workers[2]);
}

/* In the end. A task in the ring of a worker that computes may be taken by the others. */
static void check(void)
{
	bool asleep = model_blocked(1) || model_blocked(2);

	for (unsigned i = 0; i < WORKERS; i++) {
		MODEL_CHECK(!asleep || !ring_count(&workers[i].fresh));
		MODEL_CHECK(!asleep || !ring_count(&workers[i].ready));
	}
	MODEL_CHECK(!asleep || !injector_count(&runtime.injector));
	MODEL_CHECK(!atomic_load(&runtime.idle.spinning));
}

#define SHARE_MODEL(...)                                                                       \
	{                                                                                      \
		__VA_ARGS__, .setup = setup, .check = check, .state = &shared,                 \
			     .state_bytes = sizeof shared, .parts = parts, .may_block = 2 | 4, \
			     .preemptions = PREEMPTIONS, .tso = true, .no_races = true         \
	}

/* --- one spawns two tasks and computes -------------------------------------------------------- */

static void spawner(void)
{
	weft__share_fresh(&workers[0], &shared.tasks[0].task);
	model_checkpoint(5);
	weft__share_fresh(&workers[0], &shared.tasks[1].task);
}

static const struct model spawning =
	SHARE_MODEL(.name = "share, one spawns twice", .threads = { spawner, worker_1, worker_2 });

TEST_LIMIT(share, what_one_spawns_others_run, 60)
{
	model_must_hold(&spawning);
}

/* --- a thread outside hands over a batch ------------------------------------------------------- */

static void injecting(void)
{
	shared.tasks[0].task.next = &shared.tasks[1].task;
	weft__injector_push(&runtime.injector, &shared.tasks[0].task, &shared.tasks[1].task, 2);
	model_checkpoint(6);
	share_notify(&runtime);
}

static const struct model injected = SHARE_MODEL(.name = "share, a batch is injected",
						 .threads = { injecting, worker_1, worker_2 });

TEST_LIMIT(share, a_batch_is_injected, 60)
{
	model_must_hold(&injected);
}

/* --- an event wakes a movable task of a worker, while another spawns ------------------------------- */

static void spawn_one(void)
{
	weft__share_fresh(&workers[0], &shared.tasks[0].task);
}

static void event(void)
{
	shared.tasks[2].task.origin = (uint64_t)OWNER_NONE << 48;
	shared.tasks[2].task.state = TASK_READY;
	atomic_store(&shared.event, 1);
	model_post(&shared.eventfds[1]);
}

static const struct model eventful =
	SHARE_MODEL(.name = "share, an event and a spawn",
		    .threads = { spawn_one, worker_1, worker_2, event });

TEST_LIMIT(share, an_event_and_a_spawn, 60)
{
	model_must_hold(&eventful);
}

/* --- a thread outside makes the last task ready, and the runtime ends ---------------------------- */

static void outsider(void)
{
	shared.tasks[0].task.origin = (uint64_t)OWNER_NONE << 48;
	shared.tasks[0].task.state = TASK_READY;
	weft__thread.worker = NULL;
	weft__share_ready(&runtime, &shared.tasks[0].task);
}

/* Whoever has run it was the last. */
static void end_runtime(void)
{
	if (model_mutant() != VISITORS_LEFT)
		weft__share_end_visits(&runtime);
	shared.ended = true;
}

static void last_worker_1(void)
{
	loop(&workers[1]);
	end_runtime();
}

static void last_worker_2(void)
{
	loop(&workers[2]);
	end_runtime();
}

static const struct model visited =
	SHARE_MODEL(.name = "share, a thread outside wakes the last task",
		    .threads = { outsider, last_worker_1, last_worker_2 });

TEST_LIMIT(share, a_thread_outside_wakes_the_last_task, 60)
{
	model_must_hold(&visited);
}

TEST(share, found_runtime_that_ends_under_a_visitor)
{
	model_must_fail(&visited, &(struct mutant){ .flag = VISITORS_LEFT });
}

TEST(share, found_visitor_that_does_not_count_himself)
{
	model_must_fail(&visited, &(struct mutant){ .op = MODEL_RMW,
						    .threads = 1,
						    .at = &runtime.visitors,
						    .effect = MUTANT_SKIP });
}

/* --- planted errors -------------------------------------------------------------------------------- */

/* Found in an earlier share.c: the event's task is in the worker's own ring, so that it is picked
 * without a hunt. */
TEST(share, found_runs_while_it_is_counted)
{
	model_must_fail(&eventful, &(struct mutant){ .flag = KEEPS_DUTY });
}

TEST(share, found_announce_without_order)
{
	model_must_fail(&spawning, &(struct mutant){ .op = MODEL_RMW,
						     .threads = 2,
						     .at = &runtime.idle.sleepers[0],
						     .effect = MUTANT_RELAXED });
}

TEST(share, found_nobody_is_notified)
{
	model_must_fail(&spawning, &(struct mutant){ .op = MODEL_RMW,
						     .threads = 1,
						     .at = &shared.eventfds[1],
						     .effect = MUTANT_SKIP });
}

TEST(share, found_last_spinner_keeps_its_count)
{
	model_must_fail(&spawning, &(struct mutant){ .op = MODEL_RMW,
						     .threads = 2,
						     .at = &runtime.idle.spinning,
						     .effect = MUTANT_SKIP });
}
