/* SPDX-License-Identifier: MIT
 *
 * memo.c - see memo.h. Open addressing, doubled when it fills.
 */
#include <stdlib.h>

#include "../test.h"
#include "memo.h"

void memo_init(struct memo *memo)
{
	memo->room = 1024;
	memo->count = 0;
	memo->slots = calloc(memo->room, sizeof *memo->slots);
	CHECK(memo->slots);
}

void memo_fini(struct memo *memo)
{
	free(memo->slots);
}

/* The slot where it is, or where it belongs. */
static struct print *slot_of(const struct memo *memo, struct print print)
{
	size_t i = print.a & (memo->room - 1);

	while (memo->slots[i].a | memo->slots[i].b) {
		if (memo->slots[i].a == print.a && memo->slots[i].b == print.b)
			break;
		i = (i + 1) & (memo->room - 1);
	}
	return &memo->slots[i];
}

static void grow(struct memo *memo)
{
	struct memo old = *memo;

	memo->room *= 2;
	memo->slots = calloc(memo->room, sizeof *memo->slots);
	CHECK(memo->slots);
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].a | old.slots[i].b)
			*slot_of(memo, old.slots[i]) = old.slots[i];
	free(old.slots);
}

enum memo_answer memo_add(struct memo *memo, struct print print, size_t most)
{
	struct print *slot;

	if (!(print.a | print.b))
		print.a = 1;
	slot = slot_of(memo, print);
	if (slot->a | slot->b)
		return MEMO_KNOWN;
	if (memo->count >= most)
		return MEMO_FULL;
	*slot = print;
	if (++memo->count > memo->room / 4 * 3)
		grow(memo);
	return MEMO_NEW;
}
