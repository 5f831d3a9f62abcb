/* SPDX-License-Identifier: MIT
 *
 * chan_history.c - what channels do under stress is what a channel may do: each round records a
 * history of random calls by parties of every kind, with deadlines, cancels, closes and selects
 * over several channels, and linear.h judges it.
 */
#include <errno.h>
#include <string.h>

#include "../history/linear.h"
#include "mixed.h"

enum { LIMIT_S = 60, PARTIES = 8, CALLS = 40, CHANNELS = 3, ELEM_MOST = 40 };

static uint64_t seed;

struct round {
	weft_chan *channels[CHANNELS];
	unsigned count;      /* of channels */
	size_t elem_bytes;   /* at least 4 */
	unsigned close_odds; /* one call of so many is a close; 0: none until the end */
	struct history *history;
	uint32_t sent[PARTIES];
	_Atomic unsigned busy; /* parties that have not come to their last call */
};

/* --- values: a number, and bytes that follow from it ---------------------------------------- */

union value {
	uint32_t number;
	unsigned char bytes[ELEM_MOST];
};

static void fill(union value *value, uint32_t number, size_t bytes)
{
	value->number = number;
	for (size_t i = sizeof number; i < bytes; i++)
		value->bytes[i] = (unsigned char)(number * 31 + i);
}

static void check_whole(const union value *value, size_t bytes)
{
	union value want;

	fill(&want, value->number, bytes);
	CHECK(!memcmp(&want, value, bytes));
}

/* --- calls ------------------------------------------------------------------------------------- */

/* No two sends have the same, nor has a select that came to nothing. */
static uint32_t next_number(const struct party *party, struct round *round)
{
	return party->number << 16 | ++round->sent[party->number];
}

static void send_one(struct party *party, struct round *round, unsigned channel,
		     int64_t deadline_ns)
{
	enum op_kind kind = deadline_ns == WEFT_NOWAIT ? OP_TRY_SEND : OP_SEND;
	uint32_t number = next_number(party, round);
	union value value;
	struct op *op;

	fill(&value, number, round->elem_bytes);
	op = history_begin(round->history, party->number, kind, channel, number);
	history_end(round->history, op,
		    weft_chan_send(round->channels[channel], &value, deadline_ns));
}

static void recv_one(struct party *party, struct round *round, unsigned channel,
		     int64_t deadline_ns)
{
	enum op_kind kind = deadline_ns == WEFT_NOWAIT ? OP_TRY_RECV : OP_RECV;
	struct op *op = history_begin(round->history, party->number, kind, channel, 0);
	union value value = { .number = UINT32_MAX };
	int rc = weft_chan_recv(round->channels[channel], &value, deadline_ns);

	op->value = value.number;
	history_end(round->history, op, rc);
	if (rc == 0)
		check_whole(&value, round->elem_bytes);
	else
		CHECK_EQ(value.number, UINT32_MAX);
}

static void close_one(struct party *party, struct round *round, unsigned channel)
{
	struct op *op = history_begin(round->history, party->number, OP_CLOSE, channel, 0);

	history_end(round->history, op, weft_chan_close(round->channels[channel]));
}

/* It is a send or a receive of the case that has fired, and nothing when none has. */
static void select_one(struct party *party, struct round *round, int64_t deadline_ns)
{
	unsigned count = 1 + rng_below(&party->rng, CHANNELS + 1);
	uint32_t number = next_number(party, round);
	union value values[CHANNELS + 1];
	weft_case cases[CHANNELS + 1];
	unsigned channels[CHANNELS + 1];
	struct op *op;
	int rc;

	for (unsigned i = 0; i < count; i++) {
		weft_chan *channel;

		channels[i] = rng_below(&party->rng, round->count);
		channel = round->channels[channels[i]];
		if (rng_below(&party->rng, 2)) {
			/* Of the values of one select only one is sent: they may be alike. */
			fill(&values[i], number, round->elem_bytes);
			cases[i] = (weft_case)WEFT_SEND(channel, &values[i]);
		} else {
			values[i].number = UINT32_MAX;
			cases[i] = (weft_case)WEFT_RECV(channel, &values[i]);
		}
	}
	op = history_begin(round->history, party->number, OP_SEND, 0, number);
	rc = weft_select(cases, count, deadline_ns);
	if (rc < 0) {
		CHECK(rc == (deadline_ns == WEFT_NOWAIT ? -EAGAIN : -ETIMEDOUT) ||
		      rc == -ECANCELED);
		history_drop(round->history, op);
	} else {
		op->kind = cases[rc].kind == WEFT_CASE_SEND ? OP_SEND : OP_RECV;
		op->object = (uint16_t)channels[rc];
		op->value = values[rc].number;
		history_end(round->history, op, cases[rc].result);
	}
	for (unsigned i = 0; i < count; i++) {
		if (cases[i].kind != WEFT_CASE_RECV)
			continue;
		if (rc == (int)i && cases[i].result == 0)
			check_whole(&values[i], round->elem_bytes);
		else
			CHECK_EQ(values[i].number, UINT32_MAX);
	}
}

static void call_something(struct party *party, struct round *round, int64_t deadline_ns)
{
	unsigned channel = rng_below(&party->rng, round->count);

	if (round->count > 1 && rng_below(&party->rng, 2))
		select_one(party, round, deadline_ns);
	else if (rng_below(&party->rng, 2))
		send_one(party, round, channel, deadline_ns);
	else
		recv_one(party, round, channel, deadline_ns);
}

/* The last call of each waits for ever, or until the last party but one closes everything. */
static int take_part(struct party *party)
{
	struct round *round = party->arg;

	for (int i = 1; i < CALLS; i++) {
		if (round->close_odds && rng_below(&party->rng, round->close_odds) == 0)
			close_one(party, round, rng_below(&party->rng, round->count));
		else
			call_something(party, round, mixed_deadline(party));
		mixed_pause(party);
	}
	if (atomic_fetch_sub(&round->busy, 1) > 1) {
		call_something(party, round, WEFT_FOREVER);
		return 0;
	}
	for (unsigned i = 0; i < round->count; i++)
		close_one(party, round, i);
	return 0;
}

/* --- rounds ------------------------------------------------------------------------------------------ */

static const uint32_t capacities[] = { 0, 1, 2, 5, UNBOUNDED };

static uint32_t draw_capacity(struct rng *rng)
{
	return capacities[rng_below(rng, sizeof capacities / sizeof capacities[0])];
}

struct plan {
	unsigned channels, cancel_one_of, close_odds;
};

/* So that a test cannot pass by doing nothing. */
struct seen {
	unsigned long calls, done, timed_out, refused, canceled, closed;
};

static void count_results(const struct history *history, struct seen *seen)
{
	for (unsigned p = 0; p < history->parties; p++)
		for (unsigned i = 0; i < history->records[p].count; i++) {
			int result = history->records[p].ops[i].result;

			seen->calls++;
			seen->done += result == 0;
			seen->timed_out += result == -ETIMEDOUT;
			seen->refused += result == -EAGAIN;
			seen->canceled += result == -ECANCELED;
			seen->closed += result == -EPIPE;
		}
}

static void play(const struct plan *plan, const struct kinds *kinds, uint64_t number,
		 struct seen *seen)
{
	uint32_t room[CHANNELS];
	struct round round = { .count = plan->channels, .close_odds = plan->close_odds };
	struct mix mix = {
		.count = PARTIES,
		.kinds = kinds->kinds,
		.kinds_count = kinds->count,
		.body = take_part,
		.arg = &round,
		.seed = seed * 1000003 + number,
		.cancel_one_of = plan->cancel_one_of,
		.cancel_within_us = 300,
	};
	struct rng rng;

	weft__rng_init(&rng, mix.seed);
	round.elem_bytes = 4 + rng_below(&rng, ELEM_MOST - 3);
	round.busy = PARTIES;
	round.history = history_new(PARTIES, CALLS + CHANNELS);
	for (unsigned i = 0; i < round.count; i++) {
		room[i] = draw_capacity(&rng);
		CHECK_EQ(weft_chan_new(&round.channels[i], round.elem_bytes,
				       room[i] == UNBOUNDED ? WEFT_UNBOUNDED : room[i]),
			 0);
	}
	mixed_run(&mix);
	for (unsigned i = 0; i < round.count; i++) {
		struct spec spec = spec_channel(room[i]);

		linear_require(round.history, i, &spec);
		weft_chan_free(round.channels[i]);
	}
	count_results(round.history, seen);
	history_free(round.history);
}

static void play_all(const struct plan *plan, int rounds)
{
	struct seen seen = { 0 };
	char line[160];

	seed = seed_of_run();
	for (int i = 0; i < scaled(rounds); i++)
		for (unsigned k = 0; k < mixed_kinds_count; k++)
			play(plan, &mixed_kinds[k], (uint64_t)i * mixed_kinds_count + k, &seen);
	snprintf(line, sizeof line,
		 "%lu calls: %lu done, %lu timed out, %lu refused, %lu canceled, %lu closed",
		 seen.calls, seen.done, seen.timed_out, seen.refused, seen.canceled, seen.closed);
	test_note(line);
	CHECK_GT(seen.done, seen.calls / 10);
	CHECK_GT(seen.closed, 0);
	CHECK_EQ(seen.canceled > 0, plan->cancel_one_of > 0);
}

TEST_LIMIT(chan_history, one_channel, LIMIT_S)
{
	play_all(&(struct plan){ .channels = 1 }, 100);
}

TEST_LIMIT(chan_history, closed_at_some_time, LIMIT_S)
{
	play_all(&(struct plan){ .channels = 1, .close_odds = 150 }, 100);
}

TEST_LIMIT(chan_history, canceled, LIMIT_S)
{
	play_all(&(struct plan){ .channels = 1, .cancel_one_of = 3 }, 100);
}

TEST_LIMIT(chan_history, select, LIMIT_S)
{
	play_all(&(struct plan){ .channels = CHANNELS }, 100);
}

TEST_LIMIT(chan_history, select_closed_and_canceled, LIMIT_S)
{
	play_all(&(struct plan){ .channels = CHANNELS, .close_odds = 300, .cancel_one_of = 3 },
		 100);
}
