/* SPDX-License-Identifier: MIT
 *
 * workers.c - a task for each part of the work, a worker for each CPU.
 *
 *	workers [up to] [parts]		WEFT_WORKERS=2 workers 2000000 64
 *
 * Counts primes. The parts cost differently much, which does not matter: who has nothing
 * to do takes parts that have not begun from who has.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weft/weft.h>

struct part {
	int from, to, primes;
};

static int is_prime(int n)
{
	for (int d = 2; d * d <= n; d++)
		if (n % d == 0)
			return 0;
	return n >= 2;
}

static int count(void *arg)
{
	struct part *part = arg;

	for (int n = part->from; n < part->to; n++)
		part->primes += is_prime(n);
	return 0;
}

static int count_all(void *arg)
{
	char **argv = arg;
	int end = argv[1] ? atoi(argv[1]) : 2000000,
	    parts = argv[1] && argv[2] ? atoi(argv[2]) : 64;
	struct part *part = calloc((size_t)parts, sizeof(*part));
	weft_task **task = calloc((size_t)parts, sizeof(*task));
	weft_stats_data stats;
	int primes = 0;

	for (int i = 0; i < parts; i++) {
		part[i].from = (int)((long long)end * i / parts);
		part[i].to = (int)((long long)end * (i + 1) / parts);
		if (weft_spawn(&task[i], NULL, count, &part[i]) < 0)
			return 1;
	}
	for (int i = 0; i < parts; i++) {
		weft_join(task[i], WEFT_FOREVER, NULL);
		primes += part[i].primes;
	}
	printf("%d primes below %d\n", primes, end);
	weft_stats(&stats);
	fprintf(stderr, "%d workers, which took %d parts from each other\n", (int)stats.workers,
		(int)stats.stolen);
	free(part);
	free(task);
	return 0;
}

int main(int argc, char **argv)
{
	int status = 1;

	(void)argc;
	if (weft_run(0, count_all, argv, &status) < 0)
		return 1;
	return status;
}
