/* SPDX-License-Identifier: MIT
 *
 * memo.h - a set of fingerprints of 128 bits, up to a bound. Two different things with the same
 * fingerprint are taken for one, which for a million of them has a chance of 2^-88.
 */
#ifndef WEFT_TESTS_MEMO_H
#define WEFT_TESTS_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct print {
	uint64_t a, b; /* not both 0 */
};

struct memo {
	struct print *slots; /* a power of two, at most three quarters full */
	size_t room, count;
};

enum memo_answer { MEMO_NEW, MEMO_KNOWN, MEMO_FULL };

void memo_init(struct memo *memo);
void memo_fini(struct memo *memo);

/** Puts it in. MEMO_FULL: there are @most already. */
enum memo_answer memo_add(struct memo *memo, struct print print, size_t most);

/** The fingerprint of words that are fed to it one after the other. */
static inline void print_feed(struct print *print, uint64_t word)
{
	/* The steps of MurmurHash3's 64-bit finalizer (Appleby), with a constant each. */
	print->a = (print->a ^ word) * UINT64_C(0xff51afd7ed558ccd);
	print->a ^= print->a >> 32;
	print->b = (print->b ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
	print->b ^= print->b >> 29;
}

#endif
