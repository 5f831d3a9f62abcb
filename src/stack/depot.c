/* SPDX-License-Identifier: MIT
 *
 * depot.c - see depot.h. After the depot of Bonwick and Adams ("Magazines and Vmem", USENIX
 * 2001). Without it a stack that ends on another worker than it began on goes through the
 * kernel: its pages are given back there, and come again here, zeroed.
 */
#include <pthread.h>

#include <base/lock.h>
#include <stack/arena.h>
#include <stack/depot.h>

/* So many magazines a class; who brings some makes his so large that half as many fill the room. */
enum { LISTS = 32 };

struct list_of_slots {
	struct stack_free *head;
	uint32_t count;
};

struct depot {
	_Atomic uint32_t lists; /* changed under the lock, looked at without */
	uint32_t slots;
	_Atomic uint32_t room; /* D2; 0: as at first */
	uint32_t visits, visits_seen;
	int64_t seen_ns; /* when there was a visit that had not been seen before */
	struct list_of_slots full[LISTS];
};

static struct depot depots[STACK_CLASSES];
static struct lock lock;
static _Atomic int caches;

LOCK_OVER_FORK(lock)

AT_LOAD_BEFORE_FORKS(1) static void register_fork(void)
{
	pthread_atfork(take_lock, drop_lock, drop_lock);
}

int weft__depot_caches(int change)
{
	/* relaxed: a count; who errs puts a magazine where it is found later */
	return atomic_fetch_add_explicit(&caches, change, memory_order_relaxed) + change;
}

static uint32_t room_of(const struct depot *depot, unsigned class)
{
	uint32_t room = atomic_load_explicit(&((struct depot *)depot)->room, memory_order_relaxed);

	return room ? room : weft__magazine_least(class);
}

/* --- in and out -------------------------------------------------------------------------- */

/* Lock held. */
static bool add(struct depot *depot, uint32_t room, const struct list_of_slots *magazine)
{
	/* relaxed, as below: the lock orders */
	uint32_t lists = atomic_load_explicit(&depot->lists, memory_order_relaxed);

	if (lists == LISTS || depot->slots + magazine->count > room)
		return false;
	depot->full[lists] = *magazine;
	depot->slots += magazine->count;
	depot->visits++;
	atomic_store_explicit(&depot->lists, lists + 1, memory_order_relaxed);
	return true;
}

bool weft__depot_put(unsigned class, struct stack_bin *bin)
{
	struct list_of_slots magazine = { bin->old, bin->old_count };
	uint32_t room = room_of(&depots[class], class);
	bool added;

	if (atomic_load_explicit(&caches, memory_order_relaxed) < 2 || bin->old_count > room)
		return false;
	take_lock();
	added = add(&depots[class], room, &magazine);
	drop_lock();
	if (!added)
		return false;
	bin->drawn -= (int32_t)magazine.count;
	bin->old = NULL;
	bin->old_count = 0;
	bin->draining = false;
	if (bin->magazine < room / (LISTS / 2))
		bin->magazine = room / (LISTS / 2);
	return true;
}

/* The newest. @visit: by who needs it. */
static bool take(unsigned class, struct list_of_slots *ret_magazine, bool visit)
{
	struct depot *depot = &depots[class];
	uint32_t lists;

	/* relaxed: what is missed now is there next time */
	if (likely(!atomic_load_explicit(&depot->lists, memory_order_relaxed)))
		return false;
	take_lock();
	depot->visits += visit;
	lists = atomic_load_explicit(&depot->lists, memory_order_relaxed);
	if (lists) {
		*ret_magazine = depot->full[lists - 1];
		depot->slots -= ret_magazine->count;
		atomic_store_explicit(&depot->lists, lists - 1, memory_order_relaxed);
	}
	drop_lock();
	return lists != 0;
}

bool weft__depot_get(unsigned class, struct stack_bin *bin)
{
	struct list_of_slots magazine;

	if (!take(class, &magazine, true))
		return false;
	bin->young = magazine.head;
	bin->young_count = magazine.count;
	bin->drawn += (int32_t)magazine.count;
	return true;
}

/* --- how much there may be --------------------------------------------------------------- */

void weft__depot_grow(unsigned class)
{
	struct depot *depot = &depots[class];
	uint32_t most = weft__magazine_most(class), room;

	if (atomic_load_explicit(&caches, memory_order_relaxed) < 2)
		return;
	/* relaxed, here and below: a measure */
	room = room_of(depot, class);
	atomic_store_explicit(&depot->room, room * 2 < most ? room * 2 : most,
			      memory_order_relaxed);
}

/* Lock held. Has nobody come by for so long? */
static bool is_unused(struct depot *depot, int64_t now_ns)
{
	if (depot->visits != depot->visits_seen) {
		depot->visits_seen = depot->visits;
		depot->seen_ns = now_ns;
	}
	return now_ns - depot->seen_ns >= STACK_AGE_NS;
}

bool weft__depot_age(unsigned class, struct stack_bin *bin, int64_t now_ns)
{
	struct depot *depot = &depots[class];
	struct list_of_slots magazine;
	bool unused;

	if (!atomic_load_explicit(&depot->lists, memory_order_relaxed))
		return false;
	take_lock();
	unused = is_unused(depot, now_ns);
	drop_lock();
	if (unused && !bin->old && take(class, &magazine, false)) {
		atomic_store_explicit(&depot->room, 0, memory_order_relaxed);
		bin->old = magazine.head;
		bin->old_count = magazine.count;
		bin->drawn += (int32_t)magazine.count;
		bin->draining = true;
	}
	return atomic_load_explicit(&depot->lists, memory_order_relaxed) != 0;
}
