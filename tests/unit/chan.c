/* SPDX-License-Identifier: MIT
 *
 * chan.c - channels: order, capacity, close, deadlines, cancels; between all kinds of parties.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <weft/chan.h>
#include <weft/coroutine.h>
#include <weft/time.h>

#include "parties.h"

static weft_chan *new_chan(size_t bytes, size_t capacity)
{
	weft_chan *chan;

	CHECK_EQ(weft_chan_new(&chan, bytes, capacity), 0);
	return chan;
}

static void send_int(weft_chan *chan, int value)
{
	CHECK_EQ(weft_chan_send(chan, &value, WEFT_FOREVER), 0);
}

static int recv_int(weft_chan *chan)
{
	int value = -1;

	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_FOREVER), 0);
	return value;
}

/* --- without waiting --------------------------------------------------------------------- */

TEST(chan, bad_arguments)
{
	weft_chan *chan = (weft_chan *)1;
	int value;

	CHECK_EQ(weft_chan_new(&chan, 65537, 1), -EINVAL);
	CHECK_EQ(weft_chan_new(&chan, 8, SIZE_MAX - 1), -ENOMEM);
	CHECK_EQ(chan, 1);
	chan = new_chan(sizeof(int), 4);
	CHECK_EQ(weft_chan_send(chan, NULL, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_chan_recv_n(chan, NULL, 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_chan_recv_n(chan, &value, (size_t)INT_MAX + 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_chan_recv_all(chan, NULL, 1), -EINVAL);
	weft_chan_free(chan);
}

TEST(chan, a_null_channel_is_never_ready)
{
	int value = 7;

	CHECK_EQ(weft_chan_send(NULL, &value, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_chan_recv(NULL, &value, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_chan_send(NULL, &value, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_chan_recv(NULL, &value, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(value, 7);
	CHECK_EQ(weft_chan_close(NULL), -EINVAL);
	CHECK_EQ(weft_chan_len(NULL), 0);
	CHECK_EQ(weft_chan_capacity(NULL), 0);
	CHECK_EQ(weft_chan_closed(NULL), 0);
	CHECK_EQ(weft_chan_recv_all(NULL, &value, 1), 0);
	CHECK_EQ(weft_chan_ref(NULL), NULL);
	weft_chan_free(NULL);
}

TEST(chan, a_bounded_one_is_a_fifo_of_its_capacity)
{
	weft_chan *chan = new_chan(sizeof(int), 3);
	int value;

	CHECK_EQ(weft_chan_capacity(chan), 3);
	for (int round = 0; round < 5; round++) { /* around its end */
		for (value = 0; value < 3; value++)
			CHECK_EQ(weft_chan_try_send(chan, &value), 0);
		CHECK_EQ(weft_chan_try_send(chan, &value), -EAGAIN);
		CHECK_EQ(weft_chan_len(chan), 3);
		CHECK_EQ(recv_int(chan), 0);
		send_int(chan, 3);
		for (int i = 1; i < 4; i++)
			CHECK_EQ(recv_int(chan), i);
		value = 77;
		CHECK_EQ(weft_chan_try_recv(chan, &value), -EAGAIN);
		CHECK_EQ(value, 77);
	}
	weft_chan_free(chan);
}

TEST(chan, an_unbounded_one_takes_everything)
{
	weft_chan *chan = new_chan(sizeof(int), WEFT_UNBOUNDED);
	int next = 0, sent = 0;

	CHECK_EQ(weft_chan_capacity(chan), WEFT_UNBOUNDED);
	for (int round = 1; round < 40; round++) { /* segments come and go */
		for (int i = 0; i < round * 100; i++)
			send_int(chan, sent++);
		for (int i = 0; i < round * 90; i++)
			CHECK_EQ(recv_int(chan), next++);
		CHECK_EQ(weft_chan_len(chan), (size_t)(sent - next));
	}
	while (next < sent)
		CHECK_EQ(recv_int(chan), next++);
	CHECK_EQ(weft_chan_len(chan), 0);
	send_int(chan, 1);
	weft_chan_free(chan); /* with something in it */
}

TEST(chan, values_of_all_sizes)
{
	static unsigned char in[65536], out[65536];
	const size_t sizes[] = { 0, 1, 3, 4, 8, 16, 17, 100, 4095, 65536 };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		for (int unbounded = 0; unbounded < 2; unbounded++) {
			weft_chan *chan = new_chan(sizes[s], unbounded ? WEFT_UNBOUNDED : 5);

			for (int i = 0; i < 5; i++) {
				memset(in, 'a' + i, sizes[s]);
				CHECK_EQ(weft_chan_send(chan, in, WEFT_NOWAIT), 0);
			}
			for (int i = 0; i < 5; i++) {
				memset(in, 'a' + i, sizes[s]);
				CHECK_EQ(weft_chan_recv(chan, out, WEFT_NOWAIT), 0);
				CHECK_EQ(memcmp(in, out, sizes[s]), 0);
			}
			CHECK_EQ(weft_chan_recv(chan, out, WEFT_NOWAIT), -EAGAIN);
			weft_chan_free(chan);
		}
	}
}

TEST(chan, a_value_may_be_dropped_on_receipt)
{
	weft_chan *chan = new_chan(sizeof(int), 2);

	send_int(chan, 1);
	send_int(chan, 2);
	CHECK_EQ(weft_chan_recv(chan, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(recv_int(chan), 2);
	weft_chan_free(chan);
}

/* Close is the last message, not an axe: buffered values come first. */
TEST(chan, close_delivers_buffered_values_first)
{
	weft_chan *chan = new_chan(sizeof(int), 4);
	int value = 9;

	send_int(chan, 1);
	send_int(chan, 2);
	CHECK_EQ(weft_chan_closed(chan), 0);
	CHECK_EQ(weft_chan_close(chan), 0);
	CHECK_EQ(weft_chan_close(chan), -EALREADY);
	CHECK_EQ(weft_chan_closed(chan), 1);
	CHECK_EQ(weft_chan_send(chan, &value, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_chan_len(chan), 2);
	CHECK_EQ(recv_int(chan), 1);
	CHECK_EQ(recv_int(chan), 2);
	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_chan_recv(chan, &value, WEFT_NOWAIT), -EPIPE);
	CHECK_EQ(value, 9);
	weft_chan_free(chan);
}

TEST(chan, references_are_counted)
{
	weft_chan *chan = new_chan(sizeof(int), 1), *other = weft_chan_ref(chan);

	CHECK_EQ(other, chan);
	weft_chan_free(chan);
	send_int(other, 3);
	CHECK_EQ(recv_int(other), 3);
	weft_chan_free(other);
}

TEST(chan, receive_all_and_receive_n)
{
	weft_chan *chan = new_chan(sizeof(int), 8);
	int values[8] = { 0 };

	CHECK_EQ(weft_chan_recv_all(chan, values, 8), 0);
	CHECK_EQ(weft_chan_recv_n(chan, values, 2, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_chan_recv_n(chan, values, 0, WEFT_FOREVER), 0);
	for (int i = 1; i < 6; i++)
		send_int(chan, i);
	CHECK_EQ(weft_chan_recv_all(chan, values, 2), 2);
	CHECK_EQ(values[1], 2);
	CHECK_EQ(weft_chan_recv_n(chan, values, 2, WEFT_FOREVER), 2);
	CHECK_EQ(values[0], 3);
	/* a part is a part */
	CHECK_EQ(weft_chan_recv_n(chan, values, 5, weft_in_ms(2)), 1);
	CHECK_EQ(values[0], 5);
	CHECK_EQ(weft_chan_recv_n(chan, values, 5, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_chan_close(chan), 0);
	CHECK_EQ(weft_chan_recv_all(chan, values, 8), -EPIPE);
	CHECK_EQ(weft_chan_recv_n(chan, values, 8, WEFT_FOREVER), -EPIPE);
	weft_chan_free(chan);
}

/* --- waiting: every kind of party with every other ---------------------------------------- */

struct big {
	int number;
	char bytes[60];
};

struct flow {
	weft_chan *chan;
	int count;
};

static int send_ints(void *arg)
{
	struct flow *flow = arg;

	for (int i = 0; i < flow->count; i++) {
		int value = i;

		CHECK_EQ(weft_chan_send(flow->chan, &value, WEFT_FOREVER), 0);
	}
	return 0;
}

static int recv_ints(void *arg)
{
	struct flow *flow = arg;

	for (int i = 0; i < flow->count; i++)
		CHECK_EQ(recv_int(flow->chan), i);
	return 0;
}

static int send_big(void *arg)
{
	struct flow *flow = arg;

	for (int i = 0; i < flow->count; i++) {
		struct big value = { .number = i };

		memset(value.bytes, i, sizeof(value.bytes));
		CHECK_EQ(weft_chan_send(flow->chan, &value, WEFT_FOREVER), 0);
		CHECK_EQ(value.number, i);
	}
	return 0;
}

static int recv_big(void *arg)
{
	struct flow *flow = arg;

	for (int i = 0; i < flow->count; i++) {
		struct big value = { .number = -1 };

		CHECK_EQ(weft_chan_recv(flow->chan, &value, WEFT_FOREVER), 0);
		CHECK_EQ(value.number, i);
		for (size_t b = 0; b < sizeof(value.bytes); b++)
			CHECK_EQ(value.bytes[b], (char)i);
	}
	return 0;
}

static void flow_between(weft_fn *sender, weft_fn *receiver, size_t bytes, size_t capacity)
{
	for (int from = 0; from < KINDS; from++) {
		for (int to = 0; to < KINDS; to++) {
			struct flow flow = { new_chan(bytes, capacity), 200 };
			struct party source, sink;

			party_start(&source, (enum kind)from, sender, &flow);
			party_start(&sink, (enum kind)to, receiver, &flow);
			party_end(&source);
			party_end(&sink);
			CHECK_EQ(weft_chan_len(flow.chan), 0);
			weft_chan_free(flow.chan);
		}
	}
}

TEST(chan, rendezvous_between_all_parties)
{
	flow_between(send_ints, recv_ints, sizeof(int), 0);
}

TEST(chan, a_buffer_between_all_parties)
{
	flow_between(send_ints, recv_ints, sizeof(int), 3);
}

TEST(chan, without_a_bound_between_all_parties)
{
	flow_between(send_ints, recv_ints, sizeof(int), WEFT_UNBOUNDED);
}

TEST(chan, large_values_between_all_parties)
{
	flow_between(send_big, recv_big, sizeof(struct big), 0);
	flow_between(send_big, recv_big, sizeof(struct big), 2);
}

struct one {
	weft_chan *chan;
	int64_t deadline_ns;
	int value, rc;
};

static int send_one(void *arg)
{
	struct one *one = arg;

	one->rc = weft_chan_send(one->chan, &one->value, one->deadline_ns);
	return one->rc;
}

static int recv_one(void *arg)
{
	struct one *one = arg;
	int value = -1; /* on the stack, whatever that is */

	one->rc = weft_chan_recv(one->chan, &value, one->deadline_ns);
	one->value = value;
	return one->rc;
}

static int drop_one(void *arg)
{
	struct one *one = arg;

	one->rc = weft_chan_recv(one->chan, NULL, one->deadline_ns);
	return one->rc;
}

TEST(chan, a_rendezvous_returns_when_both_are_there)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct one one = { new_chan(sizeof(int), 0), WEFT_FOREVER, 5, 1 };
		struct party party;

		party_start(&party, (enum kind)kind, send_one, &one);
		let_others();
		CHECK_EQ(one.rc, 1); /* it waits: no buffer takes the value */
		CHECK_EQ(weft_chan_len(one.chan), 0);
		CHECK_EQ(recv_int(one.chan), 5);
		CHECK_EQ(party_end(&party), 0);
		weft_chan_free(one.chan);
	}
}

TEST(chan, dropping_a_value_while_waiting)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct one one = { new_chan(sizeof(int), 0), WEFT_FOREVER, 5, 1 };
		struct party party;

		party_start(&party, (enum kind)kind, drop_one, &one);
		let_others();
		send_int(one.chan, 8);
		CHECK_EQ(party_end(&party), 0);
		weft_chan_free(one.chan);
	}
}

TEST(chan, close_wakes_all_who_wait)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct one one[6];
		struct party party[6];
		weft_chan *in = new_chan(sizeof(int), 0), *out = new_chan(sizeof(int), 0);

		for (int i = 0; i < 6; i++) {
			one[i] = (struct one){ i < 3 ? in : out, WEFT_FOREVER, i, 1 };
			party_start(&party[i], (enum kind)kind, i < 3 ? send_one : recv_one,
				    &one[i]);
		}
		let_others();
		CHECK_EQ(weft_chan_close(in), 0);
		CHECK_EQ(weft_chan_close(out), 0);
		for (int i = 0; i < 6; i++)
			CHECK_EQ(party_end(&party[i]), -EPIPE);
		weft_chan_free(in);
		weft_chan_free(out);
	}
}

TEST(chan, deadlines_pass_and_leave_nothing_behind)
{
	for (int kind = 0; kind < KINDS; kind++) {
		weft_chan *chan = new_chan(sizeof(int), 0);
		struct one send = { chan, weft_in_ms(5), 1, 1 }, recv = { chan, 0, 0, 1 };
		struct party party;
		int value = 4;

		party_start(&party, (enum kind)kind, send_one, &send);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		CHECK_EQ(weft_chan_try_recv(chan, &value), -EAGAIN);
		recv.deadline_ns = weft_in_ms(5);
		party_start(&party, (enum kind)kind, recv_one, &recv);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		CHECK_EQ(recv.value, -1);
		CHECK_EQ(weft_chan_try_send(chan, &value), -EAGAIN);
		/* one that has passed long ago, and one before the beginning of time */
		recv.deadline_ns = 1;
		party_start(&party, (enum kind)kind, recv_one, &recv);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		recv.deadline_ns = -5;
		party_start(&party, (enum kind)kind, recv_one, &recv);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		weft_chan_free(chan);
	}
}

TEST(chan, a_cancel_ends_the_wait_and_no_value_is_lost)
{
	for (int kind = 0; kind < THREAD; kind++) {
		weft_chan *chan = new_chan(sizeof(int), 0);
		struct one send = { chan, WEFT_FOREVER, 1, 1 }, recv = { chan, WEFT_FOREVER, 0, 1 };
		struct party party;
		int value = 4;

		party_start(&party, (enum kind)kind, send_one, &send);
		let_others();
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
		CHECK_EQ(weft_chan_try_recv(chan, &value), -EAGAIN);
		party_start(&party, (enum kind)kind, recv_one, &recv);
		let_others();
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(weft_chan_try_send(chan, &value), -EAGAIN); /* its claim is gone */
		CHECK_EQ(party_end(&party), -ECANCELED);
		weft_chan_free(chan);
	}
}

/* A value that was handed over stays handed over. */
TEST(chan, a_cancel_after_the_hand_over_comes_too_late)
{
	for (int kind = 0; kind < THREAD; kind++) {
		struct one recv = { new_chan(sizeof(int), 0), WEFT_FOREVER, 0, 1 };
		struct party party;

		party_start(&party, (enum kind)kind, recv_one, &recv);
		let_others();
		send_int(recv.chan, 31);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), 0);
		CHECK_EQ(recv.value, 31);
		weft_chan_free(recv.chan);
	}
}

TEST(chan, who_waited_longest_is_served_first)
{
	weft_chan *chan = new_chan(sizeof(int), 1);
	struct one one[5];
	struct party party[5];

	send_int(chan, 100); /* full */
	for (int i = 0; i < 5; i++) {
		one[i] = (struct one){ chan, WEFT_FOREVER, i, 1 };
		party_start(&party[i], i % 2 ? SHARED : PRIVATE, send_one, &one[i]);
	}
	let_others();
	CHECK_EQ(recv_int(chan), 100);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(recv_int(chan), i);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(party_end(&party[i]), 0);
	weft_chan_free(chan);
}

TEST(chan, receive_all_takes_from_waiting_senders_too)
{
	weft_chan *chan = new_chan(sizeof(int), 2);
	struct one one[4];
	struct party party[4];
	int values[8];

	for (int i = 0; i < 4; i++) {
		one[i] = (struct one){ chan, WEFT_FOREVER, i, 1 };
		party_start(&party[i], PRIVATE, send_one, &one[i]);
	}
	let_others();
	CHECK_EQ(weft_chan_recv_all(chan, values, 8), 4);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(values[i], i);
		CHECK_EQ(party_end(&party[i]), 0);
	}
	weft_chan_free(chan);
}

/* --- inside coroutines --------------------------------------------------------------------- */

enum { TURNS = 4 };

struct talk {
	weft_chan *in, *out;
	size_t bytes;
	bool selects;
};

static int talk_once(struct talk *talk, const struct big *say, struct big *ret_hear)
{
	weft_case send[] = { WEFT_SEND(talk->out, say), WEFT_RECV(NULL, NULL) };
	weft_case recv[] = { WEFT_RECV(NULL, NULL), WEFT_RECV(talk->in, ret_hear) };

	if (talk->selects) {
		CHECK_EQ(weft_select(send, 2, WEFT_FOREVER), 0);
		CHECK_EQ(weft_select(recv, 2, WEFT_FOREVER), 1);
		return recv[1].result;
	}
	CHECK_EQ(weft_chan_send(talk->out, say, WEFT_FOREVER), 0);
	return weft_chan_recv(talk->in, ret_hear, WEFT_FOREVER);
}

static void *talk_in_coroutine(void *arg, void *value)
{
	struct talk *talk = arg;

	(void)value;
	for (int i = 0; i < TURNS; i++) {
		struct big say = { .number = i }, hear = { .number = -1 };

		CHECK_EQ(talk_once(talk, &say, &hear), 0);
		CHECK_EQ(hear.number, 100 + i);
		CHECK_EQ(say.number, i);
		weft_yield(NULL);
	}
	return NULL;
}

/* Its own stack is private, that of its coroutine is shared with another one, which takes it
 * over while we wait. */
static int host(void *arg)
{
	weft_attr attr = { .shared = party_group() };
	weft_coroutine *co[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_coroutine_new(&co[i], talk_in_coroutine, (struct talk *)arg + i,
					    &attr),
			 0);
	for (int turn = 0; turn <= TURNS; turn++)
		for (int i = 0; i < 2; i++)
			CHECK_GE(weft_resume(co[i], NULL, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_coroutine_free(co[i]), 0);
	return 0;
}

/* Takes the stack away from whoever waits, and writes all over it. */
static int trample(void *arg)
{
	volatile char bytes[8192];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)0xdb;
	return arg ? 0 : bytes[17] == 0;
}

static int answer(void *arg)
{
	weft_attr attr = { .shared = party_group() };
	struct talk *talk = arg;

	for (int i = 0; i < TURNS; i++) {
		struct big value = { .number = -1 };
		weft_task *task;

		let_others();
		CHECK_EQ(weft_spawn(&task, &attr, trample, arg), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
		CHECK_EQ(weft_chan_recv(talk->out, &value, WEFT_FOREVER), 0);
		CHECK_EQ(value.number, i);
		value.number = 100 + i;
		let_others();
		CHECK_EQ(weft_spawn(&task, &attr, trample, arg), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
		CHECK_EQ(weft_chan_send(talk->in, &value, WEFT_FOREVER), 0);
	}
	return 0;
}

static void talk_from_coroutines(size_t bytes, bool selects)
{
	struct talk talks[2];
	struct party hosting, answering[2];

	for (int i = 0; i < 2; i++)
		talks[i] = (struct talk){ new_chan(bytes, 0), new_chan(bytes, 0), bytes, selects };
	party_start(&hosting, PRIVATE, host, talks);
	for (int i = 0; i < 2; i++)
		party_start(&answering[i], PRIVATE, answer, &talks[i]);
	party_end(&hosting);
	for (int i = 0; i < 2; i++) {
		party_end(&answering[i]);
		weft_chan_free(talks[i].in);
		weft_chan_free(talks[i].out);
	}
}

TEST(chan, waiting_in_a_coroutine_on_a_shared_stack)
{
	talk_from_coroutines(sizeof(int), false);
	talk_from_coroutines(sizeof(struct big), false);
	talk_from_coroutines(sizeof(int), true);
	talk_from_coroutines(sizeof(struct big), true);
}

/* errno comes back to a receiver on a shared stack, also when it does not fit where it is kept
 * (C3). */
static int receive_with_errno(void *chan)
{
	static const int values[] = { 0, EAGAIN, 4095, 4096, 1 << 20, -1 };

	for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++) {
		int value = -1;

		errno = values[i];
		CHECK_EQ(weft_chan_recv(chan, &value, WEFT_FOREVER), 0);
		CHECK_EQ(errno, values[i]);
		CHECK_EQ(value, i);
	}
	errno = 17;
	CHECK_EQ(weft_chan_recv(chan, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(errno, 17);
	return 0;
}

TEST(chan, errno_of_receivers_on_shared_stacks)
{
	weft_chan *chan = new_chan(sizeof(int), 0);
	struct party receiver;

	party_start(&receiver, SHARED, receive_with_errno, chan);
	for (int i = 0; i < 6; i++) {
		errno = 1000 + i;
		CHECK_EQ(weft_chan_send(chan, &i, WEFT_FOREVER), 0);
	}
	CHECK_EQ(weft_chan_close(chan), 0);
	party_end(&receiver);
	weft_chan_free(chan);
}

/* --- threads that are no runtime, and nothing else ------------------------------------------ */

TEST(chan, two_plain_threads_alone)
{
	struct flow flow = { new_chan(sizeof(int), 0), 1000 };
	struct party source;

	party_start(&source, THREAD, send_ints, &flow);
	recv_ints(&flow); /* here: a plain thread, too */
	CHECK_EQ(weft_self(), NULL);
	CHECK_EQ(pthread_join(source.thread, NULL), 0);
	weft_chan_free(flow.chan);
}

static void free_while_waiting(void *arg)
{
	struct one one = { new_chan(sizeof(int), 0), WEFT_FOREVER, 0, 1 };
	struct party party;

	(void)arg;
	party_start(&party, PRIVATE, recv_one, &one);
	let_others();
	weft_chan_free(one.chan);
}

TEST(chan, the_last_reference_must_not_go_while_somebody_waits)
{
	CHECK_DEATH(SIGABRT, "loses its last reference", free_while_waiting, NULL);
}

/* --- timers -------------------------------------------------------------------------------- */

TEST(chan, a_timer_fires_once_and_never_early)
{
	int64_t when_ns = weft_in_ms(5), due_ns = 0;
	weft_chan *timer;

	CHECK_EQ(weft_timer_new(&timer, -1, 0), -EINVAL);
	CHECK_EQ(weft_timer_new(&timer, when_ns, 0), 0);
	CHECK_EQ(weft_chan_recv(timer, &due_ns, WEFT_FOREVER), 0);
	CHECK_GE(weft_now(), when_ns);
	CHECK_EQ(due_ns, when_ns);
	CHECK_EQ(weft_chan_recv(timer, &due_ns, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_chan_len(timer), 0);
	CHECK_EQ(weft_chan_send(timer, &due_ns, WEFT_FOREVER), -EPERM);
	CHECK_EQ(weft_timer_set(timer, 1, 0), 0);
	CHECK_EQ(weft_chan_len(timer), 1);
	CHECK_EQ(weft_chan_try_recv(timer, NULL), 0);
	CHECK_EQ(weft_chan_close(timer), 0);
	CHECK_EQ(weft_chan_recv(timer, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_timer_set(timer, 1, 0), -EPIPE);
	weft_chan_free(timer);
}

TEST(chan, a_ticker_keeps_its_rhythm_and_drops_what_is_missed)
{
	int64_t period_ns = 2000000, first_ns = weft_now() - 5 * period_ns - 1, due_ns, last_ns;
	weft_chan *ticker;

	CHECK_EQ(weft_timer_new(&ticker, first_ns, period_ns), 0);
	CHECK_EQ(weft_chan_recv(ticker, &last_ns, WEFT_FOREVER), 0);
	CHECK_EQ(last_ns, first_ns); /* late, and once */
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(weft_chan_recv(ticker, &due_ns, WEFT_FOREVER), 0);
		CHECK_GE(weft_now(), due_ns);
		CHECK_GT(due_ns, last_ns);
		CHECK_EQ((due_ns - first_ns) % period_ns, 0);
		last_ns = due_ns;
	}
	weft_chan_free(ticker);
}

TEST(chan, a_tick_goes_to_one_of_those_who_wait)
{
	weft_chan *timer;
	struct one one[KINDS];
	struct party party[KINDS];
	int fired = 0;

	CHECK_EQ(weft_timer_new(&timer, weft_in_ms(5), 0), 0);
	for (int i = 0; i < KINDS; i++) {
		one[i] = (struct one){ timer, weft_in_ms(15), 0, 1 };
		party_start(&party[i], (enum kind)i, drop_one, &one[i]);
	}
	for (int i = 0; i < KINDS; i++)
		fired += party_end(&party[i]) == 0;
	CHECK_EQ(fired, 1);
	weft_chan_free(timer);
}

TEST(chan, setting_a_timer_reaches_those_who_wait)
{
	for (int kind = 0; kind < KINDS; kind++) {
		weft_chan *timer;
		struct one one;
		struct party party;

		CHECK_EQ(weft_timer_new(&timer, WEFT_FOREVER, 0), 0);
		one = (struct one){ timer, WEFT_FOREVER, 0, 1 };
		party_start(&party, (enum kind)kind, drop_one, &one);
		let_others();
		CHECK_EQ(weft_timer_set(timer, weft_in_ms(1), 0), 0);
		CHECK_EQ(party_end(&party), 0);
		weft_chan_free(timer);
	}
}
