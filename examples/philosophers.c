/* SPDX-License-Identifier: MIT
 *
 * philosophers.c - five of them, five forks, and two orders in which to take these.
 *
 *	philosophers			all eat
 *	philosophers naive		each takes the left fork, then the right one
 *
 * In the naive order there comes a moment when each holds his left fork and waits for his
 * neighbour's. Look at what the program then says: it ends at once, and names the circle, who
 * waits for what, and where in the source. The right order takes the fork with the lower number
 * first: the last philosopher begins at his right, and no circle can close. (Dijkstra, 1965.)
 *
 * A task may hold a mutex while it sleeps or yields: its thread goes on with others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

enum { SEATS = 5, MEALS = 100 };

static weft_mutex forks[SEATS]; /* all zero: nobody's */
static int in_use[SEATS], naive;

struct philosopher {
	const char *name;
	int seat, meals;
	weft_task *task;
};

static int take(int fork)
{
	int rc = weft_mutex_lock(&forks[fork], WEFT_FOREVER);

	if (rc == 0 && in_use[fork]++)
		abort(); /* by two at once: no mutex would be worth its name */
	return rc;
}

static void put_back(int fork)
{
	in_use[fork]--;
	weft_mutex_unlock(&forks[fork]);
}

static int dine(void *arg)
{
	struct philosopher *self = arg;
	int left = self->seat, right = (self->seat + 1) % SEATS;
	int first = naive || left < right ? left : right, second = left + right - first;

	while (self->meals < MEALS) {
		if (take(first) < 0)
			return 1;
		weft_task_yield(); /* somebody says something */
		if (take(second) < 0)
			return 1;
		weft_task_yield();
		self->meals++;
		put_back(second);
		put_back(first);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct philosopher table[SEATS] = { { .name = "Plato" },
					    { .name = "Hypatia" },
					    { .name = "Seneca" },
					    { .name = "Confucius" },
					    { .name = "Kant" } };

	naive = argc > 1 && !strcmp(argv[1], "naive");
	for (int i = 0; i < SEATS; i++) {
		weft_attr attr = { .name = table[i].name };

		table[i].seat = i;
		if (weft_spawn(&table[i].task, &attr, dine, &table[i]) < 0)
			return 1;
	}
	for (int i = 0; i < SEATS; i++) {
		if (weft_join(table[i].task, WEFT_FOREVER, NULL) < 0)
			return 1;
		printf("%-9s ate %d times\n", table[i].name, table[i].meals);
	}
	return 0;
}
