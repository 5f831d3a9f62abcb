/* SPDX-License-Identifier: MIT
 *
 * m2-queue.c - producers and consumers of a queue, written to the interface of the M2 lab.
 *
 * Nobody waits for the queue: who finds it full, or empty, gives way and looks again when it
 * is picked. Who is next is chance; with WEFT_M2_SEED=1 it is the same in each run.
 */
#include <co.h>
#include <stdio.h>

enum { ROOM = 8, EACH = 50 };

static int queue[ROOM], head, count;
static int producers = 2;

static void produce(void *arg)
{
	for (int i = 0; i < EACH; i++) {
		while (count == ROOM)
			co_yield ();
		queue[(head + count++) % ROOM] = *(int *)arg + i;
		co_yield ();
	}
	producers--;
}

static void consume(void *sum)
{
	while (producers > 0 || count > 0) {
		if (count > 0) {
			*(long *)sum += queue[head];
			head = (head + 1) % ROOM;
			count--;
		}
		co_yield ();
	}
}

int main(void)
{
	int from[2] = { 0, EACH };
	long sums[2] = { 0, 0 };
	struct co *all[4] = { co_start("producer of the lower half", produce, &from[0]),
			      co_start("producer of the upper half", produce, &from[1]),
			      co_start("consumer", consume, &sums[0]),
			      co_start("other consumer", consume, &sums[1]) };

	for (int i = 0; i < 4; i++) {
		if (!all[i])
			return 1;
		co_wait(all[i]);
	}
	printf("the numbers below %d add up to %ld\n", 2 * EACH, sums[0] + sums[1]);
	return 0;
}
