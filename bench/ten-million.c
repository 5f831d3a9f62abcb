/* SPDX-License-Identifier: MIT
 *
 * ten-million.c - ten million tasks that wait, all at a time.
 *
 *	bench-ten-million sleep|chan|private [tasks]
 *
 *	sleep    10,000,000 on shared stacks, in a sleep up to one moment
 *	chan     10,000,000 on shared stacks, in a receive from one channel; a message for each
 *	private  1,000,000 on private guarded stacks, in a sleep
 *
 * Each task parks at the end of three calls, all of which have something left to do when it
 * comes back. All are woken once, and joined. Rows, with the prefix ten_, ten_chan_ or
 * ten_private_:
 *
 *	spawn, park, wake, join   CPU time a task; what the kernel does for memory that is touched
 *	                          for the first time is in it. wake: up to the end of the task
 *	rss, bytes                the most that was resident: in GB, and bytes a task. All told:
 *	                          the array of handles and the program itself are in it
 *	tables                    page tables, bytes a task, which the resident set does not tell
 *	after                     the resident set after the end, as a multiple of the start's
 *
 * Where there is little memory it takes fewer tasks, and says so.
 */
#include <errno.h>

#include <weft/chan.h>
#include <weft/task.h>

#include "bench.h"

enum {
	STACKS = 8,
	SHARED_BYTES = 280,      /* for each task there must be so much, ... */
	PRIVATE_BYTES = 5 << 10, /* ... or so much, and a third of it more for others */
	GATE_EACH_NS = 1200,     /* the sleep ends when there was time to spawn and park all */
	GATE_LEAST_NS = 300000000
};

static struct plan {
	const char *prefix;
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

static __attribute__((noinline)) int receive(void)
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

	snprintf(row, sizeof(row), "%s%s", plan.prefix, what);
	bench_row(row, "weft", value, unit);
}

/* The CPU time of each task since the last lap. */
static void report_lap(const char *what)
{
	report(what, (double)(bench_cpu() - plan.lap_cpu) / (double)plan.tasks, "ns");
	plan.lap_cpu = bench_cpu();
}

static void spawn_all(void)
{
	static int depth = 3;

	for (long i = 0; i < plan.tasks; i++)
		bench_must(weft_spawn(&plan.made[i], &plan.attr, outer, &depth), "weft_spawn");
	report_lap("spawn");
	while (plan.asleep < plan.tasks)
		weft_task_yield();
	report_lap("park");
}

static void wake_all(void)
{
	const long value = 1;

	if (plan.chan) {
		for (long i = 0; i < plan.tasks; i++)
			bench_must(weft_chan_send(plan.chan, &value, WEFT_FOREVER),
				   "weft_chan_send");
	} else {
		if (plan.awake)
			bench_must(-ETIME, "not all were asleep before the first woke up");
		bench_must(weft_sleep_until(plan.gate_ns), "weft_sleep_until");
	}
	while (plan.awake < plan.tasks)
		weft_task_yield();
	report_lap("wake");
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
	double before = bench_rss(), tables = bench_pte(), peak;

	(void)unused;
	plan.made = malloc((size_t)plan.tasks * sizeof(plan.made[0]));
	if (!plan.made)
		bench_must(-ENOMEM, "the handles");
	plan.gate_ns = weft_in_ns(GATE_LEAST_NS + plan.tasks * GATE_EACH_NS);
	plan.lap_cpu = bench_cpu();
	spawn_all();
	report("tables", (bench_pte() - tables) / (double)plan.tasks, "bytes");
	wake_all();
	join_all();
	free(plan.made);
	peak = bench_proc_kb("/proc/self/status", "VmHWM");
	report("rss", peak / 1e9, "GB");
	report("bytes", peak / (double)plan.tasks, "bytes");
	report("after", bench_rss() / before, "x");
	return 0;
}

static void choose(const char *how, long wanted)
{
	int private = !strcmp(how, "private");

	plan.prefix = private ? "ten_private_" : "ten_";
	plan.park = sleep_up_to_gate;
	if (!private)
		bench_must(weft_stack_group_new(&plan.attr.shared, STACKS, 64 << 10),
			   "weft_stack_group_new");
	if (!strcmp(how, "chan")) {
		plan.prefix = "ten_chan_";
		plan.park = receive;
		bench_must(weft_chan_new(&plan.chan, sizeof(long), 0), "weft_chan_new");
	}
	plan.tasks = bench_fit(wanted, private ? PRIVATE_BYTES : SHARED_BYTES);
	if (plan.tasks < wanted)
		printf("NOTE %sbytes weft %ld tasks, for want of memory\n", plan.prefix,
		       plan.tasks);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "sleep";

	choose(how, bench_arg(argc, argv, 2, strcmp(how, "private") ? 10000000 : 1000000));
	bench_must(weft_run(1, measure, NULL, NULL), "weft_run");
	weft_chan_free(plan.chan);
	weft_stack_group_free(plan.attr.shared);
	return 0;
}
