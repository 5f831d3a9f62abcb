/* SPDX-License-Identifier: MIT
 *
 * bytes.h - reads a stretch of memory from front to back, as DWARF packs things: a
 * window of it at a time, and never a byte that is not there.
 */
#ifndef WEFT_DEBUG_BYTES_H
#define WEFT_DEBUG_BYTES_H

#include <base/compiler.h>

enum { BYTES_WINDOW = 64 };

struct bytes {
	uintptr_t at, end;
	bool bad; /* something was missing; from then on everything reads 0 */
	uintptr_t window_at;
	size_t window_bytes;
	uint8_t window[BYTES_WINDOW];
};

static inline void bytes_init(struct bytes *bytes, uintptr_t at, uintptr_t end)
{
	bytes->at = at;
	bytes->end = end;
	bytes->bad = end < at;
	bytes->window_bytes = 0;
}

static inline bool bytes_left(const struct bytes *bytes)
{
	return !bytes->bad && bytes->at < bytes->end;
}

uint8_t weft__bytes_u8(struct bytes *bytes);

/** Little-endian, of @size bytes up to 8. */
uint64_t weft__bytes_uint(struct bytes *bytes, unsigned size);
int64_t weft__bytes_int(struct bytes *bytes, unsigned size);

uint64_t weft__bytes_uleb(struct bytes *bytes);
int64_t weft__bytes_sleb(struct bytes *bytes);

void weft__bytes_skip(struct bytes *bytes, uint64_t count);

/**
 * weft__bytes_pointer - an address as .eh_frame encodes it (DW_EH_PE_...)
 * @data: what DW_EH_PE_datarel counts from
 */
uintptr_t weft__bytes_pointer(struct bytes *bytes, uint8_t encoding, uintptr_t data);

#endif
