/* SPDX-License-Identifier: MIT
 *
 * promise.c - promises: every function and every error, for tasks, shared stacks and plain
 * threads.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <core/park.h>
#include <sync/promise.h>
#include <weft/coroutine.h>
#include <weft/debug.h>
#include <weft/promise.h>

#include "parties.h"

static char one[] = "one", two[] = "two";

static weft_promise *new_promise(void)
{
	weft_promise *promise;

	CHECK_EQ(weft_promise_new(&promise), 0);
	return promise;
}

static weft_promise *resolved(void *value)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_resolve(promise, value), 0);
	return promise;
}

static weft_promise *rejected(int error)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_reject(promise, error), 0);
	return promise;
}

/* --- states ------------------------------------------------------------------------------ */

TEST(promise, a_new_one_is_pending)
{
	weft_promise *promise = new_promise();
	void *value = one;

	CHECK_EQ(weft_promise_state(promise), WEFT_PROMISE_PENDING);
	CHECK_EQ(weft_await(promise, WEFT_NOWAIT, &value), -EAGAIN);
	CHECK_EQ(value, one);
	weft_promise_free(promise);
}

TEST(promise, first_settle_wins)
{
	weft_promise *promise = resolved(one);
	void *value = NULL;

	CHECK_EQ(weft_promise_resolve(promise, two), -EALREADY);
	CHECK_EQ(weft_promise_reject(promise, -EIO), -EALREADY);
	CHECK_EQ(weft_promise_cancel(promise), -EALREADY);
	CHECK_EQ(weft_promise_progress(promise, two), -EALREADY);
	CHECK_EQ(weft_promise_state(promise), WEFT_PROMISE_RESOLVED);
	CHECK_EQ(weft_await(promise, WEFT_FOREVER, &value), 0);
	CHECK_EQ(value, one);
	CHECK_EQ(weft_await(promise, WEFT_NOWAIT, NULL), 0);
	weft_promise_free(promise);
}

TEST(promise, rejected_with_an_error)
{
	weft_promise *promise = rejected(-EIO);
	void *value = one;

	CHECK_EQ(weft_promise_state(promise), WEFT_PROMISE_REJECTED);
	CHECK_EQ(weft_await(promise, WEFT_FOREVER, &value), -EIO);
	CHECK_EQ(value, one);
	CHECK_EQ(weft_promise_resolve(promise, two), -EALREADY);
	CHECK_EQ(weft_promise_cancel(promise), -EALREADY);
	weft_promise_free(promise);
}

TEST(promise, cancelled)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_cancel(promise), 0);
	CHECK_EQ(weft_promise_state(promise), WEFT_PROMISE_CANCELLED);
	CHECK_EQ(weft_await(promise, WEFT_FOREVER, NULL), -ECANCELED);
	CHECK_EQ(weft_cancelled(), 0);
	CHECK_EQ(weft_promise_resolve(promise, one), -EALREADY);
	CHECK_EQ(weft_promise_cancel(promise), -EALREADY);
	weft_promise_free(promise);
}

static void then_nothing(void *arg, int error, void *value)
{
	(void)arg, (void)error, (void)value;
}

static void told_nothing(void *arg)
{
	(void)arg;
}

static int chain_nothing(void *arg, int error, void *value, void **ret_value)
{
	(void)arg, (void)error, (void)value, (void)ret_value;
	return 0;
}

TEST(promise, misuse)
{
	weft_promise *promise = new_promise(), *none[] = { promise, NULL }, *out = promise;
	uint64_t seen = 0;
	unsigned index = 7;

	CHECK_EQ(weft_promise_ref(NULL), NULL);
	weft_promise_free(NULL);
	CHECK_EQ(weft_promise_state(NULL), -EINVAL);
	CHECK_EQ(weft_promise_resolve(NULL, one), -EINVAL);
	CHECK_EQ(weft_promise_reject(NULL, -EIO), -EINVAL);
	CHECK_EQ(weft_promise_reject(promise, 0), -EINVAL);
	CHECK_EQ(weft_promise_reject(promise, EIO), -EINVAL);
	CHECK_EQ(weft_promise_reject(promise, -4096), -EINVAL);
	CHECK_EQ(weft_promise_cancel(NULL), -EINVAL);
	CHECK_EQ(weft_promise_progress(NULL, one), -EINVAL);
	CHECK_EQ(weft_promise_destructor(NULL, free), -EINVAL);
	CHECK_EQ(weft_promise_on_cancel(NULL, told_nothing, NULL), -EINVAL);
	CHECK_EQ(weft_promise_on_cancel(promise, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_promise_then(NULL, then_nothing, NULL), -EINVAL);
	CHECK_EQ(weft_promise_then(promise, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_promise_chain(NULL, chain_nothing, NULL, &out), -EINVAL);
	CHECK_EQ(weft_promise_chain(promise, NULL, NULL, &out), -EINVAL);
	CHECK_EQ(weft_promise_chain(promise, chain_nothing, NULL, NULL), -EINVAL);
	CHECK_EQ(out, promise);
	CHECK_EQ(weft_await(NULL, WEFT_NOWAIT, NULL), -EINVAL);
	CHECK_EQ(weft_await_progress(NULL, &seen, WEFT_NOWAIT, NULL), -EINVAL);
	CHECK_EQ(weft_await_progress(promise, NULL, WEFT_NOWAIT, NULL), -EINVAL);
	CHECK_EQ(weft_await_all(none, 2, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_await_all(NULL, 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_await_all(none, UINT32_MAX, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_await_any(none, 2, WEFT_NOWAIT, &index), -EINVAL);
	CHECK_EQ(weft_await_any(none, 0, WEFT_NOWAIT, &index), -EINVAL);
	CHECK_EQ(weft_await_any(none, 1, WEFT_NOWAIT, NULL), -EINVAL);
	CHECK_EQ(index, 7);
	CHECK_EQ(weft_promise_state(promise), WEFT_PROMISE_PENDING);
	weft_promise_free(promise);
}

/* --- waiting: each kind of party ----------------------------------------------------------- */

struct await {
	weft_promise *promise;
	int64_t deadline_ns;
	void *value;
};

static int await(void *arg)
{
	struct await *call = arg;
	void *value = two;
	int rc = weft_await(call->promise, call->deadline_ns, &value);

	call->value = value;
	return rc;
}

/* Several of each kind wait; what is done meanwhile is what all of them get. */
static void check_all_kinds(int (*settle)(weft_promise *promise), int want, void *value)
{
	enum { EACH = 3 };
	struct party parties[EACH * KINDS];
	struct await call[EACH * KINDS];
	weft_promise *promise = new_promise();

	for (int i = 0; i < EACH * KINDS; i++) {
		call[i] = (struct await){ promise, i % 2 ? WEFT_FOREVER : weft_in_s(3600), NULL };
		party_start(&parties[i], (enum kind)(i % KINDS), await, &call[i]);
	}
	let_others();
	CHECK_EQ(settle(promise), 0);
	for (int i = 0; i < EACH * KINDS; i++) {
		CHECK_EQ(party_end(&parties[i]), want);
		CHECK_EQ(call[i].value, value);
	}
	weft_promise_free(promise);
}

static int resolve_one(weft_promise *promise)
{
	return weft_promise_resolve(promise, one);
}

static int reject_io(weft_promise *promise)
{
	return weft_promise_reject(promise, -EIO);
}

TEST(promise, all_who_wait_get_the_value)
{
	check_all_kinds(resolve_one, 0, one);
}

TEST(promise, all_who_wait_get_the_error)
{
	check_all_kinds(reject_io, -EIO, two);
}

TEST(promise, all_who_wait_are_told_of_a_cancel)
{
	check_all_kinds(weft_promise_cancel, -ECANCELED, two);
}

static void check_timeout(enum kind kind)
{
	struct party party;
	struct await call = { new_promise(), weft_in_ms(2), NULL };
	void *value = NULL;

	party_start(&party, kind, await, &call);
	CHECK_EQ(party_end(&party), -ETIMEDOUT);
	CHECK_EQ(call.value, two);
	/* Nothing of it is left behind. */
	CHECK_EQ(weft_promise_resolve(call.promise, one), 0);
	CHECK_EQ(weft_await(call.promise, WEFT_NOWAIT, &value), 0);
	CHECK_EQ(value, one);
	weft_promise_free(call.promise);
}

TEST(promise, the_deadline_comes_first)
{
	for (int kind = 0; kind < KINDS; kind++)
		check_timeout((enum kind)kind);
}

static int await_cancelled(void *arg)
{
	weft_promise *promise = arg, *settled = resolved(one);
	uint64_t seen = 0;
	unsigned index;
	void *value = NULL;

	CHECK_EQ(weft_await(promise, WEFT_FOREVER, NULL), -ECANCELED);
	CHECK_EQ(weft_cancelled(), 1);
	CHECK_EQ(weft_promise_state(promise), WEFT_PROMISE_PENDING);
	/* And from now on it does not begin to wait, */
	CHECK_EQ(weft_await(promise, weft_in_s(1), NULL), -ECANCELED);
	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_FOREVER, NULL), -ECANCELED);
	CHECK_EQ(weft_await_all(&promise, 1, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_await_any(&promise, 1, WEFT_FOREVER, &index), -ECANCELED);
	/* but what is settled it gets. */
	CHECK_EQ(weft_await(settled, WEFT_FOREVER, &value), 0);
	CHECK_EQ(value, one);
	weft_promise_free(settled);
	return 5;
}

TEST(promise, a_cancelled_task_can_tell_whose_cancel_it_is)
{
	weft_promise *promise = new_promise();
	struct party party;

	for (enum kind kind = PRIVATE; kind <= SHARED; kind++) {
		party_start(&party, kind, await_cancelled, promise);
		let_others();
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), 5);
	}
	weft_promise_free(promise);
}

static void *resolve_in_thread(void *arg)
{
	usleep(1000);
	CHECK_EQ(weft_promise_resolve(arg, one), 0);
	weft_promise_free(arg);
	return NULL;
}

static int await_on_own_worker(void *arg)
{
	weft_promise *promise = new_promise();
	pthread_t thread, self = pthread_self();
	void *value = NULL;

	CHECK_EQ(pthread_create(&thread, NULL, resolve_in_thread, weft_promise_ref(promise)), 0);
	CHECK_EQ(weft_await(promise, WEFT_FOREVER, &value), 0);
	CHECK_EQ(value, one);
	CHECK(pthread_equal(self, pthread_self()));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	weft_promise_free(promise);
	return (int)(intptr_t)arg;
}

static int await_in_crew(void *arg)
{
	weft_attr attr = { .flags = WEFT_SPREAD };
	weft_task *tasks[8];
	int ret;

	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, await_on_own_worker, (void *)(intptr_t)i), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, i);
	}
	return (int)(intptr_t)arg;
}

/* The threads that settle know nothing of weft. */
TEST(promise, who_awaits_continues_on_its_own_worker)
{
	CHECK_EQ(weft_run(3, await_in_crew, NULL, NULL), 0);
}

static void *await_in_coroutine(void *arg, void *value)
{
	weft_promise *list[] = { arg, arg };

	(void)value;
	CHECK_EQ(weft_await_all(list, 2, WEFT_FOREVER), 0);
	CHECK_EQ(weft_await(arg, WEFT_FOREVER, &value), 0);
	return value;
}

static int run_coroutine(void *arg)
{
	weft_attr attr = { .shared = party_group() };
	weft_coroutine *co;
	void *value = NULL;

	CHECK_EQ(weft_coroutine_new(&co, await_in_coroutine, arg, &attr), 0);
	CHECK_EQ(weft_resume(co, NULL, &value), 0);
	CHECK_EQ(value, one);
	CHECK_EQ(weft_coroutine_free(co), 0);
	return 0;
}

/* The task's stack is private, the coroutine's is shared by two of them. */
TEST(promise, inside_a_coroutine_on_a_shared_stack)
{
	weft_promise *promise = new_promise();
	struct party parties[2];

	for (int i = 0; i < 2; i++)
		party_start(&parties[i], PRIVATE, run_coroutine, promise);
	let_others();
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	weft_promise_free(promise);
}

/* --- several ------------------------------------------------------------------------------- */

enum { MANY = 40 };

struct several {
	weft_promise *list[MANY];
	unsigned count, index;
	int64_t deadline_ns;
};

static int await_all(void *arg)
{
	struct several *several = arg;

	return weft_await_all(several->list, several->count, several->deadline_ns);
}

static int await_any(void *arg)
{
	struct several *several = arg;
	unsigned index = MANY; /* not an address that another party would be given: our frame */
	int rc = weft_await_any(several->list, several->count, several->deadline_ns, &index);

	several->index = index;
	return rc;
}

static struct several *several_new(unsigned count, int64_t deadline_ns)
{
	struct several *several = calloc(1, sizeof(*several));

	CHECK(several != NULL);
	several->count = count;
	several->deadline_ns = deadline_ns;
	for (unsigned i = 0; i < count; i++)
		several->list[i] = new_promise();
	return several;
}

static void several_free(struct several *several)
{
	for (unsigned i = 0; i < several->count; i++)
		weft_promise_free(several->list[i]);
	free(several);
}

static void check_all(unsigned count, enum kind kind)
{
	struct several *several = several_new(count, kind ? WEFT_FOREVER : weft_in_s(3600));
	struct party party;

	CHECK_EQ(weft_promise_resolve(several->list[count / 2], one), 0);
	party_start(&party, kind, await_all, several);
	let_others();
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(weft_promise_resolve(several->list[i], one),
			 i == count / 2 ? -EALREADY : 0);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(weft_await_all(several->list, count, WEFT_NOWAIT), 0);
	several_free(several);
}

TEST(promise, all_of_few_and_of_many)
{
	for (int kind = 0; kind < KINDS; kind++) {
		check_all(1, (enum kind)kind);
		check_all(8, (enum kind)kind);
		check_all(MANY, (enum kind)kind);
	}
}

static void check_all_fails(int error, enum kind kind)
{
	struct several *several = several_new(4, WEFT_FOREVER);
	struct party party;

	party_start(&party, kind, await_all, several);
	let_others();
	CHECK_EQ(weft_promise_resolve(several->list[3], one), 0);
	if (error == -ECANCELED)
		CHECK_EQ(weft_promise_cancel(several->list[1]), 0);
	else
		CHECK_EQ(weft_promise_reject(several->list[1], error), 0);
	CHECK_EQ(party_end(&party), error);
	CHECK_EQ(weft_await_all(several->list, 4, WEFT_FOREVER), error);
	/* The others go on. */
	CHECK_EQ(weft_promise_state(several->list[0]), WEFT_PROMISE_PENDING);
	CHECK_EQ(weft_promise_resolve(several->list[0], one), 0);
	several_free(several);
}

TEST(promise, all_is_over_with_the_first_failure)
{
	for (int kind = 0; kind < KINDS; kind++) {
		check_all_fails(-EIO, (enum kind)kind);
		check_all_fails(-ECANCELED, (enum kind)kind);
	}
}

TEST(promise, all_of_none)
{
	CHECK_EQ(weft_await_all(NULL, 0, WEFT_FOREVER), 0);
}

static void check_any(unsigned count, unsigned which, enum kind kind)
{
	struct several *several = several_new(count, kind ? WEFT_FOREVER : weft_in_s(3600));
	struct party party;

	party_start(&party, kind, await_any, several);
	let_others();
	CHECK_EQ(weft_promise_reject(several->list[which], -EIO), 0);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(several->index, which);
	/* The lowest, when there are several. */
	CHECK_EQ(weft_promise_resolve(several->list[0], one), which ? 0 : -EALREADY);
	CHECK_EQ(weft_await_any(several->list, count, WEFT_FOREVER, &several->index), 0);
	CHECK_EQ(several->index, 0);
	several_free(several);
}

TEST(promise, any_of_few_and_of_many)
{
	for (int kind = 0; kind < KINDS; kind++) {
		check_any(1, 0, (enum kind)kind);
		check_any(8, 7, (enum kind)kind);
		check_any(MANY, 20, (enum kind)kind);
	}
}

TEST(promise, several_and_time_runs_out)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct several *several = several_new(3, weft_in_ms(2));
		struct party party;

		CHECK_EQ(weft_await_all(several->list, 3, WEFT_NOWAIT), -EAGAIN);
		CHECK_EQ(weft_await_any(several->list, 3, WEFT_NOWAIT, &several->index), -EAGAIN);
		party_start(&party, (enum kind)kind, await_all, several);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		several->deadline_ns = weft_in_ms(2);
		party_start(&party, (enum kind)kind, await_any, several);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		CHECK_EQ(several->index, MANY);
		several_free(several);
	}
}

/* One promise twice counts twice. */
TEST(promise, duplicates)
{
	weft_promise *promise = new_promise();
	struct several several = { .list = { promise, promise, promise },
				   .count = 3,
				   .deadline_ns = WEFT_FOREVER };
	struct party party;

	party_start(&party, PRIVATE, await_all, &several);
	let_others();
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(party_end(&party), 0);
	weft_promise_free(promise);
}

/* --- watches: what a select hangs on ------------------------------------------------------- */

static int watch_two(void *arg)
{
	weft_promise **promises = arg;
	struct promise_watch watches[2];
	struct task *self = weft__task_self(NULL);
	uint64_t ticket = weft__park_begin(self);
	int rc;

	CHECK_EQ(weft__promise_watch(promises[0], &watches[0], ticket, 10), 0);
	CHECK_EQ(weft__promise_watch(promises[1], &watches[1], ticket, 11), 0);
	rc = weft__park(self, WAIT_OTHER, WEFT_FOREVER);
	weft__promise_unwatch(promises[0], &watches[0]);
	weft__promise_unwatch(promises[1], &watches[1]);
	CHECK_EQ(weft__promise_watch(promises[rc - 10], &watches[0], ticket, 10), 1);
	return rc;
}

TEST(promise, a_watch_fires_with_its_result)
{
	weft_promise *promises[2] = { new_promise(), new_promise() };
	struct party party;

	party_start(&party, PRIVATE, watch_two, promises);
	let_others();
	CHECK_EQ(weft_promise_reject(promises[1], -EIO), 0);
	CHECK_EQ(party_end(&party), 11);
	CHECK_EQ(weft_promise_resolve(promises[0], one), 0);
	weft_promise_free(promises[0]);
	weft_promise_free(promises[1]);
}

/* --- progress ------------------------------------------------------------------------------ */

TEST(promise, progress_without_waiting)
{
	weft_promise *promise = new_promise();
	uint64_t seen = 0;
	void *value = NULL;

	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_NOWAIT, &value), -EAGAIN);
	CHECK_EQ(weft_promise_progress(promise, one), 0);
	CHECK_EQ(weft_promise_progress(promise, two), 0);
	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_NOWAIT, &value), 1);
	CHECK_EQ(value, two);
	CHECK_EQ(seen, 2);
	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(weft_promise_progress(promise, one), 0);
	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_NOWAIT, NULL), 1);
	CHECK_EQ(seen, 3);
	/* The settle comes before progress that nobody has seen. */
	CHECK_EQ(weft_promise_progress(promise, one), 0);
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_NOWAIT, &value), 0);
	CHECK_EQ(value, one);
	CHECK_EQ(seen, 3);
	weft_promise_free(promise);
}

struct follow {
	weft_promise *promise;
	_Atomic intptr_t last;
	int64_t deadline_ns;
};

/* Progress only grows; the value comes last. */
static int follow(void *arg)
{
	struct follow *follow = arg;
	uint64_t seen = 0;
	intptr_t last = 0;
	void *value = NULL;
	int rc;

	while ((rc = weft_await_progress(follow->promise, &seen, follow->deadline_ns, &value)) ==
	       1) {
		CHECK_GT((intptr_t)value, last);
		follow->last = last = (intptr_t)value;
	}
	if (rc == 0)
		CHECK_EQ(value, one);
	return rc;
}

TEST(promise, progress_reaches_those_who_follow)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct follow call = { new_promise(), 0, WEFT_FOREVER };
		struct party party;

		party_start(&party, (enum kind)kind, follow, &call);
		for (intptr_t i = 1; i <= 20; i++) {
			CHECK_EQ(weft_promise_progress(call.promise, (void *)i), 0);
			while (call.last != i)
				CHECK_EQ(weft_sleep(50000), 0);
		}
		let_others();
		CHECK_EQ(weft_promise_resolve(call.promise, one), 0);
		CHECK_EQ(party_end(&party), 0);
		weft_promise_free(call.promise);
	}
}

TEST(promise, who_follows_hears_of_error_cancel_and_deadline)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct follow call = { new_promise(), 0, weft_in_ms(2) };
		struct party party;

		party_start(&party, (enum kind)kind, follow, &call);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		call.deadline_ns = WEFT_FOREVER;
		party_start(&party, (enum kind)kind, follow, &call);
		let_others();
		if (kind % 2)
			CHECK_EQ(weft_promise_cancel(call.promise), 0);
		else
			CHECK_EQ(weft_promise_reject(call.promise, -EIO), 0);
		CHECK_EQ(party_end(&party), kind % 2 ? -ECANCELED : -EIO);
		weft_promise_free(call.promise);
	}
}

/* --- callbacks ----------------------------------------------------------------------------- */

static struct {
	int calls, error;
	void *value;
	char order[16];
} heard;

static void hear(void *arg, int error, void *value)
{
	heard.order[heard.calls++] = *(char *)arg;
	heard.error = error;
	heard.value = value;
}

TEST(promise, then_is_called_once_in_order_at_the_settle)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_then(promise, hear, "a"), 0);
	CHECK_EQ(weft_promise_then(promise, hear, "b"), 0);
	CHECK_EQ(heard.calls, 0);
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_STR(heard.order, "ab");
	CHECK_EQ(heard.error, 0);
	CHECK_EQ(heard.value, one);
	/* At once, when it is settled. */
	CHECK_EQ(weft_promise_then(promise, hear, "c"), 0);
	CHECK_STR(heard.order, "abc");
	CHECK_EQ(weft_promise_resolve(promise, two), -EALREADY);
	weft_promise_free(promise);
	CHECK_EQ(heard.calls, 3);
}

TEST(promise, then_hears_of_errors)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_then(promise, hear, "a"), 0);
	CHECK_EQ(weft_promise_reject(promise, -EIO), 0);
	CHECK_EQ(heard.error, -EIO);
	CHECK_EQ(heard.value, NULL);
	weft_promise_free(promise);
	promise = new_promise();
	CHECK_EQ(weft_promise_then(promise, hear, "b"), 0);
	CHECK_EQ(weft_promise_cancel(promise), 0);
	CHECK_EQ(heard.error, -ECANCELED);
	weft_promise_free(promise);
	CHECK_STR(heard.order, "ab");
}

TEST(promise, a_promise_that_is_given_up_says_so)
{
	weft_promise *promise = new_promise(), *derived;

	CHECK_EQ(weft_promise_then(promise, hear, "a"), 0);
	CHECK_EQ(weft_promise_chain(promise, chain_nothing, NULL, &derived), 0);
	weft_promise_free(promise);
	CHECK_STR(heard.order, "a");
	CHECK_EQ(heard.error, -EPIPE);
	CHECK_EQ(weft_promise_state(derived), WEFT_PROMISE_RESOLVED);
	weft_promise_free(derived);
}

static void tell(void *arg)
{
	heard.order[heard.calls++] = *(char *)arg;
}

TEST(promise, on_cancel_tells_the_producer)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_on_cancel(promise, tell, "a"), 0);
	CHECK_EQ(weft_promise_on_cancel(promise, tell, "b"), 0);
	CHECK_EQ(weft_promise_cancel(promise), 0);
	CHECK_STR(heard.order, "ab");
	CHECK_EQ(weft_promise_on_cancel(promise, tell, "c"), 0);
	CHECK_STR(heard.order, "abc");
	CHECK_EQ(weft_promise_cancel(promise), -EALREADY);
	weft_promise_free(promise);
	CHECK_EQ(heard.calls, 3);
}

TEST(promise, on_cancel_is_silent_otherwise)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_on_cancel(promise, tell, "a"), 0);
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(weft_promise_on_cancel(promise, tell, "b"), -EALREADY);
	weft_promise_free(promise);
	promise = new_promise();
	CHECK_EQ(weft_promise_on_cancel(promise, tell, "c"), 0);
	weft_promise_free(promise);
	CHECK_EQ(heard.calls, 0);
}

static void await_in_callback(void *arg, int error, void *value)
{
	(void)error, (void)value;
	CHECK_EQ(weft_sleep(1000000), 0);
	CHECK_EQ(weft_await(arg, WEFT_FOREVER, NULL), 0);
	heard.calls++;
}

/* No lock is held: a callback may even wait, and settle others. */
TEST(promise, a_callback_may_wait)
{
	weft_promise *promise = new_promise(), *other = new_promise();
	struct await call = { promise, WEFT_FOREVER, NULL };
	struct party party;

	CHECK_EQ(weft_promise_resolve(other, NULL), 0);
	CHECK_EQ(weft_promise_then(promise, await_in_callback, other), 0);
	party_start(&party, PRIVATE, await, &call);
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(heard.calls, 1);
	CHECK_EQ(party_end(&party), 0);
	weft_promise_free(promise);
	weft_promise_free(other);
}

/* --- chains -------------------------------------------------------------------------------- */

static int add_one(void *arg, int error, void *value, void **ret_value)
{
	(void)arg;
	if (error < 0)
		return error;
	*ret_value = (void *)((intptr_t)value + 1);
	return 0;
}

static int repair(void *arg, int error, void *value, void **ret_value)
{
	CHECK_EQ(error, -EIO);
	CHECK_EQ(value, NULL);
	*ret_value = arg;
	return 1; /* not negative: a success */
}

TEST(promise, a_chain_makes_values_of_values)
{
	weft_promise *first = new_promise(), *second, *third;
	void *value = NULL;

	CHECK_EQ(weft_promise_chain(first, add_one, NULL, &second), 0);
	CHECK_EQ(weft_promise_resolve(first, (void *)40), 0);
	CHECK_EQ(weft_promise_chain(second, add_one, NULL, &third), 0);
	CHECK_EQ(weft_await(third, WEFT_NOWAIT, &value), 0);
	CHECK_EQ(value, 42);
	weft_promise_free(first);
	weft_promise_free(second);
	weft_promise_free(third);
}

TEST(promise, a_chain_passes_errors_on_or_repairs_them)
{
	weft_promise *first = new_promise(), *second, *third;
	void *value = NULL;

	CHECK_EQ(weft_promise_chain(first, add_one, NULL, &second), 0);
	CHECK_EQ(weft_promise_chain(second, repair, one, &third), 0);
	CHECK_EQ(weft_promise_reject(first, -EIO), 0);
	CHECK_EQ(weft_await(second, WEFT_NOWAIT, &value), -EIO);
	CHECK_EQ(weft_await(third, WEFT_NOWAIT, &value), 0);
	CHECK_EQ(value, one);
	weft_promise_free(first);
	weft_promise_free(second);
	weft_promise_free(third);
}

static int settle_first(void *arg)
{
	return weft_promise_resolve(arg, NULL);
}

/* A hundred thousand links on a stack of 16 KiB: there is no recursion. */
TEST(promise, long_chains)
{
	enum { LINKS = 100000 };
	weft_promise *first = new_promise(), *last = weft_promise_ref(first), *next;
	weft_attr attr = { .stack_bytes = 16 << 10 };
	weft_task *task;
	void *value = NULL;
	int ret = -1;

	for (int i = 0; i < LINKS; i++) {
		CHECK_EQ(weft_promise_chain(last, add_one, NULL, &next), 0);
		weft_promise_free(last);
		last = next;
	}
	CHECK_EQ(weft_spawn(&task, &attr, settle_first, first), 0);
	CHECK_EQ(weft_await(last, WEFT_FOREVER, &value), 0);
	CHECK_EQ(value, LINKS);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &ret), 0);
	CHECK_EQ(ret, 0);
	weft_promise_free(first);
	weft_promise_free(last);
}

/* --- values that nobody got ---------------------------------------------------------------- */

static int destroyed;

static void destroy(void *value)
{
	CHECK_EQ(value, one);
	destroyed++;
}

static weft_promise *with_destructor(void)
{
	weft_promise *promise = new_promise();

	CHECK_EQ(weft_promise_destructor(promise, destroy), 0);
	return promise;
}

TEST(promise, a_value_that_nobody_got_is_destroyed)
{
	weft_promise *promise = with_destructor();

	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(weft_await(promise, WEFT_NOWAIT, NULL), 0);
	CHECK_EQ(weft_await_all(&promise, 1, WEFT_NOWAIT), 0);
	CHECK_EQ(weft_promise_ref(promise), promise);
	weft_promise_free(promise);
	CHECK_EQ(destroyed, 0);
	weft_promise_free(promise);
	CHECK_EQ(destroyed, 1);
}

TEST(promise, a_value_that_somebody_got_is_his)
{
	weft_promise *promise = with_destructor();
	uint64_t seen = 0;
	void *value = NULL;

	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(weft_await(promise, WEFT_NOWAIT, &value), 0);
	weft_promise_free(promise);
	promise = with_destructor();
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	CHECK_EQ(weft_await_progress(promise, &seen, WEFT_NOWAIT, &value), 0);
	weft_promise_free(promise);
	promise = with_destructor();
	CHECK_EQ(weft_promise_then(promise, hear, "a"), 0);
	CHECK_EQ(weft_promise_resolve(promise, one), 0);
	weft_promise_free(promise);
	CHECK_EQ(destroyed, 0);
}

TEST(promise, no_value_no_destructor)
{
	weft_promise *promise = with_destructor();

	weft_promise_free(promise);
	promise = with_destructor();
	CHECK_EQ(weft_promise_cancel(promise), 0);
	CHECK_EQ(weft_promise_resolve(promise, one), -EALREADY); /* the caller's still */
	weft_promise_free(promise);
	CHECK_EQ(destroyed, 0);
}

static int make_one(void *arg, int error, void *value, void **ret_value)
{
	(void)arg, (void)error, (void)value;
	*ret_value = one;
	return 0;
}

TEST(promise, a_chained_value_that_comes_too_late_is_destroyed)
{
	weft_promise *first = new_promise(), *derived;

	CHECK_EQ(weft_promise_chain(first, make_one, NULL, &derived), 0);
	CHECK_EQ(weft_promise_destructor(derived, destroy), 0);
	CHECK_EQ(weft_promise_cancel(derived), 0);
	CHECK_EQ(weft_promise_resolve(first, NULL), 0);
	CHECK_EQ(destroyed, 1);
	weft_promise_free(first);
	weft_promise_free(derived);
	CHECK_EQ(destroyed, 1);
}

/* --- misuse that ends the process, and what dumps say -------------------------------------- */

static void free_awaited(void *arg)
{
	weft_promise *promise = new_promise();
	struct await call = { promise, WEFT_FOREVER, arg };
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, await, &call), 0);
	weft_task_yield();
	weft_promise_free(promise);
}

TEST(promise, the_last_reference_goes_under_a_waiter)
{
	CHECK_DEATH(SIGABRT, "loses its last reference while somebody awaits it", free_awaited,
		    NULL);
}

static void dump_waiters(void *arg)
{
	weft_promise *promise = new_promise(), *list[] = { promise, promise };
	struct several all = { .list = { promise, promise },
			       .count = 2,
			       .deadline_ns = WEFT_FOREVER };
	struct several any = all;
	struct await call = { promise, WEFT_FOREVER, arg };
	struct party parties[3];

	party_start(&parties[0], PRIVATE, await, &call);
	party_start(&parties[1], SHARED, await_all, &all);
	party_start(&parties[2], PRIVATE, await_any, &any);
	let_others();
	weft_dump(2);
	CHECK_EQ(weft_promise_resolve(list[0], NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	weft_promise_free(promise);
}

TEST(promise, names_itself_in_dumps)
{
	struct death death = run_to_death(dump_waiters, NULL);

	CHECK_EQ(death.code, 0);
	CHECK(strstr(death.text, "(pending, 5 wait)") != NULL);
	CHECK(strstr(death.text, "(all of 2, 2 pending)") != NULL);
	CHECK(strstr(death.text, "(any of 2)") != NULL);
}
