/* SPDX-License-Identifier: MIT
 *
 * lexer.h - reads characters, and puts out tokens.
 */
#ifndef EXAMPLES_COMPILER_LEXER_H
#define EXAMPLES_COMPILER_LEXER_H

#include <ctype.h>
#include <string.h>

#include "token.h"

static int next_char(void)
{
	int c = getc(input);

	here.line += c == '\n';
	here.column = c == '\n' ? 0 : here.column + 1;
	return c;
}

static int skip_blanks(int c)
{
	while (isspace(c) || c == '#') {
		if (c == '#') /* up to the end of the line */
			while ((c = next_char()) != '\n' && c != EOF)
				;
		else
			c = next_char();
	}
	return c;
}

static int word_kind(const char *text)
{
	if (isdigit((unsigned char)*text)) {
		if (text[strspn(text, "0123456789")])
			fail(token.at, "a number with letters in it");
		return NUMBER;
	}
	if (!strcmp(text, "if"))
		return IF;
	if (!strcmp(text, "while"))
		return WHILE;
	return strcmp(text, "print") ? NAME : PRINT;
}

static int put_word(int c)
{
	size_t len = 0;

	for (; isalnum(c); c = next_char()) {
		if (len == WORD_MAX)
			fail(token.at, "a word of more than 15 characters");
		token.text[len++] = (char)c;
	}
	token.kind = word_kind(token.text);
	return c;
}

static void *lex(void *arg, void *value)
{
	int c = next_char();

	(void)arg;
	(void)value;
	for (;;) {
		c = skip_blanks(c);
		token = (struct token){ .kind = c == EOF ? END : c, .at = here };
		if (c == EOF && ferror(input))
			fail(here, "this cannot be read");
		if (isalnum(c))
			c = put_word(c);
		else if (c != EOF)
			c = next_char();
		hand_over(parser);
	}
	return NULL;
}

#endif
