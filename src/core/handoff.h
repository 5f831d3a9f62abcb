/* SPDX-License-Identifier: MIT
 *
 * handoff.h - tasks that run when they are told to: a resume runs one of them now, and its
 * caller after it.
 *
 * Libraries in which one coroutine resumes another one, and which have a scheduler all the
 * same, are made of these (compat/). They are tasks like all others: they may wait for
 * anything, and go on by themselves when it has come. But they begin when they are resumed,
 * and they can suspend themselves until they are.
 *
 *   resume:  self, then task, in front of the worker's queue; and away
 *
 *        queue before: | a | b |        after: | task | self | a | b |
 *
 * G1 So whatever the resumed task does next, suspend itself, wait or end, its resumer is
 *    the next to run; and resumes within resumes are a chain at the front of the queue. (In a
 *    crowd of new tasks one that has waited for long may come between: Y4 of crowd.h.)
 * G2 A new one is in no queue, and is not counted, until it is resumed.
 * G3 One that has suspended itself has an open wait, shielded, of which nobody has the
 *    ticket but who resumes it.
 * G4 Nothing of it outlives its thread's runtime, and no other thread may resume it. A
 *    runtime of several workers has none: there a queue is not the only source of tasks.
 * G5 One that is ended by another is made to run, and ends itself: where it was suspended, or
 *    on its way out of the call in which it waited, when that has taken back all that it had
 *    left with others. Its own frames are not run again, nor unwound.
 */
#ifndef WEFT_CORE_HANDOFF_H
#define WEFT_CORE_HANDOFF_H

#include <base/thread.h>
#include <core/task.h>

/** Part of a record that its maker keeps until on_end. */
struct handoff {
	struct task_child child;              /* how its end is told */
	struct task *task;                    /* NULL: none, or it has ended */
	void (*on_end)(struct handoff *hand); /* its last deed, on its own stack; may free this */
	bool resuming; /* it has resumed another one, and is queued for that reason */
	bool dropped;  /* it is to end, as G5 has it */
	weft_fn *fn;
	void *arg;
};

/**
 * weft__handoff_new - make a task that begins when it is resumed
 * @hand: task is NULL; on_end is set, or NULL
 * @attr: as for weft_spawn(); FP words are its own in any case (WEFT_KEEP_FP)
 *
 * Return: 0, -EPERM (a runtime of several workers), or as weft_spawn().
 */
int weft__handoff_new(struct handoff *hand, const weft_attr *attr, weft_fn *fn, void *arg,
		      const char *site) WEFT_PRIVATE;

/**
 * weft__handoff_take - take a task out of wherever it is, to be resumed
 *
 * One that waits in a call is taken as well: its wait ends as if its time were over.
 *
 * Return: 0: weft__handoff_resume() must follow; -ESRCH (it has ended; or waits in the parent
 * of this process), -EPERM (another thread's), -EBUSY (it runs; or has resumed the caller; or
 * what it waits for cannot be given up).
 */
int weft__handoff_take(struct handoff *hand) WEFT_PRIVATE;

/** Runs a task that has been taken until it suspends itself, waits or ends. A call of its own,
 * to be a caller's last: when it returns the CPU's stack of return addresses is that of
 * another task, and each frame more is a wrong guess. */
void weft__handoff_resume(struct handoff *hand) WEFT_PRIVATE;

/** The caller's, or NULL when it is none of these. */
static inline struct handoff *weft__handoff_self(void)
{
	const struct task *self = weft__thread.task;

	return likely(self && self->ext) ? self->ext->handoff : NULL;
}

/** Suspends the caller, which is one of these, until it is resumed. Likewise. */
void weft__handoff_yield(void) WEFT_PRIVATE;

/**
 * weft__handoff_end - end it without running its frames any further (G5)
 *
 * Return: 0: it has ended, and on_end has been called; or it had been woken, with something that was
 * handed over to it (a message, a lock), and ends as one with -EBUSY does. -EBUSY: it will, at
 * the next call in which it would wait: it runs, has resumed others, or what it waits for cannot
 * be given up; -EPERM (another thread's).
 */
int weft__handoff_end(struct handoff *hand) WEFT_PRIVATE;

/** Ends the caller when weft__handoff_end() has asked it to. After a wait of a caller that is
 * none of these, too. */
void weft__handoff_check(void) WEFT_PRIVATE;

/**
 * weft__handoff_pass - a turn of an event loop in the main task of a thread
 * @wait_ns: how long it may wait for an event when nothing is ready
 *
 * Runs what is ready; waits before that when there is nothing. Return: 0, -EPERM (not main,
 * or a runtime of several workers).
 */
int weft__handoff_pass(int64_t wait_ns) WEFT_PRIVATE;

#endif
