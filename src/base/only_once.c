/* SPDX-License-Identifier: MIT
 *
 * only_once.c - see only_once.h. Who is at it stands there by his process: in the child of a fork(2)
 * that came in the middle nobody is at it any more, and it is done anew.
 */
#include <limits.h>
#include <linux/futex.h>
#include <unistd.h>

#include <base/only_once.h>
#include <base/syscall.h>

coldpath void weft__only_once_slow(struct only_once *once, void (*fn)(void))
{
	uint32_t mine = (uint32_t)getpid() << 1; /* not ONCE_DONE, and not 0 */
	uint32_t seen = 0;

	/* acquire, at failure too: pairs with the release below */
	while (!atomic_compare_exchange_strong_explicit(
		&once->state, &seen, mine, memory_order_acquire, memory_order_acquire)) {
		if (seen == ONCE_DONE)
			return;
		if (seen != mine)
			continue;
		weft__syscall(SYS_futex, &once->state, FUTEX_WAIT_PRIVATE, mine, NULL);
		seen = 0;
	}
	fn();
	atomic_store_explicit(&once->state, ONCE_DONE, memory_order_release);
	weft__syscall(SYS_futex, &once->state, FUTEX_WAKE_PRIVATE, INT_MAX);
}
