/* SPDX-License-Identifier: MIT
 *
 * watchdog.h - a thread that looks for workers stuck in one task.
 */
#ifndef WEFT_DEBUG_WATCHDOG_H
#define WEFT_DEBUG_WATCHDOG_H

#include <stdatomic.h>

#include <debug/unwind.h>

/** Reads WEFT_WATCHDOG_MS; the thread is made when the first runtime begins. */
void weft__watchdog_init(void);

/** How many times it has told of a worker. */
extern _Atomic unsigned weft__watchdog_told;

/* --- stuck.c: where is another thread just now? ------------------------------------- */

struct snapshot {
	struct unwinder unwinder;
	struct stack_memory memory;
	struct task *task; /* runs on that thread; NULL: none */
	uint64_t id;       /* its */
	enum unwind_end end;
	unsigned depth;
	uintptr_t pcs[UNWIND_DEPTH];
};

/** Memory for snapshots, or NULL. One user at a time. */
struct snapshot *weft__snapshot_new(void);

/**
 * weft__snapshot_take - has a thread say where it is, by a signal (SIGURG)
 * @worker: its worker; it must be that still
 * @tid:    its number
 *
 * Return: true, or false: it did not answer in time.
 */
bool weft__snapshot_take(struct snapshot *snapshot, const struct worker *worker, int tid);

#endif
