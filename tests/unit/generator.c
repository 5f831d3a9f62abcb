/* SPDX-License-Identifier: MIT
 *
 * generator.c - coroutines that are read like a sequence.
 */
#include <errno.h>

#include <test.h>
#include <weft/coroutine.h>

#define P(n) ((void *)(intptr_t)(n))
#define I(p) ((int)(intptr_t)(p))

static void count_to(void *arg)
{
	for (int i = 1; i <= I(arg); i++)
		weft_yield(P(i));
}

static weft_generator *make(weft_generator_fn *fn, void *arg)
{
	weft_generator *gen;

	CHECK_EQ(weft_generator_new(&gen, fn, arg, NULL), 0);
	return gen;
}

TEST(generator, values_then_the_end)
{
	weft_generator *gen = make(count_to, P(2));
	void *value = NULL;

	CHECK_EQ(weft_generator_next(gen, &value), 1);
	CHECK_EQ(value, 1);
	CHECK_EQ(weft_generator_next(gen, &value), 1);
	CHECK_EQ(value, 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_generator_next(gen, &value), 0);
		CHECK_EQ(value, 2);
	}
	CHECK_EQ(weft_generator_free(gen), 0);
	CHECK_EQ(weft_generator_next(gen, &value), -ESRCH);
	CHECK_EQ(weft_generator_free(gen), -ESRCH);
	CHECK_EQ(weft_generator_free(NULL), 0);
}

TEST(generator, empty)
{
	weft_generator *gen = make(count_to, P(0));
	void *value = P(7);

	CHECK_EQ(weft_generator_next(gen, &value), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(weft_generator_free(gen), 0);
}

static void echo(void *arg)
{
	void *in = weft_yield(arg);

	while (in)
		in = weft_yield(in);
}

TEST(generator, next_with_sends_values_in)
{
	weft_generator *gen = make(echo, P(1));
	void *value;

	CHECK_EQ(weft_generator_next_with(gen, P(99), &value), 1); /* nobody hears the first */
	CHECK_EQ(value, 1);
	CHECK_EQ(weft_generator_next_with(gen, P(5), &value), 1);
	CHECK_EQ(value, 5);
	CHECK_EQ(weft_generator_next_with(gen, P(6), NULL), 1);
	CHECK_EQ(weft_generator_next(gen, &value), 0);
	CHECK_EQ(weft_generator_free(gen), 0);
}

TEST(generator, foreach_breaks_and_continues)
{
	weft_generator *gen = make(count_to, P(10));
	int sum = 0, seen = 0;
	void *value;

	weft_foreach(void *, v, gen) {
		seen++;
		if (I(v) % 2)
			continue;
		if (I(v) > 6)
			break;
		sum += I(v);
	}
	CHECK_EQ(seen, 8);
	CHECK_EQ(sum, 2 + 4 + 6);
	CHECK_EQ(weft_generator_next(gen, &value), 1); /* break left it where it was */
	CHECK_EQ(value, 9);
	weft_foreach(intptr_t, v, gen) {
		weft_generator *inner = make(count_to, P(v));
		int count = 0;

		weft_foreach(intptr_t, w, inner) {
			CHECK_EQ(w, ++count);
		}
		CHECK_EQ(count, v);
		CHECK_EQ(weft_generator_free(inner), 0);
	}
	CHECK_EQ(weft_generator_free(gen), 0);
}

/* A binary tree, walked by generators of generators. */
struct node {
	struct node *left, *right;
	int key;
};

static void walk(void *arg)
{
	struct node *node = arg;
	weft_generator *sub;

	if (!node)
		return;
	sub = make(walk, node->left);
	weft_foreach(void *, key, sub) {
		weft_yield(key);
	}
	weft_generator_free(sub);
	weft_yield(P(node->key));
	sub = make(walk, node->right);
	weft_foreach(void *, key, sub) {
		weft_yield(key);
	}
	weft_generator_free(sub);
}

TEST(generator, nested_in_itself)
{
	enum { KEYS = 127 };
	static struct node nodes[KEYS + 1];
	weft_generator *gen;
	int expected = 1;

	/* A perfect tree by its keys: the children of k are k +- half its lowest bit. */
	for (int key = 1; key <= KEYS; key++) {
		int half = (key & -key) / 2;

		nodes[key].key = key;
		nodes[key].left = half ? &nodes[key - half] : NULL;
		nodes[key].right = half ? &nodes[key + half] : NULL;
	}
	gen = make(walk, &nodes[64]);
	weft_foreach(intptr_t, key, gen) {
		CHECK_EQ(key, expected++);
	}
	CHECK_EQ(expected, KEYS + 1);
	CHECK_EQ(weft_generator_free(gen), 0);
}

static void reads_itself(void *arg)
{
	void *value;

	CHECK_EQ(weft_generator_next(*(weft_generator **)arg, &value), -EDEADLK);
	CHECK_EQ(weft_generator_free(*(weft_generator **)arg), -EBUSY);
	weft_yield(P(1));
}

TEST(generator, reads_not_itself)
{
	weft_generator *gen = make(reads_itself, &gen);
	void *value;

	CHECK_EQ(weft_generator_next(gen, &value), 1);
	CHECK_EQ(weft_generator_free(gen), 0); /* not at its end */
	CHECK_EQ(weft_generator_new(&gen, NULL, NULL, NULL), -EINVAL);
}
