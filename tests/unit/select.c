/* SPDX-License-Identifier: MIT
 *
 * select.c - waiting for several things, of which exactly one is done.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <weft/chan.h>
#include <weft/io.h>
#include <weft/promise.h>
#include <weft/time.h>

#include "parties.h"

#define COUNT(cases) (sizeof(cases) / sizeof(*(cases)))

static weft_chan *new_chan(size_t capacity)
{
	weft_chan *chan;

	CHECK_EQ(weft_chan_new(&chan, sizeof(int), capacity), 0);
	return chan;
}

static void send_int(weft_chan *chan, int value)
{
	CHECK_EQ(weft_chan_send(chan, &value, WEFT_FOREVER), 0);
}

/* --- without waiting ----------------------------------------------------------------------- */

TEST(select, bad_arguments)
{
	weft_case strange = { .kind = (enum weft_case_kind)99 };
	weft_case no_value = WEFT_SEND(NULL, NULL);
	weft_case wrong_events = WEFT_FD(0, 1u << 20);
	weft_chan *timer, *chan = new_chan(0);
	weft_case to_timer = WEFT_SEND(NULL, &timer);

	CHECK_EQ(weft_select(&strange, 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_select(NULL, 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_select(&strange, 65537, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_select(&wrong_events, 1, WEFT_NOWAIT), -EINVAL);
	no_value.object = chan;
	CHECK_EQ(weft_select(&no_value, 1, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_timer_new(&timer, 0, 0), 0);
	to_timer.object = timer;
	CHECK_EQ(weft_select(&to_timer, 1, WEFT_NOWAIT), -EPERM);
	weft_chan_free(timer);
	weft_chan_free(chan);
}

TEST(select, nothing_is_ready)
{
	weft_chan *chan = new_chan(0);
	int value = 3;
	weft_case cases[] = {
		WEFT_RECV(chan, &value), WEFT_SEND(chan, &value),     WEFT_RECV(NULL, &value),
		WEFT_SEND(NULL, &value), { .kind = WEFT_CASE_NEVER }, WEFT_FD(-1, WEFT_READABLE),
		WEFT_ENDED(NULL),        WEFT_TIME(WEFT_FOREVER)
	};

	CHECK_EQ(weft_select(cases, COUNT(cases), WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_select(cases, COUNT(cases), weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(weft_select(NULL, 0, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_select(NULL, 0, weft_in_ms(2)), -ETIMEDOUT);
	CHECK_EQ(value, 3);
	weft_chan_free(chan);
}

TEST(select, a_ready_case_fires_and_no_other)
{
	weft_chan *a = new_chan(1), *b = new_chan(1);
	int in = -1, out = 5;
	weft_case cases[] = { WEFT_RECV(a, &in), WEFT_SEND(b, &out) };

	CHECK_EQ(weft_select(cases, 2, WEFT_NOWAIT), 1);
	CHECK_EQ(cases[1].result, 0);
	CHECK_EQ(weft_chan_len(b), 1);
	CHECK_EQ(weft_select(cases, 2, WEFT_NOWAIT), -EAGAIN);
	send_int(a, 7);
	CHECK_EQ(weft_select(cases, 2, WEFT_FOREVER), 0);
	CHECK_EQ(in, 7);
	CHECK_EQ(weft_chan_len(a), 0);
	weft_chan_free(a);
	weft_chan_free(b);
}

TEST(select, closed_channels_fire)
{
	weft_chan *chan = new_chan(1);
	int value = 5;
	weft_case recv = WEFT_RECV(chan, &value), send = WEFT_SEND(chan, &value);

	send_int(chan, 6);
	CHECK_EQ(weft_chan_close(chan), 0);
	CHECK_EQ(weft_select(&send, 1, WEFT_FOREVER), 0);
	CHECK_EQ(send.result, -EPIPE);
	CHECK_EQ(weft_select(&recv, 1, WEFT_FOREVER), 0);
	CHECK_EQ(recv.result, 0);
	CHECK_EQ(value, 6);
	CHECK_EQ(weft_select(&recv, 1, WEFT_FOREVER), 0);
	CHECK_EQ(recv.result, -EPIPE);
	CHECK_EQ(value, 6);
	weft_chan_free(chan);
}

/* 12,000 draws of 3: 4,000 each, give or take seven standard deviations (52). */
TEST(select, each_ready_case_is_as_likely)
{
	weft_chan *chans[5];
	int value = 0, counts[5] = { 0 };
	weft_case cases[5];

	for (int i = 0; i < 5; i++) {
		chans[i] = new_chan(1);
		cases[i] = (weft_case)WEFT_RECV(chans[i], &value);
	}
	for (int round = 0; round < 12000; round++) {
		for (int i = 1; i < 4; i++) { /* the middle ones are always full */
			int dummy = 1;

			weft_chan_try_send(chans[i], &dummy);
		}
		counts[weft_select(cases, 5, WEFT_FOREVER)]++;
	}
	CHECK_EQ(counts[0] + counts[4], 0);
	for (int i = 1; i < 4; i++) {
		CHECK_GT(counts[i], 4000 - 364);
		CHECK_LT(counts[i], 4000 + 364);
	}
	for (int i = 0; i < 5; i++)
		weft_chan_free(chans[i]);
}

TEST(select, duplicates_of_one_channel)
{
	weft_chan *chan = new_chan(4);
	int values[3] = { -1, -1, -1 };
	weft_case cases[] = { WEFT_RECV(chan, &values[0]), WEFT_RECV(chan, &values[1]),
			      WEFT_RECV(chan, &values[2]) };

	for (int i = 0; i < 4; i++)
		send_int(chan, i);
	for (int i = 0; i < 4; i++) {
		int fired = weft_select(cases, 3, WEFT_FOREVER);

		CHECK_EQ(values[fired], i);
		CHECK_EQ(weft_chan_len(chan), (size_t)(3 - i));
		values[fired] = -1;
		CHECK_EQ(values[0] + values[1] + values[2], -3);
	}
	weft_chan_free(chan);
}

/* --- waiting -------------------------------------------------------------------------------- */

enum { MANY = 20 }; /* more than fit a frame */

struct selecting {
	weft_chan *chans[MANY];
	unsigned count;
	bool sends;
	int fired, result, value;
	int64_t deadline_ns;
};

static int select_all(void *arg)
{
	struct selecting *s = arg;
	weft_case cases[MANY];
	int values[MANY];

	for (unsigned i = 0; i < s->count; i++) {
		values[i] = s->sends ? (int)i : -1;
		cases[i] = s->sends ? (weft_case)WEFT_SEND(s->chans[i], &values[i])
				    : (weft_case)WEFT_RECV(s->chans[i], &values[i]);
	}
	s->fired = weft_select(cases, s->count, s->deadline_ns);
	if (s->fired < 0)
		return s->fired;
	s->result = cases[s->fired].result;
	s->value = values[s->fired];
	for (unsigned i = 0; i < s->count; i++)
		CHECK_EQ(values[i], (int)i == s->fired ? s->value : s->sends ? (int)i : -1);
	return s->fired;
}

static void open_all(struct selecting *s, unsigned count, bool sends)
{
	*s = (struct selecting){ .count = count, .sends = sends, .deadline_ns = WEFT_FOREVER };
	for (unsigned i = 0; i < count; i++)
		s->chans[i] = new_chan(0);
}

static void free_all(struct selecting *s)
{
	for (unsigned i = 0; i < s->count; i++)
		weft_chan_free(s->chans[i]);
}

TEST(select, all_parties_wait_to_receive)
{
	for (int kind = 0; kind < KINDS; kind++) {
		for (unsigned count = 1; count <= MANY; count += 19) {
			struct selecting s;
			struct party party;
			int value = 42, none;

			open_all(&s, count, false);
			party_start(&party, (enum kind)kind, select_all, &s);
			let_others();
			CHECK_EQ(weft_chan_send(s.chans[count - 1], &value, WEFT_FOREVER), 0);
			/* it has left the other queues by the time it is over */
			CHECK_EQ(party_end(&party), (int)count - 1);
			CHECK_EQ(s.value, 42);
			CHECK_EQ(s.result, 0);
			for (unsigned i = 0; i < count; i++) {
				CHECK_EQ(weft_chan_try_send(s.chans[i], &value), -EAGAIN);
				CHECK_EQ(weft_chan_try_recv(s.chans[i], &none), -EAGAIN);
			}
			free_all(&s);
		}
	}
}

TEST(select, all_parties_wait_to_send)
{
	for (int kind = 0; kind < KINDS; kind++) {
		for (unsigned count = 1; count <= MANY; count += 19) {
			struct selecting s;
			struct party party;
			int value = -1;

			open_all(&s, count, true);
			party_start(&party, (enum kind)kind, select_all, &s);
			let_others();
			CHECK_EQ(weft_chan_recv(s.chans[count - 1], &value, WEFT_FOREVER), 0);
			CHECK_EQ(value, (int)count - 1);
			CHECK_EQ(party_end(&party), (int)count - 1);
			for (unsigned i = 0; i < count; i++)
				CHECK_EQ(weft_chan_try_recv(s.chans[i], &value), -EAGAIN);
			free_all(&s);
		}
	}
}

TEST(select, close_wakes_a_select_and_names_the_case)
{
	for (int kind = 0; kind < KINDS; kind++) {
		for (int sends = 0; sends < 2; sends++) {
			struct selecting s;
			struct party party;

			open_all(&s, 3, sends);
			party_start(&party, (enum kind)kind, select_all, &s);
			let_others();
			CHECK_EQ(weft_chan_close(s.chans[1]), 0);
			CHECK_EQ(party_end(&party), 1);
			CHECK_EQ(s.result, -EPIPE);
			free_all(&s);
		}
	}
}

TEST(select, deadline_and_cancel_leave_the_queues)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct selecting s;
		struct party party;
		int value = 1;

		open_all(&s, 3, false);
		s.deadline_ns = weft_in_ms(3);
		party_start(&party, (enum kind)kind, select_all, &s);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(weft_chan_try_send(s.chans[i], &value), -EAGAIN);
		if (kind != THREAD) {
			s.deadline_ns = WEFT_FOREVER;
			party_start(&party, (enum kind)kind, select_all, &s);
			let_others();
			CHECK_EQ(weft_cancel(party.task), 0);
			CHECK_EQ(party_end(&party), -ECANCELED);
		}
		free_all(&s);
	}
}

static int select_both_ways(void *arg)
{
	weft_chan *chan = arg;
	int in = -1, out = 17;
	weft_case cases[] = { WEFT_RECV(chan, &in), WEFT_SEND(chan, &out) };
	int fired = weft_select(cases, 2, WEFT_FOREVER);

	CHECK_EQ(cases[fired].result, 0);
	if (fired == 0)
		CHECK_EQ(in, 17);
	return fired;
}

/* It does not talk to itself; two of them talk to each other. */
TEST(select, send_and_receive_on_one_channel)
{
	for (int one = 0; one < KINDS; one++) {
		for (int two = 0; two < KINDS; two++) {
			weft_chan *chan = new_chan(0);
			struct party a, b;

			party_start(&a, (enum kind)one, select_both_ways, chan);
			let_others();
			CHECK_EQ(a.over, false);
			party_start(&b, (enum kind)two, select_both_ways, chan);
			CHECK_EQ(party_end(&a) + party_end(&b), 1);
			weft_chan_free(chan);
		}
	}
}

static int ping(void *arg)
{
	struct selecting *s = arg;

	for (int i = 0; i < 500; i++) {
		int value = i;
		weft_case cases[] = { WEFT_SEND(s->chans[0], &value),
				      WEFT_SEND(s->chans[1], &value) };

		CHECK_GE(weft_select(cases, 2, WEFT_FOREVER), 0);
	}
	return 0;
}

static int pong(void *arg)
{
	struct selecting *s = arg;

	for (int i = 0; i < 500; i++) {
		int value = -1;
		weft_case cases[] = { WEFT_RECV(s->chans[1], &value),
				      WEFT_RECV(s->chans[0], &value) };

		CHECK_GE(weft_select(cases, 2, WEFT_FOREVER), 0);
		CHECK_EQ(value, i);
	}
	return 0;
}

/* Locks are taken in one order, whatever that of the cases is. */
TEST(select, two_selects_meet_in_opposite_order)
{
	for (int one = 0; one < KINDS; one++) {
		for (int two = 0; two < KINDS; two++) {
			struct selecting s;
			struct party a, b;

			open_all(&s, 2, false);
			party_start(&a, (enum kind)one, ping, &s);
			party_start(&b, (enum kind)two, pong, &s);
			party_end(&a);
			party_end(&b);
			free_all(&s);
		}
	}
}

/* --- what is no channel ----------------------------------------------------------------------- */

TEST(select, times_and_timers)
{
	weft_chan *chan = new_chan(0), *timer;
	int value;
	int64_t due_ns = 0, when_ns = weft_in_ms(3);

	CHECK_EQ(weft_timer_new(&timer, weft_in_s(100), 0), 0);
	weft_case cases[] = { WEFT_RECV(chan, &value), WEFT_TIME(when_ns),
			      WEFT_RECV(timer, &due_ns) };

	CHECK_EQ(weft_select(cases, 3, WEFT_FOREVER), 1);
	CHECK_GE(weft_now(), when_ns);
	CHECK_EQ(weft_select(cases, 3, WEFT_NOWAIT), 1);
	cases[1].when_ns = WEFT_FOREVER;
	when_ns = weft_in_ms(3);
	CHECK_EQ(weft_timer_set(timer, when_ns, 0), 0);
	CHECK_EQ(weft_select(cases, 3, weft_in_s(50)), 2);
	CHECK_EQ(due_ns, when_ns);
	/* a case of the same time as the deadline comes first */
	when_ns = weft_in_ms(3);
	cases[1].when_ns = when_ns;
	CHECK_EQ(weft_select(cases, 3, when_ns), 1);
	weft_chan_free(chan);
	weft_chan_free(timer);
}

static int set_timer(void *arg)
{
	CHECK_EQ(weft_timer_set(arg, 1, 0), 0);
	return 0;
}

TEST(select, a_timer_that_is_set_meanwhile)
{
	weft_chan *timer;
	struct party party;

	CHECK_EQ(weft_timer_new(&timer, WEFT_FOREVER, 0), 0);
	weft_case cases[] = { WEFT_RECV(timer, NULL) };
	party_start(&party, PRIVATE, set_timer, timer);
	CHECK_EQ(weft_select(cases, 1, WEFT_FOREVER), 0);
	CHECK_EQ(cases[0].result, 0);
	party_end(&party);
	weft_chan_free(timer);
}

struct mixed {
	int fd;
	weft_task *task;
	weft_chan *chan;
};

static int select_mixed(void *arg)
{
	struct mixed *mixed = arg;
	int value = -1;
	weft_case cases[] = { WEFT_RECV(mixed->chan, &value), WEFT_FD(mixed->fd, WEFT_READABLE),
			      WEFT_ENDED(mixed->task) };
	int fired = weft_select(cases, 3, WEFT_FOREVER);

	if (fired == 1 && cases[1].result != -EBADF)
		CHECK_EQ(cases[1].result & WEFT_READABLE, WEFT_READABLE);
	if (fired == 1 && cases[1].result == -EBADF)
		return 11;
	return fired;
}

static int wait_for_end(void *arg)
{
	return weft_chan_recv(arg, NULL, WEFT_FOREVER);
}

static void mix(enum kind kind, int which)
{
	weft_chan *gate = new_chan(0);
	struct mixed mixed = { .chan = new_chan(0) };
	struct party party;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	mixed.fd = fds[0];
	CHECK_EQ(weft_spawn(&mixed.task, NULL, wait_for_end, gate), 0);
	party_start(&party, kind, select_mixed, &mixed);
	let_others();
	if (which == 0)
		send_int(mixed.chan, 1);
	else if (which == 1)
		CHECK_EQ(weft_write(fds[1], "x", 1, WEFT_FOREVER), 1);
	else if (which == 2)
		CHECK_EQ(weft_chan_close(gate), 0);
	else
		CHECK_EQ(weft_close(fds[0]), 0);
	CHECK_EQ(party_end(&party), which == 3 ? 11 : which);
	if (which != 2)
		CHECK_EQ(weft_chan_close(gate), 0);
	CHECK_EQ(weft_join(mixed.task, WEFT_FOREVER, NULL), 0); /* the handle is good still */
	if (which != 3)
		weft_close(fds[0]);
	weft_close(fds[1]);
	weft_chan_free(mixed.chan);
	weft_chan_free(gate);
}

TEST(select, a_channel_a_descriptor_and_a_task)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (int which = 0; which < 4; which++)
			mix((enum kind)kind, which);
}

struct settling {
	weft_promise *promise;
	weft_chan *chan;
};

static int select_promise(void *arg)
{
	struct settling *s = arg;
	weft_case cases[] = { WEFT_RECV(s->chan, NULL), WEFT_SETTLED(s->promise),
			      WEFT_SETTLED(NULL) };

	return weft_select(cases, 3, WEFT_FOREVER);
}

TEST(select, a_promise_for_all_parties)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct settling s = { .chan = new_chan(0) };
		weft_case settled[] = { WEFT_SETTLED(NULL) };
		struct party party;

		for (int settles = 0; settles < 2; settles++) {
			CHECK_EQ(weft_promise_new(&s.promise), 0);
			party_start(&party, (enum kind)kind, select_promise, &s);
			let_others();
			if (settles)
				CHECK_EQ(weft_promise_resolve(s.promise, NULL), 0);
			else
				send_int(s.chan, 1);
			CHECK_EQ(party_end(&party), settles);
			settled[0].object = s.promise;
			CHECK_EQ(weft_select(settled, 1, WEFT_NOWAIT), settles ? 0 : -EAGAIN);
			weft_promise_free(s.promise);
		}
		weft_chan_free(s.chan);
	}
}

TEST(select, sources_that_are_ready_at_once)
{
	int fds[2];
	weft_task *task;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(weft_spawn(&task, NULL, wait_for_end, NULL), 0);
	CHECK_EQ(weft_cancel(task), 0);
	let_others();
	weft_case ended[] = { WEFT_ENDED(task) };
	CHECK_EQ(weft_select(ended, 1, WEFT_NOWAIT), 0);
	weft_case self[] = { WEFT_ENDED(weft_self()) };
	weft_case fd[] = { WEFT_FD(fds[1], WEFT_WRITABLE) };
	weft_case bad[] = { WEFT_FD(9999, WEFT_WRITABLE) };
	CHECK_EQ(weft_select(self, 1, WEFT_NOWAIT), -EDEADLK);
	CHECK_EQ(weft_select(fd, 1, WEFT_NOWAIT), 0);
	CHECK_EQ(fd[0].result, WEFT_WRITABLE);
	CHECK_EQ(weft_select(bad, 1, WEFT_NOWAIT), 0);
	CHECK_EQ(bad[0].result, -EBADF);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), 0);
	CHECK_EQ(weft_select(ended, 1, WEFT_NOWAIT), -ESRCH);
	weft_close(fds[0]);
	weft_close(fds[1]);
}
