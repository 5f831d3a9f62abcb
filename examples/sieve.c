/* SPDX-License-Identifier: MIT
 *
 * sieve.c - primes, by a chain of tasks that grows by one with each prime.
 *
 *	sieve [how many]		sieve 1000
 *
 * Numbers enter at one end. Each task knows one prime and passes on what that does not divide;
 * what comes out at the other end is the next prime, and gets a task of its own. (McIlroy, 1968,
 * and Hoare's "Communicating sequential processes", 1978.) Look at sieve(): nothing is locked or
 * shared, each channel has one sender and one receiver. To end it, the last channel is
 * closed: then the task before it cannot send and closes its own, and so on to the first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft/weft.h>

struct filter {
	weft_chan *in, *out; /* this task's own references */
	int prime;
};

static int filter(void *arg)
{
	struct filter self = *(struct filter *)arg;
	int number;

	free(arg);
	while (weft_chan_recv(self.in, &number, WEFT_FOREVER) == 0)
		if (number % self.prime && weft_chan_send(self.out, &number, WEFT_FOREVER) < 0)
			break;
	weft_chan_close(self.in);
	weft_chan_free(self.in);
	weft_chan_free(self.out);
	return 0;
}

static int count(void *out)
{
	int number = 2;

	while (weft_chan_send(out, &number, WEFT_FOREVER) == 0)
		number++;
	weft_chan_free(out);
	return 0;
}

/* Passes @in on to the new task. Return: the channel behind that. */
static weft_chan *add_filter(weft_scope *scope, weft_chan *in, int prime)
{
	struct filter *self = malloc(sizeof(*self));
	weft_chan *out;

	if (!self || weft_chan_new(&out, sizeof(int), 0) < 0)
		exit(1);
	*self = (struct filter){ in, weft_chan_ref(out), prime };
	if (weft_scope_go(scope, filter, self) < 0)
		exit(1);
	return out;
}

static void sieve(weft_scope *scope, int wanted)
{
	weft_chan *primes;
	int prime;

	if (weft_chan_new(&primes, sizeof(int), 0) < 0 ||
	    weft_scope_go(scope, count, weft_chan_ref(primes)) < 0)
		exit(1);
	for (int i = 1; i <= wanted; i++) {
		if (weft_chan_recv(primes, &prime, WEFT_FOREVER) < 0)
			exit(1);
		printf("%d%c", prime, i % 10 && i < wanted ? ' ' : '\n');
		if (i < wanted)
			primes = add_filter(scope, primes, prime);
	}
	weft_chan_close(primes);
	weft_chan_free(primes);
}

int main(int argc, char **argv)
{
	weft_scope *scope;
	int wanted = argc > 1 ? atoi(argv[1]) : 100, rc;

	if (weft_scope_open(&scope, 0) < 0)
		return 1;
	sieve(scope, wanted);
	rc = weft_scope_wait(scope, WEFT_FOREVER);
	weft_scope_close(scope);
	return rc < 0;
}
