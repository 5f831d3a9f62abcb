/* SPDX-License-Identifier: MIT
 *
 * parser.h - takes tokens in, and makes code:
 *
 *	program   = { statement }
 *	statement = name "=" value ";" | "print" value ";" | ("if" | "while") value block
 *	block     = "{" { statement } "}"
 */
#ifndef EXAMPLES_COMPILER_PARSER_H
#define EXAMPLES_COMPILER_PARSER_H

#include "machine.h"
#include "token.h"
#include "value.h"

static void block(void);

static void statement(void)
{
	struct token first = take();
	int start = code_len;
	struct op *leave;

	if (first.kind == NAME) {
		expect('=', "a = is missing");
		value(1);
		emit(first, STORE, variable(first, 1));
		expect(';', "a ; is missing");
	} else if (first.kind == PRINT) {
		value(1);
		emit(first, OUT, 0);
		expect(';', "a ; is missing");
	} else if (first.kind == IF || first.kind == WHILE) {
		value(1);
		leave = emit(first, JUMP_IF_ZERO, 0);
		block();
		if (first.kind == WHILE)
			emit(first, JUMP, start);
		leave->value = code_len;
	} else {
		fail(first.at, "a statement is missing");
	}
}

static void block(void)
{
	expect('{', "a { is missing");
	if (++depth > DEPTH_MAX)
		fail(token.at, "too deep");
	while (token.kind != '}')
		statement();
	depth--;
	take();
}

static void *parse(void *arg, void *no_value)
{
	(void)arg;
	(void)no_value;
	take(); /* the first one */
	while (token.kind != END)
		statement();
	emit(token, STOP, 0);
	return NULL;
}

#endif
