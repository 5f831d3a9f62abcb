/* SPDX-License-Identifier: MIT
 *
 * history.h - histories made by hand, for tests of the checker itself.
 *
 *	ADD(1, SEND, 2, 5, 17, 0);		party 1 sends 17 from stamp 2 to 5
 *	CHECK_REFUSED(spec, 6, "recv() -> 0, 17");
 */
#ifndef WEFT_TESTS_UNIT_HISTORY_H
#define WEFT_TESTS_UNIT_HISTORY_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../history/linear.h"
#include "../test.h"

static struct history *made; /* by ADD, until it is judged */

static inline void add(unsigned party, enum op_kind kind, uint64_t begun, uint64_t ended,
		       uint32_t value, int result)
{
	struct op op = {
		.begun = begun,
		.ended = ended,
		.kind = kind,
		.result = result,
		.value = value,
		.party = (uint16_t)party,
	};

	if (!made)
		made = history_new(8, 64);
	history_add(made, &op);
}

#define ADD(party, kind, begun, ended, value, result) \
	add((party), OP_##kind, (begun), (ended), (value), (result))

/** Judges what was made and throws it away. Return: the report. */
static inline const char *judge(struct spec spec, enum verdict *ret_verdict)
{
	static char text[16384];
	FILE *out = fmemopen(text, sizeof text, "w");

	CHECK(out);
	text[0] = 0;
	*ret_verdict = linear_check(made, 0, &spec, out);
	fclose(out);
	history_free(made);
	made = NULL;
	return text;
}

static inline void check_accepted(const char *file, int line, struct spec spec)
{
	enum verdict verdict;
	const char *text = judge(spec, &verdict);

	if (verdict != EXPLAINED) {
		fputs(text, stderr);
		test_fail(file, line, "the history is accepted");
	}
}

/* @spoiler: how the call is shown without which there would be an explanation. */
static inline void check_refused(const char *file, int line, struct spec spec, const char *spoiler)
{
	enum verdict verdict;
	const char *text = judge(spec, &verdict), *head, *found;

	if (verdict != REFUSED)
		test_fail(file, line, "the history is refused");
	head = strstr(text, "what it did:\n");
	CHECK(head);
	head += strlen("what it did:\n");
	found = strstr(head, spoiler);
	if (!found || memchr(head, '\n', (size_t)(found - head))) {
		fputs(text, stderr);
		test_fail_strings(file, line, "the call that spoils it", head, spoiler);
	}
}

#define CHECK_ACCEPTED(spec)         check_accepted(__FILE__, __LINE__, (spec))
#define CHECK_REFUSED(spec, spoiler) check_refused(__FILE__, __LINE__, (spec), (spoiler))

#endif
