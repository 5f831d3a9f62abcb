/* SPDX-License-Identifier: MIT
 *
 * idle.h - which workers of a runtime sleep, and how many look for work (D8).
 *
 * A worker's place in its runtime is a bit of `sleepers`. `spinning` counts the
 * workers that look for work with nothing of their own to do.
 *
 * I1 Who has published work calls idle_notify(): unless somebody spins already, one
 *    sleeper is woken, and is counted as spinning from then on. So at most one
 *    worker at a time is on its way out of sleep for work that anybody may take.
 * I2 A spinner that finds work and was the last one notifies again: there may be more
 *    where that came from.
 * I3 A spinner that finds nothing stops being counted, announces itself (sets its
 *    bit), looks once more at every place where work may lie, and sleeps. Publishing
 *    and announcing are both read-modify-writes in the single order of all seq_cst
 *    operations: either the second look finds the work, or the publisher sees the
 *    bit, or it sees a spinner, who has its second look still before it.
 * I4 A bit that is gone when its owner withdraws it was taken by a notifier: the
 *    owner is counted as spinning.
 * I5 At most half of the workers that are awake spin.
 *
 * (As the scheduler of Go does it: "Scalable Go Scheduler Design", D. Vyukov, 2012, and
 * the comment on worker thread parking in its runtime/proc.go.)
 */
#ifndef WEFT_CORE_IDLE_H
#define WEFT_CORE_IDLE_H

#include <base/atomic.h>

enum { IDLE_WORDS = 4, IDLE_PLACES = IDLE_WORDS * 64 };

struct idle {
	_Alignas(64) _Atomic uint64_t sleepers[IDLE_WORDS];
	_Atomic uint32_t spinning;
	_Atomic uint32_t awake; /* workers that are not asleep: a hint for I5 */
};

/** True when idle_notify() may have something to do. Cheap: two loads. */
static always_inline bool idle_wants_notice(struct idle *idle)
{
	/* seq_cst: I3 */
	return atomic_load(&idle->spinning) == 0 &&
	       (atomic_load(&idle->sleepers[0]) | atomic_load(&idle->sleepers[1]) |
		atomic_load(&idle->sleepers[2]) | atomic_load(&idle->sleepers[3])) != 0;
}

/* Takes one sleeper's bit. Return: its place, or -1. */
static inline int idle_take_sleeper(struct idle *idle)
{
	for (int i = 0; i < IDLE_WORDS; i++) {
		uint64_t word = atomic_load(&idle->sleepers[i]);

		while (word) {
			int bit = __builtin_ctzll(word);

			word = atomic_fetch_and(&idle->sleepers[i], ~(UINT64_C(1) << bit));
			if (word >> bit & 1)
				return i * 64 + bit;
		}
	}
	return -1;
}

/**
 * idle_notify - work for anybody has been published
 *
 * Return: the place of a worker that the caller must wake, and which spins from
 * now on; or -1.
 */
static inline int idle_notify(struct idle *idle)
{
	/* While we are counted and find no sleeper, one may come, look, and sleep, and
	 * another notifier may rely on us: hence the loop. */
	while (idle_wants_notice(idle)) {
		uint32_t none = 0;
		int place;

		if (!atomic_compare_exchange_strong(&idle->spinning, &none, 1))
			return -1;
		place = idle_take_sleeper(idle);
		if (place >= 0)
			return place;
		atomic_fetch_sub(&idle->spinning, 1);
	}
	return -1;
}

/** The caller has nothing to do. True: it may look for work for a while (I5), and is
 * counted. */
static inline bool idle_begin_spin(struct idle *idle)
{
	if (2 * atomic_load(&idle->spinning) >= atomic_load(&idle->awake))
		return false;
	atomic_fetch_add(&idle->spinning, 1);
	return true;
}

/** The caller was counted and stops looking. True: it must notify (I2). */
static inline bool idle_end_spin(struct idle *idle, bool found)
{
	return atomic_fetch_sub(&idle->spinning, 1) == 1 && found;
}

/** Before a sleep. The caller must look once more at all queues after it (I3). */
static inline void idle_announce(struct idle *idle, unsigned place)
{
	atomic_fetch_sub(&idle->awake, 1);
	atomic_fetch_or(&idle->sleepers[place / 64], UINT64_C(1) << place % 64);
}

/** After it. True: a notifier has woken us, and counted us as spinning (I4). */
static inline bool idle_withdraw(struct idle *idle, unsigned place)
{
	uint64_t bit = UINT64_C(1) << place % 64;

	atomic_fetch_add(&idle->awake, 1);
	return !(atomic_fetch_and(&idle->sleepers[place / 64], ~bit) & bit);
}

/** Does this worker sleep, or is it about to? A snapshot. */
static inline bool idle_sleeps(struct idle *idle, unsigned place)
{
	return atomic_load(&idle->sleepers[place / 64]) >> place % 64 & 1;
}

#endif
