/* SPDX-License-Identifier: MIT
 *
 * ten-million.c - ten million tasks that wait, all at a time.
 *
 *	bench-ten-million ten|ten_chan|ten_value|million|million_private [tasks]
 *
 *	ten              10,000,000 on shared stacks, in a sleep up to one moment
 *	ten_chan         10,000,000 on shared stacks, in a receive; then an event for each
 *	ten_value        likewise, a number for each, which has its place in the receiver's frame
 *	million          1,000,000 as ten
 *	million_private  1,000,000 in a sleep, on private guarded stacks
 *
 * Each task parks at the end of three calls, all of which have something left to do when it
 * comes back. All are woken once, and joined. Rows, that name in front:
 *
 *	_spawn, _park, _wake, _join  CPU time a task; what the kernel does for memory that is
 *	                             touched for the first time is in it. wake: up to its end
 *	_start                       spawn and park together, which Go does not do apart
 *	_rss, _bytes                 the most that was resident: in GB, and bytes a task. All told:
 *	                             the array of handles and the program itself are in it
 *	_tables                      page tables, bytes a task, which the resident set does not tell
 *	_after                       the resident set after the end, as a multiple of before, each
 *	                             with the handles
 *	_left                        how much more it is
 *
 * Where there is little memory it takes fewer tasks, and says so.
 */
#include <errno.h>

#include <weft/chan.h>
#include <weft/task.h>

#include "bench.h"

enum {
	STACKS = 8,
	SHARED_BYTES = 280,      /* for each task there must be so much free, ... */
	PRIVATE_BYTES = 5 << 10, /* ... or so much, and a third of it more for others */
	PARK_MOST_NS = 2000, /* sleepers wake up when all had time to fall asleep: so much ... */
	GATE_LEAST_NS = 300000000 /* ... and this, or twice as long as the spawns took */
};

static struct plan {
	const char *name;
	int (*park)(void);
	weft_attr attr;
	weft_chan *chan;
	int64_t gate_ns; /* the moment when the sleepers wake up */
	int64_t lap_cpu;
	long tasks, asleep, awake, sum;
	weft_task **made;
} plan;

/* --- the tasks --------------------------------------------------------------------------- */

static __attribute__((noinline)) int sleep_up_to_gate(void)
{
	int rc;

	plan.asleep++;
	rc = weft_sleep_until(plan.gate_ns);
	plan.awake++;
	return rc;
}

static __attribute__((noinline)) int receive_event(void)
{
	int rc;

	plan.asleep++;
	rc = weft_chan_recv(plan.chan, NULL, WEFT_FOREVER);
	plan.awake++;
	plan.sum += rc == 0;
	return rc;
}

static __attribute__((noinline)) int receive_value(void)
{
	long value = 0;
	int rc;

	plan.asleep++;
	rc = weft_chan_recv(plan.chan, &value, WEFT_FOREVER);
	plan.awake++;
	plan.sum += value;
	return rc;
}

static __attribute__((noinline)) int middle(const int *depth)
{
	int rc = plan.park();

	return rc < 0 ? rc : rc + *depth;
}

static int outer(void *depth)
{
	int rc = middle(depth);

	return rc == *(int *)depth ? 0 : -1;
}

/* --- the measurement --------------------------------------------------------------------- */

static void report(const char *what, double value, const char *unit)
{
	char row[64];

	snprintf(row, sizeof(row), "%s_%s", plan.name, what);
	bench_row(row, "weft", value, unit);
}

/* The CPU time of each task since the last lap. */
static double report_lap(const char *what)
{
	double each = (double)(bench_cpu() - plan.lap_cpu) / (double)plan.tasks;

	report(what, each, "ns");
	plan.lap_cpu = bench_cpu();
	return each;
}

/* Nobody runs before we yield. So the tasks learn when to wake up from how long the spawns took. */
static void set_gate(int64_t began_ns)
{
	int64_t twice = 2 * (weft_now() - began_ns), most = plan.tasks * PARK_MOST_NS;

	plan.gate_ns = weft_in_ns(GATE_LEAST_NS + (twice < most ? twice : most));
}

static void park_all(void)
{
	static int depth = 3;
	int64_t began_ns = weft_now();
	double each;

	plan.lap_cpu = bench_cpu();
	for (long i = 0; i < plan.tasks; i++)
		bench_must(weft_spawn(&plan.made[i], &plan.attr, outer, &depth), "weft_spawn");
	each = report_lap("spawn");
	set_gate(began_ns);
	while (plan.asleep < plan.tasks)
		weft_task_yield();
	each += report_lap("park");
	report("start", each, "ns");
}

static void wake_by_messages(void)
{
	const long value = 1;

	for (long i = 0; i < plan.tasks; i++)
		bench_must(weft_chan_send(plan.chan, &value, WEFT_FOREVER), "weft_chan_send");
}

static void wake_all(void)
{
	int in_time = plan.awake == 0;

	if (plan.chan)
		wake_by_messages();
	else
		bench_must(weft_sleep_until(plan.gate_ns), "weft_sleep_until");
	while (plan.awake < plan.tasks)
		weft_task_yield();
	if (in_time) {
		report_lap("wake");
		return;
	}
	printf("SKIP %s_wake weft not all were asleep before the first woke up\n", plan.name);
	plan.lap_cpu = bench_cpu();
}

static void join_all(void)
{
	int rc, failed = 0;

	for (long i = 0; i < plan.tasks; i++) {
		bench_must(weft_join(plan.made[i], WEFT_FOREVER, &rc), "weft_join");
		failed |= rc;
	}
	report_lap("join");
	if (failed || (plan.chan && plan.sum != plan.tasks))
		bench_must(-EPROTO, "what came back is not what was sent");
}

static int measure(void *unused)
{
	size_t bytes = (size_t)plan.tasks * sizeof(plan.made[0]);
	double before, tables, peak;

	(void)unused;
	plan.made = malloc(bytes);
	if (!plan.made)
		bench_must(-ENOMEM, "the handles");
	memset(plan.made, 1, bytes);
	(void)bench_rss(); /* to ask makes pages of libc resident */
	before = bench_rss();
	tables = bench_pte();
	park_all();
	report("tables", (bench_pte() - tables) / (double)plan.tasks, "bytes");
	wake_all();
	join_all();
	peak = bench_proc_kb("/proc/self/status", "VmHWM");
	report("rss", peak / 1e9, "GB");
	report("bytes", peak / (double)plan.tasks, "bytes");
	report("after", bench_rss() / before, "x");
	report("left", (bench_rss() - before) / 1e3, "kB");
	free(plan.made);
	return 0;
}

/* Return: how many tasks it is by default. */
static long choose(const char *name)
{
	plan.name = name;
	plan.park = sleep_up_to_gate;
	if (!strcmp(name, "million_private"))
		return 1000000;
	bench_must(weft_stack_group_new(&plan.attr.shared, STACKS, 64 << 10),
		   "weft_stack_group_new");
	if (!strcmp(name, "ten_chan")) {
		plan.park = receive_event;
		bench_must(weft_chan_new(&plan.chan, 0, 0), "weft_chan_new");
	} else if (!strcmp(name, "ten_value")) {
		plan.park = receive_value;
		bench_must(weft_chan_new(&plan.chan, sizeof(long), 0), "weft_chan_new");
	}
	return strcmp(name, "million") ? 10000000 : 1000000;
}

int main(int argc, char **argv)
{
	long many = choose(argc > 1 ? argv[1] : "ten");
	long wanted = bench_arg(argc, argv, 2, many);

	plan.tasks = bench_fit(wanted, plan.attr.shared ? SHARED_BYTES : PRIVATE_BYTES);
	if (plan.tasks < wanted)
		printf("NOTE %s_bytes weft %ld tasks, for want of memory\n", plan.name, plan.tasks);
	bench_must(weft_run(1, measure, NULL, NULL), "weft_run");
	weft_chan_free(plan.chan);
	weft_stack_group_free(plan.attr.shared);
	return 0;
}
