/* SPDX-License-Identifier: MIT
 *
 * compiler.c - a compiler in one pass, as of 1958: it compiles the program below, or another
 * one, for the stack machine of machine.h, and runs it.
 *
 *	compiler [file]			echo 'print 6 * 7;' | compiler -
 *
 * The lexer (lexer.h) is a loop that puts out tokens. The parser (parser.h) is a recursion that
 * takes them in. Each is written as if it were the main program, and the other one its
 * subroutine: look at hand_over() in token.h. So Conway wrote a compiler for COBOL, and called
 * its modules coroutines ("Design of a separable transition-diagram compiler", CACM 6, 1963).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft/coroutine.h>

#include "lexer.h"
#include "machine.h"
#include "parser.h"
#include "token.h"

static char builtin[] = "n = 2; # primes below 30\n"
			"while n < 30 {\n"
			"	prime = 1; d = 2;\n"
			"	while d * d < n + 1 {\n"
			"		if n - n / d * d < 1 { prime = 0; }\n"
			"		d = d + 1;\n"
			"	}\n"
			"	if prime { print n; }\n"
			"	n = n + 1;\n"
			"}\n";

/* Return: NULL, or what was wrong. */
static const char *compile(void)
{
	void *text = NULL;

	if (weft_coroutine_new(&lexer, lex, NULL, NULL) < 0 ||
	    weft_coroutine_new(&parser, parse, NULL, NULL) < 0 ||
	    weft_resume(parser, NULL, &text) < 0)
		text = "no memory";
	weft_coroutine_free(parser); /* after an error it is somewhere in its recursion */
	weft_coroutine_free(lexer);
	return text;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "builtin", *error;

	if (argc < 2)
		input = fmemopen(builtin, strlen(builtin), "r");
	else
		input = strcmp(name, "-") ? fopen(name, "r") : stdin;
	if (!input) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return 2;
	}
	error = compile();
	if (!error)
		error = run(code, &here);
	if (error)
		fprintf(stderr, "%s:%d:%d: %s\n", name, here.line, here.column, error);
	fclose(input);
	return error != NULL;
}
