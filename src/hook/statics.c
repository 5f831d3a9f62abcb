/* SPDX-License-Identifier: MIT
 *
 * statics.c - variables of C++ functions that are made by the first who comes by: whoever comes
 * meanwhile waits, and if it is a task its thread does not.
 *
 * The compiler's part is the Itanium C++ ABI (3.3.3): acquire returns 1 to the one who makes it, who
 * then calls release or abort; the first byte of the guard says that it is made. The rest of the
 * guard is as in libstdc++, so that code which reaches libstdc++'s own functions - linked
 * into a plugin, say - sees the same variable. With another C++ runtime such code does not get along
 * with these.
 *
 *   0 --acquire--> PENDING --release--> DONE
 *   ^                 |  \--somebody sleeps--> PENDING | WAITING
 *   +------abort------+
 */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>

#include <base/syscall.h>
#include <hook/hook.h>
#include <sync/lot.h>
#include <weft/task.h>

const char weft__hook_link_statics;

/* Bytes of the guard, as a little-endian machine sees them in a word. */
enum { DONE = 1, PENDING = 1 << 8, WAITING = 1 << 16 };

/* ThreadSanitizer has its own, which clang links into the program: there ours give way. */
#if WEFT_TSAN
#define OURS __attribute__((weak))
#else
#define OURS
#endif
OURS int __cxa_guard_acquire(uint64_t *guard);
OURS void __cxa_guard_release(uint64_t *guard);
OURS void __cxa_guard_abort(uint64_t *guard);

static _Atomic uint32_t *word_of(uint64_t *guard)
{
	return (_Atomic uint32_t *)(void *)guard;
}

struct attempt {
	_Atomic uint32_t *word;
	uint32_t seen; /* 0: it is the caller's to make */
};

/* acquire, and at failure too: what was made. */
static bool attempt(void *arg)
{
	struct attempt *attempt = arg;

	attempt->seen = 0;
	if (atomic_compare_exchange_strong_explicit(attempt->word, &attempt->seen, PENDING,
						    memory_order_acq_rel, memory_order_acquire))
		return true;
	return attempt->seen & DONE;
}

/* Shielded: there is no way to say that it has not been made. */
static void wait_parked(struct task *self, struct attempt *att)
{
	struct lot_wait wait = { .address = (void *)att->word,
				 .kind = LOT_STATIC,
				 .deadline_ns = WEFT_FOREVER,
				 .clock = CLOCK_MONOTONIC,
				 .bits = WAIT_SHIELD,
				 .try = attempt,
				 .arg = att };

	while (weft__lot_wait(self, &wait) != LOT_DONE)
		wait.vain++;
}

/* A plain thread. Not FUTEX_WAIT_PRIVATE: libstdc++ does not know of it. */
static void wait_asleep(struct attempt *att)
{
	while (!attempt(att)) {
		uint32_t seen = att->seen;

		if (!(seen & WAITING) && !atomic_compare_exchange_strong_explicit(
						 att->word, &seen, seen | WAITING,
						 memory_order_relaxed, memory_order_relaxed))
			continue;
		weft__syscall(SYS_futex, att->word, FUTEX_WAIT, PENDING | WAITING, NULL);
	}
}

HOOK int __cxa_guard_acquire(uint64_t *guard)
{
	struct attempt att = { .word = word_of(guard) };
	struct task *self;

	if (likely(attempt(&att)))
		return att.seen == 0;
	self = hooked(HOOK_SYNC);
	if (self)
		wait_parked(self, &att);
	else
		wait_asleep(&att);
	return att.seen == 0;
}

/* seq_cst: P2 of lot.h. A static variable is never freed, but for that of a plugin. */
static void settle(uint64_t *guard, uint32_t word, unsigned most)
{
	if (atomic_exchange(word_of(guard), word) & WAITING)
		weft__syscall(SYS_futex, word_of(guard), FUTEX_WAKE, INT_MAX);
	full_fence();
	lot_tell(guard, most);
}

HOOK void __cxa_guard_release(uint64_t *guard)
{
	settle(guard, DONE, UINT_MAX);
}

HOOK void __cxa_guard_abort(uint64_t *guard)
{
	settle(guard, 0, 1);
}
