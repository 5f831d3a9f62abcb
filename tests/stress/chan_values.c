/* SPDX-License-Identifier: MIT
 *
 * chan_values.c - many values through channels: each that was sent is received once, none that
 * was not sent, and those of one sender in one channel in his order; through plain calls and
 * selects, with deadlines and cancels, by parties of every kind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mixed.h"

enum { LIMIT_S = 60, PARTIES = 12, CHANNELS = 4, BATCH = 8 };

static uint64_t seed;

struct value {
	uint32_t sender, number;
	uint64_t rest[3]; /* all alike, and different for each value */
};

struct trade {
	weft_chan *channels[CHANNELS];
	unsigned count; /* of channels */
	unsigned kinds;
	uint32_t each; /* values of a sender */
	bool select;
	_Atomic unsigned busy; /* senders */
	uint32_t sent[PARTIES];
	_Atomic unsigned char *taken[PARTIES];
};

/* Of each kind as many send as receive. */
static bool is_sender(const struct trade *trade, unsigned number)
{
	return number / trade->kinds % 2 == 0;
}

static uint64_t rest_of(const struct value *value)
{
	return (uint64_t)value->sender << 32 | (value->number ^ 0x5bd1e995u);
}

/* --- sending --------------------------------------------------------------------------------- */

static int64_t draw_deadline(struct party *party)
{
	return rng_below(&party->rng, 2) ? WEFT_FOREVER : mixed_deadline(party);
}

/* Into any of two channels, whichever takes it. */
static int send_by_select(struct party *party, struct trade *trade, struct value *value)
{
	unsigned a = rng_below(&party->rng, trade->count);
	unsigned b = rng_below(&party->rng, trade->count);
	weft_case cases[] = { WEFT_SEND(trade->channels[a], value),
			      WEFT_SEND(trade->channels[b], value) };
	int rc = weft_select(cases, 2, draw_deadline(party));

	return rc < 0 ? rc : cases[rc].result;
}

static int send_once(struct party *party, struct trade *trade, struct value *value)
{
	unsigned channel = rng_below(&party->rng, trade->count);

	if (trade->select && rng_below(&party->rng, 2))
		return send_by_select(party, trade, value);
	return weft_chan_send(trade->channels[channel], value, draw_deadline(party));
}

static void send_all(struct party *party, struct trade *trade)
{
	struct value value = { .sender = party->number };
	int rc = 0;

	for (; value.number < trade->each; value.number++) {
		for (int i = 0; i < 3; i++)
			value.rest[i] = rest_of(&value);
		while ((rc = send_once(party, trade, &value)) == -EAGAIN || rc == -ETIMEDOUT)
			mixed_pause(party);
		if (rc < 0)
			break;
		if (rng_below(&party->rng, 64) == 0)
			mixed_pause(party);
	}
	if (rc < 0)
		CHECK_EQ(rc, -ECANCELED);
	trade->sent[party->number] = value.number;
	if (atomic_fetch_sub(&trade->busy, 1) > 1)
		return;
	for (unsigned i = 0; i < trade->count; i++)
		CHECK_EQ(weft_chan_close(trade->channels[i]), 0);
}

/* --- receiving ------------------------------------------------------------------------------- */

struct receiver {
	struct party *party;
	struct trade *trade;
	uint32_t next[CHANNELS][PARTIES]; /* at least this one comes next */
	bool closed[CHANNELS];
	bool canceled;
};

static void take(struct receiver *self, unsigned channel, const struct value *value)
{
	struct trade *trade = self->trade;

	CHECK_LT(value->sender, PARTIES);
	CHECK_LT(value->number, trade->each);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(value->rest[i], rest_of(value));
	CHECK_EQ(atomic_fetch_add(&trade->taken[value->sender][value->number], 1), 0);
	CHECK_GE(value->number, self->next[channel][value->sender]);
	self->next[channel][value->sender] = value->number + 1;
}

static void note_end(struct receiver *self, unsigned channel, int rc)
{
	if (rc == -EPIPE)
		self->closed[channel] = true;
	else if (rc == -ECANCELED)
		self->canceled = true;
	else
		CHECK(rc == -EAGAIN || rc == -ETIMEDOUT || rc == 0);
}

static void recv_one(struct receiver *self, unsigned channel, int64_t deadline_ns)
{
	struct value value;
	int rc = weft_chan_recv(self->trade->channels[channel], &value, deadline_ns);

	if (rc == 0)
		take(self, channel, &value);
	note_end(self, channel, rc);
}

static void recv_some(struct receiver *self, unsigned channel, int64_t deadline_ns)
{
	weft_chan *chan = self->trade->channels[channel];
	unsigned count = 1 + rng_below(&self->party->rng, BATCH);
	struct value values[BATCH];
	int rc;

	if (rng_below(&self->party->rng, 2))
		rc = weft_chan_recv_all(chan, values, count);
	else
		rc = weft_chan_recv_n(chan, values, count, deadline_ns);
	CHECK_LE(rc, (int)count);
	for (int i = 0; i < rc; i++)
		take(self, channel, &values[i]);
	note_end(self, channel, rc < 0 ? rc : 0);
}

static void recv_by_select(struct receiver *self, int64_t deadline_ns)
{
	struct value values[CHANNELS];
	weft_case cases[CHANNELS];
	unsigned count = self->trade->count;
	int rc;

	for (unsigned i = 0; i < count; i++) {
		cases[i] = (weft_case)WEFT_RECV(self->trade->channels[i], &values[i]);
		if (self->closed[i])
			cases[i].kind = WEFT_CASE_NEVER;
	}
	rc = weft_select(cases, count, deadline_ns);
	if (rc < 0) {
		note_end(self, 0, rc);
		return;
	}
	if (cases[rc].result == 0)
		take(self, (unsigned)rc, &values[rc]);
	note_end(self, (unsigned)rc, cases[rc].result);
}

static bool is_done(const struct receiver *self)
{
	for (unsigned i = 0; i < self->trade->count; i++)
		if (!self->closed[i])
			return self->canceled;
	return true;
}

/* With several channels a wait for ever in one of them would leave the others alone: there it
 * is a select's. */
static void recv_all(struct party *party, struct trade *trade)
{
	struct receiver *self = calloc(1, sizeof *self);

	CHECK(self);
	self->party = party;
	self->trade = trade;
	while (!is_done(self)) {
		unsigned channel = rng_below(&party->rng, trade->count);
		int64_t deadline_ns =
			trade->count == 1 ? draw_deadline(party) : mixed_deadline(party);

		if (trade->select && rng_below(&party->rng, 2))
			recv_by_select(self, draw_deadline(party));
		else if (rng_below(&party->rng, 4))
			recv_one(self, channel, deadline_ns);
		else
			recv_some(self, channel, deadline_ns);
		mixed_pause(party);
	}
	free(self);
}

static int trade_body(struct party *party)
{
	struct trade *trade = party->arg;

	if (is_sender(trade, party->number))
		send_all(party, trade);
	else
		recv_all(party, trade);
	return 0;
}

/* --- the sums -------------------------------------------------------------------------------- */

static void count_values(const struct trade *trade, unsigned sender)
{
	for (uint32_t i = 0; i < trade->each; i++)
		CHECK_EQ(trade->taken[sender][i], i < trade->sent[sender]);
}

static void run_trade(const struct kinds *kinds, unsigned channels, size_t capacity,
		      unsigned cancel_one_of)
{
	struct trade trade = {
		.count = channels,
		.kinds = kinds->count,
		.each = (uint32_t)scaled(3000),
		.select = channels > 1,
	};
	struct mix mix = {
		.count = PARTIES,
		.kinds = kinds->kinds,
		.kinds_count = kinds->count,
		.body = trade_body,
		.arg = &trade,
		.seed = seed,
		.cancel_one_of = cancel_one_of,
		.cancel_within_us = 2000,
		.spared = 1,
	};

	for (unsigned i = 0; i < channels; i++)
		CHECK_EQ(weft_chan_new(&trade.channels[i], sizeof(struct value), capacity), 0);
	for (unsigned i = 0; i < PARTIES; i++) {
		trade.taken[i] = calloc(trade.each, 1);
		CHECK(trade.taken[i]);
		trade.busy += is_sender(&trade, i);
	}
	CHECK(!is_sender(&trade, PARTIES - 1));
	mixed_run(&mix);
	for (unsigned i = 0; i < PARTIES; i++) {
		count_values(&trade, i);
		free((void *)trade.taken[i]);
	}
	for (unsigned i = 0; i < channels; i++) {
		CHECK_EQ(weft_chan_len(trade.channels[i]), 0);
		weft_chan_free(trade.channels[i]);
	}
}

static const size_t capacities[] = { 0, 1, 16, WEFT_UNBOUNDED };

static void run_all(unsigned channels, unsigned cancel_one_of)
{
	seed = seed_of_run();
	for (unsigned k = 0; k < mixed_kinds_count; k++)
		for (unsigned c = 0; c < sizeof capacities / sizeof capacities[0]; c++)
			run_trade(&mixed_kinds[k], channels, capacities[c], cancel_one_of);
}

TEST_LIMIT(chan_values, through_one_channel, LIMIT_S)
{
	run_all(1, 0);
}

TEST_LIMIT(chan_values, with_cancels, LIMIT_S)
{
	run_all(1, 3);
}

TEST_LIMIT(chan_values, through_selects, LIMIT_S)
{
	run_all(CHANNELS, 0);
}

TEST_LIMIT(chan_values, through_selects_with_cancels, LIMIT_S)
{
	run_all(CHANNELS, 3);
}
