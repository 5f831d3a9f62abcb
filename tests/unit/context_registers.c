/* SPDX-License-Identifier: MIT
 *
 * context_registers.c - every register that a call must keep, filled by hand.
 */
#include "context_lab.h"

#if defined(__x86_64__)
enum { KEPT = 6 }; /* rbx rbp r12 r13 r14 r15 */
#elif defined(__aarch64__)
enum { KEPT = 18 }; /* x19 .. x28, d8 .. d15 */
#else
enum { KEPT = 24 }; /* s0 .. s11, fs0 .. fs11 */
#endif

/* context_<cpu>.S: fills the registers from @fill, calls fn(from, to, value), and
 * reads the registers into @found. Returns what fn returned. */
void *call_with_registers(weft_context *from, weft_context *to, void *value, const uint64_t *fill,
			  uint64_t *found,
			  void *(*fn)(weft_context *from, weft_context *to, void *value));

static struct fiber peer;

static noinline void *do_switch(weft_context *from, weft_context *to, void *value)
{
	return weft_context_switch(from, to, value);
}

static void fill_and_check(weft_context *from, weft_context *to, uint64_t seed)
{
	uint64_t fill[KEPT], found[KEPT];

	for (int i = 0; i < KEPT; i++)
		fill[i] = (seed * 64 + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15);
	call_with_registers(from, to, NULL, fill, found, do_switch);
	for (int i = 0; i < KEPT; i++)
		CHECK_EQ(found[i], fill[i]);
}

static void other_fills(void *arg, void *value)
{
	(void)arg;
	(void)value;
	for (uint64_t i = 1000000;; i++)
		fill_and_check(&peer.ctx, &home.ctx, i);
}

TEST(context, callee_saved_registers_survive)
{
	fiber_make(&peer, 64 << 10, other_fills, NULL);
	for (uint64_t i = 0; i < 10000; i++)
		fill_and_check(&home.ctx, &peer.ctx, i);
}
