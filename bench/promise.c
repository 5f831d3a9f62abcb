/* SPDX-License-Identifier: MIT
 *
 * promise.c - how long until a plain thread has kept a promise to a task?
 *
 *	bench-promise <workers> [count]
 *
 * A task makes a promise, sends it through a channel with room for one to a plain thread, which is
 * no runtime, and awaits it; the thread resolves it. One after the other, so that the
 * thread, and if it is alone on its worker the task, too, sleep in between.
 *
 * Row: promise_w<workers>, wall time a round trip, and its _cpu (crew.h).
 */
#include <pthread.h>

#include <weft/chan.h>
#include <weft/promise.h>
#include <weft/task.h>

#include "crew.h"

static struct {
	const char *workers;
	long count;
} plan;

static void *keep_promises(void *asked)
{
	weft_promise *promise;

	while (weft_chan_recv(asked, &promise, WEFT_FOREVER) == 0) {
		weft_promise_resolve(promise, asked);
		weft_promise_free(promise);
	}
	return NULL;
}

static void ask(weft_chan *asked)
{
	weft_promise *promise, *given;
	void *value = NULL;

	bench_must(weft_promise_new(&promise), "weft_promise_new");
	given = weft_promise_ref(promise);
	bench_must(weft_chan_send(asked, &given, WEFT_FOREVER), "weft_chan_send");
	bench_must(weft_await(promise, WEFT_FOREVER, &value), "weft_await");
	weft_promise_free(promise);
	bench_must(value == asked ? 0 : -1, "the value is another");
}

static int measure(void *arg)
{
	struct crew_clock start;
	pthread_t helper;
	weft_chan *asked;

	(void)arg;
	bench_must(weft_chan_new(&asked, sizeof(weft_promise *), 1), "weft_chan_new");
	bench_must(-pthread_create(&helper, NULL, keep_promises, asked), "pthread_create");
	start = crew_start();
	for (long i = 0; i < plan.count; i++)
		ask(asked);
	crew_row("promise", plan.workers, start, (double)plan.count, "ns");
	weft_chan_close(asked);
	pthread_join(helper, NULL);
	weft_chan_free(asked);
	return 0;
}

int main(int argc, char **argv)
{
	plan.workers = argc > 1 ? argv[1] : "1";
	plan.count = bench_arg(argc, argv, 2, 10000);
	bench_must(weft_run((unsigned)atoi(plan.workers), measure, NULL, NULL), "weft_run");
	return 0;
}
