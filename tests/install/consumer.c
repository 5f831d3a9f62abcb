/* SPDX-License-Identifier: MIT
 *
 * consumer.c - a user of the installed libweft: a generator, tasks, sleep.
 * Prints one line and exits with 0 when all of it worked.
 */
#include <stdio.h>
#include <string.h>

#include <weft/weft.h>

static int slots[8];

static void count_to_five(void *arg)
{
	long i;

	(void)arg;
	for (i = 1; i <= 5; i++)
		weft_yield((void *)i);
}

static long sum_of_generator(void)
{
	weft_generator *gen;
	long sum = 0;

	if (weft_generator_new(&gen, count_to_five, NULL, NULL) != 0)
		return -1;
	weft_foreach(long, value, gen)
		sum += value;
	weft_generator_free(gen);
	return sum;
}

static int square(void *arg)
{
	int i = *(int *)arg;

	weft_sleep(1000000);
	return i * i;
}

static int sum_of_tasks(void)
{
	weft_task *tasks[8];
	int i, value, sum = 0;

	for (i = 0; i < 8; i++) {
		slots[i] = i;
		if (weft_spawn(&tasks[i], NULL, square, &slots[i]) != 0)
			return -1;
	}
	for (i = 0; i < 8; i++) {
		if (weft_join(tasks[i], WEFT_FOREVER, &value) != 0)
			return -1;
		sum += value;
	}
	return sum;
}

int main(void)
{
	long generated = sum_of_generator();
	int squares = sum_of_tasks();

	printf("weft %s: %ld %d\n", weft_version(), generated, squares);
	return generated != 15 || squares != 140 || strcmp(weft_version(), WEFT_VERSION) != 0;
}
