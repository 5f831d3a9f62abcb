/* SPDX-License-Identifier: MIT
 *
 * bytes.c - see bytes.h. The encodings are those of the Linux Standard Base, Core
 * Specification, "DWARF Extensions", and of DWARF 4, 7.6.
 */
#include <base/peek.h>
#include <debug/bytes.h>

enum { POINTER_OMIT = 0xff, POINTER_FORM = 0x0f, POINTER_BASE = 0x70, POINTER_INDIRECT = 0x80 };

static bool refill(struct bytes *bytes)
{
	size_t left = bytes->end - bytes->at;

	bytes->window_at = bytes->at;
	bytes->window_bytes = left < BYTES_WINDOW ? left : BYTES_WINDOW;
	return weft__peek(bytes->window, bytes->at, bytes->window_bytes);
}

uint8_t weft__bytes_u8(struct bytes *bytes)
{
	if (bytes->bad || bytes->at >= bytes->end)
		goto missing;
	if (bytes->at - bytes->window_at >= bytes->window_bytes && !refill(bytes))
		goto missing;
	return bytes->window[bytes->at++ - bytes->window_at];
missing:
	bytes->bad = true;
	return 0;
}

uint64_t weft__bytes_uint(struct bytes *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)weft__bytes_u8(bytes) << 8 * i;
	return value;
}

int64_t weft__bytes_int(struct bytes *bytes, unsigned size)
{
	unsigned unused = 64 - 8 * size;

	return (int64_t)(weft__bytes_uint(bytes, size) << unused) >> unused;
}

uint64_t weft__bytes_uleb(struct bytes *bytes)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		byte = weft__bytes_u8(bytes);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	bytes->bad = true;
	return 0;
}

int64_t weft__bytes_sleb(struct bytes *bytes)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		byte = weft__bytes_u8(bytes);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift + 7 < 64)
			value |= ~UINT64_C(0) << (shift + 7);
		return (int64_t)value;
	}
	bytes->bad = true;
	return 0;
}

void weft__bytes_skip(struct bytes *bytes, uint64_t count)
{
	if (count > bytes->end - bytes->at)
		bytes->bad = true;
	else
		bytes->at += count;
	bytes->window_bytes = 0;
}

static uint64_t read_form(struct bytes *bytes, uint8_t form)
{
	switch (form) {
	case 0x00: /* an address */
	case 0x04:
	case 0x0c:
		return weft__bytes_uint(bytes, 8);
	case 0x01:
		return weft__bytes_uleb(bytes);
	case 0x02:
		return weft__bytes_uint(bytes, 2);
	case 0x03:
		return weft__bytes_uint(bytes, 4);
	case 0x09:
		return (uint64_t)weft__bytes_sleb(bytes);
	case 0x0a:
		return (uint64_t)weft__bytes_int(bytes, 2);
	case 0x0b:
		return (uint64_t)weft__bytes_int(bytes, 4);
	default:
		bytes->bad = true;
		return 0;
	}
}

uintptr_t weft__bytes_pointer(struct bytes *bytes, uint8_t encoding, uintptr_t data)
{
	uintptr_t place = bytes->at, value;

	if (encoding == POINTER_OMIT)
		return 0;
	value = read_form(bytes, encoding & POINTER_FORM);
	switch (encoding & POINTER_BASE) {
	case 0x00:
		break;
	case 0x10: /* pcrel */
		value += place;
		break;
	case 0x30: /* datarel */
		value += data;
		break;
	default:
		bytes->bad = true;
	}
	if ((encoding & POINTER_INDIRECT) && !weft__peek(&value, value, sizeof(value)))
		bytes->bad = true;
	return bytes->bad ? 0 : value;
}
