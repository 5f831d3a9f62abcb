/* SPDX-License-Identifier: MIT
 *
 * numbers.h - small numbers for things: 0, 1, 2, ... in the order in which they come.
 *
 * N1 A number is not dealt again before all others up to INT_MAX were passed: one that
 *    is stale is not mistaken for a stranger's.
 * N2 What has number n lies in the slot n modulo the table's size, and no two live numbers
 *    share a slot: looking up is one compare. Dealing skips a number whose slot is taken.
 * N3 At most half of the slots are taken, so that what is skipped in a round over the
 *    table is less than what was dealt in one. When the table doubles, N2 holds by itself.
 *
 * One thread at a time.
 */
#ifndef WEFT_COMPAT_NUMBERS_H
#define WEFT_COMPAT_NUMBERS_H

#include <limits.h>

#include <base/compiler.h>
#include <base/fault.h>

/** All zero: empty. */
struct numbers {
	struct number_slot *slots;
	unsigned size; /* a power of two, or 0 */
	unsigned used;
	unsigned next;
};

struct number_slot {
	void *item; /* NULL: free */
	int number; /* of the item */
};

static inline struct number_slot *numbers_slot(const struct numbers *table, int number)
{
	return &table->slots[(unsigned)number & (table->size - 1)];
}

/** What has this number, or NULL. Any number may be asked for. */
static inline void *numbers_find(const struct numbers *table, int number)
{
	const struct number_slot *slot;

	if (unlikely(table->size == 0))
		return NULL;
	slot = numbers_slot(table, number);
	return likely(slot->number == number) ? slot->item : NULL;
}

/* False: no memory, nothing changed. */
static inline bool numbers_grow(struct numbers *table)
{
	enum { FIRST_SIZE = 16 };
	struct numbers grown = *table;

	grown.size = table->size ? 2 * table->size : FIRST_SIZE;
	if (grown.size > 1u << 30)
		return false;
	grown.slots = weft__calloc(grown.size, sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	for (unsigned i = 0; i < table->size; i++)
		if (table->slots[i].item)
			*numbers_slot(&grown, table->slots[i].number) = table->slots[i];
	weft__free(table->slots);
	*table = grown;
	return true;
}

/** Gives @item a number. Return: the number, or -1 when there is no memory. */
static inline int numbers_add(struct numbers *table, void *item)
{
	struct number_slot *slot;
	int number;

	if (2 * table->used >= table->size && !numbers_grow(table))
		return -1;
	do {
		number = (int)table->next;
		table->next = (table->next + 1) & INT_MAX;
		slot = numbers_slot(table, number);
	} while (slot->item);
	slot->item = item;
	slot->number = number;
	table->used++;
	return number;
}

/** Takes back the number of an item that has one. */
static inline void numbers_remove(struct numbers *table, int number)
{
	numbers_slot(table, number)->item = NULL;
	table->used--;
}

/** True when @number may have been dealt: it is no error to know it. */
static inline bool numbers_dealt(const struct numbers *table, int number)
{
	return number >= 0 && (unsigned)number < table->next;
}

static inline void numbers_fini(struct numbers *table)
{
	weft__free(table->slots);
	*table = (struct numbers){ 0 };
}

#endif
