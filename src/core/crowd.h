/* SPDX-License-Identifier: MIT
 *
 * crowd.h - many new tasks on a worker that is alone: the newest first.
 *
 * One worker runs its tasks in turn, new ones too. A tree of tasks would be walked level by
 * level then, and all of its leaves be alive at once, with a page of memory each at the least.
 * So when CROWD_FEW new tasks have not begun yet, further ones wait aside:
 *
 *   weft_spawn() --> queue, while there are few
 *                --> aside, when the queue is empty: the newest first
 *                      |
 *                      +--> later, when aside is empty, too; and now and then (Y4)
 *
 * Y1 crowded says that there is a task in aside or later.
 * Y2 While it is crowded the budget is CROWD_SLICE at most, and 1 when one has just been put
 *    aside: so picks come by in the tick, which costs those who have few tasks nothing.
 * Y3 Who yields lets all of the crowd run before it, as it lets all others; unless it has spawned
 *    none of them since its last turn: then after CROWD_SLICE turns at the latest.
 * Y4 None starves: every 200 us one of later comes before the queue, and when later is empty,
 *    all that is aside goes there. So whoever has been aside for so long has a place from where
 *    it only comes closer. Not more often: each time it is one more subtree begun.
 *
 * In a runtime of several workers share.c does all that, and more.
 */
#ifndef WEFT_CORE_CROWD_H
#define WEFT_CORE_CROWD_H

#include <core/worker.h>

enum { CROWD_FEW = 128, CROWD_SLICE = 8 };

/** May the task that was just made go to the queue? */
static always_inline bool crowd_is_small(const struct worker *worker)
{
	return atomic_load_explicit(&((struct worker *)worker)->spawned, memory_order_relaxed) -
		       worker->begun <=
	       CROWD_FEW;
}

/** Puts a new task aside. */
void weft__crowd_add(struct worker *worker, struct task *task);

/** Before a pick, while it is crowded: Y3 and Y4. */
void weft__crowd_turn(struct worker *worker);

/** weft__worker_look_paced() while it is crowded: not at each tick, but when it is time. */
static inline void crowd_look_paced(struct worker *worker)
{
	if (worker->budget_kept > CROWD_SLICE) {
		worker->budget_kept -= CROWD_SLICE;
		worker->budget = CROWD_SLICE;
		return;
	}
	weft__worker_look_paced(worker);
	worker_set_budget(worker, worker->budget);
}

#endif
