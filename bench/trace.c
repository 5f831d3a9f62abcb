/* SPDX-License-Identifier: MIT
 *
 * trace.c - what does the flight recorder cost?
 *
 *	bench-trace [count]
 *
 * Rows: trace_record (one record put into the ring), trace_clock (of that, what
 * it takes to read the time; "clock_gettime" beside it is what is not used),
 * trace_yield (a turn of two tasks: one record), trace_wake (two tasks wake each
 * other in turn: two records a hop), trace_spawn (spawn, run and join: five),
 * each with the recorder "off" and "on". trace_write is the time that a stop takes a record.
 */
#include <base/clock.h>
#include <base/trace.h>
#include <core/park.h>
#include <weft/debug.h>

#include "bench.h"

enum { EVENTS = 1 << 16 };

static long count;

static void row(const char *name, const char *who, int64_t start, long times)
{
	bench_row(name, who, (double)(bench_cpu() - start) / (double)times, "ns");
}

/* --- the recorder by itself ------------------------------------------------ */

/* The compiler may not leave out what computes it. */
static void use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

static void run_clocks(void)
{
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++)
		use(weft__trace_ticks());
	row("trace_clock", weft__trace_counts_ticks() ? "ticks" : "fallback", start, count);
	start = bench_cpu();
	for (long i = 0; i < count; i++)
		use((uint64_t)weft__now());
	row("trace_clock", "gettime", start, count);
}

static void run_record(const char *who)
{
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++) {
		trace_event(TRACE_TIMER, 0, (uint64_t)i, 0);
		__asm__ volatile("" ::: "memory");
	}
	row("trace_record", who, start, count);
}

/* --- tasks ----------------------------------------------------------------- */

static int yielding(void *arg)
{
	for (long left = (long)arg; left > 0; left--)
		weft_task_yield();
	return 0;
}

static uint64_t tickets[2];
static long hops[2];

static int hopping(void *arg)
{
	long mine = (long)arg;
	struct task *self = weft__task_current();

	while (hops[mine]-- > 0) {
		tickets[mine] = weft__park_begin(self);
		if (tickets[mine ^ 1]) /* it has begun */
			weft__wake(tickets[mine ^ 1], 0);
		weft__park(self, WAIT_OTHER, WEFT_FOREVER);
	}
	weft__wake(tickets[mine ^ 1], 0);
	return 0;
}

static void run_two(weft_fn *fn, void *first, void *second)
{
	weft_task *made[2];

	bench_must(weft_spawn(&made[0], NULL, fn, first), "weft_spawn");
	bench_must(weft_spawn(&made[1], NULL, fn, second), "weft_spawn");
	weft_join(made[0], WEFT_FOREVER, NULL);
	weft_join(made[1], WEFT_FOREVER, NULL);
}

static int nothing(void *arg)
{
	return arg != NULL;
}

static void run_tasks(const char *who)
{
	int64_t start = bench_cpu();
	weft_task *task;

	run_two(yielding, (void *)(count / 2), (void *)(count / 2));
	row("trace_yield", who, start, count);

	hops[0] = hops[1] = count / 2;
	tickets[0] = tickets[1] = 0;
	start = bench_cpu();
	run_two(hopping, (void *)0, (void *)1);
	row("trace_wake", who, start, count);

	start = bench_cpu();
	for (long i = 0; i < count / 4; i++) {
		bench_must(weft_spawn(&task, NULL, nothing, NULL), "weft_spawn");
		weft_join(task, WEFT_FOREVER, NULL);
	}
	row("trace_spawn", who, start, count / 4);
}

static int measure(void *arg)
{
	int64_t start;

	(void)arg;
	run_tasks("off");
	run_record("off");
	bench_must(weft_trace_start("/dev/null", EVENTS), "weft_trace_start");
	run_clocks();
	run_record("on");
	run_tasks("on"); /* its last records are what is written */
	start = bench_cpu();
	bench_must(weft_trace_stop(), "weft_trace_stop");
	row("trace_write", "weft", start, EVENTS);
	return 0;
}

int main(int argc, char **argv)
{
	count = bench_arg(argc, argv, 1, 4000000);
	if (count < 4)
		count = 4;
	bench_must(weft_run(1, measure, NULL, NULL), "weft_run");
	return 0;
}
