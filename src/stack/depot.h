/* SPDX-License-Identifier: MIT
 *
 * depot.h - magazines on their way from threads that give more stacks than they take to
 * those that take more than they give.
 *
 * D1 What lies in the depot is hot, and no cache counts it.
 * D2 It has room for so many slots: as few as a magazine at rest has, at first. Whoever draws slots
 *    that were trimmed before doubles it, as he doubles his own magazine. When nobody has come
 *    by for STACK_AGE_NS that is forgotten, and what lies there goes bit by bit.
 * D3 The lock is a leaf: nothing is called while it is held.
 */
#ifndef WEFT_STACK_DEPOT_H
#define WEFT_STACK_DEPOT_H

#include <stack/stack.h>

/** A thread's cache has been made: -1 at its end. With fewer than two there is no depot, and
 * the last one but one empties it. Return: how many there are now. */
int weft__depot_caches(int change);

/** The old magazine goes there. False: no room, or nobody who could want it; it has not moved. */
bool weft__depot_put(unsigned class, struct stack_bin *bin);

/** One of its magazines becomes the young one, of a bin that has none. False: there is none. */
bool weft__depot_get(unsigned class, struct stack_bin *bin);

/** Slots that were trimmed before have been drawn: that was too eager. */
void weft__depot_grow(unsigned class);

/** When nobody has come by for STACK_AGE_NS: one of its magazines becomes the old one, to be
 * drained, of a bin that has none. True: there is something left. */
bool weft__depot_age(unsigned class, struct stack_bin *bin, int64_t now_ns);

#endif
