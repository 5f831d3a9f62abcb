/* SPDX-License-Identifier: MIT
 *
 * arena.c - address space for private stacks, in chunks that are never
 * unmapped (A1).
 *
 * A chunk holds slots of one class. The first of a class is small, so that a
 * process under a tight RLIMIT_AS can have one; every next one is twice as
 * large; and where the kernel refuses, half of it is tried, down to one slot.
 * The kernel places chunks side by side and merges them: a few mappings hold
 * them all.
 *
 * The stride of a slot is an odd number of pages. With a power of two the
 * first pages of all stacks would compete for a few sets of the TLB.
 *
 * Lock order: `lock` is innermost; nothing is called under it but mmap.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include <base/fault.h>
#include <base/lock.h>
#include <base/log.h>
#include <base/stack_cpu.h>
#include <base/valgrind.h>
#include <stack/arena.h>

enum {
	MAX_CHUNKS = 4096,
	FIRST_SLOTS = 64,
};
#define FIRST_BYTES ((size_t)64 << 20) /* of larger classes the first chunk has fewer slots */
#define MAX_BYTES   ((size_t)(sizeof(size_t) == 8 ? UINT64_C(64) << 30 : 256 << 20))

/* Read by signal handlers: an entry is complete before the count covers it. */
static struct stack_chunk *chunks[MAX_CHUNKS];
static _Atomic unsigned chunk_count;

static struct size_class {
	struct stack_chunk *head, *tail;
	uint32_t cold; /* of all chunks */
} classes[STACK_CLASSES];

static struct lock lock;

LOCK_OVER_FORK(lock)

AT_LOAD_BEFORE_FORKS(1) static void register_fork(void)
{
	pthread_atfork(take_lock, drop_lock, drop_lock);
}

size_t weft__page_bytes(void)
{
	static _Atomic size_t known; /* relaxed: whoever asks first, it is the same */
	size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);

	if (unlikely(!bytes)) {
		bytes = getauxval(AT_PAGESZ);
		atomic_store_explicit(&known, bytes, memory_order_relaxed);
	}
	return bytes;
}

size_t weft__stack_guard_bytes(void)
{
	size_t page = weft__page_bytes();
	size_t pages = (CPU_GUARD_BYTES + page - 1) / page;

	/* Usable bytes are an even number of pages and the head is one: with an
	 * even guard the stride comes out odd. */
	return (pages + pages % 2) * page;
}

size_t weft__stack_stride(unsigned class)
{
	size_t page = weft__page_bytes();
	size_t head = page > STACK_HEAD_BYTES ? page : STACK_HEAD_BYTES;
	size_t pages = (weft__stack_guard_bytes() + weft__stack_class_bytes(class) + head) / page;

	return (pages | 1) * page;
}

static struct stack_chunk *map_chunk(unsigned class, size_t count)
{
	size_t page = weft__page_bytes(), stride = weft__stack_stride(class);
	size_t words = (count + 63) / 64, groups = (count + GUARD_GROUP - 1) / GUARD_GROUP;
	size_t header = sizeof(struct stack_chunk) + words * sizeof(uint64_t) + groups;
	struct stack_chunk *chunk;

	header = (header + page - 1) & -page;
	chunk = weft__map(header + count * stride);
	if (!chunk)
		return NULL;
	/* Where huge pages are "always", one touch of a stack would cost 2 MiB. */
	weft__advise(chunk, header + count * stride, MADV_NOHUGEPAGE);
	chunk->slots = (char *)chunk + header;
	chunk->end = chunk->slots + count * stride;
	chunk->stride = stride;
	chunk->class = class;
	chunk->count = (uint32_t)count;
	chunk->cold_bits = (uint64_t *)(chunk + 1);
	chunk->kinds = (uint8_t *)(chunk->cold_bits + words);
	return chunk;
}

/* Under the lock. */
static struct stack_chunk *add_chunk(unsigned class)
{
	struct size_class *sc = &classes[class];
	size_t stride = weft__stack_stride(class), count;
	unsigned n = atomic_load_explicit(&chunk_count, memory_order_relaxed);
	struct stack_chunk *chunk = NULL;

	if (n == MAX_CHUNKS)
		return NULL;
	if (sc->tail)
		count = sc->tail->count * 2;
	else
		count = FIRST_BYTES / stride < FIRST_SLOTS ? FIRST_BYTES / stride : FIRST_SLOTS;
	if (count > MAX_BYTES / stride)
		count = MAX_BYTES / stride;
	for (count += !count; count && !chunk; count /= 2)
		chunk = map_chunk(class, count);
	if (!chunk)
		return NULL;
	if (sc->tail)
		sc->tail->next = chunk;
	else
		sc->head = chunk;
	sc->tail = chunk;
	chunks[n] = chunk;
	/* release pairs with the acquire in find_chunk() */
	atomic_store_explicit(&chunk_count, n + 1, memory_order_release);
	return chunk;
}

/* Under the lock: the lowest word that has cold slots becomes the bin's. */
static bool draw_cold(struct size_class *sc, struct stack_bin *bin)
{
	struct stack_chunk *chunk = sc->head;
	uint32_t word;

	if (!sc->cold)
		return false;
	while (!chunk->cold)
		chunk = chunk->next;
	for (word = chunk->cold_hint; !chunk->cold_bits[word]; word++)
		;
	bin->chunk = chunk;
	bin->fresh = chunk->cold_bits[word];
	bin->fresh_first = word * 64;
	chunk->cold_bits[word] = 0;
	chunk->cold_hint = word + 1;
	chunk->cold -= (uint32_t)__builtin_popcountll(bin->fresh);
	sc->cold -= (uint32_t)__builtin_popcountll(bin->fresh);
	return true;
}

/* Under the lock: new slots, few at first, within one word of the bitset. */
static uint32_t carve(struct size_class *sc, unsigned class, struct stack_bin *bin)
{
	struct stack_chunk *chunk = sc->tail;
	uint32_t first, n;

	if (!chunk || chunk->carved == chunk->count)
		chunk = add_chunk(class);
	if (!chunk)
		return 0;
	first = chunk->carved;
	n = ARENA_BATCH - first % ARENA_BATCH;
	if (first < ARENA_BATCH / 2 && n > GUARD_GROUP)
		n = GUARD_GROUP;
	if (n > chunk->count - first)
		n = chunk->count - first;
	chunk->carved += n;
	bin->chunk = chunk;
	bin->fresh_first = first / 64 * 64;
	bin->fresh = (n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << first % 64;
	return n;
}

/* They stay what they are for the life of the process, as guards do (A2). */
static void tell_valgrind(const struct stack_chunk *chunk, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		struct stack_slot slot = chunk_slot(chunk, i);

		weft__valgrind_stack(slot.low, slot.top);
	}
}

int weft__arena_draw(unsigned class, struct stack_bin *bin)
{
	struct size_class *sc = &classes[class];
	uint32_t first, carved;
	bool recycled;

	take_lock();
	recycled = draw_cold(sc, bin);
	carved = recycled ? 0 : carve(sc, class, bin);
	drop_lock();
	if (recycled)
		return 1;
	if (!carved)
		return -ENOMEM;
	first = bin->fresh_first + (uint32_t)__builtin_ctzll(bin->fresh);
	weft__guard_install(bin->chunk, first, carved);
	tell_valgrind(bin->chunk, first, carved);
	return 0;
}

void weft__arena_put(struct stack_chunk *chunk, uint32_t first, uint64_t mask)
{
	uint32_t word = first / 64, n = (uint32_t)__builtin_popcountll(mask);

	take_lock();
	invariant(!(chunk->cold_bits[word] & mask));
	chunk->cold_bits[word] |= mask;
	chunk->cold += n;
	if (chunk->cold_hint > word)
		chunk->cold_hint = word;
	classes[chunk->class].cold += n;
	drop_lock();
}

static struct stack_chunk *find_chunk(const void *addr)
{
	/* acquire pairs with the release in add_chunk() */
	unsigned n = atomic_load_explicit(&chunk_count, memory_order_acquire);

	while (n--)
		if ((const char *)addr >= chunks[n]->slots && (const char *)addr < chunks[n]->end)
			return chunks[n];
	return NULL;
}

struct stack_chunk *weft__arena_chunk(unsigned class, const void *addr)
{
	struct stack_chunk *chunk = find_chunk(addr);

	invariant(chunk && chunk->class == class);
	return chunk;
}

const struct stack_chunk *weft__arena_nth(unsigned index)
{
	/* acquire pairs with the release in add_chunk() */
	unsigned n = atomic_load_explicit(&chunk_count, memory_order_acquire);

	return index < n ? chunks[index] : NULL;
}

enum stack_hit weft__stack_find(const void *addr, struct stack_slot *ret_slot)
{
	struct stack_chunk *chunk = find_chunk(addr);
	struct stack_slot slot;

	if (!chunk)
		return STACK_HIT_NONE;
	slot = chunk_slot(chunk,
			  (uint32_t)((size_t)((const char *)addr - chunk->slots) / chunk->stride));
	if (ret_slot)
		*ret_slot = slot;
	return (const char *)addr < slot.low ? STACK_HIT_GUARD : STACK_HIT_USABLE;
}

enum stack_guard weft__stack_guard_kind(const struct stack_slot *slot)
{
	struct stack_chunk *chunk = weft__arena_chunk(slot->class, slot->top);
	size_t index = (size_t)(slot->top - chunk->slots) / chunk->stride;

	return chunk->kinds[index / GUARD_GROUP];
}
