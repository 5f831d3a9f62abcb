/* SPDX-License-Identifier: MIT
 *
 * handle.h - a pointer and a 22-bit tag in one word.
 *
 *   | 63 .. 22 address, bits 47 .. 6 of it | 21 .. 0 tag |
 *
 * Addresses of user space have 48 bits here, and blocks are aligned to 64: one
 * shift packs, one unpacks. The memory behind a word must be type-stable: it is
 * looked at to find out that the word is stale.
 *
 * A kernel that manages more bits gives addresses beyond 48 only to who asks for them (x86-64
 * with five levels of pages, aarch64 with 52 bits). riscv64 does so from Linux 6.6 on; before
 * that a CPU with sv57 gets them unasked. weft__map() refuses them: all blocks come from there.
 */
#ifndef WEFT_BASE_HANDLE_H
#define WEFT_BASE_HANDLE_H

#include <base/compiler.h>

/* Enumerators and not macros, here and elsewhere: debuggers see them (tools/gdb). */
enum { TAG_BITS = 22 };
#define TAG_MASK ((1u << TAG_BITS) - 1)

/* @tag: only its low TAG_BITS count. */
static inline uint64_t tagged_pack(const void *block, uint32_t tag)
{
	return (uint64_t)(uintptr_t)block << 16 | (tag & TAG_MASK);
}

/** Has @addr no more bits than a handle holds? */
static inline bool tagged_holds(const void *addr)
{
	return (uint64_t)(uintptr_t)addr >> 48 == 0;
}

static inline void *tagged_pointer(uint64_t word)
{
	return (void *)(uintptr_t)(word >> TAG_BITS << 6);
}

static inline uint32_t tagged_tag(uint64_t word)
{
	return (uint32_t)word & TAG_MASK;
}

/* --- the same for users, in a pointer --------------------------------------------------
 *
 * Where that has 32 bits the tag has the 6 of the alignment: one stale handle in 64 is
 * mistaken for a good one.
 */
enum { HANDLE_TAG_BITS = sizeof(void *) == 8 ? TAG_BITS : 6 };
#define HANDLE_TAG_MASK ((1u << HANDLE_TAG_BITS) - 1)

static inline uintptr_t handle_pack(const void *block, uint32_t tag)
{
	if (sizeof(void *) == 8)
		return (uintptr_t)tagged_pack(block, tag);
	return (uintptr_t)block | (tag & HANDLE_TAG_MASK);
}

static inline void *handle_pointer(uintptr_t handle)
{
	if (sizeof(void *) == 8)
		return tagged_pointer(handle);
	return (void *)(handle & ~(uintptr_t)HANDLE_TAG_MASK);
}

static inline uint32_t handle_tag(uintptr_t handle)
{
	return (uint32_t)handle & HANDLE_TAG_MASK;
}

#endif
