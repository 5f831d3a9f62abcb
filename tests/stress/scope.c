/* SPDX-License-Identifier: MIT
 *
 * scope.c - random trees of scopes, with failures, deadlines, exits, and cancels from within
 * and without. What must hold:
 *	- when a scope is closed, by whatever means, no child of it is alive;
 *	- each task runs its cleanups once, the newest first, its scopes among them;
 *	- a scope has one outcome: 0 only if no child failed, else one that has a cause;
 *	- who was begun has ended.
 *
 * WEFT_SEED=n repeats a run's choices; threads still interleave as they please.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include <base/rng.h>
#include <weft/weft.h>

#include "stress.h"

enum { LIMIT_S = 60, CODES = 64, CODE = 1000, SLOTS = 64, DEPTH = 4 };

/* What a task knows of a scope that it has opened. */
struct place {
	weft_scope *scope;
	struct place *outer; /* of the same task */
	_Atomic int alive;
	_Atomic int failed;
	_Atomic bool codes[CODES]; /* what its children have failed with: -(CODE + n) */
	bool timed;
	int slot; /* in open_places, or -1 */
};

/* A task. */
struct node {
	struct place *parent;    /* whose child it is; NULL: a root */
	struct place *innermost; /* that it has open */
	weft_stack_group *group;
	struct rng rng;
	int depth, level; /* cleanups that are pushed */
};

/* One cleanup; of the heap, so that it may be left behind by a return. */
struct step {
	weft_cleanup cleanup;
	struct node *node;
	struct place *place; /* to be looked at when its scope has been closed */
	int level;
};

static uint64_t seed;
static _Atomic uint64_t begun, ended, pushed, popped, outcomes[3];
static bool crew;

static uint32_t pick(struct node *node, uint32_t below)
{
	return rng_below(&node->rng, below);
}

/* --- cancels from outside: of scopes that are surely not being closed ---------------------- */

static struct place *open_places[SLOTS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool stop;

static void announce(struct place *place)
{
	pthread_mutex_lock(&mutex);
	place->slot = -1;
	for (int i = 0; i < SLOTS && place->slot < 0; i++)
		if (!open_places[i])
			open_places[place->slot = i] = place;
	pthread_mutex_unlock(&mutex);
}

static void withdraw(struct place *place)
{
	pthread_mutex_lock(&mutex);
	if (place->slot >= 0)
		open_places[place->slot] = NULL;
	place->slot = -1;
	pthread_mutex_unlock(&mutex);
}

static void *cancel_some(void *arg)
{
	struct timespec pause = { 0, 200000 };
	struct rng rng;

	weft__rng_init(&rng, seed + 1000);
	while (!stop) {
		struct place *place;

		pthread_mutex_lock(&mutex);
		place = open_places[rng_below(&rng, SLOTS)];
		if (place)
			CHECK_EQ(weft_scope_cancel(place->scope), 0);
		pthread_mutex_unlock(&mutex);
		nanosleep(&pause, NULL);
	}
	return arg;
}

/* --- cleanups ---------------------------------------------------------------------------- */

static void undo(void *arg)
{
	struct step *step = arg;
	struct node *node = step->node;

	popped++;
	CHECK_EQ(--node->level, step->level);
	if (step->place) {
		CHECK_EQ(step->place->alive, 0);
		node->innermost = step->place->outer;
		free(step->place);
	}
	if (step->level == 0) { /* the last one: the task's end */
		if (node->parent)
			node->parent->alive--;
		ended++;
		free(node);
	}
	free(step);
}

static struct step *push(struct node *node, struct place *place)
{
	struct step *step = malloc(sizeof *step);

	CHECK(step);
	step->node = node;
	step->place = place;
	step->level = node->level++;
	CHECK_EQ(weft_cleanup_push(&step->cleanup, undo, step), 0);
	pushed++;
	return step;
}

static void pop(struct step *step)
{
	CHECK_EQ(weft_cleanup_pop(&step->cleanup, 1), 0);
}

/* --- a task -------------------------------------------------------------------------------- */

static int body(void *arg);

static struct node *new_node(struct node *parent, struct place *place, uint64_t number)
{
	struct node *node = calloc(1, sizeof *node);

	CHECK(node);
	node->parent = place;
	node->group = parent ? parent->group : NULL;
	node->depth = parent ? parent->depth + 1 : 0;
	weft__rng_init(&node->rng, number);
	return node;
}

static void spawn(struct node *node, struct place *place)
{
	struct node *child = new_node(node, place, rng_next(&node->rng));
	weft_attr attr = { 0 };
	int rc;

	attr.shared = pick(node, 3) == 0 ? node->group : NULL;
	attr.flags = crew && pick(node, 2) ? WEFT_MIGRATE : 0;
	place->alive++;
	begun++;
	rc = weft_scope_spawn(place->scope, &attr, body, child);
	if (rc == 0)
		return;
	CHECK_EQ(rc, -ECANCELED);
	CHECK_EQ(weft_scope_cancelled(place->scope), 1);
	place->alive--;
	begun--;
	free(child);
}

static bool was_timed(const struct place *place)
{
	while (place && !place->timed)
		place = place->outer;
	return place != NULL;
}

static void check_outcome(struct place *place, int rc)
{
	CHECK_EQ(weft_scope_left(place->scope), 0);
	CHECK_EQ(place->alive, 0);
	CHECK_EQ(weft_scope_wait(place->scope, WEFT_NOWAIT), rc);
	if (rc == 0)
		CHECK_EQ(place->failed, 0);
	else if (rc <= -CODE)
		CHECK(place->codes[-rc - CODE]);
	else if (rc == -ETIMEDOUT)
		CHECK(was_timed(place));
	else
		CHECK_EQ(rc, -ECANCELED);
	outcomes[rc == 0 ? 0 : rc <= -CODE ? 1 : 2]++;
}

static void wait_somehow(struct node *node, struct place *place)
{
	int rc;

	do {
		rc = weft_scope_wait(place->scope,
				     pick(node, 2) ? weft_in_us(pick(node, 200)) : WEFT_FOREVER);
		if (rc == -ETIMEDOUT) /* the wait's, or the scope's? */
			rc = weft_scope_wait(place->scope, WEFT_NOWAIT);
	} while (rc == -EAGAIN && pick(node, 4));
	if (rc != -EAGAIN)
		check_outcome(place, rc);
}

/* True: the scope is to be left open. */
static bool have_scope(struct node *node)
{
	struct place *place = calloc(1, sizeof *place);
	struct step *step;

	CHECK(place);
	step = push(node, place);
	CHECK_EQ(weft_scope_open(&place->scope, pick(node, 4) ? 0 : WEFT_SCOPE_ALL), 0);
	place->outer = node->innermost;
	node->innermost = place;
	announce(place);
	if (pick(node, 4) == 0) {
		place->timed = true;
		CHECK_EQ(weft_scope_deadline(place->scope, weft_in_us(pick(node, 400))), 0);
	}
	for (uint32_t i = pick(node, 5); i > 0; i--)
		spawn(node, place);
	if (node->level < 6 && pick(node, 4) == 0 && have_scope(node))
		return true;
	if (pick(node, 16) == 0)
		CHECK_EQ(weft_scope_cancel(place->scope), 0);
	if (pick(node, 8))
		wait_somehow(node, place);
	if (node->depth > 0 && pick(node, 8) == 0)
		return true;
	withdraw(place);
	weft_scope_close(place->scope);
	CHECK_EQ(place->alive, 0);
	pop(step);
	return false;
}

static int result(struct node *node)
{
	int code = (int)pick(node, CODES);

	if (!node->parent || pick(node, 4))
		return 0;
	node->parent->codes[code] = true;
	node->parent->failed++;
	return -CODE - code;
}

static int body(void *arg)
{
	struct node *node = arg;
	int rc;

	push(node, NULL);
	for (uint32_t i = pick(node, 4); i > 0; i--) {
		if (pick(node, 2))
			weft_task_yield();
		else
			weft_sleep(pick(node, 300) * 1000);
	}
	if (node->parent && node->depth < DEPTH && pick(node, 8) == 0)
		spawn(node, node->parent);
	if (pick(node, 3) == 0)
		push(node, NULL);
	if (node->depth < DEPTH)
		while (pick(node, 3) == 0 && !have_scope(node))
			;
	for (struct place *place = node->innermost; place; place = place->outer)
		withdraw(place);
	rc = result(node);
	if (pick(node, 2))
		weft_exit(rc);
	return rc; /* with all that it has open */
}

/* --- runs ------------------------------------------------------------------------------------ */

static int root(void *index)
{
	struct node *node = new_node(NULL, NULL, seed + (uintptr_t)index);
	struct step *step = push(node, NULL);

	begun++;
	if (!crew)
		CHECK_EQ(weft_stack_group_new(&node->group, 3, 64 << 10), 0);
	for (int i = scaled(4000); i > 0; i--)
		CHECK(!have_scope(node));
	if (!crew)
		CHECK_EQ(weft_stack_group_free(node->group), 0);
	pop(step);
	return 0;
}

static void *run_root(void *index)
{
	CHECK_EQ(weft_run(1, root, index, NULL), 0);
	return NULL;
}

static int many_roots(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_scope *scope;

	(void)arg;
	CHECK_EQ(weft_scope_open(&scope, 0), 0);
	for (uintptr_t i = 0; i < 3; i++)
		CHECK_EQ(weft_scope_spawn(scope, &attr, root, (void *)i), 0);
	CHECK_EQ(weft_scope_wait(scope, WEFT_FOREVER), 0);
	return weft_scope_close(scope);
}

static void run_all(void *(*fn)(void *index), unsigned count)
{
	pthread_t threads[4], canceler;

	seed = seed_of_run();
	CHECK_EQ(pthread_create(&canceler, NULL, cancel_some, NULL), 0);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, fn, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	stop = true;
	CHECK_EQ(pthread_join(canceler, NULL), 0);
	CHECK_EQ(begun, ended);
	CHECK_EQ(pushed, popped);
	CHECK_GT(begun, 1000);
	for (int i = 0; i < 3; i++)
		CHECK_GT(outcomes[i], 0);
}

TEST_LIMIT(stress, scopes_on_three_runtimes, LIMIT_S)
{
	run_all(run_root, 3);
}

static void *run_crew(void *arg)
{
	CHECK_EQ(weft_run(3, many_roots, arg, NULL), 0);
	return NULL;
}

TEST_LIMIT(stress, scopes_of_a_crew, LIMIT_S)
{
	crew = true;
	run_all(run_crew, 1);
}
