/* SPDX-License-Identifier: MIT
 *
 * explain.c - linear_check(), and what it says of a history that it does not accept.
 *
 * If a beginning of a history cannot be explained, nothing that comes after it helps. So the
 * shortest such beginning is found by halving. Its last event is the end of a call; up to there
 * everything can be explained, and one such explanation is shown, with what it leads to.
 */
#include <stdlib.h>

#include "../test.h"
#include "linear.h"

enum { SHOWN = 12 };

static enum verdict check_until(const struct history *history, unsigned object,
				const struct spec *spec, uint64_t cut)
{
	struct search *search = search_new(history, object, spec, cut);
	enum verdict verdict = search_run(search);

	search_free(search);
	return verdict;
}

static int compare_stamps(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The stamps of all ends, in order. */
static uint64_t *ends_of(const struct history *history, unsigned object, unsigned *ret_count)
{
	unsigned open, count = 0;
	uint64_t *ends = calloc(history_count(history, &open) + 1, sizeof *ends);

	CHECK(ends);
	for (unsigned p = 0; p < history->parties; p++) {
		const struct record *record = &history->records[p];

		for (unsigned i = 0; i < record->count; i++)
			if (record->ops[i].object == object && record->ops[i].ended != NEVER)
				ends[count++] = record->ops[i].ended;
	}
	qsort(ends, count, sizeof *ends, compare_stamps);
	*ret_count = count;
	return ends;
}

/* The first end up to which there is no explanation. */
static enum verdict find_spoiler(const struct history *history, unsigned object,
				 const struct spec *spec, uint64_t *ret_end)
{
	unsigned count, low = 0;
	uint64_t *ends = ends_of(history, object, &count);

	/* Explained up to the ends below low, not up to the end at high. */
	for (unsigned high = count - 1; low < high;) {
		unsigned middle = low + (high - low) / 2;

		if (check_until(history, object, spec, ends[middle]) == EXPLAINED)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_end = ends[low];
	free(ends);
	return check_until(history, object, spec, *ret_end);
}

static void show_order(struct search *search, FILE *out)
{
	const struct problem *problem = &search->problem;
	unsigned from = search->depth > SHOWN ? search->depth - SHOWN : 0;

	fprintf(out, "  all that ended before it fits in this order%s:\n",
		from ? ", of which this is the end" : "");
	for (unsigned i = from; i < search->depth; i++) {
		const struct frame *frame = &search->frames[i];
		const struct state *after =
			i + 1 < search->depth ? &search->frames[i + 1].before : &search->state;

		fprintf(out, "    ");
		op_show(&problem->calls[frame->call].op, out);
		if (frame->other != NONE) {
			fprintf(out, "\n  + ");
			op_show(&problem->calls[frame->other].op, out);
		}
		fprintf(out, "    | ");
		problem->spec->show(problem, after, out);
		fprintf(out, "\n");
	}
}

static void show_open(struct search *search, uint64_t spoiler, FILE *out)
{
	const struct problem *problem = &search->problem;

	fprintf(out, "  open beside it, and not needed for that:\n");
	for (unsigned p = 0; p < problem->parties; p++)
		for (unsigned i = search->next[p]; i < problem->first[p + 1]; i++) {
			const struct op *op = &problem->calls[i].op;

			if (op->begun == spoiler)
				continue;
			fprintf(out, "    ");
			op_show(op, out);
			fprintf(out, "\n");
		}
}

static const struct op *op_that_ended(const struct history *history, uint64_t end)
{
	for (unsigned p = 0; p < history->parties; p++)
		for (unsigned i = 0; i < history->records[p].count; i++)
			if (history->records[p].ops[i].ended == end)
				return &history->records[p].ops[i];
	test_fail(__FILE__, __LINE__, "an end has a call");
}

static void report(const struct history *history, unsigned object, const struct spec *spec,
		   uint64_t end, FILE *out)
{
	const struct op *spoiler = op_that_ended(history, end);
	/* As it was just before that end: the spoiler is open, if it had begun at all. */
	struct search *search = search_new(history, object, spec, end - 1);

	fprintf(out, "  no order explains that this call returned what it did:\n    ");
	op_show(spoiler, out);
	fprintf(out, "\n");
	if (search_run(search) == EXPLAINED) {
		show_order(search, out);
		show_open(search, spoiler->begun, out);
	}
	search_free(search);
}

enum verdict linear_check(const struct history *history, unsigned object, const struct spec *spec,
			  FILE *out)
{
	enum verdict verdict = check_until(history, object, spec, NEVER - 1);
	unsigned open, count = history_count(history, &open);
	uint64_t end;

	if (verdict == EXPLAINED)
		return verdict;
	/* To give up on the whole says nothing of a beginning. */
	verdict = find_spoiler(history, object, spec, &end);
	if (!out)
		return verdict;
	fprintf(out, "history of %s %u: %u calls of %u parties, %u of them open: %s\n", spec->name,
		object, count, history->parties, open,
		verdict == REFUSED ? "not linearizable" : "gave up");
	if (verdict == REFUSED)
		report(history, object, spec, end, out);
	else
		fprintf(out, "  more than %u states up to stamp %llu, or a state too large\n",
			(unsigned)STATES_MOST, (unsigned long long)end);
	return verdict;
}

void linear_require(const struct history *history, unsigned object, const struct spec *spec)
{
	CHECK_EQ(linear_check(history, object, spec, stderr), EXPLAINED);
}
