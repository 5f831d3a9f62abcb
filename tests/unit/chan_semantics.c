/* SPDX-License-Identifier: MIT
 *
 * chan_semantics.c - the lines of docs/channels.md that chan.c and select.c say nothing of; each
 * case has the name by which the table refers to it. Values are words, which have a short way of
 * their own; those of chan.c mostly are not.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <weft/chan.h>
#include <weft/io.h>
#include <weft/promise.h>
#include <weft/time.h>

#include "parties.h"

static weft_chan *new_chan(size_t capacity)
{
	weft_chan *chan;

	CHECK_EQ(weft_chan_new(&chan, sizeof(long), capacity), 0);
	return chan;
}

static void send_value(weft_chan *chan, long value)
{
	CHECK_EQ(weft_chan_send(chan, &value, WEFT_FOREVER), 0);
}

static long recv_value(weft_chan *chan)
{
	long value = -1;

	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_FOREVER), 0);
	return value;
}

/* One call of another party. */
struct call {
	weft_chan *chan, *other;
	long value;
	int64_t deadline_ns;
	struct party party;
};

static int call_send(void *arg)
{
	struct call *call = arg;
	long value = call->value;

	return weft_chan_send(call->chan, &value, call->deadline_ns);
}

static int call_recv(void *arg)
{
	struct call *call = arg;
	long value = -1;
	int rc = weft_chan_recv(call->chan, &value, call->deadline_ns);

	call->value = value;
	return rc;
}

static int call_select(void *arg)
{
	struct call *call = arg;
	long value = -1;
	weft_case cases[] = { WEFT_RECV(call->other, NULL), WEFT_RECV(call->chan, &value) };
	int fired = weft_select(cases, 2, call->deadline_ns);

	call->value = value;
	return fired < 0 ? fired : cases[fired].result;
}

static int call_select_nothing(void *arg)
{
	struct call *call = arg;

	return weft_select(NULL, 0, call->deadline_ns);
}

static void begin(struct call *call, int kind, weft_fn *fn, weft_chan *chan, long value)
{
	*call = (struct call){ .chan = chan, .value = value, .deadline_ns = WEFT_FOREVER };
	party_start(&call->party, (enum kind)kind, fn, call);
	let_others();
}

static int cancelled(struct call *call)
{
	CHECK_EQ(call->party.over, false);
	CHECK_EQ(weft_cancel(call->party.task), 0);
	return party_end(&call->party);
}

/* --- channels that are not there ---------------------------------------------------------- */

TEST(semantics, null_waits_until_a_cancel)
{
	weft_fn *const calls[] = { call_send, call_recv, call_select, call_select_nothing };

	for (int kind = 0; kind < THREAD; kind++) {
		for (int i = 0; i < 4; i++) {
			struct call call;

			begin(&call, kind, calls[i], NULL, 1);
			CHECK_EQ(cancelled(&call), -ECANCELED);
		}
	}
}

TEST(semantics, a_null_case_is_switched_off)
{
	weft_chan *chan = new_chan(1);
	long value = 3;

	for (int i = 0; i < 100; i++) {
		weft_case cases[] = { WEFT_RECV(NULL, &value), WEFT_SEND(chan, &value),
				      WEFT_SEND(NULL, &value), WEFT_ENDED(NULL),
				      WEFT_SETTLED(NULL) };

		CHECK_EQ(weft_select(cases, 5, WEFT_FOREVER), 1);
		CHECK_EQ(recv_value(chan), 3);
	}
	weft_chan_free(chan);
}

/* --- closed channels ------------------------------------------------------------------------ */

TEST(semantics, close_refuses_what_waiting_senders_offer)
{
	for (int kind = 0; kind < KINDS; kind++) {
		weft_chan *chan = new_chan(1);
		struct call call;

		send_value(chan, 1);
		begin(&call, kind, call_send, chan, 2);
		CHECK_EQ(weft_chan_close(chan), 0);
		CHECK_EQ(party_end(&call.party), -EPIPE);
		CHECK_EQ(recv_value(chan), 1);
		CHECK_EQ(weft_chan_recv(chan, NULL, WEFT_FOREVER), -EPIPE);
		weft_chan_free(chan);
	}
}

TEST(semantics, a_send_after_close_never_finds_room)
{
	const size_t capacities[] = { 0, 4, WEFT_UNBOUNDED };
	long value = 1;

	for (int i = 0; i < 3; i++) {
		weft_chan *chan = new_chan(capacities[i]);

		CHECK_EQ(weft_chan_close(chan), 0);
		CHECK_EQ(weft_chan_try_send(chan, &value), -EPIPE);
		CHECK_EQ(weft_chan_send(chan, &value, 1), -EPIPE);
		CHECK_EQ(weft_chan_send(chan, &value, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_chan_len(chan), 0);
		CHECK_EQ(weft_chan_recv(chan, &value, 1), -EPIPE);
		weft_chan_free(chan);
	}
}

TEST(semantics, receive_n_ends_with_the_rest)
{
	weft_chan *chan = new_chan(4);
	long values[8] = { 0 };

	for (int i = 1; i < 4; i++)
		send_value(chan, i);
	CHECK_EQ(weft_chan_close(chan), 0);
	CHECK_EQ(weft_chan_recv_all(chan, values, 1), 1);
	CHECK_EQ(weft_chan_recv_n(chan, values, 8, WEFT_FOREVER), 2);
	CHECK_EQ(values[1], 3);
	CHECK_EQ(weft_chan_recv_n(chan, values, 8, WEFT_FOREVER), -EPIPE);
	weft_chan_free(chan);
}

TEST(semantics, an_unbounded_one_gives_all_after_close)
{
	weft_chan *chan = new_chan(WEFT_UNBOUNDED);

	for (int i = 0; i < 5000; i++)
		send_value(chan, i);
	CHECK_EQ(weft_chan_close(chan), 0);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(recv_value(chan), i);
	CHECK_EQ(weft_chan_recv(chan, NULL, WEFT_FOREVER), -EPIPE);
	weft_chan_free(chan);
}

/* 6,000 draws of 2: 3,000, give or take seven standard deviations (39). */
static int draw_of_two(void *arg)
{
	struct call *call = arg; /* the one is closed, the other always full */
	int counts[2] = { 0 };
	long value = 1;

	for (int i = 0; i < 6000; i++) {
		weft_case cases[] = { WEFT_RECV(call->chan, &value),
				      WEFT_RECV(call->other, &value) };
		int fired;

		weft_chan_try_send(call->other, &value);
		fired = weft_select(cases, 2, WEFT_FOREVER);
		CHECK_EQ(cases[fired].result, fired ? 0 : -EPIPE);
		counts[fired]++;
	}
	CHECK_GT(counts[0], 3000 - 273);
	CHECK_GT(counts[1], 3000 - 273);
	return 0;
}

/* For tasks of a process of one thread, which goes a way of its own; then with others. */
TEST(semantics, a_closed_case_is_a_ready_case)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct call call = { .chan = new_chan(0), .other = new_chan(1) };

		CHECK_EQ(weft_chan_close(call.chan), 0);
		party_start(&call.party, (enum kind)kind, draw_of_two, &call);
		party_end(&call.party);
		weft_chan_free(call.chan);
		weft_chan_free(call.other);
	}
}

/* --- deadlines and cancels -------------------------------------------------------------------- */

TEST(semantics, what_need_not_wait_asks_no_deadline)
{
	weft_chan *chan = new_chan(1);
	long value = 4;
	weft_case cases[] = { WEFT_RECV(chan, &value), WEFT_RECV(NULL, NULL) };

	CHECK_EQ(weft_chan_send(chan, &value, 1), 0); /* 1 ns after the beginning of time */
	CHECK_EQ(weft_chan_send(chan, &value, 1), -ETIMEDOUT);
	CHECK_EQ(weft_chan_recv(chan, &value, 1), 0);
	CHECK_EQ(weft_chan_recv(chan, &value, 1), -ETIMEDOUT);
	send_value(chan, 5);
	CHECK_EQ(weft_select(cases, 2, 1), 0);
	CHECK_EQ(value, 5);
	CHECK_EQ(weft_select(cases, 2, 1), -ETIMEDOUT);
	weft_chan_free(chan);
}

static int use_when_cancelled(void *arg)
{
	struct call *call = arg;
	long value = -1;
	weft_case cases[] = { WEFT_RECV(call->chan, &value) };

	CHECK_EQ(weft_chan_recv(NULL, NULL, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_chan_recv(call->chan, &value, WEFT_FOREVER), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(weft_chan_send(call->chan, &value, WEFT_FOREVER), 0);
	CHECK_EQ(weft_select(cases, 1, WEFT_FOREVER), 0);
	CHECK_EQ(weft_chan_send(call->chan, &value, WEFT_FOREVER), 0);
	CHECK_EQ(weft_chan_recv(call->chan, NULL, WEFT_FOREVER), 0); /* not the short way */
	return weft_chan_recv(call->chan, &value, WEFT_FOREVER);
}

TEST(semantics, what_need_not_wait_asks_no_cancel)
{
	for (int kind = 0; kind < THREAD; kind++) {
		weft_chan *chan = new_chan(1);
		struct call call;

		send_value(chan, 7);
		begin(&call, kind, use_when_cancelled, chan, 0);
		CHECK_EQ(cancelled(&call), -ECANCELED);
		CHECK_EQ(weft_chan_len(chan), 0);
		weft_chan_free(chan);
	}
}

/* --- rendezvous, and the order of those who wait --------------------------------------------- */

TEST(semantics, a_try_meets_only_who_waits)
{
	for (int kind = 0; kind < KINDS; kind++) {
		weft_chan *chan = new_chan(0);
		struct call call;
		long value = 6;

		CHECK_EQ(weft_chan_try_send(chan, &value), -EAGAIN);
		begin(&call, kind, call_recv, chan, 0);
		while (weft_chan_try_send(chan, &value) == -EAGAIN)
			let_others(); /* a thread has not come yet */
		CHECK_EQ(party_end(&call.party), 0);
		CHECK_EQ(call.value, 6);
		begin(&call, kind, call_send, chan, 8);
		while (weft_chan_try_recv(chan, &value) == -EAGAIN)
			let_others();
		CHECK_EQ(value, 8);
		CHECK_EQ(party_end(&call.party), 0);
		weft_chan_free(chan);
	}
}

TEST(semantics, receivers_are_served_in_the_order_they_came)
{
	const size_t capacities[] = { 0, 4, WEFT_UNBOUNDED };
	weft_fn *const calls[] = { call_recv, call_select, call_recv };

	for (int c = 0; c < 3; c++) {
		weft_chan *chan = new_chan(capacities[c]);
		struct call call[6];

		for (int i = 0; i < 6; i++) /* selects wait in the same queue */
			begin(&call[i], i % 2 ? SHARED : PRIVATE, calls[i % 3], chan, 0);
		for (int i = 0; i < 6; i++)
			send_value(chan, i);
		for (int i = 0; i < 6; i++) {
			CHECK_EQ(party_end(&call[i].party), 0);
			CHECK_EQ(call[i].value, i);
		}
		weft_chan_free(chan);
	}
}

TEST(semantics, who_gives_up_leaves_the_order_of_others)
{
	weft_chan *chan = new_chan(0);
	struct call call[4];

	for (int i = 0; i < 4; i++)
		begin(&call[i], PRIVATE, call_send, chan, i);
	CHECK_EQ(cancelled(&call[0]), -ECANCELED);
	CHECK_EQ(cancelled(&call[2]), -ECANCELED);
	CHECK_EQ(recv_value(chan), 1);
	CHECK_EQ(recv_value(chan), 3);
	CHECK_EQ(weft_chan_try_recv(chan, NULL), -EAGAIN);
	CHECK_EQ(party_end(&call[1].party), 0);
	CHECK_EQ(party_end(&call[3].party), 0);
	weft_chan_free(chan);
}

/* Room that a receiver makes belongs to the sender that waits for it. */
TEST(semantics, a_passer_by_does_not_get_the_room)
{
	for (int kind = 0; kind < THREAD; kind++) {
		weft_chan *chan = new_chan(1);
		struct call call;
		long value = 3;

		send_value(chan, 1);
		begin(&call, kind, call_send, chan, 2);
		CHECK_EQ(recv_value(chan), 1);
		CHECK_EQ(weft_chan_len(chan), 1);
		CHECK_EQ(weft_chan_try_send(chan, &value), -EAGAIN);
		CHECK_EQ(recv_value(chan), 2);
		CHECK_EQ(party_end(&call.party), 0);
		weft_chan_free(chan);
	}
}

/* ... and a value that a sender brings, to the receiver that waits. */
TEST(semantics, a_passer_by_does_not_get_the_value)
{
	for (int kind = 0; kind < THREAD; kind++) {
		weft_chan *chan = new_chan(4);
		struct call call;

		begin(&call, kind, call_recv, chan, 0);
		send_value(chan, 2);
		CHECK_EQ(weft_chan_len(chan), 0);
		CHECK_EQ(weft_chan_try_recv(chan, NULL), -EAGAIN);
		CHECK_EQ(party_end(&call.party), 0);
		CHECK_EQ(call.value, 2);
		weft_chan_free(chan);
	}
}

/* --- select ------------------------------------------------------------------------------------ */

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

enum { CASE_KINDS = 6, DRAWS = 6000 };

/* 6,000 draws of 6: 1,000 each, give or take seven standard deviations (29). */
TEST(semantics, a_ready_case_of_any_kind_is_as_likely)
{
	weft_chan *full = new_chan(1), *empty = new_chan(1);
	int fds[2], counts[CASE_KINDS] = { 0 };
	long value = 0;
	weft_promise *promise;
	weft_task *task;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(weft_promise_new(&promise), 0);
	CHECK_EQ(weft_promise_resolve(promise, NULL), 0);
	CHECK_EQ(weft_spawn(&task, NULL, end_at_once, NULL), 0);
	let_others();
	for (int i = 0; i < DRAWS; i++) {
		weft_case cases[CASE_KINDS] = { WEFT_RECV(full, &value),
						WEFT_SEND(empty, &value),
						WEFT_FD(fds[1], WEFT_WRITABLE),
						WEFT_TIME(1),
						WEFT_ENDED(task),
						WEFT_SETTLED(promise) };

		weft_chan_try_send(full, &value);
		weft_chan_try_recv(empty, NULL);
		counts[weft_select(cases, CASE_KINDS, WEFT_FOREVER)]++;
	}
	for (int i = 0; i < CASE_KINDS; i++) {
		CHECK_GT(counts[i], 1000 - 203);
		CHECK_LT(counts[i], 1000 + 203);
	}
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), 0);
	weft_promise_free(promise);
	weft_close(fds[0]);
	weft_close(fds[1]);
	weft_chan_free(full);
	weft_chan_free(empty);
}

/* Priority, for who wants it: two selects. */
TEST(semantics, the_important_case_first)
{
	weft_chan *orders = new_chan(1), *work = new_chan(1);
	long value = 0;

	for (int i = 0; i < 100; i++) {
		weft_case cases[] = { WEFT_RECV(orders, &value), WEFT_RECV(work, &value) };

		send_value(work, 2);
		CHECK_EQ(weft_select(cases, 1, WEFT_NOWAIT), -EAGAIN);
		send_value(orders, 1);
		CHECK_EQ(weft_select(cases, 1, WEFT_NOWAIT), 0);
		CHECK_EQ(value, 1);
		CHECK_EQ(weft_select(cases, 2, WEFT_FOREVER), 1);
		CHECK_EQ(value, 2);
	}
	weft_chan_free(orders);
	weft_chan_free(work);
}

TEST(semantics, a_wrong_case_fails_all_of_it)
{
	weft_chan *chan = new_chan(1), *open = new_chan(1);
	long value = -1;
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, NULL, end_at_once, NULL), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
	send_value(chan, 1);
	for (int i = 0; i < 100; i++) {
		weft_case stale[] = { WEFT_RECV(chan, &value), WEFT_ENDED(task) };
		weft_case strange[] = { WEFT_RECV(chan, &value),
					{ .kind = (enum weft_case_kind)99 } };
		weft_case no_value[] = { WEFT_RECV(chan, &value), WEFT_SEND(open, NULL) };
		weft_case unheard_of[] = { WEFT_RECV(chan, &value), WEFT_FD(0, 1u << 20) };

		CHECK_EQ(weft_select(stale, 2, WEFT_FOREVER), -ESRCH);
		CHECK_EQ(weft_select(strange, 2, WEFT_FOREVER), -EINVAL);
		CHECK_EQ(weft_select(unheard_of, 2, WEFT_FOREVER), -EINVAL);
		CHECK_EQ(weft_select(no_value, 2, WEFT_FOREVER), -EINVAL);
	}
	CHECK_EQ(value, -1);
	CHECK_EQ(recv_value(chan), 1);
	weft_chan_free(chan);
	weft_chan_free(open);
}

TEST(semantics, levels_stay_ready)
{
	weft_promise *promise;
	weft_task *task;

	CHECK_EQ(weft_promise_new(&promise), 0);
	CHECK_EQ(weft_promise_reject(promise, -EIO), 0);
	CHECK_EQ(weft_spawn(&task, NULL, end_at_once, NULL), 0);
	let_others();
	for (int i = 0; i < 3; i++) {
		weft_case cases[] = { WEFT_SETTLED(promise), WEFT_ENDED(task), WEFT_TIME(1) };

		for (int j = 0; j < 3; j++) {
			CHECK_EQ(weft_select(&cases[j], 1, WEFT_FOREVER), 0);
			CHECK_EQ(cases[j].result, 0); /* not what the task or the promise says */
		}
	}
	CHECK_EQ(weft_await(promise, WEFT_NOWAIT, NULL), -EIO);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), 0);
	weft_promise_free(promise);
}

static int select_ended(void *arg)
{
	weft_case cases[] = { WEFT_ENDED(arg) };

	return weft_select(cases, 1, WEFT_FOREVER);
}

/* A task has one joiner, and who selects on its end is that. */
TEST(semantics, the_end_of_a_task_is_waited_for_by_one)
{
	weft_chan *gate = new_chan(0);
	struct call call;
	struct party first;

	begin(&call, PRIVATE, call_recv, gate, 0);
	party_start(&first, PRIVATE, select_ended, call.party.task);
	let_others();
	CHECK_EQ(select_ended(call.party.task), -EBUSY);
	CHECK_EQ(weft_chan_close(gate), 0);
	CHECK_EQ(party_end(&first), 0);
	CHECK_EQ(party_end(&call.party), -EPIPE);
	weft_chan_free(gate);
}

TEST(semantics, a_timer_that_is_closed)
{
	weft_chan *timer;
	int64_t due_ns = 5;

	CHECK_EQ(weft_timer_new(&timer, weft_in_s(100), 0), 0);
	CHECK_EQ(weft_chan_send(timer, &due_ns, WEFT_NOWAIT), -EPERM);
	CHECK_EQ(weft_chan_close(timer), 0);
	CHECK_EQ(weft_chan_recv(timer, &due_ns, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_chan_close(timer), -EALREADY);
	CHECK_EQ(due_ns, 5);
	weft_chan_free(timer);
}
