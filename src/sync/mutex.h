/* SPDX-License-Identifier: MIT
 *
 * mutex.h - what a condition variable needs of a mutex.
 */
#ifndef WEFT_SYNC_MUTEX_H
#define WEFT_SYNC_MUTEX_H

#include <sync/word.h>
#include <weft/sync.h>

/** Gives the caller's mutex back, however often it has been locked. Return: how often more than
 * once, for weft__mutex_retake(). */
int weft__mutex_drop(weft_mutex *public);

/** Takes it back, without end and whatever is cancelled. 0, -EOWNERDEAD. */
int weft__mutex_retake(weft_mutex *public, int depth);

/** Is it the caller's, @self? */
bool weft__mutex_is_mine(const weft_mutex *public, const struct task *self);

#endif
