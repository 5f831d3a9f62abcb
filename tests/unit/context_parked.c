/* SPDX-License-Identifier: MIT
 *
 * context_parked.c - what context_gdb.sh looks into: a parked context and one
 * that has not begun.
 */
#include <weft/context.h>

static weft_context home;
weft_context parked, fresh;
static char stacks[2][256 << 10];

__attribute__((noinline)) static long parked_inner(long x)
{
	long y = (long)weft_context_switch(&parked, &home, (void *)x);

	return y + 1;
}

__attribute__((noinline)) static long parked_outer(long x)
{
	return parked_inner(x + 1) + 1;
}

static void parked_body(void *arg, void *value)
{
	for (;;)
		value = (void *)(parked_outer((long)value) + (long)arg);
}

/* The debugger stops here. */
__attribute__((noinline)) void checkpoint(void);
__attribute__((noinline)) void checkpoint(void)
{
	__asm__ volatile("" ::: "memory");
}

int main(void)
{
	long answer;

	weft_context_make(&parked, stacks[0], sizeof(stacks[0]), parked_body, (void *)0);
	weft_context_make(&fresh, stacks[1], sizeof(stacks[1]), parked_body, (void *)0);
	answer = (long)weft_context_switch(&home, &parked, (void *)1);
	checkpoint();
	answer += (long)weft_context_switch(&home, &parked, (void *)1);
	return answer == 6 ? 0 : 1;
}
