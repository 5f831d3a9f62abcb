/* SPDX-License-Identifier: MIT
 *
 * atomic.h - C11 atomics, and the discount for processes of one thread.
 *
 * A locked instruction costs 4 to 6 ns even on a private cache line. glibc
 * says (sys/single_threaded.h, 2.32) whether any second thread has ever been
 * made; until then no other thread can look, and a plain read-modify-write is
 * just as atomic.
 *
 * The flag cannot fall between our look at it and the store that follows.
 * pthread_create(3) lowers it, on the thread that calls it, before the new thread
 * exists. While it is up there is one thread: the one that is between look
 * and store, and it calls nothing there and does not switch. Only a signal
 * handler could come in between: it never touches these words, and must not
 * make threads (pthread_create is not async-signal-safe). Compilers must look
 * again after any call and any switch, which clobbers memory. What was stored
 * plainly happens before the start of the second thread, so that thread sees it.
 * The child of a fork(2) begins with one thread, and glibc raises the flag there.
 * A thread made by a bare clone(2) is unknown to glibc: it must not call weft,
 * as it must not call malloc(3).
 *
 * What is exchanged, compared or added to has 32 or 64 bits. Smaller ones (_Atomic bool) are
 * loaded and stored only: on riscv64 the rest is a call of libatomic, which we do not need.
 */
#ifndef WEFT_BASE_ATOMIC_H
#define WEFT_BASE_ATOMIC_H

#include <stdatomic.h>

#include <base/compiler.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define weft__single_threaded() likely(__libc_single_threaded)
#endif
#endif
#ifndef weft__single_threaded
#define weft__single_threaded() false
#endif

/** Compare-and-swap of a 32-bit word, acq_rel; true when it was @expected. */
static always_inline bool cas32(_Atomic uint32_t *word, uint32_t expected, uint32_t desired)
{
	if (weft__single_threaded()) {
		if (unlikely(atomic_load_explicit(word, memory_order_relaxed) != expected))
			return false;
		atomic_store_explicit(word, desired, memory_order_relaxed);
		return true;
	}
	return atomic_compare_exchange_strong_explicit(word, &expected, desired,
						       memory_order_acq_rel, memory_order_relaxed);
}

/** The same of a 64-bit word, by who has just seen that his is the only thread. */
static always_inline bool cas64_alone(_Atomic uint64_t *word, uint64_t expected, uint64_t desired)
{
	if (atomic_load_explicit(word, memory_order_relaxed) != expected)
		return false;
	atomic_store_explicit(word, desired, memory_order_relaxed);
	return true;
}

/** Compare-and-swap of a 64-bit word, acq_rel; true when it was @expected. When it
 * was not, acquire: the caller may look at what came with the other value. */
static always_inline bool cas64(_Atomic uint64_t *word, uint64_t expected, uint64_t desired)
{
	if (weft__single_threaded())
		return cas64_alone(word, expected, desired);
	return atomic_compare_exchange_strong_explicit(word, &expected, desired,
						       memory_order_acq_rel, memory_order_acquire);
}

/** cas64(), seq_cst when it succeeds: what is published by it comes before any seq_cst
 * load that follows, without a fence. */
static always_inline bool cas64_seq_cst(_Atomic uint64_t *word, uint64_t expected, uint64_t desired)
{
	if (weft__single_threaded())
		return cas64_alone(word, expected, desired);
	return atomic_compare_exchange_strong_explicit(word, &expected, desired,
						       memory_order_seq_cst, memory_order_acquire);
}

/** Exchange of a 64-bit word, acq_rel. */
static always_inline uint64_t exchange64(_Atomic uint64_t *word, uint64_t desired)
{
	if (weft__single_threaded()) {
		uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

		atomic_store_explicit(word, desired, memory_order_relaxed);
		return old;
	}
	return atomic_exchange_explicit(word, desired, memory_order_acq_rel);
}

/** A new reference: nothing is ordered by it. */
static always_inline void ref_get(_Atomic uint32_t *refs)
{
	if (weft__single_threaded())
		atomic_store_explicit(refs, atomic_load_explicit(refs, memory_order_relaxed) + 1,
				      memory_order_relaxed);
	else
		atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/** Drops one; true when it was the last. acq_rel: all uses come before the free. */
static always_inline bool ref_put(_Atomic uint32_t *refs)
{
	if (weft__single_threaded()) {
		uint32_t left = atomic_load_explicit(refs, memory_order_relaxed) - 1;

		atomic_store_explicit(refs, left, memory_order_relaxed);
		return left == 0;
	}
	/* Ours is the only one that is left, and only who has one can make another: no need for
	 * a locked instruction. acquire pairs with the release by which the last but one went. */
	if (atomic_load_explicit(refs, memory_order_acquire) == 1)
		return true;
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/** Stores before it, then loads after it. */
static always_inline void full_fence(void)
{
#if WEFT_TSAN
	/* TSan knows no fences: it sees an exchange that all of them take part in. */
	static _Atomic int order;

	atomic_fetch_add(&order, 1);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

static always_inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#elif defined(__riscv)
	__asm__ volatile(".4byte 0x0100000f"); /* pause (Zihintpause); elsewhere it does nothing */
#endif
}

/** A lock for a handful of instructions; never held across a switch. */
struct spinlock {
	_Atomic uint32_t held;
};

/** Waits for a lock that is held: looks for a while, then gives up the CPU in between. */
void weft__spin_lock_slow(struct spinlock *lock);

/** False: somebody holds it. */
static always_inline bool spin_try_lock(struct spinlock *lock)
{
	/* acquire pairs with the release in spin_unlock() */
	return cas32(&lock->held, 0, 1);
}

static inline void spin_lock(struct spinlock *lock)
{
	if (unlikely(!spin_try_lock(lock)))
		weft__spin_lock_slow(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
	atomic_store_explicit(&lock->held, 0, memory_order_release);
}

#endif
