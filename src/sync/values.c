/* SPDX-License-Identifier: MIT
 *
 * values.c - see values.h.
 */
#include <errno.h>

#include <base/fault.h>
#include <sync/values.h>

enum { SEGMENT_BYTES = 4096 - 64, SEGMENT_VALUES_MIN = 8 };

static size_t segment_bytes(size_t stride)
{
	size_t few = SEGMENT_VALUES_MIN * stride;

	return few > SEGMENT_BYTES ? few : SEGMENT_BYTES / stride * stride;
}

static struct segment *segment_new(size_t bytes)
{
	struct segment *segment = weft__malloc(sizeof *segment + bytes);

	if (segment)
		segment->next = NULL;
	return segment;
}

int weft__values_init(struct values *values, size_t elem_bytes, size_t capacity)
{
	size_t stride = values_stride(elem_bytes);

	*values = (struct values){ .capacity = capacity };
	if (capacity == SIZE_MAX || capacity == 0)
		return 0;
	if (capacity > (SIZE_MAX / 2 - sizeof(struct segment)) / stride)
		return -ENOMEM;
	values->first = segment_new(capacity * stride);
	if (!values->first)
		return -ENOMEM;
	values->put = values->take = values->first->slots;
	values->put_end = values->take_end = values->put + capacity * stride;
	return 0;
}

void weft__values_fini(struct values *values)
{
	struct segment *segment = values->first;

	while (segment) {
		struct segment *next = segment->next;

		weft__free(segment);
		segment = next;
	}
	weft__free(values->spare);
}

int weft__values_turn_put(struct values *values, size_t stride)
{
	struct segment *segment;

	if (values->capacity != SIZE_MAX) {
		values->put = values->first->slots;
		return 0;
	}
	segment = values->spare ? values->spare : segment_new(segment_bytes(stride));
	if (!segment)
		return -ENOMEM;
	values->spare = NULL;
	segment->next = NULL;
	values->put = segment->slots;
	values->put_end = segment->slots + segment_bytes(stride);
	if (values->last) {
		values->last->next = segment;
	} else {
		values->first = segment;
		values->take = values->put;
		values->take_end = values->put_end;
	}
	values->last = segment;
	return 0;
}

void weft__values_turn_take(struct values *values, size_t stride)
{
	struct segment *empty = values->first;

	if (values->capacity != SIZE_MAX) {
		values->take = values->first->slots;
		return;
	}
	values->first = empty->next;
	values->take = values->first->slots;
	values->take_end = values->take + segment_bytes(stride);
	if (values->spare)
		weft__free(empty);
	else
		values->spare = empty;
}

void weft__values_rewind(struct values *values)
{
	/* put and take are equal, or take is at the end and put was not turned either: one
	 * segment is left. */
	values->put = values->take = values->first->slots;
}
