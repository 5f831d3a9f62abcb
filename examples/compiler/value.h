/* SPDX-License-Identifier: MIT
 *
 * value.h - the half of the parser that takes in values, and makes code of them:
 *
 *	value = as usual, of numbers, names, < > + - * / and ( )
 */
#ifndef EXAMPLES_COMPILER_VALUE_H
#define EXAMPLES_COMPILER_VALUE_H

#include <string.h>

#include "machine.h"
#include "token.h"

enum { DEPTH_MAX = 50 };

static struct op code[CODE_MAX];
static char names[NAMES_MAX][WORD_MAX + 1];
static int code_len, names_len, depth;

static struct op *emit(struct token from, int kind, long value)
{
	if (code_len == CODE_MAX)
		fail(from.at, "the program is too long");
	code[code_len] = (struct op){ kind, value, from.at };
	return &code[code_len++];
}

static int variable(struct token name, int is_set)
{
	for (int i = 0; i < names_len; i++)
		if (!strcmp(names[i], name.text))
			return i;
	if (!is_set || names_len == NAMES_MAX)
		fail(name.at, is_set ? "too many names" : "it has no value yet");
	memcpy(names[names_len], name.text, sizeof(name.text));
	return names_len++;
}

static struct token take(void)
{
	struct token taken = token;

	hand_over(lexer);
	return taken;
}

static void expect(int kind, const char *text)
{
	if (token.kind != kind)
		fail(token.at, text);
	take();
}

static void value(int least_level);

static void operand(void)
{
	struct token first = take();

	if (++depth > DEPTH_MAX)
		fail(first.at, "too deep");
	if (first.kind == NUMBER) {
		emit(first, PUSH, atol(first.text));
	} else if (first.kind == NAME) {
		emit(first, LOAD, variable(first, 0));
	} else if (first.kind == '-') {
		emit(first, PUSH, 0);
		operand();
		emit(first, '-', 0);
	} else if (first.kind == '(') {
		value(1);
		expect(')', "a ) is missing");
	} else {
		fail(first.at, "a value is missing");
	}
	depth--;
}

static int level_of(int kind)
{
	static const char operators[] = "<>+-*/";
	const char *found = kind > 0 && kind < END ? strchr(operators, kind) : NULL;

	return found ? 1 + (int)(found - operators) / 2 : 0;
}

/* Of operators that bind as least_level does, or closer. */
static void value(int least_level)
{
	operand();
	while (level_of(token.kind) >= least_level) {
		struct token sign = take();

		value(level_of(sign.kind) + 1);
		emit(sign, sign.kind, 0);
	}
}

#endif
