/* SPDX-License-Identifier: MIT
 *
 * history_random.c - the search against one that has no shortcuts, on small random
 * histories: of objects that behave (they must be accepted), and the same with a lie in
 * them (both searches must say the same).
 */
#include <base/rng.h>

#include "history.h"

enum { ROUNDS = 6000, CALLS_EACH = 3, PARTIES_BIG = 4 };

static struct rng rng;
static struct problem problem;
static struct call calls[PARTIES_BIG * CALLS_EACH];

/* --- an object that behaves ------------------------------------------------------------------ */

static enum op_kind draw_kind(const struct spec *spec)
{
	static const enum op_kind channel[] = { OP_SEND, OP_TRY_SEND, OP_RECV,
						OP_RECV, OP_TRY_RECV, OP_CLOSE };
	static const enum op_kind mutex[] = { OP_LOCK, OP_TRY_LOCK, OP_UNLOCK };
	static const enum op_kind rwlock[] = { OP_LOCK,          OP_TRY_LOCK,  OP_UNLOCK,
					       OP_TRY_READ_LOCK, OP_READ_LOCK, OP_READ_UNLOCK,
					       OP_READ_UNLOCK };
	static const enum op_kind semaphore[] = { OP_ACQUIRE, OP_TRY_ACQUIRE, OP_RELEASE };

	if (strstr(spec->name, "channel"))
		return channel[rng_below(&rng, 6)];
	if (strstr(spec->name, "mutex"))
		return mutex[rng_below(&rng, 3)];
	if (strstr(spec->name, "rwlock"))
		return rwlock[rng_below(&rng, 7)];
	return semaphore[rng_below(&rng, 3)];
}

static const int results[] = { 0,          0,      -EPIPE, -EAGAIN,  -ETIMEDOUT,
			       -ECANCELED, -EBUSY, -EPERM, -EDEADLK, -EALREADY };
enum { RESULTS = sizeof results / sizeof results[0], VALUES = 6 };

/* The value of a receive is whatever may come out now. */
static bool make_with(struct state *state, struct call *call, int result)
{
	uint32_t values = op_is_recv(call->op.kind) && result == 0 ? VALUES : 1;
	uint32_t value = call->op.value;

	for (uint32_t i = 0; i < values; i++) {
		struct state attempt = *state;

		call->op.result = result;
		if (values > 1)
			call->op.value = i;
		if (problem.spec->step(&problem, &attempt, call) == POSSIBLE) {
			*state = attempt;
			return true;
		}
	}
	call->op.value = value;
	return false;
}

static bool meet(struct state *state, struct call *call, const bool *begun)
{
	for (unsigned p = 0; p < problem.parties; p++)
		for (unsigned i = problem.first[p]; i < problem.first[p + 1]; i++) {
			struct call *other = &calls[i];

			if (!begun[i] || other->op.ended != 0 || other == call ||
			    !op_is_recv(other->op.kind) || !op_is_send(call->op.kind))
				continue;
			call->op.result = other->op.result = 0;
			other->op.value = call->op.value;
			if (problem.spec->pair(&problem, state, call, other)) {
				call->op.ended = other->op.ended = 1; /* made; the end comes */
				return true;
			}
		}
	return false;
}

static void try_to_make(struct state *state, struct call *call, const bool *begun)
{
	if (problem.spec->pair && rng_below(&rng, 2) && meet(state, call, begun))
		return;
	if (make_with(state, call, results[rng_below(&rng, RESULTS)]))
		call->op.ended = 1;
}

/* ended: 0 while it waits, 1 once it is made, then the stamp. */
static void generate(bool unique)
{
	bool begun[PARTIES_BIG * CALLS_EACH] = { false };
	unsigned next[PARTIES_BIG];
	struct state state;
	uint64_t clock = 1;

	memset(calls, 0, sizeof calls);
	problem.spec->start(&problem, &state);
	memcpy(next, problem.first, sizeof next);
	for (int events = 0; events < 60; events++) {
		unsigned p = rng_below(&rng, problem.parties), i = next[p];
		struct call *call = &calls[i];

		if (i == problem.first[p + 1])
			continue;
		if (!begun[i]) {
			begun[i] = true;
			call->op = (struct op){ .kind = draw_kind(problem.spec),
						.begun = ++clock,
						.party = (uint16_t)p };
			if (op_is_send(call->op.kind))
				call->op.value = unique ? i % VALUES : rng_below(&rng, 2);
			if (call->op.kind == OP_RELEASE)
				call->op.value = 1;
		} else if (call->op.ended == 0) {
			try_to_make(&state, call, begun);
		} else {
			call->op.ended = ++clock;
			next[p]++;
		}
	}
	/* Who has not come to an end is open, whether he has had an effect or not. */
	for (unsigned p = 0; p < problem.parties; p++)
		for (unsigned i = problem.first[p]; i < problem.first[p + 1]; i++)
			if (calls[i].op.ended <= 1)
				calls[i].op.ended = begun[i] ? NEVER : 0;
}

/* --- a lie -------------------------------------------------------------------------------------- */

static void lie(void)
{
	struct call *call = &calls[rng_below(&rng, problem.count)];

	if (call->op.ended == 0 || call->op.ended == NEVER)
		return;
	if (op_is_recv(call->op.kind) && call->op.result == 0 && rng_below(&rng, 2))
		call->op.value = rng_below(&rng, VALUES);
	else
		call->op.result = results[rng_below(&rng, RESULTS)];
}

/* --- all orders, without shortcuts ---------------------------------------------------------------- */

static bool may_be_next(const bool *made_call, unsigned i)
{
	if (made_call[i] || calls[i].op.ended == 0)
		return false;
	for (unsigned j = 0; j < problem.count; j++)
		if (!made_call[j] && calls[j].op.ended != 0 && j != i &&
		    calls[j].op.ended < calls[i].op.begun)
			return false;
	return true;
}

static bool all_made(const bool *made_call)
{
	for (unsigned i = 0; i < problem.count; i++)
		if (!made_call[i] && calls[i].op.ended != 0 && calls[i].op.ended != NEVER)
			return false;
	return true;
}

static bool has_order(const struct state *state, bool *made_call)
{
	if (all_made(made_call))
		return true;
	for (unsigned i = 0; i < problem.count; i++) {
		struct state after = *state;
		bool found;

		if (!may_be_next(made_call, i))
			continue;
		made_call[i] = true;
		found = problem.spec->step(&problem, &after, &calls[i]) == POSSIBLE &&
			has_order(&after, made_call);
		made_call[i] = false;
		if (found)
			return true;
		for (unsigned j = 0; problem.spec->pair && j < i; j++) {
			if (!may_be_next(made_call, j) || calls[i].op.party == calls[j].op.party ||
			    !problem.spec->pair(&problem, state, &calls[i], &calls[j]))
				continue;
			made_call[i] = made_call[j] = true;
			found = has_order(state, made_call);
			made_call[i] = made_call[j] = false;
			if (found)
				return true;
		}
	}
	return false;
}

/* --- both ---------------------------------------------------------------------------------------------- */

static void record(void)
{
	made = history_new(PARTIES_BIG, CALLS_EACH);
	for (unsigned i = 0; i < problem.count; i++)
		if (calls[i].op.ended != 0)
			history_add(made, &calls[i].op);
}

static enum verdict compare(void)
{
	bool made_call[PARTIES_BIG * CALLS_EACH] = { false };
	struct state state;
	enum verdict verdict;
	const char *text;

	problem.spec->start(&problem, &state);
	record();
	text = judge(*problem.spec, &verdict);
	if ((verdict == EXPLAINED) != has_order(&state, made_call)) {
		fputs(text, stderr);
		test_fail(__FILE__, __LINE__, "both searches say the same");
	}
	return verdict;
}

static void compare_many(struct spec spec)
{
	unsigned refused = 0;

	weft__rng_init(&rng, 4);
	for (int round = 0; round < ROUNDS; round++) {
		problem.spec = &spec;
		problem.calls = calls;
		problem.parties = 2 + rng_below(&rng, PARTIES_BIG - 1);
		problem.count = problem.parties * CALLS_EACH;
		for (unsigned p = 0; p <= problem.parties; p++)
			problem.first[p] = p * CALLS_EACH;
		generate(round % 2);
		CHECK_EQ(compare(), EXPLAINED);
		lie();
		refused += compare() == REFUSED;
	}
	CHECK_GT(refused, ROUNDS / 20);
	CHECK_LT(refused, ROUNDS);
}

TEST_LIMIT(history_random, rendezvous, 60)
{
	compare_many(spec_channel(0));
}

TEST_LIMIT(history_random, channel_of_one, 60)
{
	compare_many(spec_channel(1));
}

TEST_LIMIT(history_random, channel_of_two, 60)
{
	compare_many(spec_channel(2));
}

TEST_LIMIT(history_random, unbounded_channel, 60)
{
	compare_many(spec_channel(UNBOUNDED));
}

TEST_LIMIT(history_random, mutex, 60)
{
	compare_many(spec_mutex(false));
	compare_many(spec_mutex(true));
}

TEST_LIMIT(history_random, rwlock, 60)
{
	compare_many(spec_rwlock());
}

TEST_LIMIT(history_random, semaphore, 60)
{
	compare_many(spec_semaphore(1));
}
