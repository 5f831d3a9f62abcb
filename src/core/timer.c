/* SPDX-License-Identifier: MIT
 *
 * timer.c - the timing wheel: see timer.h for the idea.
 *
 * A timer's level is where its tick first differs from now_tick, counted in
 * groups of six bits from the top; its slot is that group of the tick. So
 * at each level only slots after the present one are in use, everything at a
 * lower level is due before anything at a higher one, and moving now_tick on
 * without passing the start of an occupied slot changes no timer's place.
 *
 * Within a slot the newest timer is first; a slot is reversed when it is
 * taken, so timers of the same tick fire in the order they were armed.
 */
#include <core/timer.h>

#define LAST_TICK ((UINT64_C(1) << (WHEEL_SLOT_BITS * WHEEL_LEVELS)) - 1)

static inline uint64_t tick_floor(int64_t ns)
{
	return (uint64_t)ns >> TIMER_TICK_SHIFT;
}

static inline uint64_t tick_ceil(int64_t ns)
{
	uint64_t tick = ((uint64_t)ns + (1 << TIMER_TICK_SHIFT) - 1) >> TIMER_TICK_SHIFT;

	return tick < LAST_TICK ? tick : LAST_TICK;
}

void weft__wheel_init(struct wheel *wheel, int64_t now_ns)
{
	*wheel = (struct wheel){ .now_tick = tick_floor(now_ns) };
}

/* @tick lies after now_tick. */
static inline void insert(struct wheel *wheel, struct timer *timer, uint64_t tick)
{
	unsigned level = (63 - (unsigned)__builtin_clzll(tick ^ wheel->now_tick)) / WHEEL_SLOT_BITS;
	unsigned slot = tick >> (level * WHEEL_SLOT_BITS) & (WHEEL_SLOTS - 1);
	struct timer **head = &wheel->slots[level][slot];

	timer->next = *head;
	timer->pprev = head;
	if (timer->next)
		timer->next->pprev = &timer->next;
	*head = timer;
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

void weft__timer_arm(struct wheel *wheel, struct timer *timer)
{
	uint64_t tick = tick_ceil(timer->when_ns > 0 ? timer->when_ns : 0);

	/* What is due already fires in the next tick: this one has been. */
	if (tick <= wheel->now_tick)
		tick = wheel->now_tick + 1;
	insert(wheel, timer, tick);
	wheel->armed++;
}

void weft__timer_cancel(struct wheel *wheel, struct timer *timer)
{
	struct timer **pprev = timer->pprev;

	if (!pprev)
		return;
	*pprev = timer->next;
	if (timer->next)
		timer->next->pprev = pprev;
	timer->pprev = NULL;
	wheel->armed--;

	/* The last one of a slot: pprev is the slot itself. */
	if (!*pprev && pprev >= &wheel->slots[0][0] &&
	    pprev <= &wheel->slots[WHEEL_LEVELS - 1][WHEEL_SLOTS - 1]) {
		size_t index = (size_t)(pprev - &wheel->slots[0][0]);

		wheel->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << index % WHEEL_SLOTS);
	}
}

/* Lowest level in use, or WHEEL_LEVELS: the next slot to come up is on it. */
static inline unsigned next_level(const struct wheel *wheel)
{
	unsigned level = 0;

	while (level < WHEEL_LEVELS && !wheel->occupied[level])
		level++;
	return level;
}

/* The first tick of the next occupied slot of a level. */
static inline uint64_t next_start(const struct wheel *wheel, unsigned level)
{
	unsigned shift = level * WHEEL_SLOT_BITS;
	uint64_t span = UINT64_C(1) << (shift + WHEEL_SLOT_BITS);
	uint64_t slot = (uint64_t)__builtin_ctzll(wheel->occupied[level]);

	return (wheel->now_tick & ~(span - 1)) | slot << shift;
}

/* Empties the next slot of a level; returns its timers, oldest first. */
static struct timer *take_slot(struct wheel *wheel, unsigned level)
{
	unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
	struct timer *timer = wheel->slots[level][slot], *oldest = NULL;

	wheel->occupied[level] &= wheel->occupied[level] - 1;
	wheel->slots[level][slot] = NULL;
	while (timer) {
		struct timer *next = timer->next;

		timer->next = oldest;
		oldest = timer;
		timer = next;
	}
	return oldest;
}

struct timer *weft__wheel_advance(struct wheel *wheel, int64_t now_ns)
{
	uint64_t target = tick_floor(now_ns);
	struct timer *due = NULL, **tail = &due;

	for (;;) {
		unsigned level = next_level(wheel);
		uint64_t start;

		if (level == WHEEL_LEVELS)
			break;
		start = next_start(wheel, level);
		if (start > target)
			break;
		wheel->now_tick = start;
		for (struct timer *timer = take_slot(wheel, level), *next; timer; timer = next) {
			uint64_t tick = tick_ceil(timer->when_ns > 0 ? timer->when_ns : 0);

			next = timer->next;
			if (tick > start && level > 0) {
				insert(wheel, timer, tick);
				continue;
			}
			timer->pprev = NULL;
			wheel->armed--;
			*tail = timer;
			tail = &timer->next;
		}
	}
	*tail = NULL;
	if (target > wheel->now_tick)
		wheel->now_tick = target;
	return due;
}

int64_t weft__wheel_next(const struct wheel *wheel)
{
	unsigned level = next_level(wheel);
	uint64_t start;

	if (level == WHEEL_LEVELS)
		return INT64_MAX;
	start = next_start(wheel, level);
	return start > INT64_MAX >> TIMER_TICK_SHIFT ? INT64_MAX
						     : (int64_t)(start << TIMER_TICK_SHIFT);
}
