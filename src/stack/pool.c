/* SPDX-License-Identifier: MIT
 *
 * pool.c - each thread's cache of private stacks: the slow halves of take and
 * give.
 *
 *   arena --draw, 64 at a time--> fresh --take--> in use --give--> young
 *     ^                                             ^--take------- v |
 *     +-----trim.c: pages go back, a few at a time-- old <---full----+
 *                                                     |
 *                       young of another thread <-- depot.c
 *
 * A magazine is small at rest (16 slots). Drawing slots that were trimmed before
 * means that trimming was too eager: the magazine doubles. Every old one that
 * went takes an eighth off again. So waves of thousands of tasks soon run without a
 * system call, and after one great burst next to nothing stays resident. What
 * waves leave behind, weft__stack_age() finds.
 */
#include <errno.h>
#include <pthread.h>

#include <base/fault.h>
#include <base/log.h>
#include <base/only_once.h>
#include <stack/arena.h>
#include <stack/depot.h>
#include <stack/overflow.h>
#include <stack/slab.h>

/* Address space of a full magazine: at rest, and at most. And slots. */
#define MAGAZINE_BYTES     ((size_t)4 << 20)
#define MAGAZINE_MAX_BYTES ((size_t)(sizeof(size_t) == 8 ? UINT64_C(8) << 30 : 256 << 20))
enum { MAGAZINE_SLOTS = 16, MAGAZINE_MAX_SLOTS = 32768 };

/* Gives that pass between two batches that go back, so that no single give has to
 * pay for a whole magazine. Less than TRIM_BATCH: it must shrink. */
enum { GIVES_A_BATCH = TRIM_BATCH / 4 };

static uint32_t magazine_slots(unsigned class, size_t bytes, size_t most)
{
	size_t n = bytes / weft__stack_class_bytes(class);

	return (uint32_t)(n < 1 ? 1 : n > most ? most : n);
}

uint32_t weft__magazine_least(unsigned class)
{
	return magazine_slots(class, MAGAZINE_BYTES, MAGAZINE_SLOTS);
}

uint32_t weft__magazine_most(unsigned class)
{
	return magazine_slots(class, MAGAZINE_MAX_BYTES, MAGAZINE_MAX_SLOTS);
}

/* --- the cache ----------------------------------------------------------------- */

static pthread_key_t key;
static bool key_made;
static struct only_once key_once;

static void drop_at_exit(void *cache)
{
	if (cache == weft__thread.stacks)
		weft__stack_cache_drop();
}

static void make_key(void)
{
	key_made = pthread_key_create(&key, drop_at_exit) == 0;
}

coldpath struct stack_cache *weft__stack_cache_make(void)
{
	struct stack_cache *cache = weft__calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		cache->bins[i].magazine = cache->bins[i].limit = weft__magazine_least(i);
		cache->bins[i].reach = weft__stack_stride(i) - weft__stack_guard_bytes();
	}
	weft__thread.stacks = cache;
	weft__depot_caches(1);
	only_once(&key_once, make_key);
	if (key_made)
		pthread_setspecific(key, cache);
	/* Without a signal stack an overflow dies without a word; it still dies. */
	weft__overflow_install();
	weft__overflow_thread_init();
	return cache;
}

/* --- give ------------------------------------------------------------------------ */

/* The young magazine is full. It becomes the old one when that is gone: to the depot, or by a
 * batch now and every few gives. */
static void make_room(struct stack_bin *bin, unsigned class)
{
	uint32_t least = weft__magazine_least(class);

	if (bin->old && !weft__depot_put(class, bin)) {
		weft__stack_trim(bin, class, TRIM_BATCH);
		bin->limit = bin->young_count + GIVES_A_BATCH;
		if (bin->old)
			return;
		bin->magazine -= bin->magazine / 8;
		if (bin->magazine < least)
			bin->magazine = least;
	}
	if (bin->young_count >= bin->magazine)
		weft__magazine_rotate(bin);
	bin->limit = bin->magazine;
}

void weft__stack_give_slow(const struct stack_slot *slot)
{
	struct stack_cache *cache = weft__stack_cache();
	struct stack_free *block = (struct stack_free *)(void *)slot->top;
	struct stack_bin *bin, lone = { .old = block, .old_count = 1 };

	if (!cache) {
		/* No memory even for a cache: straight to the arena. */
		block->next = NULL;
		weft__stack_trim(&lone, slot->class, 1);
		return;
	}
	weft__stack_note_change(cache);
	bin = &cache->bins[slot->class];
	if (bin->young_count >= bin->limit)
		make_room(bin, slot->class);
	block->next = bin->young;
	bin->young = block;
	bin->young_count++;
}

/* --- take ------------------------------------------------------------------------ */

static int take_fresh(struct stack_bin *bin, unsigned class, struct stack_slot *ret_slot)
{
	if (!bin->fresh) {
		uint32_t most = weft__magazine_most(class);
		int rc = weft__arena_draw(class, bin);

		if (rc < 0)
			return rc;
		if (rc > 0) {
			bin->magazine = bin->magazine * 2 < most ? bin->magazine * 2 : most;
			weft__depot_grow(class);
		}
		bin->limit = bin->magazine;
	}
	*ret_slot =
		chunk_slot(bin->chunk, bin->fresh_first + (uint32_t)__builtin_ctzll(bin->fresh));
	bin->fresh &= bin->fresh - 1;
	bin->drawn++;
	return 0;
}

int weft__stack_take_slow(unsigned class, struct stack_slot *ret_slot)
{
	struct stack_cache *cache = weft__stack_cache();
	struct stack_bin *bin;

	if (!cache)
		return -ENOMEM;
	weft__stack_note_change(cache);
	bin = &cache->bins[class];
	if (!bin->young && !bin->old && !weft__depot_get(class, bin))
		return take_fresh(bin, class, ret_slot);
	if (!bin->young) {
		bin->young = bin->old;
		bin->young_count = bin->old_count;
		bin->old = NULL;
		bin->old_count = 0;
		bin->draining = false;
	}
	return weft__stack_take(class, ret_slot);
}

/* --- looking on -------------------------------------------------------------------- */

no_tsan void weft__stack_count(const struct stack_cache *cache, uint64_t *ret_used,
			       uint64_t *ret_cached)
{
	int64_t used = 0, cached = 0;

	for (unsigned i = 0; cache && i < STACK_CLASSES; i++) {
		const struct stack_bin *bin = &cache->bins[i];

		cached += bin->young_count + bin->old_count;
		used += bin->drawn - (int64_t)bin->young_count - bin->old_count;
	}
	*ret_used = used > 0 ? (uint64_t)used : 0; /* others' slots may have been given here */
	*ret_cached = (uint64_t)cached;
}

int64_t weft__stack_touched(const struct stack_slot *slot)
{
	unsigned char pages[256];
	size_t page = weft__page_bytes();

	for (char *at = slot->low; at < slot->top; at += sizeof(pages) * page) {
		size_t n = ((size_t)(slot->top - at) + page - 1) / page;
		long rc;

		if (n > sizeof(pages))
			n = sizeof(pages);
		rc = weft__syscall(SYS_mincore, at, n * page, pages);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < n; i++)
			if (pages[i] & 1)
				return slot->top - (at + i * page);
	}
	return 0;
}

/* --- the end --------------------------------------------------------------------------- */

static void drop_bin(struct stack_bin *bin, unsigned class)
{
	weft__stack_trim(bin, class, UINT32_MAX);
	weft__magazine_rotate(bin);
	weft__stack_trim(bin, class, UINT32_MAX);
	if (bin->fresh)
		weft__arena_put(bin->chunk, bin->fresh_first, bin->fresh);
	bin->fresh = 0;
}

/* Nobody is left for whom it could be kept. */
static void empty_depot(unsigned class)
{
	struct stack_bin lone = { .young = NULL };

	while (weft__depot_get(class, &lone)) {
		weft__magazine_rotate(&lone);
		weft__stack_trim(&lone, class, UINT32_MAX);
	}
}

void weft__stack_cache_drop(void)
{
	struct stack_cache *cache = weft__thread.stacks;

	if (!cache)
		return;
	for (unsigned i = 0; i < STACK_CLASSES; i++)
		drop_bin(&cache->bins[i], i);
	weft__block_drop(cache);
	if (!weft__slab_drop(cache))
		return; /* copies are alive: somebody's shared stacks outlive the cache */
	weft__overflow_thread_fini();
	weft__thread.stacks = NULL;
	if (weft__depot_caches(-1) < 2)
		for (unsigned i = 0; i < STACK_CLASSES; i++)
			empty_depot(i);
	if (key_made)
		pthread_setspecific(key, NULL);
	weft__free(cache);
}
