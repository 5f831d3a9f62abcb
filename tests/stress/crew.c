/* SPDX-License-Identifier: MIT
 *
 * crew.c - several workers under stress: tasks of every kind spawn, wait, wake, cancel and
 * end all over the place, and nothing is lost or done twice. The seed decides what each
 * does; who runs where is up to the machine.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/rng.h>
#include <core/park.h>
#include <core/runtime.h>
#include <weft/weft.h>

#include "stress.h"

enum { LIMIT_S = 60, WORKERS_MOST = 5 };

static uint64_t seed;

static unsigned flags_of(uint64_t draw)
{
	static const unsigned kinds[] = { 0, WEFT_MIGRATE, WEFT_SPREAD,
					  WEFT_MIGRATE | WEFT_SPREAD };

	return kinds[draw % 4];
}

/* --- lives: families of tasks ------------------------------------------------------- */

static _Atomic uint64_t begun, ended, sum_got;

struct life {
	struct rng rng;
	int children, steps;
};

static int nap(void *arg)
{
	if ((uintptr_t)arg % 8 == 0)
		usleep(20);
	return (int)(uintptr_t)arg;
}

static void step(struct life *life)
{
	uint64_t draw = rng_next(&life->rng) >> 32;
	int ret = -1;

	switch (draw % 5) {
	case 0:
	case 1:
		CHECK_EQ(weft_task_yield(), 0);
		break;
	case 2:
		CHECK_EQ(weft_sleep((int64_t)(draw >> 8) % 100000), 0);
		break;
	case 3:
		if (draw >> 8 & 15)
			break;
		CHECK_EQ(weft_offload(nap, (void *)(uintptr_t)(draw >> 12), &ret), 0);
		CHECK_EQ(ret, (int)(draw >> 12));
		break;
	default: /* some work */
		for (unsigned i = 0; i < (draw >> 8) % 4096; i++)
			__asm__ volatile("");
	}
}

static int live(void *arg);

static void have_children(struct life *life)
{
	weft_task *children[4];
	struct life *lives[4];
	int count = life->children;

	for (int i = 0; i < count; i++) {
		uint64_t draw = rng_next(&life->rng) >> 32;
		weft_attr attr = { .flags = flags_of(draw) };

		lives[i] = malloc(sizeof *lives[i]);
		weft__rng_init(&lives[i]->rng, draw);
		lives[i]->children = life->children - 1;
		lives[i]->steps = (int)(draw >> 8) % 12;
		atomic_fetch_add(&begun, 1);
		CHECK_EQ(weft_spawn(&children[i], &attr, live, lives[i]), 0);
	}
	for (int i = 0; i < count; i++) {
		int ret, rc;

		do /* a deadline races the end */
			rc = weft_join(children[i],
				       i % 2 ? weft_in_us(rng_below(&life->rng, 200))
					     : WEFT_FOREVER,
				       &ret);
		while (rc == -ETIMEDOUT);
		CHECK_EQ(rc, 0);
		atomic_fetch_add(&sum_got, (uint64_t)ret);
	}
}

static int live(void *arg)
{
	struct life *life = arg;

	for (int i = 0; i < life->steps; i++)
		step(life);
	have_children(life);
	free(life);
	atomic_fetch_add(&ended, 1);
	return 1;
}

static int lives_main(void *arg)
{
	for (int i = 0; i < (int)(intptr_t)arg; i++) {
		struct life life = { .children = 4 };

		weft__rng_init(&life.rng, seed + (uint64_t)i);
		have_children(&life);
	}
	return 0;
}

TEST_LIMIT(crew, lives, LIMIT_S)
{
	seed = seed_of_run();
	for (unsigned workers = 2; workers <= WORKERS_MOST; workers++) {
		begun = ended = sum_got = 0;
		CHECK_EQ(weft_run(workers, lives_main, (void *)(intptr_t)scaled(60), NULL), 0);
		CHECK_EQ(begun, ended);
		CHECK_EQ(sum_got, begun);
		CHECK(begun > 0);
	}
}

/* --- tickets: one wait, many who want to end it ----------------------------------------- */

enum { SEATS = 32 };

/* Somebody waits in a seat; others wake him, by tickets that may be stale. */
static struct seat {
	_Atomic uint64_t ticket;
	_Atomic uint64_t wins, wakes;
	_Atomic bool over;
} seats[SEATS];

static int sit(void *arg)
{
	struct seat *seat = arg;
	struct rng rng;
	uint64_t woken = 0;

	weft__rng_init(&rng, seed + (uint64_t)(seat - seats));
	for (int i = 0; i < scaled(4000); i++) {
		struct task *self = weft__thread_now()->task;
		uint64_t ticket = weft__park_begin(self);
		int64_t deadline_ns = weft_in_ns(rng_below(&rng, 100000));
		int rc;

		CHECK(ticket != 0);
		atomic_store(&seat->ticket, ticket);
		rc = weft__park(self, WAIT_OTHER, deadline_ns);
		if (rc == 42)
			woken++;
		else
			CHECK_EQ(rc, -ETIMEDOUT);
		CHECK(weft__thread_now()->task == self);
	}
	atomic_store(&seat->wins, woken);
	atomic_store(&seat->over, true);
	return 0;
}

static int disturb(void *arg)
{
	struct rng rng;
	bool any = true;

	weft__rng_init(&rng, seed * 31 + (uintptr_t)arg);
	while (any) {
		any = false;
		for (int i = 0; i < SEATS; i++) {
			struct seat *seat = &seats[rng_below(&rng, SEATS)];
			uint64_t ticket = atomic_load(&seat->ticket);

			any |= !atomic_load(&seats[i].over);
			if (ticket && weft__wake(ticket, 42))
				atomic_fetch_add(&seat->wakes, 1);
		}
		CHECK_EQ(rng_below(&rng, 4) ? weft_task_yield() : weft_sleep(10000), 0);
	}
	return 0;
}

static int seats_main(void *arg)
{
	weft_task *tasks[SEATS + 4];
	int count = 0;

	(void)arg;
	for (int i = 0; i < SEATS; i++) {
		weft_attr attr = { .flags = flags_of((uint64_t)i) };

		CHECK_EQ(weft_spawn(&tasks[count++], &attr, sit, &seats[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		weft_attr attr = { .flags = flags_of((uint64_t)i) };

		CHECK_EQ(weft_spawn(&tasks[count++], &attr, disturb, (void *)(intptr_t)i), 0);
	}
	while (count)
		CHECK_EQ(weft_join(tasks[--count], WEFT_FOREVER, NULL), 0);
	return 0;
}

TEST_LIMIT(crew, each_wait_ends_once, LIMIT_S)
{
	uint64_t wakes = 0;

	seed = seed_of_run();
	CHECK_EQ(weft_run(3, seats_main, NULL, NULL), 0);
	for (int i = 0; i < SEATS; i++) {
		CHECK_EQ(seats[i].wins, seats[i].wakes);
		wakes += seats[i].wakes;
	}
	CHECK(wakes > 0);
}

/* --- cancels that race everything ---------------------------------------------------------- */

static _Atomic uint64_t canceled;

static int suffer(void *arg)
{
	struct rng rng;
	int rc = 0;

	weft__rng_init(&rng, (uintptr_t)arg);
	for (int i = 0; rc == 0; i++)
		rc = rng_below(&rng, 2) ? weft_sleep(rng_below(&rng, 50000)) : weft_task_yield();
	CHECK_EQ(rc, -ECANCELED);
	atomic_fetch_add(&canceled, 1);
	return 3;
}

static int cancel_main(void *arg)
{
	weft_task *tasks[64];
	struct rng rng;
	int ret;

	weft__rng_init(&rng, seed + (uintptr_t)arg);
	for (int round = 0; round < scaled(60); round++) {
		for (int i = 0; i < 64; i++) {
			weft_attr attr = { .flags = flags_of(rng_next(&rng) >> 32) };

			CHECK_EQ(weft_spawn(&tasks[i], &attr, suffer, (void *)(intptr_t)(i + 1)),
				 0);
		}
		for (int i = 0; i < 64; i++) {
			if (!rng_below(&rng, 8))
				weft_sleep(rng_below(&rng, 50000));
			CHECK_EQ(weft_cancel(tasks[i]), 0);
		}
		for (int i = 0; i < 64; i++) {
			CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, &ret), 0);
			CHECK_EQ(ret, 3);
		}
	}
	return 0;
}

TEST_LIMIT(crew, cancels, LIMIT_S)
{
	seed = seed_of_run();
	CHECK_EQ(weft_run(3, cancel_main, NULL, NULL), 0);
	CHECK_EQ(canceled, (uint64_t)scaled(60) * 64);
}

/* --- bytes between tasks of all kinds ------------------------------------------------------- */

enum { PAIRS = 24 };

static int pairs[PAIRS][2];

static int talk(void *arg)
{
	int fd = pairs[(intptr_t)arg / 2][(intptr_t)arg % 2];
	bool first = (intptr_t)arg % 2 == 0;
	unsigned char byte = 0;

	for (int i = 0; i < scaled(1500); i++) {
		if (first) {
			byte = (unsigned char)i;
			CHECK_EQ(weft_write_full(fd, &byte, 1, WEFT_FOREVER), 1);
			CHECK_EQ(weft_read_full(fd, &byte, 1, weft_in_s(LIMIT_S)), 1);
			CHECK_EQ(byte, (unsigned char)(i + 1));
		} else {
			CHECK_EQ(weft_read_full(fd, &byte, 1, WEFT_FOREVER), 1);
			byte++;
			CHECK_EQ(weft_write_full(fd, &byte, 1, WEFT_FOREVER), 1);
		}
	}
	return 0;
}

static int talk_main(void *arg)
{
	weft_task *tasks[2 * PAIRS];

	(void)arg;
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
	for (int i = 0; i < 2 * PAIRS; i++) {
		weft_attr attr = { .flags = flags_of((uint64_t)i * 7 / 3) };

		CHECK_EQ(weft_spawn(&tasks[i], &attr, talk, (void *)(intptr_t)i), 0);
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	for (int i = 0; i < PAIRS; i++) {
		CHECK_EQ(weft_close(pairs[i][0]), 0);
		CHECK_EQ(weft_close(pairs[i][1]), 0);
	}
	return 0;
}

TEST_LIMIT(crew, descriptors, LIMIT_S)
{
	for (unsigned workers = 2; workers <= WORKERS_MOST; workers++)
		CHECK_EQ(weft_run(workers, talk_main, NULL, NULL), 0);
}

/* --- runtimes that come and go ---------------------------------------------------------------- */

static int brief(void *arg)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };

	(void)arg;
	for (int i = 0; i < 20; i++) {
		attr.flags = flags_of((uint64_t)i);
		CHECK_EQ(weft_spawn(NULL, &attr, nap, (void *)(intptr_t)1), 0);
	}
	return 0;
}

TEST_LIMIT(crew, runtimes_come_and_go, LIMIT_S)
{
	for (int i = 0; i < scaled(600); i++)
		CHECK_EQ(weft_run(2 + (unsigned)i % 4, brief, NULL, NULL), 0);
}
