/* SPDX-License-Identifier: MIT
 *
 * waitable.h - how an object that tasks wait for names itself, to those who look
 * on: dumps, and the search for deadlocks.
 *
 * A task that waits for one parks with WAIT_OBJECT, and its waiter.object points to
 * the object's struct waitable (as waited_object_of() in task.h packs it):
 *
 *	struct lock {
 *		struct waitable waitable; // { &lock_kind }
 *		...
 *	};
 *	self->waiter.object = waited_object_of(&lock->waitable, deadline_ns != WEFT_FOREVER);
 *	rc = weft__park(self, WAIT_OBJECT, deadline_ns);
 *
 * The functions are called by threads that hold nothing, in signal handlers too, and
 * may be late: the task was seen waiting a moment ago. So they only read, take no
 * lock, follow no pointer that may be stale, and must be right about nothing.
 */
#ifndef WEFT_CORE_WAITABLE_H
#define WEFT_CORE_WAITABLE_H

#include <base/compiler.h>

struct task;
struct waitable;

struct waitable_kind {
	/** What it is, in one word: "mutex", "channel". */
	const char *noun;

	/** Writes what distinguishes this one, e.g. "4 of 4 full"; returns the length (what
	 * weft__format() returns), or 0. NULL: there is nothing to say. */
	size_t (*describe)(const struct waitable *object, char *buf, size_t size);

	/** The task that must act before a waiter goes on; NULL: none in particular. The
	 * function may be NULL, too. */
	struct task *(*holder)(const struct waitable *object);

	/** Others than the holder may end the wait, too: it is shown, and a circle through it is
	 * part of a report when nothing moves any more, but is no proof by itself. */
	bool only_expected;
};

struct waitable {
	const struct waitable_kind *kind;
};

#endif
