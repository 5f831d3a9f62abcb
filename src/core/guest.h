/* SPDX-License-Identifier: MIT
 *
 * guest.h - a plain thread that waits for an object beside tasks.
 *
 * A thread that is no runtime has no task. When it calls a lock or a channel, it gets a
 * control block all the same: its wait word takes part in D7 as any other does, its
 * address says who owns a mutex, and whoever wakes it need not know that it is none of
 * the tasks. What differs is how it waits (its thread sleeps on a futex) and how it is
 * made ready (weft__ready_elsewhere() finds OWNER_GUEST).
 *
 * G1 The block is made at the thread's first use and given back at its end. It is of the
 *    type-stable memory of control blocks, so that a late waker's ticket does not match.
 * G2 While it waits, refs is the futex: 0 until the winner of the claim has stored 1.
 * G3 The winner does not touch the block after that store, but for the futex call, which
 *    is harmless at an address that is another's by now.
 * G4 When the thread becomes a runtime later, its main task answers for the guest: a lock
 *    that one took the other may drop (task_answers_for()).
 */
#ifndef WEFT_CORE_GUEST_H
#define WEFT_CORE_GUEST_H

#include <core/park.h>

/** The calling thread's guest, made when there is none yet; NULL: -ENOMEM in *ret_error.
 * Only for threads without a task. */
struct task *weft__guest_self(int *ret_error);

/** As weft__park(), for a guest. */
int weft__guest_park(struct task *guest, int64_t deadline_ns);

/** A claimed guest has its result: it may go on. */
void weft__guest_ready(struct task *guest);

/** The kernel's name of a guest's thread. */
static inline unsigned guest_tid(const struct task *guest)
{
	return (unsigned)(task_id(guest) >> 32) & 0x3fffffff;
}

/** Is @owner the caller, @self, by another name (G4)? */
static inline bool task_answers_for(const struct task *self, const struct task *owner)
{
	return owner == self ||
	       (owner && (self->flags & TASK_THREAD) && owner == weft__thread.guest);
}

#endif
