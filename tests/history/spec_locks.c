/* SPDX-License-Identifier: MIT
 *
 * spec_locks.c - mutex, rwlock and semaphore as machines that make one call at a time.
 *
 * An error has no effect. -EBUSY and -EAGAIN of a try, -ETIMEDOUT of the others: at some
 * moment of the call it was not to be had. -ECANCELED, -ENOMEM: at any time. A call that never
 * returned may have taken the lock.
 */
#include <errno.h>

#include "spec.h"

/* Errors that say nothing about the object. */
static bool has_no_meaning(const struct call *call)
{
	return !call_is_open(call) && (call->op.result == -ECANCELED || call->op.result == -ENOMEM);
}

/* What a try and a deadline say when it is not to be had. */
static bool says_taken(const struct call *call, bool is_try)
{
	if (is_try)
		return call->op.result == -EBUSY || call->op.result == -EAGAIN;
	return call->op.result == -ETIMEDOUT;
}

static enum outcome outcome_of(bool possible)
{
	return possible ? POSSIBLE : IMPOSSIBLE;
}

/* --- mutex: words[OWNER] is 0 or the owner's number + 1; words[DEPTH] how often ------------ */

enum { OWNER, DEPTH, MUTEX_WORDS };

static void mutex_start(const struct problem *problem, struct state *state)
{
	(void)problem;
	state->used = MUTEX_WORDS;
	state->words[OWNER] = 0;
	state->words[DEPTH] = 0;
}

static enum outcome take_mutex(const struct problem *problem, struct state *state,
			       const struct call *call)
{
	uint32_t me = call->op.party + 1u, owner = state->words[OWNER];
	bool recursive = problem->spec->size, is_try = call->op.kind == OP_TRY_LOCK;

	if (call_is_open(call) || call->op.result == 0) {
		if (owner && !(owner == me && recursive))
			return IMPOSSIBLE;
		state->words[OWNER] = me;
		state->words[DEPTH]++;
		return POSSIBLE;
	}
	if (call->op.result == -EDEADLK)
		return outcome_of(owner == me && !recursive);
	if (says_taken(call, is_try))
		return outcome_of(owner && (owner != me || (is_try && !recursive)));
	return IMPOSSIBLE;
}

static enum outcome drop_mutex(struct state *state, const struct call *call)
{
	bool mine = state->words[OWNER] == call->op.party + 1u;

	if (!call_is_open(call) && call->op.result == -EPERM)
		return outcome_of(!mine);
	if (!mine || (!call_is_open(call) && call->op.result != 0))
		return IMPOSSIBLE;
	if (--state->words[DEPTH] == 0)
		state->words[OWNER] = 0;
	return POSSIBLE;
}

static enum outcome mutex_step(const struct problem *problem, struct state *state,
			       const struct call *call)
{
	if (has_no_meaning(call))
		return POSSIBLE;
	switch (call->op.kind) {
	case OP_LOCK:
	case OP_TRY_LOCK:
		return take_mutex(problem, state, call);
	case OP_UNLOCK:
		return drop_mutex(state, call);
	default:
		return IMPOSSIBLE;
	}
}

static void mutex_show(const struct problem *problem, const struct state *state, FILE *out)
{
	(void)problem;
	if (!state->words[OWNER])
		fprintf(out, "free");
	else if (state->words[DEPTH] == 1)
		fprintf(out, "held by party %u", state->words[OWNER] - 1);
	else
		fprintf(out, "held by party %u, %u times", state->words[OWNER] - 1,
			state->words[DEPTH]);
}

struct spec spec_mutex(bool recursive)
{
	return (struct spec){
		.name = recursive ? "recursive mutex" : "mutex",
		.size = recursive,
		.start = mutex_start,
		.step = mutex_step,
		.show = mutex_show,
	};
}

/* --- rwlock: words[OWNER] is 0 or the writer's number + 1, then a bit for each reader ----- */

enum { READERS = 1, RWLOCK_WORDS = READERS + PARTIES_MOST / 32 };

static void rwlock_start(const struct problem *problem, struct state *state)
{
	(void)problem;
	state->used = RWLOCK_WORDS;
	for (int i = 0; i < RWLOCK_WORDS; i++)
		state->words[i] = 0;
}

static bool has_readers(const struct state *state)
{
	for (int i = READERS; i < RWLOCK_WORDS; i++)
		if (state->words[i])
			return true;
	return false;
}

/* A reader may be refused beside other readers: for a writer who waits. */
static enum outcome take_rwlock(struct state *state, const struct call *call, bool reading)
{
	bool is_try = call->op.kind == OP_TRY_LOCK || call->op.kind == OP_TRY_READ_LOCK;
	uint32_t *readers = &state->words[READERS + call->op.party / 32];
	uint32_t bit = 1u << call->op.party % 32;

	if (call_is_open(call) || call->op.result == 0) {
		if (state->words[OWNER] || (!reading && has_readers(state)))
			return IMPOSSIBLE;
		if (reading && *readers & bit)
			return IMPOSSIBLE;
		if (reading)
			*readers |= bit;
		else
			state->words[OWNER] = call->op.party + 1u;
		return POSSIBLE;
	}
	if (call->op.result == -EDEADLK)
		return outcome_of(state->words[OWNER] == call->op.party + 1u || *readers & bit);
	if (says_taken(call, is_try))
		return outcome_of(state->words[OWNER] || has_readers(state));
	return IMPOSSIBLE;
}

static enum outcome drop_rwlock(struct state *state, const struct call *call, bool reading)
{
	uint32_t *word =
		reading ? &state->words[READERS + call->op.party / 32] : &state->words[OWNER];
	uint32_t bit = 1u << call->op.party % 32;
	bool mine = reading ? *word & bit : *word == call->op.party + 1u;

	if (!call_is_open(call) && call->op.result == -EPERM)
		return outcome_of(!mine);
	if (!mine || (!call_is_open(call) && call->op.result != 0))
		return IMPOSSIBLE;
	*word = reading ? *word & ~bit : 0;
	return POSSIBLE;
}

static enum outcome rwlock_step(const struct problem *problem, struct state *state,
				const struct call *call)
{
	(void)problem;
	if (has_no_meaning(call))
		return POSSIBLE;
	switch (call->op.kind) {
	case OP_LOCK:
	case OP_TRY_LOCK:
		return take_rwlock(state, call, false);
	case OP_READ_LOCK:
	case OP_TRY_READ_LOCK:
		return take_rwlock(state, call, true);
	case OP_UNLOCK:
		return drop_rwlock(state, call, false);
	case OP_READ_UNLOCK:
		return drop_rwlock(state, call, true);
	default:
		return IMPOSSIBLE;
	}
}

static void rwlock_show(const struct problem *problem, const struct state *state, FILE *out)
{
	(void)problem;
	if (state->words[OWNER])
		fprintf(out, "written by party %u", state->words[OWNER] - 1);
	else
		fprintf(out, has_readers(state) ? "read by" : "free");
	for (unsigned i = 0; i < PARTIES_MOST; i++)
		if (state->words[READERS + i / 32] >> i % 32 & 1)
			fprintf(out, " party %u", i);
}

struct spec spec_rwlock(void)
{
	return (struct spec){
		.name = "rwlock",
		.start = rwlock_start,
		.step = rwlock_step,
		.show = rwlock_show,
	};
}

/* --- semaphore: words[0] is how many there are ---------------------------------------------- */

static void semaphore_start(const struct problem *problem, struct state *state)
{
	state->used = 1;
	state->words[0] = problem->spec->size;
}

static enum outcome semaphore_step(const struct problem *problem, struct state *state,
				   const struct call *call)
{
	bool succeeds = call_is_open(call) || call->op.result == 0;

	(void)problem;
	if (has_no_meaning(call))
		return POSSIBLE;
	if (call->op.kind == OP_RELEASE) {
		if (succeeds)
			state->words[0] += call->op.value;
		return outcome_of(succeeds);
	}
	if (call->op.kind != OP_ACQUIRE && call->op.kind != OP_TRY_ACQUIRE)
		return IMPOSSIBLE;
	if (!succeeds)
		return outcome_of(says_taken(call, call->op.kind == OP_TRY_ACQUIRE) &&
				  !state->words[0]);
	if (!state->words[0])
		return IMPOSSIBLE;
	state->words[0]--;
	return POSSIBLE;
}

static void semaphore_show(const struct problem *problem, const struct state *state, FILE *out)
{
	(void)problem;
	fprintf(out, "%u left", state->words[0]);
}

struct spec spec_semaphore(uint32_t count)
{
	return (struct spec){
		.name = "semaphore",
		.size = count,
		.start = semaphore_start,
		.step = semaphore_step,
		.show = semaphore_show,
	};
}
