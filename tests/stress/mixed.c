/* SPDX-License-Identifier: MIT
 *
 * mixed.c - see mixed.h.
 */
#include <pthread.h>
#include <sched.h>

#include "mixed.h"

const struct kinds mixed_kinds[] = {
	{ "one worker", 1, { PARTY_LONE } },
	{ "several workers", 1, { PARTY_CREW } },
	{ "movable", 1, { PARTY_CREW_MOVABLE } },
	{ "shared stacks", 2, { PARTY_LONE_SHARED, PARTY_CREW_SHARED } },
	{ "threads", 1, { PARTY_THREAD } },
	{ "one worker and threads", 2, { PARTY_LONE, PARTY_THREAD } },
	{ "all",
	  PARTY_KINDS,
	  { PARTY_LONE, PARTY_CREW_MOVABLE, PARTY_THREAD, PARTY_CREW_SHARED, PARTY_CREW,
	    PARTY_LONE_SHARED } },
};
const unsigned mixed_kinds_count = sizeof mixed_kinds / sizeof mixed_kinds[0];

enum { CREW = 3 };

/* --- homes: where the tasks of a kind live ------------------------------------------------- */

static bool is_lone(enum party_kind kind)
{
	return kind == PARTY_LONE || kind == PARTY_LONE_SHARED;
}

static bool lives_in(const struct party *party, unsigned workers)
{
	return party->kind != PARTY_THREAD && is_lone(party->kind) == (workers == 1);
}

static int party_task(void *arg)
{
	struct party *party = arg;
	struct mix *mix = party->arg;

	party->arg = mix->arg;
	return mix->body(party);
}

static weft_task *spawn(struct party *party, weft_stack_group *group)
{
	bool shared = party->kind == PARTY_LONE_SHARED || party->kind == PARTY_CREW_SHARED;
	weft_attr attr = {
		.flags = party->kind == PARTY_CREW_MOVABLE ? WEFT_MIGRATE : 0,
		.shared = shared ? group : NULL,
	};
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, &attr, party_task, party), 0);
	return task;
}

struct home {
	struct mix *mix;
	unsigned workers;
	struct rng rng;
};

static void cancel_some(struct home *home, weft_task **tasks)
{
	struct mix *mix = home->mix;

	for (unsigned i = 0; i + mix->spared < mix->count; i++) {
		if (!tasks[i] || !mix->cancel_one_of ||
		    rng_below(&home->rng, mix->cancel_one_of) != 0)
			continue;
		mix->parties[i].canceled = true;
		weft_sleep((int64_t)rng_below(&home->rng, mix->cancel_within_us) * 1000);
		CHECK_EQ(weft_cancel(tasks[i]), 0);
	}
}

static int home_main(void *arg)
{
	struct home *home = arg;
	struct mix *mix = home->mix;
	weft_task *tasks[MIXED_MOST] = { NULL };
	weft_stack_group *group;

	CHECK_EQ(weft_stack_group_new(&group, 2, 64 << 10), 0);
	for (unsigned i = 0; i < mix->count; i++)
		if (lives_in(&mix->parties[i], home->workers))
			tasks[i] = spawn(&mix->parties[i], group);
	cancel_some(home, tasks);
	for (unsigned i = 0; i < mix->count; i++)
		if (tasks[i])
			CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	return weft_stack_group_free(group);
}

static void *home_thread(void *arg)
{
	struct home *home = arg;
	int ret = -1;

	CHECK_EQ(weft_run(home->workers, home_main, home, &ret), 0);
	CHECK_EQ(ret, 0);
	return NULL;
}

static void *party_thread(void *arg)
{
	party_task(arg);
	return NULL;
}

/* --- all of them --------------------------------------------------------------------------- */

static void prepare(struct mix *mix)
{
	CHECK_LE(mix->count, MIXED_MOST);
	for (unsigned i = 0; i < mix->count; i++) {
		struct party *party = &mix->parties[i];

		party->number = i;
		party->kind = mix->kinds[i % mix->kinds_count];
		party->canceled = false;
		party->arg = mix;
		weft__rng_init(&party->rng, mix->seed * 64 + i);
	}
}

static bool has_party_in(const struct mix *mix, unsigned workers)
{
	for (unsigned i = 0; i < mix->count; i++)
		if (lives_in(&mix->parties[i], workers))
			return true;
	return false;
}

void mixed_run(struct mix *mix)
{
	struct home homes[2] = { { .mix = mix, .workers = 1 }, { .mix = mix, .workers = CREW } };
	pthread_t threads[MIXED_MOST + 2];
	unsigned count = 0;

	prepare(mix);
	for (unsigned i = 0; i < 2; i++) {
		weft__rng_init(&homes[i].rng, mix->seed * 64 + MIXED_MOST + i);
		if (has_party_in(mix, homes[i].workers))
			CHECK_EQ(pthread_create(&threads[count++], NULL, home_thread, &homes[i]),
				 0);
	}
	for (unsigned i = 0; i < mix->count; i++)
		if (mix->parties[i].kind == PARTY_THREAD)
			CHECK_EQ(pthread_create(&threads[count++], NULL, party_thread,
						&mix->parties[i]),
				 0);
	while (count)
		CHECK_EQ(pthread_join(threads[--count], NULL), 0);
}

void mixed_pause(struct party *party)
{
	if (rng_below(&party->rng, 4))
		return;
	if (party->kind == PARTY_THREAD)
		sched_yield();
	else
		weft_task_yield(); /* -ECANCELED is as good */
}

int64_t mixed_deadline(struct party *party)
{
	switch (rng_below(&party->rng, 4)) {
	case 0:
		return WEFT_NOWAIT;
	case 1:
		return weft_in_us(rng_below(&party->rng, 20));
	default:
		return weft_in_us(rng_below(&party->rng, 400));
	}
}

struct timespec mixed_soon(struct party *party, clockid_t clock)
{
	struct timespec then;

	clock_gettime(clock, &then);
	then.tv_nsec += rng_below(&party->rng, 200) * 1000L;
	if (then.tv_nsec >= 1000000000) {
		then.tv_nsec -= 1000000000;
		then.tv_sec++;
	}
	return then;
}
