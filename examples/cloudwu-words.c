/* SPDX-License-Identifier: MIT
 *
 * cloudwu-words.c - a chain of coroutines, written to the interface of cloudwu/coroutine:
 * one reads characters, one makes words of them, one counts their lengths.
 *
 * Each resumes the one before it for the next item, which the original does not allow. All
 * of them stand on one stack of their schedule, so what they hand on lies in no frame.
 *
 *	cloudwu-words [text]
 */
#include <coroutine.h>
#include <ctype.h>
#include <stdio.h>

struct chain {
	const char *text;
	int letters, words; /* numbers of coroutines */
	int letter;         /* handed from letters to words; 0 at the end */
	char word[32];      /* handed from words to count; "" at the end */
};

static void letters(struct schedule *S, void *arg)
{
	struct chain *chain = arg;

	for (const char *at = chain->text; *at; at++) {
		chain->letter = *at;
		coroutine_yield(S);
	}
	chain->letter = 0;
}

static void words(struct schedule *S, void *arg)
{
	struct chain *chain = arg;
	size_t length = 0;

	do {
		coroutine_resume(S, chain->letters);
		if (isalpha(chain->letter) && length < sizeof(chain->word) - 1) {
			chain->word[length++] = (char)chain->letter;
		} else if (length > 0) {
			chain->word[length] = '\0';
			length = 0;
			coroutine_yield(S);
		}
	} while (chain->letter != 0);
	chain->word[0] = '\0';
}

static void count(struct schedule *S, void *arg)
{
	struct chain *chain = arg;
	int of_length[sizeof(chain->word)] = { 0 };

	for (;;) {
		size_t length = 0;

		coroutine_resume(S, chain->words);
		while (chain->word[length])
			length++;
		if (length == 0)
			break;
		of_length[length]++;
	}
	for (size_t i = 1; i < sizeof(chain->word); i++)
		if (of_length[i])
			printf("%d of %zu\n", of_length[i], i);
}

int main(int argc, char **argv)
{
	struct chain chain = { .text = argc > 1 ? argv[1] : "one stack for all of them" };
	struct schedule *S = coroutine_open();

	if (!S)
		return 1;
	chain.letters = coroutine_new(S, letters, &chain);
	chain.words = coroutine_new(S, words, &chain);
	coroutine_resume(S, coroutine_new(S, count, &chain));
	coroutine_close(S);
	return 0;
}
