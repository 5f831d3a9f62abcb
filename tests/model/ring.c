/* SPDX-License-Identifier: MIT
 *
 * ring.c - the stealable ring: an owner and one or two thieves. Each task that was pushed
 * is taken once, by one of them, who sees what the pusher wrote into it. Positions start
 * just below 65536, so that they wrap on the way.
 *
 * Built with rings of 2 and of 4 slots.
 */
#include <core/ring.h>

#include "../test.h"
#include "model.h"

/* The ring passes pointers on and looks into none. */
struct task {
	int takes;
};

enum { TASKS = 6, HEAD = 65535 };

static struct {
	struct ring ring;
	struct task tasks[TASKS];
	bool pushed[TASKS];
} shared;

static struct task *const tasks = shared.tasks;

static void setup(void)
{
	memset(&shared, 0, sizeof shared);
	atomic_store(&shared.ring.word, ring_word(0, HEAD, HEAD));
}

static void take(struct task *task)
{
	MODEL_CHECK(task >= tasks && task < tasks + TASKS);
	model_writes(task);
	task->takes++;
	MODEL_CHECK(task->takes == 1);
}

/* Between two calls a thread knows nothing but its place in the code. */
#define DONE() model_checkpoint(__COUNTER__)

static void push(unsigned number)
{
	struct task *out[RING_SIZE / 2];

	model_writes(&tasks[number]);
	while (!ring_push(&shared.ring, &tasks[number])) {
		unsigned count = ring_overflow(&shared.ring, out, RING_SIZE / 2);

		for (unsigned i = 0; i < count; i++)
			take(out[i]);
	}
	shared.pushed[number] = true;
}

static void take_newest(void)
{
	struct task *task = ring_take_newest(&shared.ring);

	if (task)
		take(task);
}

static void take_oldest(void)
{
	struct task *task = ring_take_oldest(&shared.ring);

	if (task)
		take(task);
}

static void steal(unsigned max)
{
	struct task *out[RING_SIZE];
	unsigned count = ring_steal_half(&shared.ring, out, max);

	for (unsigned i = 0; i < count; i++)
		take(out[i]);
}

/* What is left in the ring, the threads' part is over. */
static void check(void)
{
	struct task *task;

	while ((task = ring_take_oldest(&shared.ring)) != NULL)
		take(task);
	for (unsigned i = 0; i < TASKS; i++)
		MODEL_CHECK(tasks[i].takes == (shared.pushed[i] ? 1 : 0));
}

#define RING_MODEL(...)                                                        \
	{                                                                      \
		__VA_ARGS__, .setup = setup, .check = check, .state = &shared, \
			     .state_bytes = sizeof shared, .tso = true         \
	}

/* --- LIFO owner: slots are written again under the thief's eyes --------------------------- */

static void lifo_owner(void)
{
	push(0);
	DONE();
	push(1);
	DONE();
	take_newest();
	DONE();
	push(2);
	DONE();
	take_newest();
	DONE();
	push(3);
	DONE();
	push(4);
	DONE();
	take_newest();
	DONE();
}

static void short_lifo_owner(void)
{
	push(0);
	DONE();
	push(1);
	DONE();
	take_newest();
	DONE();
	push(2);
}

static void thief(void)
{
	steal(RING_SIZE);
	DONE();
	steal(RING_SIZE);
	DONE();
}

static void thief_once(void)
{
	steal(RING_SIZE);
	DONE();
}

static const struct model lifo =
	RING_MODEL(.name = "ring, LIFO, thief", .threads = { lifo_owner, thief });
static const struct model lifo_two =
	RING_MODEL(.name = "ring, LIFO, two thieves",
		   .threads = { short_lifo_owner, thief, thief_once }, .no_races = true);

TEST(ring, newest_end_against_a_thief)
{
	model_must_hold(&lifo);
}

TEST_LIMIT(ring, newest_end_against_two_thieves, 60)
{
	model_must_hold(&lifo_two);
}

/* --- FIFO owner ------------------------------------------------------------------------------- */

static void short_fifo_owner(void)
{
	push(0);
	DONE();
	push(1);
	DONE();
	take_oldest();
	DONE();
	push(2);
}

static void fifo_owner(void)
{
	push(0);
	DONE();
	push(1);
	DONE();
	push(2);
	DONE();
	take_oldest();
	DONE();
	push(3);
	DONE();
	take_oldest();
	DONE();
	push(4);
	DONE();
	take_oldest();
	DONE();
}

static const struct model fifo =
	RING_MODEL(.name = "ring, FIFO, thief", .threads = { fifo_owner, thief });
static const struct model fifo_two =
	RING_MODEL(.name = "ring, FIFO, two thieves",
		   .threads = { short_fifo_owner, thief, thief_once }, .no_races = true);

TEST(ring, oldest_end_against_a_thief)
{
	model_must_hold(&fifo);
}

TEST_LIMIT(ring, oldest_end_against_two_thieves, 60)
{
	model_must_hold(&fifo_two);
}

/* --- two who take, none who pushes: thieves among themselves ------------------------------------ */

static void full_owner(void)
{
	for (unsigned i = 0; i < RING_SIZE + 1; i++) {
		push(i);
		model_checkpoint(1000 + i);
	}
	take_newest();
	DONE();
}

static const struct model full =
	RING_MODEL(.name = "ring, overflow, two thieves", .preemptions = 5,
		   .threads = { full_owner, thief_once, thief_once }, .no_races = true);

TEST_LIMIT(ring, overflow_against_two_thieves, 60)
{
	model_must_hold(&full);
}

/* --- planted errors -------------------------------------------------------------------------------- */

/* Without it, take and push of the owner between a thief's look and swap go unnoticed. */
TEST(ring, found_no_version)
{
	model_must_fail(&lifo, &(struct mutant){ .op = MODEL_CAS,
						 .at = &shared.ring.word,
						 .effect = MUTANT_KEEP,
						 .keep = UINT64_C(0xffffffff) << 32 });
}

/* The owner's takes alone. */
TEST(ring, found_no_version_in_the_owners_take)
{
	model_must_fail(&lifo, &(struct mutant){ .op = MODEL_CAS,
						 .threads = 1,
						 .at = &shared.ring.word,
						 .effect = MUTANT_KEEP,
						 .keep = UINT64_C(0xffffffff) << 32 });
}

TEST(ring, found_owner_stores_where_it_should_swap)
{
	model_must_fail(&lifo, &(struct mutant){ .op = MODEL_CAS,
						 .threads = 1,
						 .at = &shared.ring.word,
						 .effect = MUTANT_SPLIT });
}

TEST(ring, found_thief_stores_where_it_should_swap)
{
	model_must_fail(&lifo, &(struct mutant){ .op = MODEL_CAS,
						 .threads = 2,
						 .at = &shared.ring.word,
						 .effect = MUTANT_SPLIT });
}

/* A push that publishes without release, a thief that looks without acquire. */
TEST(ring, found_push_without_release)
{
	model_must_fail(&lifo, &(struct mutant){ .op = MODEL_CAS,
						 .threads = 1,
						 .at = &shared.ring.word,
						 .effect = MUTANT_NO_ORDER });
}

TEST(ring, found_thief_without_acquire)
{
	model_must_fail(&lifo, &(struct mutant){ .op = MODEL_LOAD | MODEL_CAS,
						 .threads = 2,
						 .at = &shared.ring.word,
						 .effect = MUTANT_NO_ORDER });
}

/* The slot is missing when the word says that it is there. */
TEST(ring, found_slot_not_written)
{
	model_must_fail(&lifo,
			&(struct mutant){ .op = MODEL_STORE, .threads = 1, .effect = MUTANT_SKIP });
}
