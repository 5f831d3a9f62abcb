/* SPDX-License-Identifier: MIT
 *
 * describe.h - what a task does, in words.
 */
#ifndef WEFT_DEBUG_DESCRIBE_H
#define WEFT_DEBUG_DESCRIBE_H

#include <core/task_each.h>
#include <debug/out.h>

/** The states that a dump tells apart. */
enum doing {
	DOING_RUN,
	DOING_READY,
	DOING_NEW,
	DOING_SLEEP,
	DOING_JOIN,
	DOING_FD,
	DOING_FDS,
	DOING_OFFLOAD,
	DOING_OBJECT,
	DOING_ADDRESS,
	DOING_OTHER,
	DOING_DEAD,
	DOING_KINDS
};

enum doing weft__doing(const struct task_view *view);

/** "running", "ready", "sleeping", ... */
const char *weft__doing_text(enum doing doing);

enum { WHAT_BYTES = 160, NAME_BYTES = 40, SITE_BYTES = 128 };

/** What it waits for: "fd 12 read", "join of 9". Else weft__doing_text(). */
void weft__describe_wait(const struct task *task, const struct task_view *view, int64_t now_ns,
			 char buf[WHAT_BYTES]);

/** For how long it has been waiting, or -1. */
int64_t weft__waiting_ns(const struct task_view *view, int64_t now_ns);

/** Its name in quotes with a space before it, or "". */
void weft__describe_name(const struct task_view *view, char buf[NAME_BYTES]);

/** Where it was spawned. */
void weft__describe_site(const struct task_view *view, char buf[SITE_BYTES]);

/** "task 4 "a"", from a possibly stale address; "a task" when that holds none. */
void weft__describe_task(const struct task *task, char buf[WHAT_BYTES]);

/** The task that must act before @view's goes on, if that is known; NULL. */
struct task *weft__waited_for(const struct task_view *view);

#endif
