/* SPDX-License-Identifier: MIT
 *
 * ucontext.c - peer of the switch row: swapcontext(3) there and back.
 */
#include <ucontext.h>

#include "../bench.h"

static ucontext_t here, there;

static void body(void)
{
	for (;;)
		swapcontext(&there, &here);
}

static void prepare(void)
{
	static char stack[64 << 10];

	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	makecontext(&there, body, 0);
}

int main(int argc, char **argv)
{
	long count = bench_arg(argc, argv, 1, 500000);
	int64_t start;

	prepare();
	swapcontext(&here, &there);
	start = bench_cpu();
	for (long i = 0; i < count; i++)
		swapcontext(&here, &there);
	bench_row("switch", "ucontext", (double)(bench_cpu() - start) / (2.0 * (double)count),
		  "ns");
	return 0;
}
