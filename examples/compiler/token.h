/* SPDX-License-Identifier: MIT
 *
 * token.h - what passes between the lexer and the parser, and how.
 */
#ifndef EXAMPLES_COMPILER_TOKEN_H
#define EXAMPLES_COMPILER_TOKEN_H

#include <stdio.h>
#include <stdlib.h>
#include <weft/coroutine.h>

#include "machine.h"

enum { WORD_MAX = 15 };

/* A token's kind is its character, or one of these. */
enum token_kind { END = 256, NUMBER, NAME, IF, WHILE, PRINT };

struct token {
	int kind;
	char text[WORD_MAX + 1];
	struct place at;
};

static weft_coroutine *lexer, *parser;
static FILE *input;
static struct token token; /* the one that is handed over */
static struct place here = { 1, 0 };

/* Continues the other one, where that has stopped; returns when that hands over in turn. */
static void hand_over(weft_coroutine *to)
{
	if (weft_transfer(to, NULL, NULL) < 0)
		abort();
}

/* From however deep this is called: it yields to main(), which continues neither of them. */
static void fail(struct place at, const char *text)
{
	here = at;
	weft_yield((void *)text);
	abort();
}

#endif
