/* SPDX-License-Identifier: MIT
 *
 * producer-consumer.c - two coroutines that hand control to each other.
 *
 * Neither is the other's subroutine: the producer is a loop that puts items
 * into a box, the consumer a loop that takes them out, and weft_transfer()
 * continues the other side when the box is full or empty. (The example by which
 * Conway introduced coroutines in 1963, and Knuth after him.) The main program
 * resumes one of them, and gets control back when the consumer returns.
 */
#include <stdio.h>
#include <weft/coroutine.h>

struct box {
	weft_coroutine *producer, *consumer;
	int items[4];
	int count;
};

static void *produce(void *arg, void *value)
{
	struct box *box = arg;

	(void)value;
	for (int item = 1;; item++) {
		if (box->count == 4) {
			printf("producer: full\n");
			weft_transfer(box->consumer, NULL, NULL);
		}
		box->items[box->count++] = item * item;
	}
	return NULL;
}

static void *consume(void *arg, void *value)
{
	struct box *box = arg;
	long sum = 0;

	(void)value;
	for (int rounds = 0; rounds < 3; rounds++) {
		if (!box->count)
			weft_transfer(box->producer, NULL, NULL);
		printf("consumer:");
		for (int i = 0; i < box->count; i++) {
			printf(" %d", box->items[i]);
			sum += box->items[i];
		}
		printf("\n");
		box->count = 0;
	}
	return (void *)sum;
}

int main(void)
{
	struct box box = { .count = 0 };
	void *sum = NULL;

	if (weft_coroutine_new(&box.producer, produce, &box, NULL) < 0 ||
	    weft_coroutine_new(&box.consumer, consume, &box, NULL) < 0)
		return 1;
	if (weft_resume(box.consumer, NULL, &sum) != 0)
		return 1;
	printf("sum of the first 12 squares: %ld\n", (long)sum);
	weft_coroutine_free(box.consumer);
	weft_coroutine_free(box.producer); /* suspended: it has more to give */
	return (long)sum != 650;
}
