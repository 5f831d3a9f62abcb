/* SPDX-License-Identifier: MIT
 *
 * hop.c - wakes, timers and sleeps, with one worker and with two.
 *
 *	bench-hop <what> <workers> [count]
 *
 * cross	two tasks wake each other in turn, each on a worker of its own (with one
 *		worker: both on that), below the public interface; a hop
 * cross_busy	so, while both workers have another task that yields all the time:
 *		nobody sleeps, and no system call is made
 * deadline	a pair of tasks a worker does so, each wait with a deadline: a timer is
 *		armed and cancelled; a hop
 * deadline_move	the same, of tasks with WEFT_MIGRATE
 * naps		so many tasks are made, half from each of two others, and each sleeps
 *		10 ms; seconds until the last has ended
 *
 * Rows: <what>_w<workers>, wall time, and its _cpu (crew.h).
 */
#include <core/park.h>
#include <weft/task.h>
#include <weft/time.h>

#include "crew.h"

enum { PAIRS_MAX = 8, NAP_NS = 10000000, NAPPERS = 2 };

struct side {
	_Alignas(128) _Atomic uint64_t ticket; /* of the wait it is in; 0: has not begun */
	struct side *other;
	long hops;
};

static struct side sides[PAIRS_MAX][2];
static const char *crew; /* how many workers, as it was asked for */
static long workers, count, each;
static int64_t deadline_ns = WEFT_FOREVER;
static _Atomic int over;
static _Atomic long ended; /* those that have slept */

/* A ticket stands here before the other side is woken, so that it finds it. */
static int hopping(void *arg)
{
	struct side *mine = arg;
	struct task *self = weft__task_current();

	while (mine->hops-- > 0) {
		mine->ticket = weft__park_begin(self);
		if (mine->other->ticket)
			weft__wake(mine->other->ticket, 0);
		weft__park(self, WAIT_OTHER, deadline_ns);
	}
	weft__wake(mine->other->ticket, 0);
	return 0;
}

/* The first waits until the other has begun, and gives the first push. */
static int first_hopping(void *arg)
{
	struct side *mine = arg;

	while (!mine->other->ticket)
		weft_task_yield();
	return hopping(mine);
}

static int busy(void *arg)
{
	(void)arg;
	while (!over)
		weft_task_yield();
	return 0;
}

/* So many pairs; WEFT_SPREAD deals the tasks to the workers in turn: pairs that are to
 * share a worker are spawned with as many tasks between them as there are workers. */
static void run_pairs(const char *what, long pairs, int together, unsigned flags)
{
	weft_attr attr = { .flags = WEFT_SPREAD | flags };
	weft_task *made[PAIRS_MAX * 2];
	struct crew_clock start;
	long n = 0;

	each = count / (2 * pairs) + 1;
	for (long i = 0; i < 2 * pairs; i++) {
		struct side *side = together ? &sides[i % pairs][i / pairs] : &sides[i / 2][i % 2];

		side->other =
			together ? &sides[i % pairs][1 - i / pairs] : &sides[i / 2][1 - i % 2];
		side->hops = each;
	}
	start = crew_start();
	for (long i = 0; i < 2 * pairs; i++) {
		struct side *side = together ? &sides[i % pairs][i / pairs] : &sides[i / 2][i % 2];
		weft_fn *fn = side < side->other ? first_hopping : hopping;

		bench_must(weft_spawn(&made[n++], &attr, fn, side), "weft_spawn");
	}
	while (n > 0)
		weft_join(made[--n], WEFT_FOREVER, NULL);
	crew_row(what, crew, start, (double)(2 * pairs * each), "ns");
}

static void run_cross_busy(void)
{
	weft_attr attr = { .flags = WEFT_SPREAD };

	for (long i = 0; i < workers; i++)
		bench_must(weft_spawn(NULL, &attr, busy, NULL), "weft_spawn");
	run_pairs("cross_busy", 1, 0, 0);
	over = 1;
}

/* --- naps ------------------------------------------------------------------------- */

static int napping(void *arg)
{
	(void)arg;
	weft_sleep(NAP_NS);
	ended++;
	return 0;
}

/* Detached, so that the stack of one that has ended serves another one. */
static int making(void *arg)
{
	(void)arg;
	for (long i = 0; i < each; i++) {
		bench_must(weft_spawn(NULL, NULL, napping, NULL), "weft_spawn");
		if (i % 1000 == 999)
			weft_task_yield();
	}
	return 0;
}

static void run_naps(void)
{
	weft_attr attr = { .flags = WEFT_SPREAD };
	struct crew_clock start = crew_start();

	each = count / NAPPERS + 1;
	for (long i = 0; i < NAPPERS; i++)
		bench_must(weft_spawn(NULL, &attr, making, NULL), "weft_spawn");
	while (ended < each * NAPPERS)
		weft_sleep(NAP_NS / 10);
	crew_row("naps", crew, start, 1, "s");
}

/* ---------------------------------------------------------------------------------- */

static int measure(void *arg)
{
	const char *what = arg;

	if (!strcmp(what, "cross")) {
		run_pairs("cross", 1, 0, 0);
	} else if (!strcmp(what, "cross_busy")) {
		run_cross_busy();
	} else if (!strcmp(what, "deadline")) {
		deadline_ns = weft_in_s(3600);
		run_pairs("deadline", workers, 1, 0);
	} else if (!strcmp(what, "deadline_move")) {
		deadline_ns = weft_in_s(3600);
		run_pairs("deadline_move", workers, 1, WEFT_MIGRATE);
	} else if (!strcmp(what, "naps")) {
		run_naps();
	} else {
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int status = 2;

	crew = argc > 2 ? argv[2] : "1";
	workers = bench_arg(argc, argv, 2, 1);
	count = bench_arg(argc, argv, 3, 1000000);
	if (argc > 1 && workers <= PAIRS_MAX)
		bench_must(weft_run((unsigned)workers, measure, argv[1], &status), "weft_run");
	if (status)
		fprintf(stderr, "usage: bench-hop cross|cross_busy|deadline|deadline_move|naps "
				"<workers> [count]\n");
	return status;
}
