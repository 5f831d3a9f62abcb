/* SPDX-License-Identifier: MIT
 *
 * timer.h - a hierarchical timing wheel, one a worker, owner-only.
 *
 * Time is cut into ticks of 2^15 ns (33 us). Level l has 64 slots of 64^l
 * ticks each; a timer sits at the lowest level whose span covers its distance,
 * and moves down when its slot comes up. Arm and cancel are O(1), a timer
 * moves at most once a level. (Varghese and Lauck, "Hashed and Hierarchical
 * Timing Wheels", SOSP 1987; a bitmap a level finds the next slot as in
 * Tokio's wheel.)
 *
 * T1 A timer fires in the first pass whose time is >= its when_ns: its tick is
 *    when_ns rounded up, so never early.
 * T2 A timer is armed exactly while pprev != NULL.
 */
#ifndef WEFT_CORE_TIMER_H
#define WEFT_CORE_TIMER_H

#include <base/compiler.h>

#define TIMER_TICK_SHIFT 15
#define WHEEL_SLOT_BITS  6
#define WHEEL_SLOTS      (1 << WHEEL_SLOT_BITS)
#define WHEEL_LEVELS     8 /* 64^8 ticks: 292 years need 48 bits */

struct timer {
	struct timer *next;
	struct timer **pprev; /* NULL: not armed */
	int64_t when_ns;      /* absolute */
	uint64_t ticket;      /* whom to wake, see task.h */
};

/** A timer that calls a function in place of waking a task: its ticket is 0. The function is
 * called on a worker's loop or under a running task: it may wake, and must not wait, arm or
 * disarm a timer. See call_timer.h. */
struct call_timer {
	struct timer timer;
	void (*fn)(struct call_timer *self);
	struct worker *home;     /* where it was armed, and not cancelled since; or NULL */
	uint64_t runtime, forks; /* which runtime, in which process: call_timer.c */
};

/** Calls it when it is one of those. */
static inline bool timer_called(struct timer *timer)
{
	struct call_timer *call = (struct call_timer *)(void *)timer;

	if (likely(timer->ticket != 0))
		return false;
	call->fn(call);
	return true;
}

struct wheel {
	uint64_t now_tick;               /* every tick up to here has been processed */
	uint64_t armed;                  /* how many timers */
	uint64_t occupied[WHEEL_LEVELS]; /* bit s: slot s is not empty */
	struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void weft__wheel_init(struct wheel *wheel, int64_t now_ns);

/** Arms @timer for timer->when_ns. It must not be armed. */
void weft__timer_arm(struct wheel *wheel, struct timer *timer);

/** Disarms it; does nothing when it is not armed. */
void weft__timer_cancel(struct wheel *wheel, struct timer *timer);

/**
 * weft__wheel_advance - collect what is due
 *
 * Return: the expired timers, oldest tick first, linked by next; each is
 * disarmed already.
 */
struct timer *weft__wheel_advance(struct wheel *wheel, int64_t now_ns);

/** When the next call of weft__wheel_advance() may have work: a lower bound
 * that gets exact as it comes near; INT64_MAX when nothing is armed. */
int64_t weft__wheel_next(const struct wheel *wheel);

#endif
