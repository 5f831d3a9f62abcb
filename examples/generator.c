/* SPDX-License-Identifier: MIT
 *
 * generator.c - all orders of some letters, one at a time.
 *
 * The body is the recursive algorithm as everybody writes it (Heap, 1963); it
 * suspends in the middle of its recursion whenever it has found one more.
 */
#include <stdio.h>
#include <string.h>
#include <weft/coroutine.h>

struct letters {
	char text[16];
	size_t count;
};

static void swap(char *a, char *b)
{
	char c = *a;

	*a = *b;
	*b = c;
}

static void permute(struct letters *letters, size_t n)
{
	if (n <= 1) {
		weft_yield(letters->text);
		return;
	}
	for (size_t i = 0; i < n - 1; i++) {
		permute(letters, n - 1);
		swap(&letters->text[n % 2 ? 0 : i], &letters->text[n - 1]);
	}
	permute(letters, n - 1);
}

static void permutations(void *arg)
{
	struct letters letters = { .count = strnlen(arg, 15) };

	memcpy(letters.text, arg, letters.count);
	permute(&letters, letters.count);
}

int main(int argc, char **argv)
{
	weft_generator *gen;
	unsigned count = 0;

	if (weft_generator_new(&gen, permutations, argc > 1 ? argv[1] : "weft", NULL) < 0)
		return 1;
	weft_foreach(const char *, text, gen) {
		printf("%s%c", text, ++count % 6 ? ' ' : '\n');
	}
	printf("%s%u orders\n", count % 6 ? "\n" : "", count);
	return weft_generator_free(gen) < 0;
}
