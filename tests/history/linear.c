/* SPDX-License-Identifier: MIT
 *
 * linear.c - the search of linear.h. Why a history was refused: explain.c.
 */
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "linear.h"

/* --- the calls that count ----------------------------------------------------------- */

static void copy_calls(struct problem *problem, const struct history *history, unsigned object,
		       uint64_t cut)
{
	for (unsigned party = 0; party < history->parties; party++) {
		const struct record *record = &history->records[party];

		problem->first[party] = problem->count;
		for (unsigned i = 0; i < record->count; i++) {
			const struct op *op = &record->ops[i];
			struct call *call = &problem->calls[problem->count];

			if (op->object != object || op->begun > cut)
				continue;
			call->op = *op;
			if (op->ended > cut)
				call->op.ended = NEVER;
			problem->count++;
		}
	}
	problem->first[history->parties] = problem->count;
}

struct search *search_new(const struct history *history, unsigned object, const struct spec *spec,
			  uint64_t cut)
{
	struct search *search = calloc(1, sizeof *search);
	unsigned open, most = history_count(history, &open) + 1;

	CHECK(search);
	search->problem.spec = spec;
	search->problem.parties = history->parties;
	search->problem.calls = calloc(most, sizeof *search->problem.calls);
	CHECK(search->problem.calls);
	copy_calls(&search->problem, history, object, cut);
	search->frames = calloc(search->problem.count + 1, sizeof *search->frames);
	CHECK(search->frames);
	memo_init(&search->memo);
	search->states_most = STATES_MOST;
	memcpy(search->next, search->problem.first, sizeof search->next);
	if (spec->look_ahead)
		spec->look_ahead(&search->problem);
	spec->start(&search->problem, &search->state);
	return search;
}

void search_free(struct search *search)
{
	memo_fini(&search->memo);
	free(search->frames);
	free(search->problem.calls);
	free(search);
}

/* --- which calls may be the next ------------------------------------------------------ */

struct choices {
	unsigned calls[PARTIES_MOST], count; /* the one that ended first comes first */
};

static bool is_over(const struct search *search, unsigned party)
{
	return search->next[party] == search->problem.first[party + 1];
}

static const struct call *call_at(const struct search *search, unsigned index)
{
	return &search->problem.calls[index];
}

/* Those that began before any other of the rest had ended. */
static void find_choices(const struct search *search, struct choices *choices)
{
	uint64_t first_end = NEVER;

	choices->count = 0;
	for (unsigned p = 0; p < search->problem.parties; p++)
		if (!is_over(search, p) && call_at(search, search->next[p])->op.ended < first_end)
			first_end = call_at(search, search->next[p])->op.ended;
	for (unsigned p = 0; p < search->problem.parties; p++) {
		unsigned i = choices->count, call = search->next[p];

		if (is_over(search, p) || call_at(search, call)->op.begun > first_end)
			continue;
		while (i && call_at(search, choices->calls[i - 1])->op.ended >
				    call_at(search, call)->op.ended) {
			choices->calls[i] = choices->calls[i - 1];
			i--;
		}
		choices->calls[i] = call;
		choices->count++;
	}
}

/* The single ones first, then the pairs. False: there is no choice of that number. */
static bool pick(const struct choices *choices, unsigned number, bool pairs, struct frame *frame)
{
	frame->other = NONE;
	if (number < choices->count) {
		frame->call = choices->calls[number];
		return true;
	}
	number -= choices->count;
	for (unsigned i = 0; pairs && i + 1 < choices->count; i++) {
		if (number < choices->count - 1 - i) {
			frame->call = choices->calls[i];
			frame->other = choices->calls[i + 1 + number];
			return true;
		}
		number -= choices->count - 1 - i;
	}
	return false;
}

/* --- forth and back ---------------------------------------------------------------------- */

static void take(struct search *search, const struct frame *frame, unsigned forth)
{
	search->next[call_at(search, frame->call)->op.party] += forth;
	if (frame->other != NONE)
		search->next[call_at(search, frame->other)->op.party] += forth;
}

/* Two calls of a pair must be of different parties, which they are: each has one next call. */
static enum outcome make(struct search *search, const struct frame *frame)
{
	const struct problem *problem = &search->problem;
	const struct call *call = call_at(search, frame->call);

	search->steps++;
	if (frame->other == NONE)
		return problem->spec->step(problem, &search->state, call);
	return problem->spec->pair(problem, &search->state, call, call_at(search, frame->other))
		       ? POSSIBLE
		       : IMPOSSIBLE;
}

static bool same_state(const struct state *a, const struct state *b)
{
	return a->used == b->used && !memcmp(a->words, b->words, a->used * sizeof a->words[0]);
}

static void copy_state(struct state *to, const struct state *from)
{
	to->used = from->used;
	memcpy(to->words, from->words, from->used * sizeof from->words[0]);
}

static struct print print_of(const struct search *search)
{
	struct print print = { 1, 2 };

	for (unsigned p = 0; p < search->problem.parties; p++)
		print_feed(&print, search->next[p]);
	for (uint32_t i = 0; i < search->state.used; i++)
		print_feed(&print, search->state.words[i]);
	return print;
}

enum progress { FORTH, STUCK, LOST };

/* From the present state by the choice of that number, or one after it. */
static enum progress go_forth(struct search *search, unsigned number)
{
	struct frame *frame = &search->frames[search->depth];
	struct choices choices;

	find_choices(search, &choices);
	copy_state(&frame->before, &search->state);
	for (; pick(&choices, number, search->problem.spec->pair, frame); number++) {
		enum outcome outcome = make(search, frame);
		bool changed = frame->other != NONE || !same_state(&frame->before, &search->state);
		enum memo_answer answer = MEMO_KNOWN;

		if (outcome == TOO_LARGE)
			return LOST;
		if (outcome == POSSIBLE) {
			take(search, frame, 1);
			answer = memo_add(&search->memo, print_of(search), search->states_most);
		}
		if (answer == MEMO_FULL)
			return LOST;
		if (answer == MEMO_NEW) {
			frame->choice = changed ? number + 1 : NONE;
			search->depth++;
			return FORTH;
		}
		if (outcome == POSSIBLE)
			take(search, frame, -1u);
		copy_state(&search->state, &frame->before);
		if (outcome == POSSIBLE && !changed)
			break;
	}
	return STUCK;
}

/* To the last state that has another choice. Return: its number; NONE: there is no such state. */
static unsigned go_back(struct search *search)
{
	while (search->depth) {
		struct frame *frame = &search->frames[--search->depth];

		take(search, frame, -1u);
		copy_state(&search->state, &frame->before);
		if (frame->choice != NONE)
			return frame->choice;
	}
	return NONE;
}

/* Calls that did not return need not have happened. */
static bool is_explained(const struct search *search)
{
	for (unsigned p = 0; p < search->problem.parties; p++)
		if (!is_over(search, p) && !call_is_open(call_at(search, search->next[p])))
			return false;
	return true;
}

enum verdict search_run(struct search *search)
{
	unsigned number = 0;

	while (!is_explained(search)) {
		switch (go_forth(search, number)) {
		case FORTH:
			number = 0;
			break;
		case STUCK:
			number = go_back(search);
			if (number == NONE)
				return REFUSED;
			break;
		case LOST:
			return GAVE_UP;
		}
	}
	return EXPLAINED;
}
