/* SPDX-License-Identifier: MIT
 *
 * chan.c - what does a message from task to task cost?
 *
 *	bench-chan [messages] [row ...]
 *
 * chan		one task sends words, another receives them, capacity 0
 * chan_128	the same with room for 128
 * select_2	two tasks, each with a channel of its own (capacity 0), send; one receives by a
 *		select on both
 * select_8	the same with eight
 */
#include <weft/chan.h>
#include <weft/task.h>

#include "bench.h"

enum { SENDERS_MAX = 8 };

struct sender {
	weft_chan *chan;
	long count;
};

static struct {
	long count;
	int argc;
	char **argv;
} plan;

static long sum;

static int sending(void *arg)
{
	struct sender *mine = arg;

	for (long i = 0; i < mine->count; i++)
		bench_must(weft_chan_send(mine->chan, &i, WEFT_FOREVER), "weft_chan_send");
	return 0;
}

static int sending_all(void *arg)
{
	struct sender *mine = arg;

	sending(arg);
	bench_must(weft_chan_close(mine->chan), "weft_chan_close");
	return 0;
}

static void run_chan(const char *row, size_t capacity)
{
	struct sender sender = { .count = plan.count };
	int64_t start = bench_cpu();
	weft_task *task;
	long value;

	bench_must(weft_chan_new(&sender.chan, sizeof(value), capacity), "weft_chan_new");
	bench_must(weft_spawn(&task, NULL, sending_all, &sender), "weft_spawn");
	while (weft_chan_recv(sender.chan, &value, WEFT_FOREVER) == 0)
		sum += value;
	bench_row(row, "weft", (double)(bench_cpu() - start) / (double)plan.count, "ns");
	weft_join(task, WEFT_FOREVER, NULL);
	weft_chan_free(sender.chan);
}

/* Cases are made anew for each select, as the source of a Go program does it. */
static void receive_2(weft_chan *const *chans)
{
	long value;
	weft_case cases[] = { WEFT_RECV(chans[0], &value), WEFT_RECV(chans[1], &value) };

	bench_must(weft_select(cases, 2, WEFT_FOREVER), "weft_select");
	sum += value;
}

static void receive_8(weft_chan *const *chans)
{
	long value;
	weft_case cases[] = {
		WEFT_RECV(chans[0], &value), WEFT_RECV(chans[1], &value),
		WEFT_RECV(chans[2], &value), WEFT_RECV(chans[3], &value),
		WEFT_RECV(chans[4], &value), WEFT_RECV(chans[5], &value),
		WEFT_RECV(chans[6], &value), WEFT_RECV(chans[7], &value),
	};

	bench_must(weft_select(cases, 8, WEFT_FOREVER), "weft_select");
	sum += value;
}

static void run_select(const char *row, long n, void (*receive)(weft_chan *const *chans))
{
	struct sender senders[SENDERS_MAX];
	weft_chan *chans[SENDERS_MAX];
	weft_task *made[SENDERS_MAX];
	long each = plan.count / n + 1;
	int64_t start = bench_cpu();

	for (long i = 0; i < n; i++) {
		bench_must(weft_chan_new(&chans[i], sizeof(long), 0), "weft_chan_new");
		senders[i] = (struct sender){ chans[i], each };
		bench_must(weft_spawn(&made[i], NULL, sending, &senders[i]), "weft_spawn");
	}
	for (long i = 0; i < n * each; i++)
		receive(chans);
	bench_row(row, "weft", (double)(bench_cpu() - start) / (double)(n * each), "ns");
	for (long i = 0; i < n; i++) {
		weft_join(made[i], WEFT_FOREVER, NULL);
		weft_chan_free(chans[i]);
	}
}

/* 1 when that row was asked for, or none by its name. */
static int wanted(const char *row)
{
	for (int i = 2; i < plan.argc; i++)
		if (!strcmp(plan.argv[i], row))
			return 1;
	return plan.argc <= 2;
}

static int measure(void *arg)
{
	(void)arg;
	if (wanted("chan"))
		run_chan("chan", 0);
	if (wanted("chan_128"))
		run_chan("chan_128", 128);
	if (wanted("select_2"))
		run_select("select_2", 2, receive_2);
	if (wanted("select_8"))
		run_select("select_8", 8, receive_8);
	return 0;
}

int main(int argc, char **argv)
{
	plan.count = bench_arg(argc, argv, 1, 1000000);
	plan.argc = argc;
	plan.argv = argv;
	bench_must(weft_run(1, measure, NULL, NULL), "weft_run");
	return 0;
}
