/* SPDX-License-Identifier: MIT
 *
 * turns.h - three parties take a lock in turn, while a fourth thread ends the wait of one: for
 * models of locks. The model says what locking is, by turns_lock() and turns_unlock().
 */
#ifndef WEFT_TESTS_MODEL_TURNS_H
#define WEFT_TESTS_MODEL_TURNS_H

#include "parties.h"

enum { HOLDER, WAITER, OTHER, ENDER };

static struct {
	int data;    /* plain, and protected */
	int taken;   /* likewise: how many have been in it */
	int told[3]; /* what each was told */
} turns;

#define TURNS_PART                    \
	{                             \
		&turns, sizeof(turns) \
	}

/* 0: it is the caller's; or why not. */
static int turns_lock(void);
static void turns_unlock(void);

static void turns_setup(void)
{
	memset(&turns, 0, sizeof(turns));
	parties_setup();
}

/* Nobody is in it beside another. */
static void take_turn(void)
{
	int *told = &turns.told[model_self()];

	*told = turns_lock();
	if (*told != 0)
		return;
	model_writes(&turns.data);
	MODEL_CHECK(turns.data++ == 0);
	turns.taken++;
	model_checkpoint(model_self());
	model_writes(&turns.data);
	MODEL_CHECK(--turns.data == 0);
	turns_unlock();
}

static void holder(void)
{
	take_turn();
}

static void waiter(void)
{
	take_turn();
}

static void other(void)
{
	take_turn();
}

static void expire_waiter(void)
{
	party_expire(WAITER);
}

/* Only the waiter may have been refused. Return: how many got it. */
static int turns_check(void)
{
	int locked = 0;

	for (int i = 0; i < 3; i++)
		locked += turns.told[i] == 0;
	MODEL_CHECK(turns.told[HOLDER] == 0 && turns.told[OTHER] == 0);
	MODEL_CHECK(turns.told[WAITER] == 0 || turns.told[WAITER] == -ECANCELED ||
		    turns.told[WAITER] == -ETIMEDOUT);
	return locked;
}

#endif
