/* SPDX-License-Identifier: MIT
 *
 * await.c - the work is done by other threads, and each task goes on where it was.
 *
 * Code that can only block runs on a few threads that weft knows nothing of. A thousand tasks
 * on all CPUs ask it, each holds a promise and awaits. The thread settles it, and the task
 * continues on its own worker. Some lose patience, and the thread finds that out.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/weft.h>

enum { TASKS = 1000, THREADS = 4 };

struct question {
	weft_promise *answer;
	long number;
};

static weft_chan *questions;
static _Atomic int answered, cancelled, unwanted, strays;

/* Blocks, and is no task. */
static void *helper(void *arg)
{
	struct question question;

	while (weft_chan_recv(questions, &question, WEFT_FOREVER) == 0) {
		usleep(100); /* the slow part */
		if (weft_promise_resolve(question.answer,
					 (void *)(question.number * question.number)) < 0)
			unwanted++;
		weft_promise_free(question.answer);
	}
	return arg;
}

static int ask(void *arg)
{
	struct question question = { .number = (long)arg };
	pthread_t worker = pthread_self();
	weft_promise *answer;
	void *square = NULL;
	int rc;

	if (weft_promise_new(&answer) < 0)
		return -1;
	question.answer = weft_promise_ref(answer);
	rc = weft_chan_send(questions, &question, WEFT_FOREVER);
	if (rc == 0)
		rc = weft_await(answer, question.number % 10 ? WEFT_FOREVER : weft_in_ms(1),
				&square);
	/* One of the two wins, cancel or answer; and we take what has come meanwhile. */
	if (rc == -ETIMEDOUT && weft_promise_cancel(answer) < 0)
		rc = weft_await(answer, WEFT_NOWAIT, &square);
	if (rc == 0 && (long)square == question.number * question.number)
		answered++;
	else
		cancelled++;
	if (!pthread_equal(worker, pthread_self()))
		strays++;
	weft_promise_free(answer);
	return 0;
}

static int ask_all(void *arg)
{
	weft_task *tasks[TASKS];
	weft_attr attr = { .flags = WEFT_SPREAD };

	(void)arg;
	for (long i = 0; i < TASKS; i++)
		if (weft_spawn(&tasks[i], &attr, ask, (void *)i) < 0)
			return 1;
	for (int i = 0; i < TASKS; i++)
		weft_join(tasks[i], WEFT_FOREVER, NULL);
	return 0;
}

int main(void)
{
	pthread_t threads[THREADS];
	int rc = 1;

	if (weft_chan_new(&questions, sizeof(struct question), 16) < 0)
		return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, helper, NULL);
	weft_run(0, ask_all, NULL, &rc);
	weft_chan_close(questions);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	weft_chan_free(questions);
	printf("%d answered, %d cancelled, %d answers that nobody wanted, %d astray\n", answered,
	       cancelled, unwanted, strays);
	return rc || answered + cancelled != TASKS || cancelled != unwanted || strays;
}
