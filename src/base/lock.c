/* SPDX-License-Identifier: MIT
 *
 * lock.c - the two ends of a sleep on a lock: U. Drepper, "Futexes are tricky", mutex 2.
 */
#include <linux/futex.h>

#include <base/lock.h>
#include <base/syscall.h>

/* Whoever comes this way says WANTED even when nobody else does: he cannot know. */
coldpath void weft__lock_take_slow(struct lock *lock)
{
	while (atomic_exchange_explicit(&lock->state, LOCK_WANTED, memory_order_acquire) !=
	       LOCK_FREE)
		weft__syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, LOCK_WANTED, NULL);
}

coldpath void weft__lock_wake(struct lock *lock)
{
	weft__syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1);
}
