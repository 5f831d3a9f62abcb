/* SPDX-License-Identifier: MIT
 *
 * walk.h - every block that may be the control block of something alive: for
 * dumps and other onlookers. No list links all tasks; the memory they live in can be
 * walked instead.
 *
 * Runs beside all that goes on, without a lock: blocks are taken and given while
 * we look. Each block shown is mapped and stays so (A1), and was in use once; what is
 * in it may be of its present owner, of a former one, or half of each. No page
 * becomes resident by a walk but through @fn itself.
 *
 * Async-signal-safe.
 */
#ifndef WEFT_STACK_WALK_H
#define WEFT_STACK_WALK_H

#include <base/compiler.h>

/** Shown one block; false: that is enough. */
typedef bool weft__block_fn(void *block, void *arg);

/** The blocks of all slots that are neither cold nor never carved, by address within
 * a chunk. False: @fn had enough. */
bool weft__slot_each(weft__block_fn *fn, void *arg);

/** The blocks of weft__block_take() likewise. */
bool weft__block_each(weft__block_fn *fn, void *arg);

#endif
