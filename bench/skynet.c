/* SPDX-License-Identifier: MIT
 *
 * skynet.c - a million tasks in a tree of ten branches, who tell their parent by a channel.
 *
 *	bench-skynet <workers> [leaves]
 *
 * Every leaf sends its number; every other task makes a channel of capacity 0, ten tasks, receives
 * ten sums from them, and sends the sum of these. Where Go's collector keeps a channel
 * for a sender that is still inside of it, each task here holds a reference of its own.
 *
 * With <workers> 1of2 there are two, and one of them is kept out of the way (one_of_two.h).
 *
 * Row: skynet_w<workers>, wall seconds until the root has the sum, and its _cpu.
 */
#include <weft/chan.h>
#include <weft/task.h>

#include "crew.h"
#include "one_of_two.h"

enum { BRANCHES = 10 };

/* Lies in the frame of the parent, who stays until it has been told all sums. */
struct node {
	weft_chan *out; /* a reference of the node's */
	long number, size;
};

static struct {
	const char *workers;
	long leaves;
} plan;

static int node_main(void *arg);

static long branches(const struct node *node)
{
	struct node below[BRANCHES];
	long size = node->size / BRANCHES, sum = 0, part;
	weft_chan *sums;

	bench_must(weft_chan_new(&sums, sizeof(sum), 0), "weft_chan_new");
	for (long i = 0; i < BRANCHES; i++) {
		below[i] = (struct node){ weft_chan_ref(sums), node->number + i * size, size };
		bench_must(weft_go(node_main, &below[i]), "weft_go");
	}
	for (long i = 0; i < BRANCHES; i++) {
		bench_must(weft_chan_recv(sums, &part, WEFT_FOREVER), "weft_chan_recv");
		sum += part;
	}
	weft_chan_free(sums);
	return sum;
}

static int node_main(void *arg)
{
	struct node node = *(struct node *)arg;
	long sum = node.size == 1 ? node.number : branches(&node);

	bench_must(weft_chan_send(node.out, &sum, WEFT_FOREVER), "weft_chan_send");
	weft_chan_free(node.out);
	return 0;
}

static int measure(void *arg)
{
	struct node root = { .size = plan.leaves };
	struct crew_clock start;
	weft_chan *out;
	long sum;

	(void)arg;
	keep_one_out(plan.workers);
	start = crew_start();
	bench_must(weft_chan_new(&out, sizeof(sum), 0), "weft_chan_new");
	root.out = weft_chan_ref(out);
	bench_must(weft_go(node_main, &root), "weft_go");
	bench_must(weft_chan_recv(out, &sum, WEFT_FOREVER), "weft_chan_recv");
	weft_chan_free(out);
	crew_row("skynet", plan.workers, start, 1, "s");
	let_it_in(plan.workers);
	if (sum == plan.leaves * (plan.leaves - 1) / 2)
		return 0;
	fprintf(stderr, "bench: the sum is %ld\n", sum);
	exit(1);
}

/* A power of ten, as the branches are even. */
static long power_of_ten(long atleast)
{
	long power = 1;

	while (power < atleast)
		power *= BRANCHES;
	return power;
}

int main(int argc, char **argv)
{
	plan.workers = argc > 1 ? argv[1] : "1";
	plan.leaves = power_of_ten(bench_arg(argc, argv, 2, 1000000));
	bench_must(weft_run(workers_count(plan.workers), measure, NULL, NULL), "weft_run");
	return 0;
}
