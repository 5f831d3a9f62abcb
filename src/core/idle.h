/* SPDX-License-Identifier: MIT
 *
 * idle.h - which workers of a runtime sleep, who looks for work, and whom to wake.
 *
 * Stealable work is work that any worker may take: in a ring, in the injector. The
 * inbox of a worker is its own.
 *
 *	publisher                            worker that has nothing to run
 *	---------                            ------------------------------
 *	ring_push(), weft__injector_push()   spin = idle_begin_spin()
 *	if ((i = idle_notify()) >= 0)        search rings and injector for a while
 *	        write to eventfd of i        if (spin && idle_end_spin(found))
 *	                                             as a publisher: idle_notify() ...
 *	waker of a task of worker i          if (found) run it
 *	---------------------------          idle_announce(i)
 *	inbox_push()                         look again: inbox, all rings, injector
 *	if (idle_wake_one(i))                nothing there: sleep in the poller
 *	        write to eventfd of i        spin = idle_withdraw(i), and from the top,
 *	                                     without idle_begin_spin() if spin
 *
 * N1 A worker sleeps only after announce and a look at every queue, in this order. Who
 *    fills a queue looks for sleepers after that. All four are seq_cst: one of the
 *    two sees the other. (Hence ring_push(), ring_count(), injector_count(),
 *    inbox_push() and inbox_is_empty() are seq_cst, and there is no fence.)
 * N2 While spinning > 0 a publisher wakes nobody: some spinner has yet to look, or
 *    will do one of two things after it has left spinning. It found nothing: announce,
 *    and look again. It found something and was the last: notify, as if it had
 *    published. A publisher that counted a spinner and finds no sleeper to be it takes the
 *    count back, and looks once more, because others may have relied on it.
 *    The duty does not end with a task of one's own: a worker that is counted, or whose
 *    last look found work for anybody, passes it on (idle_end_spin(true) or a notify) before
 *    it runs anything but that work. And what is moved from one queue to another is
 *    published anew, unless the mover is counted all the while: on its way nobody sees it.
 * N3 spinning is at most spinners_max, which is half of the workers.
 * N4 Who takes the ASLEEP bit of a worker wakes it; a bit is taken once. A worker that
 *    was taken by idle_notify() has been counted in spinning by then, and its SPINS bit
 *    says so: bit and reason change in one step, so that a worker which wakes up by
 *    itself at that moment knows as well what it is.
 * N5 eventfd is written after the bit was taken. The worker may be up by then for
 *    another reason, and may find the write at its next sleep: it then wakes up for
 *    nothing, and goes through all of this again.
 */
#ifndef WEFT_CORE_IDLE_H
#define WEFT_CORE_IDLE_H

#include <base/atomic.h>

enum { IDLE_WORKERS = 256, IDLE_PER_WORD = 32, IDLE_WORDS = IDLE_WORKERS / IDLE_PER_WORD };

/** Zeroed, but for the last two: nobody sleeps. */
struct idle {
	/* | 63 .. 32 SPINS | 31 .. 0 ASLEEP |, one bit a worker: one cache line in all. */
	_Alignas(64) _Atomic uint64_t sleepers[IDLE_WORDS];
	_Alignas(64) _Atomic uint32_t spinning;
	uint32_t workers;      /* indices of this runtime: 0 .. workers - 1, IDLE_WORKERS at most */
	uint32_t spinners_max; /* N3 */
};

static always_inline uint64_t idle_asleep(unsigned index)
{
	return UINT64_C(1) << index % IDLE_PER_WORD;
}

static always_inline uint64_t idle_spins(unsigned index)
{
	return idle_asleep(index) << 32;
}

static always_inline unsigned idle_words(const struct idle *idle)
{
	return (idle->workers + IDLE_PER_WORD - 1) / IDLE_PER_WORD;
}

static always_inline bool idle_any_asleep(struct idle *idle)
{
	for (unsigned i = 0; i < idle_words(idle); i++)
		if ((uint32_t)atomic_load(&idle->sleepers[i]))
			return true;
	return false;
}

/* Makes a spinner of one that sleeps (N4). Its index, or -1. */
static inline int idle_take_sleeper(struct idle *idle)
{
	for (unsigned i = 0; i < idle_words(idle); i++) {
		uint64_t word = atomic_load(&idle->sleepers[i]);

		while ((uint32_t)word) {
			unsigned bit = (unsigned)__builtin_ctzll(word);
			uint64_t taken = (word ^ idle_asleep(bit)) | idle_spins(bit);

			if (cas64_seq_cst(&idle->sleepers[i], word, taken))
				return (int)(i * IDLE_PER_WORD + bit);
			word = atomic_load(&idle->sleepers[i]);
		}
	}
	return -1;
}

/* A publisher's part, when somebody sleeps and nobody spins. */
static inline int idle_notify_slow(struct idle *idle)
{
	do {
		uint32_t none = 0;
		int index;

		if (!atomic_compare_exchange_strong(&idle->spinning, &none, 1))
			return -1; /* theirs is the duty now (N2) */
		index = idle_take_sleeper(idle);
		if (index >= 0)
			return index;
		atomic_fetch_sub(&idle->spinning, 1);
		/* Others may have seen our 1 and relied on us. */
	} while (idle_any_asleep(idle) && !atomic_load(&idle->spinning));
	return -1;
}

/**
 * idle_notify - stealable work has been published: does somebody have to be woken?
 *
 * Any thread. Return: the index of a worker, which the caller wakes by its eventfd
 * and which comes up as a spinner; or -1.
 */
static always_inline int idle_notify(struct idle *idle)
{
	if (likely(!idle_any_asleep(idle)) || atomic_load(&idle->spinning))
		return -1;
	return idle_notify_slow(idle);
}

/** A worker that is out of work: may it spin? Who may must call idle_end_spin(). */
static inline bool idle_begin_spin(struct idle *idle)
{
	uint32_t spinning = atomic_load(&idle->spinning);

	while (spinning < idle->spinners_max)
		if (atomic_compare_exchange_weak(&idle->spinning, &spinning, spinning + 1))
			return true;
	return false;
}

/** A spinner stops. Return: whether it must idle_notify(); it does so before it runs
 * what it found. */
static inline bool idle_end_spin(struct idle *idle, bool found_work)
{
	return atomic_fetch_sub(&idle->spinning, 1) == 1 && found_work;
}

/** Worker @index is about to sleep. It looks at every queue after this. */
static inline void idle_announce(struct idle *idle, unsigned index)
{
	atomic_fetch_or(&idle->sleepers[index / IDLE_PER_WORD], idle_asleep(index));
}

/** Worker @index does not sleep, or not any more. Return: whether it is counted as a
 * spinner, and must idle_end_spin(). */
static inline bool idle_withdraw(struct idle *idle, unsigned index)
{
	uint64_t bits = idle_asleep(index) | idle_spins(index);
	uint64_t word = atomic_fetch_and(&idle->sleepers[index / IDLE_PER_WORD], ~bits);

	return word & idle_spins(index);
}

/** Does worker @index sleep, or is it about to? A snapshot. */
static inline bool idle_sleeps(struct idle *idle, unsigned index)
{
	return atomic_load(&idle->sleepers[index / IDLE_PER_WORD]) & idle_asleep(index);
}

/** The inbox of worker @index has been filled. Return: whether the caller must wake it
 * by its eventfd. Any thread. */
static inline bool idle_wake_one(struct idle *idle, unsigned index)
{
	_Atomic uint64_t *word = &idle->sleepers[index / IDLE_PER_WORD];
	uint64_t asleep = idle_asleep(index);

	if (!(atomic_load(word) & asleep))
		return false;
	return atomic_fetch_and(word, ~asleep) & asleep;
}

#endif
