/* SPDX-License-Identifier: MIT
 *
 * switch.c - what does it cost to go from one stack to another?
 *
 * Rows: switch (resume and yield, each counted as one switch), beside the
 * limit: the bare weft_context_switch(), which checks nothing and passes one
 * value. transfer: coroutine to coroutine, without the resumer.
 */
#include <weft/context.h>
#include <weft/coroutine.h>

#include "bench.h"

struct pair {
	weft_context here, there;
};

static void context_body(void *arg, void *value)
{
	struct pair *pair = arg;

	for (;;)
		value = weft_context_switch(&pair->there, &pair->here, value);
}

/* By pointer, as a program reaches its coroutines: with the addresses of two
 * static contexts in the code it is twice as fast, and nobody has only two. */
static __attribute__((noinline)) void run_limit(struct pair *pair, long count)
{
	static char stack[64 << 10];
	void *value = pair;
	int64_t start;

	weft_context_make(&pair->there, stack, sizeof(stack), context_body, pair);
	value = weft_context_switch(&pair->here, &pair->there, value);
	start = bench_cpu();
	for (long i = 0; i < count; i++)
		value = weft_context_switch(&pair->here, &pair->there, value);
	bench_row("switch", "limit", (double)(bench_cpu() - start) / (2.0 * (double)count), "ns");
}

static void *yield_body(void *arg, void *value)
{
	while (value != arg)
		value = weft_yield(value);
	return NULL;
}

static __attribute__((noinline)) void run_resume(long count)
{
	weft_coroutine *co;
	int64_t start;
	int stop;

	bench_must(weft_coroutine_new(&co, yield_body, &stop, NULL), "weft_coroutine_new");
	bench_must(weft_resume(co, NULL, NULL), "weft_resume");
	start = bench_cpu();
	for (long i = 0; i < count; i++)
		weft_resume(co, NULL, NULL);
	bench_row("switch", "weft", (double)(bench_cpu() - start) / (2.0 * (double)count), "ns");
	bench_must(weft_resume(co, &stop, NULL), "weft_resume");
	weft_coroutine_free(co);
}

static weft_coroutine *peers[2];
static long transfers;

static void *transfer_body(void *arg, void *value)
{
	weft_coroutine *peer = peers[(long)arg ^ 1];

	while (transfers-- > 0)
		weft_transfer(peer, value, NULL);
	return NULL;
}

static __attribute__((noinline)) void run_transfer(long count)
{
	int64_t start;

	for (long i = 0; i < 2; i++)
		bench_must(weft_coroutine_new(&peers[i], transfer_body, (void *)i, NULL),
			   "weft_coroutine_new");
	transfers = count;
	start = bench_cpu();
	bench_must(weft_resume(peers[0], NULL, NULL), "weft_resume");
	bench_row("transfer", "weft", (double)(bench_cpu() - start) / (double)count, "ns");
	for (int i = 0; i < 2; i++)
		weft_coroutine_free(peers[i]);
}

int main(int argc, char **argv)
{
	long count = bench_arg(argc, argv, 1, 20000000);
	struct pair *pair = calloc(1, sizeof(*pair));

	run_limit(pair, count);
	free(pair);
	run_resume(count);
	run_transfer(count);
	return 0;
}
