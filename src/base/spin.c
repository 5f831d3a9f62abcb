/* SPDX-License-Identifier: MIT
 *
 * spin.c - waiting for a spinlock whose holder takes its time.
 */
#include <base/atomic.h>
#include <base/syscall.h>

/* So many looks are a few microseconds: longer than any holder needs that runs. */
enum { SPIN_LOOKS = 100 };

/* The holder has been preempted, perhaps by us: burning this CPU keeps it from going on.
 * It is waited for by loads, so that its line stays where it is until it is free. */
void weft__spin_lock_slow(struct spinlock *lock)
{
	for (;;) {
		for (unsigned look = 0; look < SPIN_LOOKS; look++) {
			cpu_relax();
			/* relaxed: acquire is in the swap, as in spin_lock() */
			if (!atomic_load_explicit(&lock->held, memory_order_relaxed) &&
			    cas32(&lock->held, 0, 1))
				return;
		}
		weft__syscall(SYS_sched_yield, 0);
	}
}
