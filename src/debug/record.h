/* SPDX-License-Identifier: MIT
 *
 * record.h - one task, or one group of them, as text.
 */
#ifndef WEFT_DEBUG_RECORD_H
#define WEFT_DEBUG_RECORD_H

#include <debug/group.h>

/** What every record is written with. */
struct recorder {
	struct out out;
	int64_t now_ns;
	struct unwinder unwinder;
};

/** The backtrace of a task that does not run; of one that has not begun, its body. */
void weft__record_backtrace(struct recorder *recorder, const struct task_view *view,
			    struct backtrace *ret);

void weft__record_task(struct recorder *recorder, const struct task *task);
void weft__record_group(struct recorder *recorder, const struct group *group);

#endif
