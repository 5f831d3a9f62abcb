/* SPDX-License-Identifier: MIT
 *
 * lot.h - tasks that wait for an address: for objects of others, which have no room for a queue
 * and may be gone as soon as they are free. libc's mutex in the hands of libweft-hook is one.
 *
 * A fixed number of buckets; the address says which. An object knows nothing of it: whoever makes
 * it free, in whatever manner, looks into its bucket afterwards.
 *
 * P1 The bucket's lock covers its queue, the links in it, and the heir. As Q2 and Q3 of waitq.h.
 * P2 A waiter counts himself in waiting, then tries once more, then is queued; all of it under the
 *    lock. A waker makes the object free, then looks at waiting, and comes in under the lock unless
 *    it is 0. Between the two steps of each is a full fence: so the waiter finds the object
 *    free, or the waker finds the waiter.
 * P3 Who has been woken in vain too often becomes the heir of his address: nobody else tries
 *    under the lock until he has got it or gives up, and a waker wakes him and nobody else.
 *    Whoever is kept waiting by that is woken when the heir unlocks; if he gives up, by him.
 * P4 An address is compared, and never looked behind.
 * P5 libc's waits for a condition give a mutex back without a word. Whoever is in one, or about to
 *    be, counts in natives of the mutex's bucket, and then tells those who wait for the mutex. Who
 *    finds natives above 0 after a try in vain looks again now and then. Full fences as in P2.
 *    So does who waits for something that nobody is sure to tell of (unseen): nobody is to wait
 *    for him, and he is no heir.
 * P6 Of a lock that some have together, readers and writers wait in one queue. Whom a waker
 *    takes depends on the object, which may be gone: so he asks only while somebody is queued
 *    who has come for this very object, under the lock that keeps him from leaving.
 *
 * A task alone waits here; plain threads wait as libc has it.
 */
#ifndef WEFT_SYNC_LOT_H
#define WEFT_SYNC_LOT_H

#include <time.h>

#include <sync/waitq.h>

/** What kind of object it is: for dumps. */
enum lot_kind {
	LOT_MUTEX,
	LOT_COND,
	LOT_STATIC,
	LOT_READ,  /* a read-write lock, to read */
	LOT_WRITE, /* ... to write */
	LOT_SEMAPHORE,
	LOT_BARRIER,
	LOT_ONCE,
	LOT_THREAD /* a thread's end; the address is a pthread_t */
};

#ifndef LOT_BITS /* a model has less */
#define LOT_BITS 8
#endif

/** A cache line of its own. */
struct lot_bucket {
	/* How many are queued, or about to be. Changed under the lock. */
	_Atomic uint32_t waiting;
	/* How many wait, in libc, for a condition, with a mutex of this bucket: libc gives that
	 * back without a word. */
	_Atomic uint32_t natives;
	struct spinlock lock;
	struct waitq queue;
	const void *coveted; /* P3: for whom there is an heir; or NULL */
	struct task *heir;
	bool heir_queued; /* his link may also be in the list of those whom a waker has taken */
} __attribute__((aligned(64)));

extern struct lot_bucket weft__lot[1u << LOT_BITS] WEFT_PRIVATE;

/** How many heirs there are: a quick way that would pass one by looks at this first. */
extern _Atomic uint32_t weft__lot_heirs WEFT_PRIVATE;

static always_inline struct lot_bucket *lot_bucket(const void *address)
{
	uint64_t mixed = (uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15);

	return &weft__lot[mixed >> (64 - LOT_BITS)];
}

struct lot_wait {
	const void *address;
	enum lot_kind kind;
	int64_t deadline_ns; /* on @clock; WEFT_FOREVER: none */
	clockid_t clock;     /* CLOCK_MONOTONIC, or one that may jump */
	uint32_t bits;       /* 0 or WAIT_SHIELD */
	bool unseen;         /* P5: nobody may tell; with a try() */
	bool unheeding;      /* P3: try() judges by itself whether an heir is to be let go first */
	unsigned vain; /* how often he has been woken in vain: goes to the head of the queue */
	/* Under the lock: true, there is nothing to wait for any more. NULL: always wait. */
	bool (*try)(void *arg);
	/* Queued, no lock held. Or NULL. */
	void (*queued)(void *arg);
	void *arg;
};

enum { LOT_WOKEN = 0, LOT_DONE = 1 };

/**
 * weft__lot_wait - wait until somebody tells of an address
 * @wait: in the caller's frame; nobody else looks at it
 *
 * Return: LOT_DONE: try() has said so. LOT_WOKEN: somebody has told; the caller looks again, and if
 * that is in vain, waits again with one more in vain; after a LOT_WOKEN with try() he must.
 * Or -ETIMEDOUT, -ECANCELED, -ENOMEM (weft__park()). After it the caller may be in another thread.
 */
int weft__lot_wait(struct task *self, const struct lot_wait *wait) WEFT_PRIVATE;

/** lot_tell(), when somebody waits in that bucket. */
unsigned weft__lot_wake(const void *address, unsigned most) WEFT_PRIVATE;

/** Whom a waker takes of those who wait for a lock that some have together. */
enum lot_whom {
	LOT_NOBODY,
	LOT_OLDEST,       /* or the heir; if he reads: all who read */
	LOT_WRITER_FIRST, /* the oldest who writes; without one: all who read */
	LOT_READERS
};

/** As weft__lot_wake(), for such a lock. @whom is called if somebody waits for it, under the lock:
 * the object is there (P6). */
unsigned weft__lot_wake_by(const void *address,
			   enum lot_whom (*whom)(const void *address)) WEFT_PRIVATE;

/** In a try(): is there an heir of the address, other than @self? */
bool weft__lot_has_heir(const void *address, const struct task *self) WEFT_PRIVATE;

/** In a try(): is anybody of this kind queued for the address? */
bool weft__lot_has_queued(const void *address, enum lot_kind kind) WEFT_PRIVATE;

/** Does anybody wait for it just now? */
bool weft__lot_awaited(const void *address) WEFT_PRIVATE;

/** In the child of fork(2): nobody does. */
void weft__lot_forked(void) WEFT_PRIVATE;

/** The object at @address has come free, and a full fence followed (P2): wakes up to @most of those
 * who wait for it, the oldest first. Any thread. Return: how many. */
static always_inline unsigned lot_tell(const void *address, unsigned most)
{
	/* relaxed: the fences order it */
	if (likely(!atomic_load_explicit(&lot_bucket(address)->waiting, memory_order_relaxed)))
		return 0;
	return weft__lot_wake(address, most);
}

/* --- for onlookers ---------------------------------------------------------------------- */

/* In a WAIT_ADDRESS waiter.value is the address; waiter.object says what it is, and whether the
 * wait has a deadline. */
enum { LOT_TIMED = 1, LOT_KIND_SHIFT = 1 };

static inline void *lot_object_of(enum lot_kind kind, bool timed)
{
	return (void *)((uintptr_t)kind << LOT_KIND_SHIFT | (timed ? LOT_TIMED : 0));
}

static inline enum lot_kind lot_kind_of(const struct task *self)
{
	return (enum lot_kind)((uintptr_t)self->waiter.object >> LOT_KIND_SHIFT);
}

#endif
