/* SPDX-License-Identifier: MIT
 *
 * pipeline.c - four stages, of which the last is slow, and channels with little room between.
 *
 *	pipeline [room] [wanted]	pipeline 0	pipeline unbounded	pipeline 4 50
 *
 * Look at how many values there are at once: the slow stage slows the first one down, and no
 * queue grows. With "unbounded" the first makes them all before the last has added two.
 * Then look at how it ends. Who has no more to send closes the channel behind it, and the end
 * comes after the last value. Or the last stage wants only a part, and closes the one before
 * it: then a send there is -EPIPE, and the end passes the other way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

enum { STAGES = 4, VALUES = 200 };

struct stage {
	const char *name;
	weft_chan *in, *out;
	int done;
};
static int wanted = VALUES, now, most;
static long sum;

/* NULL, and what a neighbour has closed already, stays as it is. */
static int end(struct stage *self)
{
	printf("%-5s ends, after %d values\n", self->name, self->done);
	weft_chan_close(self->in);
	weft_chan_close(self->out);
	return 0;
}

static int count(void *arg)
{
	struct stage *self = arg;

	for (long value = 1; value <= VALUES; value++, self->done++) {
		most = ++now > most ? now : most;
		if (weft_chan_send(self->out, &value, WEFT_FOREVER) < 0)
			break;
	}
	return end(self);
}

static int twice(void *arg)
{
	struct stage *self = arg;
	long value;

	for (; weft_chan_recv(self->in, &value, WEFT_FOREVER) == 0; self->done++) {
		value *= 2;
		if (weft_chan_send(self->out, &value, WEFT_FOREVER) < 0)
			break;
	}
	return end(self);
}

static int add(void *arg)
{
	struct stage *self = arg;
	long value;

	for (; self->done < wanted; self->done++, now--) {
		if (weft_chan_recv(self->in, &value, WEFT_FOREVER) < 0)
			break;
		weft_sleep(50000); /* 50 us: slower than the others by far */
		sum += value;
	}
	return end(self);
}

int main(int argc, char **argv)
{
	struct stage stages[STAGES] = { 0 };
	const char *names[] = { "count", "twice", "twice", "add" };
	weft_fn *bodies[] = { count, twice, twice, add };
	weft_scope *scope;
	const char *text = argc > 1 ? argv[1] : "4";
	size_t room = strcmp(text, "unbounded") ? strtoul(text, NULL, 10) : WEFT_UNBOUNDED;

	wanted = argc > 2 ? atoi(argv[2]) : VALUES;
	if (weft_scope_open(&scope, 0) < 0)
		return 1;
	for (int i = 0; i < STAGES; i++) {
		stages[i].name = names[i];
		stages[i].in = i ? stages[i - 1].out : NULL;
		if ((i < STAGES - 1 && weft_chan_new(&stages[i].out, sizeof(long), room) < 0) ||
		    weft_scope_go(scope, bodies[i], &stages[i]) < 0)
			return 1;
	}
	weft_scope_wait(scope, WEFT_FOREVER);
	weft_scope_close(scope);
	for (int i = 0; i < STAGES; i++)
		weft_chan_free(stages[i].out);
	printf("sum %ld; at most %d values at once; room: 3 times %s\n", sum, most, text);
	return 0;
}
