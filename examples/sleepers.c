/* SPDX-License-Identifier: MIT
 *
 * sleepers.c - a hundred thousand tasks that call sleep-like libc functions, on
 * one thread; each checks that it was not woken early.
 *
 *	sleepers [tasks [milliseconds]]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft/weft.h>

static long awake, early;
static int64_t nap_ns = 500000000;

static int sleeper(void *arg)
{
	int64_t due = weft_now() + nap_ns;

	(void)arg;
	usleep((useconds_t)(nap_ns / 1000)); /* libc's, hooked: it parks the task */
	early += weft_now() < due;
	awake++;
	return 0;
}

int main(int argc, char **argv)
{
	long tasks = argc > 1 ? atol(argv[1]) : 100000, made;
	int64_t begun = weft_now();

	if (argc > 2)
		nap_ns = atol(argv[2]) * INT64_C(1000000);
	for (made = 0; made < tasks; made++) {
		int rc = weft_go(sleeper, NULL);

		if (rc < 0) {
			printf("task %ld: error %d\n", made, -rc);
			break;
		}
	}
	while (awake < made)
		weft_sleep(1000000);
	printf("%ld tasks slept %.3f s each, %ld of them too short, all in %.3f s\n", made,
	       (double)nap_ns / 1e9, early, (double)(weft_now() - begun) / 1e9);
	return made < tasks || early;
}
