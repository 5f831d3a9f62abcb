/* SPDX-License-Identifier: MIT
 *
 * values.h - the values in a channel: a ring of fixed size, or, without a bound, a list of
 * segments. Its owner's lock covers it.
 *
 * V1 put and take point to where the next value goes in and comes out, or to the end of their
 *    segment. Only there the two kinds differ: a ring goes on at its beginning, a list in the
 *    next segment.
 * V2 A list's segments are freed as they get empty, but for one, so that a steady flow needs
 *    no memory; an empty list begins again where it is, in warm memory.
 */
#ifndef WEFT_SYNC_VALUES_H
#define WEFT_SYNC_VALUES_H

#include <string.h>

#include <base/compiler.h>

struct segment {
	struct segment *next;
	_Alignas(16) char slots[];
};

struct values {
	size_t count, capacity; /* SIZE_MAX: a list */
	char *put, *put_end;
	char *take, *take_end;
	struct segment *first, *last, *spare; /* a ring: first alone */
};

/** 0 or -ENOMEM. A list takes its memory when it needs it. */
int weft__values_init(struct values *values, size_t elem_bytes, size_t capacity);
void weft__values_fini(struct values *values);

/** put is at the end of its segment: goes on. 0, or -ENOMEM (lists only). */
int weft__values_turn_put(struct values *values, size_t stride);
void weft__values_turn_take(struct values *values, size_t stride);

/** A list has just become empty. */
void weft__values_rewind(struct values *values);

/** Small sizes without a call. */
static always_inline void value_copy(void *to, const void *from, size_t bytes)
{
	if (likely(bytes == 8))
		memcpy(to, from, 8);
	else if (bytes == 4)
		memcpy(to, from, 4);
	else if (bytes)
		memcpy(to, from, bytes);
}

/* So that even values of no size have a place each. */
static always_inline size_t values_stride(size_t elem_bytes)
{
	return elem_bytes ? elem_bytes : 1;
}

static always_inline bool values_full(const struct values *values)
{
	return values->count >= values->capacity;
}

/** There is room by capacity. 0, or -ENOMEM (lists only). */
static always_inline int values_put(struct values *values, const void *value, size_t elem_bytes)
{
	size_t stride = values_stride(elem_bytes);

	if (unlikely(values->put == values->put_end)) {
		int rc = weft__values_turn_put(values, stride);

		if (rc < 0)
			return rc;
	}
	value_copy(values->put, value, elem_bytes);
	values->put += stride;
	values->count++;
	return 0;
}

/** There is one. @ret_value may be NULL. */
static always_inline void values_take(struct values *values, void *ret_value, size_t elem_bytes)
{
	size_t stride = values_stride(elem_bytes);

	if (unlikely(values->take == values->take_end))
		weft__values_turn_take(values, stride);
	if (likely(ret_value != NULL))
		value_copy(ret_value, values->take, elem_bytes);
	values->take += stride;
	if (--values->count == 0 && values->capacity == SIZE_MAX)
		weft__values_rewind(values);
}

#endif
