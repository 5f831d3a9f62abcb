/* SPDX-License-Identifier: MIT
 *
 * word.h - what mutexes, semaphores and their like have in common: a word of state that quick
 * ways change by one compare-and-swap, and queues that only its holder touches.
 *
 *   | 63 .. 2 the object's own state | 1 HELD | 0 SLOW |
 *
 * S1 Every quick way expects both bits clear. While HELD is set its holder alone changes the
 *    word, and all else of the object; never across a switch.
 * S2 SLOW is set while anybody is queued, and where a kind of object says so. So whoever has
 *    to be counted, queued or woken for comes by with HELD.
 * S3 A holder's last touch of the object is the store that clears HELD. Whoever sees the new
 *    state may free the object at once: parties are claimed under HELD (Q3), and woken after
 *    that store, when nothing but their own blocks is needed.
 * S4 All zero is a good object, free of everything. What has to be something else - the
 *    heads of its queues, its kind - is made by the first who waits.
 *
 * An owner stands in a word as a token: his block's address, as in base/handle.h, and the low
 * bits of his id. So one who has ended is told from one who lives in the same block now.
 */
#ifndef WEFT_SYNC_WORD_H
#define WEFT_SYNC_WORD_H

#include <sync/waitq.h>

enum { WORD_SLOW = 1, WORD_HELD = 2, WORD_BITS = 3, WORD_SHIFT = 2, WORD_ONE = 4 };

/** What such an object begins with. */
struct sync {
	struct waitable waitable;
	_Atomic uint64_t word;
};

/** A public object is an array of words, of which the inner struct must not be larger. */
#define SYNC_FITS(inner, public) \
	_Static_assert(sizeof(inner) <= sizeof(public), #inner " fits " #public)

/* --- the word ------------------------------------------------------------------------- */

uint64_t weft__word_enter_slow(struct sync *sync);

/** Sets HELD. Return: the word, without it. */
static inline uint64_t word_enter(struct sync *sync)
{
	uint64_t word = atomic_load_explicit(&sync->word, memory_order_relaxed);

	/* cas64() acquires what the last holder released. */
	if (likely(!(word & WORD_HELD) && cas64(&sync->word, word, word | WORD_HELD)))
		return word;
	return weft__word_enter_slow(sync);
}

/** Clears HELD; the word is @word from now on. release pairs with the cas64() of whoever
 * changes it next, and with every acquiring load of it. */
static inline void word_leave(struct sync *sync, uint64_t word)
{
	atomic_store_explicit(&sync->word, word, memory_order_release);
}

/** For its holder: the word as it was entered with. */
static inline uint64_t word_held(const struct sync *sync)
{
	return atomic_load_explicit(&((struct sync *)sync)->word, memory_order_relaxed) &
	       ~(uint64_t)WORD_HELD;
}

/** For who gives up: as held, but for SLOW, which is to be decided anew. */
static inline uint64_t word_plain(const struct sync *sync)
{
	return word_held(sync) & ~(uint64_t)WORD_SLOW;
}

/** For those who only look: dumps, and the search for circles. acquire pairs with whatever put
 * a token in: its block was made before. */
static inline uint64_t word_seen(const struct waitable *object)
{
	struct sync *sync = container_of(object, struct sync, waitable);

	return atomic_load_explicit(&sync->word, memory_order_acquire) & ~(uint64_t)WORD_HELD;
}

/* --- tokens ---------------------------------------------------------------------------- */

#define TOKEN_TAG ((uint64_t)(TAG_MASK & ~WORD_BITS))

static always_inline uint64_t party_token(const struct task *party)
{
	/* A sum and a product, for which there is one instruction. */
	return ((uint64_t)(uintptr_t)party << 16) +
	       (task_id(party) & TOKEN_TAG >> WORD_SHIFT) * WORD_ONE;
}

/** Whose token it is, though he may have ended; NULL: nobody's. */
static inline struct task *token_party(uint64_t word)
{
	return tagged_pointer(word);
}

/* Blocks are never unmapped, so that any token's may be looked at. But one that serves another
 * by now is cleared by plain stores: whatever is seen then is not the token's. */
static no_tsan inline uint64_t id_seen(const struct task *party)
{
	return *(const volatile uint64_t *)&party->id;
}

static no_tsan inline enum task_state state_seen(const struct task *party)
{
	return (enum task_state) * (const volatile uint8_t *)&party->state;
}

/** Has the party ended? It may be, and be another's block by now. For a holder of the word this
 * is final. */
static inline bool token_is_gone(uint64_t word)
{
	const struct task *party = token_party(word);
	uint64_t id;

	if (!party)
		return false;
	id = id_seen(party);
	return !id || ((id << WORD_SHIFT ^ word) & TOKEN_TAG) || state_seen(party) == TASK_DEAD;
}

/** Is it @self's, by whatever name (G4)? */
static inline bool token_is_mine(uint64_t word, const struct task *self)
{
	return task_answers_for(self, token_party(word)) && !token_is_gone(word);
}

/* --- queues ---------------------------------------------------------------------------- */

/** As waitq_empty(), of one that may never have been used (S4). */
static inline bool waitq_idle(const struct waitq *queue)
{
	return !queue->list.next || waitq_empty(queue);
}

/** What SLOW has to be for its sake (S2). */
static inline uint64_t waitq_slow(const struct waitq *queue)
{
	return waitq_idle(queue) ? 0 : WORD_SLOW;
}

/** As waitq_take(), likewise. */
static inline struct task *waitq_next(struct waitq *queue)
{
	return waitq_idle(queue) ? NULL : waitq_take(queue);
}

/** Those who have been claimed and are to be woken. On its user's stack, who does not switch. */
struct claimed {
	struct list list;
};

static inline void claimed_init(struct claimed *claimed)
{
	list_init(&claimed->list);
}

static inline void claimed_add(struct claimed *claimed, struct task *party)
{
	list_push_back(&claimed->list, &party->waiter.link);
}

/** Claims all of @queue. Return: how many it were. */
unsigned weft__waitq_claim(struct waitq *queue, struct claimed *claimed);

/** The end of their waits, in the order of claims. The object is not needed any more (S3). */
void weft__claimed_wake(struct claimed *claimed, int result);

/* --- waiting ----------------------------------------------------------------------------- */

struct sync_wait {
	struct task *self;
	struct waitq *queue;
	uint64_t word; /* what to leave with; SLOW is added */
	int64_t deadline_ns;
	uint32_t bits; /* 0 or WAIT_SHIELD */
	bool first;    /* goes to the head of the queue */
	/* Called when the party is queued and HELD is clear, before it parks; or NULL. */
	void (*queued)(void *arg);
	void *arg;
	/* Of a wait that ended with an error: it has not begun; nobody had unlinked it. */
	bool refused, unlinked_itself;
};

/**
 * weft__sync_wait - queue a party and wait; HELD, and left
 *
 * Return: what the waker passed, >= 0, and the object may be gone; or a negative errno (-ETIMEDOUT,
 * -ECANCELED, -ENOMEM): nobody has passed anything, the party is not queued any more, and HELD is
 * set again, so that the caller can settle what his going away means to others. After it the
 * caller may be in another thread.
 */
int weft__sync_wait(struct sync *sync, const struct waitable_kind *kind, struct sync_wait *wait);

#endif
