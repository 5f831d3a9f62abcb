/* SPDX-License-Identifier: MIT
 *
 * spec_chan.c - channels as machines that make one call at a time.
 *
 *	words[0]	1: closed
 *	words[1 ...]	the sends whose values are in it, the oldest first
 *
 * An error has no effect. Which errors there may be:
 *	-EPIPE		of a send: closed. Of a receive: closed and empty.
 *	-EAGAIN		of a try, -ETIMEDOUT of the others: open, and at some moment of the call
 *			there was no room, or nothing. A rendezvous can always say so: who was waiting
 *			is not to be seen from outside.
 *	-EALREADY	of a close: closed.
 *	-ECANCELED, -ENOMEM	at any time.
 *
 * The order of two sends that overlapped shows only when their values come out, which may be
 * much later. So that a wrong guess is noticed at once, each send knows the interval in which its
 * value can have been taken: not before taken_from, not after taken_by. A value that must be
 * gone before another can be taken is never queued behind that one.
 */
#include <errno.h>
#include <string.h>

#include "spec.h"

enum { CLOSED, QUEUE };

static void start(const struct problem *problem, struct state *state)
{
	(void)problem;
	state->used = QUEUE;
	state->words[CLOSED] = 0;
}

static bool may_follow(const struct problem *problem, const struct state *state,
		       const struct call *call)
{
	for (uint32_t i = QUEUE; i < state->used; i++)
		if (problem->calls[state->words[i]].taken_from > call->taken_by)
			return false;
	return true;
}

static enum outcome push(const struct problem *problem, struct state *state,
			 const struct call *call)
{
	if (state->words[CLOSED] || state->used - QUEUE >= problem->spec->size)
		return IMPOSSIBLE;
	if (!may_follow(problem, state, call))
		return IMPOSSIBLE;
	if (state->used == STATE_WORDS)
		return TOO_LARGE;
	state->words[state->used++] = (uint32_t)(call - problem->calls);
	return POSSIBLE;
}

static enum outcome pop(const struct problem *problem, struct state *state, const struct call *call)
{
	if (state->used == QUEUE)
		return IMPOSSIBLE;
	if (!call_is_open(call) && problem->calls[state->words[QUEUE]].op.value != call->op.value)
		return IMPOSSIBLE;
	state->used--;
	memmove(&state->words[QUEUE], &state->words[QUEUE + 1],
		(state->used - QUEUE) * sizeof state->words[0]);
	return POSSIBLE;
}

static enum outcome send_step(const struct problem *problem, struct state *state,
			      const struct call *call)
{
	bool closed = state->words[CLOSED];
	bool full = problem->spec->size != UNBOUNDED && state->used - QUEUE >= problem->spec->size;

	if (call_is_open(call) || call->op.result == 0)
		return push(problem, state, call);
	switch (call->op.result) {
	case -EPIPE:
		return closed ? POSSIBLE : IMPOSSIBLE;
	case -EAGAIN:
		return call->op.kind == OP_TRY_SEND && full && !closed ? POSSIBLE : IMPOSSIBLE;
	case -ETIMEDOUT:
		return call->op.kind == OP_SEND && full && !closed ? POSSIBLE : IMPOSSIBLE;
	case -ECANCELED:
	case -ENOMEM:
		return POSSIBLE;
	default:
		return IMPOSSIBLE;
	}
}

static enum outcome recv_step(const struct problem *problem, struct state *state,
			      const struct call *call)
{
	bool closed = state->words[CLOSED], empty = state->used == QUEUE;

	if (call_is_open(call) || call->op.result == 0)
		return pop(problem, state, call);
	switch (call->op.result) {
	case -EPIPE:
		return closed && empty ? POSSIBLE : IMPOSSIBLE;
	case -EAGAIN:
		return call->op.kind == OP_TRY_RECV && empty && !closed ? POSSIBLE : IMPOSSIBLE;
	case -ETIMEDOUT:
		return call->op.kind == OP_RECV && empty && !closed ? POSSIBLE : IMPOSSIBLE;
	case -ECANCELED:
	case -ENOMEM:
		return POSSIBLE;
	default:
		return IMPOSSIBLE;
	}
}

static enum outcome close_step(struct state *state, const struct call *call)
{
	bool closed = state->words[CLOSED];

	state->words[CLOSED] = 1;
	if (call_is_open(call))
		return closed ? IMPOSSIBLE : POSSIBLE;
	return call->op.result == (closed ? -EALREADY : 0) ? POSSIBLE : IMPOSSIBLE;
}

static enum outcome step(const struct problem *problem, struct state *state,
			 const struct call *call)
{
	if (op_is_send(call->op.kind))
		return send_step(problem, state, call);
	if (op_is_recv(call->op.kind))
		return recv_step(problem, state, call);
	if (call->op.kind == OP_CLOSE)
		return close_step(state, call);
	return IMPOSSIBLE;
}

/* Only of a rendezvous. */
static bool pair(const struct problem *problem, const struct state *state, const struct call *a,
		 const struct call *b)
{
	const struct call *sent = op_is_send(a->op.kind) ? a : b;
	const struct call *got = sent == a ? b : a;

	(void)problem;
	if (state->words[CLOSED] || !op_is_send(sent->op.kind) || !op_is_recv(got->op.kind))
		return false;
	if (!call_is_open(sent) && sent->op.result != 0)
		return false;
	return call_is_open(got) || (got->op.result == 0 && got->op.value == sent->op.value);
}

/* --- when values are taken ------------------------------------------------------- */

/* With values that are not unique the interval holds all the receives of the value. */
static void find_takers(struct problem *problem, struct call *sent, uint64_t first_open)
{
	unsigned sends = 0, takes = 0;

	sent->taken_from = NEVER;
	sent->taken_by = 0;
	for (unsigned i = 0; i < problem->count; i++) {
		const struct op *op = &problem->calls[i].op;

		if (op->value != sent->op.value)
			continue;
		if (op_is_send(op->kind))
			sends++;
		if (!op_is_recv(op->kind) || op->ended == NEVER || op->result != 0)
			continue;
		takes++;
		if (op->begun < sent->taken_from)
			sent->taken_from = op->begun;
		if (op->ended > sent->taken_by)
			sent->taken_by = op->ended;
	}
	if (takes >= sends)
		return;
	/* It may be taken by one who did not come back, or by nobody. */
	if (first_open < sent->taken_from)
		sent->taken_from = first_open;
	sent->taken_by = NEVER;
}

static void look_ahead(struct problem *problem)
{
	uint64_t first_open = NEVER;

	for (unsigned i = 0; i < problem->count; i++) {
		const struct op *op = &problem->calls[i].op;

		if (op_is_recv(op->kind) && op->ended == NEVER && op->begun < first_open)
			first_open = op->begun;
	}
	for (unsigned i = 0; i < problem->count; i++)
		if (op_is_send(problem->calls[i].op.kind))
			find_takers(problem, &problem->calls[i], first_open);
}

static void show(const struct problem *problem, const struct state *state, FILE *out)
{
	fprintf(out, "%s, %u queued", state->words[CLOSED] ? "closed" : "open",
		state->used - QUEUE);
	for (uint32_t i = QUEUE; i < state->used; i++)
		fprintf(out, "%s%u", i == QUEUE ? ": " : " ",
			problem->calls[state->words[i]].op.value);
}

struct spec spec_channel(uint32_t capacity)
{
	return (struct spec){
		.name = capacity ? "channel" : "rendezvous channel",
		.size = capacity,
		.start = start,
		.step = step,
		.pair = capacity ? NULL : pair,
		.look_ahead = capacity ? look_ahead : NULL,
		.show = show,
	};
}
